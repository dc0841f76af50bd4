/* See jsonc_edit.h.
 *
 * A new member comes behind the last one, and behind the comments that stand in the line of that one; it gets
 * the indentation of its neighbours and a trailing comma where they have one. Taking it out is the same
 * backwards. */
#include "ctl/jsonc_edit.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/jx.h"

enum {
	SHORT_LINE = 72,
	LOOKED_AT =
		64, /* values, for the indentation: each may be far from the start of its line */
};

/* How something is written: over several lines, each with `indent` and then a `unit` more for each level
 * below; or all in one. */
struct style {
	bool is_one_line;
	const char *eol;
	const char *indent;
	const char *unit;
};

/* --- writing values --- */

static void break_line(struct strbuf *out, const struct style *style, unsigned depth)
{
	strbuf_adds(out, style->eol);
	strbuf_adds(out, style->indent);
	for (unsigned i = 0; i < depth; i++)
		strbuf_adds(out, style->unit);
}

static void add_name(struct strbuf *out, const char *name)
{
	strbuf_add_json(out, name, strlen(name));
	strbuf_adds(out, ": ");
}

static void add_value(struct strbuf *out, const struct style *style, unsigned depth, json_t *value);

/* The comma and the blank or line break before an item, or before the end. */
static void separate(struct strbuf *out, const struct style *style, unsigned depth, bool is_first)
{
	if (!is_first)
		strbuf_addc(out, ',');
	if (!style->is_one_line)
		break_line(out, style, depth);
	else if (!is_first)
		strbuf_addc(out, ' ');
}

static void add_object(
	struct strbuf *out, const struct style *style, unsigned depth, json_t *object)
{
	bool is_first = true;
	const char *name;
	json_t *value;

	strbuf_addc(out, '{');
	json_object_foreach(object, name, value) {
		separate(out, style, depth + 1, is_first);
		is_first = false;
		add_name(out, name);
		add_value(out, style, depth + 1, value);
	}
	if (!is_first && !style->is_one_line)
		break_line(out, style, depth);
	strbuf_addc(out, '}');
}

static bool is_short(json_t *array)
{
	auto_strbuf text = { 0 };

	jx_dump(&text, array);
	return text.len <= SHORT_LINE;
}

static void add_array(struct strbuf *out, const struct style *style, unsigned depth, json_t *array)
{
	struct style inner = *style;

	inner.is_one_line = style->is_one_line || is_short(array);
	strbuf_addc(out, '[');
	for (size_t i = 0; i < json_array_size(array); i++) {
		separate(out, &inner, depth + 1, i == 0);
		add_value(out, &inner, depth + 1, json_array_get(array, i));
	}
	if (json_array_size(array) && !inner.is_one_line)
		break_line(out, &inner, depth);
	strbuf_addc(out, ']');
}

static void add_value(struct strbuf *out, const struct style *style, unsigned depth, json_t *value)
{
	if (json_is_object(value))
		add_object(out, style, depth, value);
	else if (json_is_array(value))
		add_array(out, style, depth, value);
	else
		jx_dump(out, value);
}

void jsonc_print(struct strbuf *out, json_t *value)
{
	add_value(out, &(struct style){ .eol = "\n", .indent = "", .unit = "  " }, 0, value);
}

/* --- how the file is written --- */

static bool is_indent(char c)
{
	return c == ' ' || c == '\t';
}

static size_t line_start(const struct jsonc *doc, size_t at)
{
	while (at > 0 && doc->text[at - 1] != '\n')
		at--;
	if (at == 0 && doc->len >= 3 && (unsigned char)doc->text[0] == 0xef)
		at = 3; /* the byte order mark */
	return at;
}

/* The blanks that begin the line of `at`: yours. */
static char *indent_of(const struct jsonc *doc, size_t at)
{
	size_t from = line_start(doc, at);
	size_t end = from;

	while (end < at && is_indent(doc->text[end]))
		end++;
	return alloc_mem(doc->text + from, end - from);
}

