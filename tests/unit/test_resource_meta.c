/* What a client is told about where tokens are had: metadata, challenges, audiences, and the route. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/jx.h"
#include "supervisor/front/resource_meta.h"

#define KEYS ", secret_file: /s, audience: [y]"

static struct conf *load(const char *auth)
{
	auto_free char *text = alloc_printf("auth: {%s}\n", auth);
	struct fail fail = { 0 };
	struct conf *conf = NULL;

	if (conf_load_text(&(struct conf_sources){ 0 }, "f", text, strlen(text), &conf, &fail) < 0)
		fail_msg("%s", fail.text);
	return conf;
}

static struct resource_place place_of(const char *host, const char *path)
{
	return (struct resource_place){ .is_https = true,
		.host = { .at = host, .len = host ? strlen(host) : 0 },
		.path = path };
}

/* The document, "" where there is none. */
static char *meta_of(const char *auth, const char *host, const char *path)
{
	auto_(conf_freep) struct conf *conf = load(auth);
	const struct resource_place place = place_of(host, path);
	auto_strbuf out = { 0 };
	bool there = resource_add_meta(conf, &place, &out);

	assert_int_equal(there, out.len > 0);
	return strbuf_take(&out);
}

static const struct {
	const char *auth;
	const char *host;
	const char *path;
	const char *resource; /* NULL: there is no document */
} places[] = {
	{ "issuer: \"https://i\"" KEYS, "h:8443", "", "https://h:8443" },
	{ "issuer: \"https://i\"" KEYS, "h:8443", "/mcp", "https://h:8443/mcp" },
	{ "issuer: \"https://i\"" KEYS, "[::1]:1", "/sse", "https://[::1]:1/sse" },
	{ "issuer: \"https://i\"" KEYS, "h", "/git/mcp", "https://h/git/mcp" },
	{ "issuer: \"https://i\"" KEYS, "h", "/utils/sse", "https://h/utils/sse" },
	{ "issuer: \"https://i\"" KEYS, "h", "/other/mcp", "https://h/other/mcp" },
	{ "issuer: \"https://i\"" KEYS, "h", "/Other/mcp", NULL },
	{ "issuer: \"https://i\"" KEYS, "h", "/git/git/mcp", NULL },
	{ "issuer: \"https://i\"" KEYS, "h", "//mcp", NULL },
	{ "issuer: \"https://i\"" KEYS, "h", "/health", NULL },
	{ "issuer: \"https://i\"" KEYS, "h", "/mcp/", NULL },
	{ "issuer: \"https://i\"" KEYS, "h", "mcp", NULL },
	{ "issuer: \"https://i\"" KEYS, NULL, "/mcp", NULL },
	{ "issuer: \"https://i\"" KEYS, "h\"x", "/mcp", NULL },
	{ "issuer: \"https://i\"" KEYS, "u@h", "/mcp", NULL },
	{ "", "h", "/mcp", NULL },
	{ "issuer: by-hand" KEYS, "h", "/mcp", NULL },
	{ "issuer: by-hand, authorization_servers: [\"https://a\"]" KEYS, "h", "/mcp",
		"https://h/mcp" },
	{ "issuer: \"https://i\", resource: \"https://r.example\"" KEYS, "h", "",
		"https://r.example" },
	{ "issuer: \"https://i\", resource: \"https://r.example/\"" KEYS, NULL, "/git/mcp",
		"https://r.example/git/mcp" },
	/* With a path of its own it is one resource, wherever it is asked for. */
	{ "issuer: \"https://i\", resource: \"https://r.example/tools\"" KEYS, "h", "",
		"https://r.example/tools" },
	{ "issuer: \"https://i\", resource: \"https://r.example/tools\"" KEYS, "h", "/mcp",
		"https://r.example/tools" },
	{ "issuer: \"https://i\", resource: \"https://r.example/tools\"" KEYS, "h", "/tools",
		"https://r.example/tools" },
	{ "issuer: \"https://i\", resource: \"https://r.example/tools\"" KEYS, "h", "/tool", NULL },
};

