/* See walk.h. A stack of directories, each with a sorted list of what is to be done in it.
 *
 * A directory has two items there: "a" to show it, "a/" to enter it; so that "a-b", which is smaller
 * than "a/x", comes between the two, and the order is that of whole paths. A list that was cut, or
 * given up to make room for one below, is made anew from the item done last. */
#include "workers/filesystem/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/strbuf.h"
#include "workers/common/call.h"
#include "workers/common/roots.h"
#include "workers/filesystem/ignore.h"
#include "workers/filesystem/shortlist.h"

enum {
	OPEN_FLAGS = O_RDONLY | O_DIRECTORY | O_NOCTTY,
	STAY = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
};

/* What is to be done with a name of a directory. */
struct item {
	uint16_t type; /* S_IFMT bits */
	bool enters;   /* "a/" */
	char key[];
};

struct level {
	int fd;    /* -1: closed meanwhile */
	dev_t dev; /* to know it again when it is opened anew */
	ino_t ino;
	size_t path_len;            /* its path is so much of walk.path */
	struct ignore *own_rules;   /* of its .gitignore; NULL: it has none */
	const struct ignore *rules; /* those, or of the nearest directory above that has some */
	bool is_loaded;
	struct shortlist items;
	size_t next;
	char *done; /* the items up to this one are done; NULL: none is */
};

struct walk {
	const struct walk_options *options;
	struct call *call;
	int start_fd;
	struct level *levels;
	size_t n_levels;
	size_t levels_size;
	size_t held_bytes; /* in all items */
	size_t name_bytes; /* bound of held_bytes, and of one list */
	struct strbuf path;
	struct strbuf record;
	size_t rule_bytes; /* in all own_rules */
	size_t n_seen;
	size_t n_refused;
};

static struct level *top(const struct walk *walk)
{
	return &walk->levels[walk->n_levels - 1];
}

static bool stopped(struct walk *walk)
{
	if (!walk->call)
		return false;
	if (walk->options->tells_progress)
		call_progress(walk->call, (double)walk->n_seen, 0, NULL);
	return call_stopped(walk->call);
}

/* Opening */

int walk_open(int dir_fd, const char *path, int flags)
{
	auto_close int held = -1;
	int fd = dir_fd;

	while (strlen(path) >= PATH_MAX) {
		const char *end = memrchr(path, '/', PATH_MAX - 1);
		auto_free char *part = NULL;
		int next;

		if (!end)
			return -ENAMETOOLONG;
		part = alloc_mem(path, (size_t)(end - path));
		next = path_open_beneath(fd, part, O_PATH | O_DIRECTORY, 0, STAY);
		(void)fd_close(held);
		held = next;
		if (next < 0)
			return next;
		fd = next;
		path = end + 1;
	}
	return path_open_beneath(fd, path, flags, 0, STAY);
}

/* Opens a level's directory again, unless it is still open. */
static int reopen(struct walk *walk, struct level *level)
{
	auto_free char *path = NULL;
	auto_close int fd = -1;
	struct stat st;

	if (level->fd >= 0)
		return level->fd;
	path = alloc_mem(strbuf_get(&walk->path), level->path_len);
	fd = walk_open(walk->start_fd, path, OPEN_FLAGS);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != level->dev || st.st_ino != level->ino)
		return -EAGAIN; /* another directory has its name now */
	level->fd = TAKE_FD(fd);
	return level->fd;
}

int walk_dir_fd(struct walk *walk)
{
	return reopen(walk, top(walk));
}

/* The list of a level */

static int compare_items(const void *a, const void *b)
{
	const struct item *left = a;
	const struct item *right = b;

	return strcmp(left->key, right->key);
}

static const struct item *get_item(const struct level *level, size_t i)
{
	return shortlist_get(&level->items, i);
}

static void give_up_items(struct walk *walk, struct level *level)
{
	walk->held_bytes -= shortlist_memory(&level->items);
	shortlist_done(&level->items);
	level->next = 0;
}

/* The items that are not done will be read again. */
static void unload(struct walk *walk, struct level *level)
{
	bool is_done = level->next == level->items.n && !level->items.is_cut;

	if (level->next > 0 && !is_done) {
		free(level->done);
		level->done = alloc_str(get_item(level, level->next - 1)->key);
	}
	give_up_items(walk, level);
	level->is_loaded = is_done;
}

static void add_item(
	struct walk *walk, struct level *level, const struct walk_entry *entry, bool enters)
{
	const struct item head = { .type = (uint16_t)(entry->type & S_IFMT), .enters = enters };
	struct strbuf *record = &walk->record;

