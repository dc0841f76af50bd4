/* Which addresses may be reached: every block of tools.md section 8.1 at its two ends and beside them,
 * IPv4 inside of IPv6, rules, spellings of hosts. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/cleanup.h"
#include "workers/common/address.h"
#include "workers/network/host.h"
#include "workers/network/policy.h"
#include "workers/network/rule.h"

enum { PORT = 80 };

static void start(const char **allow, size_t n_allow, const char **deny, size_t n_deny)
{
	const struct network_settings settings = {
		.allow = { allow, n_allow },
		.deny = { deny, n_deny },
	};
	struct fail fail = { 0 };

	if (policy_start(&settings, &fail) < 0)
		fail_msg("%s", fail.text);
}

static bool is_allowed(const char *text, int port)
{
	struct sockaddr_storage address;
	struct failure why = { 0 };
	int r;

	assert_true(host_get_address(text, port, &address));
	r = policy_check_address((const struct sockaddr *)&address, text, port, &why);
	if (r < 0)
		assert_string_equal(why.code, "address_refused");
	return r == 0;
}

static void test_every_block(void **state)
{
	/* What lies before a block and behind it; NULL: another block, or nothing. */
	static const struct {
		const char *before, *first, *last, *behind;
	} blocks[] = {
		{ NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0" },
		{ "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0" },
		{ "100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0" },
		{ "126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0" },
		{ "169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0" },
		{ "172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0" },
		{ "191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0" },
		{ "192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0" },
		{ "192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0" },
		{ "192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0" },
		{ "198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0" },
		{ "198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0" },
		{ "203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0" },
		{ "223.255.255.255", "224.0.0.0", "239.255.255.255", NULL },
		{ NULL, "240.0.0.0", "255.255.255.255", NULL },
		{ NULL, "::", "::ffff:ffff", NULL },
		{ NULL, "::ffff:0:0", "::ffff:255.255.255.255", NULL },
		{ NULL, "64:ff9b::", "64:ff9b::ffff:ffff", NULL },
		{ NULL, "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", NULL },
		{ NULL, "100::", "100::ffff:ffff:ffff:ffff", NULL },
		{ NULL, "1fff:ffff::", "1fff:ffff:ffff:ffff::", "2000::" },
		{ "2000:ffff::", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::" },
		{ "2001:db7:ffff::", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
			"2001:db9::" },
		{ "2001:ffff::", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::" },
		{ "3ffe:ffff::", "3fff::", "3fff:fff:ffff:ffff::", "3fff:1000::" },
		{ "3fff:ffff::", "4000::", "fbff:ffff::", NULL },
		{ NULL, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
		{ NULL, "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
		{ NULL, "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
		{ NULL, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
	};

	start(NULL, 0, NULL, 0);
	for (size_t i = 0; i < N_ELEMENTS(blocks); i++) {
		if (is_allowed(blocks[i].first, PORT) || is_allowed(blocks[i].last, PORT))
			fail_msg("%s to %s", blocks[i].first, blocks[i].last);
		if (blocks[i].before && !is_allowed(blocks[i].before, PORT))
			fail_msg("%s", blocks[i].before);
		if (blocks[i].behind && !is_allowed(blocks[i].behind, PORT))
			fail_msg("%s", blocks[i].behind);
	}
}

static void test_public_is_allowed(void **state)
{
	static const char *const addresses[] = { "1.1.1.1", "8.8.8.8", "93.184.216.34",
		"2606:4700:4700::1111", "2a00:1450::8a", "3ffe::1" };

	start(NULL, 0, NULL, 0);
	for (size_t i = 0; i < N_ELEMENTS(addresses); i++)
		assert_true(is_allowed(addresses[i], PORT));
}

static void test_inner_addresses(void **state)
{
	static const struct {
		const char *outer;
		const char *inner[ADDRESS_MAX_INNER];
	} cases[] = {
		{ "1.2.3.4", { NULL, NULL } },
		{ "2606::1", { NULL, NULL } },
		{ "::", { NULL, NULL } },
		{ "::1", { NULL, NULL } },
		{ "::2", { "0.0.0.2", NULL } },
		{ "::ffff:1.2.3.4", { "1.2.3.4", NULL } },
		{ "::1.2.3.4", { "1.2.3.4", NULL } },
		{ "64:ff9b::1.2.3.4", { "1.2.3.4", NULL } },
		{ "64:ff9b:1:102:3:400::", { "1.2.3.4", NULL } },
		{ "64:ff9b:1::1.2.3.4", { "1.2.3.4", NULL } },
		{ "64:ff9b:1:102:3:400:506:708", { "1.2.3.4", "5.6.7.8" } },
		{ "64:ff9b:1::", { "0.0.0.0", NULL } },
		{ "2002:102:304::", { "1.2.3.4", NULL } },
		{ "2001:0:102:304::fafa:f7f7", { "1.2.3.4", "5.5.8.8" } },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct sockaddr_in inner[ADDRESS_MAX_INNER];
		struct sockaddr_storage outer;
		char text[INET_ADDRSTRLEN];
		size_t n;

		assert_true(host_get_address(cases[i].outer, 0, &outer));
		n = address_inner((const struct sockaddr *)&outer, inner);
		for (size_t k = 0; k < ADDRESS_MAX_INNER; k++) {
			if (!cases[i].inner[k]) {
				assert_int_equal(n, k);
				break;
			}
			if (k >= n)
				fail_msg("%s", cases[i].outer);
			(void)inet_ntop(AF_INET, &inner[k].sin_addr, text, sizeof(text));
			assert_string_equal(text, cases[i].inner[k]);
		}
	}
}

/* A gateway that is allowed opens no way to what lies behind it. */
static void test_allowed_gateways(void **state)
{
	const char *allow[] = { "::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48",
		"2002::/16", "2001::/32", "10.0.0.1" };
	static const char *const good[] = { "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::8.8.8.8",
		"64:ff9b::10.0.0.1", "64:ff9b:1:808:8:800::", "2002:808:808::1",
		"2001:0:808:808::f7f7:f7f7", "::1", "::" };
	static const char *const bad[] = { "::ffff:127.0.0.1", "::ffff:10.0.0.2", "::127.0.0.1",
		"64:ff9b::169.254.169.254", "64:ff9b:1:7f00:0:100::", "64:ff9b:1::127.0.0.1",
		"64:ff9b:1:808:8:800:7f00:1", "2002:7f00:1::1", "2001:0:808:808::80ff:fffe",
		"2001:0:7f00:1::f7f7:f7f7", "127.0.0.1", "10.0.0.2" };

	start(allow, N_ELEMENTS(allow), NULL, 0);
	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		if (!is_allowed(good[i], PORT))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		if (is_allowed(bad[i], PORT))
			fail_msg("%s", bad[i]);
}

static void test_deny_wins(void **state)
{
	const char *allow[] = { "10.0.0.0/8", "inside.org", "::ffff:0:0/96" };
	const char *deny[] = { "10.1.0.0/16", "8.8.8.8:443", "2606::/16", ".evil.org", "bad.org:80",
		"9.9.9.0/24" };
	struct failure why;

	start(allow, N_ELEMENTS(allow), deny, N_ELEMENTS(deny));
	assert_true(is_allowed("10.0.0.1", PORT));
	assert_false(is_allowed("10.1.0.1", PORT));
	assert_true(is_allowed("8.8.8.8", 80));
	assert_false(is_allowed("8.8.8.8", 443));
	assert_false(is_allowed("2606:4700::1", PORT));
	assert_false(is_allowed("::ffff:9.9.9.9", PORT));
	assert_int_equal(policy_check_name("evil.org", PORT, &why), -EINVAL);
	assert_int_equal(policy_check_name("A.b.EVIL.org.", PORT, &why), -EINVAL);
	assert_int_equal(policy_check_name("notevil.org", PORT, &why), 0);
	assert_int_equal(policy_check_name("bad.org", 80, &why), -EINVAL);
	assert_int_equal(policy_check_name("bad.org", 443, &why), 0);
	assert_int_equal(policy_check_name("a.bad.org", 80, &why), 0);
}

static int check(const char *host, const char *text, int port)
{
	struct sockaddr_storage address;
	struct failure why;

	assert_true(host_get_address(text, port, &address));
	return policy_check_address((const struct sockaddr *)&address, host, port, &why);
}

static void test_names(void **state)
{
	const char *allow[] = { "inside.org:8080", ".corp.org", "localhost:81", "10.0.0.0/8:9000",
		"[fd00::/8]:443" };
	const char *deny[] = { "10.6.6.6" };
	struct failure why;

	start(allow, N_ELEMENTS(allow), deny, N_ELEMENTS(deny));
	assert_int_equal(check("inside.org", "10.0.0.1", 8080), 0);
	assert_int_equal(check("inside.org.", "127.0.0.1", 8080), 0);
	assert_int_equal(check("INSIDE.org", "::ffff:127.0.0.1", 8080), 0);
	assert_int_equal(check("inside.org", "10.0.0.1", 80), -EINVAL);
	assert_int_equal(check("inside.org", "10.6.6.6", 8080), -EINVAL);
	assert_int_equal(check("xinside.org", "10.0.0.1", 8080), -EINVAL);
	assert_int_equal(check("a.corp.org", "10.0.0.1", 1), 0);
	assert_int_equal(check("corp.org", "10.0.0.1", 1), 0);
	assert_int_equal(check("xcorp.org", "10.0.0.1", 1), -EINVAL);
	assert_int_equal(check("any.org", "10.0.0.1", 9000), 0);
	assert_int_equal(check("any.org", "fd00::1", 443), 0);
	assert_int_equal(check("any.org", "fd00::1", 80), -EINVAL);

	assert_int_equal(policy_check_name("localhost", 80, &why), -EINVAL);
	assert_string_equal(why.code, "address_refused");
	assert_int_equal(policy_check_name("localhost", 81, &why), 0);
	assert_int_equal(policy_check_name("LocalHost.", 80, &why), -EINVAL);
	assert_int_equal(policy_check_name("a.b.localhost", 81, &why), -EINVAL);
	assert_int_equal(policy_check_name("example.org", 80, &why), 0);
}

static void test_wrong_rules(void **state)
{
	static const char *const wrong[] = { "", " ", "/8", "10.0.0.0/33", "10.0.0.0/",
		"10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8", "10.0.0.1/8", "::1/129", "fd00::1/8",
		"10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:", "10.0.0.1:080", "[::1", "[::1]80",
		"[::1]:", "[]", "[10.0.0.1]", "[name]:80", "127.1", "2130706433", "0x7f.1",
		"0177.0.0.1", "1.2.3.4.5", "a..b", ".", "..", "-/8", "name/8",
		("b\xc3\xbc"
		 "cher.de"),
		"a b", "http://a.org", "a.org/", "*.a.org", "a:b:c", "::1:x" };

	for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
		const char *allow[] = { "10.0.0.0/8", wrong[i] };
		const struct network_settings settings = { .allow = { allow, 2 } };
		struct fail fail = { 0 };

		if (policy_start(&settings, &fail) != -EINVAL)
			fail_msg("'%s' was taken", wrong[i]);
		assert_memory_equal(fail.text, "allow: rule \"", 13);
		assert_false(is_allowed("10.0.0.1", PORT)); /* nothing of it holds */
	}
}

static void test_hosts(void **state)
{
	static const struct {
		const char *host, *normal; /* or a code */
	} cases[] = {
		{ "Example.ORG", "example.org" }, { "example.org.", "example.org." },
		{ "a_b-c.org", "a_b-c.org" }, { "1a.b2", "1a.b2" }, { "1.2.3.4", "1.2.3.4" },
		{ "[::1]", "::1" }, { "0:0:0::1", "::1" }, { "[::FFFF:1.2.3.4]", "::ffff:1.2.3.4" },
		{ "B\xc3\x9c"
		  "CHER.de",
			"xn--bcher-kva.de" },
		{ "fa\xc3\x9f.de", "xn--fa-hia.de" },
		{ "a\xe3\x80\x82"
		  "b",
			"a.b" },
		{ "\xef\xbd\x8cocalhost", "localhost" }, { "127.1", "address_refused" },
		{ "1", "address_refused" }, { "0", "address_refused" }, { "0x", "address_refused" },
		{ "0x7F", "address_refused" }, { "a.0x1", "address_refused" },
		{ "a.1", "address_refused" }, { "1.2.3.4.", "address_refused" },
		{ "01.2.3.4", "address_refused" }, { "1.2.3.256", "address_refused" },
		{ "\xef\xbc\x91.2.3.4", "address_refused" },
		{ "1\xe3\x80\x82"
		  "2.3.4",
			"address_refused" },
		{ "", "invalid_url" }, { ".", "invalid_url" }, { "a..b", "invalid_url" },
		{ ".a", "invalid_url" }, { "a..", "invalid_url" }, { "a b", "invalid_url" },
		{ "a\tb", "invalid_url" }, { "a%41", "invalid_url" }, { "a\\b", "invalid_url" },
		{ "a/b", "invalid_url" }, { "a@b", "invalid_url" }, { "a:80", "invalid_url" },
		{ "[::1", "invalid_url" }, { "[]", "invalid_url" }, { "[1.2.3.4]", "invalid_url" },
		{ "fe80::1%eth0", "invalid_url" }, { "[fe80::1%25eth0]", "invalid_url" },
		{ "\xff", "invalid_url" }, { "a\xe2\x84\x80.org", "invalid_url" }, /* becomes a/c */
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char normal[HOST_MAX + 2];
		struct failure why = { 0 };
		int r = host_normalize(cases[i].host, normal, &why);
		const char *got = r == 0 ? normal : why.code;

		if (!streq(got, cases[i].normal))
			fail_msg("'%s': %s %s", cases[i].host, got, why.text);
	}
}

static void test_long_hosts(void **state)
{
	char normal[HOST_MAX + 2];
	char host[400];
	struct failure why;

	memset(host, 'a', sizeof(host));
	for (size_t i = 63; i < sizeof(host); i += 64)
		host[i] = '.';
	host[HOST_MAX] = '\0';
	assert_int_equal(host_normalize(host, normal, &why), 0);
	host[HOST_MAX] = '.';
	host[HOST_MAX + 1] = '\0';
	assert_int_equal(host_normalize(host, normal, &why), 0);
	host[HOST_MAX] = 'a';
	assert_int_equal(host_normalize(host, normal, &why), -EINVAL);
	host[HOST_MAX + 1] = 'a';
	host[HOST_MAX + 2] = '\0';
	assert_int_equal(host_normalize(host, normal, &why), -EINVAL);
	memset(host, 'a', 64);
	host[64] = '\0';
	assert_int_equal(host_normalize(host, normal, &why), -EINVAL);
}

static int stop(void **state)
{
	policy_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_block),
		cmocka_unit_test(test_public_is_allowed),
		cmocka_unit_test(test_inner_addresses),
		cmocka_unit_test(test_allowed_gateways),
		cmocka_unit_test(test_deny_wins),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_wrong_rules),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_long_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, stop);
}