static void test_resources(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(places); i++) {
		auto_free char *meta = meta_of(places[i].auth, places[i].host, places[i].path);
		json_auto_t *json = json_loads(meta, 0, NULL);
		const char *resource = json_string_value(json_object_get(json, "resource"));

		if (!places[i].resource && !*meta)
			continue;
		if (!places[i].resource || !resource || !streq(resource, places[i].resource))
			fail_msg("%zu: %s: %s", i, places[i].path, meta);
	}
}

static void test_document(void **unused)
{
	auto_free char *meta =
		meta_of("issuer: \"https://i\", scopes: {b: {}, offline_access: {}, a: {}}" KEYS,
			"h", "/mcp");
	auto_free char *bare = meta_of("issuer: \"https://i\", scopes: {offline_access: {}}, "
				       "authorization_servers: [\"https://a\", \"https://b\"]" KEYS,
		"h", "");

	assert_string_equal(meta,
		"{\"resource\":\"https://h/mcp\",\"authorization_servers\":[\"https://i\"],"
		"\"bearer_methods_supported\":[\"header\"],\"resource_name\":\"mcp-fleet\","
		"\"scopes_supported\":[\"b\",\"a\"]}");
	assert_string_equal(bare,
		"{\"resource\":\"https://h\",\"authorization_servers\":[\"https://a\",\"https://b\"],"
		"\"bearer_methods_supported\":[\"header\"],\"resource_name\":\"mcp-fleet\"}");
}

/* --- challenges ---------------------------------------------------------------------------------- */

static void check_challenge(const char *auth, const char *path,
	const struct resource_challenge *challenge, const char *expected)
{
	auto_(conf_freep) struct conf *conf = load(auth);
	const struct resource_place place = place_of("h", path);
	auto_strbuf out = { 0 };

	resource_add_challenge(conf, &place, challenge, &out);
	assert_string_equal(out.data, expected);
}

#define META "resource_metadata=\"https://h/.well-known/oauth-protected-resource"

static void test_challenges(void **unused)
{
	static const struct resource_challenge none = { 0 };
	static const struct resource_challenge scoped = { .scope = "a b" };
	static const struct resource_challenge invalid = { .error = "invalid_token",
		.description = "the token has \"expired\"\\\r\nX: y\xc3" };
	static const struct resource_challenge narrow = { .error = "insufficient_scope",
		.scope = "a b" };

	check_challenge("", "/mcp", &none, "Bearer");
	check_challenge("issuer: by-hand" KEYS, "/mcp", &none, "Bearer");
	check_challenge("", "/mcp", &narrow,
		"Bearer realm=\"mcp-fleet\", scope=\"a b\", error=\"insufficient_scope\"");
	check_challenge("issuer: \"https://i\"" KEYS, "/git/mcp", &none,
		"Bearer realm=\"mcp-fleet\", " META "/git/mcp\"");
	check_challenge("issuer: \"https://i\"" KEYS, "/messages", &scoped,
		"Bearer realm=\"mcp-fleet\", " META "\", scope=\"a b\"");
	check_challenge("issuer: \"https://i\"" KEYS, "/mcp", &invalid,
		"Bearer realm=\"mcp-fleet\", " META "/mcp\", error=\"invalid_token\", "
		"error_description=\"the token has 'expired''''X: y'\"");
	check_challenge("issuer: \"https://i\", resource: \"https://r/tools\"" KEYS, "/mcp", &none,
		"Bearer realm=\"mcp-fleet\", resource_metadata=\"https://r/.well-known/"
		"oauth-protected-resource/tools\"");
}

