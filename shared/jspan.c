/* See jspan.h. Two kinds of code live here: the checker, which believes nothing, and the readers
 * behind it, which may believe the grammar but never run past the end of their span.
 *
 * The checker is on the way of every message. It does not recurse (the stack of open brackets is one
 * bit each), allocates nothing, and passes plain text eight bytes at a time.
 *
 * Source: RFC 8259. */
#include "shared/jspan.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>

#include "shared/ascii.h"
#include "shared/limits.h"
#include "shared/utf8.h"

/* A byte repeated eight times. */
#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

enum { BITS_IN_WORD = 64, WORD_BYTES = 8, UTF8_MAX = 4, ESCAPE_U_LEN = 6 };

struct checker {
	const char *at;
	const char *end;
	unsigned depth;
	uint64_t is_object[LIMIT_JSON_DEPTH / BITS_IN_WORD]; /* a bit for each open bracket */
};

static_assert(LIMIT_JSON_DEPTH % BITS_IN_WORD == 0, "one bit for each level");

/* What the checker looks for next. */
enum next { NEXT_VALUE, NEXT_AFTER_VALUE, NEXT_NONE };

static inline size_t left(const char *at, const char *end)
{
	return (size_t)(end - at);
}

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && is_blank(*at))
		at++;
	return at;
}

/* The high bit of each byte that ends a run of plain text: a control character, a quote, a backslash,
 * or not ASCII. Only the lowest hit is exact, since a borrow can spoil what is above it. */
static inline uint64_t special_bytes(uint64_t word)
{
	uint64_t quotes = word ^ EIGHT('"');
	uint64_t backslashes = word ^ EIGHT('\\');

	return (word | (word - EIGHT(0x20)) | (quotes - EIGHT(1)) | (backslashes - EIGHT(1))) &
	       EIGHT(0x80);
}

static inline bool is_special(char c)
{
	return (unsigned char)c < 0x20 || (unsigned char)c >= 0x80 || c == '"' || c == '\\';
}

static inline const char *skip_plain(const char *at, const char *end)
{
	while (left(at, end) >= WORD_BYTES) {
		uint64_t word;
		uint64_t hits;

		memcpy(&word, at, sizeof(word));
		hits = special_bytes(le64toh(word));
		if (hits)
			return at + __builtin_ctzll(hits) / 8;
		at += WORD_BYTES;
	}
	while (at < end && !is_special(*at))
		at++;
	return at;
}

