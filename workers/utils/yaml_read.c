/* YAML to JSON in two passes: libyaml's events become a tree in which an alias is a reference, then the
 * tree is written with aliases expanded. So a text of a few lines that expands to billions of nodes
 * costs no more than the limits of the second pass. Neither pass recurses. */
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <yaml.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "workers/utils/yaml.h"
#include "workers/utils/yaml_scalar.h"

enum node_kind { NODE_SCALAR, NODE_ALIAS, NODE_SEQUENCE, NODE_MAPPING };

/* Nodes are numbers; 0 is the document's root, so as `child` and `next` it means none. The children of
 * a mapping are names and values in turn. */
struct node {
	enum node_kind kind;
	bool is_open;    /* its end has not been read */
	uint32_t target; /* NODE_ALIAS */
	size_t at;       /* NODE_SCALAR: its JSON in reader.json */
	size_t len;
	uint32_t child;
	uint32_t next;
};

struct reader {
	yaml_parser_t parser;
	struct node *nodes;
	uint32_t n;
	uint32_t size;
	struct strbuf json;
	json_t *anchors; /* name: number of the node */
	uint32_t open[LIMIT_JSON_DEPTH];
	uint32_t last_child[LIMIT_JSON_DEPTH];
	unsigned depth;
	bool has_document;
	struct failure *fail;
};

static void reader_done(struct reader *r)
{
	yaml_parser_delete(&r->parser);
	free(r->nodes);
	strbuf_done(&r->json);
	json_decref(r->anchors);
}

static int fail_at(struct reader *r, yaml_mark_t mark, const char *words)
{
	return failure_set(r->fail, "bad_yaml", "line %zu, column %zu: %s", mark.line + 1,
		mark.column + 1, words);
}

static int fail_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "it cannot be read";

	if (p->error == YAML_READER_ERROR)
		return failure_set(
			r->fail, "bad_yaml", "at byte %zu: %s", p->problem_offset, problem);
	return failure_set(r->fail, "bad_yaml", "line %zu, column %zu: %s%s%s",
		p->problem_mark.line + 1, p->problem_mark.column + 1, problem,
		p->context ? " " : "", p->context ? p->context : "");
}

static uint32_t add_node(struct reader *r, enum node_kind kind)
{
	uint32_t *last;

	if (r->n == r->size) {
		r->size = r->size ? r->size * 2 : 64;
		r->nodes = alloc_resize(r->nodes, r->size, sizeof(*r->nodes));
	}
	r->nodes[r->n] = (struct node){ .kind = kind };
	if (r->depth > 0) {
		last = &r->last_child[r->depth - 1];
		if (*last)
			r->nodes[*last].next = r->n;
		else
			r->nodes[r->open[r->depth - 1]].child = r->n;
		*last = r->n;
	}
	return r->n++;
}

static void set_anchor(struct reader *r, const yaml_char_t *anchor, uint32_t node)
{
	if (anchor)
		json_object_set_new(r->anchors, (const char *)anchor, json_integer(node));
}

/* The part of a tag that YAML itself defines ("int"), NULL for other tags. */
static const char *core_tag(const yaml_char_t *tag)
{
	static const char prefix[] = "tag:yaml.org,2002:";

	if (streq((const char *)tag, "!"))
		return "str";
	return strncmp((const char *)tag, prefix, strlen(prefix)) == 0
		       ? (const char *)tag + strlen(prefix)
		       : NULL;
}

static int fail_tag(struct reader *r, const yaml_event_t *event, const yaml_char_t *tag)
{
	char quoted[QUOTE_SIZE];
	auto_free char *words =
		alloc_printf("the tag %s does not fit here, or JSON has nothing like it",
			quote(quoted, (const char *)tag));

	return fail_at(r, event->start_mark, words);
}

static bool tag_fits(const char *tag, enum yaml_kind kind)
{
	static const char *const names[] = { [YAML_KIND_STR] = "",
		[YAML_KIND_NULL] = "null",
		[YAML_KIND_BOOL] = "bool",
		[YAML_KIND_INT] = "int",
		[YAML_KIND_FLOAT] = "float",
		[YAML_KIND_NOT_FINITE] = "" };

	return streq(tag, names[kind]) || (streq(tag, "float") && kind == YAML_KIND_INT);
}

