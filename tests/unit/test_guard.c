/* Host and Origin: who may talk to a loopback listener, and to another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "supervisor/front/guard.h"

static const struct {
	const char *host;
	const char *origin; /* NULL: none */
	int on_loopback;    /* status, 0: let in */
	int elsewhere;
} cases[] = {
	{ "127.0.0.1:8000", NULL, 0, 0 },
	{ "127.0.0.1", NULL, 0, 0 },
	{ "127.9.8.7:1", NULL, 0, 0 },
	{ "localhost:8000", NULL, 0, 0 },
	{ "LocalHost", NULL, 0, 0 },
	{ "[::1]:8000", NULL, 0, 0 },
	{ "fleet.example.org", NULL, 421, 0 },
	{ "127.0.0.1.evil.example", NULL, 421, 0 },
	{ "localhost.evil.example:8000", NULL, 421, 0 },
	{ "128.0.0.1", NULL, 421, 0 },
	{ "[::2]", NULL, 421, 0 },
	{ "10.0.0.1:8000", NULL, 421, 0 },
	{ "localhost:8000", "http://localhost:8000", 0, 0 },
	{ "localhost:8000", "http://127.0.0.1:3000", 0, 403 },
	{ "localhost:8000", "https://[::1]", 0, 403 },
	{ "localhost:8000", "null", 403, 403 },
	{ "localhost:8000", "", 403, 403 },
	{ "localhost:8000", "http://", 403, 403 },
	{ "localhost:8000", "http://evil.example", 403, 403 },
	{ "localhost:8000", "http://127.0.0.1.evil.example", 403, 403 },
	{ "localhost:8000", "http://localhost@evil.example", 403, 403 },
	{ "localhost:8000", "file://localhost", 403, 403 },
	{ "fleet.example.org", "https://fleet.example.org", 421, 0 },
	{ "fleet.example.org", "https://fleet.example.org.evil.example", 421, 403 },
};

static void check(const char *text, bool is_loopback, int expected)
{
	static const struct http1_limits limits = {
		.request_line = 1000, .header_bytes = 4000, .headers = 20
	};
	struct http1_scan scan = { 0 };
	struct http1_request req;
	const char *why = NULL;

	assert_true(http1_parse_head(&scan, text, strlen(text), &limits, &req) > 0);
	if (guard_check(&req, is_loopback, &why) != expected)
		fail_msg("expected %d on %s: %s", expected, is_loopback ? "loopback" : "another",
			text);
	assert_non_null(why);
}

static void test_table(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char text[512];

		(void)snprintf(text, sizeof(text), "GET /sse HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n",
			cases[i].host, cases[i].origin ? "Origin: " : "",
			cases[i].origin ? cases[i].origin : "", cases[i].origin ? "\r\n" : "");
		check(text, true, cases[i].on_loopback);
		check(text, false, cases[i].elsewhere);
	}
}

static void test_two_origins(void **unused)
{
	check("GET /sse HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
	      "Origin: http://localhost\r\n\r\n",
		true, 403);
}

static void test_no_host(void **unused)
{
	check("GET /sse HTTP/1.0\r\n\r\n", true, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_two_origins),
		cmocka_unit_test(test_no_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
