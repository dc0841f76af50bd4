/* Bounds that are part of the program, not of its settings. A bound that an operator may move is a
 * setting (supervisor/conf.c); what stands here protects a parser or a table from nonsense. */
#pragma once

#include <stdint.h>

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* JSON: nesting of objects and arrays in a message (jansson stops at 2048). */
#define LIMIT_JSON_DEPTH 512

/* A line from a worker, or to one, 16 MiB: longer ones are a broken peer. */
#define LIMIT_LINE_BYTES 16777216

/* One list of a worker's tools, resources or prompts, all pages: it becomes a tree. */
#define LIMIT_LIST_BYTES (4 * MIB)

/* A tool's name, also after the domain's prefix (MCP's public suite). */
#define LIMIT_TOOL_NAME 64

/* A request's id and a progress token, which are kept as long as the call runs. */
#define LIMIT_ID_BYTES 1024

/* Characters of a foreign argument that an error text may repeat. */
#define LIMIT_QUOTED_CHARS 200
