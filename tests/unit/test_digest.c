/* Hashes of bytes that come in pieces are those of all bytes at once. The values themselves are
 * checked in test_encoding.c, by hash_compute. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "workers/common/digest.h"

static uint8_t bytes[100000];

static void check_pieces(const char *name, size_t piece)
{
	auto_(digest_freep) struct digest *digest = digest_new(name);
	uint8_t at_once[DIGEST_MAX_BYTES];
	char want[DIGEST_HEX_SIZE];
	char hex[DIGEST_HEX_SIZE];
	size_t len = 0;

	if (!digest) /* by the system's policy */
		return;
	for (size_t at = 0; at < sizeof(bytes); at += piece)
		digest_add(digest, bytes + at,
			piece < sizeof(bytes) - at ? piece : sizeof(bytes) - at);
	digest_finish_hex(digest, hex);
	assert_int_equal(digest_compute(name, bytes, sizeof(bytes), at_once, &len), 0);
	digest_to_hex(at_once, len, want);
	assert_string_equal(hex, want);
	assert_int_equal(strlen(hex), 2 * len);
}

static void test_pieces(void **state)
{
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	for (size_t i = 0; digest_names[i]; i++) {
		check_pieces(digest_names[i], 1009);
		check_pieces(digest_names[i], sizeof(bytes));
	}
}

static void test_nothing(void **state)
{
	auto_(digest_freep) struct digest *sha256 = digest_new("sha256");
	auto_(digest_freep) struct digest *crc32 = digest_new("crc32");
	char hex[DIGEST_HEX_SIZE];

	assert_non_null(sha256);
	digest_finish_hex(sha256, hex);
	assert_string_equal(
		hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_non_null(crc32);
	digest_add(crc32, "", 0);
	digest_finish_hex(crc32, hex);
	assert_string_equal(hex, "00000000");
}

static void test_hex(void **state)
{
	char hex[DIGEST_HEX_SIZE];

	digest_to_hex((const uint8_t[]){ 0x00, 0x9a, 0xff }, 3, hex);
	assert_string_equal(hex, "009aff");
	digest_to_hex(NULL, 0, hex);
	assert_string_equal(hex, "");
}

static void test_unknown(void **state)
{
	uint8_t out[DIGEST_MAX_BYTES];
	size_t len;

	assert_null(digest_new("sha0"));
	assert_null(digest_new(""));
	assert_int_equal(digest_compute("sha0", "", 0, out, &len), -ENOTSUP);
	digest_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
