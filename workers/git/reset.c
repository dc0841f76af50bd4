/* git_reset and git_restore: the index, the working tree or the branch go back to a known state. */
#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/guard.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"
#include "workers/git/unshare.h"

static const char *const reset_modes[] = { "soft", "mixed", "hard", NULL };

struct reset_args {
	const char *repo_path;
	const char *mode;
	const char *target;
	struct str_list paths;
	bool confirm;
};

static const struct param reset_params[] = {
	PARAM_REPO(reset_args),
	PARAM(reset_args, mode, .choices = reset_modes, .def_str = "mixed",
		.doc = "soft keeps index and tree, mixed resets the index, hard discards changes too"),
	PARAM(reset_args, target, .def_str = "HEAD", .doc = "Revision"),
	PARAM(reset_args, paths, RANGE(1, 1000), .doc = "Unstage only these (mixed only)"),
	PARAM(reset_args, confirm, .doc = "Must be true for hard"),
	{ 0 },
};

static bool is_at_or_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return len == 0 ||
	       (strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

/* Whether one of `paths` names `name` or has it below it; without paths every name is selected. */
static bool is_selected(const struct repo_paths *paths, const char *name)
{
	if (!paths)
		return true;
	for (size_t i = 0; i < paths->n; i++)
		if (is_at_or_below(name, paths->items[i]))
			return true;

	return false;
}

/* Index entries of `paths` (NULL: all) become those of `tree`; `ret` has those that changed. */
static int reset_index(
	struct writer *w, git_tree *tree, const struct repo_paths *paths, struct names *ret)
{
	auto_git(git_index) index = NULL;
	auto_names all = { 0 };

	if (repo_index(&w->repo, &index, &w->why) < 0 || guard_diff_index(w, tree, index, &all) < 0)
		return -1;

	for (size_t i = 0; i < all.n; i++)
		if (is_selected(paths, all.items[i]))
			names_add(ret, all.items[i]);
	if (ret->n == 0)
		return 0;

	return guard_restore_entries(w, index, tree, ret);
}

static int answer_reset(struct writer *w, const struct reset_args *a, const git_oid *previous,
	const struct names *unstaged, const char *text)
{
	json_t *out = json_pack("{s:o, s:s, s:b, s:o}", "head", writer_head_json(w), "mode",
		a->mode, "truncated", unstaged->n > NAMES_SHOWN, "unstaged", names_json(unstaged));

	if (previous)
		json_object_set_new(out, "previous_head", out_oid(previous));

	return call_result(w->call, out, text, strlen(text));
}

static int reset_paths(struct writer *w, const struct reset_args *a, git_tree *tree)
{
	auto_repo_paths paths = { 0 };
	auto_names unstaged = { 0 };
	auto_free char *text = NULL;

	if (repo_paths(&w->repo, a->paths, &paths, &w->why) < 0 ||
		reset_index(w, tree, &paths, &unstaged) < 0)
		return refusal_answer(w->call, &w->why);

	text = alloc_printf("Unstaged %zu path(s)", unstaged.n);
	return answer_reset(w, a, NULL, &unstaged, text);
}

/* Index and working tree, as the mode says; the branch has not moved yet. */
static int reset_content(
	struct writer *w, const struct reset_args *a, git_tree *tree, struct names *unstaged)
{
	auto_git(git_index) index = NULL;
	auto_names conflicts = { 0 };

	if (streq(a->mode, "hard"))
		return guard_reset(w, tree);
	if (streq(a->mode, "mixed"))
		return reset_index(w, tree, NULL, unstaged);

	if (repo_index(&w->repo, &index, &w->why) < 0 || writer_conflicts(w, index, &conflicts) < 0)
		return -1;
	if (conflicts.n > 0 || streq(repo_state(&w->repo), "merge"))
		return refuse(&w->why, "merge_conflict",
			"a soft reset is not possible in the middle of a merge. Conclude it with "
			"git_commit, or call git_merge with abort.");

	return 0;
}

static int reset_to(
	struct writer *w, const struct reset_args *a, git_commit *target, git_tree *tree)
{
	auto_names unstaged = { 0 };
	auto_free char *text = NULL;
	auto_free char *subject = writer_subject(target);
	auto_free char *message = alloc_printf("reset: moving to %s", a->target);
	git_oid previous = *git_commit_id(w->head);
	bool moves = !git_oid_equal(&previous, git_commit_id(target));
	char id[REPO_SHORT_SIZE];

	if (reset_content(w, a, tree, &unstaged) < 0)
		return refusal_answer(w->call, &w->why);

	writer_save_head(w);
	if (writer_move_head(w, git_commit_id(target), message) < 0)
		return refusal_answer(w->call, &w->why);
	if (!streq(a->mode, "soft"))
		writer_end_merge(w);

	if (streq(a->mode, "mixed") && !moves)
		text = alloc_str("All staged changes reset");
	else
		text = alloc_printf("HEAD is now at %s %s",
			repo_short(&w->repo, git_commit_id(target), id), subject);

	return answer_reset(w, a, moves ? &previous : NULL, &unstaged, text);
}

/* Before the first commit there is nothing to go back to but the empty index. */
static int reset_unborn(struct writer *w, const struct reset_args *a)
{
	auto_names unstaged = { 0 };

	if (!streq(a->mode, "mixed") || !streq(a->target, "HEAD")) {
		(void)refuse(&w->why, "bad_revision",
			"there is no commit yet. "
			"Make one with git_commit first.");
		return refusal_answer(w->call, &w->why);
	}
	if (a->paths.n > 0)
		return reset_paths(w, a, NULL);
	if (reset_index(w, NULL, NULL, &unstaged) < 0)
		return refusal_answer(w->call, &w->why);

	return answer_reset(w, a, NULL, &unstaged, "All staged changes reset");
}

static int check_reset_args(struct refusal *why, const struct reset_args *a)
{
	if (a->paths.n > 0 && !streq(a->mode, "mixed"))
		return refuse(why, "invalid_argument",
			"paths: only with mode mixed. "
			"Use git_restore to discard changes in paths.");
	if (streq(a->mode, "hard") && !a->confirm)
		return refuse(why, "confirm_required",
			"a hard reset discards all staged and unstaged changes of tracked files for "
			"good. Say confirm=true to do it; git_stash puts them aside instead.");

	return 0;
}

static int run_reset(struct call *call, const void *args)
{
	const struct reset_args *a = args;
	auto_writer w = { 0 };
	auto_git(git_commit) target = NULL;
	auto_git(git_tree) tree = NULL;

	if (check_reset_args(&w.why, a) < 0)
		return refusal_answer(call, &w.why);
	if (writer_open(&w, call, a->repo_path, WRITER_TREE) < 0 ||
		writer_check_branch(&w, "cannot reset") < 0)
		return refusal_answer(call, &w.why);
	if (!w.head)
		return reset_unborn(&w, a);

	if (a->paths.n > 0) {
		if (rev_tree(&w.repo, a->target, &tree, &w.why) < 0)
			return refusal_answer(call, &w.why);
		return reset_paths(&w, a, tree);
	}
	if (rev_commit(&w.repo, a->target, &target, &w.why) < 0 ||
		rev_tree_of(&w.repo, git_commit_id(target), &tree, &w.why) < 0)
		return refusal_answer(call, &w.why);

	return reset_to(&w, a, target, tree);
}

struct restore_args {
	const char *repo_path;
	struct str_list paths;
	bool staged;
	bool worktree;
	const char *source;
};

static const struct param restore_params[] = {
	PARAM_REPO(restore_args),
	PARAM(restore_args, paths, RANGE(1, 1000), .required = true, .doc = "Paths"),
	PARAM(restore_args, staged, .doc = "Restore the index"),
	PARAM(restore_args, worktree, .def_bool = true, .doc = "Restore the working tree"),
	PARAM(restore_args, source, .doc = "Take the content from this revision"),
	{ 0 },
};

/* Every path must name something that the source or the index has. */
static int check_known(
	struct writer *w, git_index *index, const git_tree *tree, const struct repo_paths *paths)
{
	for (size_t i = 0; i < paths->n; i++) {
		const char *path = paths->items[i];
		auto_git(git_tree_entry) entry = NULL;
		auto_free char *prefix = alloc_printf("%s/", path);
		size_t at;

		if (*path && repo_check_parents(&w->repo, path, &w->why) < 0)
			return -1;
		if (*path == '\0' || git_index_find(&at, index, path) == 0 ||
			git_index_find_prefix(&at, index, prefix) == 0)
			continue;
		if (tree && git_tree_entry_bypath(&entry, tree, path) == 0)
			continue;
		git_error_clear();
		return refuse(&w->why, "not_found",
			"git knows no %s there. "
			"git_get_status lists what has changed; untracked files cannot be restored.",
			QUOTED(path));
	}

	return 0;
}

/* Writes the paths to the working tree, from `tree` or (NULL) from the index. */
static int restore_files(
	struct writer *w, git_index *index, git_tree *tree, const struct repo_paths *paths)
{
	git_checkout_options options = OPTIONS(checkout);
	bool everything = false;
	int rc;

	if (guard_index(w, index, paths) < 0 || guard_tree(w, tree) < 0 ||
		guard_special(w, tree, index, paths) < 0)
		return -1;

	for (size_t i = 0; i < paths->n; i++)
		everything = everything || *paths->items[i] == '\0';
	if (unshare_forced(w, tree, index, everything ? NULL : paths) < 0)
		return -1;

	options.checkout_strategy = GIT_CHECKOUT_FORCE | GIT_CHECKOUT_DISABLE_PATHSPEC_MATCH;
	if (!everything)
		options.paths = (git_strarray){ paths->items, paths->n };
	if (tree)
		options.checkout_strategy |= GIT_CHECKOUT_DONT_UPDATE_INDEX;

	rc = LOCKED(w, tree ? git_checkout_tree(w->repo.git, (const git_object *)tree, &options)
			    : git_checkout_index(w->repo.git, index, &options));
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot write the working tree");

	return 0;
}

static int restore(struct writer *w, const struct restore_args *a, const struct repo_paths *paths)
{
	auto_git(git_tree) tree = NULL;
	auto_git(git_index) index = NULL;
	auto_names unstaged = { 0 };
	int r = 0;

	if (a->source)
		r = rev_tree(&w->repo, a->source, &tree, &w->why);
	else if (a->staged)
		r = writer_head_tree(w, &tree);
	if (r < 0 || repo_index(&w->repo, &index, &w->why) < 0 ||
		check_known(w, index, tree, paths) < 0)
		return -1;

	/* The tree first: what only the index knows as tracked is removed from disk, too. */
	if (a->worktree && restore_files(w, index, tree, paths) < 0)
		return -1;

	return a->staged ? reset_index(w, tree, paths, &unstaged) : 0;
}

static int run_restore(struct call *call, const void *args)
{
	const struct restore_args *a = args;
	auto_writer w = { 0 };
	auto_repo_paths paths = { 0 };
	json_t *list;

	if (!a->staged && !a->worktree)
		(void)refuse(&w.why, "invalid_argument",
			"one of staged and worktree must be true. "
			"Leave worktree out to restore the files.");
	else if (writer_open(&w, call, a->repo_path, WRITER_TREE) >= 0 &&
		 repo_paths(&w.repo, a->paths, &paths, &w.why) >= 0)
		(void)restore(&w, a, &paths);
	if (w.why.code)
		return refusal_answer(call, &w.why);

	list = json_array();
	for (size_t i = 0; i < paths.n; i++)
		json_array_append_new(list, out_str(*paths.items[i] ? paths.items[i] : "."));

	return call_resultf(
		call, json_pack("{s:o}", "restored", list), "Restored %zu path(s)", paths.n);
}

const struct tool git_reset_tools[] = {
	GIT_WRITE_TOOL(reset, "Unstage or move the branch",
		.doc = "Unstage everything or some paths, or move the branch. A hard reset discards "
		       "changes and must be confirmed.",
		.out = "head string, previous_head? string, mode string, unstaged string[], "
		       "truncated boolean",
		.hints = TOOL_DESTRUCTIVE),
	GIT_WRITE_TOOL(restore, "Restore files",
		.doc = "Discard changes in paths, or unstage them. Names are literal.",
		.out = "restored string[]", .hints = TOOL_DESTRUCTIVE | TOOL_IDEMPOTENT),
	{ 0 },
};
