/* See json_tree.h. The text is checked first (shared/jspan.h); the reader behind it may believe the
 * grammar. Nothing recurses: open brackets are a stack as deep as the checker lets them be. */
#include "workers/utils/json_tree.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "shared/utf8.h"

struct builder {
	struct json_tree *tree;
	const char *at;
	struct jspan name; /* read, its value not yet */
	struct {
		uint32_t node;
		uint32_t last_child;
	} open[LIMIT_JSON_DEPTH];
	unsigned depth;
	bool sort;
	struct failure *fail;
};

/* Puts "line 1, column 2: " in front of the words that are there. */
static int fail_at(struct failure *fail, const char *text, size_t at)
{
	size_t line = 1;
	size_t from = 0;

	for (size_t i = 0; i < at; i++) {
		if (text[i] != '\n')
			continue;
		line++;
		from = i + 1;
	}
	return failure_prefix(
		fail, "line %zu, column %zu: ", line, utf8_count(text + from, at - from) + 1);
}

/* How many brackets are open before `at`. */
static unsigned depth_at(const char *text, size_t at)
{
	bool in_string = false;
	unsigned depth = 0;

	for (size_t i = 0; i < at; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string && (text[i] == '[' || text[i] == '{'))
			depth++;
		else if (!in_string && (text[i] == ']' || text[i] == '}'))
			depth--;
	}
	return depth;
}

static int fail_syntax(struct failure *fail, const char *text, size_t len, size_t at)
{
	auto_strbuf quoted = { 0 };

	if (at >= len) {
		failure_set(fail, "bad_json", "the text ends where more is expected");
	} else if ((text[at] == '[' || text[at] == '{') && depth_at(text, at) >= LIMIT_JSON_DEPTH) {
		failure_set(fail, "bad_json", "more than %d levels", LIMIT_JSON_DEPTH);
	} else {
		quote_add(&quoted, text + at, utf8_next(text + at, len - at));
		failure_set(fail, "bad_json", "%s cannot stand here", strbuf_get(&quoted));
	}
	return fail_at(fail, text, at);
}

struct jspan json_tree_value(const struct json_tree *tree, uint32_t node)
{
	const struct json_node *n = &tree->nodes[node];

	return (struct jspan){ .at = tree->text + n->at, .len = n->len };
}

struct jspan json_tree_name(const struct json_tree *tree, uint32_t node)
{
	const struct json_node *n = &tree->nodes[node];

	return (struct jspan){ .at = tree->text + n->name_at, .len = n->name_len };
}

static uint32_t add_node(struct builder *b)
{
	struct json_tree *tree = b->tree;
	struct json_node *node;

	if (tree->n == tree->size) {
		tree->size = tree->size ? tree->size * 2 : 64;
		tree->nodes = alloc_resize(tree->nodes, tree->size, sizeof(*tree->nodes));
	}
	node = &tree->nodes[tree->n];
	*node = (struct json_node){ .at = (uint32_t)(b->at - tree->text) };
	if (b->name.at) {
		node->name_at = (uint32_t)(b->name.at - tree->text);
		node->name_len = (uint32_t)b->name.len;
		b->name = (struct jspan){ 0 };
	}
	return tree->n++;
}

static void link_node(struct builder *b, uint32_t node)
{
	uint32_t *last;

	if (b->depth == 0)
		return;
	last = &b->open[b->depth - 1].last_child;
	if (*last)
		b->tree->nodes[*last].next = node;
	else
		b->tree->nodes[b->open[b->depth - 1].node].child = node;
	*last = node;
}

/* Behind the string that begins at `at`. */
static const char *skip_string(const char *at)
{
	for (at++; *at != '"'; at++)
		if (*at == '\\')
			at++;
	return at + 1;
}

static int compare_names(const void *a, const void *b, void *arg)
{
	const struct json_tree *tree = arg;
	const uint32_t node_a = *(const uint32_t *)a;
	const uint32_t node_b = *(const uint32_t *)b;
	struct jspan name_a = json_tree_name(tree, node_a);
	struct jspan name_b = json_tree_name(tree, node_b);
	auto_strbuf plain_a = { 0 };
	auto_strbuf plain_b = { 0 };
	size_t shorter;
	int order;

	if (memchr(name_a.at, '\\', name_a.len) || memchr(name_b.at, '\\', name_b.len)) {
		(void)jspan_get_str(name_a, &plain_a);
		(void)jspan_get_str(name_b, &plain_b);
		name_a = (struct jspan){ .at = strbuf_get(&plain_a), .len = plain_a.len };
		name_b = (struct jspan){ .at = strbuf_get(&plain_b), .len = plain_b.len };
	} else {
		name_a = (struct jspan){ .at = name_a.at + 1, .len = name_a.len - 2 };
		name_b = (struct jspan){ .at = name_b.at + 1, .len = name_b.len - 2 };
	}
	shorter = name_a.len < name_b.len ? name_a.len : name_b.len;
	order = memcmp(name_a.at, name_b.at, shorter);
	if (order == 0)
		order = (name_a.len > name_b.len) - (name_a.len < name_b.len);
	if (order == 0)
		order = (node_a > node_b) - (node_a < node_b);
	return order;
}

