/* See jsonc.h. The structure is read here; each single string, number and word goes through jspan_check(). */
#include "ctl/jsonc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/quote.h"

static const char bom[] = "\xef\xbb\xbf";

struct reader {
	struct jsonc *doc;
	size_t at;
	uint32_t room;
	struct fail *fail;
};

int jsonc_fail(const struct jsonc *doc, size_t at, struct fail *fail, const char *fmt, ...)
{
	auto_free char *words = NULL;
	int line = 1;
	int column = 1;
	va_list args;

	for (size_t i = 0; i < at && i < doc->len; i++) {
		if (doc->text[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)doc->text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	va_start(args, fmt);
	if (vasprintf(&words, fmt, args) < 0)
		abort();
	va_end(args);
	if (fail)
		fail->line = line;
	return fail_set(fail, -EINVAL, "%d:%d: %s", line, column, words);
}

size_t jsonc_comment_end(const char *text, size_t len, size_t at)
{
	const char *end;

	if (len - at < 2 || text[at] != '/')
		return at;
	if (text[at + 1] == '/') {
		end = memchr(text + at, '\n', len - at);
		at = end ? (size_t)(end - text) : len;
		return text[at - 1] == '\r' ? at - 1 : at;
	}
	if (text[at + 1] != '*')
		return at;
	end = memmem(text + at + 2, len - at - 2, "*/", 2);
	return end ? (size_t)(end - text) + 2 : SIZE_MAX;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Over blanks and comments. */
static int skip(struct reader *rd)
{
	const struct jsonc *doc = rd->doc;

	while (rd->at < doc->len) {
		size_t end;

		if (is_blank(doc->text[rd->at])) {
			rd->at++;
			continue;
		}
		end = jsonc_comment_end(doc->text, doc->len, rd->at);
		if (end == SIZE_MAX)
			return jsonc_fail(doc, rd->at, rd->fail, "this comment does not end");
		if (end == rd->at)
			return 0;
		rd->at = end;
	}
	return 0;
}

/* The next character; 0 at the end. */
static char peek(const struct reader *rd)
{
	if (rd->at >= rd->doc->len)
		return '\0';
	return rd->doc->text[rd->at];
}

static int fail_expected(struct reader *rd, const char *what)
{
	if (rd->at >= rd->doc->len)
		return jsonc_fail(
			rd->doc, rd->at, rd->fail, "the text ends where %s is expected", what);
	return jsonc_fail(rd->doc, rd->at, rd->fail, "%s is expected here", what);
}

static size_t string_end(const struct jsonc *doc, size_t at)
{
	for (at++; at < doc->len && doc->text[at] != '"'; at++) {
		if (doc->text[at] == '\\')
			at++;
	}
	return at < doc->len ? at + 1 : doc->len;
}

static size_t word_end(const struct jsonc *doc, size_t at)
{
	while (at < doc->len &&
		(ascii_is_letter(doc->text[at]) || ascii_is_digit(doc->text[at]) ||
			doc->text[at] == '-' || doc->text[at] == '+' || doc->text[at] == '.'))
		at++;
	return at;
}

/* A string, number or word from where the reader is. */
static int read_scalar(struct reader *rd, struct jspan *ret)
{
	const struct jsonc *doc = rd->doc;
	bool is_string = peek(rd) == '"';
	size_t end = is_string ? string_end(doc, rd->at) : word_end(doc, rd->at);
	size_t error_at = 0;

	if (end == rd->at)
		return fail_expected(rd, "a value");
	if (jspan_check(doc->text + rd->at, end - rd->at, ret, &error_at) < 0)
		return jsonc_fail(doc, rd->at + error_at, rd->fail, "%s",
			is_string ? "this string is not JSON" : "this is no JSON value");
	rd->at = end;
	return 0;
}

static int add_node(struct reader *rd, uint32_t *ret)
{
	struct jsonc *doc = rd->doc;

	if (doc->n >= JSONC_MAX_NODES)
		return jsonc_fail(doc, rd->at, rd->fail, "more than %d values", JSONC_MAX_NODES);
	if (doc->n == rd->room) {
		rd->room = rd->room ? rd->room * 2 : 64;
		doc->nodes = alloc_resize(doc->nodes, rd->room, sizeof(*doc->nodes));
	}
	*ret = doc->n++;
	doc->nodes[*ret] = (struct jsonc_node){ 0 };
	return 0;
}

static int read_value(struct reader *rd, uint32_t index, unsigned depth);

static int read_name(struct reader *rd, uint32_t index)
{
	struct jsonc_node *node = &rd->doc->nodes[index];
	struct jspan name = { 0 };
	int r;

	if (peek(rd) != '"')
		return fail_expected(rd, "a name in double quotes");
	node->name_at = (uint32_t)rd->at;
	r = read_scalar(rd, &name);
	node->name_end = (uint32_t)rd->at;
	if (r == 0)
		r = skip(rd);
	if (r < 0)
		return r;
	if (peek(rd) != ':')
		return fail_expected(rd, "a colon");
	rd->at++;
	return skip(rd);
}

static int read_child(struct reader *rd, bool is_member, unsigned depth, uint32_t *ret)
{
	int r = add_node(rd, ret);

	if (r == 0 && is_member)
		r = read_name(rd, *ret);
	if (r == 0)
		r = read_value(rd, *ret, depth);
	return r < 0 ? r : skip(rd);
}

static int read_children(struct reader *rd, bool is_object, unsigned depth)
{
	char close = is_object ? '}' : ']';

	if (depth > JSONC_MAX_DEPTH)
		return jsonc_fail(
			rd->doc, rd->at, rd->fail, "more than %d levels", JSONC_MAX_DEPTH);
	rd->at++;
	for (;;) {
		uint32_t child = 0;
		int r = skip(rd);

		if (r < 0)
			return r;
		if (peek(rd) == close)
			break;
		r = read_child(rd, is_object, depth, &child);
		if (r < 0)
			return r;
		if (peek(rd) == close)
			break;
		if (peek(rd) != ',')
			return fail_expected(rd, is_object ? "a comma or }" : "a comma or ]");
		rd->doc->nodes[child].comma = (uint32_t)rd->at++;
	}
	rd->at++;
	return 0;
}

static int read_value(struct reader *rd, uint32_t index, unsigned depth)
{
	struct jsonc *doc = rd->doc;
	size_t at = rd->at;
	enum jspan_type type = JSPAN_NONE;
	struct jspan scalar = { 0 };
	int r;

	if (peek(rd) == '{' || peek(rd) == '[') {
		type = peek(rd) == '{' ? JSPAN_OBJECT : JSPAN_ARRAY;
		r = read_children(rd, type == JSPAN_OBJECT, depth + 1);
	} else {
		r = read_scalar(rd, &scalar);
		if (r == 0)
			type = jspan_type(scalar);
	}
	if (r < 0)
		return r;
	doc->nodes[index].at = (uint32_t)at;
	doc->nodes[index].end = (uint32_t)rd->at;
	doc->nodes[index].type = type;
	doc->nodes[index].after = doc->n;
	return 0;
}

static int read_document(struct reader *rd)
{
	const struct jsonc *doc = rd->doc;
	uint32_t root = 0;
	int r;

	if (doc->len >= 3 && memcmp(doc->text, bom, 3) == 0)
		rd->at = 3;
	r = skip(rd);
	if (r < 0 || rd->at == doc->len)
		return r;
	r = read_child(rd, false, 0, &root);
	if (r < 0 || rd->at == doc->len)
		return r;
	return jsonc_fail(doc, rd->at, rd->fail, "something follows the end of the value");
}

int jsonc_parse(const char *text, size_t len, struct jsonc *ret, struct fail *fail)
{
	auto_(jsonc_done) struct jsonc doc = { .text = text, .len = len };
	struct reader rd = { .doc = &doc, .fail = fail };
	int r;

	if (len > JSONC_MAX_BYTES)
		return fail_set(fail, -EFBIG, "larger than 8 MiB");
	r = read_document(&rd);
	if (r < 0)
		return r;
	*ret = doc;
	doc = (struct jsonc){ 0 };
	return 0;
}

void jsonc_done(struct jsonc *doc)
{
	free(doc->nodes);
	*doc = (struct jsonc){ 0 };
}

uint32_t jsonc_first(const struct jsonc *doc, uint32_t parent)
{
	return parent + 1 < doc->nodes[parent].after ? parent + 1 : JSONC_NONE;
}

uint32_t jsonc_next(const struct jsonc *doc, uint32_t parent, uint32_t child)
{
	uint32_t next = doc->nodes[child].after;

	return next < doc->nodes[parent].after ? next : JSONC_NONE;
}

static struct jspan name_of(const struct jsonc *doc, const struct jsonc_node *node)
{
	return (struct jspan){ doc->text + node->name_at, node->name_end - node->name_at };
}

int jsonc_member(const struct jsonc *doc, uint32_t object, const char *name, uint32_t *ret,
	struct fail *fail)
{
	uint32_t found = JSONC_NONE;

	if (doc->nodes[object].type != JSPAN_OBJECT)
		return fail_set(fail, -ENOENT, "no object");
	for (uint32_t i = jsonc_first(doc, object); i != JSONC_NONE;
		i = jsonc_next(doc, object, i)) {
		const struct jsonc_node *node = &doc->nodes[i];

		if (!jspan_is(name_of(doc, node), name))
			continue;
		if (found != JSONC_NONE) {
			(void)jsonc_fail(doc, node->name_at, fail,
				"the name '%.100s' stands here a second time", name);
			return -EEXIST;
		}
		found = i;
	}
	if (found == JSONC_NONE)
		return fail_set(fail, -ENOENT, "no member '%.100s'", name);
	*ret = found;
	return 0;
}

/* --- a tree --- */

static json_t *number_of(struct jspan span)
{
	auto_free char *text = alloc_mem(span.at, span.len);
	json_t *number = json_loads(text, JSON_DECODE_ANY, NULL);

	/* What is out of the range of integers, and of real numbers. */
	if (!number)
		number = json_real(strtod(text, NULL));
	return number ? number : json_string(text);
}

static int add_member(const struct jsonc *doc, json_t *object, uint32_t index, struct fail *fail)
{
	const struct jsonc_node *node = &doc->nodes[index];
	auto_strbuf name = { 0 };
	char shown[QUOTE_SIZE];
	json_t *value;

	(void)jspan_get_str(name_of(doc, node), &name);
	if (memchr(strbuf_get(&name), '\0', name.len))
		return jsonc_fail(doc, node->name_at, fail, "a name with a NUL character in it");
	if (json_object_get(object, strbuf_get(&name)))
		return jsonc_fail(doc, node->name_at, fail, "the name %s stands here a second time",
			quote(shown, strbuf_get(&name)));
	value = jsonc_to_json(doc, index, fail);
	if (!value)
		return -EINVAL;
	(void)json_object_set_new_nocheck(object, strbuf_get(&name), value);
	return 0;
}

static json_t *container_of(const struct jsonc *doc, uint32_t parent, struct fail *fail)
{
	bool is_object = doc->nodes[parent].type == JSPAN_OBJECT;
	json_auto_t *container = is_object ? json_object() : json_array();

	for (uint32_t i = jsonc_first(doc, parent); i != JSONC_NONE;
		i = jsonc_next(doc, parent, i)) {
		json_t *item;

		if (is_object) {
			if (add_member(doc, container, i, fail) < 0)
				return NULL;
			continue;
		}
		item = jsonc_to_json(doc, i, fail);
		if (!item)
			return NULL;
		(void)json_array_append_new(container, item);
	}
	return TAKE(container);
}

json_t *jsonc_to_json(const struct jsonc *doc, uint32_t index, struct fail *fail)
{
	const struct jsonc_node *node = &doc->nodes[index];
	struct jspan span = { doc->text + node->at, node->end - node->at };
	auto_strbuf text = { 0 };
	bool is_true = false;

	switch (node->type) {
	case JSPAN_OBJECT:
	case JSPAN_ARRAY:
		return container_of(doc, index, fail);
	case JSPAN_STRING:
		(void)jspan_get_str(span, &text);
		return json_stringn_nocheck(strbuf_get(&text), text.len);
	case JSPAN_NUMBER:
		return number_of(span);
	case JSPAN_BOOL:
		(void)jspan_get_bool(span, &is_true);
		return json_boolean(is_true);
	case JSPAN_NULL:
	case JSPAN_NONE:
		break;
	}
	return json_null();
}
