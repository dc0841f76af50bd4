/* The tables of filesystem tools, each ends with { 0 }, and the names that other servers give them. */
#pragma once

#include "shared/tool.h"

extern const struct tool filesystem_list_roots_tools[]; /* list_roots.c: code_list_roots */

extern const struct tool_alias filesystem_aliases[]; /* aliases.c */
