/* The guard: which zone wants a credential where, what is refused with what, and that each refusal is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/base64.h"
#include "shared/key_text.h"
#include "shared/keys_file.h"
#include "shared/log.h"
#include "supervisor/front/guard.h"
#include "tests/unit/head_text.h"

static char nothing[1];

static struct conf make_conf(enum conf_auth_mode mode)
{
	return (struct conf){ .auth = { .mode = mode, .issuer = nothing },
		.tls.client_ca_file = nothing };
}

static const struct client_origin here;

static struct loop *loop;
static struct guard_parts parts;

/* What the guard makes of a head with these fields. */
static void judge(
	struct guard *guard, const char *start, struct guard_ask ask, struct guard_verdict *ret)
{
	struct http1_request req;
	char text[1000];

	(void)snprintf(text, sizeof(text), "%s\r\n", start);
	assert_true(parse_head(text, &req));
	ask.request = &req;
	ask.origin = &here;
	guard_judge(guard, &ask, ret);
}

static int status_of(struct guard *guard, const char *start, struct guard_ask ask)
{
	auto_guard_verdict verdict = { 0 };

	judge(guard, start, ask, &verdict);
	assert_int_equal(verdict.status == 0, verdict.principal && !verdict.why);
	assert_int_equal(verdict.status == 401, verdict.challenge.len > 0);
	return verdict.status;
}

#define GET "GET /sse HTTP/1.1\r\nHost: localhost\r\n"

static void test_zones(void **unused)
{
	/* Statuses without a credential. */
	static const struct {
		enum guard_zone zone;
		enum conf_admin_auth admin;
		bool is_loopback;
		bool is_public;
		int when_wanted;
		int when_not;
	} cases[] = {
		{ GUARD_ZONE_TOOLS, CONF_ADMIN_AUTH_AUTO, true, true, 401, 0 },
		{ GUARD_ZONE_TOOLS, CONF_ADMIN_AUTH_NONE, false, true, 401, 0 },
		{ GUARD_ZONE_PROBE, CONF_ADMIN_AUTH_REQUIRED, false, true, 0, 0 },
		{ GUARD_ZONE_OPEN, CONF_ADMIN_AUTH_REQUIRED, false, true, 0, 0 },
		{ GUARD_ZONE_ADMIN, CONF_ADMIN_AUTH_AUTO, true, false, 0, 0 },
		{ GUARD_ZONE_ADMIN, CONF_ADMIN_AUTH_AUTO, true, true, 401, 0 },
		{ GUARD_ZONE_ADMIN, CONF_ADMIN_AUTH_AUTO, false, false, 401, 0 },
		{ GUARD_ZONE_ADMIN, CONF_ADMIN_AUTH_AUTO, false, true, 401, 0 },
		{ GUARD_ZONE_ADMIN, CONF_ADMIN_AUTH_NONE, false, true, 0, 0 },
		{ GUARD_ZONE_ADMIN, CONF_ADMIN_AUTH_REQUIRED, true, false, 401, 401 },
		{ GUARD_ZONE_ADMIN, CONF_ADMIN_AUTH_REQUIRED, false, true, 401, 401 },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct guard_ask ask = { .zone = cases[i].zone,
			.is_loopback = cases[i].is_loopback,
			.is_public = cases[i].is_public };
		struct conf required = make_conf(CONF_AUTH_REQUIRED);
		struct conf none = make_conf(CONF_AUTH_NONE);
		auto_(guard_freep) struct guard *guard = NULL;
		int status;

		required.admin_auth = none.admin_auth = cases[i].admin;
		guard = guard_new(&parts, &required);
		status = status_of(guard, GET, ask);
		if (status != cases[i].when_wanted)
			fail_msg("case %zu: %d where a credential is wanted", i, status);
		guard_set_conf(guard, &none);
		status = status_of(guard, GET, ask);
		if (status != cases[i].when_not)
			fail_msg("case %zu: %d where none is", i, status);
	}
}