static int fail_twice(struct builder *b, uint32_t node)
{
	struct jspan name = json_tree_name(b->tree, node);
	auto_strbuf plain = { 0 };
	auto_strbuf quoted = { 0 };

	(void)jspan_get_str(name, &plain);
	quote_add(&quoted, strbuf_get(&plain), plain.len);
	failure_set(
		b->fail, "bad_json", "the name %s stands twice in one object", strbuf_get(&quoted));
	return fail_at(b->fail, b->tree->text, (size_t)(name.at - b->tree->text));
}

/* The members of an object that was closed: each name once, and in order where that is wanted. */
static int check_members(struct builder *b, uint32_t object)
{
	struct json_node *nodes = b->tree->nodes;
	auto_free uint32_t *members = NULL;
	uint32_t *link;
	size_t n = 0;

	for (uint32_t i = nodes[object].child; i; i = nodes[i].next)
		n++;
	if (n < 2)
		return 0;
	members = alloc_resize(NULL, n, sizeof(*members));
	n = 0;
	for (uint32_t i = nodes[object].child; i; i = nodes[i].next)
		members[n++] = i;
	qsort_r(members, n, sizeof(*members), compare_names, b->tree);
	for (size_t i = 1; i < n; i++)
		if (jspan_same(json_tree_name(b->tree, members[i - 1]),
			    json_tree_name(b->tree, members[i])))
			return fail_twice(b, members[i]);
	if (!b->sort)
		return 0;
	link = &nodes[object].child;
	for (size_t i = 0; i < n; i++) {
		*link = members[i];
		link = &nodes[members[i]].next;
	}
	*link = 0;
	return 0;
}

static int close_bracket(struct builder *b)
{
	uint32_t node = b->open[--b->depth].node;
	struct json_node *n = &b->tree->nodes[node];

	b->at++;
	n->len = (uint32_t)(b->at - b->tree->text) - n->at;
	return b->tree->text[n->at] == '{' ? check_members(b, node) : 0;
}

static void read_value(struct builder *b)
{
	uint32_t node = add_node(b);

	link_node(b, node);
	if (*b->at == '{' || *b->at == '[') {
		b->open[b->depth].node = node;
		b->open[b->depth].last_child = 0;
		b->depth++;
		b->at++;
		return;
	}
	if (*b->at == '"')
		b->at = skip_string(b->at);
	else
		b->at += strcspn(b->at, ",]} \t\r\n");
	b->tree->nodes[node].len = (uint32_t)(b->at - b->tree->text) - b->tree->nodes[node].at;
}

static bool wants_name(const struct builder *b)
{
	const struct json_node *n;

	if (b->depth == 0 || b->name.at)
		return false;
	n = &b->tree->nodes[b->open[b->depth - 1].node];
	return b->tree->text[n->at] == '{';
}

static int build(struct builder *b)
{
	for (;;) {
		b->at += strspn(b->at, " \t\r\n,:");
		if (*b->at == '\0')
			return 0;
		if (*b->at == '}' || *b->at == ']') {
			int r = close_bracket(b);

			if (r < 0)
				return r;
		} else if (wants_name(b)) {
			b->name.at = b->at;
			b->at = skip_string(b->at);
			b->name.len = (size_t)(b->at - b->name.at);
		} else {
			read_value(b);
		}
	}
}

int json_tree_parse(
	struct json_tree *tree, const char *text, size_t len, bool sort, struct failure *fail)
{
	struct builder b = { .tree = tree, .at = text, .sort = sort, .fail = fail };
	struct jspan whole;
	size_t error_at = 0;

	*tree = (struct json_tree){ .text = text };
	if (len > UINT32_MAX)
		return failure_set(fail, "too_large", "the text has more than 4 GiB");
	if (jspan_check(text, len, &whole, &error_at) < 0)
		return fail_syntax(fail, text, len, error_at);
	return build(&b);
}

