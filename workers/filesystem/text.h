/* The encodings of text files: which one a file has, bytes to UTF-8, UTF-8 to bytes, and where its
 * lines end.
 *
 * Nothing is normalised: a byte order mark becomes U+FEFF and U+FEFF a byte order mark, line ends
 * stay as they are. Reading shows what it cannot decode as U+FFFD and says so; writing refuses what
 * it cannot encode. tools.md sections 7.5 and 7, code_read and code_write. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shared/strbuf.h"

enum text_encoding {
	TEXT_UTF_8,
	TEXT_UTF_16LE,
	TEXT_UTF_16BE,
	TEXT_LATIN1,
	TEXT_WINDOWS_1252,
	TEXT_SHIFT_JIS, /* as Windows has it (code page 932): 0x5c is a backslash */
	TEXT_UTF_32LE,  /* these two only by a byte order mark */
	TEXT_UTF_32BE,
};

enum {
	TEXT_LOOK_BYTES = 8192, /* of its beginning tell what a file is */
};

/* For .choices of a parameter: what can be written, and what can be read ("auto" at first). */
extern const char *const text_write_encodings[];
extern const char *const text_read_encodings[];

/* "utf-8" … */
const char *text_encoding_name(enum text_encoding encoding);

/* The encoding that a parameter's choice names; "auto": the one that the first bytes of the file
 * tell, UTF-16 or UTF-32 by a byte order mark, else UTF-8. */
enum text_encoding text_choose(const char *choice, const char *first, size_t len);

/* Whether the first bytes of a file (TEXT_LOOK_BYTES, or all) are those of a binary file: there is a
 * NUL, which no text has but in UTF-16 and UTF-32. */
bool text_is_binary(enum text_encoding encoding, const char *first, size_t len);

/* Bytes of a code unit: 1, 2 or 4. Units begin at multiples of it. */
size_t text_unit(enum text_encoding encoding);

/* Appends the text that `len` bytes stand for; *ret_lossy: there is a U+FFFD for what could not be
 * decoded. -EFBIG: the text has more than `max` bytes. -ENOTSUP: this system has no converter. After
 * an error `out` is as before. */
int text_decode(enum text_encoding encoding, const char *bytes, size_t len, size_t max,
	struct strbuf *out, bool *ret_lossy) must_check;

/* Appends the bytes of a text, so that decoding them gives exactly that text again.
 * -EILSEQ: *ret_error_at is the offset of the character that the encoding does not have (or that is
 * no UTF-8). -ENOTSUP: this system has no converter. After an error `out` is as before. */
int text_encode(enum text_encoding encoding, const char *text, size_t len, struct strbuf *out,
	size_t *ret_error_at) must_check;

/* How many lines end in these bytes of a file, which begin and end between units. */
size_t text_count_line_ends(enum text_encoding encoding, const char *bytes, size_t len);

/* Behind the first line end (LF, also as part of CRLF); 0: there is none. */
size_t text_after_line(enum text_encoding encoding, const char *bytes, size_t len);

/* Where the last line begins that ends (or is open) before `len`: behind the last line end, 0 when
 * there is none. */
size_t text_last_line(enum text_encoding encoding, const char *bytes, size_t len);

/* "lf", "crlf", "mixed", or "none" when no line of this text (UTF-8) ends. */
const char *text_line_ending(const char *text, size_t len);
