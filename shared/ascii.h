/* Kinds of characters, whatever the locale. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The value of a hexadecimal digit; -1: it is none. */
static inline int ascii_hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The bytes that 2 * n hexadecimal digits stand for; false: there are not so many. */
static inline bool ascii_hex_bytes(const char *hex, size_t n, uint8_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		int high = ascii_hex_value(hex[2 * i]);
		int low = high < 0 ? -1 : ascii_hex_value(hex[2 * i + 1]);

		if (low < 0)
			return false;
		ret[i] = (uint8_t)(high * 16 + low);
	}
	return true;
}

static inline char ascii_to_lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');

	return c;
}

/* tchar of RFC 9110 section 5.6.2: what names of header fields and methods are made of. */
static inline bool ascii_is_token(char c)
{
	return c && (ascii_is_digit(c) || ascii_is_letter(c) || strchr("!#$%&'*+-.^_`|~", c));
}

/* What no line of HTTP may hold. A tab may stand in values, and bytes above ASCII are the sender's. */
static inline bool ascii_is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}
