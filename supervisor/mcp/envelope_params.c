/* The part of envelope.h about x-mcp-header: a tool's schema names arguments that HTTP clients repeat in
 * headers, so that who routes by a header and who runs the call cannot be told different things.
 *
 * The schema is walked where it has schemas: `default`, `const` and their like are data and may hold
 * anything. References are not followed.
 *
 * Source: MCP 2026-07-28 basic/transports/streamable-http "Custom Headers from Tool Parameters"; JSON
 * Schema 2020-12 core, section 10 (and draft 7 for `definitions`, `dependencies`, `additionalItems`). */
#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/quote.h"
#include "supervisor/mcp/envelope.h"

enum { MAX_FAULTS_SHOWN = 4, MAX_NAME_SHOWN = 200, BAD_REQUEST = 400 };

/* Where in a schema: the way up to its root, by names of properties while `is_reachable`. */
struct place {
	const struct place *up; /* NULL: the root */
	struct jspan name;      /* a string: of a property, or the keyword that leads away */
	bool is_reachable;
};

/* An annotation. Returns false to stop. */
typedef bool found_fn(
	const struct place *place, struct jspan schema, struct jspan annotation, void *arg);

enum shape { ONE_OR_LIST, MAP };

static const struct {
	const char *name;
	enum shape shape;
} keywords[] = { { "$defs", MAP }, { "additionalItems", ONE_OR_LIST },
	{ "additionalProperties", ONE_OR_LIST }, { "allOf", ONE_OR_LIST }, { "anyOf", ONE_OR_LIST },
	{ "contains", ONE_OR_LIST }, { "contentSchema", ONE_OR_LIST }, { "definitions", MAP },
	{ "dependencies", MAP }, { "dependentSchemas", MAP }, { "else", ONE_OR_LIST },
	{ "if", ONE_OR_LIST }, { "items", ONE_OR_LIST }, { "not", ONE_OR_LIST },
	{ "oneOf", ONE_OR_LIST }, { "patternProperties", MAP }, { "prefixItems", ONE_OR_LIST },
	{ "propertyNames", ONE_OR_LIST }, { "then", ONE_OR_LIST },
	{ "unevaluatedItems", ONE_OR_LIST }, { "unevaluatedProperties", ONE_OR_LIST } };

static bool walk(const struct place *place, struct jspan schema, found_fn *on_found, void *arg);

static bool walk_properties(
	const struct place *place, struct jspan properties, found_fn *on_found, void *arg)
{
	struct place below = { .up = place, .is_reachable = place->is_reachable };
	struct jspan schema = { 0 };
	size_t cursor = 0;

	if (jspan_type(properties) != JSPAN_OBJECT)
		return true;
	while (jspan_next(properties, &cursor, &below.name, &schema))
		if (!walk(&below, schema, on_found, arg))
			return false;
	return true;
}

/* What stands under another keyword: one schema, or several in an array or an object. */
static bool walk_keyword(const struct place *place, struct jspan keyword, enum shape shape,
	struct jspan value, found_fn *on_found, void *arg)
{
	struct place below = { .up = place, .name = keyword };
	struct jspan schema = { 0 };
	size_t cursor = 0;

	if (jspan_type(value) != JSPAN_ARRAY && shape != MAP)
		return walk(&below, value, on_found, arg);
	if (jspan_type(value) != JSPAN_ARRAY && jspan_type(value) != JSPAN_OBJECT)
		return true;
	while (jspan_next(value, &cursor, NULL, &schema))
		if (!walk(&below, schema, on_found, arg))
			return false;
	return true;
}

static bool walk_member(const struct place *place, struct jspan schema, struct jspan name,
	struct jspan value, found_fn *on_found, void *arg)
{
	if (jspan_is(name, "x-mcp-header"))
		return on_found(place, schema, value, arg);
	if (jspan_is(name, "properties"))
		return walk_properties(place, value, on_found, arg);
	for (size_t i = 0; i < N_ELEMENTS(keywords); i++)
		if (jspan_is(name, keywords[i].name))
			return walk_keyword(place, name, keywords[i].shape, value, on_found, arg);
	return true;
}