/* Host and Origin come before the credential, and preflights need none. */
static void test_order(void **unused)
{
	static const struct {
		const char *start;
		int status;
		enum stats_refusal refusal; /* STATS_REFUSALS: none */
	} cases[] = {
		{ "GET /sse HTTP/1.1\r\nHost: evil.example\r\n", 421, STATS_REFUSED_HOST },
		{ "GET /sse HTTP/1.1\r\nHost: evil.example\r\nOrigin: https://evil.example\r\n",
			421, STATS_REFUSED_HOST },
		{ GET "Origin: https://evil.example\r\n", 403, STATS_REFUSED_ORIGIN },
		{ "OPTIONS /sse HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n"
		  "Access-Control-Request-Method: GET\r\n",
			403, STATS_REFUSED_ORIGIN },
		{ "OPTIONS /sse HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n"
		  "Access-Control-Request-Method: GET\r\n",
			204, STATS_REFUSALS },
		{ "OPTIONS /sse HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n",
			401, STATS_REFUSED_NO_CREDENTIAL },
		{ GET, 401, STATS_REFUSED_NO_CREDENTIAL },
		{ GET "Authorization: Basic YTpi\r\n", 401, STATS_REFUSED_BAD_CREDENTIAL },
		{ GET "Authorization: Bearer\r\n", 400, STATS_REFUSED_BAD_REQUEST },
		{ GET "Authorization: Bearer a\r\nX-API-Key: b\r\n", 400,
			STATS_REFUSED_BAD_REQUEST },
	};
	struct conf conf = make_conf(CONF_AUTH_REQUIRED);
	auto_(guard_freep) struct guard *guard = guard_new(&parts, &conf);
	const struct guard_ask ask = { .is_loopback = true };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		stats_reset();
		if (status_of(guard, cases[i].start, ask) != cases[i].status)
			fail_msg("not %d: %s", cases[i].status, cases[i].start);
		for (int k = 0; k < STATS_REFUSALS; k++)
			assert_int_equal(stats_get_refusal((enum stats_refusal)k),
				k == (int)cases[i].refusal);
	}
}

/* What nobody wants is not looked at. */
static void test_without_wanting(void **unused)
{
	struct conf conf = make_conf(CONF_AUTH_NONE);
	auto_(guard_freep) struct guard *guard = guard_new(&parts, &conf);
	const struct guard_ask ask = { .is_loopback = true };

	assert_int_equal(status_of(guard, GET "Authorization: Bearer\r\n", ask), 0);
	assert_int_equal(status_of(guard, GET "X-API-Key: a\r\nX-API-Key: b\r\n", ask), 0);
	assert_int_equal(status_of(guard, "GET /sse HTTP/1.1\r\nHost: evil.example\r\n", ask), 421);
}

static void test_the_refusal_names_the_setting(void **unused)
{
	struct conf conf = make_conf(CONF_AUTH_NONE);
	auto_(guard_freep) struct guard *guard = guard_new(&parts, &conf);
	auto_guard_verdict host = { 0 };
	auto_guard_verdict origin = { 0 };

	judge(guard, "GET / HTTP/1.1\r\nHost: a.example\r\n",
		(struct guard_ask){ .is_loopback = true }, &host);
	assert_non_null(strstr(host.why, "http.allowed_hosts"));
	judge(guard, GET "Origin: https://a.example\r\n", (struct guard_ask){ 0 }, &origin);
	assert_non_null(strstr(origin.why, "http.allowed_origins"));
	assert_int_equal(origin.grants.len, 0); /* no CORS for whom we refuse */
}

/* Pages that may ask are granted the answer, a refusal too: else they could not read why. */
static void test_grants(void **unused)
{
	struct conf conf = make_conf(CONF_AUTH_REQUIRED);
	auto_(guard_freep) struct guard *guard = guard_new(&parts, &conf);
	auto_guard_verdict refused = { 0 };
	auto_guard_verdict plain = { 0 };

	judge(guard, GET "Origin: http://localhost:3000\r\n",
		(struct guard_ask){ .is_loopback = true }, &refused);
	assert_int_equal(refused.status, 401);
	assert_non_null(strstr(strbuf_get(&refused.grants),
		"Access-Control-Allow-Origin: http://localhost:3000\r\n"));
	judge(guard, GET, (struct guard_ask){ .is_loopback = true }, &plain);
	assert_int_equal(plain.grants.len, 0);
}

/* Once wanted, always wanted, but for `auth: none`. */
static void test_wanting_stays(void **unused)
{
	static char path[] = "/nonexistent/keys.json";
	static char issuer[] = "https://issuer.example";
	struct conf with = make_conf(CONF_AUTH_UNSET);
	struct conf without = make_conf(CONF_AUTH_UNSET);
	struct conf none = make_conf(CONF_AUTH_NONE);
	auto_(guard_freep) struct guard *guard = guard_new(&parts, &without);

	with.auth.issuer = issuer;
	with.keys_path = without.keys_path = path;
	assert_false(guard_wants_credential(guard));
	guard_set_conf(guard, &with);
	assert_true(guard_wants_credential(guard));
	guard_set_conf(guard, &without);
	assert_true(guard_wants_credential(guard));
	guard_set_conf(guard, &none);
	assert_false(guard_wants_credential(guard));
	guard_set_conf(guard, &without);
	assert_false(guard_wants_credential(guard));
}

static void on_change(void *arg)
{
}

static void fetch_nothing(void *arg, uint64_t number, const char *url, const char *ca_file)
{
}

