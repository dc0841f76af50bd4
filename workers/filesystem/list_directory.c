/* Tool code_list_directory, aliases list_directory and list_directory_with_sizes: what is in one
 * directory, however much that is: only the entries that are asked for are kept. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/utf8.h"
#include "workers/filesystem/attributes.h"
#include "workers/filesystem/room.h"
#include "workers/filesystem/shortlist.h"
#include "workers/filesystem/start.h"
#include "workers/filesystem/tools.h"

struct code_list_directory_args {
	const char *path;
	const char *sort_by;
	int64_t max_entries;
};

static const char *const orders[] = { "name", "size", "modified", NULL };

static const struct param code_list_directory_params[] = {
	PARAM(code_list_directory_args, path, .def_str = ".", .doc = "Directory."),
	PARAM(code_list_directory_args, sort_by, .choices = orders, .def_str = "name",
		.doc = "Order: size largest first, modified newest first."),
	PARAM(code_list_directory_args, max_entries, RANGE(1, 50000), .def_int = 2000,
		.doc = "Stop after this many."),
	{ 0 },
};

enum {
	ENTRY_BYTES = 200,             /* around a name, in text and structured content */
	LIST_BYTES = 16 * 1024 * 1024, /* of names and what belongs to them */
	NAME_COLUMN = 30,
	SIZE_COLUMN = 10,
};

/* A record of the shortlist. */
struct entry {
	int64_t key[2]; /* what is smaller comes first */
	char name[];
};

struct listing {
	struct call *call;
	const struct code_list_directory_args *args;
	bool with_sizes; /* the text of list_directory_with_sizes */
	struct start start;
	struct shortlist list;
	struct room room;
	json_t *entries;
	struct strbuf text;
	int64_t n_dirs;
	int64_t n_files;
	int64_t bytes;
	bool truncated;
};

static void listing_done(struct listing *listing)
{
	start_done(&listing->start);
	shortlist_done(&listing->list);
	json_decref(listing->entries);
	strbuf_done(&listing->text);
}

/* Reading */

static int compare_entries(const void *a, const void *b)
{
	const struct entry *left = a;
	const struct entry *right = b;

	for (size_t i = 0; i < N_ELEMENTS(left->key); i++)
		if (left->key[i] != right->key[i])
			return left->key[i] < right->key[i] ? -1 : 1;
	return strcmp(left->name, right->name);
}

/* False: it is gone. */
static bool find_key(const struct listing *listing, int dir_fd, const char *name, struct entry *ret)
{
	const char *order = listing->args->sort_by;
	struct stat st;

	*ret = (struct entry){ 0 };
	if (streq(order, "name"))
		return true;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (streq(order, "size")) {
		ret->key[0] = -st.st_size;
	} else {
		ret->key[0] = st.st_mtim.tv_sec == INT64_MIN ? INT64_MAX : -st.st_mtim.tv_sec;
		ret->key[1] = -st.st_mtim.tv_nsec;
	}
	return true;
}

static void add_name(struct listing *listing, int dir_fd, const char *name)
{
	auto_strbuf record = { 0 };
	struct entry entry;

	if (streq(name, ".") || streq(name, "..") || !find_key(listing, dir_fd, name, &entry))
		return;
	strbuf_add(&record, &entry, sizeof(entry));
	strbuf_adds(&record, name);
	shortlist_add(&listing->list, record.data, record.len + 1);
}

/* 0 or -errno; -ECANCELED: the call has to stop. */
static int read_names(struct listing *listing)
{
	auto_close int fd = fcntl(listing->start.fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *dirent;
	int r = 0;

	if (!dir)
		return -errno;
	(void)TAKE_FD(fd);
	while (r == 0 && (errno = 0, dirent = readdir(dir))) {
		add_name(listing, listing->start.fd, dirent->d_name);
		r = call_stopped(listing->call) ? -ECANCELED : 0;
	}
	if (r == 0)
		r = -errno;
	(void)closedir(dir);
	return r;
}

/* Showing */

static const char *tag(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFDIR:
		return "[DIR]";
	case S_IFREG:
		return "[FILE]";
	case S_IFLNK:
		return "[LINK]";
	default:
		return "[OTHER]";
	}
}

/* "12 B", "1.50 KB" …, as the reference server has it. */
static void size_text(char ret[32], int64_t bytes)
{
	static const char *const units[] = { "KB", "MB", "GB", "TB" };
	double size = (double)bytes / KIB;
	size_t unit = 0;

	if (bytes < KIB) {
		(void)snprintf(ret, 32, "%lld B", (long long)bytes);
		return;
	}
	for (; size >= KIB && unit + 1 < N_ELEMENTS(units); unit++)
		size /= KIB;
	(void)snprintf(ret, 32, "%.2f %s", size, units[unit]);
}

