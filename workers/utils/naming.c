/* See naming.h. A text is cut into words, then each word is written in the style's case.
 *
 * Words are runs of letters, digits and the marks on them. A capital behind a small letter or a digit
 * begins a word, and so does the last capital of several before a small letter: parseHTTPReply is
 * parse, HTTP, Reply. An apostrophe inside a word does not end it. Slugs keep words whole at capitals
 * (JavaScript is one word), and take the marks off ASCII letters; other letters stay. */
#include "workers/utils/naming.h"

#include <errno.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "workers/utils/text.h"

enum { PART_BYTES = 65536 };

enum word_case { CASE_LOWER, CASE_UPPER, CASE_TITLE };

enum char_kind { KIND_BREAK, KIND_LOWER, KIND_UPPER, KIND_DIGIT, KIND_OTHER, KIND_APOSTROPHE };

static const struct style {
	const char *name;
	const char *between;
	enum word_case first;
	enum word_case rest;
	bool is_slug;
	bool keeps_apostrophes;
} styles[] = {
	{ "camel", "", CASE_LOWER, CASE_TITLE, false, false },
	{ "pascal", "", CASE_TITLE, CASE_TITLE, false, false },
	{ "snake", "_", CASE_LOWER, CASE_LOWER, false, false },
	{ "kebab", "-", CASE_LOWER, CASE_LOWER, false, false },
	{ "constant", "_", CASE_UPPER, CASE_UPPER, false, false },
	{ "title", " ", CASE_TITLE, CASE_TITLE, false, true },
	{ "slug", "-", CASE_LOWER, CASE_LOWER, true, false },
};

const char *const naming_styles[] = { "camel", "pascal", "snake", "kebab", "constant", "title",
	"slug", NULL };

struct splitter {
	const char *text;
	size_t len;
	size_t at;
	bool at_capitals;
};

static size_t char_at(const char *text, size_t len, ucs4_t *ret)
{
	return (size_t)u8_mbtouc(ret, (const uint8_t *)text, len);
}

static enum char_kind kind_of(ucs4_t c)
{
	if (c == '\'' || c == 0x2019)
		return KIND_APOSTROPHE;
	if (uc_is_property_lowercase(c))
		return KIND_LOWER;
	if (uc_is_property_uppercase(c) || uc_is_general_category(c, UC_CATEGORY_Lt))
		return KIND_UPPER;
	if (uc_is_general_category(c, UC_CATEGORY_N))
		return KIND_DIGIT;
	if (uc_is_general_category(c, UC_CATEGORY_L) || uc_is_general_category(c, UC_CATEGORY_M))
		return KIND_OTHER;
	return KIND_BREAK;
}

static bool is_mark(ucs4_t c)
{
	return uc_is_general_category(c, UC_CATEGORY_M);
}

static enum char_kind peek(const struct splitter *s, size_t at, size_t *ret_len, bool *ret_is_mark)
{
	ucs4_t c;

	if (at == s->len)
		return KIND_BREAK;
	*ret_len = char_at(s->text + at, s->len - at, &c);
	*ret_is_mark = is_mark(c);
	return kind_of(c);
}

/* The end of the word that begins at s->at. */
static size_t word_end(const struct splitter *s)
{
	enum char_kind last = KIND_BREAK;
	bool two_capitals = false; /* the last two letters are */
	bool has_letters = false;
	size_t last_at = s->at;
	size_t n = 0;

	for (size_t at = s->at;; at += n) {
		bool mark = false;
		enum char_kind kind = peek(s, at, &n, &mark);

		if (kind == KIND_BREAK)
			return at;
		if (mark)
			continue; /* belongs to the letter before it */
		if (s->at_capitals && kind == KIND_UPPER &&
			(last == KIND_LOWER || (last == KIND_DIGIT && has_letters)))
			return at;
		if (s->at_capitals && kind == KIND_LOWER && two_capitals)
			return last_at;
		two_capitals = kind == KIND_UPPER && last == KIND_UPPER;
		has_letters = has_letters || kind != KIND_DIGIT;
		last = kind;
		last_at = at;
	}
}

/* The next word; apostrophes at its ends are not part of it. */
static bool next_word(struct splitter *s, const char **ret_word, size_t *ret_len)
{
	size_t n = 0;
	bool mark;

	for (; s->at < s->len; s->at += n) {
		enum char_kind kind = peek(s, s->at, &n, &mark);

		if (kind != KIND_BREAK && kind != KIND_APOSTROPHE)
			break;
	}
	if (s->at == s->len)
		return false;
	*ret_word = s->text + s->at;
	*ret_len = word_end(s) - s->at;
	s->at += *ret_len;
	return true;
}

