/* Texts for bytes and back: base64, hexadecimal, percent signs, HTML.
 *
 * Decoders are strict: what the encoding does not know is an error, with its place. HTML is the
 * exception: like a browser, it leaves alone what is no character reference. */
#pragma once

#include "shared/strbuf.h"

/* Appends `len` bytes in `encoding`, one of encoding_names. */
void encoding_encode_bytes(const char *encoding, const void *bytes, size_t len, struct strbuf *buf);

/* Appends the bytes that the text stands for.
 * -EBADMSG: *ret_error_at is the offset of the first byte of `text` that is wrong, or `len`. */
int encoding_decode_text(const char *encoding, const char *text, size_t len, struct strbuf *buf,
	size_t *ret_error_at) must_check;

/* Which character, counted from 1, begins at byte `at` of a UTF-8 text: for error texts. */
size_t encoding_position(const char *text, size_t at);

extern const char *const encoding_names[]; /* NULL at the end */
