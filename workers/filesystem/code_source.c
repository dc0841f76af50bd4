/* See code_source.h. */
#include "workers/filesystem/code_source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/quote.h"
#include "workers/common/roots.h"
#include "workers/filesystem/atomic.h"
#include "workers/filesystem/content.h"
#include "workers/filesystem/protect.h"
#include "workers/filesystem/start.h"
#include "workers/filesystem/target.h"
#include "workers/filesystem/walk.h"

enum {
	MAX_FILES = 5000,
	MAX_ENTRIES = 200000, /* of all directories that are walked through */
	SHEBANG_BYTES = 128,
	PRIVATE_MODE = 0600, /* until it gets the old file's */
};

/* What one link more would lead to is no longer what was named. */
static const uint64_t no_links = RESOLVE_NO_SYMLINKS;

static const struct {
	const char *end;
	enum code_kind kind;
} endings[] = {
	{ ".py", CODE_SOURCE },
	{ ".pyw", CODE_SOURCE },
	{ ".pyi", CODE_STUB },
	{ ".ipynb", CODE_NOTEBOOK },
};

/* Directories that hold what others wrote, or what was made. Hidden ones are passed over as well. */
static const char *const passed_over[] = { "CVS", "__pycache__", "__pypackages__", "_build",
	"buck-out", "build", "dist", "node_modules", "site-packages", "venv" };

static const char *const project_files[] = { "pyproject.toml", "setup.py", "setup.cfg", "ruff.toml",
	".ruff.toml", ".git" };

static bool kind_of(const char *name, enum code_kind *ret)
{
	const size_t len = strlen(name);

	for (size_t i = 0; i < N_ELEMENTS(endings); i++) {
		const size_t end = strlen(endings[i].end);

		if (len > end && streq(name + len - end, endings[i].end)) {
			*ret = endings[i].kind;
			return true;
		}
	}
	return false;
}

static void add_source(struct code_sources *sources, char *shown, char *rest, enum code_kind kind)
{
	sources->items = alloc_resize(sources->items, sources->n + 1, sizeof(*sources->items));
	sources->items[sources->n++] =
		(struct code_source){ .shown = shown, .rest = rest, .kind = kind };
}

/* Walking. */

struct search {
	struct code_sources *sources;
	size_t n_entries;
};

static bool is_passed_over(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(passed_over); i++)
		if (streq(name, passed_over[i]))
			return true;
	return name[0] == '.';
}

/* Once there were too many entries, nothing that is still to come is entered. */
static unsigned filter(void *arg, const struct walk_entry *entry)
{
	struct search *search = arg;
	enum code_kind kind;

	search->sources->is_cut |= ++search->n_entries > MAX_ENTRIES;
	if (search->sources->is_cut)
		return WALK_PASS_OVER;
	if (entry->type == S_IFDIR)
		return is_passed_over(entry->name) ? WALK_PASS_OVER : WALK_ENTER;
	return entry->type == S_IFREG && kind_of(entry->name, &kind) && kind != CODE_NOTEBOOK
		       ? WALK_SEE
		       : WALK_PASS_OVER;
}

/* False: no more are taken. */
static bool take_entry(
	struct code_sources *sources, struct start *start, const struct walk_entry *entry)
{
	auto_strbuf shown = { 0 };
	enum code_kind kind = CODE_SOURCE;

	sources->is_cut |= sources->n == MAX_FILES;
	if (sources->n == MAX_FILES)
		return false;
	(void)kind_of(entry->name, &kind);
	paths_show(&shown, start_path(start, entry->path));
	add_source(sources, strbuf_take(&shown), alloc_str(entry->path), kind);
	return true;
}

/* In the order of their names. What cannot be read, or is gone meanwhile, is passed over. */
static bool find_below(
	struct call *call, const char *asked, struct start *start, struct code_sources *sources)
{
	struct search search = { .sources = sources };
	const struct walk_options options = { .filter = filter, .arg = &search };
	auto_(walk_freep) struct walk *walk = walk_new(&options, start->fd, call);
	struct walk_entry entry;
	int r;

	while ((r = walk_next(walk, &entry)) > 0) {
		if (start_failed(call, asked, r, &entry))
			return false;
		if (r == WALK_ENTRY && !take_entry(sources, start, &entry))
			return true;
	}
	if (r < 0)
		(void)call_fail_stopped(call, "the directory was not yet walked through");
	return r == WALK_END;
}

/* One file. */

static bool has_python_shebang(int fd)
{
	char line[SHEBANG_BYTES + 1];
	ssize_t n = pread(fd, line, SHEBANG_BYTES, 0);

	if (n <= 2 || line[0] != '#' || line[1] != '!')
		return false;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return strstr(line, "python") != NULL;
}

static bool take_file(struct call *call, const char *asked, int fd, struct code_sources *sources)
{
	enum code_kind kind = CODE_SOURCE;
	auto_strbuf shown = { 0 };
	char quoted[QUOTE_SIZE];
	auto_free char *real = path_of_fd(fd);
	char *slash;

	if (!real) {
		(void)paths_fail(call, asked, -ENOENT);
		return false;
	}
	slash = strrchr(real, '/');
	if (!kind_of(slash + 1, &kind) && !has_python_shebang(fd)) {
		(void)call_fail(call, "invalid_argument",
			"%s is not Python: its name ends in none of .py, .pyi, .pyw, .ipynb, and its first line names no python. Name a Python file or a directory.",
			quote(quoted, asked));
		return false;
	}
	paths_show(&shown, asked);
	add_source(sources, strbuf_take(&shown), alloc_str(slash + 1), kind);
	*slash = '\0';
	sources->dir = alloc_str(*real ? real : "/");
	return true;
}

/* Both. */

