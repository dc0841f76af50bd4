/* git_rebase: the commits of the current branch again, on top of another one.
 *
 * libgit2 does the work and keeps its state in .git/rebase-merge, from where continue, skip and abort
 * take it up. It starts only from a clean tree, so nothing local can be lost; each tree that it is
 * going to write is compared with the disk first (guard.h). */
#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/guard.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"
#include "workers/git/unshare.h"

static const char cannot[] = "cannot rebase";
static const char *const rebase_actions[] = { "start", "continue", "abort", "skip", NULL };

struct rebase_args {
	const char *repo_path;
	const char *onto;
	const char *action;
};

static const struct param rebase_params[] = {
	PARAM_REPO(rebase_args),
	PARAM(rebase_args, onto, .doc = "Revision to rebase onto (required to start)"),
	PARAM(rebase_args, action, .choices = rebase_actions, .def_str = "start",
		.doc = "What to do"),
	{ 0 },
};

struct rebase {
	struct writer *w;
	const struct rebase_args *args;
	git_rebase *git;
	git_rebase_options options;
	struct names in_the_way;
	const char *result;
	size_t n_done;
};

static void rebase_done(struct rebase *rebase)
{
	git_rebase_free(rebase->git);
	names_done(&rebase->in_the_way);
}

/* HEAD moved under libgit2's hands. */
static int read_head(struct writer *w)
{
	git_commit *head = NULL;

	if (rev_head(&w->repo, &head, &w->why) < 0)
		return -1;

	git_commit_free(w->head);
	w->head = head;
	free(w->branch);
	w->branch = NULL;
	return rev_branch(&w->repo, &w->branch, &(bool){ false }, &w->why);
}

static int refuse_conflict(struct rebase *rebase, const struct names *conflicts)
{
	auto_free char *list = names_text(conflicts);

	return refuse(&rebase->w->why, "merge_conflict",
		"the rebase stopped at conflicts in: %s. Resolve them, stage them with git_add and "
		"call git_rebase with action=continue; or with action=skip or abort.",
		list);
}

static int check_conflicts(struct rebase *rebase)
{
	struct writer *w = rebase->w;
	auto_git(git_index) index = NULL;
	auto_names conflicts = { 0 };

	if (repo_index(&w->repo, &index, &w->why) < 0 || writer_conflicts(w, index, &conflicts) < 0)
		return -1;

	return conflicts.n > 0 ? refuse_conflict(rebase, &conflicts) : 0;
}

/* Records the step that is in the tree now. */
static int commit_step(struct rebase *rebase, const git_signature *who)
{
	struct writer *w = rebase->w;
	git_oid id;
	int rc;

	if (check_conflicts(rebase) < 0)
		return -1;

	rc = LOCKED(w, git_rebase_commit(&id, rebase->git, NULL, who, NULL, NULL));
	if (rc == GIT_EAPPLIED) {
		git_error_clear();
		return 0;
	}
	if (rc == GIT_EUNMERGED)
		return refuse(&w->why, "dirty_tree",
			"%s: there are changes that are not staged. Stage them with git_add, then "
			"call git_rebase with action=continue.",
			cannot);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot write the commit");

	rebase->n_done++;
	return 0;
}

/* Room for what changes from one tree to the other. */
static int unshare_changed(struct writer *w, git_tree *from, git_tree *to)
{
	auto_names touched = { 0 };

	if (guard_tree(w, to) < 0 || guard_diff_trees(w, from, to, &touched) < 0)
		return -1;

	return unshare_paths(w, &touched);
}

/* The directories and files that the next step may write. */
static int guard_next(struct rebase *rebase)
{
	struct writer *w = rebase->w;
	size_t current = git_rebase_operation_current(rebase->git);
	size_t next = current == GIT_REBASE_NO_OPERATION ? 0 : current + 1;
	git_rebase_operation *step = git_rebase_operation_byindex(rebase->git, next);
	auto_git(git_commit) commit = NULL;
	auto_git(git_tree) tree = NULL;
	auto_git(git_tree) parent = NULL;

	if (!step)
		return 0;
	if (writer_commit(w, &step->id, &commit) < 0 ||
		rev_tree_of(&w->repo, &step->id, &tree, &w->why) < 0 ||
		(git_commit_parentcount(commit) > 0 &&
			rev_tree_of(&w->repo, git_commit_parent_id(commit, 0), &parent, &w->why) <
				0))
		return -1;

	return unshare_changed(w, parent, tree);
}

