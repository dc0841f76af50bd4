/* YAML as a tree of texts, lists and mappings, each of which knows its place in its file.
 *
 * It is the part of YAML that settings need. Anchors, aliases, merge keys and tags are refused: they
 * save an operator nothing here, and without them a text of n bytes is a tree of at most n nodes
 * ("billion laughs" cannot be written down). Scalars stay the texts that they are; what "15s" or
 * "true" means is the decoder's business. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shared/cleanup.h"
#include "shared/fail.h"

enum {
	CONF_YAML_MAX_BYTES = 1024 * 1024,
	CONF_YAML_MAX_DEPTH = 16, /* mappings and lists within each other */
	CONF_YAML_MAX_ITEMS =
		1024, /* of one mapping or list: duplicate keys are found by comparing all */
};

enum conf_node_kind {
	CONF_NODE_TEXT,
	CONF_NODE_LIST,
	CONF_NODE_MAP,
};

struct conf_node {
	enum conf_node_kind kind;
	bool plain;       /* a text without quotes: could be a number, a bool, null */
	const char *file; /* name for messages; borrowed */
	int line;         /* both from 1 */
	int column;
	char *text;               /* without NUL inside; NULL for lists and mappings */
	char *key;                /* in a mapping: its key; NULL in a list */
	int key_line, key_column; /* of the key */
	struct conf_node **items; /* of a list; of a mapping in order of the file */
	size_t n;
};

/* Reads `len` bytes. `file` is the name for messages and must outlive the tree. An empty text is an
 * empty mapping; anything else but a mapping is refused. -EINVAL with words in `fail`. */
int conf_yaml_read(const char *file, const char *bytes, size_t len, struct conf_node **ret,
	struct fail *fail) must_check;

/* The same for one value of any kind ("[main, master]"). */
int conf_yaml_read_value(const char *file, const char *bytes, size_t len, struct conf_node **ret,
	struct fail *fail) must_check;

void conf_node_free(struct conf_node *node);
DEFINE_FREEP(struct conf_node, conf_node_free)

/* The value of `key` in a mapping; NULL when it has none, or is no mapping. */
struct conf_node *conf_node_get(const struct conf_node *map, const char *key);

/* The node at "tools.max_result_bytes" below `map`; NULL when there is none. */
const struct conf_node *conf_node_find(const struct conf_node *map, const char *path);

/* A plain text that means "nothing": empty, ~, null. */
bool conf_node_is_null(const struct conf_node *node);

/* Merges `over` (taken over) into `base`: mappings key by key, everything else is replaced. */
void conf_node_merge(struct conf_node *base, struct conf_node *over);

/* "FILE:LINE:COLUMN: key: words" into `fail`, and its line; `at_key`: the place of the node's key.
 * An empty `key` is left out. Returns -EINVAL. */
int conf_node_fail(struct fail *fail, const struct conf_node *node, bool at_key, const char *key,
	const char *fmt, ...) printf_like(5, 6);

/* The same about the value at `path` below `map`; without a place when none is written there, for
 * then it is a default. `prefix` is shown in front of the path. Returns -EINVAL. */
int conf_node_fail_path(struct fail *fail, const struct conf_node *map, const char *prefix,
	const char *path, const char *fmt, ...) printf_like(5, 6);
