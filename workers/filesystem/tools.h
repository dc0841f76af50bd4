/* The tables of filesystem tools, each ends with { 0 }, and the names that other servers give them. */
#pragma once

#include "shared/tool.h"

extern const struct tool filesystem_list_roots_tools[]; /* list_roots.c: code_list_roots */

extern const struct tool filesystem_write_tools[];            /* write.c: code_write */
extern const struct tool filesystem_edit_tools[];             /* edit.c: code_edit */
extern const struct tool filesystem_apply_patch_tools[];      /* apply_patch.c: code_apply_patch */
extern const struct tool filesystem_delete_tools[];           /* delete.c: code_delete */
extern const struct tool filesystem_create_directory_tools[]; /* create_directory.c */
extern const struct tool filesystem_move_tools[];             /* move.c: code_move */
extern const struct tool filesystem_copy_tools[];             /* copy.c: code_copy */

extern const struct tool_alias filesystem_aliases[]; /* aliases.c */
