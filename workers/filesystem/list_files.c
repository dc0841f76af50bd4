/* Tool code_list_files: the regular files of a directory, or of all below it. */
#include <fcntl.h>
#include <stdio.h>

#include "workers/filesystem/attributes.h"
#include "workers/filesystem/choice.h"
#include "workers/filesystem/room.h"
#include "workers/filesystem/start.h"
#include "workers/filesystem/tools.h"

struct code_list_files_args {
	const char *path;
	const char *pattern;
	bool recursive;
	int64_t max_files;
	bool respect_gitignore;
};

static const struct param code_list_files_params[] = {
	PARAM(code_list_files_args, path, .required = true, .doc = "Directory."),
	PARAM(code_list_files_args, pattern, RANGE(1, 1024), .def_str = "*",
		.doc = "Glob on the file name, or on the relative path when it has a /."),
	PARAM(code_list_files_args, recursive, .doc = "With subdirectories."),
	PARAM(code_list_files_args, max_files, RANGE(1, 50000), .def_int = 5000,
		.doc = "Stop after this many."),
	PARAM(code_list_files_args, respect_gitignore,
		.doc = "Leave out what .gitignore files exclude."),
	{ 0 },
};

enum { ENTRY_BYTES = 160 }; /* around a path, in text and structured content */

struct listing {
	struct call *call;
	const struct code_list_files_args *args;
	struct start start;
	struct choice choice;
	struct room room;
	json_t *files;
	struct strbuf text;
	bool truncated;
	size_t n_refused; /* directories */
};

static void listing_done(struct listing *listing)
{
	start_done(&listing->start);
	choice_done(&listing->choice);
	json_decref(listing->files);
	strbuf_done(&listing->text);
}

static unsigned filter(void *arg, const struct walk_entry *entry)
{
	const struct listing *listing = arg;

	if (entry->type == S_IFDIR)
		return listing->args->recursive ? WALK_ENTER : WALK_PASS_OVER;
	if (entry->type != S_IFREG || !choice_wants(&listing->choice, entry))
		return WALK_PASS_OVER;
	return WALK_SEE;
}

/* False: no more fit. */
static bool add_file(struct listing *listing, struct walk *walk, const struct walk_entry *entry)
{
	const char *path = start_path(&listing->start, entry->path);
	char modified[ATTRIBUTES_TIME_SIZE];
	struct stat st;
	int dir_fd = walk_dir_fd(walk);

	/* What vanished meanwhile, or became something else, is no file of this directory. */
	if (dir_fd < 0 || fstatat(dir_fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		!S_ISREG(st.st_mode))
		return true;
	if ((int64_t)json_array_size(listing->files) == listing->args->max_files ||
		!room_take(&listing->room, path, ENTRY_BYTES)) {
		listing->truncated = true;
		return false;
	}
	attributes_time(st.st_mtim, modified);
	strbuf_adds(&listing->text, "\n  ");
	paths_show(&listing->text, path);
	strbuf_addf(&listing->text, " (%.1f KB)", (double)st.st_size / 1024);
	(void)json_array_append_new(
		listing->files, json_pack("{s:o, s:I, s:s}", "path", paths_json(path), "size",
					(json_int_t)st.st_size, "modified", modified));
	return true;
}

/* 0, or negative: the call has failed. */
static int list(struct listing *listing)
{
	const struct walk_options options = {
		.filter = filter,
		.arg = listing,
		.respects_gitignore = listing->args->respect_gitignore,
		.tells_progress = true,
	};
	auto_(walk_freep) struct walk *walk = walk_new(&options, listing->start.fd, listing->call);
	struct walk_entry entry;
	char how_far[64];
	int r;

	while ((r = walk_next(walk, &entry)) > 0) {
		if (start_failed(listing->call, listing->args->path, r, &entry))
			return -1;
		listing->n_refused = walk_n_refused(walk);
		if (r == WALK_ENTRY && !add_file(listing, walk, &entry))
			return 0;
	}
	if (r == 0)
		return 0;
	(void)snprintf(how_far, sizeof(how_far), "%zu files were found in %zu entries",
		json_array_size(listing->files), walk_n_seen(walk));
	(void)call_fail_stopped(listing->call, how_far);
	return -1;
}

static int answer(struct listing *listing)
{
	auto_strbuf text = { 0 };
	size_t n = json_array_size(listing->files);

	strbuf_addf(&text, "Found %zu file(s) in '", n);
	paths_show(&text, start_path(&listing->start, ""));
	strbuf_adds(&text, "':");
	strbuf_add(&text, strbuf_get(&listing->text), listing->text.len);
	start_tell_refused(&text, listing->n_refused);
	if (listing->truncated)
		strbuf_addf(&text,
			"\n… there are more. Ask with a greater max_files (at most 50000), a "
			"narrower pattern, or for one of the directories.");
	return call_result(listing->call,
		json_pack("{s:o, s:O, s:I, s:b}", "path",
			paths_json(start_path(&listing->start, "")), "files", listing->files,
			"count", (json_int_t)n, "truncated", listing->truncated),
		strbuf_get(&text), text.len);
}

static int code_list_files(struct call *call, const void *args)
{
	auto_(listing_done) struct listing listing = {
		.call = call,
		.args = args,
		.room = room_of(call),
		.files = json_array(),
	};
	const struct code_list_files_args *a = args;

	if (!choice_read(call, "pattern", a->pattern, NULL, &listing.choice) ||
		!start_open(call, a->path, false, &listing.start) || list(&listing) < 0)
		return 0;
	return answer(&listing);
}

const struct tool filesystem_list_files_tools[] = {
	TOOL(code_list_files, "List files", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "List regular files of a directory, in the order of their paths. Symlinks and "
		       "special files are left out; .git is not entered.",
		.out = "path string, files {path string, size integer, modified string}[], "
		       "count integer, truncated boolean"),
	{ 0 },
};