void json_tree_done(struct json_tree *tree)
{
	free(tree->nodes);
	*tree = (struct json_tree){ 0 };
}

struct printer {
	const struct json_tree *tree;
	struct strbuf *out;
	unsigned indent;
	unsigned depth;
	uint32_t open[LIMIT_JSON_DEPTH]; /* objects and arrays whose bracket is not yet closed */
};

static void new_line(struct printer *p)
{
	size_t blanks = (size_t)p->indent * p->depth;

	if (p->indent == 0)
		return;
	strbuf_addc(p->out, '\n');
	memset(strbuf_reserve(p->out, blanks), ' ', blanks);
	p->out->len += blanks;
	p->out->data[p->out->len] = '\0';
}

/* The value; of an object or array with children only the opening bracket. */
static void print_start(struct printer *p, uint32_t node)
{
	const struct json_node *n = &p->tree->nodes[node];
	const char *value = p->tree->text + n->at;

	if (n->name_len) {
		strbuf_add(p->out, p->tree->text + n->name_at, n->name_len);
		strbuf_adds(p->out, p->indent ? ": " : ":");
	}
	if (n->child) {
		strbuf_addc(p->out, *value);
		p->open[p->depth++] = node;
		new_line(p);
	} else if (*value == '[' || *value == '{') {
		strbuf_adds(p->out, *value == '[' ? "[]" : "{}");
	} else {
		strbuf_add(p->out, value, n->len);
	}
}

/* Closes what ends with `node`; returns the node that comes next, 0 at the end. */
static uint32_t print_end(struct printer *p, uint32_t node)
{
	const struct json_node *nodes = p->tree->nodes;

	while (p->depth && !nodes[node].next) {
		node = p->open[--p->depth];
		new_line(p);
		strbuf_addc(p->out, p->tree->text[nodes[node].at] == '{' ? '}' : ']');
	}
	if (p->depth == 0)
		return 0;
	strbuf_addc(p->out, ',');
	new_line(p);
	return nodes[node].next;
}

int json_tree_print(
	const struct json_tree *tree, unsigned indent, size_t max_bytes, struct strbuf *out)
{
	struct printer p = { .tree = tree, .out = out, .indent = indent };
	uint32_t node = 0;

	do {
		print_start(&p, node);
		node = tree->nodes[node].child ? tree->nodes[node].child : print_end(&p, node);
	} while (node && out->len <= max_bytes);
	return out->len > max_bytes ? -E2BIG : 0;
}

/* Cuts the next token off: *pointer stands at a slash. */
static int next_token(const char **pointer, struct strbuf *token)
{
	const char *at = *pointer + 1;

	strbuf_cut(token, 0);
	for (; *at && *at != '/'; at++) {
		if (*at != '~') {
			strbuf_addc(token, *at);
			continue;
		}
		at++;
		if (*at != '0' && *at != '1')
			return -EINVAL;
		strbuf_addc(token, *at == '0' ? '~' : '/');
	}
	*pointer = at;
	return 0;
}

/* Digits without a leading zero. */
static bool read_index(const char *token, uint64_t *ret)
{
	uint64_t index = 0;

	if (!*token || (token[0] == '0' && token[1]) || strlen(token) > 9)
		return false;
	for (; *token; token++) {
		if (*token < '0' || *token > '9')
			return false;
		index = index * 10 + (uint64_t)(*token - '0');
	}
	*ret = index;
	return true;
}

/* The child that `token` names; 0: none. */
static uint32_t find_child(const struct json_tree *tree, uint32_t parent, const char *token)
{
	uint32_t child = tree->nodes[parent].child;
	uint64_t index = 0;

	switch (tree->text[tree->nodes[parent].at]) {
	case '{':
		while (child && !jspan_is(json_tree_name(tree, child), token))
			child = tree->nodes[child].next;
		return child;
	case '[':
		if (!read_index(token, &index))
			return 0;
		while (child && index-- > 0)
			child = tree->nodes[child].next;
		return child;
	default:
		return 0;
	}
}

int json_tree_find(const struct json_tree *tree, const char *pointer, uint32_t *ret_node)
{
	auto_strbuf token = { 0 };
	uint32_t node = 0;
	bool missing = false;

	/* The whole pointer is read, so that a wrong one is told from one that finds nothing. */
	while (*pointer) {
		if (*pointer != '/' || next_token(&pointer, &token) < 0)
			return -EINVAL;
		if (!missing)
			node = find_child(tree, node, strbuf_get(&token));
		missing = missing || node == 0;
	}
	if (missing)
		return -ENOENT;
	*ret_node = node;
	return 0;
}