static bool begins_line(const struct jsonc *doc, size_t at)
{
	size_t from = line_start(doc, at);

	if (from == 0 || doc->text[from - 1] != '\n')
		return false;
	while (from < at && is_indent(doc->text[from]))
		from++;
	return from == at;
}

/* The first byte that is no blank within the line. */
static size_t skip_indent(const struct jsonc *doc, size_t at)
{
	while (at < doc->len && is_indent(doc->text[at]))
		at++;
	return at;
}

static bool ends_line(const struct jsonc *doc, size_t at)
{
	at = skip_indent(doc, at);
	if (at < doc->len && doc->text[at] == '\r')
		at++;
	return at == doc->len || doc->text[at] == '\n';
}

static const char *eol_of(const struct jsonc *doc)
{
	const char *end = memchr(doc->text, '\n', doc->len);

	return end && end > doc->text && end[-1] == '\r' ? "\r\n" : "\n";
}

/* What the members of this object are indented by beyond the line in which it begins; NULL: that cannot be
 * seen. */
static char *unit_of_object(const struct jsonc *doc, uint32_t object)
{
	uint32_t child = jsonc_first(doc, object);
	auto_free char *outer = indent_of(doc, doc->nodes[object].at);
	auto_free char *inner = NULL;
	size_t len = strlen(outer);

	if (child == JSONC_NONE || !begins_line(doc, doc->nodes[child].name_at))
		return NULL;
	inner = indent_of(doc, doc->nodes[child].name_at);
	if (strncmp(inner, outer, len) != 0 || !inner[len])
		return NULL;
	return alloc_str(inner + len);
}

static char *unit_of(const struct jsonc *doc, uint32_t object)
{
	char *unit = doc->n ? unit_of_object(doc, object) : NULL;

	for (uint32_t i = 0; !unit && i < doc->n && i < LOOKED_AT; i++) {
		if (doc->nodes[i].type == JSPAN_OBJECT)
			unit = unit_of_object(doc, i);
	}
	return unit ? unit : alloc_str("  ");
}

/* --- changing --- */

/* A new text in the making: what was taken over so far, and up to where. */
struct edit {
	const struct jsonc *doc;
	struct strbuf *out;
	size_t taken;
};

static void take_until(struct edit *edit, size_t at)
{
	strbuf_add(edit->out, edit->doc->text + edit->taken, at - edit->taken);
	edit->taken = at;
}

static void take_rest(struct edit *edit)
{
	take_until(edit, edit->doc->len);
}

static void drop_until(struct edit *edit, size_t at)
{
	edit->taken = at;
}

/* Behind the comments that stand in the line of `at`. *ret_is_line: the last of them ends with its line. */
static size_t behind_comments(const struct jsonc *doc, size_t at, bool *ret_is_line)
{
	size_t found = at;

	*ret_is_line = false;
	for (;;) {
		size_t next = skip_indent(doc, found);
		size_t end = jsonc_comment_end(doc->text, doc->len, next);

		if (end == next || end == SIZE_MAX || memchr(doc->text + next, '\n', end - next))
			return found;
		*ret_is_line = doc->text[next + 1] == '/';
		found = end;
	}
}

/* Behind the last comment that begins between `at` and `until`; `at`: there is none. */
static size_t last_comment(const struct jsonc *doc, size_t at, size_t until, bool *ret_is_line)
{
	size_t found = at;

	*ret_is_line = false;
	while (at < until) {
		size_t end = jsonc_comment_end(doc->text, doc->len, at);

		if (end > at && end != SIZE_MAX) {
			*ret_is_line = doc->text[at + 1] == '/';
			found = end;
			at = end;
		} else {
			at++;
		}
	}
	return found;
}

static uint32_t last_child(const struct jsonc *doc, uint32_t parent)
{
	uint32_t last = JSONC_NONE;

	for (uint32_t i = jsonc_first(doc, parent); i != JSONC_NONE; i = jsonc_next(doc, parent, i))
		last = i;
	return last;
}