static int take_steps(struct rebase *rebase, const git_signature *who)
{
	struct writer *w = rebase->w;
	git_rebase_operation *step;
	int rc;

	for (;;) {
		if (call_stopped(w->call))
			return refuse_stopped(&w->why,
				"the rebase is unfinished: go on with action=continue, or abort");
		if (guard_next(rebase) < 0)
			return -1;
		rc = LOCKED(w, git_rebase_next(&step, rebase->git));
		if (rc == GIT_ITEROVER)
			break;
		if (rc < 0)
			return guard_failed(w, rc, &rebase->in_the_way, cannot);
		if (commit_step(rebase, who) < 0)
			return -1;
	}

	rc = LOCKED(w, git_rebase_finish(rebase->git, who));
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot finish the rebase");

	rebase->result = "rebased";
	return read_head(w);
}

/* An error that is no conflict leaves nothing half done. */
static int run_or_undo(struct rebase *rebase, const git_signature *who)
{
	struct refusal why;

	if (take_steps(rebase, who) >= 0)
		return 0;

	why = rebase->w->why;
	if (!streq(why.code, "merge_conflict") && git_rebase_abort(rebase->git) < 0)
		git_error_clear();
	return -1;
}

static bool is_up_to_date(struct writer *w, const git_commit *onto)
{
	git_oid base;

	if (git_merge_base(&base, w->repo.git, git_commit_id(w->head), git_commit_id(onto)) < 0) {
		git_error_clear();
		return false;
	}

	return git_oid_equal(&base, git_commit_id(onto));
}

static int find_onto(
	struct writer *w, const char *spec, git_annotated_commit **ret, git_commit **ret_commit)
{
	auto_git(git_reference) ref = NULL;
	int rc;

	if (rev_commit(&w->repo, spec, ret_commit, &w->why) < 0)
		return -1;
	if (git_reference_dwim(&ref, w->repo.git, spec) < 0)
		git_error_clear();

	rc = ref ? git_annotated_commit_from_ref(ret, w->repo.git, ref)
		 : git_annotated_commit_lookup(ret, w->repo.git, git_commit_id(*ret_commit));
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read %s", QUOTED(spec));

	return 0;
}

static int start(struct rebase *rebase, const git_signature *who)
{
	struct writer *w = rebase->w;
	const char *spec = rebase->args->onto;
	auto_git(git_annotated_commit) onto = NULL;
	auto_git(git_commit) commit = NULL;
	auto_git(git_tree) head = NULL;
	auto_git(git_tree) tree = NULL;
	int rc;

	if (!spec || !*spec)
		return refuse(&w->why, "invalid_argument",
			"onto: is required to start a rebase. "
			"git_branch lists the branches.");
	if (writer_check_idle(w, cannot) < 0 || guard_clean(w, true, cannot) < 0 ||
		find_onto(w, spec, &onto, &commit) < 0)
		return -1;
	if (is_up_to_date(w, commit)) {
		rebase->result = "up_to_date";
		return 0;
	}
	if (rev_tree_of(&w->repo, git_commit_id(commit), &tree, &w->why) < 0 ||
		writer_head_tree(w, &head) < 0 || unshare_changed(w, head, tree) < 0)
		return -1;

	writer_save_head(w);
	rc = git_rebase_init(&rebase->git, w->repo.git, NULL, onto, NULL, &rebase->options);
	if (rc < 0)
		return guard_failed(w, rc, &rebase->in_the_way, cannot);

	return run_or_undo(rebase, who);
}

static int open_rebase(struct rebase *rebase)
{
	struct writer *w = rebase->w;
	int rc = git_rebase_open(&rebase->git, w->repo.git, &rebase->options);

	if (rc == GIT_ENOTFOUND)
		return refuse(&w->why, "invalid_argument",
			"there is no rebase in progress. "
			"Start one with onto.");
	if (rc < 0)
		return refuse(&w->why, "repo_refused",
			"the rebase in progress was started by another program and can only be "
			"continued or aborted there");

	return 0;
}

