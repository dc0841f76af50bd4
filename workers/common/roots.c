/* See roots.h. Text decides which root is meant; the kernel decides whether the path stays in it. */
#include "workers/common/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/quote.h"
#include "shared/strbuf.h"

enum {
	MAX_PATH_BYTES = 4096,
	MAX_COMPONENT_BYTES = 255,
	OPEN_ATTEMPTS = 32, /* EAGAIN: something was renamed meanwhile */
};

struct open_root {
	struct root root;
	char *path;  /* the real one, root.path */
	char *given; /* absolute, normalised, as the operator wrote it: askers may know that name */
	bool is_part; /* below another one, for one call: freed with the narrowed set */
};

struct root_set {
	struct open_root **items; /* pointers: a place borrows its root */
	size_t n;
};

static struct root_set opened; /* as the settings say */
static struct root_set narrow; /* for one call: some of those, and parts of them */
static bool is_narrow;

static const struct root_set *current(void)
{
	return is_narrow ? &narrow : &opened;
}

size_t roots_count(void)
{
	return current()->n;
}

const struct root *roots_get(size_t i)
{
	return i < current()->n ? &current()->items[i]->root : NULL;
}

bool roots_are_narrow(void)
{
	return is_narrow;
}

/* Whether `path` is `dir` or lies below it; both absolute and normalised. *ret_rest: what follows. */
static bool lies_in(const char *dir, const char *path, const char **ret_rest)
{
	size_t len = strlen(dir);

	if (streq(dir, "/"))
		len = 0;
	if (strncmp(dir, path, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return false;
	*ret_rest = path[len] == '/' ? path + len + 1 : path + len;
	return true;
}

bool root_has(const struct root *root, const char *path)
{
	const char *rest;

	return lies_in(root->path, path, &rest);
}

/* Appends the components of `path` to `out` ("/a/b"), which stays normalised: no empty and no "."
 * components, ".." takes the last one away. -EXDEV: above where `out` began. */
static int add_components(struct strbuf *out, const char *path)
{
	const size_t begin = out->len;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len > MAX_COMPONENT_BYTES)
			return -ENAMETOOLONG;
		if (len == 2 && memcmp(path, "..", 2) == 0) {
			if (out->len == begin)
				return -EXDEV;
			strbuf_cut(out, (size_t)(strrchr(out->data, '/') - out->data));
		} else if (len > 0 && !(len == 1 && *path == '.')) {
			strbuf_addc(out, '/');
			strbuf_add(out, path, len);
		}
		path += len + (path[len] == '/');
	}
	return 0;
}

/* An absolute path without ".", ".." and double slashes; at the top ".." stays there. */
static int normalise(const char *path, char **ret)
{
	auto_strbuf out = { 0 };
	int r = add_components(&out, path);

	if (r < 0)
		return r;
	if (out.len == 0)
		strbuf_addc(&out, '/');
	*ret = strbuf_take(&out);
	return 0;
}

/* The absolute form of what the operator wrote, for recognising it; NULL: not to be had. */
static char *given_path(const char *path)
{
	auto_free char *cwd = *path == '/' ? NULL : realpath(".", NULL);
	auto_free char *full = alloc_printf("%s/%s", cwd ? cwd : "", path);
	char *given = NULL;

	if (*path != '/' && !cwd)
		return NULL;
	return normalise(full, &given) < 0 ? NULL : given;
}

static struct open_root *find_by_path(const struct root_set *set, const char *path)
{
	for (size_t i = 0; i < set->n; i++)
		if (streq(set->items[i]->path, path))
			return set->items[i];
	return NULL;
}

static void add_root(struct root_set *set, struct open_root *root)
{
	set->items = alloc_resize(set->items, set->n + 1, sizeof(struct open_root *));
	set->items[set->n++] = root;
}

static void free_root(struct open_root *root)
{
	(void)fd_close(root->root.fd);
	free(root->path);
	free(root->given);
	free(root);
}

static void forget_items(struct root_set *set)
{
	free(set->items);
	*set = (struct root_set){ 0 };
}

/* Better at the start than at each call. */
static int check_kernel(int root_fd, struct fail *fail)
{
	auto_close int fd = path_open_beneath(root_fd, ".", O_PATH | O_DIRECTORY, 0, 0);

	if (fd < 0)
		return fail_set(fail, fd,
			"openat2(2) does not work here: Linux 5.6 or newer is needed, and a sandbox has to allow it");
	return 0;
}