static void append_member(struct edit *edit, uint32_t object, const char *name, json_t *value)
{
	const struct jsonc *doc = edit->doc;
	const struct jsonc_node *last = &doc->nodes[last_child(doc, object)];
	bool has_line_comment = false;
	size_t at = behind_comments(
		doc, last->comma ? (size_t)last->comma + 1 : last->end, &has_line_comment);
	auto_free char *outer = indent_of(doc, doc->nodes[object].at);
	auto_free char *unit = unit_of(doc, object);
	auto_free char *indent = begins_line(doc, last->name_at)
					 ? indent_of(doc, last->name_at)
					 : alloc_printf("%s%s", outer, unit);
	struct style style = { .is_one_line = !begins_line(doc, last->name_at) && !has_line_comment,
		.eol = eol_of(doc),
		.indent = indent,
		.unit = unit };

	if (!last->comma) {
		take_until(edit, last->end);
		strbuf_addc(edit->out, ',');
	}
	take_until(edit, at);
	if (style.is_one_line)
		strbuf_addc(edit->out, ' ');
	else
		break_line(edit->out, &style, 0);
	add_name(edit->out, name);
	add_value(edit->out, &style, 0, value);
	if (last->comma)
		strbuf_addc(edit->out, ',');
}

static void fill_object(struct edit *edit, uint32_t object, const char *name, json_t *value)
{
	const struct jsonc *doc = edit->doc;
	size_t close = doc->nodes[object].end - 1;
	bool has_line_comment = false;
	size_t at = last_comment(doc, (size_t)doc->nodes[object].at + 1, close, &has_line_comment);
	bool has_break = memchr(doc->text + at, '\n', close - at) != NULL;
	auto_free char *outer = indent_of(doc, doc->nodes[object].at);
	auto_free char *unit = unit_of(doc, object);
	auto_free char *indent = alloc_printf("%s%s", outer, unit);
	struct style style = { .is_one_line = object > 0 && !memchr(doc->text, '\n', close),
		.eol = eol_of(doc),
		.indent = indent,
		.unit = unit };

	take_until(edit, at);
	if (!style.is_one_line)
		break_line(edit->out, &style, 0);
	add_name(edit->out, name);
	add_value(edit->out, &style, 0, value);
	style.indent = outer;
	if (!style.is_one_line && !has_break)
		break_line(edit->out, &style, 0);
}

static void add_member(struct edit *edit, uint32_t object, const char *name, json_t *value)
{
	if (jsonc_first(edit->doc, object) == JSONC_NONE)
		fill_object(edit, object, name, value);
	else
		append_member(edit, object, name, value);
}

static void replace_value(struct edit *edit, uint32_t index, json_t *value)
{
	const struct jsonc *doc = edit->doc;
	const struct jsonc_node *node = &doc->nodes[index];
	auto_free char *indent = indent_of(doc, node->name_at);
	auto_free char *unit = unit_of(doc, 0);
	struct style style = { .is_one_line = !begins_line(doc, node->name_at),
		.eol = eol_of(doc),
		.indent = indent,
		.unit = unit };

	take_until(edit, node->at);
	add_value(edit->out, &style, 0, value);
	drop_until(edit, node->end);
}

/* `value` below the names: {"a": {"b": value}}. */
static json_t *wrap(const char *const *names, json_t *value)
{
	json_t *inner = json_incref(value);
	size_t n = 0;

	while (names[n])
		n++;
	for (; n > 0; n--)
		inner = json_pack("{s:o}", names[n - 1], inner);
	return inner;
}

static void write_new(struct edit *edit, const char *const *path, json_t *value)
{
	const struct jsonc *doc = edit->doc;
	struct style style = { .eol = eol_of(doc), .indent = "", .unit = "  " };
	json_auto_t *whole = wrap(path, value);

	take_rest(edit);
	if (doc->len && !ends_line(doc, line_start(doc, doc->len)))
		strbuf_adds(edit->out, style.eol);
	add_value(edit->out, &style, 0, whole);
	strbuf_adds(edit->out, style.eol);
}

/* As far as there are objects: *ret is the last of them, *path what is to be found in it, NULL behind the
 * end. -ENOENT: **path is not there. */
