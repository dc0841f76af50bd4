/* What a worker offers: its lists and what it says of itself, as it told them.
 *
 * The lists are texts, byte for byte as the worker wrote their items: numbers of any size, the order of
 * members and what no revision knows reach the client untouched. What it says of itself is a tree, since
 * only we read it.
 *
 * Source: MCP, all revisions, basic/lifecycle, server/{tools,resources,prompts}; 2026-07-28
 * server/discover. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "shared/cleanup.h"
#include "shared/jspan.h"

struct offering {
	json_t *info; /* the result of initialize, or of server/discover */
	/* JSON arrays on one line; NULL: it has no such capability */
	char *tools;
	char *resources;
	char *templates; /* of resources */
	char *prompts;
	bool takes_legacy; /* it answered initialize: requests of the revisions up to 2025-11-25 */
	bool takes_modern; /* it answered server/discover: requests of 2026-07-28 */
};

/* Tree and texts are given back; the struct stays, and is empty. */
void offering_done(struct offering *offering);

/* Only the lists are; `info` and how to speak to it stay. */
void offering_drop_lists(struct offering *offering);

/* Adds the items of `page`, a checked JSON array, to a list (NULL: it begins here). */
void offering_add_page(char **list, struct jspan page);

/* The items of a list; NULL has none. */
size_t offering_count(const char *list);

/* It takes requests of 2026-07-28 and no others. */
bool offering_is_modern_only(const struct offering *offering);

/* What `info` says of the capability `name`: the tree at info.capabilities.name, NULL: not declared. */
json_t *offering_get_capability(const struct offering *offering, const char *name);

/* As one JSON text, to compare and to keep; NULL: out of memory. The caller frees it. */
char *offering_to_text(const struct offering *offering);

/* 0, or -EBADMSG: not a text of offering_to_text(). */
int offering_from_text(const char *text, struct offering *ret) must_check;