/* Who has a session open: what they are now, or that it is over. */
static void test_renewing(void **unused)
{
	struct conf wanting = make_conf(CONF_AUTH_REQUIRED);
	struct conf none = make_conf(CONF_AUTH_NONE);
	auto_(guard_freep) struct guard *guard = guard_new(&parts, &none);
	auto_(principal_unrefp) struct principal *anybody =
		principal_new(PRINCIPAL_ANYBODY, "", "");
	auto_(principal_unrefp) struct principal *local =
		principal_new(PRINCIPAL_LOCAL, "ann", "local:ann");
	auto_(principal_unrefp) struct principal *token =
		principal_new(PRINCIPAL_TOKEN, "ann", "token:ann");

	token->expires_s = 100;
	assert_ptr_equal(guard_renew(guard, anybody, 99), anybody);
	assert_ptr_equal(guard_renew(guard, local, 99), local);
	assert_null(guard_renew(guard, token, 99));
	guard_set_conf(guard, &wanting);
	assert_null(guard_renew(guard, anybody, 99));
	assert_ptr_equal(guard_renew(guard, local, 99), local);
	assert_null(guard_renew(guard, token, 99)); /* no tokens are taken here any more */
}

/* --- logins of browsers ---------------------------------------------------------------------------- */

#define BOSS "mcpf_aaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define OTHER "mcpf_bbbbbbbb_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define OLD "mcpf_cccccccc_CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"

enum { NOW_S = 1000 };

static void add_key(struct keys_file *file, const char *name, const char *text)
{
	struct keys_file_key *key = keys_file_add(file);

	key->name = alloc_str(name);
	assert_true(key_text_get_id(text, strlen(text), key->id));
	key->has_hash = true;
	assert_int_equal(key_text_hash(text, strlen(text), key->hash), 0);
	key->is_admin = streq(name, "boss");
	key->expires_s = streq(text, OLD) ? NOW_S : 0;
}

/* The keys of the guard: a boss (or not, after all), one for tools, one that has expired. */
static void set_keys(const char *first_name)
{
	auto_(keys_file_freep) struct keys_file *file = keys_file_new();
	auto_strbuf text = { 0 };
	char path[] = "/tmp/test_guard.XXXXXX";
	int fd = mkstemp(path);

	add_key(file, first_name, BOSS);
	add_key(file, "other", OTHER);
	add_key(file, "old", OLD);
	keys_file_print(file, &text);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.data, text.len), (ssize_t)text.len);
	assert_int_equal(close(fd), 0);
	assert_int_equal(chmod(path, 0600), 0);
	keys_set_path(parts.keys, path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(keys_count(parts.keys), 3);
}

static char *login_text(const char *name, const char *key)
{
	auto_free char *pair = alloc_printf("%s:%s", name, key);
	auto_strbuf text = { 0 };

	strbuf_adds(&text, GET "Authorization: Basic ");
	base64_encode(BASE64_PLAIN, pair, strlen(pair), &text);
	strbuf_adds(&text, "\r\n");
	return strbuf_take(&text);
}

#define LOGIN_CHALLENGE "WWW-Authenticate: Basic realm=\"mcp-fleet\", charset=\"UTF-8\"\r\n"

/* Where people look, and nowhere else; an answer of 401 asks for a login there, and only there. */
static void test_logins(void **unused)
{
	static const struct {
		const char *key;
		int status; /* of the zone of those who look after us */
		enum stats_refusal refusal;
	} cases[] = {
		{ BOSS, 0, STATS_REFUSALS },
		{ OTHER, 401, STATS_REFUSED_FORBIDDEN }, /* so that the browser asks for another */
		{ OLD, 401, STATS_REFUSED_EXPIRED },
		{ "", 401, STATS_REFUSED_BAD_CREDENTIAL },
		{ "secret", 401, STATS_REFUSED_BAD_CREDENTIAL },
		{ BOSS "A", 401, STATS_REFUSED_BAD_CREDENTIAL },
		{ "x:" BOSS, 401, STATS_REFUSED_BAD_CREDENTIAL },
	};
	struct conf conf = make_conf(CONF_AUTH_REQUIRED);
	auto_(guard_freep) struct guard *guard = guard_new(&parts, &conf);

	set_keys("boss");
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		for (int zone = GUARD_ZONE_TOOLS; zone <= GUARD_ZONE_OPEN; zone++) {
			auto_free char *head = login_text(i % 2 ? "boss" : "", cases[i].key);
			auto_guard_verdict verdict = { 0 };
			bool is_admin = zone == GUARD_ZONE_ADMIN;
			bool is_free = zone == GUARD_ZONE_PROBE || zone == GUARD_ZONE_OPEN;

			stats_reset();
			judge(guard, head,
				(struct guard_ask){ .zone = (enum guard_zone)zone, .now_s = NOW_S },
				&verdict);
			if (verdict.status != (is_admin ? cases[i].status : is_free ? 0 : 401))
				fail_msg("%d in zone %d: '%s'", verdict.status, zone, cases[i].key);
			assert_int_equal(
				strstr(strbuf_get(&verdict.challenge), LOGIN_CHALLENGE) != NULL,
				is_admin && verdict.status == 401);
			if (is_admin && cases[i].refusal < STATS_REFUSALS)
				assert_int_equal(stats_get_refusal(cases[i].refusal), 1);
			if (is_admin && verdict.status == 0)
				assert_string_equal(verdict.principal->name, "boss");
		}
	}
}

