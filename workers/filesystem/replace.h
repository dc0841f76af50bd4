/* Replacing exact pieces of a text, by bytes: nothing that was not named changes, whatever encoding the
 * text has.
 *
 * An old text without a carriage return matches line ends of both kinds: each of its LF stands for LF
 * or CRLF. Line ends of the new text (LF without CR before it) become those of the lines that it
 * replaces, one after the other; where more come than there were, the last kind goes on; where none was
 * replaced, those of the line in which it is put. An old text with a carriage return is taken exactly
 * as it is, and so is what replaces it.
 *
 * Work is linear in the text for each edit. Source: tools.md section 7.5 and code_edit. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shared/strbuf.h"
#include "workers/common/failure.h"

struct replace_edit {
	const char *old_text; /* never empty */
	size_t old_len;
	const char *new_text;
	size_t new_len;
	bool all; /* every occurrence; else there must be exactly one */
};

/* Replaces in `text`, whose place takes the result: *ret_count times. On failure `text` is as before:
 * no_match (with the nearest line), ambiguous (with the lines of the matches), too_large (it would have
 * more than max_bytes). `nth` is the edit's number in messages. */
int replace_once(struct strbuf *text, const struct replace_edit *edit, size_t nth, size_t max_bytes,
	size_t *ret_count, struct failure *fail) must_check;
