/* git_create_branch, git_delete_branch, git_rename_branch: local branches. Listing is in refs.c. */
#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/branch_ref.h"
#include "workers/git/checkout.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"
#include "workers/git/upstream.h"

struct create_branch_args {
	const char *repo_path;
	const char *branch_name;
	const char *base_branch;
	bool checkout;
};

static const struct param create_branch_params[] = {
	PARAM_REPO(create_branch_args),
	PARAM(create_branch_args, branch_name, RANGE(1, 244), .required = true,
		.doc = "New branch"),
	PARAM(create_branch_args, base_branch, .doc = "Start here; default HEAD"),
	PARAM(create_branch_args, checkout, .doc = "Switch to it"),
	{ 0 },
};

static int create(struct writer *w, const struct create_branch_args *a, git_oid *ret)
{
	auto_git(git_commit) commit = NULL;

	if (!a->checkout) {
		if (branch_create(w, a->branch_name, a->base_branch, &commit) < 0)
			return -1;
		*ret = *git_commit_id(commit);
		return 0;
	}

	if (!w->head && !a->base_branch)
		return refuse(&w->why, "bad_revision",
			"there is no commit yet that a branch could start from. "
			"Make one with git_commit first.");
	if (checkout_new_branch(w, a->branch_name, a->base_branch) < 0)
		return -1;
	*ret = *git_commit_id(w->head);
	return 0;
}

static int run_create_branch(struct call *call, const void *args)
{
	const struct create_branch_args *a = args;
	auto_writer w = { 0 };
	auto_free char *base = NULL;
	git_oid id;

	if (writer_open(&w, call, a->repo_path, a->checkout ? WRITER_TREE : WRITER_ANY) < 0)
		return refusal_answer(call, &w.why);

	if (a->base_branch)
		base = alloc_str(a->base_branch);
	else
		base = alloc_str(w.branch ? w.branch : "HEAD");
	if (create(&w, a, &id) < 0)
		return refusal_answer(call, &w.why);

	return call_resultf(call,
		json_pack("{s:o, s:o, s:o}", "branch", out_str(a->branch_name), "hash",
			out_oid(&id), "base", out_str(base)),
		"Created branch '%s' from '%s'", a->branch_name, base);
}

struct delete_branch_args {
	const char *repo_path;
	const char *branch_name;
	bool force;
};

static const struct param delete_branch_params[] = {
	PARAM_REPO(delete_branch_args),
	PARAM(delete_branch_args, branch_name, RANGE(1, 244), .required = true, .doc = "Branch"),
	PARAM(delete_branch_args, force, .doc = "Delete although not merged"),
	{ 0 },
};

static int look_up(struct writer *w, const char *name, git_reference **ret)
{
	int rc = git_branch_lookup(ret, w->repo.git, name, GIT_BRANCH_LOCAL);

	if (rc == GIT_ENOTFOUND || rc == GIT_EINVALIDSPEC)
		return refuse(&w->why, "not_found",
			"there is no local branch %s. "
			"git_branch lists them.",
			QUOTED(name));
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read branch %s", QUOTED(name));

	return 0;
}

/* Protected branches, the current one and those of other worktrees stay. */
static int check_movable(struct writer *w, const char *name, bool may_be_current)
{
	if (git_settings_is_protected(w->repo.settings, name))
		return refuse(&w->why, "policy",
			"branch '%s' is protected. "
			"Work on another branch; git_get_safety_rules lists the protected ones.",
			name);
	if (!may_be_current && w->branch && streq(w->branch, name))
		return refuse(&w->why, "policy",
			"'%s' is the current branch. Switch to another one first.", name);
	if (writer_is_elsewhere(w, name))
		return refuse(&w->why, "policy",
			"branch '%s' is checked out in another worktree. "
			"Switch that one to another branch, or remove it with git_worktree_remove.",
			name);

	return 0;
}

static bool contains(struct writer *w, const git_oid *tip, const git_oid *commit)
{
	return git_oid_equal(tip, commit) || git_graph_descendant_of(w->repo.git, tip, commit) == 1;
}

