/* The text of a tool, prompt or resource as clients see it: what its worker wrote, but for its name and for
 * what the settings say instead. Pure.
 *
 * All other bytes stay: members that no revision knows, their order, numbers as they were written.
 * Source: MCP, all revisions, server/tools "Tool"; schema ToolAnnotations. */
#pragma once

#include "shared/jspan.h"
#include "supervisor/conf.h"

/* Appends `item` (a checked object) with `name` as its member `key`. `override`: NULL for none; its
 * annotations are put between those of the worker. */
void catalog_write_item(struct jspan item, const char *key, const char *name,
	const struct conf_override *override, struct strbuf *out);

/* Whether a tool's annotation of this name is true. One that comes twice, or among two `annotations`, is
 * not. */
bool catalog_has_hint(struct jspan tool, const char *hint);
