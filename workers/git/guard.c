/* Writing to the working tree, with regard to what is already there.
 *
 * A tree or index that is going to be written is compared with the disk first: where it has a
 * directory, the disk may have a directory, nothing, or a file that libgit2 will treat as a local
 * change, but no symlink. The kernel resolves each name (openat2 without symlinks). Then the paths
 * that will change are compared with what is staged, changed and untracked; only after both is
 * libgit2 asked, with a strategy that refuses once more by itself.
 *
 * GIT_CHECKOUT_FORCE is used where losing changes is what the caller asked for: reset --hard, and
 * undoing a merge, limited to the paths that the merge changed. */
#include "workers/git/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>

#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/rev.h"
#include "workers/git/unshare.h"

enum { STOP_CHECK_EVERY = 256 };

/* 1: there. 0: nothing there, or a file. Negative: refused. */
static int check_dir(struct writer *w, const char *dir)
{
	auto_close int fd = path_open_beneath(
		w->repo.dir_fd, dir, O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

	if (fd >= 0)
		return 1;
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd == -ELOOP || fd == -EXDEV)
		return refuse(&w->why, "repo_refused",
			"%s is a directory in git, but leads through a symbolic link on disk. "
			"Remove the link first.",
			QUOTED(dir));

	return refuse_errno(&w->why, fd, "cannot look at %s", QUOTED(dir));
}

struct tree_walk {
	struct writer *w;
	size_t n;
};

static int on_tree_entry(const char *dir, const git_tree_entry *entry, void *arg)
{
	struct tree_walk *walk = arg;
	auto_free char *path = NULL;
	git_object_t type = git_tree_entry_type(entry);
	int r;

	if (type != GIT_OBJECT_TREE && type != GIT_OBJECT_COMMIT)
		return 0;
	if (++walk->n % STOP_CHECK_EVERY == 0 && call_stopped(walk->w->call))
		return refuse_stopped(&walk->w->why, "nothing was changed");

	path = alloc_printf("%s%s", dir, git_tree_entry_name(entry));
	r = check_dir(walk->w, path);

	return r < 0 ? r : r == 0; /* positive: skip what is below */
}

