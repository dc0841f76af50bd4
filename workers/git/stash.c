/* git_stash: put changes aside and take them back. A stash is dropped only after all of it was
 * taken back; one that conflicts stays, and what it left in the tree can be undone by git_merge
 * with abort. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/guard.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/stash_save.h"
#include "workers/git/tools.h"

static const char cannot[] = "cannot take the stash back";
static const char *const stash_actions[] = { "push", "pop", "apply", "drop", NULL };

struct stash_args {
	const char *repo_path;
	const char *action;
	const char *message;
	bool include_untracked;
	int64_t index;
};

static const struct param stash_params[] = {
	PARAM_REPO(stash_args),
	PARAM(stash_args, action, .choices = stash_actions, .def_str = "push", .doc = "What to do"),
	PARAM(stash_args, message, .doc = "Message for push"),
	PARAM(stash_args, include_untracked, .doc = "Stash untracked files too"),
	PARAM(stash_args, index, RANGE(0, 1000), .doc = "Which stash for pop, apply, drop"),
	{ 0 },
};

struct search {
	size_t wanted;
	git_oid id;
	bool found;
};

static int on_stash(size_t index, const char *message, const git_oid *id, void *arg)
{
	struct search *search = arg;

	if (index != search->wanted)
		return 0;

	search->id = *id;
	search->found = true;
	return 1;
}

static int find_stash(struct writer *w, size_t index, git_commit **ret)
{
	struct search search = { .wanted = index };
	int rc = git_stash_foreach(w->repo.git, on_stash, &search);

	if (rc < 0 && rc != GIT_ENOTFOUND)
		return refuse_git(&w->why, rc, "cannot read the stashes");
	if (!search.found)
		return refuse(&w->why, "not_found",
			"there is no stash@{%zu}; git_stash_list shows what there is", index);

	return writer_commit(w, &search.id, ret);
}

static int push(struct writer *w, const struct stash_args *a, git_oid *ret)
{
	if (!w->head)
		return refuse(&w->why, "nothing_to_stash",
			"there is no commit yet. "
			"Make one with git_commit first.");
	if (writer_check_idle(w, "cannot stash") < 0)
		return -1;

	return stash_save(w, a->message, a->include_untracked, ret);
}

static int answer_push(struct writer *w, const struct stash_args *a)
{
	auto_git(git_commit) stash = NULL;
	auto_free char *text = NULL;
	auto_free char *subject = NULL;
	git_oid id;

	if (push(w, a, &id) < 0 || writer_commit(w, &id, &stash) < 0)
		return refusal_answer(w->call, &w->why);

	subject = writer_subject(stash);
	text = alloc_printf("Saved working directory and index state %s", subject);
	return call_result(w->call,
		json_pack("{s:s, s:o, s:[]}", "action", "push", "hash", out_oid(&id), "conflicts"),
		text, strlen(text));
}

struct untracked {
	struct writer *w;
	struct names *there;
};

static int on_untracked(const char *dir, const git_tree_entry *entry, void *arg)
{
	struct untracked *walk = arg;
	auto_free char *path = alloc_printf("%s%s", dir, git_tree_entry_name(entry));
	struct stat st;

	if (git_tree_entry_type(entry) != GIT_OBJECT_TREE &&
		fstatat(walk->w->repo.dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		names_add(walk->there, path);

	return 0;
}

/* The third parent has the files that were untracked. None of them may be there again. */
static int check_untracked(struct writer *w, const git_commit *stash)
{
	auto_git(git_tree) tree = NULL;
	auto_names there = { 0 };
	struct untracked walk = { w, &there };
	auto_free char *list = NULL;
	int rc;

	if (git_commit_parentcount(stash) < 3)
		return 0;
	if (rev_tree_of(&w->repo, git_commit_parent_id(stash, 2), &tree, &w->why) < 0 ||
		guard_tree(w, tree) < 0)
		return -1;

	rc = git_tree_walk(tree, GIT_TREEWALK_PRE, on_untracked, &walk);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read the stash");
	if (there.n == 0)
		return 0;

	list = names_text(&there);
	return refuse(&w->why, "dirty_tree",
		"%s: these untracked files are there already: %s. "
		"Move them away first.",
		cannot, list);
}

