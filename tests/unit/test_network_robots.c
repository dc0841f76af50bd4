/* robots.txt: groups, longest match, patterns, hostile texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/strbuf.h"
#include "workers/network/robots.h"
#include "workers/network/robots_cache.h"

static bool allows(const char *text, const char *path)
{
	struct robots *robots = robots_parse(text, strlen(text), "mcp-fleet");
	bool allowed = robots_allow(robots, path);

	robots_free(robots);
	return allowed;
}

static void test_rules(void **state)
{
	static const struct {
		const char *text;
		const char *path;
		bool allowed;
	} cases[] = {
		{ "", "/", true },
		{ "User-agent: *\nDisallow:\n", "/x", true },
		{ "User-agent: *\nDisallow: /\n", "/", false },
		{ "User-agent: *\nDisallow: /\n", "/robots.txt", true },
		{ "User-agent: *\nDisallow: /\n", "/%72obots.txt", true },
		{ "User-agent: *\nDisallow: /\n", "/robots.txts", false },
		{ "User-agent: *\nDisallow: /a\n", "/ab", false },
		{ "User-agent: *\nDisallow: /a\n", "/A", true },
		{ "User-agent: *\nDisallow: /a\n", "/b/a", true },
		{ "user-AGENT:*\r\n dIsallow : /a \r\n", "/a", false },
		{ "User-agent: *\rDisallow: /a\r", "/a", false },
		{ "\xef\xbb\xbfUser-agent: *\nDisallow: /\n", "/", false },
		{ "User-agent: * # all\nDisallow: /a # this\n", "/a", false },
		{ "Disallow: /\n", "/", true }, /* of nobody */
		{ "nonsense\nUser-agent: *\nmore\nDisallow: /\n", "/", false },
		/* The longest counts; of two, allow. */
		{ "User-agent: *\nDisallow: /\nAllow: /a\n", "/a/b", true },
		{ "User-agent: *\nAllow: /a\nDisallow: /a/b\n", "/a/b", false },
		{ "User-agent: *\nDisallow: /a\nAllow: /a\n", "/a", true },
		{ "User-agent: *\nAllow: /a\nDisallow: /a\n", "/a", true },
		/* Groups. */
		{ "User-agent: *\nDisallow: /\nUser-agent: mcp-fleet\nAllow: /\n", "/", true },
		{ "User-agent: MCP-Fleet/1.0\nDisallow: /\nUser-agent: *\nAllow: /\n", "/", false },
		{ "User-agent: mcp-fleets\nDisallow: /\n", "/", true },
		{ "User-agent: mcp\nDisallow: /\n", "/", true },
		{ "User-agent: mcp-fleet\n\nUser-agent: *\nDisallow: /\n", "/", false },
		{ "User-agent: mcp-fleet\nDisallow:\n\nUser-agent: *\nDisallow: /\n", "/", true },
		{ "User-agent: x\nUser-agent: mcp-fleet\nDisallow: /a\n", "/a", false },
		{ "User-agent: mcp-fleet\nDisallow: /a\nUser-agent: x\nAllow: /\n"
		  "User-agent: mcp-fleet\nDisallow: /b\n",
			"/b", false },
		{ "User-agent: mcp-fleet\nDisallow: /a\nUser-agent: x\nDisallow: /c\n", "/c",
			true },
		{ "User-agent: mcp-fleet\nCrawl-delay: 1\nSitemap: x\nDisallow: /a\n", "/a",
			false },
		/* Patterns. */
		{ "User-agent: *\nDisallow: /*.php\n", "/x/y.php?z", false },
		{ "User-agent: *\nDisallow: /*.php$\n", "/x/y.php?z", true },
		{ "User-agent: *\nDisallow: /*.php$\n", "/x.php/y.php", false },
		{ "User-agent: *\nDisallow: /$\n", "/", false },
		{ "User-agent: *\nDisallow: /$\n", "/a", true },
		{ "User-agent: *\nDisallow: /a$b\n", "/a$b", false },
		{ "User-agent: *\nDisallow: *\n", "/", false },
		{ "User-agent: *\nDisallow: *$\n", "/", false },
		{ "User-agent: *\nDisallow: /a**b*$\n", "/axxbyy", false },
		{ "User-agent: *\nDisallow: /a*b*c\n", "/abxxb", true },
		/* One spelling. */
		{ "User-agent: *\nDisallow: /%61%7e\n", "/a~", false },
		{ "User-agent: *\nDisallow: /\xc3\xa4\n", "/%c3%A4", false },
		{ "User-agent: *\nDisallow: /a%2fb\n", "/a/b", true },
		{ "User-agent: *\nDisallow: /a%2fb\n", "/a%2Fb", false },
		{ "User-agent: *\nDisallow: /%zz%\n", "/%zz%", false },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (allows(cases[i].text, cases[i].path) != cases[i].allowed)
			fail_msg("%s: %s", cases[i].text, cases[i].path);
}

