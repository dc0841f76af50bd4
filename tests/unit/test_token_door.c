/* Tokens at the door: settings and their files, keys that change and keys that are fetched, scopes, what is
 * remembered. The loop's clock is a fake; what is fetched is said by this file. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "supervisor/front/token_cache.h"
#include "supervisor/front/token_door.h"
#include "tests/unit/token_world.h"

enum {
	NOW = 1700000000,
};

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)

static char folder[] = "/tmp/test_token_door.XXXXXX";
static struct token_world world;
static struct token_world later; /* the issuer's next keys */

static struct {
	struct loop *loop;
	struct token_door *door;
	unsigned n_fetches;
	uint64_t number;
	char *url;
	char *at_once; /* what the hook answers with by itself */
	struct fail fail;
} it;

static void on_fetch(void *arg, uint64_t number, const char *url, const char *ca_file)
{
	it.n_fetches++;
	it.number = number;
	free(it.url);
	it.url = alloc_str(url);
	if (it.at_once)
		token_door_take_keys(it.door, number, it.at_once, strlen(it.at_once), -1);
}

static int group_setup(void **unused)
{
	token_world_init(&world);
	token_world_init(&later);
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int group_teardown(void **unused)
{
	token_world_done(&world);
	token_world_done(&later);
	(void)unlink("secret");
	(void)unlink("keys");
	return rmdir(folder);
}

static int setup(void **unused)
{
	memset(&it, 0, sizeof(it));
	it.loop = loop_new_fake();
	it.door = token_door_new(it.loop, on_fetch, NULL);
	return 0;
}

static int teardown(void **unused)
{
	token_door_free(it.door);
	loop_free(it.loop);
	free(it.url);
	free(it.at_once);
	return 0;
}

static void write_file(const char *name, const void *bytes, size_t len, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static int prepare(const char *more)
{
	auto_free char *text =
		alloc_printf("auth: {issuer: \"https://i\", audience: [fleet], %s}\n", more);
	auto_(conf_freep) struct conf *conf = NULL;

	if (conf_load_text(&(struct conf_sources){ 0 }, "f", text, strlen(text), &conf, &it.fail) <
		0)
		fail_msg("%s", it.fail.text);
	it.fail = (struct fail){ 0 };
	return token_door_prepare(it.door, conf, &it.fail);
}

static void use(const char *more)
{
	if (prepare(more) < 0)
		fail_msg("%s", it.fail.text);
	token_door_commit(it.door);
}

static void use_secret(const char *more)
{
	auto_free char *text = alloc_printf("secret_file: %s/secret%s", folder, more);

	write_file("secret", world.secret, sizeof(world.secret), 0600);
	use(text);
}

static char *key_set(const struct token_world *issuer, const char *kid)
{
	auto_strbuf text = { 0 };
	auto_free char *more = alloc_printf(",\"kid\":\"%s\"", kid);

	strbuf_adds(&text, "{\"keys\":[");
	token_world_add_jwk(issuer, JOSE_ES256, more, &text);
	strbuf_adds(&text, "]}");
	return strbuf_take(&text);
}

static void put_keys_file(const struct token_world *issuer, const char *kid)
{
	auto_free char *text = key_set(issuer, kid);

	/* Another file in its place, as a careful writer does it: its inode tells. */
	write_file("keys.new", text, strlen(text), 0644);
	assert_int_equal(rename("keys.new", "keys"), 0);
}

static char *make_token(const struct token_world *issuer, const char *kid, const char *more)
{
	auto_free char *header = alloc_printf("{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
	auto_free char *payload = alloc_printf(
		"{\"iss\":\"https://i\",\"aud\":\"fleet\",\"sub\":\"ann\",\"exp\":%d%s}", NOW + 100,
		more);

	return token_world_sign(issuer, JOSE_ES256, header, payload);
}

static char *make_secret_token(const char *who, const char *more)
{
	auto_free char *payload = alloc_printf(
		"{\"iss\":\"https://i\",\"aud\":\"fleet\",%s,\"exp\":%d%s}", who, NOW + 100, more);

	return token_world_sign(&world, JOSE_HS256, "{\"alg\":\"HS256\"}", payload);
}

static enum token_verdict judge_at(const char *token, int64_t now_s, struct principal **ret)
{
	struct principal *principal = NULL;
	struct span text = { .at = token, .len = strlen(token) };
	enum token_verdict verdict;

	it.fail = (struct fail){ 0 };
	verdict = token_door_judge(it.door, text, now_s, &principal, &it.fail);
	assert_int_equal(verdict == TOKEN_OK, principal != NULL);
	if (verdict != TOKEN_OK)
		assert_string_not_equal(it.fail.text, "");
	if (ret)
		*ret = principal;
	else
		principal_unref(principal);
	return verdict;
}

static enum token_verdict judge(const char *token)
{
	return judge_at(token, NOW, NULL);
}

/* --- settings ------------------------------------------------------------------------------------ */

static void test_closed(void **unused)
{
	auto_free char *token = make_secret_token("\"sub\":\"ann\"", "");
	auto_(conf_freep) struct conf *conf = NULL;

	assert_false(token_door_is_open(it.door));
	assert_int_equal(judge(token), TOKEN_MALFORMED);
	token_door_take_keys(it.door, 1, "{}", 2, -1);
	token_door_miss_keys(it.door, 1, "why");
	use_secret("");
	assert_true(token_door_is_open(it.door));
	assert_int_equal(judge(token), TOKEN_OK);
	assert_int_equal(conf_load_text(&(struct conf_sources){ 0 }, "f", "", 0, &conf, NULL), 0);
	assert_int_equal(token_door_prepare(it.door, conf, NULL), 0);
	assert_int_equal(judge(token), TOKEN_OK); /* not yet */
	token_door_commit(it.door);
	assert_false(token_door_is_open(it.door));
	assert_int_equal(judge(token), TOKEN_MALFORMED);
}

/* A reload that fails leaves all as it was, and so does one that is given up. */
static void test_abandoned(void **unused)
{
	auto_free char *token = make_secret_token("\"sub\":\"ann\"", "");

	use_secret("");
	assert_int_equal(prepare("secret_file: /nowhere"), -ENOENT);
	assert_int_equal(judge(token), TOKEN_OK);
	write_file("keys", "{\"keys\":[]}", 11, 0644);
	auto_free char *other = alloc_printf("jwks_file: %s/keys", folder);
	assert_int_equal(prepare(other), 0);
	token_door_abandon(it.door);
	assert_int_equal(judge(token), TOKEN_OK);
}

static void check_bad_file(const char *setting, int code, const char *words)
{
	int r = prepare(setting);

	assert_int_equal(r, code);
	if (!strstr(it.fail.text, words))
		fail_msg("%s", it.fail.text);
	token_door_abandon(it.door);
}

static void test_bad_files(void **unused)
{
	auto_free char *secret = alloc_printf("secret_file: %s/secret", folder);
	auto_free char *keys = alloc_printf("jwks_file: %s/keys", folder);

	(void)unlink("keys");
	write_file("secret", world.secret, 31, 0600);
	check_bad_file(secret, -EINVAL, "32 to 4096 bytes, this one 31");
	/* An editor's line end is no byte of it. */
	write_file("secret", "0123456789012345678901234567890\n\n", 33, 0600);
	check_bad_file(secret, -EINVAL, "this one 31");
	write_file("secret", world.secret, sizeof(world.secret), 0644);
	check_bad_file(secret, -EACCES, "chmod 600");
	write_file("secret", world.secret, sizeof(world.secret), 0620);
	check_bad_file(secret, -EACCES, "chmod 600");
	check_bad_file("secret_file: /", -EINVAL, "no file");
	check_bad_file("secret_file: /nowhere/secret", -ENOENT, "'/nowhere/secret'");
	check_bad_file(keys, -ENOENT, "cannot read");
	write_file("keys", "{}", 2, 0644);
	check_bad_file(keys, -EINVAL, "no key set");
	check_bad_file("jwks_file: /", -EISDIR, "cannot read '/'");
}

static void test_new_secret(void **unused)
{
	auto_free char *token = make_secret_token("\"sub\":\"ann\"", "");
	auto_free char *setting = alloc_printf("secret_file: %s/secret", folder);

	use_secret("");
	assert_int_equal(judge(token), TOKEN_OK);
	write_file("secret", "another secret, which is long enough for it", 43, 0600);
	assert_int_equal(judge(token), TOKEN_OK);
	use(setting); /* a reload reads it again, and forgets what was right before */
	assert_int_equal(judge(token), TOKEN_BAD_SIGNATURE);
}

/* --- whom a token stands for --------------------------------------------------------------------- */

#define SCOPES                                                                                     \
	", scopes: {\"fleet:git\": {domains: [git]}, \"fleet:read\": {tools: [\"*_read_*\"]}, all: {}}"

static struct principal *ask(const char *who, const char *more)
{
	auto_free char *token = make_secret_token(who, more);
	struct principal *principal = NULL;

	assert_int_equal(judge_at(token, NOW, &principal), TOKEN_OK);
	return principal;
}

static void test_principal(void **unused)
{
	struct principal *ann;
	struct principal *app;

	use_secret("");
	ann = ask("\"sub\":\"ann\",\"client_id\":\"app\"", "");
	app = ask("\"client_id\":\"ann\"", "");
	assert_int_equal(ann->kind, PRINCIPAL_TOKEN);
	assert_string_equal(ann->name, "ann");
	assert_string_equal(app->name, "ann");
	assert_false(principal_same(ann, app));
	assert_true(principal_allows_all(ann));
	assert_int_equal(ann->expires_s, NOW + 130);
	assert_false(ann->is_admin);
	principal_unref(ann);
	principal_unref(app);
}

/* Long and odd subjects: one line for people, but never the same identity for two. */
static void test_odd_names(void **unused)
{
	char head[201];
	struct principal *a;
	struct principal *b;

	memset(head, 'n', 200);
	head[200] = '\0';
	auto_free char *one = alloc_printf("\"sub\":\"\\n\\u001b[1m%sa\"", head);
	auto_free char *two = alloc_printf("\"sub\":\"\\n\\u001b[1m%sb\"", head);

	use_secret("");
	a = ask(one, "");
	b = ask(two, "");
	assert_string_equal(a->name, b->name);
	assert_int_equal(strlen(a->name), 128);
	assert_null(strchr(a->name, '\n'));
	assert_null(strchr(a->name, '\033'));
	assert_false(principal_same(a, b));
	principal_unref(a);
	principal_unref(b);
}

static void test_scopes(void **unused)
{
	struct principal *none;
	struct principal *both;
	struct principal *all;

	use_secret(SCOPES);
	none = ask("\"sub\":\"ann\"", ",\"scope\":\"openid fleet:gi fleet:gitt FLEET:GIT\"");
	both = ask("\"sub\":\"ann\"", ",\"scope\":\"fleet:read openid fleet:git\"");
	all = ask("\"sub\":\"ann\"", ",\"scp\":[\"all\"]");
	assert_true(none->has_nothing);
	assert_false(principal_allows_domain(none, "git"));
	assert_true(principal_allows_tool(both, "git", "git_push"));
	assert_true(principal_allows_tool(both, "filesystem", "fs_read_file"));
	assert_false(principal_allows_tool(both, "filesystem", "fs_write_file"));
	assert_true(principal_allows_all(all));
	assert_true(principal_same(none, all));
	principal_unref(none);
	principal_unref(both);
	principal_unref(all);
}

/* --- what is remembered -------------------------------------------------------------------------- */

static void test_remembers(void **unused)
{
	auto_free char *token = make_secret_token("\"sub\":\"ann\"", "");
	auto_free char *big = alloc_zero(100001);
	struct principal *first = NULL;
	struct principal *second = NULL;

	use_secret("");
	assert_int_equal(judge_at(token, NOW, &first), TOKEN_OK);
	assert_int_equal(judge_at(token, NOW + 129, &second), TOKEN_OK);
	assert_ptr_equal(first, second);
	assert_int_equal(judge_at(token, NOW + 130, NULL), TOKEN_EXPIRED);
	use_secret(SCOPES);
	principal_unref(second);
	assert_int_equal(judge_at(token, NOW, &second), TOKEN_OK);
	assert_true(second->has_nothing); /* other rules hold at once */
	principal_unref(first);
	principal_unref(second);
	memset(big, '.', 100000);
	assert_int_equal(judge(big), TOKEN_MALFORMED);
}

static void test_cache_is_bounded(void **unused)
{
	static struct token_cache cache;
	struct principal *principals[TOKEN_CACHE_WAYS + 1];
	unsigned char digest[TOKEN_CACHE_DIGEST] = { 7 };

	for (unsigned i = 0; i < N_ELEMENTS(principals); i++) {
		principals[i] = principal_new(PRINCIPAL_TOKEN, "", "");
		digest[31] = (unsigned char)i;
		if (i == TOKEN_CACHE_WAYS) { /* the first was used just now */
			digest[31] = 0;
			assert_ptr_equal(token_cache_find(&cache, digest), principals[0]);
			digest[31] = (unsigned char)i;
		}
		token_cache_add(&cache, digest, principals[i]);
		assert_ptr_equal(token_cache_find(&cache, digest), principals[i]);
	}
	for (unsigned i = 0; i < N_ELEMENTS(principals); i++) {
		digest[31] = (unsigned char)i;
		assert_ptr_equal(token_cache_find(&cache, digest), i == 1 ? NULL : principals[i]);
		assert_int_equal(principals[i]->n_refs, i == 1 ? 1 : 2);
	}
	digest[31] = 0;
	token_cache_add(&cache, digest, principals[2]); /* the same token, another principal */
	assert_ptr_equal(token_cache_find(&cache, digest), principals[2]);
	assert_int_equal(principals[0]->n_refs, 1);
	token_cache_clear(&cache);
	assert_null(token_cache_find(&cache, digest));
	for (unsigned i = 0; i < N_ELEMENTS(principals); i++) {
		assert_int_equal(principals[i]->n_refs, 1);
		principal_unref(principals[i]);
	}
}

/* --- keys from a file ---------------------------------------------------------------------------- */

static void test_file_changes(void **unused)
{
	auto_free char *setting = alloc_printf("jwks_file: %s/keys", folder);
	auto_free char *old = make_token(&world, "1", "");
	auto_free char *new = make_token(&later, "2", "");

	put_keys_file(&world, "1");
	use(setting);
	assert_int_equal(judge(old), TOKEN_OK);
	assert_int_equal(judge(new), TOKEN_UNKNOWN_KEY);
	put_keys_file(&later, "2");
	/* A token with the new key makes us look, though not more than once a second. */
	loop_fake_advance(it.loop, SECOND);
	assert_int_equal(judge(new), TOKEN_OK);
	assert_int_equal(judge(old), TOKEN_UNKNOWN_KEY);
	put_keys_file(&world, "1");
	assert_int_equal(judge(old), TOKEN_UNKNOWN_KEY);
	/* Without any, it is looked at each minute. */
	loop_fake_advance(it.loop, MINUTE);
	assert_int_equal(judge(new), TOKEN_UNKNOWN_KEY);
	assert_int_equal(judge(old), TOKEN_OK);
}

static void test_file_breaks(void **unused)
{
	auto_free char *setting = alloc_printf("jwks_file: %s/keys", folder);
	auto_free char *token = make_token(&world, "1", "");

	put_keys_file(&world, "1");
	use(setting);
	write_file("keys", "{\"keys\":", 8, 0644);
	loop_fake_advance(it.loop, 2 * MINUTE);
	assert_int_equal(judge(token), TOKEN_OK);
	assert_int_equal(unlink("keys"), 0);
	loop_fake_advance(it.loop, 2 * MINUTE);
	assert_int_equal(judge(token), TOKEN_OK);
	put_keys_file(&later, "2");
	loop_fake_advance(it.loop, MINUTE);
	assert_int_equal(judge(token), TOKEN_UNKNOWN_KEY);
}

/* --- keys from a URL ----------------------------------------------------------------------------- */

#define URL "jwks_url: \"https://i/keys\""

static void answer(const struct token_world *issuer, const char *kid, int64_t max_age_s)
{
	auto_free char *text = key_set(issuer, kid);

	token_door_take_keys(it.door, it.number, text, strlen(text), max_age_s);
}

static void test_fetched(void **unused)
{
	auto_free char *token = make_token(&world, "1", "");

	use(URL);
	assert_int_equal(it.n_fetches, 1);
	assert_string_equal(it.url, "https://i/keys");
	assert_int_equal(judge(token), TOKEN_NO_KEYS);
	token_door_take_keys(it.door, it.number + 1, "{\"keys\":[]}", 11, -1);
	token_door_take_keys(it.door, 0, "{\"keys\":[]}", 11, -1);
	assert_int_equal(judge(token), TOKEN_NO_KEYS);
	answer(&world, "1", -1);
	assert_int_equal(judge(token), TOKEN_OK);
	answer(&later, "2", -1); /* nobody has asked for it */
	assert_int_equal(judge(token), TOKEN_OK);
	assert_int_equal(it.n_fetches, 1);
}

/* The server says for how long, within 5 minutes and a day; without a word it is an hour. */
static void test_ages(void **unused)
{
	static const struct {
		int64_t max_age_s;
		int64_t expected_ms;
	} cases[] = {
		{ -1, INT64_C(60) * MINUTE },
		{ 0, INT64_C(5) * MINUTE },
		{ 299, INT64_C(5) * MINUTE },
		{ 1000, INT64_C(1000) * SECOND },
		{ INT64_MAX, INT64_C(24) * 60 * MINUTE },
	};

	use(URL);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		unsigned before = it.n_fetches;

		answer(&world, "1", cases[i].max_age_s);
		loop_fake_advance(it.loop, cases[i].expected_ms - 1);
		assert_int_equal(it.n_fetches, before);
		loop_fake_advance(it.loop, 1);
		assert_int_equal(it.n_fetches, before + 1);
	}
}

static void test_rotation(void **unused)
{
	auto_free char *old = make_token(&world, "1", "");
	auto_free char *new = make_token(&later, "2", "");

	use(URL);
	answer(&world, "1", -1);
	assert_int_equal(judge(old), TOKEN_OK);
	/* Not at once: unknown keys must not make us fetch as often as somebody likes. */
	assert_int_equal(judge(new), TOKEN_UNKNOWN_KEY);
	assert_int_equal(it.n_fetches, 1);
	loop_fake_advance(it.loop, 30 * SECOND);
	assert_int_equal(judge(new), TOKEN_NO_KEYS);
	assert_int_equal(it.n_fetches, 2);
	assert_int_equal(judge(new), TOKEN_NO_KEYS);
	assert_int_equal(judge(old), TOKEN_OK);
	assert_int_equal(it.n_fetches, 2);
	answer(&later, "2", -1);
	assert_int_equal(judge(new), TOKEN_OK);
	/* The old key has left the set: its tokens are not taken any more, known or not. */
	assert_int_equal(judge(old), TOKEN_UNKNOWN_KEY);
	assert_int_equal(it.n_fetches, 2);
}

static void test_answered_at_once(void **unused)
{
	auto_free char *new = make_token(&later, "2", "");

	it.at_once = key_set(&world, "1");
	use(URL);
	assert_int_equal(judge(new), TOKEN_UNKNOWN_KEY);
	loop_fake_advance(it.loop, 30 * SECOND);
	free(it.at_once);
	it.at_once = key_set(&later, "2");
	assert_int_equal(judge(new), TOKEN_OK);
	assert_int_equal(it.n_fetches, 2);
}

static void test_failures(void **unused)
{
	auto_free char *token = make_token(&world, "1", "");
	int64_t wait_ms = 2 * SECOND;

	use(URL);
	for (int i = 0; i < 8; i++) { /* twice as long each time, up to half a minute */
		unsigned before = it.n_fetches;

		if (i % 2)
			token_door_miss_keys(it.door, it.number, "no such host");
		else
			token_door_take_keys(it.door, it.number, "<html>", 6, 10);
		assert_int_equal(judge(token), TOKEN_NO_KEYS);
		loop_fake_advance(it.loop, wait_ms - 1);
		assert_int_equal(it.n_fetches, before);
		loop_fake_advance(it.loop, 1);
		assert_int_equal(it.n_fetches, before + 1);
		wait_ms = 2 * wait_ms > 30 * SECOND ? 30 * SECOND : 2 * wait_ms;
	}
	answer(&world, "1", -1);
	assert_int_equal(judge(token), TOKEN_OK);
	/* Later ones leave the keys as they are. */
	loop_fake_advance(it.loop, INT64_C(60) * MINUTE);
	token_door_miss_keys(it.door, it.number, "no such host");
	assert_int_equal(judge(token), TOKEN_OK);
}

static void test_no_answer(void **unused)
{
	uint64_t lost;

	use(URL);
	lost = it.number;
	loop_fake_advance(it.loop, MINUTE + 2 * SECOND);
	assert_int_equal(it.n_fetches, 2);
	token_door_take_keys(it.door, lost, "{\"keys\":[]}", 11, -1); /* too late */
	auto_free char *token = make_token(&world, "1", "");
	assert_int_equal(judge(token), TOKEN_NO_KEYS);
}

/* A reload keeps keys of the same place, fetches anew, and forgets answers to questions of before. */
static void test_reload(void **unused)
{
	auto_free char *token = make_token(&world, "1", "");
	uint64_t before;

	use(URL);
	answer(&world, "1", -1);
	before = it.number;
	use(URL ", scopes: {a: {}}");
	assert_int_equal(it.n_fetches, 2);
	assert_int_not_equal(it.number, before);
	assert_int_equal(judge(token), TOKEN_OK);
	before = it.number;
	use("jwks_url: \"https://i/other\"");
	assert_int_equal(judge(token), TOKEN_NO_KEYS);
	token_door_take_keys(it.door, before, "{\"keys\":[]}", 11, -1);
	assert_int_equal(judge(token), TOKEN_NO_KEYS);
	answer(&world, "1", -1);
	assert_int_equal(judge(token), TOKEN_OK);
}

/* A set without keys is one: all were revoked. */
static void test_all_revoked(void **unused)
{
	auto_free char *token = make_token(&world, "1", "");

	use(URL);
	answer(&world, "1", 300);
	assert_int_equal(judge(token), TOKEN_OK);
	loop_fake_advance(it.loop, 5 * MINUTE);
	token_door_take_keys(it.door, it.number, "{\"keys\":[]}", 11, -1);
	assert_int_equal(judge(token), TOKEN_UNKNOWN_KEY);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_closed),
		T(test_abandoned),
		T(test_bad_files),
		T(test_new_secret),
		T(test_principal),
		T(test_odd_names),
		T(test_scopes),
		T(test_remembers),
		T(test_cache_is_bounded),
		T(test_file_changes),
		T(test_file_breaks),
		T(test_fetched),
		T(test_ages),
		T(test_rotation),
		T(test_answered_at_once),
		T(test_failures),
		T(test_no_answer),
		T(test_reload),
		T(test_all_revoked),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
