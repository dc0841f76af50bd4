/* Where requests may go: the URL, redirects, endpoints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <strings.h>

#include "workers/common/target.h"

static void test_good(void **unused)
{
	static const char *const texts[][3] = {
		{ "http://h/mcp", "http://h/mcp", "http://h:80/mcp" },
		{ "HTTPS://H.example:8443/a/b?key=1", "https://h.example:8443/a/b?key=1",
			"https://h.example:8443/a/b" },
		{ "http://h", "http://h/", "http://h:80/" },
		{ "http://[::1]:9/x", "http://[::1]:9/x", "http://[::1]:9/x" },
		{ "http://127.0.0.1/", "http://127.0.0.1/", "http://127.0.0.1:80/" },
	};

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		auto_target target = { 0 };
		struct fail fail = { 0 };

		if (target_parse(texts[i][0], &target, &fail) < 0)
			fail_msg("%s: %s", texts[i][0], fail.text);
		assert_int_equal(strcasecmp(target.url, texts[i][1]), 0);
		assert_int_equal(strcasecmp(target.shown, texts[i][2]), 0);
	}
}

static void test_refused(void **unused)
{
	static const char *const texts[] = { "", "h", "/mcp", "//h/mcp", "ftp://h/",
		"file:///etc/passwd", "http://", "http:///x", "http://u:p@h/", "http://u@h/",
		"http://h/#x", "http://h/a b", "http://h/\n", "http://h/\xc3\xa9",
		"http://h:99999/", "http:/h/", "http://h:x/", "javascript:alert(1)" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		auto_target target = { 0 };
		struct fail fail = { 0 };

		if (target_parse(texts[i], &target, &fail) != -EINVAL)
			fail_msg("accepted: %s", texts[i]);
		assert_true(*fail.text);
		assert_null(target.url);
	}
}

struct step {
	const char *base;
	const char *reference;
	const char *url; /* NULL: refused */
	int r;
};

static void test_resolve(void **unused)
{
	static const struct step steps[] = {
		{ "http://h:8/sse", "/messages?session_id=1", "http://h:8/messages?session_id=1",
			0 },
		{ "http://h:8/a/sse", "messages", "http://h:8/a/messages", 0 },
		{ "http://h:8/a/sse", "?x=1", "http://h:8/a/sse?x=1", 0 },
		{ "http://h:8/sse", "http://h:8/m", "http://h:8/m", 0 },
		{ "http://h/sse", "http://h:80/m", "http://h:80/m", 0 },
		{ "https://h/sse", "//h/m", "https://h/m", 0 },
		{ "http://h/mcp", "/mcp/#part", "http://h/mcp/", 0 },
		{ "http://h:8/sse", "http://evil:8/m", NULL, -EPERM },
		{ "http://h:8/sse", "//evil:8/m", NULL, -EPERM },
		{ "http://h:8/sse", "http://h:9/m", NULL, -EPERM },
		{ "http://h:8/sse", "https://h:8/m", NULL, -EPERM },
		{ "https://h/sse", "http://h/m", NULL, -EPERM },
		{ "http://h/sse", "http://h.evil.example/m", NULL, -EPERM },
		{ "http://h/sse", "http://h@evil/m", NULL, -EINVAL },
		{ "http://h/sse", "http://u:p@h/m", NULL, -EINVAL },
		{ "http://h/sse", "ftp://h/m", NULL, -EINVAL },
		{ "http://h/sse", "", NULL, -EINVAL },
		{ "http://h/sse", "/a b", NULL, -EINVAL },
		{ "http://h/sse", "/a\r\nX: y", NULL, -EINVAL },
	};

	for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
		auto_target base = { 0 };
		auto_target target = { 0 };
		struct fail fail = { 0 };
		int r;

		assert_int_equal(target_parse(steps[i].base, &base, NULL), 0);
		r = target_resolve(&base, steps[i].reference, &target, &fail);
		if (r != steps[i].r)
			fail_msg("%s from %s: %d %s", steps[i].reference, steps[i].base, r,
				fail.text);
		if (steps[i].url)
			assert_string_equal(target.url, steps[i].url);
		else
			assert_null(target.url);
	}
}

/* To another host, but never where what was safe on its way would not be any more. */
static void test_resolve_any(void **unused)
{
	static const struct step steps[] = {
		{ "http://h/a", "b", "http://h/b", 0 },
		{ "http://h/a", "http://other:8/b", "http://other:8/b", 0 },
		{ "http://h/a", "https://other/b", "https://other/b", 0 },
		{ "https://h/a", "//other/b", "https://other/b", 0 },
		{ "https://h/a", "http://h/b", NULL, -EPERM },
		{ "https://h/a", "HTTP://other/b", NULL, -EPERM },
		{ "https://h/a", "file:///etc/passwd", NULL, -EINVAL },
		{ "https://h/a", "https://u:p@other/b", NULL, -EINVAL },
	};

	for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
		auto_target base = { 0 };
		auto_target target = { 0 };
		struct fail fail = { 0 };

		assert_int_equal(target_parse(steps[i].base, &base, NULL), 0);
		if (target_resolve_any(&base, steps[i].reference, &target, &fail) != steps[i].r)
			fail_msg("%s from %s: %s", steps[i].reference, steps[i].base, fail.text);
		if (steps[i].url)
			assert_string_equal(target.url, steps[i].url);
		else
			assert_null(target.url);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_resolve_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
