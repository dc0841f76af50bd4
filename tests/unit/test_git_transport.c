/* Which remotes are allowed, which credentials and host keys belong to them, which addresses are
 * public. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "shared/alloc.h"
#include "workers/common/address.h"
#include "workers/git/transport.h"

static const char *all_protocols[] = { "https", "ssh", "file" };
static const struct git_settings open_settings = { .allowed_protocols = { all_protocols,
							   N_ELEMENTS(all_protocols) } };
static const struct git_settings default_settings;

static void test_allowed(void **state)
{
	static const struct {
		const char *url, *rebuilt, *host, *user;
		enum target_kind kind;
		unsigned port;
	} cases[] = {
		{ "https://example.org/a/b.git", "https://example.org/a/b.git", "example.org", NULL,
			TARGET_HTTPS, 443 },
		{ "https://me:pw@example.org:8443/x", "https://example.org:8443/x", "example.org",
			"me", TARGET_HTTPS, 8443 },
		{ "https://me@example.org:443/x", "https://example.org/x", "example.org", "me",
			TARGET_HTTPS, 443 },
		{ "https://8.8.8.8/x", "https://8.8.8.8/x", "8.8.8.8", NULL, TARGET_HTTPS, 443 },
		{ "https://a:p@ss@example.org/x", "https://example.org/x", "example.org", "a",
			TARGET_HTTPS, 443 },
		{ "ssh://example.org/x", "ssh://git@example.org/x", "example.org", "git",
			TARGET_SSH, 22 },
		{ "ssh://me:pw@example.org:2222/x", "ssh://me@example.org:2222/x", "example.org",
			"me", TARGET_SSH, 2222 },
		{ "ssh://me@10.0.0.1/~/x", "ssh://me@10.0.0.1/~/x", "10.0.0.1", "me", TARGET_SSH,
			22 },
		{ "me@example.org:a/b", "me@example.org:a/b", "example.org", "me", TARGET_SSH, 22 },
		{ "example.org:/a", "git@example.org:/a", "example.org", "git", TARGET_SSH, 22 },
		{ "/srv/a", "/srv/a", NULL, NULL, TARGET_FILE, 0 },
		{ "../a:b", "../a:b", NULL, NULL, TARGET_FILE, 0 },
		{ "file:///srv/a%20b", "/srv/a b", NULL, NULL, TARGET_FILE, 0 },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_target target = { 0 };
		struct refusal why = { 0 };

		assert_int_equal(target_parse(&open_settings, cases[i].url, &target, &why), 0);
		assert_int_equal(target.kind, cases[i].kind);
		assert_string_equal(target.url, cases[i].rebuilt);
		assert_int_equal(target.port, cases[i].port);
		if (cases[i].host)
			assert_string_equal(target.host, cases[i].host);
		if (cases[i].user)
			assert_string_equal(target.user, cases[i].user);
		else
			assert_null(target.user);
	}
}

static void check_refused(const struct git_settings *settings, const char *url, const char *code)
{
	auto_target target = { 0 };
	struct refusal why = { 0 };

	assert_true(target_parse(settings, url, &target, &why) < 0);
	assert_string_equal(why.code, code);
	assert_null(strstr(why.text, "secret"));
}

static void test_refused(void **state)
{
	static const char *const urls[] = { "", "-x", "--upload-pack=x", "ext::sh -c x", "a::b",
		"http://example.org/x", "git://example.org/x", "HTTPS://example.org/x",
		"ssh+git://example.org/x", "javascript://x", "https://", "https:///x",
		"https://example.org", "https://example.org/", "https://-example.org/x",
		"https://.example.org/x", "https://exa%6dple.org/x", "https://example.org:/x",
		"https://example.org:0/x", "https://example.org:65536/x",
		"https://example.org:000443/x", "https://example.org:4a/x",
		"https://example.org/a b", "https://example.org/a\nb", "https://example.org/a\\b",
		"https://example.org/x?a", "https://example.org/x#a", "https://[2001:db8::1]/x",
		"https://-u:secret@example.org/x", "https://u secret@example.org/x",
		"ssh://-oProxyCommand=x/y", "ssh://-x@example.org/y", "ssh://%2dx@example.org/y",
		"ssh://a@b@example.org/y", "ssh://example.org/-y", "ssh://example.org/y'z",
		"ssh://example.org/$(x)", "-x@example.org:y", "example.org:", "example.org:-y",
		"example.org:a:b", "file://host/x", "file://", "file:///a%00", "file:///a%zz",
		"file:///a%2" };

	for (size_t i = 0; i < N_ELEMENTS(urls); i++)
		check_refused(&open_settings, urls[i], "remote_refused");
}

static void test_private_hosts(void **state)
{
	static const char *const urls[] = { "https://localhost/x", "https://Localhost./x",
		"https://a.b.localhost/x", "https://127.0.0.1/x", "https://127.1/x",
		"https://2130706433/x", "https://0x7f000001/x", "https://0177.0.0.1/x",
		"https://10.1.2.3/x", "https://u:secret@192.168.0.1/x", "https://example.org./x" };

	for (size_t i = 0; i < N_ELEMENTS(urls); i++)
		check_refused(&open_settings, urls[i], "address_refused");
}

static void test_protocols_not_listed(void **state)
{
	static const char *only_file[] = { "file" };
	struct git_settings settings = { .allowed_protocols = { only_file, 1 } };

	check_refused(&default_settings, "/srv/a", "remote_refused");
	check_refused(&default_settings, "a", "remote_refused");
	check_refused(&default_settings, "file:///srv/a", "remote_refused");
	check_refused(&settings, "https://example.org/x", "remote_refused");
	check_refused(&settings, "ssh://example.org/x", "remote_refused");
	check_refused(&settings, "example.org:x", "remote_refused");
}

static void test_file_urls(void **state)
{
	auto_free char *url = target_file_url("/a b/\xc3\xa9:%41.git");

	assert_string_equal(url, "file:///a%20b/%C3%A9%3A%2541.git");
}

/* The password for the URL; NULL: none. Valid until the next call. */
static const char *password(const char *text, const char *url)
{
	static char found[64];
	auto_target target = { 0 };
	auto_credentials credentials = { 0 };
	struct refusal why = { 0 };

	assert_int_equal(target_parse(&open_settings, url, &target, &why), 0);
	if (!credentials_find(text, &target, &credentials))
		return NULL;

	assert_true(strlen(credentials.password) < sizeof(found));
	memcpy(found, credentials.password, strlen(credentials.password) + 1);
	return found;
}

