/* See keyed_hash.h. */
#include "shared/keyed_hash.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	ROUNDS_PER_WORD = 2,
	ROUNDS_AT_END = 4,
	WORD_BYTES = 8,
};

struct state {
	uint64_t a;
	uint64_t b;
	uint64_t c;
	uint64_t d;
};

static uint64_t rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

/* The picture of section 2.1 of the paper, its two halves one after the other. */
static void run_rounds(struct state *s, int n)
{
	for (; n > 0; n--) {
		s->a += s->b;
		s->c += s->d;
		s->b = rotate(s->b, 13) ^ s->a;
		s->d = rotate(s->d, 16) ^ s->c;
		s->a = rotate(s->a, 32);
		s->c += s->b;
		s->a += s->d;
		s->b = rotate(s->b, 17) ^ s->c;
		s->d = rotate(s->d, 21) ^ s->a;
		s->c = rotate(s->c, 32);
	}
}

static void take_word(struct state *s, uint64_t word)
{
	s->d ^= word;
	run_rounds(s, ROUNDS_PER_WORD);
	s->a ^= word;
}

static uint64_t read_word(const uint8_t *bytes, size_t len)
{
	uint64_t word = 0;

	memcpy(&word, bytes, len < WORD_BYTES ? len : WORD_BYTES);
	return le64toh(word);
}

/* The letters of the constants are "somepseudorandomlygeneratedbytes". */
static struct state begin(const uint8_t key[SIPHASH_KEY_BYTES])
{
	const uint64_t first = read_word(key, WORD_BYTES);
	const uint64_t second = read_word(key + WORD_BYTES, WORD_BYTES);

	return (struct state){
		.a = first ^ UINT64_C(0x736f6d6570736575),
		.b = second ^ UINT64_C(0x646f72616e646f6d),
		.c = first ^ UINT64_C(0x6c7967656e657261),
		.d = second ^ UINT64_C(0x7465646279746573),
	};
}

/* `n_before` bytes were taken before, in whole words. */
static uint64_t finish(struct state s, const uint8_t *bytes, size_t len, size_t n_before)
{
	size_t at = 0;

	for (; len - at >= WORD_BYTES; at += WORD_BYTES)
		take_word(&s, read_word(bytes + at, WORD_BYTES));
	take_word(&s, (len > at ? read_word(bytes + at, len - at) : 0) | (uint64_t)(n_before + len)
										 << 56);
	s.c ^= 0xff;
	run_rounds(&s, ROUNDS_AT_END);
	return s.a ^ s.b ^ s.c ^ s.d;
}

/* 16 bytes come whole or not at all. A key that can be guessed would be worse than an end. */
static const uint8_t *get_key(void)
{
	static uint8_t key[SIPHASH_KEY_BYTES];
	static bool is_made;

	if (!is_made && getrandom(key, sizeof(key), 0) != sizeof(key))
		abort();
	is_made = true;
	return key;
}

uint64_t siphash(const uint8_t key[SIPHASH_KEY_BYTES], const void *bytes, size_t len)
{
	return finish(begin(key), bytes, len, 0);
}

uint64_t keyed_hash(uint64_t start, const void *bytes, size_t len)
{
	struct state s = begin(get_key());

	take_word(&s, start);
	return finish(s, bytes, len, WORD_BYTES);
}

uint64_t keyed_hash_text(uint64_t start, const char *text)
{
	return keyed_hash(start, text, strlen(text));
}
