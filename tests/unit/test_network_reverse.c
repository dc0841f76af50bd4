/* Names of addresses backwards: there, back again, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "workers/network/host.h"
#include "workers/network/reverse.h"

#define ZEROS_15 "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."

static void test_there_and_back(void **state)
{
	static const struct {
		const char *address, *name;
	} cases[] = {
		{ "1.2.3.4", "4.3.2.1.in-addr.arpa" },
		{ "0.0.0.0", "0.0.0.0.in-addr.arpa" },
		{ "255.254.253.252", "252.253.254.255.in-addr.arpa" },
		{ "::1", "1." ZEROS_15 ZEROS_15 "0.ip6.arpa" },
		{ "2001:db8:0:ffff:1234:5678:9abc:def0",
			"0.f.e.d.c.b.a.9.8.7.6.5.4.3.2.1.f.f.f.f.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct sockaddr_storage address;
		struct sockaddr_storage back;
		char name[REVERSE_MAX_NAME + 1];

		assert_true(host_get_address(cases[i].address, 0, &address));
		reverse_write(&address, name);
		assert_string_equal(name, cases[i].name);
		assert_true(reverse_parse(name, &back));
		assert_memory_equal(&back, &address, sizeof(address));
	}
}

static void test_spellings(void **state)
{
	struct sockaddr_storage address;
	struct sockaddr_storage back;

	assert_true(host_get_address("1.2.3.4", 0, &address));
	assert_true(reverse_parse("4.3.2.1.IN-addr.ARPA.", &back));
	assert_memory_equal(&back, &address, sizeof(address));
	assert_true(host_get_address("f000::a", 0, &address));
	assert_true(reverse_parse("A." ZEROS_15 ZEROS_15 "F.IP6.arpa.", &back));
	assert_memory_equal(&back, &address, sizeof(address));
}

static void test_none(void **state)
{
	static const char *const names[] = { "", ".", "example.org", "in-addr.arpa",
		".in-addr.arpa", "ip6.arpa", "3.2.1.in-addr.arpa", "5.4.3.2.1.in-addr.arpa",
		"256.3.2.1.in-addr.arpa", "04.3.2.1.in-addr.arpa", "4.3.2.1.in-addr.arpa..",
		"4.3.2.1xin-addr.arpa", "4.3.2.1.in-addr.arpa.x", "a.3.2.1.in-addr.arpa",
		"1.0.ip6.arpa", "g." ZEROS_15 ZEROS_15 "0.ip6.arpa",
		"1." ZEROS_15 ZEROS_15 "00.ip6.arpa", "1x" ZEROS_15 ZEROS_15 "0.ip6.arpa",
		"1." ZEROS_15 ZEROS_15 "0.0.ip6.arpa" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		struct sockaddr_storage address;

		if (reverse_parse(names[i], &address))
			fail_msg("'%s' was taken", names[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
