/* git_start_feature and git_finish_feature: the workflow of one feature branch at a time. They always
 * apply the branch rules, whatever enforce_protected says. */
#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/branch_ref.h"
#include "workers/git/checkout.h"
#include "workers/git/out.h"
#include "workers/git/policy.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"
#include "workers/git/upstream.h"

struct start_feature_args {
	const char *repo_path;
	int64_t task_id;
	const char *description;
	const char *base_branch;
};

static const struct param start_feature_params[] = {
	PARAM_REPO(start_feature_args),
	PARAM(start_feature_args, task_id, RANGE(0, 999999999), .required = true, .digits_ok = true,
		.doc = "Task number"),
	PARAM(start_feature_args, description, RANGE(1, 200), .required = true,
		.doc = "Short description, becomes the slug"),
	PARAM(start_feature_args, base_branch, .doc = "Start here; default HEAD"),
	{ 0 },
};

/* Another feature branch than `name`; *ret stays NULL when there is none. Yours to free. */
static int find_other_feature(struct writer *w, const char *name, char **ret)
{
	auto_git(git_branch_iterator) iterator = NULL;
	int rc = git_branch_iterator_new(&iterator, w->repo.git, GIT_BRANCH_LOCAL);

	while (rc == 0 && !*ret) {
		auto_git(git_reference) ref = NULL;
		const char *branch = NULL;
		git_branch_t type;

		rc = git_branch_next(&ref, &type, iterator);
		if (rc < 0)
			break;
		rc = git_branch_name(&branch, ref);
		if (rc == 0 && git_settings_is_feature(w->repo.settings, branch) &&
			!streq(branch, name))
			*ret = alloc_str(branch);
	}
	if (rc < 0 && rc != GIT_ITEROVER)
		return refuse_git(&w->why, rc, "cannot list the branches");

	return 0;
}

static int start_new(struct writer *w, const char *name, const char *base)
{
	auto_free char *other = NULL;

	if (find_other_feature(w, name, &other) < 0)
		return -1;
	if (other)
		return refuse(&w->why, "policy",
			"there is already a feature branch, '%s'. Finish it first (git_finish_feature).",
			other);
	if (!w->head && !base)
		return refuse(&w->why, "bad_revision",
			"there is no commit yet to start from. "
			"Make one with git_commit first.");

	return checkout_new_branch(w, name, base);
}

static int run_start_feature(struct call *call, const void *args)
{
	const struct start_feature_args *a = args;
	const char *how = "Already on feature branch:";
	auto_writer w = { 0 };
	auto_free char *name = NULL;
	bool is_new = false;
	int r = 0;

	if (writer_open(&w, call, a->repo_path, WRITER_TREE) < 0)
		return refusal_answer(call, &w.why);

	name = policy_feature_branch(w.repo.settings->feature_prefix, a->task_id, a->description);
	if (branch_exists(&w, name)) {
		if (!w.branch || !streq(w.branch, name)) {
			how = "Switched to existing feature branch:";
			r = checkout_branch(&w, name);
		}
	} else {
		how = "Created and switched to new feature branch:";
		is_new = true;
		r = start_new(&w, name, a->base_branch);
	}
	if (r < 0)
		return refusal_answer(call, &w.why);

	return call_resultf(call,
		json_pack("{s:o, s:b, s:o}", "branch", out_str(name), "created", is_new, "hash",
			writer_head_json(&w)),
		"%s %s", how, name);
}

struct finish_feature_args {
	const char *repo_path;
	const char *branch_name;
	bool force;
};

static const struct param finish_feature_params[] = {
	PARAM_REPO(finish_feature_args),
	PARAM(finish_feature_args, branch_name, RANGE(1, 244), .required = true,
		.doc = "Feature branch"),
	PARAM(finish_feature_args, force, .doc = "Although not merged"),
	{ 0 },
};

struct finish {
	struct writer *w;
	const struct finish_feature_args *args;
	git_reference *branch;
	git_commit *tip;
	const char *main; /* name of the main branch, borrowed of the settings */
	git_commit *main_tip;
	const char *how; /* "ancestor", "same_content"; else "forced" */
};

static void finish_done(struct finish *finish)
{
	git_reference_free(finish->branch);
	git_commit_free(finish->tip);
	git_commit_free(finish->main_tip);
}

static int find_branch(struct finish *finish)
{
	struct writer *w = finish->w;
	const char *name = finish->args->branch_name;
	auto_free char *full = alloc_printf("refs/heads/%s", name);
	int rc;

	if (!git_settings_is_feature(w->repo.settings, name) ||
		git_settings_is_protected(w->repo.settings, name))
		return refuse(&w->why, "policy",
			"%s is no feature branch (they start with '%s'). "
			"Use git_delete_branch for other branches.",
			QUOTED(name), w->repo.settings->feature_prefix);

	rc = git_branch_lookup(&finish->branch, w->repo.git, name, GIT_BRANCH_LOCAL);
	if (rc == GIT_ENOTFOUND || rc == GIT_EINVALIDSPEC)
		return refuse(&w->why, "not_found",
			"there is no branch %s. "
			"git_branch lists them.",
			QUOTED(name));
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read branch '%s'", name);
	if (writer_is_elsewhere(w, name))
		return refuse(&w->why, "policy",
			"branch '%s' is checked out in another worktree. "
			"Remove that one with git_worktree_remove first.",
			name);

	return rev_commit(&w->repo, full, &finish->tip, &w->why);
}

