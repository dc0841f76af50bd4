/* A fetched page as text: which characters its bytes are, and HTML as Markdown or plain text. */
#pragma once

#include "shared/strbuf.h"
#include "workers/common/call.h"
#include "workers/common/failure.h"

enum { PAGE_CHARSET_SIZE = 32 };

enum page_format {
	PAGE_MARKDOWN,
	PAGE_TEXT, /* the same without marks */
};

/* Zeroed by the caller; page_done() in any case. */
struct page {
	char *title;        /* NULL: none */
	struct strbuf text; /* UTF-8, no line break at its end */
	char charset[PAGE_CHARSET_SIZE];
};

void page_done(struct page *page);

/* Appends the body as valid UTF-8 without NUL, and says which encoding it was in ("utf-8"): by its byte
 * order mark, the charset of its content type (may be NULL), what it says of itself in its first KiB,
 * else UTF-8 if it is that, else windows-1252. Bytes without a meaning become U+FFFD. Returns 0. */
int page_decode(const char *content_type, const void *body, size_t len, struct strbuf *utf8,
	char ret_charset[PAGE_CHARSET_SIZE]);

/* HTML (UTF-8, as page_decode() gives it) as `format`: sets title and text of *ret. `base_url` is where it
 * came from. Any input ends in bounded time and memory: where its HTML is too much for the parser, the
 * rest follows without tags, behind a line that says so.
 * -EINVAL: a failure; -ECANCELED: the call was stopped, answer with call_fail_stopped(). */
int page_convert(struct call *call, const char *html, size_t len, const char *base_url,
	enum page_format format, struct page *ret, struct failure *fail) must_check;
