/* The forms of values in settings: what is taken, what is refused, and that both ways agree. */
#include "supervisor/conf_value.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/alloc.h"

static void test_address(void **state)
{
	static const struct {
		const char *text;
		const char *canonical;
		bool loopback;
		unsigned port;
	} cases[] = {
		{ "127.0.0.1:8000", "127.0.0.1:8000", true, 8000 },
		{ "localhost:1", "127.0.0.1:1", true, 1 },
		{ "127.9.8.7:65535", "127.9.8.7:65535", true, 65535 },
		{ "0.0.0.0:0", "0.0.0.0:0", false, 0 },
		{ "192.0.2.1:80", "192.0.2.1:80", false, 80 },
		{ "[::1]:8000", "[::1]:8000", true, 8000 },
		{ "[0:0:0:0:0:0:0:1]:8000", "[::1]:8000", true, 8000 },
		{ "[::]:80", "[::]:80", false, 80 },
		{ "[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80", true, 80 },
		{ "[::ffff:192.0.2.1]:80", "[::ffff:192.0.2.1]:80", false, 80 },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct sockaddr_storage addr = { 0 };
		socklen_t len = 0;
		auto_free char *text = NULL;

		assert_int_equal(conf_parse_address(cases[i].text, &addr, &len), 0);
		text = conf_format_address(&addr);
		assert_string_equal(text, cases[i].canonical);
		assert_int_equal(conf_is_loopback(&addr), cases[i].loopback);
		assert_int_equal(conf_port_of(&addr), cases[i].port);
		assert_int_equal(len, *cases[i].text == '[' ? sizeof(struct sockaddr_in6)
							    : sizeof(struct sockaddr_in));
	}
}

static void test_bad_address(void **state)
{
	static const char *const texts[] = { "", ":", ":80", "80", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80 ", "127.1:80",
		"1.2.3.4.5:80", "example.org:80", "::1:80", "[::1]", "[::1]80", "[::1:80",
		"[127.0.0.1]:80", "[fe80::1%lo]:80", "LOCALHOST:80" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct sockaddr_storage addr = { 0 };
		socklen_t len = 77;

		if (conf_parse_address(texts[i], &addr, &len) != -EINVAL || len != 77)
			fail_msg("'%s' was taken", texts[i]);
	}
}

static void test_other_families(void **state)
{
	struct sockaddr_storage addr = { .ss_family = AF_UNIX };

	assert_false(conf_is_loopback(&addr));
	assert_int_equal(conf_port_of(&addr), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_bad_address),
		cmocka_unit_test(test_other_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