static void test_needed_scopes(void **unused)
{
	auto_(conf_freep) struct conf *conf = load(
		"scopes: {log: {tools: [git_log]}, git: {domains: [git]}, fs: {domains: [filesystem]}}");
	auto_(principal_unrefp) struct principal *principal =
		principal_new(PRINCIPAL_TOKEN, "ann", "ann");
	auto_(principal_unrefp) struct principal *key = principal_new(PRINCIPAL_KEY, "ci", "ci");
	auto_strbuf out = { 0 };

	assert_false(
		principal_add_needed_scopes(NULL, &conf->auth.scopes, "git", "git_push", &out));
	assert_false(principal_add_needed_scopes(key, &conf->auth.scopes, "git", "git_push", &out));
	assert_true(principal_add_needed_scopes(
		principal, &conf->auth.scopes, "git", "git_push", &out));
	assert_string_equal(out.data, "git");
	strbuf_cut(&out, 0);
	assert_false(principal_add_needed_scopes(
		principal, &conf->auth.scopes, "utils", "utils_uuid", &out));
	assert_int_equal(out.len, 0);
	principal_add_grant(principal, &conf->auth.scopes.items[2]);
	principal_add_grant(principal, &conf->auth.scopes.items[0]);
	strbuf_adds(&out, "|");
	assert_true(principal_add_needed_scopes(
		principal, &conf->auth.scopes, "git", "git_push", &out));
	assert_string_equal(out.data, "|fs log git");
	strbuf_cut(&out, 0);
	assert_true(
		principal_add_needed_scopes(principal, &conf->auth.scopes, "git", "git_log", &out));
	assert_string_equal(out.data, "fs log");
	strbuf_cut(&out, 0);
	assert_true(principal_add_needed_scopes(principal, &conf->auth.scopes, "git", NULL, &out));
	assert_string_equal(out.data, "fs log");
}

/* --- audiences ----------------------------------------------------------------------------------- */

static bool is_for(const char *auth, const char *audience)
{
	auto_(conf_freep) struct conf *conf = load(auth);
	struct conf_strs list = { 0 };
	bool found = false;

	resource_add_audiences(conf, &list);
	for (size_t i = 0; i < list.n; i++) {
		found |= streq(list.items[i], audience);
		free(list.items[i]);
	}
	free(list.items);
	return found;
}

static void test_audiences(void **unused)
{
	static const char base[] = "issuer: i, secret_file: /s, resource: \"https://r\"";
	static const char own[] = "issuer: i, secret_file: /s, resource: \"https://r/tools\"";
	static const char named[] =
		"issuer: i, secret_file: /s, resource: \"https://r\", audience: [a, b]";

	assert_true(is_for(base, "https://r"));
	assert_true(is_for(base, "https://r/"));
	assert_true(is_for(base, "https://r/mcp"));
	assert_true(is_for(base, "https://r/git/sse"));
	assert_false(is_for(base, "https://r/other/mcp"));
	assert_false(is_for(base, "https://r/another-service"));
	assert_true(is_for(own, "https://r/tools"));
	assert_false(is_for(own, "https://r"));
	assert_false(is_for(own, "https://r/mcp"));
	assert_true(is_for(named, "b"));
	assert_false(is_for(named, "https://r"));
}

/* --- the route ----------------------------------------------------------------------------------- */

static bool is_domain(void *arg, const char *name)
{
	return streq(name, "git");
}

static void test_route(void **unused)
{
	static const struct conf_limits limits = { .request_bytes = 1000, .connections = 1 };
	auto_(conf_freep) struct conf *conf = load("");
	struct conf *borrowed = conf;
	struct http_route routes[RESOURCE_META_ROUTES + 1] = { 0 };
	struct loop *loop = loop_new_fake();
	struct httpd *httpd;
	size_t prefix;
	bool is_one;

	resource_meta_get_routes(&borrowed, routes);
	httpd = httpd_new(
		&(struct httpd_parts){ .loop = loop, .routes = routes, .is_domain = is_domain },
		&limits);
	assert_ptr_equal(httpd_find_route(httpd, RESOURCE_META_PATH, &prefix, &is_one), routes);
	assert_ptr_equal(httpd_find_route(httpd, RESOURCE_META_PATH "/", &prefix, &is_one), routes);
	assert_ptr_equal(
		httpd_find_route(httpd, RESOURCE_META_PATH "/git/mcp", &prefix, &is_one), routes);
	assert_int_equal(prefix, 0);
	assert_null(httpd_find_route(httpd, RESOURCE_META_PATH "s", &prefix, &is_one));
	assert_null(
		httpd_find_route(httpd, "/.well-known/oauth-protected-resourc", &prefix, &is_one));
	assert_null(httpd_find_route(httpd, "/git" RESOURCE_META_PATH, &prefix, &is_one));
	httpd_free(httpd);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resources),
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_challenges),
		cmocka_unit_test(test_needed_scopes),
		cmocka_unit_test(test_audiences),
		cmocka_unit_test(test_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
