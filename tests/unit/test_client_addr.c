/* Addresses of clients, and how far X-Forwarded-* is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>

#include "shared/alloc.h"
#include "supervisor/front/forwarded.h"

static struct span span_of(const char *text)
{
	return (struct span){ .at = text, .len = strlen(text) };
}

static void test_parse_and_format(void **unused)
{
	static const struct {
		const char *text;
		const char *expected; /* NULL: refused */
		unsigned port;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", 0 },
		{ "192.0.2.1:80", "192.0.2.1", 80 },
		{ "192.0.2.1:65535", "192.0.2.1", 65535 },
		{ "2001:db8::1", "2001:db8::1", 0 },
		{ "2001:DB8:0:0::1", "2001:db8::1", 0 },
		{ "[2001:db8::1]", "2001:db8::1", 0 },
		{ "[2001:db8::1]:443", "2001:db8::1", 443 },
		{ "::ffff:192.0.2.1", "192.0.2.1", 0 },
		{ "[::ffff:192.0.2.1]:7", "192.0.2.1", 7 },
		{ "::1", "::1", 0 },
		{ "", NULL, 0 },
		{ "unknown", NULL, 0 },
		{ "_hidden", NULL, 0 },
		{ "localhost", NULL, 0 },
		{ "192.0.2", NULL, 0 },
		{ "192.0.2.1.", NULL, 0 },
		{ "192.0.2.256", NULL, 0 },
		{ "0192.0.2.1", NULL, 0 },
		{ "192.0.2.1:", NULL, 0 },
		{ "192.0.2.1:65536", NULL, 0 },
		{ "192.0.2.1:99999999999999999999", NULL, 0 },
		{ "192.0.2.1:-1", NULL, 0 },
		{ "192.0.2.1 ", NULL, 0 },
		{ "192.0.2.1\n", NULL, 0 },
		{ "[192.0.2.1]:80", NULL, 0 },
		{ "[2001:db8::1", NULL, 0 },
		{ "[2001:db8::1]x", NULL, 0 },
		{ "[2001:db8::1]:", NULL, 0 },
		{ "2001:db8::1]", NULL, 0 },
		{ "[]", NULL, 0 },
		{ "[", NULL, 0 },
		{ ":", NULL, 0 },
		{ ":80", NULL, 0 },
		{ "fe80::1%eth0", NULL, 0 },
		{ "\"192.0.2.1\"", NULL, 0 },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL, 0 },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct client_addr addr = { 0 };
		char text[CLIENT_ADDR_TEXT_SIZE];
		int r = client_addr_parse(span_of(cases[i].text), &addr);

		if (!cases[i].expected) {
			if (r != -EINVAL || !client_addr_is_none(&addr))
				fail_msg("'%s' is taken", cases[i].text);
			continue;
		}
		if (r < 0)
			fail_msg("'%s' is refused", cases[i].text);
		assert_string_equal(client_addr_format(&addr, text), cases[i].expected);
		assert_int_equal(addr.port, cases[i].port);
	}
	assert_int_equal(client_addr_parse((struct span){ .at = "1.2.3.4\0x", .len = 9 },
				 &(struct client_addr){ 0 }),
		-EINVAL);
}

static void test_of_sockaddr(void **unused)
{
	struct sockaddr_storage storage = { .ss_family = AF_INET };
	struct sockaddr_in *in = (void *)&storage;
	struct sockaddr_in6 *in6 = (void *)&storage;
	char text[CLIENT_ADDR_TEXT_SIZE];
	struct client_addr addr;

	in->sin_addr.s_addr = htonl(0x7f000001);
	in->sin_port = htons(4711);
	addr = client_addr_of(&storage);
	assert_string_equal(client_addr_format(&addr, text), "127.0.0.1");
	assert_int_equal(addr.port, 4711);
	assert_true(client_addr_is_loopback(&addr));

	storage = (struct sockaddr_storage){ .ss_family = AF_INET6 };
	in6->sin6_addr = in6addr_loopback;
	addr = client_addr_of(&storage);
	assert_string_equal(client_addr_format(&addr, text), "::1");
	assert_true(client_addr_is_loopback(&addr));
	in6->sin6_addr.s6_addr[0] = 0x20;
	addr = client_addr_of(&storage);
	assert_false(client_addr_is_loopback(&addr));

	storage = (struct sockaddr_storage){ .ss_family = AF_UNIX };
	addr = client_addr_of(&storage);
	assert_true(client_addr_is_none(&addr));
	assert_false(client_addr_is_loopback(&addr));
	assert_string_equal(client_addr_format(&addr, text), "");
}

static void test_same_ip(void **unused)
{
	struct client_addr a;
	struct client_addr b;

	assert_int_equal(client_addr_parse(span_of("192.0.2.1:1"), &a), 0);
	assert_int_equal(client_addr_parse(span_of("[::ffff:192.0.2.1]:2"), &b), 0);
	assert_true(client_addr_same_ip(&a, &b));
	assert_int_equal(client_addr_parse(span_of("192.0.2.2"), &b), 0);
	assert_false(client_addr_same_ip(&a, &b));
}

/* --- proxies ------------------------------------------------------------------------------------- */

struct forwarded {
	const char *peer;
	const char *fields[7]; /* name, value, name, value … */
	const char *addr;
	bool peer_is_https;
	bool is_https;
	bool is_proxied;
};

