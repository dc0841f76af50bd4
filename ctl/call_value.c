/* See call_value.h. */
#include "ctl/call_value.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>

#include "ctl/nearest.h"
#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/utf8.h"

enum { MAX_DEPTH = 8, MAX_PROPERTIES_SHOWN = 20 };

/* --- types ------------------------------------------------------------------------------------- */

enum kind {
	KIND_STRING = 1 << 0,
	KIND_INTEGER = 1 << 1,
	KIND_NUMBER = 1 << 2,
	KIND_BOOLEAN = 1 << 3,
	KIND_ARRAY = 1 << 4,
	KIND_OBJECT = 1 << 5,
	KIND_NULL = 1 << 6,
};

static const char *const kind_names[] = { "string", "integer", "number", "boolean", "array",
	"object", "null" };

static unsigned kind_named(const char *name)
{
	for (unsigned i = 0; name && i < N_ELEMENTS(kind_names); i++)
		if (streq(kind_names[i], name))
			return 1U << i;
	return 0;
}

static unsigned kind_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return KIND_STRING;
	case JSON_INTEGER:
		return KIND_INTEGER | KIND_NUMBER;
	case JSON_REAL:
		return floor(json_real_value(value)) == json_real_value(value)
			       ? KIND_INTEGER | KIND_NUMBER
			       : KIND_NUMBER;
	case JSON_TRUE:
	case JSON_FALSE:
		return KIND_BOOLEAN;
	case JSON_ARRAY:
		return KIND_ARRAY;
	case JSON_OBJECT:
		return KIND_OBJECT;
	case JSON_NULL:
		return KIND_NULL;
	}
	return 0;
}

/* "#/$defs/name", in the schema itself; NULL: not found. */
static json_t *follow_ref(json_t *root, const char *ref)
{
	json_t *at = root;

	if (!ref || strncmp(ref, "#/", 2) != 0)
		return NULL;
	for (ref += 2; *ref && at;) {
		size_t len = strcspn(ref, "/");
		auto_free char *name = alloc_mem(ref, len);

		at = json_object_get(at, name);
		ref += len + (ref[len] == '/');
	}
	return at;
}

static unsigned kinds_of(json_t *root, json_t *schema, unsigned depth);

/* Of any of the branches of anyOf and oneOf. */
static unsigned kinds_of_branches(json_t *root, json_t *branches, unsigned depth)
{
	unsigned kinds = 0;
	size_t i;
	json_t *branch;

	json_array_foreach(branches, i, branch)
		kinds |= kinds_of(root, branch, depth);
	return kinds;
}

/* 0: the schema does not say. */
static unsigned kinds_of(json_t *root, json_t *schema, unsigned depth)
{
	json_t *type = json_object_get(schema, "type");
	unsigned kinds = kind_named(json_string_value(type));
	size_t i;
	json_t *item;

	if (depth > MAX_DEPTH)
		return 0;
	json_array_foreach(type, i, item)
		kinds |= kind_named(json_string_value(item));
	json_array_foreach(json_object_get(schema, "enum"), i, item)
		kinds |= type ? 0 : kind_of(item);
	if (!kinds && json_object_get(schema, "const"))
		kinds = kind_of(json_object_get(schema, "const"));
	if (!kinds)
		kinds = kinds_of_branches(root, json_object_get(schema, "anyOf"), depth + 1) |
			kinds_of_branches(root, json_object_get(schema, "oneOf"), depth + 1);
	if (!kinds)
		kinds = kinds_of_branches(root, json_object_get(schema, "allOf"), depth + 1);
	if (!kinds && json_object_get(schema, "$ref"))
		kinds = kinds_of(root,
			follow_ref(root, json_string_value(json_object_get(schema, "$ref"))),
			depth + 1);
	return kinds;
}

static void add_kinds(struct strbuf *out, unsigned kinds)
{
	bool is_first = true;

	for (unsigned i = 0; i < N_ELEMENTS(kind_names); i++) {
		if (!(kinds & (1U << i)))
			continue;
		strbuf_addf(out, "%s%s", is_first ? "" : " or ", kind_names[i]);
		is_first = false;
	}
}

/* --- values ------------------------------------------------------------------------------------ */

static json_t *read_json(const char *what, const char *text, size_t len, struct fail *fail)
{
	json_error_t error;
	json_t *value = json_loadb(
		text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);

	if (!value)
		(void)fail_set(fail, -EINVAL, "%s: not JSON: %s (line %d, column %d)", what,
			error.text, error.line, error.column);
	return value;
}

static json_t *make_string(const char *what, const char *text, size_t len, struct fail *fail)
{
	json_t *value = utf8_valid(text, len) ? json_stringn(text, len) : NULL;

	if (!value)
		(void)fail_set(fail, -EINVAL, "%s: the text is not UTF-8", what);
	return value;
}

/* By what the schema allows; a text that may be a string and something else is the other one where it reads as
 * that: 5 is a number, "5" in quotes is a text. */