static void test_credentials(void **state)
{
	static const char text[] = "# https://x:comment@example.org\n"
				   "\r\n"
				   "http://x:plain@example.org\n"
				   "https://nopassword@example.org\n"
				   "https://x:bad%zz@example.org\n"
				   "https://one:p%40ss@example.org\r\n"
				   "https://two:second@EXAMPLE.org/path\n"
				   "https://x:port@example.org:8443\n"
				   "https://x:sub@sub.example.org";

	assert_string_equal(password(text, "https://example.org/x"), "p@ss");
	assert_string_equal(password(text, "https://two@example.org/x"), "second");
	assert_string_equal(password(text, "https://example.org:8443/x"), "port");
	assert_string_equal(password(text, "https://sub.example.org/x"), "sub");
	assert_null(password(text, "https://three@example.org/x"));
	assert_null(password(text, "https://example.org:444/x"));
	assert_null(password(text, "https://example.or/x"));
	assert_null(password(text, "https://ub.example.org/x"));
	assert_null(password(text, "ssh://one@example.org/x"));
	assert_null(password("", "https://example.org/x"));
}

static bool is_known(const char *text, const char *url, const char *key)
{
	auto_target target = { 0 };
	struct refusal why = { 0 };

	assert_int_equal(target_parse(&open_settings, url, &target, &why), 0);
	return known_hosts_has(text, &target, key, key ? strlen(key) : 0);
}

