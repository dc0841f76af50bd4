/* A growing text. Zero-initialised is empty; `data` is NULL until something was added, and has a NUL
 * behind its `len` bytes from then on. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>

#include "shared/cleanup.h"

struct strbuf {
	char *data;
	size_t len;
	size_t size;
};

#define auto_strbuf auto_(strbuf_done) struct strbuf

void strbuf_done(struct strbuf *buf);

/* Makes room for `more` bytes behind `len` (and a NUL); returns where they begin. */
char *strbuf_reserve(struct strbuf *buf, size_t more);

void strbuf_add(struct strbuf *buf, const void *bytes, size_t len);
void strbuf_adds(struct strbuf *buf, const char *text);
void strbuf_addc(struct strbuf *buf, char c);
void strbuf_addf(struct strbuf *buf, const char *fmt, ...) printf_like(2, 3);
void strbuf_addv(struct strbuf *buf, const char *fmt, va_list args) printf_like(2, 0);

/* Adds `len` bytes of UTF-8 as a JSON string, quotes included. */
void strbuf_add_json(struct strbuf *buf, const char *text, size_t len);

/* Forgets all that follows the first `len` bytes. */
void strbuf_cut(struct strbuf *buf, size_t len);

/* The text, "" when empty: borrowed until the next change. */
const char *strbuf_get(const struct strbuf *buf);

/* The text, "" when empty: yours to free; `buf` is empty afterwards. */
char *strbuf_take(struct strbuf *buf) must_check;