/* As deep as LIMIT_JSON_DEPTH at most. */
static bool walk(const struct place *place, struct jspan schema, found_fn *on_found, void *arg)
{
	struct jspan name = { 0 };
	struct jspan value = { 0 };
	size_t cursor = 0;

	if (jspan_type(schema) != JSPAN_OBJECT)
		return true;
	while (jspan_next(schema, &cursor, &name, &value))
		if (!walk_member(place, schema, name, value, on_found, arg))
			return false;
	return true;
}

static void walk_all(struct jspan input_schema, found_fn *on_found, void *arg)
{
	const struct place root = { .is_reachable = true };

	(void)walk(&root, input_schema, on_found, arg);
}

/* What looking for faults has found. */
struct survey {
	struct strbuf *out; /* NULL: nobody wants to read them */
	size_t n_faults;
	size_t n_names;
	struct strbuf names; /* of all annotations so far, with a NUL behind each */
};

static bool is_known(const struct survey *s, const char *name)
{
	for (size_t at = 0; at < s->names.len; at += strlen(s->names.data + at) + 1)
		if (strcasecmp(s->names.data + at, name) == 0)
			return true;
	return false;
}

static const char *judge_name(struct survey *s, struct jspan annotation)
{
	auto_strbuf name = { 0 };

	if (!jspan_get_str(annotation, &name))
		return "is no string";
	if (name.len == 0)
		return "is empty";
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_token(name.data[i]))
			return "is not fit for the name of an HTTP header";
	if (is_known(s, name.data))
		return "names a header that another property has (in any case)";
	if (s->n_names == MCP_HEADERS_PARAMS)
		return "is one too many, 32 is the most";
	strbuf_add(&s->names, name.data, name.len + 1);
	s->n_names++;
	return NULL;
}

static const char *judge_place(const struct place *place, struct jspan schema)
{
	struct jspan type = jspan_member(schema, "type", NULL);
	bool has_ref = jspan_member(schema, "$ref", NULL).at ||
		       jspan_member(schema, "$dynamicRef", NULL).at;

	if (!place->up)
		return "stands on the whole schema instead of a property";
	if (!place->is_reachable)
		return "stands where not only `properties` lead";
	if (has_ref)
		return "stands beside a $ref";
	if (!jspan_is(type, "string") && !jspan_is(type, "integer") && !jspan_is(type, "boolean"))
		return "stands on a type other than string, integer and boolean";
	return NULL;
}

/* "a.b", from the root; no longer than a reader needs. */
static void add_path(struct strbuf *out, const struct place *place)
{
	if (!place->up)
		return;
	add_path(out, place->up);
	if (out->len > MAX_NAME_SHOWN)
		return;
	if (out->len)
		strbuf_addc(out, '.');
	(void)jspan_get_str(place->name, out);
}

static void show_fault(struct survey *s, const struct place *place, const char *why)
{
	auto_strbuf path = { 0 };

	if (!s->out || s->n_faults >= MAX_FAULTS_SHOWN)
		return;
	add_path(&path, place);
	if (s->n_faults)
		strbuf_adds(s->out, "; ");
	strbuf_adds(s->out, "x-mcp-header of ");
	quote_add(s->out, strbuf_get(&path), path.len);
	strbuf_addf(s->out, " %s", why);
}

static bool on_judged(
	const struct place *place, struct jspan schema, struct jspan annotation, void *arg)
{
	struct survey *s = arg;
	const char *why = judge_place(place, schema);

	if (!why)
		why = judge_name(s, annotation);
	if (!why)
		return true;
	show_fault(s, place, why);
	s->n_faults++;
	return true;
}

/* Whether the text could hold the keyword, as it is or with its characters escaped. Most tools have
 * none, and are done with at once. */
static bool may_have_annotations(struct jspan schema)
{
	const char mark[] = "x-mcp-header";
	const char escape[] = "\\u00";

	return memmem(schema.at, schema.len, mark, strlen(mark)) ||
	       memmem(schema.at, schema.len, escape, strlen(escape));
}

static void survey_schema(struct jspan input_schema, struct survey *ret)
{
	if (!input_schema.at || !may_have_annotations(input_schema))
		return;
	if (input_schema.len > SCHEMA_HEADERS_BYTES) {
		ret->n_faults = 1;
		if (ret->out)
			strbuf_addf(ret->out,
				"a schema of more than %d bytes is not searched for x-mcp-header",
				SCHEMA_HEADERS_BYTES);
		return;
	}
	walk_all(input_schema, on_judged, ret);
	strbuf_done(&ret->names);
}

