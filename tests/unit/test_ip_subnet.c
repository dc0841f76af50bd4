/* Tool ip_subnet_info: blocks, sizes, kinds, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "tests/unit/fake_call.h"
#include "workers/utils/ip.h"
#include "workers/utils/tools.h"

static const struct {
	const char *cidr;
	const char *network, *first, *last, *addresses, *kind;
} blocks[] = {
	{ "192.168.1.77/24", "192.168.1.0/24", "192.168.1.0", "192.168.1.255", "256", "private" },
	{ "8.8.8.8", "8.8.8.8/32", "8.8.8.8", "8.8.8.8", "1", "global" },
	{ "0.0.0.0/0", "0.0.0.0/0", "0.0.0.0", "255.255.255.255", "4294967296", "mixed" },
	{ "10.1.2.3/8", "10.0.0.0/8", "10.0.0.0", "10.255.255.255", "16777216", "private" },
	{ "172.31.255.255/12", "172.16.0.0/12", "172.16.0.0", "172.31.255.255", "1048576",
		"private" },
	{ "10.0.0.1/31", "10.0.0.0/31", "10.0.0.0", "10.0.0.1", "2", "private" },
	{ "2001:db8::1/64", "2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff",
		"18446744073709551616", "documentation" },
	{ "::/0", "::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"340282366920938463463374607431768211456", "mixed" },
	{ "2A00:1450::1", "2a00:1450::1/128", "2a00:1450::1", "2a00:1450::1", "1", "global" },
};

static void test_blocks(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(blocks); i++) {
		auto_free char *args = alloc_printf("{\"cidr\":\"%s\"}", blocks[i].cidr);

		assert_non_null(fake_run(ip_tools, "ip_subnet_info", args)->result);
		assert_string_equal(fake_text("network"), blocks[i].network);
		assert_string_equal(fake_text("first"), blocks[i].first);
		assert_string_equal(fake_text("last"), blocks[i].last);
		assert_string_equal(fake_text("addresses"), blocks[i].addresses);
		assert_string_equal(fake_text("kind"), blocks[i].kind);
	}
}

static const struct {
	const char *cidr;
	const char *kind;
} kinds[] = {
	{ "0.0.0.0", "unspecified" },
	{ "0.1.2.3", "reserved" },
	{ "100.64.0.1", "shared" },
	{ "100.128.0.0", "global" },
	{ "127.0.0.1", "loopback" },
	{ "169.254.169.254", "link-local" },
	{ "172.32.0.0", "global" },
	{ "192.0.2.1", "documentation" },
	{ "198.19.255.255", "benchmarking" },
	{ "198.51.100.0/24", "documentation" },
	{ "203.0.113.9", "documentation" },
	{ "239.1.1.1", "multicast" },
	{ "224.0.0.0/4", "multicast" },
	{ "240.0.0.1", "reserved" },
	{ "240.0.0.0/4", "reserved" },
	{ "255.255.255.255", "broadcast" },
	{ "192.168.0.0/15", "mixed" },
	{ "11.0.0.0/8", "global" },
	{ "::", "unspecified" },
	{ "::1", "loopback" },
	{ "::2", "reserved" },
	{ "::ffff:10.0.0.1", "ipv4-mapped" },
	{ "64:ff9b::8.8.8.8", "nat64" },
	{ "100::1", "discard" },
	{ "2001::1", "teredo" },
	{ "2001:2::1", "benchmarking" },
	{ "2002:a00::", "6to4" },
	{ "2606:4700::1111", "global" },
	{ "2000::/3", "global" },
	{ "2001::/16", "mixed" },
	{ "3fff:fff::", "documentation" },
	{ "4000::", "reserved" },
	{ "fd00::1", "private" },
	{ "fe80::1", "link-local" },
	{ "fec0::1", "site-local" },
	{ "ff02::1", "multicast" },
};

static void test_kinds(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
		struct ip_block block;
		const char *why;

		assert_int_equal(ip_parse(kinds[i].cidr, &block, &why), 0);
		if (!streq(ip_kind(&block), kinds[i].kind))
			fail_msg("%s is %s", kinds[i].cidr, ip_kind(&block));
	}
}

static const char *const bad[] = { "10", "10.0.0", "10.0.0.0.0", "10.0.0.256", "010.0.0.1",
	"10.0.0.1/", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/+8", "10.0.0.1/08", "10.0.0.1/8 ",
	"10.0.0.1/255.0.0.0", " 10.0.0.1", "10.0.0.1/8/8", "/8", "0x0a000001", "::1/129",
	"::1/1000", ":::", "1::2::3", "fe80::1%eth0", "[::1]", "localhost",
	"12345::", "::1.2.3.400",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };

static void test_refusals(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		auto_free char *args = alloc_printf("{\"cidr\":\"%s\"}", bad[i]);
		const struct fake_answer *a = fake_run(ip_tools, "ip_subnet_info", args);

		if (!a->code)
			fail_msg("'%s' was taken", bad[i]);
		assert_string_equal(a->code, "invalid_argument");
	}
}

static int tear_down(void **state)
{
	fake_done();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
