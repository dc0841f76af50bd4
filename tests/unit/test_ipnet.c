/* Addresses and networks as rules name them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "shared/ipnet.h"

static void test_has(void **unused)
{
	static const struct {
		const char *net;
		const char *addr;
		bool has;
	} cases[] = {
		{ "10.0.0.0/8", "10.0.0.0", true },
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/8", "9.255.255.255", false },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.6", false },
		{ "192.0.2.7/32", "192.0.2.7", true },
		{ "0.0.0.0/0", "255.1.2.3", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/32", "2001:db9::1", false },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::1", "::1", true },
		{ "[::1]", "::1", true },
		{ "::/0", "2001:db8::1", true },
		{ "::ffff:0:0/96", "192.0.2.1", true },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", true },
		{ "::ffff:10.0.0.0/104", "11.1.2.3", false },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct ipnet net;
		struct ipnet addr;

		assert_int_equal(ipnet_parse(cases[i].net, &net), 0);
		assert_int_equal(ipnet_parse(cases[i].addr, &addr), 0);
		if (ipnet_has(&net, addr.ip) != cases[i].has)
			fail_msg("%s in %s: not %d", cases[i].addr, cases[i].net, cases[i].has);
	}
}

static void test_refused(void **unused)
{
	static const char *const cases[] = {
		"",
		"proxy.example.org",
		"10.0.0/8",
		"127.0.0.1:80",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/8/8",
		"10.0.0.0/ 8",
		"10.0.0.0/0008",
		"10.0.0.0/4294967304",
		"::/129",
		"10.0.0.1/8",
		"192.0.2.64/25",
		"2001:db8::1/64",
		"fe80::1%eth0",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb",
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (ipnet_parse(cases[i], &(struct ipnet){ 0 }) != -EINVAL)
			fail_msg("'%s' is taken", cases[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_has),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
