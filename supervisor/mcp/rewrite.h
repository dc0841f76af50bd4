/* Resource URIs in what a worker says, as clients know them.
 *
 * They stand at known places only: content blocks of tool results and prompt messages (resource_link,
 * embedded resource), contents of resources/read. Source: MCP server/{tools,resources,prompts}, schema. */
#pragma once

#include "supervisor/mcp/catalog.h"
#include "supervisor/mcp/splice.h"

/* Notes in `splices` what must be replaced in the result of a tools/call, prompts/get or resources/read. */
void rewrite_result(
	struct splices *splices, const struct catalog_naming *naming, struct jspan result);

/* The same for a `uri` member of an object (resources/updated). */
void rewrite_uri(struct splices *splices, const struct catalog_naming *naming, struct jspan object);
