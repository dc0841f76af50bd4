#include "workers/git/unshare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "workers/common/call.h"

enum { CHUNK = 64 * KIB, STOP_CHECK_EVERY = 64 };

static int copy_bytes(struct writer *w, int from, int to)
{
	char part[CHUNK];
	ssize_t n;

	while ((n = read(from, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR)) {
		int r = n < 0 ? 0 : fd_write_all(to, part, (size_t)n);

		if (r < 0)
			return r;
		if (call_stopped(w->call))
			return -ECANCELED;
	}

	return n < 0 ? -errno : 0;
}

/* The name of the copy until it takes the place of `name`. */
static int temporary_name(char **ret)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;

	*ret = alloc_printf(".mcp-fleet-%016llx", (unsigned long long)random);
	return 0;
}

/* Contents, permissions and times are the same. */
static int copy_file(struct writer *w, int dir_fd, const char *name, int to)
{
	auto_close int from =
		openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int r;

	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EAGAIN;
	r = copy_bytes(w, from, to);
	if (r < 0)
		return r;
	if (fchmod(to, st.st_mode & 0777) < 0 ||
		futimens(to, (struct timespec[]){ st.st_atim, st.st_mtim }) < 0)
		return -errno;

	return 0;
}

static int replace_by_copy(struct writer *w, int dir_fd, const char *name)
{
	auto_free char *temporary = NULL;
	auto_close int to = -1;
	int r = temporary_name(&temporary);

	if (r < 0)
		return r;
	to = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;

	r = copy_file(w, dir_fd, name, to);
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir_fd, temporary, 0);

	return r;
}

static bool is_shared(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink > 1;
}

static int unshare_one(struct writer *w, const char *path, bool forced)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	auto_close int dir_fd = repo_open_parent(&w->repo, path);
	struct stat st;
	int r = 0;

	if (dir_fd < 0 || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0; /* nothing there, or what the checks before this refuse */
	if (forced && (is_shared(&st) || S_ISLNK(st.st_mode)))
		r = unlinkat(dir_fd, name, 0) < 0 ? -errno : 0;
	else if (!forced && is_shared(&st))
		r = replace_by_copy(w, dir_fd, name);

	if (r == -ECANCELED)
		return refuse_stopped(&w->why, "nothing was changed");
	return r < 0 ? refuse_errno(&w->why, r, "cannot replace %s, which has more than one name",
			       QUOTED(path))
		     : 0;
}

int unshare_paths(struct writer *w, const struct names *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		if (unshare_one(w, paths->items[i], false) < 0)
			return -1;

	return 0;
}

static int on_progress(const git_diff *diff, const char *old_path, const char *new_path, void *arg)
{
	return call_stopped(arg) ? GIT_EUSER : 0;
}

int unshare_forced(
	struct writer *w, git_tree *tree, git_index *index, const struct repo_paths *only)
{
	git_diff_options options = OPTIONS(diff);
	auto_git(git_diff) diff = NULL;
	int rc;

	options.flags = GIT_DIFF_DISABLE_PATHSPEC_MATCH | GIT_DIFF_INCLUDE_TYPECHANGE |
			GIT_DIFF_SKIP_BINARY_CHECK;
	options.ignore_submodules = GIT_SUBMODULE_IGNORE_ALL;
	options.progress_cb = on_progress;
	options.payload = w->call;
	if (only)
		options.pathspec = (git_strarray){ only->items, only->n };
	rc = tree ? git_diff_tree_to_workdir(&diff, w->repo.git, tree, &options)
		  : git_diff_index_to_workdir(&diff, w->repo.git, index, &options);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot compare the working tree");

	for (size_t i = 0; i < git_diff_num_deltas(diff); i++) {
		const git_diff_delta *delta = git_diff_get_delta(diff, i);

		if (i % STOP_CHECK_EVERY == 0 && call_stopped(w->call))
			return refuse_stopped(&w->why, "nothing was restored");
		if (unshare_one(w, delta->old_file.path, true) < 0)
			return -1;
	}

	return 0;
}
