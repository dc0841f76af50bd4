/* Hashes of tables: the function against published values, and what a table needs of it under the process's own key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/cleanup.h"
#include "shared/keyed_hash.h"

enum {
	N_BUCKETS = 256,
	N_KEYS = 64 * N_BUCKETS,
};

struct vector {
	size_t len;
	uint64_t hash;
};

/* Of the bytes 0, 1, 2, … under the key 0, 1, … 15: the example of the paper's appendix A (15 bytes), and the reference
 * implementation's table around the borders of words. */
static const struct vector vectors[] = {
	{ 0, UINT64_C(0x726fdb47dd0e0e31) },
	{ 1, UINT64_C(0x74f839c593dc67fd) },
	{ 2, UINT64_C(0x0d6c8009d9a94f5a) },
	{ 3, UINT64_C(0x85676696d7fb7e2d) },
	{ 7, UINT64_C(0xab0200f58b01d137) },
	{ 8, UINT64_C(0x93f5f5799a932462) },
	{ 9, UINT64_C(0x9e0082df0ba9e4b0) },
	{ 15, UINT64_C(0xa129ca6149be45e5) },
};

static void test_vectors(void **state)
{
	uint8_t key[SIPHASH_KEY_BYTES];
	uint8_t bytes[64];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	memcpy(key, bytes, sizeof(key));
	for (size_t i = 0; i < N_ELEMENTS(vectors); i++)
		assert_true(siphash(key, bytes, vectors[i].len) == vectors[i].hash);
	assert_true(siphash(key, NULL, 0) == vectors[0].hash);
}

/* At each place, aligned or not, and never a byte too far (the sanitizers would tell). */
static void test_places(void **state)
{
	static const uint8_t key[SIPHASH_KEY_BYTES] = { 1 };

	for (size_t len = 0; len < 40; len++) {
		uint8_t *exact = malloc(len + 1);
		uint8_t shifted[64];

		assert_non_null(exact);
		for (size_t i = 0; i < len; i++)
			exact[i] = shifted[i + 1] = (uint8_t)(7 * i);
		assert_true(siphash(key, exact, len) == siphash(key, shifted + 1, len));
		free(exact);
	}
}

/* Every bit of the key and of the bytes counts. */
static void test_each_bit_counts(void **state)
{
	uint8_t key[SIPHASH_KEY_BYTES] = { 0 };
	uint8_t bytes[21] = { 0 };
	uint64_t plain = siphash(key, bytes, sizeof(bytes));

	for (size_t bit = 0; bit < 8 * sizeof(key); bit++) {
		key[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_true(siphash(key, bytes, sizeof(bytes)) != plain);
		key[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_true(siphash(key, bytes, sizeof(bytes)) != plain);
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
}

static void test_parts(void **state)
{
	assert_true(keyed_hash_text(0, "name") == keyed_hash(0, "name", 4));
	assert_true(keyed_hash_text(0, "name") != keyed_hash_text(1, "name"));
	assert_true(keyed_hash_text(keyed_hash_text(0, "ab"), "c") !=
		    keyed_hash_text(keyed_hash_text(0, "a"), "bc"));
	assert_true(keyed_hash_text(keyed_hash_text(0, ""), "a") !=
		    keyed_hash_text(keyed_hash_text(0, "a"), ""));
}

/* It is not the plain function under a key that everybody knows. */
static void test_the_key_is_our_own(void **state)
{
	static const uint8_t zeros[SIPHASH_KEY_BYTES];
	static const uint8_t start[8];

	assert_true(keyed_hash(0, NULL, 0) != siphash(zeros, start, sizeof(start)));
}

/* IPv6 addresses of one network, as somebody counts through them: no bucket gets much more than its share. (With 64
 * expected, 160 has a probability below 1e-20.) */
static void test_counted_addresses_spread(void **state)
{
	unsigned n[N_BUCKETS] = { 0 };
	uint8_t ip[16] = { 0x20, 0x01, 0x0d, 0xb8 };

	for (uint32_t i = 0; i < N_KEYS; i++) {
		memcpy(ip + 4, &i, sizeof(i));
		n[keyed_hash(0, ip, sizeof(ip)) % N_BUCKETS]++;
	}
	for (size_t i = 0; i < N_BUCKETS; i++)
		assert_in_range(n[i], 1, 160);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_each_bit_counts),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_the_key_is_our_own),
		cmocka_unit_test(test_counted_addresses_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