static int add_scalar(struct reader *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	const yaml_char_t *tag = event->data.scalar.tag;
	const char *core = tag ? core_tag(tag) : NULL;
	bool is_text = !tag && event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	enum yaml_kind kind = YAML_KIND_STR;
	size_t at = r->json.len;
	uint32_t node;

	if (tag && !core)
		return fail_tag(r, event, tag);
	if (core && (streq(core, "str") || streq(core, "binary") || streq(core, "timestamp")))
		is_text = true;
	if (!is_text)
		kind = yaml_resolve(text, len, &r->json);
	if (!is_text && core && !tag_fits(core, kind))
		return fail_tag(r, event, tag);
	if (kind == YAML_KIND_NOT_FINITE)
		return fail_at(r, event->start_mark, "JSON has no infinity and no NaN; quote it");
	if (kind == YAML_KIND_STR)
		strbuf_add_json(&r->json, text, len);
	node = add_node(r, NODE_SCALAR);
	r->nodes[node].at = at;
	r->nodes[node].len = r->json.len - at;
	set_anchor(r, event->data.scalar.anchor, node);
	return 0;
}

static int add_alias(struct reader *r, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	json_t *found = json_object_get(r->anchors, name);
	uint32_t target;
	uint32_t node;

	if (!found)
		return fail_at(
			r, event->start_mark, "the alias refers to an anchor that is not there");
	target = (uint32_t)json_integer_value(found);
	if (r->nodes[target].is_open)
		return fail_at(r, event->start_mark, "the alias refers to what it stands in");
	node = add_node(r, NODE_ALIAS); /* may move r->nodes */
	r->nodes[node].target = target;
	return 0;
}

static int open_node(struct reader *r, const yaml_event_t *event, enum node_kind kind,
	const yaml_char_t *tag, const yaml_char_t *anchor)
{
	const char *wanted = kind == NODE_MAPPING ? "map" : "seq";
	const char *core = tag ? core_tag(tag) : NULL;
	uint32_t node;

	if (tag && (!core || (!streq(core, wanted) && !streq((const char *)tag, "!"))))
		return fail_tag(r, event, tag);
	static_assert(LIMIT_JSON_DEPTH == 512, "the words below say so");
	if (r->depth == LIMIT_JSON_DEPTH)
		return fail_at(r, event->start_mark, "more than 512 levels");
	node = add_node(r, kind);
	r->nodes[node].is_open = true;
	set_anchor(r, anchor, node);
	r->open[r->depth] = node;
	r->last_child[r->depth] = 0;
	r->depth++;
	return 0;
}

/* What an alias stands for; any other node itself. */
static const struct node *resolve(const struct reader *r, uint32_t node)
{
	const struct node *n = &r->nodes[node];

	return n->kind == NODE_ALIAS ? &r->nodes[n->target] : n;
}

/* A name without quotes: the name null is that of "null". */
static struct jspan plain_name(const struct reader *r, uint32_t node)
{
	const struct node *n = resolve(r, node);
	const char *at = strbuf_get(&r->json) + n->at;

	return *at == '"' ? (struct jspan){ at + 1, n->len - 2 } : (struct jspan){ at, n->len };
}

static int compare_names(const void *a, const void *b, void *arg)
{
	struct jspan name_a = plain_name(arg, *(const uint32_t *)a);
	struct jspan name_b = plain_name(arg, *(const uint32_t *)b);
	size_t shorter = name_a.len < name_b.len ? name_a.len : name_b.len;
	int order = memcmp(name_a.at, name_b.at, shorter);

	return order ? order : (name_a.len > name_b.len) - (name_a.len < name_b.len);
}

/* Names of a mapping that was read: scalars, each only once. */
static int check_names(struct reader *r, uint32_t mapping, const yaml_event_t *event)
{
	auto_free uint32_t *names = NULL;
	size_t n = 0;

	for (uint32_t i = r->nodes[mapping].child; i; i = r->nodes[r->nodes[i].next].next) {
		if (resolve(r, i)->kind != NODE_SCALAR)
			return fail_at(r, event->start_mark,
				"in the mapping that ends here a name is no scalar");
		n++;
	}
	names = alloc_resize(NULL, n + 1, sizeof(*names));
	n = 0;
	for (uint32_t i = r->nodes[mapping].child; i; i = r->nodes[r->nodes[i].next].next)
		names[n++] = i;
	qsort_r(names, n, sizeof(*names), compare_names, r);
	for (size_t i = 1; i < n; i++) {
		char quoted[QUOTE_SIZE];
		auto_free char *name = NULL;
		auto_free char *words = NULL;
		struct jspan plain = plain_name(r, names[i]);

		if (compare_names(&names[i - 1], &names[i], r) != 0)
			continue;
		name = alloc_mem(plain.at, plain.len);
		words = alloc_printf("in the mapping that ends here the name %s stands twice",
			quote(quoted, name));
		return fail_at(r, event->start_mark, words);
	}
	return 0;
}

static int close_node(struct reader *r, const yaml_event_t *event)
{
	uint32_t node = r->open[--r->depth];

	r->nodes[node].is_open = false;
	return r->nodes[node].kind == NODE_MAPPING ? check_names(r, node, event) : 0;
}