static int check_room(struct writer *w, const git_commit *stash)
{
	auto_git(git_tree) base = NULL;
	auto_git(git_tree) tree = NULL;
	auto_names touched = { 0 };

	if (git_commit_parentcount(stash) < 2)
		return refuse(&w->why, "repo_refused",
			"the stash is not one that git made. "
			"Drop it, or look at it with git_show.");
	if (rev_tree_of(&w->repo, git_commit_parent_id(stash, 0), &base, &w->why) < 0 ||
		rev_tree_of(&w->repo, git_commit_id(stash), &tree, &w->why) < 0 ||
		guard_tree(w, tree) < 0 || guard_diff_trees(w, base, tree, &touched) < 0 ||
		guard_touched(w, &touched, cannot) < 0)
		return -1;

	return check_untracked(w, stash);
}

static int refuse_conflict(struct writer *w, const struct names *conflicts, size_t index)
{
	auto_free char *list = names_text(conflicts);

	return refuse(&w->why, "merge_conflict",
		"stash@{%zu} conflicts in: %s. The stash is kept. Resolve them and stage them with "
		"git_add, then drop the stash; or undo it by git_merge with abort=true.",
		index, list);
}

static int apply(struct writer *w, const git_commit *stash, size_t index)
{
	git_stash_apply_options options = OPTIONS(stash_apply);
	auto_git(git_index) now = NULL;
	auto_names in_the_way = { 0 };
	auto_names conflicts = { 0 };
	int rc;

	if (writer_check_idle(w, cannot) < 0 || guard_clean(w, false, cannot) < 0 ||
		check_room(w, stash) < 0)
		return -1;

	options.checkout_options = guard_options(&in_the_way);
	rc = LOCKED(w, git_stash_apply(w->repo.git, index, &options));
	if (rc < 0)
		return guard_failed(w, rc, &in_the_way, cannot);
	if (repo_index(&w->repo, &now, &w->why) < 0 || writer_conflicts(w, now, &conflicts) < 0)
		return -1;

	return conflicts.n > 0 ? refuse_conflict(w, &conflicts, index) : 0;
}

static int drop(struct writer *w, size_t index)
{
	int rc = LOCKED(w, git_stash_drop(w->repo.git, index));

	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot drop stash@{%zu}", index);

	return 0;
}

static int answer_other(struct writer *w, const struct stash_args *a)
{
	size_t index = (size_t)a->index;
	bool drops = !streq(a->action, "apply");
	bool applies = !streq(a->action, "drop");
	auto_git(git_commit) stash = NULL;

	if (find_stash(w, index, &stash) < 0 || (applies && apply(w, stash, index) < 0) ||
		(drops && drop(w, index) < 0))
		return refusal_answer(w->call, &w->why);

	return call_resultf(w->call,
		json_pack("{s:s, s:o, s:[]}", "action", a->action, "hash",
			out_oid(git_commit_id(stash)), "conflicts"),
		"%s stash@{%zu}%s", applies ? "Applied" : "Dropped", index,
		applies && drops ? " and dropped it" : "");
}

static int run_stash(struct call *call, const void *args)
{
	const struct stash_args *a = args;
	auto_writer w = { 0 };

	if (writer_open(&w, call, a->repo_path, WRITER_TREE) < 0)
		return refusal_answer(call, &w.why);

	return streq(a->action, "push") ? answer_push(&w, a) : answer_other(&w, a);
}

const struct tool git_stash_tools[] = {
	GIT_WRITE_TOOL(stash, "Stash",
		.doc = "Put changes aside and take them back. A stash that conflicts is kept.",
		.out = "action string, hash? string, conflicts string[]",
		.hints = TOOL_DESTRUCTIVE),
	{ 0 },
};