static void test_nul(void **state)
{
	static const char text[] = "User-agent: *\nDisallow: /a\0b\nDisallow: /c";
	struct robots *robots = robots_parse(text, sizeof(text) - 1, "mcp-fleet");

	assert_true(robots_allow(robots, "/a"));
	assert_false(robots_allow(robots, "/c"));
	robots_free(robots);
}

/* Patterns whose comparing would take hours: it ends, and nothing is allowed. */
static void test_costly_patterns(void **state)
{
	auto_strbuf text = { 0 };
	auto_strbuf path = { 0 };

	strbuf_adds(&text, "User-agent: *\n");
	while (text.len < 400000) {
		strbuf_adds(&text, "Disallow: /*");
		for (int i = 0; i < 3000; i++)
			strbuf_addc(&text, 'a');
		strbuf_adds(&text, "b\n");
	}
	strbuf_addc(&path, '/');
	for (int i = 0; i < 8000; i++)
		strbuf_addc(&path, 'a');
	assert_false(allows(strbuf_get(&text), strbuf_get(&path)));
	assert_true(allows(strbuf_get(&text), "/other"));
}

static void test_limits(void **state)
{
	auto_strbuf text = { 0 };

	strbuf_adds(&text, "User-agent: *\n");
	for (int i = 0; i < ROBOTS_MAX_RULES; i++)
		strbuf_addf(&text, "Allow: /%d\n", i);
	strbuf_adds(&text, "Disallow: /late\n");
	assert_true(allows(strbuf_get(&text), "/late"));

	strbuf_cut(&text, 0);
	while (text.len < ROBOTS_MAX_BYTES)
		strbuf_adds(&text, "# comment\n");
	strbuf_adds(&text, "User-agent: *\nDisallow: /\n");
	assert_true(allows(strbuf_get(&text), "/"));
}

static void test_cache(void **state)
{
	char origin[64];
	size_t n_known = 0;

	assert_null(robots_cache_find("http://a:80"));
	robots_cache_add("http://a:80", ROBOTS_RULES, robots_parse("", 0, "x"));
	assert_int_equal(robots_cache_find("http://a:80")->kind, ROBOTS_RULES);
	robots_cache_add("http://a:80", ROBOTS_CLOSED, NULL);
	assert_int_equal(robots_cache_find("http://a:80")->kind, ROBOTS_CLOSED);
	assert_null(robots_cache_find("https://a:80"));

	for (int i = 0; i < 2 * ROBOTS_CACHE_MAX; i++) {
		(void)snprintf(origin, sizeof(origin), "http://%d:80", i);
		robots_cache_add(origin, ROBOTS_NONE, NULL);
		assert_non_null(robots_cache_find(origin));
	}
	for (int i = 0; i < 2 * ROBOTS_CACHE_MAX; i++) {
		(void)snprintf(origin, sizeof(origin), "http://%d:80", i);
		n_known += robots_cache_find(origin) != NULL;
	}
	assert_int_equal(n_known, ROBOTS_CACHE_MAX);
	robots_cache_clear();
	assert_null(robots_cache_find(origin));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_costly_patterns),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
