/* A JSON text as a tree of positions: numbers keep their digits and strings their escapes, since each
 * value is the bytes that were sent. Beyond RFC 8259 a name may stand only once in an object. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/jspan.h"
#include "workers/common/failure.h"

/* Nodes are numbers; 0 is the whole, so as `child` and `next` it means none. */
struct json_node {
	uint32_t at; /* offset and length of the value */
	uint32_t len;
	uint32_t name_at; /* of the name with its quotes; in an object only */
	uint32_t name_len;
	uint32_t child; /* the first one */
	uint32_t next;  /* the next in the same object or array */
};

struct json_tree {
	const char *text; /* borrowed */
	struct json_node *nodes;
	uint32_t n;
	uint32_t size;
};

/* 0, or a failure "bad_json" with line and column. `sort`: members are ordered by the code points of
 * their names. json_tree_done() also after a failure. */
int json_tree_parse(struct json_tree *tree, const char *text, size_t len, bool sort,
	struct failure *fail) must_check;
void json_tree_done(struct json_tree *tree);

struct jspan json_tree_value(const struct json_tree *tree, uint32_t node);
struct jspan json_tree_name(const struct json_tree *tree, uint32_t node);

/* Appends the value: with `indent` blanks a level, or 0: on one line.
 * -E2BIG: `out` would have more than max_bytes. */
int json_tree_print(const struct json_tree *tree, unsigned indent, size_t max_bytes,
	struct strbuf *out) must_check;

/* The node that a JSON Pointer (RFC 6901) names. -EINVAL: it is no pointer; -ENOENT: nothing there. */
int json_tree_find(const struct json_tree *tree, const char *pointer, uint32_t *ret_node)
	must_check;
