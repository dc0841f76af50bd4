/* Tool code_search_content: lines with a text, or that match a regular expression, in files.
 *
 * Here are the files; what is looked for in each is in hits.c. A file is read whole, because it has at
 * most MAX_FILE_BYTES, into one buffer that serves for all. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>

#include "shared/limits.h"
#include "workers/filesystem/blocks.h"
#include "workers/filesystem/choice.h"
#include "workers/filesystem/hits.h"
#include "workers/filesystem/start.h"
#include "workers/filesystem/tools.h"

struct code_search_content_args {
	const char *query;
	const char *file_pattern;
	bool case_sensitive;
	bool regex;
	const char *path;
	int64_t context_lines;
	int64_t max_results;
	struct str_list exclude_patterns;
	bool respect_gitignore;
};

static const struct param code_search_content_params[] = {
	PARAM(code_search_content_args, query, .required = true, RANGE(1, 4096),
		.doc = "Text, or a regular expression with regex; in single lines."),
	PARAM(code_search_content_args, file_pattern, RANGE(1, 1024), .def_str = "*",
		.doc = "Glob on the file name, or relative path when it has a /."),
	PARAM(code_search_content_args, case_sensitive, .doc = "Match case."),
	PARAM(code_search_content_args, regex, .doc = "query is a regular expression."),
	PARAM(code_search_content_args, path, .def_str = ".",
		.doc = "File or directory to search."),
	PARAM(code_search_content_args, context_lines, RANGE(0, HITS_MAX_CONTEXT),
		.doc = "Lines around each match."),
	PARAM(code_search_content_args, max_results, RANGE(1, 5000), .def_int = 200,
		.doc = "Stop after this many matches."),
	PARAM(code_search_content_args, exclude_patterns, AT_MOST(100),
		.doc = "Globs to leave out, matched against the path relative to path."),
	PARAM(code_search_content_args, respect_gitignore, .def_bool = true,
		.doc = "Leave out what .gitignore files exclude."),
	{ 0 },
};

enum {
	MAX_FILE_BYTES = 20 * MIB,
	BINARY_LOOK_BYTES = 8192,
};

struct search {
	struct call *call;
	const struct code_search_content_args *args;
	struct start start;
	struct choice choice;
	struct hits *hits;
	struct strbuf bytes; /* of the file at hand */
	size_t n_files;
	size_t n_unreadable;
};

static void search_done(struct search *search)
{
	start_done(&search->start);
	choice_done(&search->choice);
	hits_free(search->hits);
	strbuf_done(&search->bytes);
}

/* All below that return an int: 0, or -ECANCELED: the call has to stop, or -EINVAL: it has failed. */

/* 1: the bytes of a text file are there. 0: it is none, or too large. -errno. */
static int read_text_file(struct search *search, int fd)
{
	struct strbuf *bytes = &search->bytes;
	struct stat st;
	ssize_t n;

	strbuf_cut(bytes, 0);
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > MAX_FILE_BYTES)
		return 0;
	n = blocks_read(
		search->call, fd, strbuf_reserve(bytes, BINARY_LOOK_BYTES), BINARY_LOOK_BYTES, 0);
	if (n < 0 || (n > 0 && memchr(bytes->data, '\0', (size_t)n)))
		return n < 0 ? (int)n : 0;
	bytes->len = (size_t)n;
	if (n == BINARY_LOOK_BYTES && st.st_size > n) {
		size_t rest = (size_t)(st.st_size - n);

		n = blocks_read(
			search->call, fd, strbuf_reserve(bytes, rest), rest, (int64_t)bytes->len);
		if (n < 0)
			return (int)n;
		bytes->len += (size_t)n;
	}
	bytes->data[bytes->len] = '\0';
	return 1;
}

static int search_file(struct search *search, int fd, const char *path)
{
	int r = read_text_file(search, fd);

	if (r == -ECANCELED)
		return r;
	if (r < 0)
		search->n_unreadable++;
	if (r <= 0)
		return 0;
	search->n_files++;
	return hits_search(search->hits, path, search->bytes.data, search->bytes.len);
}