/* `dir` below its innermost root, as a place. */
static int find_place(const char *dir, struct place *ret)
{
	struct fail fail = { 0 };

	return place_find(dir, ret, &fail);
}

static int open_dir(struct code_sources *sources)
{
	auto_(place_done) struct place place = { 0 };
	int r = find_place(sources->dir, &place);

	if (r == 0)
		r = path_open_beneath(
			place.root->fd, place.rest, O_PATH | O_DIRECTORY, 0, no_links);
	if (r < 0)
		return r;
	sources->dir_fd = r;
	return 0;
}

static bool is_project(int fd)
{
	for (size_t i = 0; i < N_ELEMENTS(project_files); i++)
		if (faccessat(fd, project_files[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	return false;
}

/* Upwards from the directory, never above its root. */
static int find_project(struct code_sources *sources)
{
	auto_free char *dir = alloc_str(sources->dir);
	auto_(place_done) struct place place = { 0 };
	int r = find_place(dir, &place);

	if (r < 0)
		return r;
	for (;;) {
		auto_close int fd = -1;
		char *slash = strrchr(place.rest, '/');

		fd = path_open_beneath(
			place.root->fd, place.rest, O_PATH | O_DIRECTORY, 0, no_links);
		if (fd < 0)
			return fd;
		if (is_project(fd) || streq(place.rest, ".")) {
			sources->project = path_of_fd(fd);
			sources->project_fd = TAKE_FD(fd);
			return sources->project ? 0 : -ENOENT;
		}
		if (slash)
			*slash = '\0';
		else
			(void)snprintf(place.rest, 2, ".");
	}
}

static bool find(struct call *call, const char *path, struct start *start, struct code_sources *ret)
{
	if (!start_open(call, path, true, start))
		return false;
	ret->is_dir = !start->is_file;
	if (!ret->is_dir)
		return take_file(call, path, start->fd, ret);
	ret->dir = path_of_fd(start->fd);
	return true;
}

bool code_sources_find(struct call *call, const char *path, struct code_sources *ret)
{
	auto_start start = { 0 };
	int r = -ENOENT;

	ret->is_open = true;
	ret->dir_fd = -1;
	ret->project_fd = -1;
	if (!find(call, path, &start, ret))
		return false;
	if (ret->dir)
		r = open_dir(ret);
	if (r == 0)
		r = find_project(ret);
	if (r < 0) {
		(void)paths_fail(call, path, r);
		return false;
	}
	return !ret->is_dir || find_below(call, path, &start, ret);
}

void code_sources_done(struct code_sources *sources)
{
	if (!sources->is_open)
		return;
	for (size_t i = 0; i < sources->n; i++) {
		free(sources->items[i].shown);
		free(sources->items[i].rest);
	}
	free(sources->items);
	(void)fd_close(sources->dir_fd);
	(void)fd_close(sources->project_fd);
	free(sources->dir);
	free(sources->project);
	*sources = (struct code_sources){ 0 };
}

int code_source_read(struct call *call, const struct code_sources *sources,
	const struct code_source *source, struct strbuf *ret, struct stat *ret_stat)
{
	auto_close int fd = path_open_beneath(
		sources->dir_fd, source->rest, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, no_links);

	if (fd < 0)
		return fd;
	if (fstat(fd, ret_stat) < 0)
		return -errno;
	if (!S_ISREG(ret_stat->st_mode))
		return -ENXIO;
	return content_read(call, fd, CODE_FILE_BYTES, ret);
}

char *code_source_name(const struct code_sources *sources, const struct code_source *source)
{
	const size_t above = streq(sources->project, "/") ? 1 : strlen(sources->project) + 1;
	auto_free char *full = alloc_printf("%s/%s", sources->dir, source->rest);
	auto_strbuf shown = { 0 };
	const char *name = full;

	while (name[0] == '/' && name[1] == '/')
		name++;
	if (strlen(name) <= above)
		return NULL;
	name += above;
	paths_show(&shown, name);
	return streq(strbuf_get(&shown), name) ? alloc_str(name) : NULL;
}

/* Writing. */

int code_source_may_write(
	const struct code_sources *sources, const struct code_source *source, bool protect_git_dir)
{
	auto_free char *full = alloc_printf("%s/%s", sources->dir, source->rest);
	auto_(place_done) struct place place = { 0 };
	int r = find_place(full, &place);

	if (r < 0)
		return r;
	if (!place.root->writable)
		return -EROFS;
	return protect_git_dir && protect_has_git(place.full) ? -EPERM : 0;
}

static int replace_in(int dir_fd, char *name, const struct stat *was, const struct strbuf *bytes)
{
	const struct target target = { .dir_fd = dir_fd, .name = name, .exists = true, .st = *was };
	auto_(atomic_done) struct atomic_file file = ATOMIC_FILE_NONE;
	int r = atomic_begin(&file, dir_fd, name, PRIVATE_MODE);

	if (r == 0)
		r = fd_write_all(file.fd, strbuf_get(bytes), bytes->len);
	if (r == 0)
		r = atomic_keep_attributes(&file, dir_fd, name, was);
	if (r == 0)
		r = target_check_same(&target);
	return r < 0 ? r : atomic_replace(&file, name);
}

int code_source_replace(const struct code_sources *sources, const struct code_source *source,
	const struct stat *was, const struct strbuf *bytes)
{
	auto_free char *parent = alloc_str(source->rest);
	char *slash = strrchr(parent, '/');
	char *name = slash ? slash + 1 : parent;
	auto_close int fd = -1;

	if (slash)
		*slash = '\0';
	fd = path_open_beneath(
		sources->dir_fd, slash ? parent : ".", O_RDONLY | O_DIRECTORY, 0, no_links);
	if (fd < 0)
		return fd;
	return replace_in(fd, name, was, bytes);
}