/* The code unit of "\uXXXX" at `at`, or -1 when that does not stand there. */
static int32_t code_unit(const char *at, const char *end)
{
	int32_t unit = 0;

	if (left(at, end) < ESCAPE_U_LEN || at[0] != '\\' || at[1] != 'u')
		return -1;
	for (size_t i = 2; i < ESCAPE_U_LEN; i++) {
		int digit = ascii_hex_value(at[i]);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static inline bool is_high_surrogate(int32_t unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static inline bool is_low_surrogate(int32_t unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

/* The length of the valid escape at a backslash; 0 when it is not valid. */
static size_t escape_length(const char *at, const char *end)
{
	int32_t unit;

	if (left(at, end) < 2)
		return 0;
	if (at[1] != 'u')
		return at[1] && strchr("\"\\/bfnrt", at[1]) ? 2 : 0;

	unit = code_unit(at, end);
	if (unit < 0 || is_low_surrogate(unit))
		return 0;
	if (!is_high_surrogate(unit))
		return ESCAPE_U_LEN;
	return is_low_surrogate(code_unit(at + ESCAPE_U_LEN, end)) ? (size_t)2 * ESCAPE_U_LEN : 0;
}

/* At the opening quote. */
static bool check_string(struct checker *c)
{
	c->at++;
	for (;;) {
		size_t len;

		c->at = skip_plain(c->at, c->end);
		if (c->at == c->end || (unsigned char)*c->at < 0x20)
			return false;
		if (*c->at == '"') {
			c->at++;
			return true;
		}
		len = *c->at == '\\' ? escape_length(c->at, c->end)
				     : utf8_next(c->at, left(c->at, c->end));
		if (!len)
			return false;
		c->at += len;
	}
}

static bool check_digits(struct checker *c)
{
	const char *from = c->at;

	while (c->at < c->end && ascii_is_digit(*c->at))
		c->at++;
	return c->at > from;
}

static bool take(struct checker *c, char wanted)
{
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

static bool check_number(struct checker *c)
{
	(void)take(c, '-');
	if (!take(c, '0') && !check_digits(c))
		return false;
	if (take(c, '.') && !check_digits(c))
		return false;
	if (take(c, 'e') || take(c, 'E')) {
		if (!take(c, '+'))
			(void)take(c, '-');
		return check_digits(c);
	}
	return true;
}

static bool check_word(struct checker *c, const char *word)
{
	for (; *word; word++)
		if (!take(c, *word))
			return false;
	return true;
}

static bool check_scalar(struct checker *c)
{
	switch (*c->at) {
	case '"':
		return check_string(c);
	case 't':
		return check_word(c, "true");
	case 'f':
		return check_word(c, "false");
	case 'n':
		return check_word(c, "null");
	default:
		return check_number(c);
	}
}

/* A member's name and the colon, with the blanks before, between and behind. */
static bool check_name(struct checker *c)
{
	c->at = skip_blanks(c->at, c->end);
	if (c->at == c->end || *c->at != '"' || !check_string(c))
		return false;
	c->at = skip_blanks(c->at, c->end);
	return take(c, ':');
}

static bool is_in_object(const struct checker *c)
{
	unsigned level = c->depth - 1;

	return (c->is_object[level / BITS_IN_WORD] >> (level % BITS_IN_WORD)) & 1;
}

static bool push(struct checker *c, bool is_object)
{
	uint64_t bit = UINT64_C(1) << (c->depth % BITS_IN_WORD);
	uint64_t *word;

	if (c->depth == LIMIT_JSON_DEPTH)
		return false;
	word = &c->is_object[c->depth / BITS_IN_WORD];
	*word = is_object ? *word | bit : *word & ~bit;
	c->depth++;
	return true;
}

/* At the first byte of a value: passes a scalar, or an opening bracket and a first name. */
static enum next check_value(struct checker *c)
{
	bool is_object = *c->at == '{';

	if (!is_object && *c->at != '[')
		return check_scalar(c) ? NEXT_AFTER_VALUE : NEXT_NONE;

	if (!push(c, is_object))
		return NEXT_NONE;
	c->at = skip_blanks(c->at + 1, c->end);
	if (take(c, is_object ? '}' : ']')) {
		c->depth--;
		return NEXT_AFTER_VALUE;
	}
	return is_object && !check_name(c) ? NEXT_NONE : NEXT_VALUE;
}

/* Behind a value inside brackets: passes a comma and a name, or the closing bracket. */
static enum next check_behind(struct checker *c)
{
	bool is_object = is_in_object(c);

	if (take(c, ','))
		return is_object && !check_name(c) ? NEXT_NONE : NEXT_VALUE;
	if (!take(c, is_object ? '}' : ']'))
		return NEXT_NONE;
	c->depth--;
	return NEXT_AFTER_VALUE;
}

/* One value, and the blanks before it. */
static bool check_one(struct checker *c)
{
	enum next next = NEXT_VALUE;

	while (next != NEXT_NONE) {
		if (next == NEXT_AFTER_VALUE && c->depth == 0)
			return true;
		c->at = skip_blanks(c->at, c->end);
		if (c->at == c->end)
			return false;
		next = next == NEXT_VALUE ? check_value(c) : check_behind(c);
	}
	return false;
}

int jspan_check(const char *text, size_t len, struct jspan *ret, size_t *ret_error_at)
{
	struct checker c = { 0 };
	const char *from;
	const char *to;
	bool ok;

	text = text ? text : "";
	c.at = text;
	c.end = text + len;
	from = skip_blanks(text, c.end);
	ok = check_one(&c);
	to = c.at;
	if (ok)
		c.at = skip_blanks(to, c.end);
	if (!ok || c.at < c.end) {
		if (ret_error_at)
			*ret_error_at = left(text, c.at);
		return -EBADMSG;
	}
	*ret = (struct jspan){ .at = from, .len = left(from, to) };
	return 0;
}

enum jspan_type jspan_type(struct jspan value)
{
	if (!value.at || value.len == 0)
		return JSPAN_NONE;
	switch (value.at[0]) {
	case '{':
		return JSPAN_OBJECT;
	case '[':
		return JSPAN_ARRAY;
	case '"':
		return JSPAN_STRING;
	case 't':
	case 'f':
		return JSPAN_BOOL;
	case 'n':
		return JSPAN_NULL;
	default:
		return JSPAN_NUMBER;
	}
}

/* From the opening quote to behind the closing one. A quote ends the string when an even number of
 * backslashes stands before it; each is counted once, so a text of backslashes is no trap. */
static const char *skip_string(const char *at, const char *end)
{
	const char *first = at + 1;

	while (++at < end) {
		const char *quote = memchr(at, '"', left(at, end));
		const char *before = quote;

		if (!quote)
			break;
		while (before > first && before[-1] == '\\')
			before--;
		at = quote;
		if ((quote - before) % 2 == 0)
			return quote + 1;
	}
	return end;
}

/* From the opening bracket to behind the closing one. */
static const char *skip_container(const char *at, const char *end)
{
	size_t depth = 0;

	while (at < end) {
		switch (*at) {
		case '"':
			at = skip_string(at, end);
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return at + 1;
			break;
		default:
			break;
		}
		at++;
	}
	return end;
}

static const char *skip_value(const char *at, const char *end)
{
	if (at == end)
		return end;
	if (*at == '"')
		return skip_string(at, end);
	if (*at == '{' || *at == '[')
		return skip_container(at, end);
	while (at < end && !is_blank(*at) && *at != ',' && *at != '}' && *at != ']')
		at++;
	return at;
}

bool jspan_next(struct jspan value, size_t *cursor, struct jspan *ret_name, struct jspan *ret_value)
{
	enum jspan_type type = jspan_type(value);
	const char *end;
	const char *at;
	const char *name_end;

	if (type != JSPAN_OBJECT && type != JSPAN_ARRAY)
		return false;
	end = value.at + value.len;
	at = skip_blanks(value.at + (*cursor ? *cursor : 1), end);
	if (*cursor && at < end && *at == ',')
		at = skip_blanks(at + 1, end);
	if (at >= end || *at == '}' || *at == ']')
		return false;

	if (type == JSPAN_OBJECT) {
		name_end = skip_string(at, end);
		if (ret_name)
			*ret_name = (struct jspan){ .at = at, .len = left(at, name_end) };
		at = skip_blanks(name_end, end);
		at = skip_blanks(at < end ? at + 1 : end, end); /* behind the colon */
	}
	ret_value->at = at;
	at = skip_value(at, end);
	ret_value->len = left(ret_value->at, at);
	*cursor = left(value.at, at);
	return true;
}

struct jspan jspan_member(struct jspan value, const char *name, bool *ret_twice)
{
	struct jspan found = { 0 };
	struct jspan member_name = { 0 };
	struct jspan member = { 0 };
	size_t cursor = 0;
	bool twice = false;

	if (jspan_type(value) == JSPAN_OBJECT) {
		while (jspan_next(value, &cursor, &member_name, &member)) {
			if (!jspan_is(member_name, name))
				continue;
			twice = found.at != NULL;
			if (twice)
				break;
			found = member;
		}
	}
	if (ret_twice)
		*ret_twice = twice;
	if (twice)
		found = (struct jspan){ 0 };
	return found;
}

static size_t utf8_encode(int32_t code, char ret[UTF8_MAX])
{
	if (code < 0x80) {
		ret[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		ret[0] = (char)(0xc0 | (code >> 6));
		ret[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		ret[0] = (char)(0xe0 | (code >> 12));
		ret[1] = (char)(0x80 | ((code >> 6) & 0x3f));
		ret[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	ret[0] = (char)(0xf0 | (code >> 18));
	ret[1] = (char)(0x80 | ((code >> 12) & 0x3f));
	ret[2] = (char)(0x80 | ((code >> 6) & 0x3f));
	ret[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* The character of the escape at *at, as UTF-8; moves *at behind it. */
static size_t unescape(const char **at, const char *end, char ret[UTF8_MAX])
{
	static const char letters[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	int32_t unit = code_unit(*at, end);
	int32_t low;
	const char *letter;

	if (unit < 0) {
		letter = left(*at, end) >= 2 ? strchr(letters, (*at)[1]) : NULL;
		ret[0] = '?'; /* only in a text that was not checked */
		if (letter)
			ret[0] = meanings[letter - letters];
		*at = left(*at, end) >= 2 ? *at + 2 : end;
		return 1;
	}
	*at += ESCAPE_U_LEN;
	low = is_high_surrogate(unit) ? code_unit(*at, end) : -1;
	if (is_low_surrogate(low)) {
		*at += ESCAPE_U_LEN;
		unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	}
	return utf8_encode(unit, ret);
}

/* The bytes of a string, unescaped, one by one. */
struct reader {
	const char *at;
	const char *end;
	char pending[UTF8_MAX];
	size_t n_pending;
	size_t n_given;
};

static struct reader reader_of(struct jspan string)
{
	return (struct reader){ .at = string.at + 1,
		.end = string.at + (string.len < 2 ? 1 : string.len - 1) };
}

/* -1: no more. */
static int read_byte(struct reader *r)
{
	if (r->n_given < r->n_pending)
		return (unsigned char)r->pending[r->n_given++];
	if (r->at >= r->end)
		return -1;
	if (*r->at != '\\')
		return (unsigned char)*r->at++;
	r->n_pending = unescape(&r->at, r->end, r->pending);
	r->n_given = 1;
	return (unsigned char)r->pending[0];
}

bool jspan_is(struct jspan value, const char *text)
{
	struct reader r;
	int byte;

	if (jspan_type(value) != JSPAN_STRING)
		return false;
	r = reader_of(value);
	while ((byte = read_byte(&r)) >= 0) {
		/* a NUL in the value never equals: `text` ends there */
		if (byte == 0 || byte != (unsigned char)*text)
			return false;
		text++;
	}
	return *text == '\0';
}

bool jspan_same(struct jspan a, struct jspan b)
{
	struct reader reader_a;
	struct reader reader_b;
	int byte;

	if (!a.at || !b.at)
		return false;
	if (a.len == b.len && memcmp(a.at, b.at, a.len) == 0)
		return true;
	if (jspan_type(a) != JSPAN_STRING || jspan_type(b) != JSPAN_STRING)
		return false;

	reader_a = reader_of(a);
	reader_b = reader_of(b);
	do {
		byte = read_byte(&reader_a);
		if (byte != read_byte(&reader_b))
			return false;
	} while (byte >= 0);
	return true;
}

bool jspan_is_integer(struct jspan value)
{
	size_t i = 0;

	if (jspan_type(value) != JSPAN_NUMBER)
		return false;
	if (value.at[0] == '-')
		i++;
	if (i == value.len)
		return false;
	for (; i < value.len; i++)
		if (!ascii_is_digit(value.at[i]))
			return false;
	return true;
}

bool jspan_get_u64(struct jspan value, uint64_t *ret)
{
	uint64_t number = 0;

	if (!jspan_is_integer(value))
		return false;
	for (size_t i = 0; i < value.len; i++) {
		uint64_t digit;

		if (!ascii_is_digit(value.at[i]))
			return false; /* the minus */
		digit = (uint64_t)(value.at[i] - '0');
		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret = number;
	return true;
}

bool jspan_get_bool(struct jspan value, bool *ret)
{
	if (jspan_type(value) != JSPAN_BOOL)
		return false;
	*ret = value.at[0] == 't';
	return true;
}

bool jspan_get_str(struct jspan value, struct strbuf *ret)
{
	struct reader r;

	if (jspan_type(value) != JSPAN_STRING)
		return false;
	r = reader_of(value);
	while (r.at < r.end) {
		const char *run_end = memchr(r.at, '\\', left(r.at, r.end));
		char character[UTF8_MAX];
		size_t len;

		if (!run_end)
			run_end = r.end;
		strbuf_add(ret, r.at, left(r.at, run_end));
		r.at = run_end;
		if (r.at == r.end)
			break;
		len = unescape(&r.at, r.end, character);
		strbuf_add(ret, character, len);
	}
	return true;
}

static void replace_all(char *text, size_t len, char what, char with)
{
	while (len > 0) {
		char *at = memchr(text, what, len);

		if (!at)
			return;
		*at++ = with;
		len -= left(text, at);
		text = at;
	}
}

void jspan_one_line(char *text, size_t len)
{
	replace_all(text, len, '\n', ' ');
	replace_all(text, len, '\r', ' ');
}