static void test_no_login(void **unused)
{
	static const char *const heads[] = { GET "Authorization: Basic\r\n",
		GET "Authorization: Basic YWI=\r\n", GET "Authorization: Basic YTpi!\r\n",
		GET "Authorization: Basic YTpi\r\nX-API-Key: " BOSS "\r\n" };
	struct conf conf = make_conf(CONF_AUTH_REQUIRED);
	auto_(guard_freep) struct guard *guard = guard_new(&parts, &conf);
	const struct guard_ask ask = { .zone = GUARD_ZONE_ADMIN, .now_s = NOW_S };

	set_keys("boss");
	for (size_t i = 0; i < N_ELEMENTS(heads); i++)
		assert_int_equal(status_of(guard, heads[i], ask), 400);
	/* Without one: both ways are offered, the tokens' first. */
	auto_guard_verdict verdict = { 0 };
	judge(guard, GET, ask, &verdict);
	assert_string_equal(
		strbuf_get(&verdict.challenge), "WWW-Authenticate: Bearer\r\n" LOGIN_CHALLENGE);
	/* What other schemes say is not looked at. */
	assert_int_equal(status_of(guard, GET "Authorization: Digest a\r\n", ask), 401);
}

static bool keeps(
	const struct guard *guard, const struct guard_ask *ask, struct principal *principal)
{
	return guard_admits_still(guard, principal, ask->is_loopback, ask->is_public, ask->now_s);
}

/* A stream of the status page goes on while its caller may look. */
static void test_keeping(void **unused)
{
	struct conf wanting = make_conf(CONF_AUTH_REQUIRED);
	struct conf none = make_conf(CONF_AUTH_NONE);
	auto_(guard_freep) struct guard *guard = guard_new(&parts, &wanting);
	auto_free char *head = login_text("", BOSS);
	struct guard_ask ask = { .zone = GUARD_ZONE_ADMIN, .now_s = NOW_S };
	auto_guard_verdict verdict = { 0 };
	auto_(principal_unrefp) struct principal *anybody =
		principal_new(PRINCIPAL_ANYBODY, "", "");

	set_keys("boss");
	judge(guard, head, ask, &verdict);
	assert_int_equal(verdict.status, 0);
	assert_true(keeps(guard, &ask, verdict.principal));
	assert_false(keeps(guard, &ask, anybody));
	set_keys("nobody");
	assert_false(keeps(guard, &ask, verdict.principal));
	guard_set_conf(guard, &none);
	assert_true(keeps(guard, &ask, verdict.principal));
	assert_true(keeps(guard, &ask, anybody));
	/* Asked for on its own account, whatever the tools want. */
	none.admin_auth = CONF_ADMIN_AUTH_REQUIRED;
	assert_false(keeps(guard, &ask, anybody));
	set_keys("boss");
	assert_true(keeps(guard, &ask, verdict.principal));
	keys_set_path(parts.keys, NULL);
	assert_false(keeps(guard, &ask, verdict.principal));
	/* Nobody is asked on the loopback listener of admin.listen. */
	wanting.admin_auth = CONF_ADMIN_AUTH_AUTO;
	guard_set_conf(guard, &wanting);
	ask.is_loopback = true;
	assert_true(keeps(guard, &ask, anybody));
	ask.is_public = true;
	assert_false(keeps(guard, &ask, anybody));
}

static int set_up(void **unused)
{
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	loop = loop_new_fake();
	parts = (struct guard_parts){ .keys = keys_new(loop, on_change, NULL),
		.tokens = token_door_new(loop, fetch_nothing, NULL) };
	return 0;
}

static int tear_down(void **unused)
{
	token_door_free(parts.tokens);
	keys_free(parts.keys);
	loop_free(loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_without_wanting),
		cmocka_unit_test(test_the_refusal_names_the_setting),
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_wanting_stays),
		cmocka_unit_test(test_renewing),
		cmocka_unit_test(test_logins),
		cmocka_unit_test(test_no_login),
		cmocka_unit_test(test_keeping),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
