/* The tables of filesystem tools, each ends with { 0 }, and the names that other servers give them. */
#pragma once

#include "shared/tool.h"

/* Reading. */
extern const struct tool filesystem_read_tools[];       /* read.c: code_read */
extern const struct tool filesystem_read_many_tools[];  /* read_many.c: code_read_many */
extern const struct tool filesystem_read_media_tools[]; /* read_media.c: code_read_media */
extern const struct tool filesystem_get_info_tools[];   /* get_info.c: code_get_info */
extern const struct tool filesystem_list_roots_tools[]; /* list_roots.c: code_list_roots */

/* Walking and searching. */
extern const struct tool filesystem_list_files_tools[];     /* list_files.c: code_list_files */
extern const struct tool filesystem_list_directory_tools[]; /* list_directory.c */
extern const struct tool filesystem_tree_tools[];           /* tree.c: code_tree */
extern const struct tool filesystem_find_file_tools[];      /* find_file.c: code_find_file */
extern const struct tool filesystem_search_tools[];         /* search.c: code_search_content */
extern const struct tool filesystem_disk_usage_tools[];     /* disk_usage.c: code_disk_usage */

/* Writing. */
extern const struct tool filesystem_write_tools[];            /* write.c: code_write */
extern const struct tool filesystem_edit_tools[];             /* edit.c: code_edit */
extern const struct tool filesystem_apply_patch_tools[];      /* apply_patch.c: code_apply_patch */
extern const struct tool filesystem_delete_tools[];           /* delete.c: code_delete */
extern const struct tool filesystem_create_directory_tools[]; /* create_directory.c */
extern const struct tool filesystem_move_tools[];             /* move.c: code_move */
extern const struct tool filesystem_copy_tools[];             /* copy.c: code_copy */

/* Linters and formatters. */
extern const struct tool filesystem_lint_tools[];        /* code_lint.c: code_lint */
extern const struct tool filesystem_format_tools[];      /* code_format.c: code_format */
extern const struct tool filesystem_analyze_tools[];     /* code_lint.c: code_analyze */
extern const struct tool filesystem_check_tools_tools[]; /* code_check.c: code_check_tools */

extern const struct tool_alias filesystem_aliases[]; /* aliases.c */
