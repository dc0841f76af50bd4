/* JSON as people and editors write it: with comments, trailing commas and a byte order mark.
 *
 * The reader keeps where each value and name stands, so that a file can be changed by spans (ctl/jsonc_edit)
 * and stays what it was everywhere else. Otherwise as strict as shared/jspan: valid UTF-8 in strings,
 * no lone surrogates, bounded nesting. Values are nodes in the order of the text, a container before what
 * is in it.
 *
 * Source: RFC 8259; comments and commas as Visual Studio Code reads its settings. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/cleanup.h"
#include "shared/fail.h"
#include "shared/jspan.h"

enum {
	JSONC_MAX_BYTES = 8 * 1024 * 1024,
	JSONC_MAX_NODES = 1000000,
	JSONC_MAX_DEPTH = 128,
};

/* No node. */
#define JSONC_NONE UINT32_MAX

struct jsonc_node {
	uint32_t at, end;           /* offsets of the value */
	uint32_t name_at, name_end; /* of a member's name with its quotes; equal: no member */
	uint32_t comma;             /* offset of the comma behind it; 0: there is none */
	uint32_t after;             /* the first node that is not in this one */
	enum jspan_type type;
};

struct jsonc {
	const char *text; /* borrowed */
	size_t len;
	struct jsonc_node *nodes; /* the first is the whole value */
	uint32_t n;               /* 0: nothing but blanks and comments */
};

/* Borrows `text`. -EINVAL (not JSON), -EFBIG: the words begin with line:column. jsonc_done() afterwards. */
int jsonc_parse(const char *text, size_t len, struct jsonc *ret, struct fail *fail) must_check;
void jsonc_done(struct jsonc *doc);

/* The first child, and the next one of the same parent; JSONC_NONE: there is none. */
uint32_t jsonc_first(const struct jsonc *doc, uint32_t parent);
uint32_t jsonc_next(const struct jsonc *doc, uint32_t parent, uint32_t child);

/* The member of an object. -ENOENT: none (or no object); -EEXIST: it stands there twice. */
int jsonc_member(const struct jsonc *doc, uint32_t object, const char *name, uint32_t *ret,
	struct fail *fail) must_check;

/* As a tree, a new reference; NULL with words: a name twice in one object, or with a NUL in it. */
json_t *jsonc_to_json(const struct jsonc *doc, uint32_t node, struct fail *fail) must_check;

/* Words with line:column of the offset in front. Returns -EINVAL. */
int jsonc_fail(const struct jsonc *doc, size_t at, struct fail *fail, const char *fmt, ...)
	printf_like(4, 5);

/* The end of the comment that begins at `at`; `at`: none begins there; SIZE_MAX: it does not end. The line break
 * behind a comment of one line is no part of it. */
size_t jsonc_comment_end(const char *text, size_t len, size_t at);
