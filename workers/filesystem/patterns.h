/* The globs that askers give: with braces, on the name or on the path. tools.md section 7.6.
 *
 * A pattern without a slash is matched against the name, hidden ones too; one with a slash against the
 * path from where the search starts. A slash at the end: directories only. One that starts with a
 * slash or has a component `..` matches nothing. `{a,b}` stands for either; braces without a comma,
 * and those that do not close, are ordinary characters. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shared/cleanup.h"
#include "shared/schema.h"

enum {
	PATTERN_MAX_BYTES = 4096,
	PATTERNS_MAX = 1024, /* of all patterns together, braces written out */
};

/* Zero-initialised: none, which match nothing. */
struct patterns {
	struct pattern *items;
	size_t n;
};

struct pattern {
	char *glob;
	bool on_name;
	bool dirs_only;
};

/* -EINVAL with words: it is too long, or its braces stand for too many. */
int patterns_add(struct patterns *patterns, const char *text, struct fail *fail) must_check;
int patterns_add_list(struct patterns *patterns, const struct str_list *list, struct fail *fail)
	must_check;
void patterns_done(struct patterns *patterns);

/* Whether any matches. `path` is relative ("a/b"), `name` its last component. */
bool patterns_match(
	const struct patterns *patterns, const char *path, const char *name, bool is_dir);
