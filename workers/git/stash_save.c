/* Making a stash, in git's own form: a commit of the tracked files as they are on disk, whose parents
 * are HEAD, a commit of the index, and (with untracked files) a commit of those alone.
 *
 * libgit2 has a function for it, which is not used: with untracked files it removes whole untracked
 * directories afterwards, together with the ignored files and the repositories in them, which are not
 * in the stash. Here each file that was put aside is removed by its name, and empty directories. */
#include "workers/git/stash_save.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/quote.h"
#include "workers/common/call.h"
#include "workers/git/guard.h"
#include "workers/git/rev.h"
#include "workers/git/take.h"

enum { STOP_CHECK_EVERY = 64 };

struct stash {
	struct writer *w;
	git_signature *who;
	git_tree *head;
	struct names changed; /* tracked files that differ from the index */
	struct names untracked;
	char *where; /* "main: 1a2b3c4 subject" */
	git_oid index_tree;
};

static void stash_done(struct stash *stash)
{
	git_signature_free(stash->who);
	git_tree_free(stash->head);
	names_done(&stash->changed);
	names_done(&stash->untracked);
	free(stash->where);
}

/* Whether HEAD has the file: then it is tracked, even when the index has dropped it. */
static bool is_in_head(const struct stash *stash, const char *path)
{
	auto_git(git_tree_entry) entry = NULL;

	if (git_tree_entry_bypath(&entry, stash->head, path) == 0)
		return true;

	git_error_clear();
	return false;
}

static void add_change(struct stash *stash, git_index *index, const git_diff_delta *delta)
{
	const char *path = delta->new_file.path ? delta->new_file.path : delta->old_file.path;
	size_t len = strlen(path);

	if (writer_is_hidden(index, path) || delta->old_file.mode == GIT_FILEMODE_COMMIT)
		return;
	if (delta->status != GIT_DELTA_UNTRACKED)
		names_add(&stash->changed, path);
	else if (len > 0 && path[len - 1] != '/' && delta->new_file.mode != GIT_FILEMODE_COMMIT &&
		 !is_in_head(stash, path))
		names_add(&stash->untracked, path);
}

