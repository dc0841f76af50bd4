/* git_merge: merge into the current branch, and undo an unfinished merge, cherry-pick or revert.
 *
 * The merge is made in memory first. Only when it has no conflict is the working tree touched, by the
 * same careful switch as a checkout; with conflicts libgit2 repeats it on disk and leaves MERGE_HEAD
 * and the conflict marks, so that git_commit can conclude it and abort can undo it. */
#include "workers/git/merge.h"

#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/guard.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"

static const char cannot[] = "cannot merge";

struct merge_args {
	const char *repo_path;
	const char *branch;
	bool no_ff;
	bool ff_only;
	bool squash;
	const char *message;
	bool abort;
};

static const struct param merge_params[] = {
	PARAM_REPO(merge_args),
	PARAM(merge_args, branch, .doc = "Branch or revision to merge (required unless abort)"),
	PARAM(merge_args, no_ff, .doc = "Always make a merge commit"),
	PARAM(merge_args, ff_only, .doc = "Refuse unless fast-forward"),
	PARAM(merge_args, squash, .doc = "Stage the result without committing"),
	PARAM(merge_args, message, AT_MOST(65536), .doc = "Merge commit message"),
	PARAM(merge_args, abort, .doc = "Abort the merge in progress (or cherry-pick, or revert)"),
	{ 0 },
};

struct merge {
	struct writer *w;
	const struct merge_what *what;
	git_commit *theirs;
	git_tree *their_tree;
	git_annotated_commit *head; /* `theirs`, with the words for conflict marks */
	const char *kind;           /* "branch", "remote-tracking branch", "tag", "commit" */
	struct merged done;
};

static void merge_done(struct merge *merge)
{
	git_commit_free(merge->theirs);
	git_tree_free(merge->their_tree);
	git_annotated_commit_free(merge->head);
	free(merge->done.text);
}

/* What kind of name the caller used, for the message and the conflict marks. */
static int find_theirs(struct merge *merge)
{
	struct writer *w = merge->w;
	git_repository *git = w->repo.git;
	const char *spec = merge->what->spec;
	auto_git(git_reference) ref = NULL;
	const char *kind = "commit";
	int rc;

	if (rev_commit(&w->repo, spec, &merge->theirs, &w->why) < 0 ||
		rev_tree_of(&w->repo, git_commit_id(merge->theirs), &merge->their_tree, &w->why) <
			0)
		return -1;

	if (git_reference_dwim(&ref, git, spec) < 0)
		git_error_clear();
	else if (git_reference_is_branch(ref))
		kind = "branch";
	else if (git_reference_is_remote(ref))
		kind = "remote-tracking branch";
	else if (git_reference_is_tag(ref))
		kind = "tag";
	merge->kind = merge->what->kind ? merge->what->kind : kind;

	rc = ref && git_reference_is_branch(ref)
		     ? git_annotated_commit_from_ref(&merge->head, git, ref)
		     : git_annotated_commit_lookup(&merge->head, git, git_commit_id(merge->theirs));
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read %s", QUOTED(spec));

	return 0;
}

static int move(struct merge *merge, const git_oid *to, const char *how)
{
	auto_free char *message = alloc_printf("merge %s: %s", merge->what->name, how);

	writer_save_head(merge->w);
	return writer_move_head(merge->w, to, message);
}

static char *short_head(struct writer *w)
{
	char id[REPO_SHORT_SIZE];

	return alloc_str(repo_short(&w->repo, git_commit_id(w->head), id));
}

static int fast_forward(struct merge *merge)
{
	struct writer *w = merge->w;
	auto_free char *id = NULL;

	if (guard_switch(w, merge->their_tree, cannot) < 0 ||
		move(merge, git_commit_id(merge->theirs), "Fast-forward") < 0)
		return -1;

	id = short_head(w);
	merge->done.result = "fast_forward";
	merge->done.text =
		alloc_printf("Fast-forwarded %s to %s", w->branch ? w->branch : "HEAD", id);
	return 0;
}

static char *merge_message(const struct merge *merge)
{
	const char *into = merge->w->branch;

	if (merge->what->message && !writer_is_blank(merge->what->message))
		return alloc_str(merge->what->message);
	if (!into || streq(into, "main") || streq(into, "master"))
		return alloc_printf("Merge %s '%s'", merge->kind, merge->what->name);

	return alloc_printf("Merge %s '%s' into %s", merge->kind, merge->what->name, into);
}

