/* See code_source.h. */
#include "workers/filesystem/code_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/quote.h"
#include "workers/common/roots.h"

enum {
	MAX_FILES = 5000,
	MAX_ENTRIES = 200000, /* of all directories that are walked through */
	LOOK_EVERY = 256,     /* entries, for a cancellation */
	READ_BYTES = 64 * KIB,
	SHEBANG_BYTES = 128,
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

struct walk {
	struct call *call;
	struct code_sources *sources;
	const char *asked;
	char **pending; /* directories, below dir_fd */
	size_t n_pending;
	size_t n_entries;
	bool stopped;
};

static void walk_done(struct walk *w)
{
	while (w->n_pending > 0)
		free(w->pending[--w->n_pending]);
	free(w->pending);
}

static bool is_passed_over(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(passed_over); i++)
		if (streq(name, passed_over[i]))
			return true;
	return name[0] == '.';
}

/* How the asker would name what lies at `rest` below the directory asked for. */
static char *show(const char *asked, const char *rest)
{
	auto_free char *full = NULL;
	auto_strbuf shown = { 0 };
	size_t len = strlen(asked);

	while (len > 1 && asked[len - 1] == '/')
		len--;
	if (streq(asked, "."))
		full = alloc_str(rest);
	else
		full = alloc_printf(
			"%.*s%s%s", (int)len, asked, asked[len - 1] == '/' ? "" : "/", rest);
	paths_show(&shown, full);
	return strbuf_take(&shown);
}

static void take_entry(struct walk *w, const char *parent, const char *name, unsigned char type)
{
	char *rest = *parent ? alloc_printf("%s/%s", parent, name) : alloc_str(name);
	enum code_kind kind;

	if (type == DT_DIR && !is_passed_over(name)) {
		w->pending = alloc_resize(w->pending, w->n_pending + 1, sizeof(char *));
		w->pending[w->n_pending++] = rest;
	} else if (type == DT_REG && kind_of(name, &kind) && kind != CODE_NOTEBOOK) {
		w->sources->is_cut = w->sources->n == MAX_FILES;
		if (w->sources->is_cut)
			free(rest);
		else
			add_source(w->sources, show(w->asked, rest), rest, kind);
	} else {
		free(rest);
	}
}

static unsigned char type_of(DIR *dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_UNKNOWN;
	return S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_UNKNOWN;
}

static bool goes_on(struct walk *w)
{
	if (++w->n_entries % LOOK_EVERY == 0 && call_stopped(w->call))
		w->stopped = true;
	if (w->n_entries > MAX_ENTRIES)
		w->sources->is_cut = true;
	return !w->stopped && !w->sources->is_cut;
}

/* What cannot be read, or is gone meanwhile, or is another file system, is not entered. */
static void walk_directory(struct walk *w, const char *rest)
{
	int fd = path_open_beneath(
		w->sources->dir_fd, rest, O_RDONLY | O_DIRECTORY, 0, no_links | RESOLVE_NO_XDEV);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!dir) {
		(void)fd_close(fd);
		return;
	}
	while (goes_on(w) && (entry = readdir(dir)))
		if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
			take_entry(w, rest, entry->d_name, type_of(dir, entry));
	(void)closedir(dir);
}

static int compare_sources(const void *a, const void *b)
{
	const struct code_source *x = a;
	const struct code_source *y = b;

	return strcmp(x->rest, y->rest);
}