static void add_target(struct listing *listing, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(listing->start.fd, name, target, sizeof(target) - 1);

	if (len < 0)
		return;
	target[len] = '\0';
	strbuf_adds(&listing->text, " -> ");
	paths_show(&listing->text, target);
}

/* Name and size in columns; names of many bytes for a character come out narrower. */
static void add_columns(struct listing *listing, size_t name_at, const struct stat *st)
{
	struct strbuf *text = &listing->text;
	size_t width = utf8_count(text->data + name_at, text->len - name_at);
	char size[32] = "";

	if (!S_ISDIR(st->st_mode))
		size_text(size, st->st_size);
	strbuf_addf(text, "%*s %*s", (int)(width < NAME_COLUMN ? NAME_COLUMN - width : 0), "",
		SIZE_COLUMN, size);
	while (text->data[text->len - 1] == ' ')
		strbuf_cut(text, text->len - 1);
}

static void add_line(struct listing *listing, const char *name, const struct stat *st)
{
	struct strbuf *text = &listing->text;
	size_t name_at;
	char size[32];

	strbuf_addf(text, "%s%s ", text->len > 0 ? "\n" : "", tag(st));
	name_at = text->len;
	paths_show(text, name);
	if (S_ISLNK(st->st_mode))
		add_target(listing, name);
	if (listing->with_sizes) {
		add_columns(listing, name_at, st);
	} else if (streq(listing->args->sort_by, "size") && !S_ISDIR(st->st_mode)) {
		size_text(size, st->st_size);
		strbuf_addf(text, " (%s)", size);
	}
}

static void add_entry(struct listing *listing, const char *name, const struct stat *st)
{
	char modified[ATTRIBUTES_TIME_SIZE];

	add_line(listing, name, st);
	attributes_time(st->st_mtim, modified);
	(void)json_array_append_new(
		listing->entries, json_pack("{s:o, s:s, s:I, s:s}", "name", paths_json(name),
					  "type", attributes_type(st), "size",
					  (json_int_t)st->st_size, "modified", modified));
	if (S_ISDIR(st->st_mode)) {
		listing->n_dirs++;
	} else {
		listing->n_files++;
		listing->bytes += st->st_size;
	}
}

/* False: the call has to stop. */
static bool show(struct listing *listing)
{
	struct stat st;

	shortlist_sort(&listing->list);
	listing->truncated = listing->list.is_cut;
	for (size_t i = 0; i < listing->list.n; i++) {
		const struct entry *entry = shortlist_get(&listing->list, i);

		if (call_stopped(listing->call))
			return false;
		if (fstatat(listing->start.fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		/* A link's target takes room as well. */
		if (!room_take(&listing->room, entry->name,
			    ENTRY_BYTES + (S_ISLNK(st.st_mode) ? 7 * (size_t)st.st_size : 0))) {
			listing->truncated = true;
			return true;
		}
		add_entry(listing, entry->name, &st);
	}
	return true;
}

static void add_totals(struct listing *listing)
{
	char size[32];

	size_text(size, listing->bytes);
	strbuf_addf(&listing->text, "\n\nTotal: %lld files, %lld directories\nCombined size: %s",
		(long long)listing->n_files, (long long)listing->n_dirs, size);
}

static int answer(struct listing *listing)
{
	if (listing->with_sizes)
		add_totals(listing);
	else if (listing->text.len == 0)
		strbuf_adds(&listing->text, "The directory is empty.");
	if (listing->truncated)
		strbuf_addf(&listing->text,
			"\n… there are more than these %zu. Ask with a greater max_entries (at most "
			"50000), or with code_find_file for some of them.",
			json_array_size(listing->entries));
	return call_result(listing->call,
		json_pack("{s:o, s:O, s:I, s:b}", "path",
			paths_json(start_path(&listing->start, "")), "entries", listing->entries,
			"count", (json_int_t)json_array_size(listing->entries), "truncated",
			listing->truncated),
		strbuf_get(&listing->text), listing->text.len);
}

static int code_list_directory(struct call *call, const void *args)
{
	const struct code_list_directory_args *a = args;
	auto_(listing_done) struct listing listing = {
		.call = call,
		.args = a,
		.with_sizes = call_is_alias(call, "list_directory_with_sizes"),
		.room = room_of(call),
		.entries = json_array(),
	};
	int r;

	if (!start_open(call, a->path, false, &listing.start))
		return 0;
	shortlist_init(&listing.list, compare_entries, (size_t)a->max_entries, LIST_BYTES);
	r = read_names(&listing);
	if (r < 0 && r != -ECANCELED)
		return paths_fail(call, a->path, r);
	if (r < 0 || !show(&listing))
		return call_fail_stopped(call, "not all entries were looked at");
	return answer(&listing);
}

const struct tool filesystem_list_directory_tools[] = {
	TOOL(code_list_directory, "List a directory", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "List one directory with kinds and sizes.",
		.out = "path string, entries {name string, type string, size integer, "
		       "modified string}[], count integer, truncated boolean"),
	{ 0 },
};