int roots_open(const char *path, bool writable, struct fail *fail)
{
	auto_close int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free char *real = NULL;
	struct open_root *root;
	char quoted[QUOTE_SIZE];
	int r;

	if (fd < 0)
		return fail_set(fail, -errno, "cannot open the root %s", quote(quoted, path));
	r = check_kernel(fd, fail);
	if (r < 0)
		return r;
	real = path_of_fd(fd);
	if (!real)
		return fail_set(fail, -ENOENT, "the root %s has no path", quote(quoted, path));
	root = find_by_path(&opened, real);
	if (root) {
		root->root.writable |= writable;
		return 0;
	}

	root = alloc_zero(sizeof(*root));
	root->path = TAKE(real);
	root->given = given_path(path);
	root->root = (struct root){ .path = root->path, .fd = TAKE_FD(fd), .writable = writable };
	add_root(&opened, root);
	return 0;
}

void roots_close(void)
{
	roots_widen();
	for (size_t i = 0; i < opened.n; i++)
		free_root(opened.items[i]);
	forget_items(&opened);
}

/* The innermost root that holds `path`. */
static const struct root *find_root(
	const struct root_set *set, const char *path, const char **ret_rest)
{
	const struct root *best = NULL;
	const char *rest;

	for (size_t i = 0; i < set->n; i++) {
		const struct open_root *root = set->items[i];

		if (!lies_in(root->path, path, &rest) &&
			(!root->given || !lies_in(root->given, path, &rest)))
			continue;
		/* The shorter the rest, the further in the root. */
		if (!best || strlen(rest) < strlen(*ret_rest)) {
			best = &root->root;
			*ret_rest = rest;
		}
	}
	return best;
}

static int fail_outside(const char *path, struct fail *fail)
{
	auto_strbuf known = { 0 };
	char quoted[QUOTE_SIZE];

	for (size_t i = 0; i < roots_count() && known.len < MAX_COMPONENT_BYTES; i++)
		strbuf_addf(&known, "%s%s", i ? ", " : "", roots_get(i)->path);
	if (known.len == 0 && is_narrow)
		strbuf_adds(&known,
			"there are none, because no root that the client tells (MCP roots/list) "
			"lies in one of this server");
	return fail_set(fail, -EXDEV, "%s is outside of the directories that may be used: %s",
		quote(quoted, path), known.len ? known.data : "there are none");
}

static int check_text(const char *path, struct fail *fail)
{
	if (!*path)
		return fail_set(fail, -EINVAL, "a path must not be empty");
	if (strnlen(path, MAX_PATH_BYTES + 1) > MAX_PATH_BYTES)
		return fail_set(fail, -EINVAL, "a path may have %d bytes", MAX_PATH_BYTES);
	return 0;
}

static int fail_text(int r, const char *path, struct fail *fail)
{
	if (r == -EXDEV)
		return fail_outside(path, fail);
	return fail_set(fail, -EINVAL, "a name in a path may have %d bytes", MAX_COMPONENT_BYTES);
}

static void set_place(struct place *ret, const struct root *root, const char *rest, bool relative)
{
	const char *slash = streq(root->path, "/") ? "" : "/";

	ret->root = root;
	ret->rest = alloc_str(*rest ? rest : ".");
	ret->full = *rest ? alloc_printf("%s%s%s", root->path, slash, rest) : alloc_str(root->path);
	ret->relative = relative;
}

static int find_relative(const char *path, struct place *ret, struct fail *fail)
{
	auto_strbuf rest = { 0 };
	int r = roots_count() ? add_components(&rest, path) : -EXDEV;

	if (r < 0)
		return fail_text(r, path, fail);
	set_place(ret, roots_get(0), rest.len ? rest.data + 1 : "", true);
	return 0;
}

static int find_absolute(const char *path, struct place *ret, struct fail *fail)
{
	auto_free char *normal = NULL;
	const struct root *root;
	const char *rest = NULL;
	int r = normalise(path, &normal);

	if (r < 0)
		return fail_text(r, path, fail);
	root = find_root(current(), normal, &rest);
	if (!root)
		return fail_outside(path, fail);
	set_place(ret, root, rest, false);
	return 0;
}

int place_find(const char *path, struct place *ret, struct fail *fail)
{
	int r = check_text(path, fail);

	if (r < 0)
		return r;
	return *path == '/' ? find_absolute(path, ret, fail) : find_relative(path, ret, fail);
}

void place_done(struct place *place)
{
	free(place->rest);
	free(place->full);
	*place = (struct place){ 0 };
}

int place_open(const struct place *place, int flags, unsigned mode)
{
	return path_open_beneath(place->root->fd, place->rest, flags, mode, 0);
}

