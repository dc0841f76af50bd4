/* The guard over whatever heads come, for every zone and listener: whom it lets in has shown the one good key where one
 * is wanted, each refusal says why, and what goes into an answer's head stays a head. */
#include <sys/stat.h>
#include <unistd.h>

#include "shared/key_text.h"
#include "shared/keys_file.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/front/guard.h"
#include "tests/fuzz/fuzz.h"

/* The seeds have it. */
#define GOOD_KEY "mcpf_aaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static char nothing[] = "";
static char host_rule[] = "fleet.example";
static char origin_rule[] = "https://app.example:8443";
static char *host_rules[] = { host_rule };
static char *origin_rules[] = { origin_rule };

static struct world {
	struct loop *loop;
	struct keys *keys;
	struct token_door *tokens;
	struct guard *guard;
	struct conf conf;
} world;

static void on_changed(void *arg)
{
}

static void fetch_nothing(void *arg, uint64_t number, const char *url, const char *ca_file)
{
}

static void write_keys(const char *path)
{
	auto_(keys_file_freep) struct keys_file *file = keys_file_new();
	struct keys_file_key *key = keys_file_add(file);
	auto_strbuf text = { 0 };
	FILE *out;

	key->name = alloc_str("good");
	memcpy(key->id, "aaaaaaaa", sizeof(key->id));
	key->has_hash = true;
	CHECK(key_text_hash(GOOD_KEY, sizeof(GOOD_KEY) - 1, key->hash) == 0);
	keys_file_list_add(&key->domains, "one");
	keys_file_print(file, &text);
	out = fopen(path, "we");
	CHECK(out && fwrite(text.data, 1, text.len, out) == text.len && fclose(out) == 0);
	CHECK(chmod(path, 0600) == 0);
}

static void set_up(void)
{
	char path[] = "/tmp/fuzz_guard.XXXXXX";
	int fd;

	if (world.loop)
		return;
	log_init("fuzz", LOG_TARGET_TEXT, (enum log_level)0);
	fd = mkstemp(path);
	CHECK(fd >= 0 && close(fd) == 0);
	write_keys(path);
	world.loop = loop_new_fake();
	world.keys = keys_new(world.loop, on_changed, NULL);
	keys_set_path(world.keys, path);
	CHECK(keys_count(world.keys) == 1);
	/* The set stays; nobody turns the loop that would hear of the file's end. */
	CHECK(unlink(path) == 0);
	world.tokens = token_door_new(world.loop, fetch_nothing, NULL);
	world.conf = (struct conf){
		.auth = { .mode = CONF_AUTH_REQUIRED, .issuer = nothing, .resource = nothing },
		.tls.client_ca_file = nothing,
		.http = { .allowed_hosts = { host_rules, 1 },
			.allowed_origins = { origin_rules, 1 } }
	};
	world.guard = guard_new(
		&(struct guard_parts){ .keys = world.keys, .tokens = world.tokens }, &world.conf);
}

/* Lines that each end, with a name and a value, and no empty one that would end the head. */
static void check_lines(const struct strbuf *lines)
{
	const char *at = strbuf_get(lines);

	CHECK(strlen(at) == lines->len);
	while (*at) {
		const char *end = strstr(at, "\r\n");
		size_t len = strcspn(at, "\r\n");

		CHECK(end && at + len == end && len > 2 && memchr(at, ':', len));
		at = end + 2;
	}
}

/* The key stands in one of the two fields; which spelling of the scheme it has is credential.c's matter. */
static bool has_good_key(const struct http1_request *req)
{
	static const char key[] = GOOD_KEY;
	size_t len = sizeof(key) - 1;

	for (size_t i = 0; i < req->n_fields; i++) {
		struct span value = req->fields[i].value;

		if ((span_is_nocase(req->fields[i].name, "authorization") ||
			    span_is_nocase(req->fields[i].name, "x-api-key")) &&
			value.len >= len && memcmp(value.at + value.len - len, key, len) == 0)
			return true;
	}
	return false;
}

static void judge(const struct http1_request *req, enum guard_zone zone, unsigned bits)
{
	static const struct client_origin here;
	const struct guard_ask ask = { .request = req,
		.origin = &here,
		.whole_path = "/mcp",
		.domain = bits & 1   ? "one"
			  : bits & 2 ? "two"
				     : NULL,
		.zone = zone,
		.is_loopback = bits & 4,
		.is_public = bits & 8,
		.now_s = 1000 };
	auto_guard_verdict verdict = { 0 };
	bool is_free = zone == GUARD_ZONE_PROBE || zone == GUARD_ZONE_OPEN ||
		       (zone == GUARD_ZONE_ADMIN && ask.is_loopback && !ask.is_public);

	guard_judge(world.guard, &ask, &verdict);
	check_lines(&verdict.challenge);
	check_lines(&verdict.grants);
	if (verdict.status == 0) {
		CHECK(verdict.principal);
		CHECK(is_free == (verdict.principal->kind == PRINCIPAL_ANYBODY));
		CHECK(is_free || (has_good_key(req) && zone == GUARD_ZONE_TOOLS));
		CHECK(is_free || !ask.domain || !strcmp(ask.domain, "one"));
		return;
	}
	CHECK(verdict.status == 204 ? req->method == HTTP1_OPTIONS : verdict.why && *verdict.why);
	CHECK(!is_free || verdict.status == 204 || verdict.status == 403 || verdict.status == 421);
	CHECK((verdict.status == 401) == (verdict.challenge.len > 0));
	CHECK(verdict.status != 421 || verdict.grants.len == 0);
	CHECK((strstr(strbuf_get(&verdict.challenge), ": Basic ") != NULL) ==
		(zone == GUARD_ZONE_ADMIN && verdict.status == 401));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http1_limits limits = { .request_line = 2000,
		.header_bytes = 16 * KIB,
		.headers = HTTP1_MAX_FIELDS,
		.body_bytes = MIB };
	auto_free char *copy = fuzz_copy(data, size);
	struct http1_scan scan = { 0 };
	struct http1_request req;

	set_up();
	if (http1_parse_head(&scan, copy, size, &limits, &req) <= 0)
		return 0;
	for (int zone = GUARD_ZONE_TOOLS; zone <= GUARD_ZONE_OPEN; zone++)
		for (unsigned bits = 0; bits < 16; bits++)
			judge(&req, (enum guard_zone)zone, bits);
	return 0;
}
