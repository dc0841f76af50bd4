/* Positions in a JSON text: one strict validating pass, and looking members up without a tree.
 *
 * A span borrows the bytes it points into. Payloads go through the supervisor as spans: checked, but
 * never rebuilt. Strict means RFC 8259 with valid UTF-8 and without lone surrogates; nesting up to
 * LIMIT_JSON_DEPTH; no duplicate check (who needs one member asks jspan_member). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/strbuf.h"

struct jspan {
	const char *at; /* NULL: absent */
	size_t len;
};

enum jspan_type {
	JSPAN_NONE,
	JSPAN_OBJECT,
	JSPAN_ARRAY,
	JSPAN_STRING,
	JSPAN_NUMBER,
	JSPAN_BOOL,
	JSPAN_NULL,
};

/* Checks that `text` is exactly one JSON value (blanks around it allowed).
 * 0: *ret is the value without the blanks. -EBADMSG: not JSON; *ret_error_at (may be NULL) is the
 * offset of the first byte, escape or UTF-8 sequence that is wrong, `len` when the text is cut off. */
int jspan_check(const char *text, size_t len, struct jspan *ret, size_t *ret_error_at) must_check;

/* What follows expects spans of checked JSON. */
enum jspan_type jspan_type(struct jspan value);

/* The value of member `name` of an object; absent when `value` is no object or has no such member.
 * Names are compared after unescaping. With duplicates: absent, and *ret_twice (may be NULL) is true. */
struct jspan jspan_member(struct jspan value, const char *name, bool *ret_twice);

/* Steps through an object or an array: *cursor starts as 0. False at the end.
 * `ret_name` (may be NULL for an array) is the name as a string span, quotes included. */
bool jspan_next(
	struct jspan value, size_t *cursor, struct jspan *ret_name, struct jspan *ret_value);

/* A string equal to `text`, after unescaping. */
bool jspan_is(struct jspan value, const char *text);

bool jspan_same(struct jspan a, struct jspan b); /* equal strings (unescaped) or equal bytes */
bool jspan_is_integer(struct jspan value);       /* a number without fraction and exponent */
bool jspan_get_u64(struct jspan value, uint64_t *ret); /* digits only, no overflow */
bool jspan_get_bool(struct jspan value, bool *ret);

/* Appends the characters of a string, unescaped, as UTF-8 (may hold NUL). False: not a string. */
bool jspan_get_str(struct jspan value, struct strbuf *ret);

/* Turns raw line breaks into blanks: outside of strings, where checked JSON can have them only, they
 * mean the same. After that the text is one line, for SSE and for MCP's stdio framing. */
void jspan_one_line(char *text, size_t len);