/* Files that the index has dropped, but that are still on disk, go with the tracked ones. */
static int add_dropped(struct stash *stash, git_index *index)
{
	struct writer *w = stash->w;
	auto_names staged = { 0 };
	struct stat st;

	if (guard_diff_index(w, stash->head, index, &staged) < 0)
		return -1;

	for (size_t i = 0; i < staged.n; i++) {
		const char *path = staged.items[i];

		if (!git_index_get_bypath(index, path, 0) &&
			fstatat(w->repo.dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			!S_ISDIR(st.st_mode))
			names_add(&stash->changed, path);
	}
	names_sort(&stash->changed);
	return 0;
}

static int find_changes(struct stash *stash, git_index *index, bool also_untracked)
{
	struct writer *w = stash->w;
	git_diff_options options = OPTIONS(diff);
	auto_git(git_diff) diff = NULL;
	int rc;

	options.flags = GIT_DIFF_INCLUDE_TYPECHANGE | GIT_DIFF_SKIP_BINARY_CHECK;
	options.ignore_submodules = GIT_SUBMODULE_IGNORE_ALL;
	if (also_untracked)
		options.flags |= GIT_DIFF_INCLUDE_UNTRACKED | GIT_DIFF_RECURSE_UNTRACKED_DIRS;

	rc = git_diff_index_to_workdir(&diff, w->repo.git, index, &options);
	if (rc == 0)
		rc = git_index_write_tree(&stash->index_tree, index);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot look for changes");

	for (size_t i = 0; i < git_diff_num_deltas(diff); i++)
		add_change(stash, index, git_diff_get_delta(diff, i));
	if (add_dropped(stash, index) < 0)
		return -1;
	if (stash->changed.n > 0 || stash->untracked.n > 0 ||
		!git_oid_equal(&stash->index_tree, git_tree_id(stash->head)))
		return 0;

	return refuse(&w->why, "nothing_to_stash",
		"there are no changes to put aside. git_get_status shows the state%s.",
		also_untracked ? "" : "; untracked files are taken with include_untracked");
}

/* The file as it is on disk becomes an entry; one that is not there loses its entry. */
static int take_file(struct stash *stash, git_index *index, const char *path)
{
	struct writer *w = stash->w;
	git_index_entry entry = { .path = path };
	char quoted[QUOTE_SIZE];
	struct stat st;
	int rc;
	int r = take_blob(w, path, &entry.id, &st);

	if (r < 0)
		return r;

	entry.mode = take_mode(&st);
	rc = r > 0 ? git_index_add(index, &entry) : git_index_remove(index, path, 0);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot put %s aside", quote(quoted, path));

	return 0;
}

/* The tree `base` (NULL: empty) with the files taken from disk. */
static int make_tree(
	struct stash *stash, const git_oid *base, const struct names *files, git_oid *ret)
{
	struct writer *w = stash->w;
	auto_git(git_index) index = NULL;
	auto_git(git_tree) tree = NULL;
	int rc = git_index_new(&index);

	if (rc == 0 && base)
		rc = git_tree_lookup(&tree, w->repo.git, base);
	if (rc == 0 && tree)
		rc = git_index_read_tree(index, tree);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read the index");

	for (size_t i = 0; i < files->n; i++) {
		if (i % STOP_CHECK_EVERY == 0 && call_stopped(w->call))
			return refuse_stopped(&w->why, "nothing was put aside");
		if (take_file(stash, index, files->items[i]) < 0)
			return -1;
	}

	rc = git_index_write_tree_to(ret, index, w->repo.git);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot write the tree");

	return 0;
}

/* "<prefix><where>" as a commit of the tree. */
static int make_commit(struct stash *stash, const git_oid *tree, git_commit **parents,
	size_t n_parents, const char *message, git_commit **ret)
{
	struct new_commit new = { .tree = tree,
		.parents = parents,
		.n_parents = n_parents,
		.committer = stash->who,
		.message = message };
	git_oid id;

	if (writer_make_commit(stash->w, &new, &id) < 0)
		return -1;

	return writer_commit(stash->w, &id, ret);
}

static int make_commits(struct stash *stash, const char *message, git_oid *ret)
{
	struct writer *w = stash->w;
	auto_free char *index_message = alloc_printf("index on %s\n", stash->where);
	auto_free char *untracked_message = alloc_printf("untracked files on %s\n", stash->where);
	auto_git(git_commit) index = NULL;
	auto_git(git_commit) untracked = NULL;
	auto_git(git_commit) all = NULL;
	git_commit *parents[3] = { w->head };
	git_oid tree;

	if (make_commit(stash, &stash->index_tree, &w->head, 1, index_message, &index) < 0)
		return -1;
	parents[1] = index;
	if (stash->untracked.n > 0) {
		if (make_tree(stash, NULL, &stash->untracked, &tree) < 0 ||
			make_commit(stash, &tree, NULL, 0, untracked_message, &untracked) < 0)
			return -1;
		parents[2] = untracked;
	}
	if (make_tree(stash, &stash->index_tree, &stash->changed, &tree) < 0 ||
		make_commit(stash, &tree, parents, untracked ? 3 : 2, message, &all) < 0)
		return -1;

	*ret = *git_commit_id(all);
	return 0;
}

/* refs/stash and its reflog, which is the list of stashes. */
static int push_ref(struct stash *stash, const git_oid *id, const char *message)
{
	struct writer *w = stash->w;
	auto_git(git_reference) ref = NULL;
	auto_free char *line = writer_one_line(message);
	int rc = git_reference_ensure_log(w->repo.git, "refs/stash");

	if (rc == 0)
		rc = LOCKED(w, git_reference_create(&ref, w->repo.git, "refs/stash", id, 1, line));
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot write the stash");

	return 0;
}

/* Empty directories above `path` go, as far as they are empty. */
static void remove_empty_parents(int dir_fd, const char *path)
{
	auto_free char *dir = alloc_str(path);
	char *slash;

	while ((slash = strrchr(dir, '/'))) {
		*slash = '\0';
		if (unlinkat(dir_fd, dir, AT_REMOVEDIR) < 0)
			return;
	}
}

static int remove_untracked(struct stash *stash)
{
	struct writer *w = stash->w;
	char quoted[QUOTE_SIZE];

	for (size_t i = 0; i < stash->untracked.n; i++) {
		const char *path = stash->untracked.items[i];

		if (repo_check_parents(&w->repo, path, &w->why) < 0)
			return -1;
		if (unlinkat(w->repo.dir_fd, path, 0) < 0 && errno != ENOENT)
			return refuse_errno(&w->why, -errno,
				"the stash was written, but %s cannot be removed",
				quote(quoted, path));
		remove_empty_parents(w->repo.dir_fd, path);
	}

	return 0;
}

static void describe_head(struct stash *stash)
{
	struct writer *w = stash->w;
	auto_free char *subject = writer_subject(w->head);
	char id[REPO_SHORT_SIZE];

	stash->where = alloc_printf("%s: %s %s", w->branch ? w->branch : "(no branch)",
		repo_short(&w->repo, git_commit_id(w->head), id), subject);
}

static int save(struct stash *stash, const char *message, bool also_untracked, git_oid *ret)
{
	struct writer *w = stash->w;
	auto_git(git_index) index = NULL;
	auto_free char *title = NULL;

	if (repo_identity(&w->repo, &stash->who, &w->why) < 0 ||
		writer_head_tree(w, &stash->head) < 0 || guard_tree(w, stash->head) < 0 ||
		repo_index(&w->repo, &index, &w->why) < 0 || guard_index(w, index, NULL) < 0 ||
		find_changes(stash, index, also_untracked) < 0)
		return -1;

	describe_head(stash);
	if (message && !writer_is_blank(message))
		title = alloc_printf("On %s: %s", w->branch ? w->branch : "(no branch)", message);
	else
		title = alloc_printf("WIP on %s", stash->where);
	if (make_commits(stash, title, ret) < 0 || push_ref(stash, ret, title) < 0 ||
		remove_untracked(stash) < 0)
		return -1;

	return guard_reset(w, stash->head);
}

int stash_save(struct writer *w, const char *message, bool also_untracked, git_oid *ret)
{
	auto_(stash_done) struct stash stash = { .w = w };

	return save(&stash, message, also_untracked, ret);
}