size_t schema_header_faults(struct jspan input_schema, struct strbuf *ret)
{
	struct survey s = { .out = ret };

	survey_schema(input_schema, &s);
	if (s.n_faults > MAX_FAULTS_SHOWN)
		strbuf_addf(ret, "; and %zu more", s.n_faults - MAX_FAULTS_SHOWN);
	return s.n_faults;
}

bool schema_has_headers(struct jspan input_schema)
{
	struct survey s = { 0 };

	survey_schema(input_schema, &s);
	return s.n_names > 0 && s.n_faults == 0;
}

/* One call under check. */
struct check {
	const struct mcp_headers *headers;
	struct jspan arguments;
	struct envelope_fault *fault;
	int r;
};

static struct jspan find_member(struct jspan object, struct jspan wanted, bool *is_twice)
{
	struct jspan found = { 0 };
	struct jspan name = { 0 };
	struct jspan value = { 0 };
	size_t cursor = 0;

	if (jspan_type(object) != JSPAN_OBJECT)
		return found;
	while (jspan_next(object, &cursor, &name, &value)) {
		if (!jspan_same(name, wanted))
			continue;
		*is_twice |= found.at != NULL;
		found = value;
	}
	return found;
}

/* The argument at the place of a property. */
static struct jspan find_argument(const struct place *place, struct jspan arguments, bool *is_twice)
{
	if (!place->up)
		return arguments;
	return find_member(find_argument(place->up, arguments, is_twice), place->name, is_twice);
}

static struct span find_header(const struct mcp_headers *headers, const char *name, bool *is_twice)
{
	struct span found = { 0 };

	for (size_t i = 0; i < headers->n_params; i++) {
		if (!span_is_nocase(headers->params[i].name, name))
			continue;
		*is_twice |= found.at != NULL;
		found = headers->params[i].value;
	}
	return found;
}

/* An argument that is an object or an array has no text that a header could repeat: the tool refuses
 * it, whatever is written there. */
static const char *compare(struct span header, struct jspan value)
{
	enum jspan_type type = jspan_type(value);

	if (type == JSPAN_NONE || type == JSPAN_NULL)
		return header.at ? "is there, but its argument is not" : NULL;
	if (!header.at)
		return type == JSPAN_OBJECT || type == JSPAN_ARRAY ? NULL : "is missing";
	return mcp_header_differs(header, value);
}

static bool on_checked(
	const struct place *place, struct jspan schema, struct jspan annotation, void *arg)
{
	struct check *check = arg;
	auto_strbuf name = { 0 };
	bool is_twice = false;
	struct jspan value;
	struct span header;
	const char *why;

	(void)jspan_get_str(annotation, &name);
	value = find_argument(place, check->arguments, &is_twice);
	header = find_header(check->headers, strbuf_get(&name), &is_twice);
	why = is_twice ? "or its argument comes twice" : compare(header, value);
	if (!why)
		return true;
	check->r = RPC_HEADER_MISMATCH;
	*check->fault = (struct envelope_fault){ .code = RPC_HEADER_MISMATCH,
		.status = BAD_REQUEST,
		.message = alloc_printf("Header mismatch: the header Mcp-Param-%.*s %s",
			MAX_NAME_SHOWN, strbuf_get(&name), why) };
	return false;
}

int envelope_check_params(struct jspan input_schema, struct jspan arguments,
	const struct mcp_headers *headers, struct envelope_fault *fault)
{
	struct check check = { .headers = headers, .arguments = arguments, .fault = fault };

	if (!headers || !headers->is_http || !schema_has_headers(input_schema))
		return 0;
	if (headers->is_overfull) {
		*fault = (struct envelope_fault){ .code = RPC_HEADER_MISMATCH,
			.status = BAD_REQUEST,
			.message = alloc_printf("Header mismatch: more than %d headers Mcp-Param",
				MCP_HEADERS_PARAMS) };
		return RPC_HEADER_MISMATCH;
	}
	walk_all(input_schema, on_checked, &check);
	return check.r;
}
