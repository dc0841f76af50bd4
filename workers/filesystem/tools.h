/* The tables of filesystem tools, each ends with { 0 }, and the names that other servers give them. */
#pragma once

#include "shared/tool.h"

extern const struct tool filesystem_read_tools[];       /* read.c: code_read */
extern const struct tool filesystem_read_many_tools[];  /* read_many.c: code_read_many */
extern const struct tool filesystem_read_media_tools[]; /* read_media.c: code_read_media */
extern const struct tool filesystem_get_info_tools[];   /* get_info.c: code_get_info */
extern const struct tool filesystem_list_roots_tools[]; /* list_roots.c: code_list_roots */

extern const struct tool_alias filesystem_aliases[]; /* aliases.c */