int guard_tree(struct writer *w, const git_tree *tree)
{
	struct tree_walk walk = { .w = w };
	int rc;

	if (!tree)
		return 0;

	rc = git_tree_walk(tree, GIT_TREEWALK_PRE, on_tree_entry, &walk);
	if (rc < 0 && !w->why.code)
		return refuse_git(&w->why, rc, "cannot read the tree");

	return rc < 0 ? -1 : 0;
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return len == 0 ||
	       (strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

static bool is_wanted(const struct repo_paths *only, const char *path)
{
	if (!only)
		return true;
	for (size_t i = 0; i < only->n; i++)
		if (is_below(path, only->items[i]))
			return true;

	return false;
}

int guard_index(struct writer *w, git_index *index, const struct repo_paths *only)
{
	size_t n = git_index_entrycount(index);
	auto_free char *last = NULL;

	for (size_t i = 0; i < n; i++) {
		const git_index_entry *entry = git_index_get_byindex(index, i);
		const char *slash = strrchr(entry->path, '/');
		size_t len = slash ? (size_t)(slash - entry->path) : 0;

		if (entry->mode == GIT_FILEMODE_COMMIT)
			len = strlen(entry->path);
		if (len == 0 || !is_wanted(only, entry->path))
			continue;
		if (last && strlen(last) == len && memcmp(last, entry->path, len) == 0)
			continue;

		free(last);
		last = alloc_mem(entry->path, len);
		if (check_dir(w, last) < 0)
			return -1;
		if (i % STOP_CHECK_EVERY == 0 && call_stopped(w->call))
			return refuse_stopped(&w->why, "nothing was changed");
	}

	return 0;
}

static bool index_has(git_index *index, const char *path)
{
	auto_free char *prefix = alloc_printf("%s/", path);
	size_t at;

	return git_index_find(&at, index, path) == 0 ||
	       git_index_find_prefix(&at, index, prefix) == 0;
}

static bool tree_has(const git_tree *tree, const char *path)
{
	auto_git(git_tree_entry) entry = NULL;

	return git_tree_entry_bypath(&entry, tree, path) == 0;
}

int guard_special(
	struct writer *w, const git_tree *tree, git_index *index, const struct repo_paths *only)
{
	for (size_t i = 0; i < w->special.n; i++) {
		const char *path = w->special.items[i];

		if (is_wanted(only, path) &&
			((index && index_has(index, path)) || (tree && tree_has(tree, path))))
			return refuse(&w->why, "special_file",
				"%s is a file in git, and a FIFO, a socket or a device on disk. "
				"Remove it first.",
				QUOTED(path));
	}

	git_error_clear();
	return 0;
}

/* With `index`, for a comparison with the disk: but for files that a sparse checkout leaves out. */
static void add_deltas(const git_diff *diff, git_index *index, struct names *ret)
{
	size_t n = git_diff_num_deltas(diff);

	for (size_t i = 0; i < n; i++) {
		const git_diff_delta *delta = git_diff_get_delta(diff, i);

		if (index && delta->old_file.path && writer_is_hidden(index, delta->old_file.path))
			continue;
		if (delta->old_file.path)
			names_add(ret, delta->old_file.path);
		if (delta->new_file.path)
			names_add(ret, delta->new_file.path);
	}
}

static int on_progress(const git_diff *diff, const char *old_path, const char *new_path, void *arg)
{
	return call_stopped(arg) ? GIT_EUSER : 0;
}

/* Comparing goes before changing, so it may be stopped. */
static git_diff_options diff_options(struct writer *w, const struct names *only)
{
	git_diff_options options = OPTIONS(diff);

	options.progress_cb = on_progress;
	options.payload = w->call;
	options.flags = GIT_DIFF_DISABLE_PATHSPEC_MATCH | GIT_DIFF_INCLUDE_TYPECHANGE |
			GIT_DIFF_SKIP_BINARY_CHECK;
	if (only)
		options.pathspec = (git_strarray){ only->items, only->n };

	return options;
}

int guard_diff_trees(struct writer *w, git_tree *from, git_tree *to, struct names *ret)
{
	git_diff_options options = diff_options(w, NULL);
	auto_git(git_diff) diff = NULL;
	int rc = git_diff_tree_to_tree(&diff, w->repo.git, from, to, &options);

	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot compare the trees");

	add_deltas(diff, NULL, ret);
	names_sort(ret);
	return 0;
}

int guard_diff_index(struct writer *w, git_tree *from, git_index *to, struct names *ret)
{
	git_diff_options options = diff_options(w, NULL);
	auto_git(git_diff) diff = NULL;
	int rc = git_diff_tree_to_index(&diff, w->repo.git, from, to, &options);

	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot compare the index");

	add_deltas(diff, NULL, ret);
	if (writer_conflicts(w, to, ret) < 0)
		return -1;
	names_sort(ret);
	return 0;
}

/* What differs from HEAD in the index, and from the index on disk (with `unstaged`). Submodules are
 * compared by what the index has; their own repositories are not opened. */
static int find_changes(struct writer *w, const git_diff_options *staged,
	const git_diff_options *unstaged, struct names *ret)
{
	auto_git(git_index) index = NULL;
	auto_git(git_tree) head = NULL;
	auto_git(git_diff) first = NULL;
	auto_git(git_diff) second = NULL;
	int rc;

	if (repo_index(&w->repo, &index, &w->why) < 0 || writer_head_tree(w, &head) < 0)
		return -1;

	rc = git_diff_tree_to_index(&first, w->repo.git, head, index, staged);
	if (rc == 0 && unstaged)
		rc = git_diff_index_to_workdir(&second, w->repo.git, index, unstaged);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot look for local changes");

	add_deltas(first, NULL, ret);
	if (second)
		add_deltas(second, index, ret);
	names_sort(ret);
	return 0;
}

static int refuse_dirty(struct writer *w, const struct names *dirty, const char *what)
{
	auto_free char *list = names_text(dirty);

	return refuse(&w->why, "dirty_tree",
		"%s: local changes are in the way: %s. Commit them, or put them aside with git_stash.",
		what, list);
}

int guard_touched(struct writer *w, const struct names *touched, const char *what)
{
	git_diff_options staged = diff_options(w, touched);
	git_diff_options unstaged = staged;
	auto_names dirty = { 0 };

	if (touched->n == 0)
		return 0;

	unstaged.ignore_submodules = GIT_SUBMODULE_IGNORE_ALL;
	unstaged.flags |= GIT_DIFF_INCLUDE_UNTRACKED | GIT_DIFF_RECURSE_UNTRACKED_DIRS |
			  GIT_DIFF_INCLUDE_IGNORED | GIT_DIFF_RECURSE_IGNORED_DIRS;
	if (find_changes(w, &staged, &unstaged, &dirty) < 0)
		return -1;

	return dirty.n > 0 ? refuse_dirty(w, &dirty, what) : unshare_paths(w, touched);
}

int guard_clean(struct writer *w, bool also_unstaged, const char *what)
{
	git_diff_options staged = diff_options(w, NULL);
	git_diff_options unstaged = staged;
	auto_names dirty = { 0 };

	unstaged.ignore_submodules = GIT_SUBMODULE_IGNORE_ALL;
	if (find_changes(w, &staged, also_unstaged ? &unstaged : NULL, &dirty) < 0)
		return -1;

	return dirty.n > 0 ? refuse_dirty(w, &dirty, what) : 0;
}

static int on_in_the_way(git_checkout_notify_t why, const char *path, const git_diff_file *baseline,
	const git_diff_file *target, const git_diff_file *workdir, void *arg)
{
	names_add(arg, path);
	return 0;
}

git_checkout_options guard_options(struct names *in_the_way)
{
	git_checkout_options options = OPTIONS(checkout);

	options.checkout_strategy = GIT_CHECKOUT_SAFE | GIT_CHECKOUT_DONT_OVERWRITE_IGNORED;
	options.notify_flags = GIT_CHECKOUT_NOTIFY_CONFLICT;
	options.notify_cb = on_in_the_way;
	options.notify_payload = in_the_way;

	return options;
}

int guard_failed(struct writer *w, int rc, struct names *in_the_way, const char *what)
{
	if (rc == GIT_ECONFLICT && in_the_way->n > 0) {
		names_sort(in_the_way);
		return refuse_dirty(w, in_the_way, what);
	}
	if (rc == GIT_ECONFLICT || rc == GIT_EUNCOMMITTED || rc == GIT_EINDEXDIRTY)
		return refuse(&w->why, "dirty_tree",
			"%s: local changes are in the way. Commit them, or put them aside with "
			"git_stash.",
			what);

	return refuse_git(&w->why, rc, "%s", what);
}

int guard_switch(struct writer *w, git_tree *target, const char *what)
{
	auto_git(git_tree) head = NULL;
	auto_names touched = { 0 };
	auto_names in_the_way = { 0 };
	git_checkout_options options = guard_options(&in_the_way);
	int rc;

	if (guard_tree(w, target) < 0 || writer_head_tree(w, &head) < 0)
		return -1;
	if (head && git_oid_equal(git_tree_id(head), git_tree_id(target)))
		return 0;
	if (guard_diff_trees(w, head, target, &touched) < 0 || guard_touched(w, &touched, what) < 0)
		return -1;

	rc = LOCKED(w, git_checkout_tree(w->repo.git, (const git_object *)target, &options));
	if (rc < 0)
		return guard_failed(w, rc, &in_the_way, what);

	return 0;
}

/* The entry that `tree` has at `path`; false: none. */
static bool find_entry(const git_tree *tree, const char *path, git_index_entry *ret)
{
	auto_git(git_tree_entry) entry = NULL;

	if (!tree || git_tree_entry_bypath(&entry, tree, path) < 0) {
		git_error_clear();
		return false;
	}

	*ret = (git_index_entry){ .path = path, .mode = git_tree_entry_filemode(entry) };
	git_oid_cpy(&ret->id, git_tree_entry_id(entry));
	return git_tree_entry_type(entry) != GIT_OBJECT_TREE;
}

int guard_restore_entries(
	struct writer *w, git_index *index, const git_tree *tree, const struct names *changed)
{
	int rc;

	for (size_t i = 0; i < changed->n; i++) {
		git_index_entry entry;
		const char *path = changed->items[i];

		rc = git_index_remove_bypath(index, path);

		if (rc == 0 && find_entry(tree, path, &entry))
			rc = git_index_add(index, &entry);
		if (rc < 0)
			return refuse_git(&w->why, rc, "cannot reset %s", QUOTED(path));
	}

	rc = LOCKED(w, git_index_write(index));
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot write the index");

	return 0;
}

/* What still differs between the index and `tree` becomes equal; other entries stay as they are. */
static int finish_index(struct writer *w, git_tree *tree)
{
	auto_git(git_index) index = NULL;
	auto_names changed = { 0 };

	if (repo_index(&w->repo, &index, &w->why) < 0 ||
		guard_diff_index(w, tree, index, &changed) < 0)
		return -1;

	return changed.n > 0 ? guard_restore_entries(w, index, tree, &changed) : 0;
}

int guard_reset(struct writer *w, git_tree *target)
{
	git_checkout_options options = OPTIONS(checkout);
	auto_git(git_index) index = NULL;
	int rc;

	if (guard_tree(w, target) < 0 || repo_index(&w->repo, &index, &w->why) < 0 ||
		guard_special(w, target, index, NULL) < 0 ||
		unshare_forced(w, target, NULL, NULL) < 0)
		return -1;

	options.checkout_strategy = GIT_CHECKOUT_FORCE;
	rc = LOCKED(w, git_checkout_tree(w->repo.git, (const git_object *)target, &options));
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot write the working tree");

	return finish_index(w, target);
}

int guard_undo(struct writer *w)
{
	git_checkout_options options = OPTIONS(checkout);
	auto_git(git_index) index = NULL;
	auto_git(git_tree) head = NULL;
	auto_names changed = { 0 };
	int rc;

	if (repo_index(&w->repo, &index, &w->why) < 0 || writer_head_tree(w, &head) < 0 ||
		guard_tree(w, head) < 0 || guard_index(w, index, NULL) < 0 ||
		guard_special(w, head, index, NULL) < 0 ||
		guard_diff_index(w, head, index, &changed) < 0)
		return -1;
	if (!head || changed.n == 0)
		return 0;
	if (unshare_forced(w, head, NULL, &(struct repo_paths){ changed.items, changed.n }) < 0)
		return -1;

	options.checkout_strategy = GIT_CHECKOUT_FORCE | GIT_CHECKOUT_DISABLE_PATHSPEC_MATCH |
				    GIT_CHECKOUT_DONT_UPDATE_INDEX;
	options.paths = (git_strarray){ changed.items, changed.n };
	rc = git_checkout_tree(w->repo.git, (const git_object *)head, &options);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot restore the working tree");

	return guard_restore_entries(w, index, head, &changed);
}