static int on_event(struct reader *r, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->has_document)
			return fail_at(r, event->start_mark,
				"a second document begins; convert one at a time");
		r->has_document = true;
		return 0;
	case YAML_SCALAR_EVENT:
		return add_scalar(r, event);
	case YAML_ALIAS_EVENT:
		return add_alias(r, event);
	case YAML_SEQUENCE_START_EVENT:
		return open_node(r, event, NODE_SEQUENCE, event->data.sequence_start.tag,
			event->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT:
		return open_node(r, event, NODE_MAPPING, event->data.mapping_start.tag,
			event->data.mapping_start.anchor);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_node(r, event);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return 0;
}

static int read_events(struct reader *r)
{
	for (;;) {
		yaml_event_t event;
		bool at_end;
		int result;

		if (!yaml_parser_parse(&r->parser, &event))
			return fail_syntax(r);
		at_end = event.type == YAML_STREAM_END_EVENT;
		result = on_event(r, &event);
		yaml_event_delete(&event);
		if (result < 0 || at_end)
			return result;
	}
}

/* The second pass. */
struct expander {
	const struct reader *r;
	struct strbuf *out;
	const struct node *open[LIMIT_JSON_DEPTH]; /* sequences and mappings, aliases resolved */
	uint32_t child[LIMIT_JSON_DEPTH]; /* the child that was written last; 0: none yet */
	bool is_name[LIMIT_JSON_DEPTH];   /* that child is a name */
	unsigned depth;
	int n_nodes;
};

static void write_name(struct expander *e, uint32_t node)
{
	struct jspan plain = plain_name(e->r, node);

	strbuf_addc(e->out, '"');
	strbuf_add(e->out, plain.at, plain.len);
	strbuf_addc(e->out, '"');
}

/* A scalar, or the opening bracket of something that is written next. */
static int write_value(struct expander *e, uint32_t node)
{
	const struct node *n = resolve(e->r, node);

	if (n->kind == NODE_SCALAR) {
		strbuf_add(e->out, strbuf_get(&e->r->json) + n->at, n->len);
		return 0;
	}
	if (e->depth == LIMIT_JSON_DEPTH)
		return failure_set(e->r->fail, "bad_yaml",
			"with its aliases expanded it has more than %d levels", LIMIT_JSON_DEPTH);
	strbuf_addc(e->out, n->kind == NODE_MAPPING ? '{' : '[');
	e->open[e->depth] = n;
	e->child[e->depth] = 0;
	e->is_name[e->depth] = false;
	e->depth++;
	return 0;
}

/* Writes what comes next in the innermost sequence or mapping, or closes it. */
static int write_next(struct expander *e)
{
	unsigned level = e->depth - 1;
	const struct node *parent = e->open[level];
	uint32_t last = e->child[level];
	uint32_t node = last ? e->r->nodes[last].next : parent->child;
	bool is_mapping = parent->kind == NODE_MAPPING;

	if (!node) {
		strbuf_addc(e->out, is_mapping ? '}' : ']');
		e->depth--;
		return 0;
	}
	if (++e->n_nodes > YAML_MAX_NODES)
		return failure_set(e->r->fail, "too_large",
			"with its aliases expanded it has more than %d nodes", YAML_MAX_NODES);
	e->child[level] = node;
	e->is_name[level] = is_mapping && !e->is_name[level];
	if (e->is_name[level]) {
		strbuf_adds(e->out, last ? "," : "");
		write_name(e, node);
		return 0;
	}
	strbuf_adds(e->out, is_mapping ? ":" : (last ? "," : ""));
	return write_value(e, node);
}

static int expand(const struct reader *r, size_t max_bytes, struct strbuf *out)
{
	struct expander e = { .r = r, .out = out };
	int result;

	if (r->n == 0) {
		strbuf_adds(out, "null");
		return 0;
	}
	result = write_value(&e, 0);
	while (result == 0 && e.depth > 0) {
		result = write_next(&e);
		if (result == 0 && out->len > max_bytes)
			break;
	}
	if (result == 0 && out->len > max_bytes)
		return failure_set(
			r->fail, "too_large", "the JSON has more than %zu bytes", max_bytes);
	return result;
}

int yaml_to_compact_json(
	const char *text, size_t len, size_t max_bytes, struct strbuf *out, struct failure *fail)
{
	auto_(reader_done) struct reader r = { .fail = fail };

	if (!yaml_parser_initialize(&r.parser))
		return failure_set(fail, "internal", "there is not enough memory");
	r.anchors = json_object();
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	if (read_events(&r) < 0)
		return -EINVAL;
	return expand(&r, max_bytes, out);
}