static const struct forwarded forwarded[] = {
	{ "192.0.2.9", { NULL }, "192.0.2.9", false, false, false },
	{ "192.0.2.9", { NULL }, "192.0.2.9", true, true, false },
	/* Who is not trusted says nothing. */
	{ "192.0.2.9", { "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https" }, "192.0.2.9",
		false, false, false },
	{ "127.0.0.1", { NULL }, "127.0.0.1", false, false, true },
	{ "127.0.0.1", { "X-Forwarded-For", "192.0.2.1" }, "192.0.2.1", false, false, true },
	{ "127.0.0.1", { "x-forwarded-for", "192.0.2.1, 10.0.0.1 ,10.0.0.2" }, "192.0.2.1", false,
		false, true },
	/* What the client wrote itself stands to the left of what the proxy knows. */
	{ "127.0.0.1", { "X-Forwarded-For", "127.0.0.1, 192.0.2.66" }, "192.0.2.66", false, false,
		true },
	{ "127.0.0.1", { "X-Forwarded-For", "10.0.0.1", "X-Forwarded-For", "192.0.2.66" },
		"192.0.2.66", false, false, true },
	{ "127.0.0.1",
		{ "X-Forwarded-For", "198.51.100.1", "Other", "9.9.9.9", "X-Forwarded-For",
			"10.0.0.7" },
		"198.51.100.1", false, false, true },
	{ "127.0.0.1", { "X-Forwarded-For", "nonsense, 10.0.0.7" }, "10.0.0.7", false, false,
		true },
	{ "127.0.0.1", { "X-Forwarded-For", "1.1.1.1, nonsense" }, "127.0.0.1", false, false,
		true },
	{ "127.0.0.1", { "X-Forwarded-For", "1.1.1.1," }, "127.0.0.1", false, false, true },
	{ "127.0.0.1", { "X-Forwarded-For", "1.1.1.1,,10.0.0.1" }, "10.0.0.1", false, false, true },
	{ "127.0.0.1", { "X-Forwarded-For", "::" }, "127.0.0.1", false, false, true },
	{ "127.0.0.1", { "X-Forwarded-For", "" }, "127.0.0.1", false, false, true },
	{ "127.0.0.1", { "X-Forwarded-For", "1.1.1.1", "X-Forwarded-For", "unknown" }, "127.0.0.1",
		false, false, true },
	/* All are trusted: the first of them asked. */
	{ "127.0.0.1", { "X-Forwarded-For", "10.1.1.1, 10.0.0.1" }, "10.1.1.1", false, false,
		true },
	{ "127.0.0.1", { "X-Forwarded-For", "[2001:db8::5]:4433" }, "2001:db8::5", false, false,
		true },
	{ "::ffff:127.0.0.1", { "X-Forwarded-For", "192.0.2.1" }, "192.0.2.1", false, false, true },
	{ "127.0.0.1", { "X-Forwarded-Proto", "https" }, "127.0.0.1", false, true, true },
	{ "127.0.0.1", { "X-Forwarded-Proto", "HTTPS" }, "127.0.0.1", false, true, true },
	{ "127.0.0.1", { "X-Forwarded-Proto", "http" }, "127.0.0.1", true, false, true },
	{ "127.0.0.1", { "X-Forwarded-Proto", "gopher" }, "127.0.0.1", false, false, true },
	{ "127.0.0.1", { "X-Forwarded-Proto", "gopher" }, "127.0.0.1", true, true, true },
	{ "127.0.0.1", { "X-Forwarded-Proto", "https, http" }, "127.0.0.1", false, false, true },
	{ "127.0.0.1", { "X-Forwarded-Proto", "https", "X-Forwarded-Proto", "http" }, "127.0.0.1",
		false, false, true },
	/* The standard's own field is not read: nobody has been asked to write it. */
	{ "127.0.0.1", { "Forwarded", "for=192.0.2.1;proto=https" }, "127.0.0.1", false, false,
		true },
};

static void check_forwarded(const struct forwarded *f, const struct forwarded_trust *trusted)
{
	struct http1_request req = { 0 };
	char text[CLIENT_ADDR_TEXT_SIZE];
	struct client_origin origin;
	struct client_addr peer;

	assert_int_equal(client_addr_parse(span_of(f->peer), &peer), 0);
	peer.port = 5;
	for (size_t i = 0; f->fields[i]; i += 2)
		req.fields[req.n_fields++] = (struct http1_field){ .name = span_of(f->fields[i]),
			.value = span_of(f->fields[i + 1]) };
	forwarded_find_client(&peer, f->peer_is_https, &req, trusted, &origin);
	(void)client_addr_format(&origin.addr, text);
	if (!streq(text, f->addr) || origin.is_https != f->is_https ||
		origin.is_proxied != f->is_proxied)
		fail_msg("%s, %s: %s: %s https=%d proxied=%d", f->peer,
			f->fields[0] ? f->fields[0] : "-", f->fields[0] ? f->fields[1] : "-", text,
			origin.is_https, origin.is_proxied);
}

static void test_forwarded(void **unused)
{
	char *texts[] = { alloc_str("127.0.0.1"), alloc_str("10.0.0.0/8"), alloc_str("oops") };
	struct forwarded_trust trusted;

	forwarded_trust_init(&trusted, texts, N_ELEMENTS(texts));
	assert_int_equal(trusted.n, 2);
	for (size_t i = 0; i < N_ELEMENTS(forwarded); i++)
		check_forwarded(&forwarded[i], &trusted);
	forwarded_trust_done(&trusted);
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		free(texts[i]);
}

static void test_nobody_is_trusted(void **unused)
{
	static const struct forwarded alone = { "127.0.0.1",
		{ "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https" }, "127.0.0.1", false,
		false, false };
	struct forwarded_trust trusted;

	forwarded_trust_init(&trusted, NULL, 0);
	check_forwarded(&alone, &trusted);
	forwarded_trust_done(&trusted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_format),
		cmocka_unit_test(test_of_sockaddr),
		cmocka_unit_test(test_same_ip),
		cmocka_unit_test(test_forwarded),
		cmocka_unit_test(test_nobody_is_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
