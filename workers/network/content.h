/* The body of an answer as what the caller asked for: Markdown, text, the body itself, JSON. */
#pragma once

#include "workers/common/call.h"
#include "workers/common/failure.h"
#include "workers/network/exchange.h"
#include "workers/network/page.h"

enum content_format {
	CONTENT_MARKDOWN,
	CONTENT_TEXT,
	CONTENT_RAW,
	CONTENT_JSON,
};

/* The words of a tool's argument, in the order of the enum; NULL at the end. */
extern const char *const content_formats[];
enum content_format content_format(const char *word);

struct content {
	struct strbuf text; /* UTF-8 */
	char *type;  /* media type in lower case, without parameters; "" when none was sent */
	char *title; /* NULL: none */
	char charset[PAGE_CHARSET_SIZE];
};

#define auto_content auto_(content_done) struct content

void content_done(struct content *content);

/* Reads the body of an answer. `ret` is zeroed by the caller, and needs content_done() in any case.
 * -ECANCELED: the call was stopped; else a failure: unsupported_content (neither text nor JSON, XML,
 * JavaScript), bad_json. */
int content_read(struct call *call, const struct exchange *exchange, enum content_format format,
	struct content *ret, struct failure *fail) must_check;

/* Appends JSON that is known to be valid, with line breaks and indents of two; numbers, texts and
 * the order of members stay as they are. From CONTENT_INDENT_BYTES on it goes on in one line: a few
 * bytes deep down could be thousands with their indents. */
enum { CONTENT_INDENT_BYTES = 32 * 1024 * 1024 };
void content_indent_json(struct strbuf *out, const char *text, size_t len);