/* The first protected branch that exists, and where its remote-tracking branch is, if it has one. */
static int find_main(struct finish *finish)
{
	struct writer *w = finish->w;
	struct str_list names = git_settings_protected(w->repo.settings);
	auto_git(git_reference) upstream = NULL;
	auto_free char *full = NULL;

	for (size_t i = 0; i < names.n && !finish->main; i++)
		if (branch_exists(w, names.items[i]))
			finish->main = names.items[i];
	if (!finish->main)
		return refuse(&w->why, "not_found",
			"there is none of the protected branches that it could be merged into. "
			"Fetch or create one, or say force=true.");
	if (upstream_find(&w->repo, finish->main, &upstream, &w->why) < 0)
		return -1;

	full = alloc_printf("refs/heads/%s", finish->main);
	return rev_commit(&w->repo, upstream ? git_reference_name(upstream) : full,
		&finish->main_tip, &w->why);
}

/* Whether merging the branch would change nothing: all it did is there already (squash merge). */
static bool has_same_content(struct finish *finish)
{
	git_repository *git = finish->w->repo.git;
	git_merge_options how = OPTIONS(merge);
	auto_git(git_index) merged = NULL;
	git_oid tree;
	bool is_same = git_oid_equal(
		git_commit_tree_id(finish->tip), git_commit_tree_id(finish->main_tip));

	if (is_same)
		return true;
	is_same = git_merge_commits(&merged, git, finish->main_tip, finish->tip, &how) == 0 &&
		  !git_index_has_conflicts(merged) &&
		  git_index_write_tree_to(&tree, merged, git) == 0 &&
		  git_oid_equal(&tree, git_commit_tree_id(finish->main_tip));
	git_error_clear();
	return is_same;
}

static int check_merged(struct finish *finish)
{
	struct writer *w = finish->w;
	const git_oid *main = git_commit_id(finish->main_tip);
	const git_oid *tip = git_commit_id(finish->tip);

	if (git_oid_equal(main, tip) || git_graph_descendant_of(w->repo.git, main, tip) == 1) {
		finish->how = "ancestor";
		return 0;
	}
	if (has_same_content(finish)) {
		finish->how = "same_content";
		return 0;
	}
	if (finish->args->force)
		return 0;

	return refuse(&w->why, "not_merged",
		"'%s' is not merged into '%s'. Merge it first (and fetch), or say force=true to lose it.",
		finish->args->branch_name, finish->main);
}

static int leave_branch(struct finish *finish)
{
	struct writer *w = finish->w;

	if (!w->branch || !streq(w->branch, finish->args->branch_name))
		return 0;
	if (guard_clean(w, true, "cannot finish the feature") < 0)
		return -1;

	return checkout_branch(w, finish->main);
}

static int finish_feature(struct finish *finish)
{
	struct writer *w = finish->w;

	if (find_branch(finish) < 0 || find_main(finish) < 0 || check_merged(finish) < 0 ||
		leave_branch(finish) < 0)
		return -1;

	return branch_delete(w, finish->branch);
}

static int run_finish_feature(struct call *call, const void *args)
{
	const struct finish_feature_args *a = args;
	auto_writer w = { 0 };
	auto_(finish_done) struct finish finish = { .w = &w, .args = a, .how = "forced" };

	if (writer_open(&w, call, a->repo_path, WRITER_TREE) < 0 || finish_feature(&finish) < 0)
		return refusal_answer(call, &w.why);

	return call_resultf(call,
		json_pack("{s:o, s:o, s:b, s:s}", "branch", out_str(a->branch_name), "hash",
			out_oid(git_commit_id(finish.tip)), "merged", !streq(finish.how, "forced"),
			"how", finish.how),
		"Finished feature %s", a->branch_name);
}

const struct tool git_feature_tools[] = {
	GIT_WRITE_TOOL(start_feature, "Start feature",
		.doc = "Create and check out a feature branch named by task number and description, or "
		       "switch to it when it exists. One feature branch at a time.",
		.out = "branch string, created boolean, hash string", .hints = TOOL_WRITES),
	GIT_WRITE_TOOL(finish_feature, "Finish feature",
		.doc = "Delete a feature branch that is merged into the main branch, also by a squash "
		       "merge. Does not fetch.",
		.out = "branch string, hash string, merged boolean, how string",
		.hints = TOOL_DESTRUCTIVE),
	{ 0 },
};