/* Appends without apostrophes, or without those at the end. */
static void add_letters(struct strbuf *out, const char *word, size_t len, bool keeps_apostrophes)
{
	size_t end = out->len;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		ucs4_t c;
		bool apostrophe;

		n = char_at(word + i, len - i, &c);
		apostrophe = kind_of(c) == KIND_APOSTROPHE;
		if (apostrophe && !keeps_apostrophes)
			continue;
		strbuf_add(out, word + i, n);
		if (!apostrophe)
			end = out->len;
	}
	strbuf_cut(out, end);
}

/* The first letter as a title's, the others small. */
static void add_titled(struct strbuf *out, const char *word, size_t len)
{
	size_t titled_len = 0;
	auto_free uint8_t *titled = NULL;
	ucs4_t c;
	size_t first = char_at(word, len, &c);

	titled = u8_totitle((const uint8_t *)word, first, "", NULL, NULL, &titled_len);
	if (!titled)
		abort();
	strbuf_add(out, titled, titled_len);
	text_to_lower(word + first, len - first, out);
}

static void add_word(struct strbuf *out, const char *word, size_t len, enum word_case word_case)
{
	if (len == 0)
		return;
	switch (word_case) {
	case CASE_LOWER:
		text_to_lower(word, len, out);
		break;
	case CASE_UPPER:
		text_to_upper(word, len, out);
		break;
	case CASE_TITLE:
		add_titled(out, word, len);
		break;
	}
}

/* The length of a part of the text that can be decomposed by itself: no mark stands behind it. */
static size_t part_length(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len) {
		ucs4_t c;
		size_t char_len = char_at(text + n, len - n, &c);

		if (n >= PART_BYTES && !is_mark(c) && uc_combining_class(c) == UC_CCC_NR)
			break;
		n += char_len;
	}
	return n;
}

/* Appends a part decomposed, without marks on ASCII letters. */
static void decompose(const char *text, size_t len, struct strbuf *out)
{
	auto_free uint8_t *parts = NULL;
	size_t n_parts = 0;
	bool on_ascii = false;
	size_t n;

	parts = u8_casefold((const uint8_t *)text, len, "", UNINORM_NFKD, NULL, &n_parts);
	if (!parts)
		abort();
	for (size_t i = 0; i < n_parts; i += n) {
		ucs4_t c;

		n = char_at((const char *)parts + i, n_parts - i, &c);
		if (is_mark(c) && on_ascii)
			continue;
		on_ascii = c < 0x80;
		strbuf_add(out, parts + i, n);
	}
}

/* é becomes e, ﬁ fi, ß ss; й and Hangul stay as they are. One character can become 18, so the work is
 * done in parts and ends with -E2BIG when there is more than can be wanted. */
static int simplify(const char *text, size_t len, size_t max_bytes, struct strbuf *out)
{
	auto_free uint8_t *whole = NULL;
	auto_strbuf kept = { 0 };
	size_t whole_len = 0;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = part_length(text + i, len - i);
		decompose(text + i, n, &kept);
		/* Composing makes it shorter, but hardly to less than a third. */
		if (kept.len > max_bytes * 3)
			return -E2BIG;
	}
	if (kept.len == 0)
		return 0;
	whole = u8_normalize(UNINORM_NFC, (const uint8_t *)kept.data, kept.len, NULL, &whole_len);
	if (!whole)
		abort();
	strbuf_add(out, whole, whole_len);
	return 0;
}

static const struct style *find_style(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(styles) - 1; i++)
		if (streq(styles[i].name, name))
			return &styles[i];
	return &styles[N_ELEMENTS(styles) - 1];
}

int naming_convert(
	const char *style_name, const char *text, size_t len, size_t max_bytes, struct strbuf *out)
{
	const struct style *style = find_style(style_name);
	struct splitter s = { .text = text, .len = len, .at_capitals = !style->is_slug };
	auto_strbuf simple = { 0 };
	auto_strbuf letters = { 0 };
	enum word_case word_case = style->first;
	const char *word;
	size_t word_len;

	if (style->is_slug) {
		if (simplify(text, len, max_bytes, &simple) < 0)
			return -E2BIG;
		s.text = strbuf_get(&simple);
		s.len = simple.len;
	}
	while (next_word(&s, &word, &word_len)) {
		if (out->len)
			strbuf_adds(out, style->between);
		strbuf_cut(&letters, 0);
		add_letters(&letters, word, word_len, style->keeps_apostrophes);
		add_word(out, strbuf_get(&letters), letters.len, word_case);
		if (out->len > max_bytes)
			return -E2BIG;
		word_case = style->rest;
	}
	return 0;
}
