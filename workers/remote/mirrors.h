/* Arguments of tools that are mirrored in HTTP headers, and how a value is written in one.
 *
 * A property of a tool's inputSchema that has "x-mcp-header": "X" wants its value in Mcp-Param-X too. The
 * schemas are learned from the tools/list results that pass through. Only a property that is reached
 * through `properties` alone, is a string, an integer or a boolean and names a token counts.
 *
 * Source: MCP 2026-07-28 basic/transports/streamable-http, "Request Metadata", "Custom Headers". */
#pragma once

#include "shared/jspan.h"

enum {
	MIRRORS_MAX = 4096,     /* properties of all tools; beyond, what was learned is forgotten */
	MIRRORS_MAX_DEPTH = 8,  /* of objects in objects */
	MIRRORS_MAX_NAME = 256, /* of a tool, a property or a header */
};

struct mirror {
	char *tool;
	char *header; /* "Mcp-Param-X" */
	char *path[MIRRORS_MAX_DEPTH];
	size_t depth;
};

struct mirrors {
	struct mirror *items;
	size_t n;
};

/* `result` is that of tools/list, checked JSON. What was known of its tools is replaced. */
void mirrors_learn(struct mirrors *mirrors, struct jspan result);
void mirrors_done(struct mirrors *mirrors);

/* Calls `fn` with "Mcp-Param-X: value" for each argument of this call that is to be mirrored. `params` is
 * that of tools/call. */
void mirrors_each(const struct mirrors *mirrors, struct jspan params,
	void (*fn)(void *arg, const char *line), void *arg);

/* Appends a field value that carries exactly these bytes: as they are, or, when they would not survive, as
 * =?base64?…?=. */
void mirrors_add_value(struct strbuf *out, const char *bytes, size_t len);
