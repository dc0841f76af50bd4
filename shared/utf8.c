/* See utf8.h. */
#include "shared/utf8.h"

#include <stdint.h>

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* Whether `second` may follow `lead`: here overlong forms, surrogates and what is above U+10FFFF
 * are refused; the bytes behind it are all alike. */
static bool second_fits(unsigned char lead, unsigned char second)
{
	switch (lead) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return is_continuation(second);
	}
}

static size_t length_by_lead(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/* How many bytes from `bytes` on could belong to one code point; *ret_whole: they are one. At least 1. */
static size_t subpart(const char *bytes, size_t len, bool *ret_whole)
{
	const unsigned char *at = (const unsigned char *)bytes;
	size_t want = length_by_lead(at[0]);
	size_t n = 1;

	while (n < want && n < len && (n == 1 ? second_fits(at[0], at[1]) : is_continuation(at[n])))
		n++;
	*ret_whole = n == want;
	return n;
}

/* Eight bytes at a time while they are ASCII: nearly all text that we see. */
static size_t ascii_prefix(const char *bytes, size_t len)
{
	size_t i = 0;
	uint64_t word;

	for (; len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < len && (unsigned char)bytes[i] < 0x80)
		i++;
	return i;
}

/* The first byte that is not UTF-8, or len. */
static size_t valid_prefix(const char *bytes, size_t len)
{
	size_t i = 0;
	size_t n;

	for (;;) {
		i += ascii_prefix(bytes + i, len - i);
		n = utf8_next(bytes + i, len - i);
		if (n == 0)
			return i;
		i += n;
	}
}

size_t utf8_next(const char *bytes, size_t len)
{
	bool whole = false;
	size_t n = len ? subpart(bytes, len, &whole) : 0;

	return whole ? n : 0;
}

bool utf8_valid(const char *bytes, size_t len)
{
	return valid_prefix(bytes, len) == len;
}

size_t utf8_count(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += !is_continuation((unsigned char)text[i]);
	return n;
}

size_t utf8_cut(const char *text, size_t len, size_t max_chars)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (is_continuation((unsigned char)text[i]))
			continue;
		if (n++ == max_chars)
			return i;
	}
	return len;
}

void utf8_repair(struct strbuf *out, const char *bytes, size_t len)
{
	size_t n;
	bool whole;

	for (;;) {
		n = valid_prefix(bytes, len);
		strbuf_add(out, bytes, n);
		bytes += n;
		len -= n;
		if (len == 0)
			return;
		n = subpart(bytes, len, &whole);
		strbuf_adds(out, "\xef\xbf\xbd");
		bytes += n;
		len -= n;
	}
}