static int commit_merge(struct merge *merge, const git_oid *tree, git_oid *ret)
{
	struct writer *w = merge->w;
	auto_git(git_signature) who = NULL;
	auto_free char *message = merge_message(merge);
	git_commit *parents[] = { w->head, merge->theirs };
	struct new_commit new = {
		.tree = tree, .parents = parents, .n_parents = 2, .message = message
	};

	if (repo_identity(&w->repo, &who, &w->why) < 0)
		return -1;

	new.committer = who;
	return writer_make_commit(w, &new, ret);
}

/* The merged index has no conflict. */
static int finish(struct merge *merge, git_index *merged)
{
	struct writer *w = merge->w;
	auto_git(git_tree) tree = NULL;
	git_oid tree_id;
	git_oid id;
	int rc = git_index_write_tree_to(&tree_id, merged, w->repo.git);

	if (rc == 0)
		rc = git_tree_lookup(&tree, w->repo.git, &tree_id);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot write the merged tree");

	if (merge->what->squash) {
		merge->done.result = "squashed";
		merge->done.text =
			alloc_printf("Staged the changes of %s; commit them with git_commit.",
				merge->what->name);
		return guard_switch(w, tree, cannot);
	}

	if (commit_merge(merge, &tree_id, &id) < 0 || guard_switch(w, tree, cannot) < 0 ||
		move(merge, &id, "Merge made by the 'ort' strategy.") < 0)
		return -1;

	merge->done.result = "merged";
	merge->done.text = alloc_printf(
		"Merged %s into %s", merge->what->name, w->branch ? w->branch : "HEAD");
	return 0;
}

static int refuse_conflict(struct merge *merge, git_index *merged)
{
	auto_names conflicts = { 0 };
	auto_free char *list = NULL;

	if (writer_conflicts(merge->w, merged, &conflicts) < 0)
		return -1;

	list = names_text(&conflicts);
	return refuse(&merge->w->why, "merge_conflict",
		"the merge of %s stopped at conflicts in: %s. Resolve them, stage them with "
		"git_add and conclude with git_commit; or call git_merge with abort=true.",
		QUOTED(merge->what->name), list);
}

/* Once more on disk, with conflict marks and MERGE_HEAD. */
static int leave_conflict(struct merge *merge, git_index *merged)
{
	struct writer *w = merge->w;
	const git_annotated_commit *heads[] = { merge->head };
	git_merge_options how = OPTIONS(merge);
	auto_names in_the_way = { 0 };
	git_checkout_options options = guard_options(&in_the_way);
	int rc;

	writer_save_head(w);
	rc = LOCKED(w, git_merge(w->repo.git, heads, 1, &how, &options));
	if (rc < 0)
		return guard_failed(w, rc, &in_the_way, cannot);
	if (merge->what->squash)
		writer_end_merge(w);

	return refuse_conflict(merge, merged);
}

static int merge_in_memory(struct merge *merge)
{
	struct writer *w = merge->w;
	git_merge_options how = OPTIONS(merge);
	auto_git(git_index) merged = NULL;
	auto_git(git_tree) head = NULL;
	auto_names touched = { 0 };
	int rc = git_merge_commits(&merged, w->repo.git, w->head, merge->theirs, &how);

	if (rc < 0)
		return refuse_git(&w->why, rc, "%s", cannot);
	if (writer_head_tree(w, &head) < 0 || guard_index(w, merged, NULL) < 0 ||
		guard_diff_index(w, head, merged, &touched) < 0 ||
		guard_touched(w, &touched, cannot) < 0)
		return -1;

	return git_index_has_conflicts(merged) ? leave_conflict(merge, merged)
					       : finish(merge, merged);
}

static int run_analysis(struct merge *merge, git_merge_analysis_t *ret)
{
	const git_annotated_commit *heads[] = { merge->head };
	git_merge_preference_t preference;
	int rc = git_merge_analysis(ret, &preference, merge->w->repo.git, heads, 1);

	if (rc < 0)
		return refuse_git(&merge->w->why, rc, "%s", cannot);

	return 0;
}

