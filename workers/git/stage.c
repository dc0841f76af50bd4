/* Staging by comparing the index with the working tree and taking over each difference.
 *
 * The caller's names are literal, and each is checked before libgit2 sees it. What lies below a named
 * directory is found by libgit2's walk, which enters no symlink; what is found is read by take.h.
 * Filters of the repository's configuration are not run: libgit2 knows only its own (line endings,
 * ident). */
#include "workers/git/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <git2/sys/index.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/out.h"
#include "workers/git/take.h"

enum { STOP_CHECK_EVERY = 64 };

void stage_done(struct staged *staged)
{
	json_decref(staged->changes);
	*staged = (struct staged){ 0 };
}

/* Whether the index has `path`, or something below it. */
static bool is_tracked(git_index *index, const char *path)
{
	auto_free char *prefix = alloc_printf("%s/", path);
	size_t at;

	return git_index_find(&at, index, path) == 0 ||
	       git_index_find_prefix(&at, index, prefix) == 0;
}

static int check_kind(struct writer *w, const char *path, const struct stat *st)
{
	auto_free char *inside = alloc_printf("%s/.git", path);

	if (S_ISDIR(st->st_mode) &&
		faccessat(w->repo.dir_fd, inside, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return refuse(&w->why, "repo_refused",
			"%s is a repository of its own; it is not added to this one", QUOTED(path));
	if (!S_ISDIR(st->st_mode) && !S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
		return refuse(&w->why, "special_file",
			"%s is neither a file nor a directory nor a symbolic link. "
			"Remove it, or leave it out.",
			QUOTED(path));

	return 0;
}

static int check_ignored(struct writer *w, const char *path)
{
	int is_ignored = 0;
	int rc = git_ignore_path_is_ignored(&is_ignored, w->repo.git, path);

	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read the ignore rules");
	if (is_ignored)
		return refuse(&w->why, "ignored",
			"%s is ignored by .gitignore. Use force to add it all the same.",
			QUOTED(path));

	return 0;
}

/* One of the caller's names, made relative; "" stands for everything. */
static int check_path(
	struct writer *w, git_index *index, const struct stage_what *what, const char *path)
{
	struct stat st;
	bool tracked;

	if (*path == '\0')
		return 0;
	if (repo_is_git_path(path))
		return refuse(&w->why, "protected", "%s lies in a .git directory. Leave it out.",
			QUOTED(path));
	if (repo_check_parents(&w->repo, path, &w->why) < 0)
		return -1;

	tracked = is_tracked(index, path);
	if (fstatat(w->repo.dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (tracked && (errno == ENOENT || errno == ENOTDIR))
			return 0;
		if (errno == ENOENT || errno == ENOTDIR)
			return refuse(&w->why, "not_found",
				"there is no %s. "
				"git_get_status lists what has changed; names are literal and relative to the repository.",
				QUOTED(path));
		return refuse_errno(&w->why, -errno, "cannot look at %s", QUOTED(path));
	}
	if (!tracked && check_kind(w, path, &st) < 0)
		return -1;
	if (tracked || what->also_ignored || what->tracked_only)
		return 0;

	return check_ignored(w, path);
}

static int find_changes(struct writer *w, git_index *index, const struct stage_what *what,
	struct repo_paths *paths, git_diff **ret)
{
	git_diff_options options = OPTIONS(diff);
	bool everything = paths->n == 0;
	int rc;

	for (size_t i = 0; i < paths->n; i++) {
		if (check_path(w, index, what, paths->items[i]) < 0)
			return -1;
		everything = everything || *paths->items[i] == '\0';
	}

	options.flags = GIT_DIFF_DISABLE_PATHSPEC_MATCH | GIT_DIFF_INCLUDE_TYPECHANGE |
			GIT_DIFF_SKIP_BINARY_CHECK;
	options.ignore_submodules = GIT_SUBMODULE_IGNORE_ALL;
	if (!what->tracked_only)
		options.flags |= GIT_DIFF_INCLUDE_UNTRACKED | GIT_DIFF_RECURSE_UNTRACKED_DIRS;
	if (!what->tracked_only && what->also_ignored)
		options.flags |= GIT_DIFF_INCLUDE_IGNORED | GIT_DIFF_RECURSE_IGNORED_DIRS;
	if (!everything)
		options.pathspec = (git_strarray){ paths->items, paths->n };

	rc = git_diff_index_to_workdir(ret, w->repo.git, index, &options);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot compare the working tree");

	return 0;
}

static const char *status_word(git_delta_t status)
{
	if (status == GIT_DELTA_UNTRACKED || status == GIT_DELTA_IGNORED)
		return "added";

	return status == GIT_DELTA_CONFLICTED ? "modified" : out_status(status);
}

/* What is undone by `git checkout --merge`: the sides of a conflict that staging resolves. */
static int resolve_conflict(git_index *index, const char *path)
{
	const git_index_entry *base, *ours, *theirs;
	int rc = git_index_conflict_get(&base, &ours, &theirs, index, path);

	if (rc == GIT_ENOTFOUND) {
		git_error_clear();
		return 0;
	}
	if (rc == 0)
		rc = git_index_reuc_add(index, path, base ? (int)base->mode : 0,
			base ? &base->id : NULL, ours ? (int)ours->mode : 0,
			ours ? &ours->id : NULL, theirs ? (int)theirs->mode : 0,
			theirs ? &theirs->id : NULL);

	return rc == 0 ? git_index_conflict_remove(index, path) : rc;
}

/* As the repository's core.fileMode and core.symlinks want it: where the disk does not know these,
 * the index keeps what it had. */
static uint16_t entry_mode(git_index *index, const char *path, const struct stat *st)
{
	const git_index_entry *old = git_index_get_bypath(index, path, 0);
	int caps = git_index_caps(index);

	if ((caps & GIT_INDEX_CAPABILITY_NO_SYMLINKS) && S_ISREG(st->st_mode) && old &&
		old->mode == GIT_FILEMODE_LINK)
		return GIT_FILEMODE_LINK;
	if ((caps & GIT_INDEX_CAPABILITY_NO_FILEMODE) && S_ISREG(st->st_mode))
		return old && old->mode == GIT_FILEMODE_BLOB_EXECUTABLE
			       ? GIT_FILEMODE_BLOB_EXECUTABLE
			       : GIT_FILEMODE_BLOB;

	return take_mode(st);
}

static int add_entry(git_index *index, const char *path, const git_oid *id, const struct stat *st)
{
	git_index_entry entry = {
		.ctime = { (int32_t)st->st_ctim.tv_sec, (uint32_t)st->st_ctim.tv_nsec },
		.mtime = { (int32_t)st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec },
		.dev = (uint32_t)st->st_dev,
		.ino = (uint32_t)st->st_ino,
		.mode = entry_mode(index, path, st),
		.uid = st->st_uid,
		.gid = st->st_gid,
		.file_size = (uint32_t)st->st_size,
		.id = *id,
		.path = path,
	};
	int rc = resolve_conflict(index, path);

	return rc == 0 ? git_index_add(index, &entry) : rc;
}

/* 1: the index changed. 0: left out. */
static int take_change(struct writer *w, git_index *index, const git_diff_delta *delta,
	const char *path, struct staged *ret)
{
	struct stat st;
	size_t len = strlen(path);
	git_oid id;
	int r, rc;

	if (len == 0 || path[len - 1] == '/' || delta->new_file.mode == GIT_FILEMODE_COMMIT) {
		ret->n_nested++;
		return 0;
	}
	r = take_blob(w, path, &id, &st);
	if (r < 0)
		return r;
	if (r == 0 && S_ISDIR(st.st_mode) && delta->old_file.mode == GIT_FILEMODE_COMMIT)
		return 0; /* a submodule that is not filled */

	rc = r > 0 ? add_entry(index, path, &id, &st) : git_index_remove_bypath(index, path);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot stage %s", QUOTED(path));

	return 1;
}

static int take_changes(
	struct writer *w, git_index *index, const git_diff *diff, struct staged *ret)
{
	size_t n = git_diff_num_deltas(diff);
	const char *last = "";

	for (size_t i = 0; i < n; i++) {
		const git_diff_delta *delta = git_diff_get_delta(diff, i);
		const char *path =
			delta->new_file.path ? delta->new_file.path : delta->old_file.path;
		int r;

		if (i % STOP_CHECK_EVERY == 0 && call_stopped(w->call))
			return refuse_stopped(&w->why, "nothing was staged");
		if (streq(path, last))
			continue;

		last = path;
		if (writer_is_hidden(index, path))
			continue;
		r = take_change(w, index, delta, path, ret);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (ret->n++ < STAGE_SHOWN)
			json_array_append_new(
				ret->changes, json_pack("{s:o, s:s}", "path", out_str(path),
						      "status", status_word(delta->status)));
	}

	return 0;
}

int stage(struct writer *w, const struct stage_what *what, struct staged *ret)
{
	auto_repo_paths paths = { 0 };
	auto_git(git_index) index = NULL;
	auto_git(git_diff) diff = NULL;
	int rc;

	ret->changes = json_array();
	if (repo_paths(&w->repo, what->files, &paths, &w->why) < 0 ||
		repo_index(&w->repo, &index, &w->why) < 0 ||
		find_changes(w, index, what, &paths, &diff) < 0 ||
		take_changes(w, index, diff, ret) < 0)
		return -1;

	if (ret->n == 0)
		return 0;

	rc = LOCKED(w, git_index_write(index));
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot write the index");

	return 0;
}
