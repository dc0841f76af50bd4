/* Answers of name servers: each type as text, and messages that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "shared/strbuf.h"
#include "workers/network/dns_message.h"

/* Header and question ("a.b" IN; its type does not matter). Names begin at 12 and 14. */
#define QUESTION "\1a\1b\0\0\1\0\1"
#define HEADER(n) "\x12\x34\x81\x80\0\1\0" n "\0\0\0\0" QUESTION
#define NAME_AB "\xc0\x0c"
#define IN_60 "\0\1\0\0\0\x3c"
#define BYTES(text) (text), sizeof(text) - 1

static const struct {
	const char *bytes;
	size_t len;
	const char *type;
	const char *data;
} records[] = {
	{ BYTES(NAME_AB "\0\1" IN_60 "\0\4\x7f\0\0\1"), "A", "127.0.0.1" },
	{ BYTES(NAME_AB "\0\x1c" IN_60 "\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), "AAAA",
		"2001:db8::1" },
	{ BYTES(NAME_AB "\0\5" IN_60 "\0\4\1x\xc0\x0e"), "CNAME", "x.b" },
	{ BYTES(NAME_AB "\0\2" IN_60 "\0\5\1n\1s\0"), "NS", "n.s" },
	{ BYTES(NAME_AB "\0\x0c" IN_60 "\0\1\0"), "PTR", "." },
	{ BYTES(NAME_AB "\0\x0f" IN_60 "\0\6\0\x0a\1m\xc0\x0c"), "MX", "10 m.a.b" },
	{ BYTES(NAME_AB "\0\x10" IN_60 "\0\7\3one\2\xc3\xa9"), "TXT", "oneé" },
	{ BYTES(NAME_AB "\0\x10" IN_60 "\0\1\0"), "TXT", "" },
	{ BYTES(NAME_AB "\0\x10" IN_60 "\0\4\3a\0\xff"), "TXT", "a\xef\xbf\xbd\xef\xbf\xbd" },
	{ BYTES(NAME_AB "\0\6" IN_60
			"\0\x18\xc0\x0c\xc0\x0e\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\xff\xff"
			"\xff\xff"),
		"SOA", "a.b b 1 2 3 4 4294967295" },
	{ BYTES(NAME_AB "\0\x21" IN_60 "\0\x08\0\1\0\2\1\xbb\xc0\x0c"), "SRV", "1 2 443 a.b" },
	{ BYTES(NAME_AB "\1\1" IN_60 "\0\x0c\x80\5issueca\"\x01x"), "CAA",
		"128 issue \"ca\\\"\\001x\"" },
	{ BYTES(NAME_AB "\0\2" IN_60 "\0\7\5a.\\\" \0"), "NS", "a\\.\\\\\\\"\\ " },
	{ BYTES(NAME_AB "\0\2" IN_60 "\0\4\2\n\xff\0"), "NS", "\\010\\255" },
};

static void test_records(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(records); i++) {
		struct dns_message message = { 0 };
		auto_strbuf bytes = { 0 };

		strbuf_add(&bytes, BYTES(HEADER("\1")));
		strbuf_add(&bytes, records[i].bytes, records[i].len);
		if (dns_message_parse(bytes.data, bytes.len, &message) < 0)
			fail_msg("%zu: %s is refused", i, records[i].type);
		assert_int_equal(message.rcode, 0);
		assert_int_equal(message.n_records, 1);
		assert_string_equal(message.records[0].name, "a.b");
		assert_string_equal(message.records[0].type, records[i].type);
		assert_int_equal(message.records[0].ttl, 60);
		assert_string_equal(message.records[0].data, records[i].data);
		dns_message_done(&message);
	}
}

/* However it is cut, a message is refused, and nothing behind it is read. */
static void test_cut(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(records); i++) {
		auto_strbuf bytes = { 0 };

		strbuf_add(&bytes, BYTES(HEADER("\1")));
		strbuf_add(&bytes, records[i].bytes, records[i].len);
		for (size_t len = 0; len < bytes.len; len++) {
			struct dns_message message = { 0 };
			char *copy = malloc(len ? len : 1);

			assert_non_null(copy);
			memcpy(copy, bytes.data, len);
			assert_int_equal(dns_message_parse(copy, len, &message), -EBADMSG);
			dns_message_done(&message);
			free(copy);
		}
	}
}