static bool find_below(struct call *call, const char *asked, struct code_sources *sources)
{
	auto_(walk_done) struct walk w = { .call = call, .sources = sources, .asked = asked };

	walk_directory(&w, "");
	while (w.n_pending > 0 && !w.stopped && !sources->is_cut) {
		auto_free char *rest = w.pending[--w.n_pending];

		walk_directory(&w, rest);
	}
	if (w.stopped) {
		(void)call_fail_stopped(call, "the directory was not yet walked through");
		return false;
	}
	if (sources->n > 0)
		qsort(sources->items, sources->n, sizeof(*sources->items), compare_sources);
	return true;
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

	for (;;) {
		auto_close int fd = -1;
		char *slash = strrchr(place.rest ? place.rest : "", '/');

		if (r < 0)
			return r;
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

static bool find(struct call *call, const char *path, struct code_sources *ret)
{
	auto_(place_done) struct place place = { 0 };
	auto_close int fd = -1;
	struct stat st;
	int r;

	if (!paths_find(call, path, &place))
		return false;
	fd = place_open(&place, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	r = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0 && !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		r = -ENXIO;
	if (r < 0) {
		(void)paths_fail(call, path, r);
		return false;
	}
	ret->is_dir = S_ISDIR(st.st_mode);
	if (!ret->is_dir)
		return take_file(call, path, fd, ret);
	ret->dir = path_of_fd(fd);
	return true;
}

bool code_sources_find(struct call *call, const char *path, struct code_sources *ret)
{
	int r = -ENOENT;

	ret->is_open = true;
	ret->dir_fd = -1;
	ret->project_fd = -1;
	if (!find(call, path, ret))
		return false;
	if (ret->dir)
		r = open_dir(ret);
	if (r == 0)
		r = find_project(ret);
	if (r < 0) {
		(void)paths_fail(call, path, r);
		return false;
	}
	return !ret->is_dir || find_below(call, path, ret);
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

static int read_all(int fd, struct strbuf *ret)
{
	for (;;) {
		char *room = strbuf_reserve(ret, READ_BYTES);
		ssize_t n = read(fd, room, READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		ret->len += (size_t)n;
		if (ret->len > CODE_FILE_BYTES)
			return -EFBIG;
	}
}

int code_source_read(const struct code_sources *sources, const struct code_source *source,
	struct strbuf *ret, struct stat *ret_stat)
{
	auto_close int fd = path_open_beneath(
		sources->dir_fd, source->rest, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, no_links);

	if (fd < 0)
		return fd;
	if (fstat(fd, ret_stat) < 0)
		return -errno;
	if (!S_ISREG(ret_stat->st_mode))
		return -ENXIO;
	return read_all(fd, ret);
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

static bool has_git_component(const char *path)
{
	while (*path) {
		const size_t len = strcspn(path, "/");

		if (len == 4 && strncasecmp(path, ".git", 4) == 0)
			return true;
		path += len + (path[len] == '/');
	}
	return false;
}

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
	return protect_git_dir && has_git_component(place.full) ? -EPERM : 0;
}

static bool is_as_before(int dir_fd, const char *name, const struct stat *was)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == was->st_dev &&
	       st.st_ino == was->st_ino && st.st_size == was->st_size &&
	       st.st_mtim.tv_sec == was->st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

static int fill(int fd, const struct stat *was, const struct strbuf *bytes)
{
	int r = fd_write_all(fd, strbuf_get(bytes), bytes->len);

	if (r < 0)
		return r;
	/* Only root may give files away; else the file is ours then, as with any editor. */
	if (fchown(fd, was->st_uid, was->st_gid) < 0 && errno != EPERM)
		return -errno;
	if (fchmod(fd, was->st_mode & 0777) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static int replace_in(
	int dir_fd, const char *name, const struct stat *was, const struct strbuf *bytes)
{
	auto_close int fd = -1;
	char temporary[64];
	uint64_t random;
	int r;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	(void)snprintf(
		temporary, sizeof(temporary), ".mcp-fleet-%016llx.tmp", (unsigned long long)random);
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fill(fd, was, bytes);
	if (r == 0 && !is_as_before(dir_fd, name, was))
		r = -ESTALE;
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir_fd, temporary, 0);
	else
		(void)fsync(dir_fd);
	return r;
}

int code_source_replace(const struct code_sources *sources, const struct code_source *source,
	const struct stat *was, const struct strbuf *bytes)
{
	auto_free char *parent = alloc_str(source->rest);
	char *slash = strrchr(parent, '/');
	const char *name = slash ? slash + 1 : parent;
	auto_close int fd = -1;

	if (slash)
		*slash = '\0';
	fd = path_open_beneath(
		sources->dir_fd, slash ? parent : ".", O_RDONLY | O_DIRECTORY, 0, no_links);
	if (fd < 0)
		return fd;
	return replace_in(fd, name, was, bytes);
}
