/* See text.h. Properties and case mappings are libunistring's tables. */
#include "workers/utils/text.h"

#include <errno.h>
#include <unicase.h>
#include <unictype.h>
#include <unistr.h>

#include "shared/utf8.h"

typedef uint8_t *case_fn(const uint8_t *s, size_t n, const char *language, uninorm_t nf,
	uint8_t *result, size_t *length);

/* libunistring's mappings fail only for want of memory. */
static void map_case(case_fn *map, const char *text, size_t len, struct strbuf *out)
{
	size_t mapped_len = 0;
	auto_free uint8_t *mapped = NULL;

	if (len == 0)
		return;
	mapped = map((const uint8_t *)text, len, "", NULL, NULL, &mapped_len);
	if (!mapped)
		abort();
	strbuf_add(out, mapped, mapped_len);
}

void text_to_upper(const char *text, size_t len, struct strbuf *out)
{
	map_case(u8_toupper, text, len, out);
}

void text_to_lower(const char *text, size_t len, struct strbuf *out)
{
	map_case(u8_tolower, text, len, out);
}

/* The first code point of a valid text and its length; at least one byte is there. */
static size_t first_char(const char *text, size_t len, ucs4_t *ret)
{
	return (size_t)u8_mbtouc(ret, (const uint8_t *)text, len);
}

const char *text_trim(const char *text, size_t len, size_t *ret_len)
{
	const char *end = text + len;
	ucs4_t c;

	while (text < end) {
		size_t n = first_char(text, (size_t)(end - text), &c);

		if (!uc_is_property_white_space(c))
			break;
		text += n;
	}
	while (text < end) {
		const char *last = end - 1;

		while (last > text && ((unsigned char)*last & 0xc0) == 0x80)
			last--;
		(void)first_char(last, (size_t)(end - last), &c);
		if (!uc_is_property_white_space(c))
			break;
		end = last;
	}
	*ret_len = (size_t)(end - text);
	return text;
}

void text_reverse(const char *text, size_t len, struct strbuf *out)
{
	char *to = strbuf_reserve(out, len) + len;
	size_t n;

	*to = '\0';
	for (size_t i = 0; i < len; i += n) {
		n = utf8_next(text + i, len - i);
		to -= n;
		memcpy(to, text + i, n);
	}
	out->len += len;
}

void text_count(const char *text, size_t len, struct text_counts *ret)
{
	struct text_counts counts = { 0 };
	bool in_word = false;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		bool is_space;
		ucs4_t c;

		n = first_char(text + i, len - i, &c);
		is_space = uc_is_property_white_space(c);
		counts.words += !is_space && !in_word;
		in_word = !is_space;
		counts.chars++;
		counts.chars_no_spaces += c != ' ';
		counts.lines += c == '\n';
	}
	if (len && text[len - 1] != '\n')
		counts.lines++;
	*ret = counts;
}

int text_replace(const char *text, const char *old, const char *new_text, size_t max_bytes,
	struct strbuf *out, int64_t *ret_replacements)
{
	const char *end = text + strlen(text);
	size_t old_len = strlen(old);
	size_t new_len = strlen(new_text);
	int64_t n = 0;

	for (;;) {
		const char *hit = memmem(text, (size_t)(end - text), old, old_len);
		size_t before = (size_t)((hit ? hit : end) - text);
		size_t more = hit ? before + new_len : before;

		if (more > max_bytes - out->len)
			return -E2BIG;
		strbuf_add(out, text, before);
		if (!hit)
			break;
		strbuf_add(out, new_text, new_len);
		text = hit + old_len;
		n++;
	}
	*ret_replacements = n;
	return 0;
}
