/* The table of git diff --stat, 80 columns wide. Source: git-diff(1), --stat. */
#pragma once

#include <git2.h>
#include <stdbool.h>

#include "shared/strbuf.h"

struct stat_row {
	char *name; /* valid UTF-8; a rename as "dir/{old => new}" */
	size_t additions;
	size_t deletions;
	uint64_t old_bytes; /* of a binary file */
	uint64_t new_bytes;
	bool is_binary;
};

struct stat_table {
	struct stat_row *rows;
	size_t n;
};

void stat_table_add(struct stat_table *table, const git_diff_delta *delta, size_t additions,
	size_t deletions, bool is_binary);
void stat_table_done(struct stat_table *table);

/* Adds the rows and the line of sums, which may count more files than there are rows. Nothing when
 * there are no files. */
void stat_table_print(const struct stat_table *table, size_t n_files, size_t additions,
	size_t deletions, struct strbuf *text);

/* "a/{b => c}/d" for a rename from a/b/d to a/c/d. Adds to `buf`. */
void stat_table_rename(struct strbuf *buf, const char *from, const char *to);