int path_open_beneath(int dir_fd, const char *rest, int flags, unsigned mode, uint64_t resolve)
{
	const struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve,
	};

	for (int i = 0; i < OPEN_ATTEMPTS; i++) {
		long fd = syscall(SYS_openat2, dir_fd, *rest ? rest : ".", &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

/* Narrowing. */

static void take_whole(struct open_root *root)
{
	if (!find_by_path(&narrow, root->path))
		add_root(&narrow, root);
}

/* The roots that lie in `dir` stay as they are, also those that are less open than what is around them. */
static void take_held(const char *dir)
{
	const char *rest;

	for (size_t i = 0; i < opened.n; i++) {
		struct open_root *root = opened.items[i];

		if (lies_in(dir, root->path, &rest) ||
			(root->given && lies_in(dir, root->given, &rest)))
			take_whole(root);
	}
}

/* Below its root, by the kernel's judgement; its real path, since a symlink may lead into another root. */
static void take_part(const char *path)
{
	auto_close int fd = -1;
	auto_free char *real = NULL;
	const char *rest;
	const struct root *root = find_root(&opened, path, &rest);
	struct open_root *part;

	if (!root)
		return;
	fd = path_open_beneath(root->fd, rest, O_PATH | O_DIRECTORY, 0, 0);
	real = fd < 0 ? NULL : path_of_fd(fd);
	root = real ? find_root(&opened, real, &rest) : NULL;
	if (!root)
		return;
	take_held(real);
	if (find_by_path(&narrow, real))
		return;
	part = alloc_zero(sizeof(*part));
	part->path = TAKE(real);
	part->given = alloc_str(path);
	part->is_part = true;
	part->root =
		(struct root){ .path = part->path, .fd = TAKE_FD(fd), .writable = root->writable };
	add_root(&narrow, part);
}

void roots_narrow(const char *const *paths, size_t n)
{
	roots_widen();
	is_narrow = true;
	for (size_t i = 0; i < n; i++) {
		auto_free char *path = NULL;

		if (*paths[i] != '/' || strnlen(paths[i], MAX_PATH_BYTES + 1) > MAX_PATH_BYTES ||
			normalise(paths[i], &path) < 0)
			continue;
		take_held(path);
		take_part(path);
	}
}

void roots_widen(void)
{
	for (size_t i = 0; i < narrow.n; i++)
		if (narrow.items[i]->is_part)
			free_root(narrow.items[i]);
	forget_items(&narrow);
	is_narrow = false;
}

bool roots_let_write(const char *path)
{
	for (size_t i = 0; i < opened.n; i++)
		if (opened.items[i]->root.writable && root_has(&opened.items[i]->root, path))
			return true;
	return false;
}

/* A file that was removed is still open but has no path; the kernel then shows one with a remark
 * behind, so ask whether what the path leads to is what we hold. */
char *path_of_fd(int fd)
{
	char link[sizeof("/proc/self/fd/") + 12];
	char path[PATH_MAX];
	struct stat held;
	struct stat found;
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n <= 0 || (size_t)n >= sizeof(path) || path[0] != '/')
		return NULL;
	path[n] = '\0';
	if (fstat(fd, &held) < 0 || lstat(path, &found) < 0)
		return NULL;
	if (held.st_dev != found.st_dev || held.st_ino != found.st_ino)
		return NULL;
	return alloc_str(path);
}

const char *path_error_code(int err)
{
	static const struct {
		int err;
		const char *code;
	} codes[] = {
		{ ENOENT, "not_found" },
		{ EEXIST, "already_exists" },
		{ EISDIR, "is_a_directory" },
		{ ENOTDIR, "not_a_directory" },
		{ ENOTEMPTY, "not_empty" },
		{ EXDEV, "outside_roots" },
		{ ELOOP, "outside_roots" },
		{ EACCES, "permission_denied" },
		{ EPERM, "permission_denied" },
		{ EROFS, "read_only" },
		{ ENXIO, "special_file" },
		{ ENODEV, "special_file" },
		{ EINVAL, "invalid_argument" },
		{ ENAMETOOLONG, "invalid_argument" },
		{ EFBIG, "too_large" },
		{ EBUSY, "busy" },
		{ ETXTBSY, "busy" },
		{ EAGAIN, "busy" },
		{ ETIMEDOUT, "timeout" },
		{ ECANCELED, "cancelled" },
	};

	for (size_t i = 0; i < N_ELEMENTS(codes); i++)
		if (codes[i].err == (err < 0 ? -err : err))
			return codes[i].code;
	return "internal";
}