static int continue_rebase(struct rebase *rebase, const git_signature *who)
{
	if (open_rebase(rebase) < 0 || check_conflicts(rebase) < 0)
		return -1;
	if (git_rebase_operation_current(rebase->git) != GIT_REBASE_NO_OPERATION &&
		commit_step(rebase, who) < 0)
		return -1;

	return take_steps(rebase, who);
}

static int skip(struct rebase *rebase, const git_signature *who)
{
	if (open_rebase(rebase) < 0 || guard_undo(rebase->w) < 0)
		return -1;

	return take_steps(rebase, who);
}

static int abort_rebase(struct rebase *rebase)
{
	struct writer *w = rebase->w;
	auto_git(git_commit) back = NULL;
	auto_git(git_index) index = NULL;
	auto_git(git_tree) tree = NULL;
	int rc;

	if (open_rebase(rebase) < 0 ||
		writer_commit(w, git_rebase_orig_head_id(rebase->git), &back) < 0 ||
		rev_tree_of(&w->repo, git_commit_id(back), &tree, &w->why) < 0 ||
		repo_index(&w->repo, &index, &w->why) < 0 || guard_tree(w, tree) < 0 ||
		guard_special(w, tree, index, NULL) < 0 || unshare_forced(w, tree, NULL, NULL) < 0)
		return -1;

	rc = LOCKED(w, git_rebase_abort(rebase->git));
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot abort the rebase");

	rebase->result = "aborted";
	return read_head(w);
}

static int act(struct rebase *rebase)
{
	struct writer *w = rebase->w;
	const char *action = rebase->args->action;
	auto_git(git_signature) who = NULL;

	if (streq(action, "abort"))
		return abort_rebase(rebase);
	if (!w->head)
		return refuse(&w->why, "bad_revision",
			"there is no commit yet to rebase. "
			"Make one with git_commit first.");
	if (writer_check_branch(w, cannot) < 0 || repo_identity(&w->repo, &who, &w->why) < 0)
		return -1;
	if (streq(action, "continue"))
		return continue_rebase(rebase, who);

	return streq(action, "skip") ? skip(rebase, who) : start(rebase, who);
}

static char *rebase_text(struct rebase *rebase)
{
	struct writer *w = rebase->w;
	char id[REPO_SHORT_SIZE];

	if (streq(rebase->result, "up_to_date"))
		return alloc_str("Already up to date.");
	if (streq(rebase->result, "aborted"))
		return alloc_printf("Aborted the rebase; HEAD is back at %s",
			repo_short(&w->repo, git_commit_id(w->head), id));

	return alloc_printf("Rebased %zu commit(s); %s is now at %s", rebase->n_done,
		w->branch ? w->branch : "HEAD", repo_short(&w->repo, git_commit_id(w->head), id));
}

static int run_rebase(struct call *call, const void *args)
{
	auto_writer w = { 0 };
	auto_(rebase_done) struct rebase rebase = {
		.w = &w, .args = args, .options = OPTIONS(rebase)
	};
	auto_free char *text = NULL;

	if (writer_open(&w, call, rebase.args->repo_path, WRITER_TREE) < 0)
		return refusal_answer(call, &w.why);
	rebase.options.checkout_options = guard_options(&rebase.in_the_way);
	if (act(&rebase) < 0)
		return refusal_answer(call, &w.why);

	text = rebase_text(&rebase);
	return call_resultf(call,
		json_pack("{s:s, s:o, s:I, s:[]}", "result", rebase.result, "head",
			writer_head_json(&w), "rebased", (json_int_t)rebase.n_done, "conflicts"),
		"%s", text);
}

const struct tool git_rebase_tools[] = {
	GIT_WRITE_TOOL(rebase, "Rebase",
		.doc = "Rebase the current branch, continue, skip or abort. Needs a clean tree. On "
		       "conflicts the call fails, names the files and leaves the rebase to go on.",
		.out = "result string, head string, rebased integer, conflicts string[]",
		.hints = TOOL_DESTRUCTIVE),
	{ 0 },
};