static int search_entry(struct search *search, struct walk *walk, const struct walk_entry *entry)
{
	int dir_fd = walk_dir_fd(walk);
	auto_close int fd = -1;
	int r;

	if (dir_fd < 0)
		return 0;
	fd = path_open_beneath(dir_fd, entry->name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0,
		RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	if (fd < 0) {
		search->n_unreadable += fd == -EACCES || fd == -EPERM;
		return 0;
	}
	r = search_file(search, fd, start_path(&search->start, entry->path));
	call_progress(search->call, (double)walk_n_seen(walk), 0, NULL);
	return r;
}

static unsigned filter(void *arg, const struct walk_entry *entry)
{
	const struct search *search = arg;

	if (choice_excludes(&search->choice, entry))
		return WALK_PASS_OVER;
	if (entry->type == S_IFDIR)
		return WALK_ENTER;
	return entry->type == S_IFREG && choice_wants(&search->choice, entry) ? WALK_SEE
									      : WALK_PASS_OVER;
}

static int search_directory(struct search *search)
{
	const struct walk_options options = {
		.filter = filter,
		.arg = search,
		.respects_gitignore = search->args->respect_gitignore,
		.tells_progress = true,
	};
	auto_(walk_freep) struct walk *walk = walk_new(&options, search->start.fd, search->call);
	struct walk_entry entry;
	int r;

	while (!hits_truncated(search->hits) && (r = walk_next(walk, &entry)) != WALK_END) {
		if (r > 0 && start_failed(search->call, search->args->path, r, &entry))
			return -EINVAL;
		if (r == WALK_UNREADABLE)
			search->n_unreadable += entry.error == -EACCES || entry.error == -EPERM;
		else if (r == WALK_ENTRY)
			r = search_entry(search, walk, &entry);
		if (r < 0)
			return r;
	}
	return 0;
}

static int run(struct search *search)
{
	const char *path = start_path(&search->start, "");
	const char *slash = strrchr(search->start.place.rest, '/');
	struct walk_entry entry = { .type = S_IFREG, .depth = 1 };

	if (!search->start.is_file)
		return search_directory(search);
	entry.name = slash ? slash + 1 : search->start.place.rest;
	entry.path = entry.name;
	return filter(search, &entry) ? search_file(search, search->start.fd, path) : 0;
}

/* Answering */

static void add_head(const struct search *search, struct strbuf *text)
{
	size_t n = hits_count(search->hits);

	if (n > 0) {
		strbuf_addf(text, "Found %zu match(es):", n);
		return;
	}
	strbuf_adds(text, "No matches found for '");
	paths_show(text, search->args->query);
	strbuf_addc(text, '\'');
}

static int answer(struct search *search)
{
	const struct strbuf *found = hits_text(search->hits);
	auto_strbuf text = { 0 };

	add_head(search, &text);
	strbuf_add(&text, strbuf_get(found), found->len);
	start_tell_refused(&text, search->n_unreadable);
	if (hits_truncated(search->hits))
		strbuf_adds(&text,
			"\n… there are more. Ask with a greater max_results (at most 5000), "
			"a more exact query or file_pattern, or for less with path.");
	return call_result(search->call,
		json_pack("{s:O, s:I, s:I, s:b}", "matches", hits_json(search->hits), "count",
			(json_int_t)hits_count(search->hits), "files_searched",
			(json_int_t)search->n_files, "truncated", hits_truncated(search->hits)),
		strbuf_get(&text), text.len);
}

static int fail_stopped(struct search *search)
{
	char how_far[96];

	(void)snprintf(how_far, sizeof(how_far), "%zu files were searched, %zu matches were found",
		search->n_files, hits_count(search->hits));
	return call_fail_stopped(search->call, how_far);
}

/* False: the call has failed. */
static bool set_up(struct search *search)
{
	const struct code_search_content_args *a = search->args;
	const struct hits_options options = {
		.is_regex = a->regex,
		.is_case_sensitive = a->case_sensitive,
		.context_lines = a->context_lines,
		.max_results = a->max_results,
	};
	struct failure fail;

	if (hits_new(search->call, a->query, &options, &search->hits, &fail) < 0) {
		(void)call_fail(search->call, fail.code, "%s. %s", fail.text,
			a->regex ? "Mend it, or leave regex out to look for it as it is."
				 : "Look for a part of it.");
		return false;
	}
	return choice_read(search->call, "file_pattern", a->file_pattern, &a->exclude_patterns,
		       &search->choice) &&
	       start_open(search->call, a->path, true, &search->start);
}

static int code_search_content(struct call *call, const void *args)
{
	auto_(search_done) struct search search = {
		.call = call,
		.args = args,
	};
	int r;

	if (!set_up(&search))
		return 0;
	r = run(&search);
	if (r == -ECANCELED)
		return fail_stopped(&search);
	return r < 0 ? 0 : answer(&search);
}

const struct tool filesystem_search_tools[] = {
	TOOL(code_search_content, "Search in files", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Search text in files, line by line. Binary files, files over 20 MiB, "
		       "symlinks and .git are left out.",
		.out = "matches {file string, line integer, column integer, content string, "
		       "before? string[], after? string[]}[], count integer, "
		       "files_searched integer, truncated boolean"),
	{ 0 },
};
