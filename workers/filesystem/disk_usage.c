/* Tool code_disk_usage: how much a directory holds. */
#include <fcntl.h>
#include <stdio.h>

#include "workers/filesystem/start.h"
#include "workers/filesystem/tools.h"

struct code_disk_usage_args {
	const char *path;
	int64_t max_entries;
};

static const struct param code_disk_usage_params[] = {
	PARAM(code_disk_usage_args, path, .def_str = ".", .doc = "Directory."),
	PARAM(code_disk_usage_args, max_entries, RANGE(1, 2000000), .def_int = 200000,
		.doc = "Stop after this many."),
	{ 0 },
};

struct usage {
	int64_t bytes;
	int64_t files;
	int64_t directories;
	size_t n_refused; /* directories whose content is not counted */
	bool truncated;
};

static void count(struct usage *usage, struct walk *walk, const struct walk_entry *entry)
{
	struct stat st;
	int dir_fd;

	if (entry->type == S_IFDIR)
		usage->directories++;
	if (entry->type != S_IFREG)
		return;
	dir_fd = walk_dir_fd(walk);
	if (dir_fd < 0 || fstatat(dir_fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	usage->files++;
	usage->bytes += st.st_size;
}

/* 0, or negative: the call has failed. */
static int add_up(struct call *call, const struct code_disk_usage_args *args,
	const struct start *start, struct usage *usage)
{
	const struct walk_options options = { .tells_progress = true };
	auto_(walk_freep) struct walk *walk = walk_new(&options, start->fd, call);
	struct walk_entry entry;
	int64_t n = 0;
	char how_far[64];
	int r;

	while ((r = walk_next(walk, &entry)) > 0) {
		if (start_failed(call, args->path, r, &entry))
			return -1;
		usage->n_refused = walk_n_refused(walk);
		if (r != WALK_ENTRY)
			continue;
		if (n++ == args->max_entries) {
			usage->truncated = true;
			return 0;
		}
		count(usage, walk, &entry);
	}
	if (r == 0)
		return 0;
	(void)snprintf(how_far, sizeof(how_far), "%lld bytes were counted in %lld entries",
		(long long)usage->bytes, (long long)n);
	(void)call_fail_stopped(call, how_far);
	return -1;
}

static int code_disk_usage(struct call *call, const void *args)
{
	const struct code_disk_usage_args *a = args;
	struct usage usage = { 0 };
	auto_start start = { 0 };
	auto_strbuf text = { 0 };

	if (!start_open(call, a->path, false, &start) || add_up(call, a, &start, &usage) < 0)
		return 0;
	strbuf_addf(&text, "%lld bytes in %lld files, %lld directories", (long long)usage.bytes,
		(long long)usage.files, (long long)usage.directories);
	start_tell_refused(&text, usage.n_refused);
	if (usage.truncated)
		strbuf_addf(&text,
			"\n… stopped after %lld entries. Ask with a greater max_entries (at most "
			"2000000), or for one of the directories.",
			(long long)a->max_entries);
	return call_result(call,
		json_pack("{s:o, s:I, s:I, s:I, s:b}", "path", paths_json(start_path(&start, "")),
			"bytes", (json_int_t)usage.bytes, "files", (json_int_t)usage.files,
			"directories", (json_int_t)usage.directories, "truncated", usage.truncated),
		strbuf_get(&text), text.len);
}

const struct tool filesystem_disk_usage_tools[] = {
	TOOL(code_disk_usage, "Disk usage", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Size of a directory: the bytes of all regular files below it. What is in .git "
		       "and on other mounts is not counted.",
		.out = "path string, bytes integer, files integer, directories integer, "
		       "truncated boolean"),
	{ 0 },
};