static int walk(const struct jsonc *doc, const char *const **path, uint32_t *ret, struct fail *fail)
{
	uint32_t index = 0;

	for (; **path; (*path)++) {
		uint32_t next = JSONC_NONE;
		int r;

		*ret = index;
		if (doc->nodes[index].type != JSPAN_OBJECT)
			return jsonc_fail(
				doc, doc->nodes[index].at, fail, "an object is expected here");
		r = jsonc_member(doc, index, **path, &next, fail);
		if (r < 0)
			return r == -EEXIST ? -EINVAL : r;
		index = next;
	}
	*ret = index;
	return 0;
}

int jsonc_find(const struct jsonc *doc, const char *const *path, uint32_t *ret, struct fail *fail)
{
	uint32_t found = 0;
	int r;

	if (doc->n == 0)
		return fail_set(fail, -ENOENT, "the file is empty");
	r = walk(doc, &path, &found, fail);
	if (r == 0)
		*ret = found;
	return r;
}

int jsonc_set(const struct jsonc *doc, const char *const *path, json_t *value, struct strbuf *ret,
	struct fail *fail)
{
	struct edit edit = { .doc = doc, .out = ret };
	uint32_t found = 0;
	int r;

	if (doc->n == 0) {
		write_new(&edit, path, value);
		return 0;
	}
	r = walk(doc, &path, &found, fail);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT) {
		json_auto_t *whole = wrap(path + 1, value);

		add_member(&edit, found, *path, whole);
	} else {
		replace_value(&edit, found, value);
	}
	take_rest(&edit);
	return 0;
}

/* What is left of a text that ends a line must not slip into the comment before it. */
static void cut(struct edit *edit, size_t from, size_t until, bool is_line_comment)
{
	take_until(edit, from);
	drop_until(edit, until);
	if (is_line_comment && !ends_line(edit->doc, until))
		strbuf_adds(edit->out, eol_of(edit->doc));
}

static uint32_t child_before(const struct jsonc *doc, uint32_t parent, uint32_t child)
{
	uint32_t before = JSONC_NONE;

	for (uint32_t i = jsonc_first(doc, parent); i != child; i = jsonc_next(doc, parent, i))
		before = i;
	return before;
}

/* The end of the blanks from `at` on, if they end with the object. */
static size_t blanks_until_close(const struct jsonc *doc, size_t at)
{
	size_t end = at;

	while (end < doc->len && strchr(" \t\r\n", doc->text[end]) && doc->text[end])
		end++;
	return end < doc->len && doc->text[end] == '}' ? end : at;
}

static void remove_member(struct edit *edit, uint32_t object, uint32_t child)
{
	const struct jsonc *doc = edit->doc;
	const struct jsonc_node *node = &doc->nodes[child];
	uint32_t before = child_before(doc, object, child);
	size_t open = (size_t)doc->nodes[object].at + 1;
	size_t from = before == JSONC_NONE ? open : (size_t)doc->nodes[before].comma + 1;
	size_t until = node->comma ? (size_t)node->comma + 1 : node->end;
	bool is_line_comment = false;
	size_t cut_from = last_comment(doc, from, node->name_at, &is_line_comment);

	if (before != JSONC_NONE && !node->comma) {
		take_until(edit, from - 1);
		drop_until(edit, from);
	}
	if (before == JSONC_NONE && cut_from == open && node->after == doc->nodes[object].after)
		until = blanks_until_close(doc, until);
	cut(edit, cut_from, until, is_line_comment);
}

int jsonc_unset(
	const struct jsonc *doc, const char *const *path, struct strbuf *ret, struct fail *fail)
{
	struct edit edit = { .doc = doc, .out = ret };
	uint32_t found = 0;
	uint32_t parent = 0;
	int r = jsonc_find(doc, path, &found, fail);

	if (r < 0)
		return r;
	if (found == 0)
		return fail_set(fail, -ENOENT, "no member");
	for (uint32_t i = 0; i < found; i++) {
		if (doc->nodes[i].after > found)
			parent = i; /* the innermost that holds it is the last */
	}
	remove_member(&edit, parent, found);
	take_rest(&edit);
	return 0;
}