static const struct {
	const char *bytes;
	size_t len;
} malformed[] = {
	{ BYTES("\x12\x34\x01\x80\0\0\0\0\0\0\0\0") },                 /* a question */
	{ BYTES(HEADER("\2") NAME_AB "\0\1" IN_60 "\0\4\1\2\3\4") },   /* only one is there */
	{ BYTES(HEADER("\1") NAME_AB "\0\1" IN_60 "\0\5\1\2\3\4\5") }, /* A of 5 bytes */
	{ BYTES(HEADER("\1") NAME_AB "\0\x1c" IN_60 "\0\4\1\2\3\4") }, /* AAAA of 4 bytes */
	{ BYTES(HEADER("\1") "\xc0\x15\0\1" IN_60 "\0\4\1\2\3\4") },   /* to itself */
	{ BYTES(HEADER("\1") "\xc0\x40\0\1" IN_60 "\0\4\1\2\3\4") },   /* forwards */
	{ BYTES(HEADER("\1") "\x40"
			     "a\0\0\1" IN_60 "\0\4\1\2\3\4") }, /* no such label */
	{ BYTES(HEADER("\1") "\x3f"
			     "a\0\0\1" IN_60 "\0\4\1\2\3\4") },     /* past the end */
	{ BYTES(HEADER("\1") NAME_AB "\0\2" IN_60 "\0\2\1x\0\0") }, /* name past its data */
	{ BYTES(HEADER("\1") NAME_AB "\0\2" IN_60 "\0\5\1x\0zz") }, /* bytes behind a name */
	{ BYTES(HEADER("\1") NAME_AB "\0\x10" IN_60 "\0\2\5a") },   /* string past its data */
	{ BYTES(HEADER("\1") NAME_AB "\0\x10" IN_60 "\0\0") },      /* TXT of nothing */
	{ BYTES(HEADER("\1") NAME_AB "\1\1" IN_60 "\0\2\0\0") },    /* CAA without a tag */
	{ BYTES(HEADER("\1") NAME_AB "\0\x0f" IN_60 "\0\1\0") },    /* MX of one byte */
};

static void test_malformed(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(malformed); i++) {
		struct dns_message message = { 0 };

		if (dns_message_parse(malformed[i].bytes, malformed[i].len, &message) != -EBADMSG)
			fail_msg("%zu was taken", i);
		dns_message_done(&message);
	}
}

/* Pointers that each lead back one step: allowed, and bounded by the length of names. */
static void test_pointer_chain(void **state)
{
	struct dns_message message = { 0 };
	auto_strbuf bytes = { 0 };

	strbuf_add(&bytes, BYTES("\x12\x34\x81\x80\0\1\0\1\0\0\0\0\1a\0\0\1\0\1"));
	strbuf_add(&bytes, BYTES("\xc0\x0c\0\5" IN_60));
	strbuf_add(&bytes, BYTES("\0\4\1b\xc0\x0c"));
	assert_int_equal(dns_message_parse(bytes.data, bytes.len, &message), 0);
	assert_string_equal(message.records[0].data, "b.a");
	dns_message_done(&message);
}

/* 127 labels of one byte are the longest name; with one more it is refused. */
static void test_long_name(void **state)
{
	for (size_t n = 126; n <= 128; n++) {
		struct dns_message message = { 0 };
		auto_strbuf bytes = { 0 };

		strbuf_add(&bytes, BYTES(HEADER("\1")));
		for (size_t i = 0; i < n; i++)
			strbuf_adds(&bytes, "\1x");
		strbuf_add(&bytes, BYTES("\0\0\1" IN_60 "\0\4\1\2\3\4"));
		assert_int_equal(dns_message_parse(bytes.data, bytes.len, &message),
			n <= 127 ? 0 : -EBADMSG);
		dns_message_done(&message);
	}
}

static void test_skipped(void **state)
{
	static const char bytes[] = HEADER("\3") NAME_AB "\0\x2e" IN_60 "\0\3sig" /* RRSIG */
		NAME_AB "\0\1\0\3\0\0\0\x3c\0\4\1\2\3\4"                          /* chaos */
		NAME_AB "\0\1\0\1\xff\xff\xff\xff\0\4\1\2\3\4";
	struct dns_message message = { 0 };

	assert_int_equal(dns_message_parse(bytes, sizeof(bytes) - 1, &message), 0);
	assert_int_equal(message.n_records, 1);
	assert_int_equal(message.records[0].ttl, INT32_MAX);
	assert_string_equal(message.records[0].data, "1.2.3.4");
	dns_message_done(&message);
}

static void test_many(void **state)
{
	struct dns_message message = { 0 };
	auto_strbuf bytes = { 0 };

	strbuf_add(&bytes, BYTES("\x12\x34\x81\x83\0\1\2\0\0\0\0\0" QUESTION));
	for (int i = 0; i < 512; i++)
		strbuf_add(&bytes, BYTES(NAME_AB "\0\1" IN_60 "\0\4\1\2\3\4"));
	assert_int_equal(dns_message_parse(bytes.data, bytes.len, &message), 0);
	assert_int_equal(message.rcode, 3);
	assert_string_equal(dns_rcode_name(message.rcode), "NXDOMAIN");
	assert_int_equal(message.n_records, DNS_MAX_RECORDS);
	assert_true(message.is_cut);
	dns_message_done(&message);
}

static void test_names(void **state)
{
	for (size_t i = 0; dns_type_names[i]; i++)
		assert_true(dns_type_find(dns_type_names[i]) > 0);
	assert_int_equal(dns_type_find("ANY"), 0);
	assert_string_equal(dns_rcode_name(0), "NOERROR");
	assert_null(dns_rcode_name(15));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_pointer_chain),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_skipped),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("dns_message", tests, NULL, NULL);
}