	strbuf_cut(record, 0);
	strbuf_add(record, &head, offsetof(struct item, key));
	strbuf_adds(record, entry->name);
	if (enters)
		strbuf_addc(record, '/');
	if (level->done && strcmp(record->data + offsetof(struct item, key), level->done) <= 0)
		return;
	shortlist_add(&level->items, record->data, record->len + 1);
}

/* False: it is gone. */
static bool find_type(int dir_fd, const struct dirent *dirent, mode_t *ret)
{
	struct stat st;

	*ret = (mode_t)DTTOIF(dirent->d_type);
	if (dirent->d_type != DT_UNKNOWN)
		return true;
	if (fstatat(dir_fd, dirent->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*ret = st.st_mode & S_IFMT;
	return true;
}

/* The path of what has this name in the directory on top. */
static void set_name(struct walk *walk, const char *name, size_t len, struct walk_entry *ret)
{
	size_t path_len = top(walk)->path_len;

	strbuf_cut(&walk->path, path_len);
	if (path_len > 0)
		strbuf_addc(&walk->path, '/');
	strbuf_add(&walk->path, name, len);
	ret->path = strbuf_get(&walk->path);
	ret->name = ret->path + (path_len > 0 ? path_len + 1 : 0);
	ret->depth = walk->n_levels;
}

static unsigned ask_filter(const struct walk *walk, const struct walk_entry *entry)
{
	unsigned wish = WALK_SEE | WALK_ENTER;

	if (walk->options->filter)
		wish = walk->options->filter(walk->options->arg, entry);
	if (entry->type != S_IFDIR || (!walk->options->enters_git && streq(entry->name, ".git")))
		wish &= ~(unsigned)WALK_ENTER;
	return wish;
}

static void take_name(struct walk *walk, struct level *level, const struct dirent *dirent)
{
	const char *name = dirent->d_name;
	struct walk_entry entry = { 0 };
	unsigned wish;

	if (streq(name, ".") || streq(name, "..") || !find_type(level->fd, dirent, &entry.type))
		return;
	if (!level->done)
		walk->n_seen++;
	set_name(walk, name, strlen(name), &entry);
	if (ignore_has(level->rules, entry.path, entry.type == S_IFDIR))
		return;
	wish = ask_filter(walk, &entry);
	if (wish & WALK_SEE)
		add_item(walk, level, &entry, false);
	if (wish & WALK_ENTER)
		add_item(walk, level, &entry, true);
}

/* All names of the directory on top. The descriptor is shared with `dir`, whence the rewinding. */
static int read_names(struct walk *walk, struct level *level, DIR *dir)
{
	const struct dirent *dirent;

	rewinddir(dir);
	for (;;) {
		errno = 0;
		dirent = readdir(dir);
		if (!dirent)
			return -errno;
		if (stopped(walk))
			return -ECANCELED;
		take_name(walk, level, dirent);
	}
}

/* Makes room for what the levels above the topmost hold too much. */
static void keep_bounds(struct walk *walk)
{
	for (size_t i = 0; i + 1 < walk->n_levels && walk->held_bytes > walk->name_bytes; i++)
		if (walk->levels[i].items.n > 0)
			unload(walk, &walk->levels[i]);
}

static int load(struct walk *walk)
{
	struct level *level = top(walk);
	auto_close int fd = -1;
	DIR *dir;
	int r = reopen(walk, level);

	if (r < 0)
		return r;
	fd = fcntl(r, F_DUPFD_CLOEXEC, 0);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return -errno;
	(void)TAKE_FD(fd);
	shortlist_init(&level->items, compare_items, SIZE_MAX, walk->name_bytes);
	r = read_names(walk, level, dir);
	(void)closedir(dir);
	if (r < 0) {
		shortlist_done(&level->items);
		return r;
	}
	shortlist_sort(&level->items);
	walk->held_bytes += shortlist_memory(&level->items);
	level->is_loaded = true;
	keep_bounds(walk);
	return 0;
}

/* The stack */

static void read_rules(struct walk *walk, struct level *level)
{
	const struct ignore *above = walk->n_levels > 1 ? level[-1].rules : NULL;

	level->own_rules = ignore_read(above, level->path_len, level->fd, &walk->rule_bytes);
	level->rules = level->own_rules ? level->own_rules : above;
}

static void add_level(struct walk *walk, int fd, const struct stat *st)
{
	if (walk->n_levels == walk->levels_size) {
		walk->levels_size = walk->levels_size ? walk->levels_size * 2 : 16;
		walk->levels = alloc_resize(walk->levels, walk->levels_size, sizeof(*walk->levels));
	}
	walk->levels[walk->n_levels++] = (struct level){
		.fd = fd,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.path_len = walk->path.len,
	};
	if (walk->options->respects_gitignore)
		read_rules(walk, top(walk));
}

static void pop(struct walk *walk)
{
	struct level *level = top(walk);

	give_up_items(walk, level);
	free(level->done);
	walk->rule_bytes -= ignore_bytes(level->own_rules);
	ignore_free(level->own_rules);
	if (level->fd != walk->start_fd)
		(void)fd_close(level->fd);
	walk->n_levels--;
}

/* Enters the directory `name`, a child of the topmost. */
static int push(struct walk *walk, const char *name)
{
	auto_close int fd = -1;
	struct stat st;
	int r;

	if (walk->n_levels > WALK_MAX_DEPTH)
		return -ENAMETOOLONG;
	r = walk_dir_fd(walk);
	if (r < 0)
		return r;
	fd = path_open_beneath(r, name, OPEN_FLAGS, 0, STAY);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	add_level(walk, TAKE_FD(fd), &st);
	/* The start stays open: all others are opened from there. */
	if (walk->n_levels > WALK_OPEN_DIRS) {
		struct level *far = &walk->levels[walk->n_levels - WALK_OPEN_DIRS];

		far->fd = fd_close(far->fd);
	}
	return 0;
}

struct walk *walk_new(const struct walk_options *options, int dir_fd, struct call *call)
{
	struct walk *walk = alloc_zero(sizeof(*walk));

	walk->options = options;
	walk->call = call;
	walk->start_fd = dir_fd;
	walk->name_bytes = options->name_bytes ? options->name_bytes : WALK_NAME_BYTES;
	add_level(walk, dir_fd, &(struct stat){ 0 });
	return walk;
}

void walk_free(struct walk *walk)
{
	if (!walk)
		return;
	while (walk->n_levels > 0)
		pop(walk);
	free(walk->levels);
	strbuf_done(&walk->path);
	strbuf_done(&walk->record);
	free(walk);
}

size_t walk_n_seen(const struct walk *walk)
{
	return walk->n_seen;
}

size_t walk_n_refused(const struct walk *walk)
{
	return walk->n_refused;
}

/* Steps */

/* The directory on top is done with, in one way or the other. */
static int leave(struct walk *walk, int error, struct walk_entry *ret)
{
	size_t path_len = top(walk)->path_len;

	strbuf_cut(&walk->path, path_len);
	pop(walk);
	if (walk->n_levels == 0 && error == 0)
		return WALK_END;
	*ret = (struct walk_entry){
		.path = strbuf_get(&walk->path),
		.depth = walk->n_levels,
		.type = S_IFDIR,
		.error = error,
	};
	ret->name = ret->path;
	if (walk->n_levels > 0 && top(walk)->path_len > 0)
		ret->name += top(walk)->path_len + 1;
	return error < 0 ? WALK_UNREADABLE : WALK_LEAVE;
}

/* Whether the name is not any more what it was when it was read. */
static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP;
}

static int enter(struct walk *walk, const struct item *item, struct walk_entry *ret)
{
	int r;

	*ret = (struct walk_entry){ .type = S_IFDIR };
	set_name(walk, item->key, strlen(item->key) - 1, ret);
	r = push(walk, ret->name);
	if (r == 0 || is_gone(r))
		return 0;
	ret->error = r;
	return WALK_UNREADABLE;
}

/* The next item of the topmost list; 0: nothing to tell. */
static int do_item(struct walk *walk, struct walk_entry *ret)
{
	struct level *level = top(walk);
	const struct item *item = get_item(level, level->next++);

	if (item->enters)
		return enter(walk, item, ret);
	*ret = (struct walk_entry){ .type = item->type };
	set_name(walk, item->key, strlen(item->key), ret);
	return WALK_ENTRY;
}

static int step(struct walk *walk, struct walk_entry *ret)
{
	struct level *level = top(walk);
	int r;

	if (!level->is_loaded) {
		r = load(walk);
		return r < 0 && r != -ECANCELED ? leave(walk, r, ret) : r;
	}
	if (level->next < level->items.n)
		return do_item(walk, ret);
	if (!level->items.is_cut)
		return leave(walk, 0, ret);
	unload(walk, level);
	return 0;
}

int walk_next(struct walk *walk, struct walk_entry *ret)
{
	while (walk->n_levels > 0) {
		int r;

		if (stopped(walk))
			return -ECANCELED;
		strbuf_cut(&walk->path, top(walk)->path_len);
		r = step(walk, ret);
		if (r == WALK_UNREADABLE)
			walk->n_refused += ret->error == -EACCES || ret->error == -EPERM;
		if (r != 0 || walk->n_levels == 0)
			return r;
	}
	return WALK_END;
}
