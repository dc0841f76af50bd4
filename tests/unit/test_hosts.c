/* Host and Origin: who may talk to a loopback listener, and to another; with lists, and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "supervisor/front/hosts.h"
#include "tests/unit/head_text.h"

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

/* What the guard makes of it: 421, 403, or 0. */
static int judge(const struct conf_http *conf, const char *text, enum hosts_reach reach)
{
	struct http1_request req;
	struct span origin = { 0 };

	assert_true(parse_head(text, &req));
	if (!hosts_allow(conf, &req, reach))
		return 421;
	if (!hosts_allow_origin(conf, &req, reach, &origin))
		return 403;
	assert_int_equal(origin.at != NULL, http1_header(&req, "origin", NULL).at != NULL);
	return 0;
}

static void check(const struct conf_http *conf, const char *text, bool is_loopback, int expected)
{
	int status = judge(conf, text, is_loopback ? HOSTS_LOOPBACK : HOSTS_GUARDED);

	if (status != expected)
		fail_msg("%d, not %d, on %s: %s", status, expected,
			is_loopback ? "loopback" : "another", text);
}

static void make_head(char *text, size_t size, const char *host, const char *origin)
{
	(void)snprintf(text, size, "GET /sse HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", host,
		origin ? "Origin: " : "", origin ? origin : "", origin ? "\r\n" : "");
}

static void test_without_lists(void **unused)
{
	static const struct conf_http none;

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char text[512];

		make_head(text, sizeof(text), cases[i].host, cases[i].origin);
		check(&none, text, true, cases[i].on_loopback);
		check(&none, text, false, cases[i].elsewhere);
	}
}

/* DNS rebinding: the page's own name leads here. */
static void test_where_nobody_is_asked(void **unused)
{
	static char *ours[] = { (char *)(uintptr_t) "fleet.example.org" };
	static const struct conf_http none;
	static const struct conf_http named = { .allowed_hosts = { ours, 1 } };
	static const struct {
		const char *host;
		const char *origin;
		int unnamed; /* without allowed_hosts */
		int named;
	} pages[] = {
		{ "fleet.example.org", NULL, 0, 0 },
		{ "fleet.example.org", "http://fleet.example.org", 403, 0 },
		{ "evil.example:8000", "http://evil.example:8000", 403, 421 },
		{ "192.0.2.1:8000", "http://192.0.2.1:8000", 0, 421 },
		{ "[2001:db8::1]:8000", "http://[2001:db8::1]:8000", 0, 421 },
		{ "localhost:8000", "http://localhost:8000", 0, 421 },
		{ "1.evil.example", "http://1.evil.example", 403, 421 },
		{ "192.0.2.1.", "http://192.0.2.1.", 403, 421 },
	};

	for (size_t i = 0; i < N_ELEMENTS(pages); i++) {
		char text[512];

		make_head(text, sizeof(text), pages[i].host, pages[i].origin);
		assert_int_equal(judge(&none, text, HOSTS_OPEN), pages[i].unnamed);
		assert_int_equal(judge(&named, text, HOSTS_OPEN), pages[i].named);
	}
}

static char *host_rules[] = { (char *)(uintptr_t) "fleet.example.org",
	(char *)(uintptr_t) "other.example:8443", (char *)(uintptr_t) "[2001:db8::1]" };
static char *origin_rules[] = { (char *)(uintptr_t) "https://app.example",
	(char *)(uintptr_t) "http://dev.example:3000" };
static char *any[] = { (char *)(uintptr_t) "*" };
static const struct conf_http lists = {
	.allowed_hosts = { host_rules, N_ELEMENTS(host_rules) },
	.allowed_origins = { origin_rules, N_ELEMENTS(origin_rules) },
};

static void test_listed(void **unused)
{
	static const struct {
		const char *host;
		const char *origin;
		int on_loopback;
		int elsewhere;
	} listed[] = {
		{ "fleet.example.org", NULL, 0, 0 },
		{ "FLEET.example.org:1234", NULL, 0, 0 },
		{ "other.example:8443", NULL, 0, 0 },
		{ "other.example:8444", NULL, 421, 421 },
		{ "other.example", NULL, 421, 421 },
		{ "[2001:db8::1]:8000", NULL, 0, 0 },
		{ "fleet.example.org.evil.example", NULL, 421, 421 },
		{ "xfleet.example.org", NULL, 421, 421 },
		{ "127.0.0.1:8000", NULL, 0, 421 },
		{ "localhost", NULL, 0, 421 },
		{ "fleet.example.org", "https://fleet.example.org", 0, 0 },
		{ "fleet.example.org", "https://app.example", 0, 0 },
		{ "fleet.example.org", "https://APP.example:443", 0, 0 },
		{ "fleet.example.org", "https://app.example:8443", 403, 403 },
		{ "fleet.example.org", "http://app.example", 403, 403 },
		{ "fleet.example.org", "http://app.example:443", 403, 403 },
		{ "fleet.example.org", "http://dev.example:3000", 0, 0 },
		{ "fleet.example.org", "http://dev.example", 403, 403 },
		{ "fleet.example.org", "https://app.example.evil.example", 403, 403 },
		{ "fleet.example.org", "https://app.example/", 403, 403 },
		{ "fleet.example.org", "https://app.example,https://app.example", 403, 403 },
		{ "fleet.example.org", "null", 403, 403 },
		{ "fleet.example.org", "http://localhost:3000", 0, 403 },
	};

	for (size_t i = 0; i < N_ELEMENTS(listed); i++) {
		char text[512];

		make_head(text, sizeof(text), listed[i].host, listed[i].origin);
		check(&lists, text, true, listed[i].on_loopback);
		check(&lists, text, false, listed[i].elsewhere);
	}
}

static void test_any(void **unused)
{
	static const struct conf_http all = { .allowed_hosts = { any, 1 },
		.allowed_origins = { any, 1 } };
	char text[512];

	make_head(text, sizeof(text), "whatever.example", "https://page.example");
	check(&all, text, true, 0);
	check(&all, text, false, 0);
	make_head(text, sizeof(text), "whatever.example", "null");
	check(&all, text, true, 403);
}

static void test_two_origins(void **unused)
{
	static const char text[] =
		"GET /sse HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
		"Origin: http://localhost\r\n\r\n";
	static const struct conf_http none;

	check(&none, text, true, 403);
}

static void test_no_host(void **unused)
{
	static const char text[] = "GET /sse HTTP/1.0\r\n\r\n";
	static const struct conf_http none;

	check(&none, text, true, 0);
	check(&none, text, false, 0);
	check(&lists, text, true, 0);
	check(&lists, text, false, 421);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_lists),
		cmocka_unit_test(test_where_nobody_is_asked),
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_any),
		cmocka_unit_test(test_two_origins),
		cmocka_unit_test(test_no_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