/* Merged: HEAD or the branch's upstream has it. */
static int check_merged(struct writer *w, git_reference *ref, const char *name)
{
	auto_git(git_reference) upstream = NULL;
	auto_git(git_object) tip = NULL;
	const git_oid *id = git_reference_target(ref);

	if (id && w->head && contains(w, git_commit_id(w->head), id))
		return 0;
	if (upstream_find(&w->repo, name, &upstream, &w->why) < 0)
		return -1;
	if (id && upstream && git_reference_peel(&tip, upstream, GIT_OBJECT_COMMIT) == 0 &&
		contains(w, git_object_id(tip), id))
		return 0;

	git_error_clear();
	return refuse(&w->why, "not_merged",
		"branch '%s' is merged neither into HEAD nor into its upstream. Say force=true to "
		"delete it all the same.",
		name);
}

static int run_delete_branch(struct call *call, const void *args)
{
	const struct delete_branch_args *a = args;
	auto_writer w = { 0 };
	auto_git(git_reference) ref = NULL;
	auto_git(git_object) tip = NULL;
	char short_id[REPO_SHORT_SIZE];
	git_oid id;
	int rc;

	if (writer_open(&w, call, a->repo_path, WRITER_ANY) < 0 ||
		look_up(&w, a->branch_name, &ref) < 0 ||
		check_movable(&w, a->branch_name, false) < 0 ||
		(!a->force && check_merged(&w, ref, a->branch_name) < 0))
		return refusal_answer(call, &w.why);

	rc = git_reference_peel(&tip, ref, GIT_OBJECT_ANY);
	if (rc < 0)
		(void)refuse_git(&w.why, rc, "cannot read branch '%s'", a->branch_name);
	if (rc < 0 || branch_delete(&w, ref) < 0)
		return refusal_answer(call, &w.why);

	id = *git_object_id(tip);
	return call_resultf(call,
		json_pack("{s:o, s:o}", "branch", out_str(a->branch_name), "hash", out_oid(&id)),
		"Deleted branch %s (was %s)", a->branch_name, repo_short(&w.repo, &id, short_id));
}

struct rename_branch_args {
	const char *repo_path;
	const char *old_name;
	const char *new_name;
};

static const struct param rename_branch_params[] = {
	PARAM_REPO(rename_branch_args),
	PARAM(rename_branch_args, old_name, RANGE(1, 244), .required = true, .doc = "Branch"),
	PARAM(rename_branch_args, new_name, RANGE(1, 244), .required = true, .doc = "New name"),
	{ 0 },
};

static int check_new_name(struct writer *w, const char *name)
{
	if (writer_check_branch_name(w, "new_name", name) < 0)
		return -1;
	if (git_settings_is_protected(w->repo.settings, name))
		return refuse(&w->why, "policy",
			"'%s' is the name of a protected branch. "
			"Choose another name.",
			name);
	if (branch_exists(w, name))
		return refuse(&w->why, "already_exists",
			"there is already a branch %s. "
			"Choose another name, or delete that branch first.",
			QUOTED(name));

	return 0;
}

static int run_rename_branch(struct call *call, const void *args)
{
	const struct rename_branch_args *a = args;
	auto_writer w = { 0 };
	auto_git(git_reference) ref = NULL;

	if (writer_open(&w, call, a->repo_path, WRITER_ANY) < 0 ||
		look_up(&w, a->old_name, &ref) < 0 || check_movable(&w, a->old_name, true) < 0 ||
		check_new_name(&w, a->new_name) < 0 || branch_rename(&w, ref, a->new_name) < 0)
		return refusal_answer(call, &w.why);

	return call_resultf(call,
		json_pack("{s:o, s:o}", "branch", out_str(a->new_name), "previous",
			out_str(a->old_name)),
		"Renamed branch %s to %s", a->old_name, a->new_name);
}

const struct tool git_branch_tools[] = {
	GIT_WRITE_TOOL(create_branch, "Create branch", .doc = "Create a branch.",
		.out = "branch string, hash string, base string", .hints = TOOL_WRITES),
	GIT_WRITE_TOOL(delete_branch, "Delete branch",
		.doc = "Delete a local branch. The current and protected branches stay.",
		.out = "branch string, hash string", .hints = TOOL_DESTRUCTIVE),
	GIT_WRITE_TOOL(rename_branch, "Rename branch", .doc = "Rename a local branch.",
		.out = "branch string, previous string", .hints = TOOL_WRITES),
	{ 0 },
};
