/* See content.h. */
#include "workers/network/content.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/jspan.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "shared/utf8.h"

enum { LOOK_BYTES = 1024 }; /* of a body without a type */

const char *const content_formats[] = { "markdown", "text", "raw", "json", NULL };

enum content_format content_format(const char *word)
{
	enum content_format format = CONTENT_MARKDOWN;

	while (format < CONTENT_JSON && !streq(word, content_formats[format]))
		format++;

	return format;
}

void content_done(struct content *content)
{
	strbuf_done(&content->text);
	free(content->type);
	free(content->title);
}

static char *read_type(const char *value)
{
	size_t len = value ? strcspn(value, "; \t,") : 0;
	char *type = alloc_mem(value ? value : "", len);

	for (size_t i = 0; i < len; i++)
		type[i] = ascii_to_lower(type[i]);
	return type;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len >= strlen(end) && streq(text + len - strlen(end), end);
}

static bool is_html(const char *type)
{
	return streq(type, "text/html") || streq(type, "application/xhtml+xml");
}

static bool is_text(const char *type)
{
	static const char *const others[] = { "application/json", "application/xml",
		"application/javascript", "application/x-javascript", "application/ecmascript",
		"application/yaml", "application/x-yaml", "application/toml",
		"application/x-ndjson", "application/x-www-form-urlencoded", "application/sql",
		"application/graphql" };

	if (strncmp(type, "text/", 5) == 0 || ends_with(type, "+json") || ends_with(type, "+xml"))
		return true;
	for (size_t i = 0; i < N_ELEMENTS(others); i++)
		if (streq(type, others[i]))
			return true;

	return false;
}

/* A body without a type: text when it has no NUL, HTML when it starts as such. */
static const char *guess_type(const struct strbuf *body)
{
	static const char *const starts[] = { "<!doctype html", "<html", "<head", "<body" };
	const char *text = strbuf_get(body);
	size_t look = body->len < LOOK_BYTES ? body->len : LOOK_BYTES;
	size_t blanks = strspn(text, " \t\r\n");

	if (memchr(text, '\0', look))
		return "application/octet-stream";
	for (size_t i = 0; i < N_ELEMENTS(starts); i++)
		if (strncasecmp(text + blanks, starts[i], strlen(starts[i])) == 0)
			return "text/html";

	return "text/plain";
}

static int refuse_type(
	const struct content *content, const struct response *response, struct failure *fail)
{
	char quoted[QUOTE_SIZE];

	return failure_set(fail, "unsupported_content",
		"the answer is %s of %zu bytes. Only text, HTML, JSON, XML and JavaScript are "
		"returned.",
		quote(quoted, content->type), response->body.len);
}

static int convert(struct call *call, const struct exchange *exchange, enum page_format format,
	struct content *content, struct failure *fail)
{
	struct page page = { 0 };
	int r = page_convert(call, strbuf_get(&content->text), content->text.len,
		exchange_url(exchange)->text, format, &page, fail);

	if (r == 0) {
		strbuf_done(&content->text);
		content->text = page.text;
		page.text = (struct strbuf){ 0 };
		content->title = TAKE(page.title);
	}
	page_done(&page);
	return r;
}

/* JSON */

static void add_line(struct strbuf *out, size_t depth)
{
	if (out->len > CONTENT_INDENT_BYTES)
		return;
	strbuf_addc(out, '\n');
	for (size_t i = 0; i < depth; i++)
		strbuf_adds(out, "  ");
}

/* Behind the quote that ends the string which begins at `at`. */
static size_t string_end(const char *text, size_t len, size_t at)
{
	for (at++; at < len && text[at] != '"'; at++)
		at += text[at] == '\\';

	return at < len ? at + 1 : len;
}

static size_t skip_blanks(const char *text, size_t len, size_t at)
{
	while (at < len &&
		(text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n'))
		at++;

	return at;
}

/* A bracket that opens; right before the one that closes there is no line break. */
static size_t add_open(struct strbuf *out, const char *text, size_t len, size_t at, size_t *depth)
{
	size_t next = skip_blanks(text, len, at + 1);

	strbuf_addc(out, text[at]);
	if (next < len && (text[next] == ']' || text[next] == '}')) {
		strbuf_addc(out, text[next]);
		return next + 1;
	}
	++*depth;
	add_line(out, *depth);
	return at + 1;
}

void content_indent_json(struct strbuf *out, const char *text, size_t len)
{
	size_t depth = 0;
	size_t at = skip_blanks(text, len, 0);

	while (at < len) {
		size_t from = at;
		char c = text[at];

		if (c == '{' || c == '[') {
			at = add_open(out, text, len, at, &depth);
		} else if (c == '}' || c == ']') {
			depth -= depth > 0;
			add_line(out, depth);
			strbuf_addc(out, c);
			at++;
		} else if (c == ',') {
			strbuf_addc(out, c);
			add_line(out, depth);
			at++;
		} else if (c == ':') {
			strbuf_adds(out, ": ");
			at++;
		} else {
			at = c == '"' ? string_end(text, len, at)
				      : at + strcspn(text + at, " \t\r\n,:]}[{\"");
			strbuf_add(out, text + from, at - from);
		}
		at = skip_blanks(text, len, at);
	}
}

static int bad_json(const struct content *content, size_t at, struct failure *fail)
{
	const char *text = strbuf_get(&content->text);
	size_t line = 1;
	size_t start = 0; /* of the line */

	for (size_t i = 0; i < at; i++) {
		if (text[i] != '\n')
			continue;
		line++;
		start = i + 1;
	}
	return failure_set(fail, "bad_json",
		"the answer (%.60s) is not valid JSON of at most %d levels%s: line %zu, "
		"column %zu. Ask with format raw to see it.",
		*content->type ? content->type : "no content type", LIMIT_JSON_DEPTH,
		at == content->text.len ? ", it ends too soon" : "", line,
		utf8_count(text + start, at - start) + 1);
}

/* Checked without building it: a tree would take a hundred times the memory, and refuse large numbers. */
static int read_json(struct content *content, struct failure *fail)
{
	auto_strbuf out = { 0 };
	struct jspan value;
	size_t error_at = 0;

	if (jspan_check(strbuf_get(&content->text), content->text.len, &value, &error_at) < 0)
		return bad_json(content, error_at, fail);

	content_indent_json(&out, value.at, value.len);
	strbuf_done(&content->text);
	content->text = out;
	/* NOLINTNEXTLINE(clang-analyzer-deadcode.DeadStores): its clean-up reads it */
	out = (struct strbuf){ 0 };
	return 0;
}

int content_read(struct call *call, const struct exchange *exchange, enum content_format format,
	struct content *ret, struct failure *fail)
{
	const struct response *response = exchange_response(exchange);
	const char *header = response_header(response, "Content-Type");
	const char *type;

	ret->type = read_type(header);
	type = *ret->type ? ret->type : guess_type(&response->body);
	if (response->body.len > 0 && !is_html(type) && !is_text(type) && format != CONTENT_JSON)
		return refuse_type(ret, response, fail);

	(void)page_decode(
		header, strbuf_get(&response->body), response->body.len, &ret->text, ret->charset);
	if (format == CONTENT_JSON)
		return read_json(ret, fail);
	if (format == CONTENT_RAW || !is_html(type))
		return 0;

	return convert(
		call, exchange, format == CONTENT_TEXT ? PAGE_TEXT : PAGE_MARKDOWN, ret, fail);
}
