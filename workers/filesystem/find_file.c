/* Tool code_find_file, alias search_files: names that match, at any depth. */
#include <stdio.h>

#include "shared/alloc.h"
#include "workers/filesystem/choice.h"
#include "workers/filesystem/room.h"
#include "workers/filesystem/start.h"
#include "workers/filesystem/tools.h"

struct code_find_file_args {
	const char *name_pattern;
	const char *path;
	bool include_dirs;
	struct str_list exclude_patterns;
	int64_t max_results;
	bool respect_gitignore;
};

static const struct param code_find_file_params[] = {
	PARAM(code_find_file_args, name_pattern, .required = true, RANGE(1, 1024),
		.doc = "Glob; * ? [a-z] ** {a,b}; with a / it is matched against the relative "
		       "path."),
	PARAM(code_find_file_args, path, .def_str = ".", .doc = "Directory to start in."),
	PARAM(code_find_file_args, include_dirs, .doc = "Directories too."),
	PARAM(code_find_file_args, exclude_patterns, AT_MOST(100),
		.doc = "Globs to leave out, matched against the path relative to path."),
	PARAM(code_find_file_args, max_results, RANGE(1, 50000), .def_int = 1000,
		.doc = "Stop after this many."),
	PARAM(code_find_file_args, respect_gitignore,
		.doc = "Leave out what .gitignore files exclude."),
	{ 0 },
};

enum { ENTRY_BYTES = 16 }; /* around a path, in text and structured content */

struct finder {
	struct call *call;
	const struct code_find_file_args *args;
	bool full_paths; /* as the alias has them: absolute, nothing else in the line */
	struct start start;
	struct choice choice;
	struct room room;
	json_t *matches;
	struct strbuf text;
	bool truncated;
	size_t n_refused; /* directories */
};

static void finder_done(struct finder *finder)
{
	start_done(&finder->start);
	choice_done(&finder->choice);
	json_decref(finder->matches);
	strbuf_done(&finder->text);
}

static unsigned filter(void *arg, const struct walk_entry *entry)
{
	const struct finder *finder = arg;
	bool is_dir = entry->type == S_IFDIR;
	bool may_match = is_dir ? finder->args->include_dirs
				: entry->type == S_IFREG || entry->type == S_IFLNK;
	unsigned wish = is_dir ? WALK_ENTER : WALK_PASS_OVER;

	if (choice_excludes(&finder->choice, entry))
		return WALK_PASS_OVER;
	if (may_match && choice_wants(&finder->choice, entry))
		wish |= WALK_SEE;
	return wish;
}

/* False: no more fit. */
static bool add_match(struct finder *finder, const struct walk_entry *entry)
{
	const char *path = start_path(&finder->start, entry->path);
	const char *root = finder->start.place.root->path;

	if ((int64_t)json_array_size(finder->matches) == finder->args->max_results ||
		!room_take(&finder->room, path,
			ENTRY_BYTES + (finder->full_paths ? 2 * strlen(root) : 0))) {
		finder->truncated = true;
		return false;
	}
	if (finder->full_paths && finder->start.place.relative) {
		auto_free char *full = alloc_printf("%s/%s", streq(root, "/") ? "" : root, path);

		paths_show(&finder->text, full);
		strbuf_addc(&finder->text, '\n');
	} else {
		strbuf_adds(&finder->text, finder->full_paths ? "" : "  ");
		paths_show(&finder->text, path);
		strbuf_addc(&finder->text, '\n');
	}
	(void)json_array_append_new(finder->matches, paths_json(path));
	return true;
}

/* 0, or negative: the call has failed. */
static int find(struct finder *finder)
{
	const struct walk_options options = {
		.filter = filter,
		.arg = finder,
		.respects_gitignore = finder->args->respect_gitignore,
		.tells_progress = true,
	};
	auto_(walk_freep) struct walk *walk = walk_new(&options, finder->start.fd, finder->call);
	struct walk_entry entry;
	char how_far[64];
	int r;

	while ((r = walk_next(walk, &entry)) > 0) {
		if (start_failed(finder->call, finder->args->path, r, &entry))
			return -1;
		finder->n_refused = walk_n_refused(walk);
		if (r == WALK_ENTRY && !add_match(finder, &entry))
			return 0;
	}
	if (r == 0)
		return 0;
	(void)snprintf(how_far, sizeof(how_far), "%zu were found in %zu entries",
		json_array_size(finder->matches), walk_n_seen(walk));
	(void)call_fail_stopped(finder->call, how_far);
	return -1;
}

static void add_head(const struct finder *finder, struct strbuf *text)
{
	size_t n = json_array_size(finder->matches);

	if (n == 0) {
		strbuf_adds(text, "No files found matching '");
		paths_show(text, finder->args->name_pattern);
		strbuf_adds(text, "'");
	} else if (!finder->full_paths) {
		strbuf_addf(text, "Found %zu file(s):\n", n);
	}
}

static int answer(struct finder *finder)
{
	auto_strbuf text = { 0 };

	add_head(finder, &text);
	strbuf_add(&text, strbuf_get(&finder->text), finder->text.len);
	if (text.data[text.len - 1] == '\n')
		strbuf_cut(&text, text.len - 1);
	start_tell_refused(&text, finder->n_refused);
	if (finder->truncated)
		strbuf_adds(&text,
			"\n… there are more. Ask with a greater max_results (at most 50000), a "
			"narrower pattern, or start further down with path.");
	return call_result(finder->call,
		json_pack("{s:O, s:I, s:b}", "matches", finder->matches, "count",
			(json_int_t)json_array_size(finder->matches), "truncated",
			finder->truncated),
		strbuf_get(&text), text.len);
}

static int code_find_file(struct call *call, const void *args)
{
	const struct code_find_file_args *a = args;
	auto_(finder_done) struct finder finder = {
		.call = call,
		.args = a,
		.full_paths = call_is_alias(call, "search_files"),
		.room = room_of(call),
		.matches = json_array(),
	};

	if (!choice_read(
		    call, "name_pattern", a->name_pattern, &a->exclude_patterns, &finder.choice) ||
		!start_open(call, a->path, false, &finder.start) || find(&finder) < 0)
		return 0;
	return answer(&finder);
}

const struct tool filesystem_find_file_tools[] = {
	TOOL(code_find_file, "Find files", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Find files by name or glob, at any depth, in the order of their paths. "
		       "Hidden files match; .git is not entered; symlinks are found but not "
		       "followed.",
		.out = "matches string[], count integer, truncated boolean"),
	{ 0 },
};
