/* Texts by Unicode's rules. All texts are valid UTF-8; characters are code points. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/strbuf.h"

/* Full case mapping, independent of any language: ß becomes SS, the last Σ of a word ς. */
void text_to_upper(const char *text, size_t len, struct strbuf *out);
void text_to_lower(const char *text, size_t len, struct strbuf *out);

/* The part of `text` without the white space at both ends; returns where it begins. */
const char *text_trim(const char *text, size_t len, size_t *ret_len);

void text_reverse(const char *text, size_t len, struct strbuf *out);

struct text_counts {
	int64_t words;
	int64_t chars;
	int64_t chars_no_spaces; /* without U+0020 */
	int64_t lines;           /* ends of lines, and a last one without an end */
};

void text_count(const char *text, size_t len, struct text_counts *ret);

/* Puts `new_text` in the place of each `old` (not empty), from left to right.
 * -E2BIG: the result would have more than `max_bytes`. */
int text_replace(const char *text, const char *old, const char *new_text, size_t max_bytes,
	struct strbuf *out, int64_t *ret_replacements) must_check;
