/* See base64.h. Groups of four characters are 24 bits; the last group may be shorter. */
#include "shared/base64.h"

#include <errno.h>
#include <stdint.h>

static const char alphabets[][65] = {
	[BASE64_PLAIN] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	[BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

void base64_encode(enum base64_kind kind, const void *bytes, size_t len, struct strbuf *buf)
{
	const char *alphabet = alphabets[kind];
	const unsigned char *in = bytes;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t bits = (uint32_t)in[i] << 16;
		char group[4] = { '=', '=', '=', '=' };

		if (n > 1)
			bits |= (uint32_t)in[i + 1] << 8;
		if (n > 2)
			bits |= in[i + 2];
		for (size_t k = 0; k <= n; k++)
			group[k] = alphabet[bits >> (18 - 6 * k) & 63];
		strbuf_add(buf, group, kind == BASE64_URL ? n + 1 : sizeof(group));
	}
}

/* The six bits of a character, -1: not in this alphabet. */
static int value_of(enum base64_kind kind, char c)
{
	const char *alphabet = alphabets[kind];

	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

/* How many of `len` characters are not padding. Padding is at most two, and completes a group. */
static size_t without_padding(const char *text, size_t len)
{
	size_t n = len;

	while (n > 0 && len - n < 2 && text[n - 1] == '=')
		n--;
	return len % 4 == 0 ? n : len;
}

/* Appends the bytes of a last group of `n` characters: two give one byte, three give two. */
static bool add_last(struct strbuf *buf, uint32_t bits, size_t n)
{
	uint32_t unused = n == 2 ? bits & 0xf : bits & 0x3;

	if (unused)
		return false;
	bits >>= n == 2 ? 4 : 2;
	if (n == 3)
		strbuf_addc(buf, (char)(bits >> 8));
	strbuf_addc(buf, (char)bits);
	return true;
}

/* The offset of what is wrong, -1: nothing. */
static ssize_t decode(enum base64_kind kind, const char *text, size_t len, struct strbuf *buf)
{
	size_t n = without_padding(text, len);
	uint32_t bits = 0;

	for (size_t i = 0; i < n; i++) {
		int value = value_of(kind, text[i]);

		if (value < 0)
			return (ssize_t)i;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 != 3)
			continue;
		strbuf_add(buf, (char[]){ (char)(bits >> 16), (char)(bits >> 8), (char)bits }, 3);
		bits = 0;
	}
	if (n % 4 == 1 || (kind == BASE64_PLAIN && len % 4 != 0))
		return (ssize_t)len;
	if (n % 4 != 0 && !add_last(buf, bits, n % 4))
		return (ssize_t)n - 1;
	return -1;
}

int base64_decode(enum base64_kind kind, const char *text, size_t len, struct strbuf *buf,
	size_t *ret_error_at)
{
	size_t before = buf->len;
	ssize_t wrong = decode(kind, text, len, buf);

	if (wrong < 0)
		return 0;
	strbuf_cut(buf, before);
	if (ret_error_at)
		*ret_error_at = (size_t)wrong;
	return -EBADMSG;
}
