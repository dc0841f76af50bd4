/* Secrets of ours in files: read whole, wiped when they are given up. They are never told to anybody but the
 * gateway, and what the gateway says is cleaned of them before it is shown. */
#pragma once

#include "shared/fail.h"
#include "shared/strbuf.h"

enum {
	SECRET_MAX_BYTES = 65536,
	SECRET_MARK_SIZE = 65,
};

/* Wipes and frees the text; NULL is fine. */
void secret_free(char *secret);
DEFINE_FREEP(char, secret_free)

/* The text of a file without blanks at its ends. *ret_is_open: others than its owner and its group may
 * read it. -EINVAL: empty, or control characters inside of one that is `one_line`. */
int secret_read(const char *path, bool one_line, char **ret, bool *ret_is_open, struct fail *fail)
	must_check;

/* SHA-256 of salt and text in hexadecimal digits: whether a secret changed can be seen, not what it is. */
void secret_mark(const char *salt, const char *text, char ret[SECRET_MARK_SIZE]);

/* A copy of foreign text fit to be shown: one line of printable UTF-8 of at most `max_chars`, without the
 * secrets (NULL ones are skipped). Yours to free. */
char *secret_clean(const char *text, size_t max_chars, const char *const *secrets, size_t n)
	must_check;
