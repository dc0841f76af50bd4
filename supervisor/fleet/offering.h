/* What a worker offers: its lists and what it says of itself, as it told them.
 *
 * Trees, because they are small beside what they save: they are read when they change, and the ready-made
 * answers are built from them. Source: MCP, all revisions, basic/lifecycle, server/{tools,resources,
 * prompts}; 2026-07-28 server/discover. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "shared/cleanup.h"

struct offering {
	json_t *info;  /* the result of initialize, or of server/discover */
	json_t *tools; /* arrays; NULL: it has no such capability */
	json_t *resources;
	json_t *templates; /* of resources */
	json_t *prompts;
	bool takes_legacy; /* it answered initialize: requests of the revisions up to 2025-11-25 */
	bool takes_modern; /* it answered server/discover: requests of 2026-07-28 */
};

/* The trees are given back; the struct stays, and is empty. */
void offering_done(struct offering *offering);

/* Only the lists are; `info` and how to speak to it stay. */
void offering_drop_lists(struct offering *offering);

/* It takes requests of 2026-07-28 and no others. */
bool offering_is_modern_only(const struct offering *offering);

/* What `which` says of the capability `name`: the tree at info.capabilities.name, NULL: not declared. */
json_t *offering_get_capability(const struct offering *offering, const char *name);

/* As one JSON text, to compare and to keep; NULL: out of memory. The caller frees it. */
char *offering_to_text(const struct offering *offering);

/* 0, or -EBADMSG: not a text of offering_to_text(). */
int offering_from_text(const char *text, struct offering *ret) must_check;
