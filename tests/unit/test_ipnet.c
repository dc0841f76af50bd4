/* Addresses and networks: what is read, what is refused, what lies in which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/ipnet.h"

static bool has(const char *net_text, const char *ip_text)
{
	struct ipnet net;
	struct ipnet ip;

	assert_int_equal(ipnet_parse(net_text, &net), 0);
	assert_int_equal(ipnet_parse(ip_text, &ip), 0);
	assert_int_equal(ip.bits, 128);
	return ipnet_has(&net, ip.ip);
}

static void test_membership(void **unused)
{
	assert_true(has("10.0.0.0/8", "10.255.0.1"));
	assert_false(has("10.0.0.0/8", "11.0.0.0"));
	assert_true(has("192.0.2.128/25", "192.0.2.128"));
	assert_false(has("192.0.2.128/25", "192.0.2.127"));
	assert_true(has("127.0.0.1", "127.0.0.1"));
	assert_false(has("127.0.0.1", "127.0.0.2"));
	assert_true(has("0.0.0.0/0", "255.255.255.255"));
	assert_false(has("0.0.0.0/0", "::1"));
	assert_true(has("::/0", "10.0.0.1"));
	assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(has("2001:db8::/33", "2001:db8:8000::"));
	assert_true(has("[::1]", "::1"));
	assert_true(has("::ffff:10.0.0.0/104", "10.1.2.3"));
}

static void test_refused(void **unused)
{
	static const char *const wrong[] = { "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
		"10.0.0.0/ 8", "10.0.0.0/8 ", "10.0.0.0/0008", "10.0.0.1/8", "10.0.0", "10.0.0.0.0",
		"::1/129", "::1/64", "[::1", "localhost", "1.2.3.4:80",
		"00000000000000000000000000000000000000000000000000000000000001.2.3.4" };
	struct ipnet net;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_true(ipnet_parse(wrong[i], &net) < 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_membership),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