static int merge_branch(struct merge *merge)
{
	const struct merge_what *a = merge->what;
	struct writer *w = merge->w;
	git_merge_analysis_t analysis;

	if (writer_check_idle(w, cannot) < 0 || find_theirs(merge) < 0 ||
		run_analysis(merge, &analysis) < 0)
		return -1;

	if (analysis & GIT_MERGE_ANALYSIS_UP_TO_DATE) {
		merge->done.result = "up_to_date";
		merge->done.text = alloc_str("Already up to date.");
		return 0;
	}
	if ((analysis & GIT_MERGE_ANALYSIS_UNBORN) ||
		((analysis & GIT_MERGE_ANALYSIS_FASTFORWARD) && !a->no_ff && !a->squash))
		return fast_forward(merge);
	if (a->ff_only && !(analysis & GIT_MERGE_ANALYSIS_FASTFORWARD))
		return refuse(&w->why, "not_fast_forward",
			"%s and the current branch have diverged. Merge without ff_only.",
			QUOTED(a->name));
	if (guard_clean(w, false, cannot) < 0)
		return -1;

	return merge_in_memory(merge);
}

int merge(struct writer *w, const struct merge_what *what, struct merged *ret)
{
	auto_(merge_done) struct merge merge = { .w = w, .what = what };

	if (merge_branch(&merge) < 0)
		return -1;

	*ret = merge.done;
	merge.done.text = NULL;
	return 0;
}

/* Also ends a cherry-pick or revert, and a squash or stash that left conflicts. */
static int abort_merge(struct writer *w, struct merged *ret)
{
	const char *state = repo_state(&w->repo);
	auto_git(git_index) index = NULL;
	auto_names conflicts = { 0 };

	if (repo_index(&w->repo, &index, &w->why) < 0 || writer_conflicts(w, index, &conflicts) < 0)
		return -1;
	if (streq(state, "rebase"))
		return refuse(&w->why, "invalid_argument",
			"a rebase is in progress. Abort it with git_rebase, action=abort.");
	if (conflicts.n == 0 && (streq(state, "none") || streq(state, "bisect")))
		return refuse(&w->why, "invalid_argument",
			"there is no merge to abort. "
			"git_get_status shows the state.");
	if (guard_undo(w) < 0)
		return -1;

	writer_end_merge(w);
	ret->result = "aborted";
	ret->text = alloc_printf("Aborted the %s; the changes it made are undone.",
		streq(state, "none") ? "merge" : state);
	return 0;
}

static int check_merge_args(struct refusal *why, const struct merge_args *a)
{
	if (a->abort && (a->branch || a->no_ff || a->ff_only || a->squash))
		return refuse(why, "invalid_argument",
			"abort: takes no other argument. "
			"Leave the others out.");
	if (!a->abort && (!a->branch || !*a->branch))
		return refuse(why, "invalid_argument",
			"branch: is required unless abort. "
			"git_branch lists the branches.");
	if (a->no_ff && (a->ff_only || a->squash))
		return refuse(why, "invalid_argument",
			"no_ff: excludes ff_only and squash. "
			"Say one of them.");

	return 0;
}

static int run_merge(struct call *call, const void *args)
{
	const struct merge_args *a = args;
	struct merge_what what = {
		.spec = a->branch,
		.name = a->branch,
		.message = a->message,
		.no_ff = a->no_ff,
		.ff_only = a->ff_only,
		.squash = a->squash,
	};
	auto_writer w = { 0 };
	struct merged done = { 0 };
	auto_free char *text = NULL;

	if (check_merge_args(&w.why, a) < 0)
		return refusal_answer(call, &w.why);
	if (writer_open(&w, call, a->repo_path, WRITER_TREE) < 0 ||
		(!a->abort && writer_check_branch(&w, cannot) < 0) ||
		(a->abort ? abort_merge(&w, &done) : merge(&w, &what, &done)) < 0)
		return refusal_answer(call, &w.why);

	text = done.text;
	return call_resultf(call,
		json_pack("{s:s, s:o, s:[]}", "result", done.result, "head", writer_head_json(&w),
			"conflicts"),
		"%s", text);
}

const struct tool git_merge_tools[] = {
	GIT_WRITE_TOOL(merge, "Merge",
		.doc = "Merge a branch into the current one, or abort a merge. On conflicts the call "
		       "fails, names the files and leaves the merge to be resolved or aborted.",
		.out = "result string, head string, conflicts string[]", .hints = TOOL_DESTRUCTIVE),
	{ 0 },
};