static void test_known_hosts(void **state)
{
	/* KEY1 is "S0VZMQ==", KEY2 is "S0VZMg==" */
	static const char text[] = "# comment line here\n"
				   "one.org,two.org ssh-ed25519 S0VZMQ== comment\n"
				   "[three.org]:2222 ssh-rsa S0VZMg==\n"
				   "|1|abc=|def= ssh-rsa S0VZMQ==\n"
				   "*.four.org ssh-rsa S0VZMQ==\n"
				   "short.org ssh-rsa\n"
				   "@cert-authority five.org ssh-rsa S0VZMQ==\n"
				   "six.org ssh-rsa S0VZMg==\n"
				   "@revoked * ssh-rsa S0VZMw==\n"
				   "seven.org ssh-rsa S0VZMw==\n";

	assert_true(is_known(text, "ssh://one.org/x", NULL));
	assert_true(is_known(text, "ssh://one.org/x", "KEY1"));
	assert_true(is_known(text, "a@TWO.org:x", "KEY1"));
	assert_false(is_known(text, "ssh://one.org/x", "KEY2"));
	assert_false(is_known(text, "ssh://one.org:2222/x", "KEY1"));
	assert_true(is_known(text, "ssh://three.org:2222/x", "KEY2"));
	assert_false(is_known(text, "ssh://three.org/x", "KEY2"));
	assert_false(is_known(text, "ssh://a.four.org/x", NULL));
	assert_false(is_known(text, "ssh://short.org/x", NULL));
	assert_false(is_known(text, "ssh://five.org/x", NULL));
	assert_true(is_known(text, "ssh://six.org/x", "KEY2"));
	assert_false(is_known(text, "ssh://seven.org/x", "KEY3"));
	assert_false(is_known(text, "ssh://ne.org/x", NULL));
	assert_false(is_known("", "ssh://one.org/x", NULL));
}

static bool is_public(const char *text)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &in4.sin_addr) == 1)
		return address_is_public((const struct sockaddr *)&in4);

	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return address_is_public((const struct sockaddr *)&in6);
}

static void test_addresses(void **state)
{
	static const char *const public[] = { "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0",
		"100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.0.1",
		"172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.1.1", "198.17.0.1",
		"198.20.0.0", "223.255.255.255", "2606:4700::1111", "2001:200::1", "2a00::1",
		"3ffe::1" };
	static const char *const private[] = { "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1",
		"100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1",
		"172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1",
		"198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
		"239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::8.8.8.8",
		"::ffff:8.8.8.8", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1",
		"2001:1ff::1", "2001:db8::1", "2002:808:808::1", "fc00::1", "fdff::1", "fe80::1",
		"febf::1", "fec0::1", "ff02::1", "3fff::1", "4000::1", "5f00::1", "fbff::1" };
	const struct sockaddr other = { .sa_family = AF_UNIX };

	for (size_t i = 0; i < N_ELEMENTS(public); i++)
		assert_true(is_public(public[i]));
	for (size_t i = 0; i < N_ELEMENTS(private); i++)
		assert_false(is_public(private[i]));
	assert_false(address_is_public(&other));
}

static void test_local_names(void **state)
{
	assert_true(address_is_local_name("localhost"));
	assert_true(address_is_local_name("LOCALHOST.."));
	assert_true(address_is_local_name("a.localhost"));
	assert_false(address_is_local_name("notlocalhost"));
	assert_false(address_is_local_name("localhost.org"));
	assert_false(address_is_local_name("ocalhost"));
	assert_false(address_is_local_name(""));
	assert_false(address_is_local_name("..."));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_private_hosts),
		cmocka_unit_test(test_protocols_not_listed),
		cmocka_unit_test(test_file_urls),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_known_hosts),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_local_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