static json_t *make_value(
	const char *what, unsigned kinds, const char *text, size_t len, struct fail *fail)
{
	json_auto_t *value = NULL;
	auto_strbuf allowed = { 0 };

	if (kinds == 0)
		kinds = ~0U & ~(unsigned)KIND_NULL;
	if ((kinds & ~(unsigned)KIND_NULL) != KIND_STRING) {
		value = json_loadb(
			text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
		if (value && (kind_of(value) & kinds))
			return TAKE(value);
	}
	if (kinds & KIND_STRING)
		return make_string(what, text, len, fail);
	add_kinds(&allowed, kinds);
	(void)fail_set(fail, -EINVAL, "%s: '%.200s' is not of the type %s", what, text,
		strbuf_get(&allowed));
	return NULL;
}

static int read_file(const char *what, const char *path, struct strbuf *ret, struct fail *fail)
{
	auto_close int fd =
		streq(path, "-") ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r = fd < 0 ? -errno : fd_read_all(fd, LIMIT_LINE_BYTES, ret);

	if (r == -EFBIG)
		return fail_set(
			fail, r, "%s: '%s' has more than %d bytes", what, path, LIMIT_LINE_BYTES);
	return r < 0 ? fail_set(fail, r, "%s: cannot read '%s': %s", what, path, strerror(-r)) : 0;
}

/* --- names ------------------------------------------------------------------------------------- */

static bool takes_any_name(json_t *schema)
{
	const json_t *additional = json_object_get(schema, "additionalProperties");

	return !json_is_object(json_object_get(schema, "properties")) || json_is_true(additional) ||
	       json_is_object(additional) || json_object_get(schema, "patternProperties");
}

static int fail_unknown(json_t *properties, const char *name, struct fail *fail)
{
	struct nearest nearest = nearest_begin(name, strlen(name));
	auto_strbuf known = { 0 };
	unsigned n = 0;
	const char *key;
	json_t *value;

	json_object_foreach(properties, key, value) {
		nearest_offer(&nearest, key);
		if (n++ < MAX_PROPERTIES_SHOWN)
			strbuf_addf(&known, "%s%s", n > 1 ? ", " : "", key);
	}
	if (n > MAX_PROPERTIES_SHOWN)
		strbuf_adds(&known, ", …");
	if (n == 0)
		return fail_set(
			fail, -EINVAL, "there is no argument '%s': the tool takes none", name);
	if (nearest.best)
		return fail_set(fail, -EINVAL,
			"there is no argument '%s'; did you mean '%s'? Known: %s", name,
			nearest.best, strbuf_get(&known));
	return fail_set(
		fail, -EINVAL, "there is no argument '%s'; known: %s", name, strbuf_get(&known));
}

/* --- the words --------------------------------------------------------------------------------- */

/* The text that becomes the value, of the word or of a file. */
static int get_text(const char *name, const char *value, struct strbuf *ret, struct fail *fail)
{
	if (value[0] == '@')
		return read_file(name, value + 1, ret, fail);
	strbuf_adds(ret, value);
	return 0;
}

int call_value_add(json_t *args, json_t *schema, const char *word, struct fail *fail)
{
	const char *equals = strchr(word, '=');
	bool is_json = equals && equals > word && equals[-1] == ':';
	size_t len = equals ? (size_t)(equals - word) - is_json : 0;
	json_t *properties = json_object_get(schema, "properties");
	auto_free char *name = alloc_mem(word, len);
	auto_strbuf text = { 0 };
	json_auto_t *value = NULL;
	json_t *property;
	int r;

	if (len == 0 || !utf8_valid(name, len))
		return fail_set(fail, -EINVAL, "'%.200s' is not of the form name=value", word);
	if (json_object_get(args, name))
		return fail_set(fail, -EINVAL, "'%s' is given twice", name);
	property = json_object_get(properties, name);
	if (schema && !property && !takes_any_name(schema))
		return fail_unknown(properties, name, fail);
	r = get_text(name, equals + 1, &text, fail);
	if (r < 0)
		return r;
	if (is_json)
		value = read_json(name, strbuf_get(&text), text.len, fail);
	else if (equals[1] == '@' && !(kinds_of(schema, property, 0) & ~(unsigned)KIND_STRING))
		value = make_string(name, strbuf_get(&text), text.len, fail);
	else
		value = make_value(
			name, kinds_of(schema, property, 0), strbuf_get(&text), text.len, fail);
	if (!value)
		return -EINVAL;
	return json_object_set(args, name, value) == 0 ? 0 : fail_set(fail, -ENOMEM, "%s", name);
}

json_t *call_value_read(const char *text, struct fail *fail)
{
	static const char what[] = "--json-args";
	auto_strbuf read = { 0 };
	json_t *value;

	if (streq(text, "-")) {
		if (read_file(what, "-", &read, fail) < 0)
			return NULL;
	} else if (get_text(what, text, &read, fail) < 0) {
		return NULL;
	}
	value = read_json(what, strbuf_get(&read), read.len, fail);
	if (value && !json_is_object(value)) {
		(void)fail_set(fail, -EINVAL, "%s: an object is needed", what);
		json_decref(value);
		return NULL;
	}
	return value;
}
