/* See target.h. */
#include "workers/filesystem/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/quote.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/protect.h"
#include "workers/filesystem/settings.h"

enum {
	MAX_LINKS = 40, /* as the kernel has it */
	DIR_MODE = 0777,
};

/* The search for one target. */
struct search {
	struct call *call;
	const char *path; /* as asked */
	unsigned flags;
	bool is_source; /* it is only read */
	struct target *t;
};

bool target_is_closed(const struct call *call, const char *name)
{
	const struct filesystem_settings *settings = call_settings(call);

	return settings->protect_git_dir && protect_is_git(name, strlen(name));
}

/* Whether `path` is `dir` or lies below it. */
static bool is_in(const char *path, const char *dir)
{
	size_t len = streq(dir, "/") ? 0 : strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

bool target_holds_root(const char *full)
{
	for (size_t i = 0; i < roots_count(); i++)
		if (is_in(roots_get(i)->path, full))
			return true;
	return false;
}

/* A root may hold another one that is less open. */
static bool is_writable(const char *full)
{
	const struct root *best = NULL;

	for (size_t i = 0; i < roots_count(); i++) {
		const struct root *root = roots_get(i);

		if (root_has(root, full) && (!best || strlen(root->path) > strlen(best->path)))
			best = root;
	}
	return best && best->writable;
}

static bool fail_protected(const struct search *s, const char *why)
{
	char quoted[QUOTE_SIZE];

	(void)call_fail(s->call, "protected", "%s %s", quote(quoted, s->path), why);
	return false;
}

/* Whether something at this real path may be written. */
static bool check_path(const struct search *s, const char *full)
{
	const struct filesystem_settings *settings = call_settings(s->call);

	if (s->is_source)
		return true;
	if (settings->protect_git_dir && protect_has_git(full))
		return fail_protected(s, "has a component .git, and everything of that name is "
					 "closed to writing. Use the git tools.");
	if (!is_writable(full)) {
		(void)paths_fail(s->call, s->path, EROFS);
		return false;
	}
	return true;
}

static int open_dir(const struct root *root, const char *rest)
{
	int fd = path_open_beneath(root->fd, rest, O_RDONLY | O_DIRECTORY, 0, 0);

	/* One that may be searched but not listed. */
	if (fd == -EACCES)
		fd = path_open_beneath(root->fd, rest, O_PATH | O_DIRECTORY, 0, 0);
	return fd;
}

/* The real path of a directory that was opened below the root, and still is there. */
static int path_in_root(const struct root *root, int fd, char **ret)
{
	auto_free char *path = path_of_fd(fd);

	if (!path)
		return -ENOENT;
	if (!root_has(root, path))
		return -EXDEV;
	*ret = TAKE(path);
	return 0;
}

static char *join(const char *dir, const char *name)
{
	return alloc_printf("%s/%s", streq(dir, "/") ? "" : dir, name);
}

/* 0, -errno, or 1: the call has failed. */
static int make_dir(const struct search *s, int parent_fd, const char *name)
{
	auto_free char *dir = NULL;
	auto_free char *full = NULL;
	int r = path_in_root(s->t->root, parent_fd, &dir);

	if (r < 0)
		return r;
	full = join(dir, name);
	if (!check_path(s, full))
		return 1;
	if (mkdirat(parent_fd, name, DIR_MODE) < 0)
		return errno == EEXIST ? 0 : -errno;
	s->t->n_made++;
	(void)fsync(parent_fd);
	return 0;
}

/* Opens the directory `rest` below the root, and creates what is missing of it on the way. Each level
 * is found from the root anew: symlinks that stay inside may lead anywhere. */
static int open_made_dir(const struct search *s, const char *rest)
{
	auto_free char *path = alloc_str(rest);
	auto_close int fd = open_dir(s->t->root, ".");
	char *name = path;

	while (fd >= 0 && *name) {
		size_t len = strcspn(name, "/");
		char end = name[len];
		int next;
		int r = 0;

		name[len] = '\0';
		next = open_dir(s->t->root, path);
		if (next == -ENOENT) {
			r = make_dir(s, fd, name);
			next = r == 0 ? open_dir(s->t->root, path) : -1;
		}
		if (r != 0)
			return r < 0 ? r : -ECANCELED;
		(void)fd_close(fd);
		fd = next;
		name[len] = end;
		name += len + (end == '/');
	}
	return TAKE_FD(fd);
}

static void forget_place(struct target *t)
{
	t->dir_fd = fd_close(t->dir_fd);
	free(t->dir);
	free(t->name);
	free(t->full);
	t->dir = NULL;
	t->name = NULL;
	t->full = NULL;
}

/* Where `rest` would be if its missing parents were made: below the last one that is there. */
static int find_missing(const struct search *s, const char *rest)
{
	auto_free char *parent = alloc_str(rest);
	auto_free char *dir = NULL;
	auto_close int fd = -ENOENT;
	size_t len = 0;
	int r;

	while (fd == -ENOENT) {
		char *slash = strrchr(parent, '/');

		len = slash ? (size_t)(slash - parent) : 0;
		parent[len] = '\0';
		fd = open_dir(s->t->root, len ? parent : ".");
		if (len == 0)
			break;
	}
	if (fd < 0)
		return fd;
	r = path_in_root(s->t->root, fd, &dir);
	if (r < 0)
		return r;
	s->t->full = join(dir, rest + len + (len > 0));
	return 0;
}

/* Opens the directory that holds `rest` and looks the last component up in it. */
static int find_name(const struct search *s, const char *rest)
{
	const char *slash = strrchr(rest, '/');
	auto_free char *parent = slash ? alloc_mem(rest, (size_t)(slash - rest)) : alloc_str(".");
	struct target *t = s->t;
	int r;

	forget_place(t);
	t->dir_fd = open_dir(t->root, parent);
	if (t->dir_fd == -ENOENT && (s->flags & TARGET_PARENTS))
		t->dir_fd = open_made_dir(s, parent);
	t->exists = false;
	if (t->dir_fd == -ENOENT && (s->flags & TARGET_LOOK))
		return find_missing(s, rest);
	if (t->dir_fd < 0)
		return t->dir_fd;
	r = path_in_root(t->root, t->dir_fd, &t->dir);
	if (r < 0)
		return r;
	t->name = alloc_str(slash ? slash + 1 : rest);
	t->full = join(t->dir, t->name);
	t->exists = fstatat(t->dir_fd, t->name, &t->st, AT_SYMLINK_NOFOLLOW) == 0;
	return t->exists || errno == ENOENT ? 0 : -errno;
}

/* Where the symlink that was found leads, as a path below the root. */
static int read_link(const struct target *t, char **ret)
{
	const char *inside = t->dir + (streq(t->root->path, "/") ? 0 : strlen(t->root->path));
	char link[PATH_MAX];
	ssize_t n = readlinkat(t->dir_fd, t->name, link, sizeof(link) - 1);
	const char *last;

	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	if ((size_t)n == sizeof(link) - 1)
		return -ENAMETOOLONG;
	link[n] = '\0';
	if (*link == '/')
		return -EXDEV;
	last = strrchr(link, '/');
	last = last ? last + 1 : link;
	if (*last == '\0' || streq(last, ".") || streq(last, ".."))
		return -EISDIR;
	inside += *inside == '/';
	free(*ret);
	*ret = *inside ? alloc_printf("%s/%s", inside, link) : alloc_str(link);
	return strlen(*ret) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* A symlink may lead to a name that may not be created: asked each time, before parents are made. */
static int resolve(const struct search *s, const char *rest)
{
	auto_free char *at = alloc_str(rest);

	for (int i = 0; i < MAX_LINKS; i++) {
		int r = find_name(s, at);

		if (r < 0 || !s->t->exists || !S_ISLNK(s->t->st.st_mode) ||
			!(s->flags & TARGET_FOLLOW))
			return r;
		r = read_link(s->t, &at);
		if (r < 0)
			return r;
	}
	return -ELOOP;
}

static bool fail_root(const struct search *s)
{
	if (s->flags & TARGET_FOLLOW) {
		(void)paths_fail(s->call, s->path, EISDIR);
		return false;
	}
	return fail_protected(
		s, "is a root of this server, and roots stay as they are. Name what is in it.");
}

static bool find(const struct search *s)
{
	auto_(place_done) struct place place = { 0 };
	int r;

	*s->t = (struct target){ .dir_fd = -1 };
	if (!paths_find(s->call, s->path, &place))
		return false;
	s->t->root = place.root;
	s->t->relative = place.relative;
	if (streq(place.rest, "."))
		return fail_root(s);
	/* By the text at first: a parent of a closed name is not even created. */
	if (!check_path(s, place.full))
		return false;
	r = resolve(s, place.rest);
	if (r == -ECANCELED)
		return false;
	if (r < 0) {
		(void)paths_fail(s->call, s->path, r);
		return false;
	}
	if (!s->is_source && s->t->exists && S_ISDIR(s->t->st.st_mode) &&
		target_holds_root(s->t->full))
		return fail_protected(s,
			"is or holds a root of this server, and roots stay as they are. Name "
			"what is in it.");
	return check_path(s, s->t->full);
}

bool target_find(struct call *call, const char *path, unsigned flags, struct target *ret)
{
	const struct search s = { .call = call, .path = path, .flags = flags, .t = ret };

	return find(&s);
}

bool target_find_source(struct call *call, const char *path, struct target *ret)
{
	const struct search s = { .call = call, .path = path, .is_source = true, .t = ret };

	return find(&s);
}

void target_done(struct target *target)
{
	forget_place(target);
	*target = (struct target){ .dir_fd = -1 };
}

int target_check_same(const struct target *target)
{
	const struct stat *was = &target->st;
	struct stat st;

	if (fstatat(target->dir_fd, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? (target->exists ? -ESTALE : 0) : -errno;
	if (!target->exists || st.st_dev != was->st_dev || st.st_ino != was->st_ino ||
		st.st_size != was->st_size || st.st_mtim.tv_sec != was->st_mtim.tv_sec ||
		st.st_mtim.tv_nsec != was->st_mtim.tv_nsec)
		return -ESTALE;
	return 0;
}

int target_open(const struct target *target, int flags)
{
	return path_open_beneath(target->dir_fd, target->name,
		flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, RESOLVE_NO_SYMLINKS);
}

bool target_check_file(struct call *call, const char *path, const struct target *target)
{
	int r = 0;

	if (S_ISDIR(target->st.st_mode))
		r = -EISDIR;
	else if (!S_ISREG(target->st.st_mode))
		r = -ENXIO;
	else if (faccessat(target->dir_fd, target->name, W_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) <
		 0)
		r = -errno;
	if (r < 0)
		(void)paths_fail(call, path, r);
	return r == 0;
}

void target_undo_parents(const struct target *target)
{
	auto_free char *path = target->n_made ? alloc_str(target->dir) : NULL;
	size_t root_len = streq(target->root->path, "/") ? 0 : strlen(target->root->path);

	for (int i = 0; i < target->n_made; i++) {
		char *slash = strrchr(path, '/');
		auto_close int fd = -1;

		if (!slash || (size_t)(slash - path) < root_len)
			return;
		*slash = '\0';
		fd = open_dir(target->root, path[root_len] ? path + root_len + 1 : ".");
		if (fd < 0 || unlinkat(fd, slash + 1, AT_REMOVEDIR) < 0)
			return;
	}
}

char *target_show(const struct target *target, const char *name)
{
	const struct root *first = roots_get(0);
	auto_free char *full = join(target->dir, name);
	size_t len = streq(first->path, "/") ? 0 : strlen(first->path);

	if (!target->relative || !root_has(first, full))
		return TAKE(full);
	return alloc_str(full + len + 1);
}
