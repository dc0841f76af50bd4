/* Names as the gateway rewrites them, and what it would refuse without saying why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "shared/alloc.h"
#include "workers/registrar/precheck.h"
#include "workers/registrar/slug.h"

static void test_slugs(void **unused)
{
	static const struct {
		const char *name, *slug;
	} cases[] = { { "fleet-git", "fleet-git" }, { "Fleet_Git", "fleet-git" },
		{ "fleet.git", "fleet-git" }, { "a  b", "a-b" }, { "---a---", "a" },
		{ "a__.b", "a-b" }, { "", "" }, { "___", "" }, { "9", "9" } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_free char *slug = slug_make(cases[i].name);

		assert_string_equal(slug, cases[i].slug);
	}
}

static void test_urls(void **unused)
{
	static const struct {
		const char *url, *rewritten;
	} cases[] = { { "http://127.0.0.1:80/a", "http://localhost:80/a" },
		{ "https://127.0.0.1", "https://localhost" },
		{ "http://127.0.0.1/127.0.0.1", "http://localhost/127.0.0.1" },
		{ "http://127.0.0.10/a", "http://127.0.0.10/a" },
		{ "http://127.0.0.1.example/a", "http://127.0.0.1.example/a" },
		{ "http://example/127.0.0.1:1", "http://example/127.0.0.1:1" },
		{ "127.0.0.1", "127.0.0.1" }, { "", "" } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_free char *url = slug_url(cases[i].url);

		assert_string_equal(url, cases[i].rewritten);
	}
}

#define TOOL(name) "{\"name\":\"" name "\",\"inputSchema\":{}}"
#define TEN "abcdefghij"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
	const char *name, *description, *tools;
	const char *word; /* of what is wrong; NULL: nothing */
} peers[] = {
	{ "fleet-a", "Plain words; with <, >, `, |", "[" TOOL("a_b") "," TOOL("a_c") "]", NULL },
	{ "fleet-a", "", "[]", NULL },
	{ "fleet/a", "", "[]", "fleet/a" },
	{ "fleet-\xc3\xa9", "", "[]", "letters" },
	{ "._-", "", "[]", "no letter" },
	{ HUNDRED HUNDRED HUNDRED, "", "[]", "255" },
	{ "a", "x && y", "[]", "&&" },
	{ "a", "JavaScript:alert", "[]", "javascript:" },
	{ "a", "a <SCRIPT> b", "[]", "<script" },
	{ "a", "", "[{\"name\":\"t\",\"inputSchema\":{},\"description\":\"$(x)\"}]", "$(" },
	{ "a", "", "[{\"name\":\"t\"}]", "inputSchema" },
	{ "a", "", "[{\"name\":\"t\",\"inputSchema\":[]}]", "inputSchema" },
	{ "a", "", "[{\"inputSchema\":{}}]", "no name" },
	{ "a", "", "[5]", "no name" },
	{ "a", "", "[" TOOL("-x") "]", "-x" },
	{ "a", "", "[" TOOL("x y") "]", "x y" },
	{ "a", "", "[" TOOL("git.status") "," TOOL("git_status") "]", "same name" },
	{ "a", "", "[" TOOL("A") "," TOOL("a") "]", "same name" },
	{ TEN TEN "1234567", "", "[" TOOL(HUNDRED) "]", NULL },
	{ TEN TEN "12345678", "", "[" TOOL(HUNDRED) "]", "128" },
};

static void test_peers(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(peers); i++) {
		json_auto_t *tools = json_loads(peers[i].tools, 0, NULL);
		struct fail fail = { 0 };
		int r;

		assert_non_null(tools);
		r = precheck_peer(peers[i].name, peers[i].description, tools, &fail);
		print_message("# %zu: %s\n", i, fail.text);
		assert_int_equal(r, peers[i].word ? -EINVAL : 0);
		if (peers[i].word)
			assert_non_null(strstr(fail.text, peers[i].word));
	}
}

static void test_tags(void **unused)
{
	struct fail fail = { 0 };

	assert_int_equal(precheck_tag("ab", &fail), 0);
	assert_int_equal(precheck_tag("a", &fail), -EINVAL);
	assert_int_equal(precheck_tag("", &fail), -EINVAL);
	assert_int_equal(precheck_tag("a<b", &fail), -EINVAL);
	assert_int_equal(precheck_tag(HUNDRED, &fail), 0);
	assert_int_equal(precheck_tag(HUNDRED "x", &fail), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slugs),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
