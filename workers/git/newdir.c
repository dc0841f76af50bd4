/* New directories: each step is opened below its root's descriptor, so no symlink leads out. */
#include "workers/git/newdir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/quote.h"
#include "workers/git/out.h"
#include "workers/git/repo.h"

const char *newdir_shown(const struct place *place)
{
	return place->relative ? place->rest : place->full;
}

char *newdir_text(const struct place *place)
{
	auto_strbuf text = { 0 };

	out_name(&text, newdir_shown(place));
	return strbuf_take(&text);
}

int newdir_find(const char *what, const char *path, struct place *ret, struct refusal *why)
{
	struct fail fail = { 0 };
	int r = place_find(path, ret, &fail);

	if (r < 0)
		return refuse(why, path_error_code(r),
			"%s: %s. Use a path inside of the allowed directories.", what, fail.text);
	if (repo_is_git_path(ret->rest))
		return refuse(why, "protected",
			"%s: lies in a .git directory. Choose another path.", what);
	if (!ret->root->writable)
		return refuse(why, "read_only",
			"%s: the configuration allows only reading there. "
			"Choose a path in another allowed directory.",
			what);

	return 0;
}

/* The directory `rest` below the root, made when it is missing; its parent exists. -EPERM: the parent
 * is really in a .git directory, to where a link led. */
static int make_one(const struct root *root, int parent_fd, const char *rest)
{
	auto_free char *parent = path_of_fd(parent_fd);
	const char *slash = strrchr(rest, '/');
	int fd = path_open_beneath(root->fd, rest, O_PATH | O_DIRECTORY, 0, 0);

	if (fd != -ENOENT)
		return fd;
	if (!parent || !root_has(root, parent) || repo_is_git_path(parent + strlen(root->path)))
		return -EPERM;
	if (mkdirat(parent_fd, slash ? slash + 1 : rest, 0777) < 0 && errno != EEXIST)
		return -errno;

	return path_open_beneath(root->fd, rest, O_PATH | O_DIRECTORY, 0, 0);
}

int newdir_make(const struct place *place, struct refusal *why)
{
	auto_free char *rest = alloc_str(place->rest);
	auto_close int fd = path_open_beneath(place->root->fd, ".", O_PATH | O_DIRECTORY, 0, 0);
	char quoted[QUOTE_SIZE];
	size_t len = 0;

	while (fd >= 0 && rest[len] != '\0') {
		char c;
		int next;

		len += strcspn(rest + len, "/");
		c = rest[len];
		rest[len] = '\0';
		next = make_one(place->root, fd, rest);
		(void)close(fd);
		fd = next;
		rest[len] = c;
		len += strspn(rest + len, "/");
	}
	if (fd < 0)
		return refuse_errno(
			why, fd, "cannot create %s", quote(quoted, newdir_shown(place)));

	return TAKE_FD(fd);
}

int newdir_target(const struct place *place, char **ret, struct refusal *why)
{
	auto_free char *parent = alloc_str(place->rest);
	auto_free char *real = NULL;
	auto_close int fd = -1;
	char quoted[QUOTE_SIZE];
	struct stat st;
	char *slash = strrchr(parent, '/');
	const char *name = slash ? slash + 1 : parent;

	if (slash)
		*slash = '\0';
	fd = path_open_beneath(place->root->fd, slash ? parent : ".", O_PATH | O_DIRECTORY, 0, 0);
	if (fd < 0)
		return refuse_errno(why, fd, "cannot open the directory above %s",
			quote(quoted, newdir_shown(place)));
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return refuse(why, "already_exists",
			"there is already something at %s. "
			"Choose another path.",
			quote(quoted, newdir_shown(place)));

	real = path_of_fd(fd);
	if (!real || !root_has(place->root, real))
		return refuse(why, "outside_roots",
			"the path leads outside of the allowed directories. "
			"Choose a path inside of them; git_list_repos shows where they are.");
	if (repo_is_git_path(real + strlen(place->root->path)))
		return refuse(why, "protected",
			"the path leads into a .git directory. Choose another path.");

	*ret = alloc_printf("%s/%s", streq(real, "/") ? "" : real, name);
	return 0;
}
