/* git_cherry_pick and git_revert: the changes of commits, or their inverse, one after the other.
 *
 * All of them are made in memory first, as a chain of commits that nothing refers to yet. What went
 * well is then written by one switch of the working tree, and the branch follows commit by commit. At
 * a conflict libgit2 repeats that one commit on disk and leaves its state, so that git_commit can
 * conclude it and git_merge with abort can undo it. */
#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/guard.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"

enum { COMMITS_MAX = 50 };

/* How the two differ. */
struct kind {
	const char *name;
	const char *cannot;
	int (*make)(git_index **ret, git_repository *git, git_commit *commit, git_commit *onto);
	int (*leave)(git_repository *git, git_commit *commit, const git_checkout_options *options);
	char *(*message)(git_commit *commit);
	const git_signature *(*author)(const git_commit *commit); /* NULL: the committer */
};

static int make_pick(git_index **ret, git_repository *git, git_commit *commit, git_commit *onto)
{
	git_merge_options how = OPTIONS(merge);

	return git_cherrypick_commit(ret, git, commit, onto, 0, &how);
}

static int leave_pick(git_repository *git, git_commit *commit, const git_checkout_options *options)
{
	git_cherrypick_options how = OPTIONS(cherrypick);

	how.checkout_opts = *options;
	return git_cherrypick(git, commit, &how);
}

static char *pick_message(git_commit *commit)
{
	return alloc_str(git_commit_message_raw(commit));
}

static int make_revert(git_index **ret, git_repository *git, git_commit *commit, git_commit *onto)
{
	git_merge_options how = OPTIONS(merge);

	return git_revert_commit(ret, git, commit, onto, 0, &how);
}

static int leave_revert(
	git_repository *git, git_commit *commit, const git_checkout_options *options)
{
	git_revert_options how = OPTIONS(revert);

	how.checkout_opts = *options;
	return git_revert(git, commit, &how);
}

static char *revert_message(git_commit *commit)
{
	auto_free char *subject = writer_subject(commit);

	return alloc_printf("Revert \"%s\"\n\nThis reverts commit %s.\n", subject,
		git_oid_tostr_s(git_commit_id(commit)));
}

static const struct kind cherry_pick_kind = {
	"cherry-pick",
	"cannot cherry-pick",
	make_pick,
	leave_pick,
	pick_message,
	git_commit_author,
};

static const struct kind revert_kind = {
	"revert",
	"cannot revert",
	make_revert,
	leave_revert,
	revert_message,
	NULL,
};

struct sequence {
	struct writer *w;
	const struct kind *kind;
	bool no_commit;
	git_signature *who;
	git_commit *todo[COMMITS_MAX];
	size_t n_todo;
	git_commit *made[COMMITS_MAX]; /* the chain; each has the one before as its parent */
	git_commit *from[COMMITS_MAX]; /* borrowed of todo: what made[i] was made from */
	size_t n_made;
	size_t n_skipped;
	git_commit *stopped; /* borrowed of todo: the one with conflicts */
	git_index *conflict;
};

static void sequence_done(struct sequence *seq)
{
	for (size_t i = 0; i < seq->n_todo; i++)
		git_commit_free(seq->todo[i]);
	for (size_t i = 0; i < seq->n_made; i++)
		git_commit_free(seq->made[i]);
	git_index_free(seq->conflict);
	git_signature_free(seq->who);
}

static int look_up(struct sequence *seq, struct str_list specs)
{
	struct refusal *why = &seq->w->why;

	for (size_t i = 0; i < specs.n; i++) {
		git_commit *commit = NULL;

		if (rev_commit(&seq->w->repo, specs.items[i], &commit, why) < 0)
			return -1;
		seq->todo[seq->n_todo++] = commit;
		if (git_commit_parentcount(commit) > 1)
			return refuse(why, "invalid_argument",
				"commits: %s is a merge commit; it cannot be told which side to take",
				QUOTED(specs.items[i]));
	}

	return 0;
}

static int make_commit(
	struct sequence *seq, git_commit *commit, git_commit *onto, const git_oid *tree)
{
	const struct kind *kind = seq->kind;
	auto_free char *message = kind->message(commit);
	struct new_commit new = { .tree = tree,
		.parents = &onto,
		.n_parents = 1,
		.committer = seq->who,
		.message = message };
	git_oid id;

	if (kind->author) {
		new.author = kind->author(commit);
		new.encoding = git_commit_message_encoding(commit);
	}
	if (writer_make_commit(seq->w, &new, &id) < 0 ||
		writer_commit(seq->w, &id, &seq->made[seq->n_made]) < 0)
		return -1;

	seq->from[seq->n_made++] = commit;
	return 0;
}

/* 1: made or not needed. 0: conflicts, kept in seq. */
static int make_one(struct sequence *seq, git_commit *commit)
{
	struct writer *w = seq->w;
	git_commit *onto = seq->n_made > 0 ? seq->made[seq->n_made - 1] : w->head;
	auto_git(git_index) index = NULL;
	git_oid tree;
	int rc = seq->kind->make(&index, w->repo.git, commit, onto);

	if (rc < 0)
		return refuse_git(&w->why, rc, "%s", seq->kind->cannot);
	if (git_index_has_conflicts(index)) {
		seq->stopped = commit;
		seq->conflict = TAKE(index);
		return 0;
	}

	rc = git_index_write_tree_to(&tree, index, w->repo.git);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot write the tree");
	if (git_oid_equal(&tree, git_commit_tree_id(onto))) {
		seq->n_skipped++;
		return 1;
	}

	return make_commit(seq, commit, onto, &tree) < 0 ? -1 : 1;
}

static int make_all(struct sequence *seq)
{
	for (size_t i = 0; i < seq->n_todo && !seq->stopped; i++) {
		if (call_stopped(seq->w->call))
			return refuse_stopped(&seq->w->why, "nothing was changed");
		if (make_one(seq, seq->todo[i]) < 0)
			return -1;
	}

	return 0;
}

static int move_branch(struct sequence *seq)
{
	struct writer *w = seq->w;

	writer_save_head(w);
	for (size_t i = 0; i < seq->n_made; i++) {
		auto_free char *subject = writer_subject(seq->made[i]);
		auto_free char *message = alloc_printf("%s: %s", seq->kind->name, subject);

		if (writer_move_head(w, git_commit_id(seq->made[i]), message) < 0)
			return -1;
	}

	return 0;
}

/* Writes what was made to disk, and to the branch unless it is only to be staged. */
static int apply(struct sequence *seq)
{
	struct writer *w = seq->w;
	auto_git(git_tree) tree = NULL;

	if (seq->n_made == 0)
		return 0;
	if (rev_tree_of(&w->repo, git_commit_id(seq->made[seq->n_made - 1]), &tree, &w->why) < 0 ||
		guard_switch(w, tree, seq->kind->cannot) < 0)
		return -1;

	return seq->no_commit ? 0 : move_branch(seq);
}

static int refuse_conflict(struct sequence *seq, const char *then)
{
	struct writer *w = seq->w;
	auto_names names = { 0 };
	auto_free char *list = NULL;
	char id[REPO_SHORT_SIZE];

	if (writer_conflicts(w, seq->conflict, &names) < 0)
		return -1;

	list = names_text(&names);
	return refuse(&w->why, "merge_conflict",
		"%s of %s conflicts in: %s. %zu commit(s) before it %s. %s", seq->kind->name,
		repo_short(&w->repo, git_commit_id(seq->stopped), id), list, seq->n_made,
		seq->no_commit ? "would fit" : "were applied", then);
}

static int stop_at_conflict(struct sequence *seq)
{
	struct writer *w = seq->w;
	auto_git(git_tree) head = NULL;
	auto_names touched = { 0 };
	auto_names in_the_way = { 0 };
	git_checkout_options options = guard_options(&in_the_way);
	int rc;

	if (seq->no_commit)
		return refuse_conflict(seq, "Nothing was changed; pick without no_commit.");
	if (writer_head_tree(w, &head) < 0 || guard_index(w, seq->conflict, NULL) < 0 ||
		guard_diff_index(w, head, seq->conflict, &touched) < 0 ||
		guard_touched(w, &touched, seq->kind->cannot) < 0)
		return -1;

	rc = LOCKED(w, seq->kind->leave(w->repo.git, seq->stopped, &options));
	if (rc < 0)
		return guard_failed(w, rc, &in_the_way, seq->kind->cannot);

	return refuse_conflict(seq,
		"Resolve, stage with git_add, conclude with git_commit, then go on with the commits "
		"behind it; or undo this one by git_merge with abort=true.");
}

static int run(struct sequence *seq, struct str_list specs)
{
	struct writer *w = seq->w;
	const char *cannot = seq->kind->cannot;

	if (!w->head)
		return refuse(&w->why, "bad_revision",
			"there is no commit yet to build on. "
			"Make one with git_commit first.");
	if (writer_check_branch(w, cannot) < 0 || writer_check_idle(w, cannot) < 0 ||
		guard_clean(w, false, cannot) < 0 || look_up(seq, specs) < 0 ||
		repo_identity(&w->repo, &seq->who, &w->why) < 0 || make_all(seq) < 0)
		return -1;

	if (seq->stopped && seq->no_commit)
		return stop_at_conflict(seq);
	if (apply(seq) < 0)
		return -1;

	return seq->stopped ? stop_at_conflict(seq) : 0;
}

static int answer(struct sequence *seq, const char *key, const char *done)
{
	json_t *list = json_array();
	auto_strbuf text = { 0 };

	for (size_t i = 0; i < seq->n_made; i++)
		json_array_append_new(list, out_oid(git_commit_id(seq->from[i])));

	strbuf_addf(&text, "%s %zu commit(s)", done, seq->n_made);
	if (seq->no_commit)
		strbuf_adds(&text, ", staged only");
	if (seq->n_skipped > 0)
		strbuf_addf(&text, "; %zu changed nothing and were left out", seq->n_skipped);

	return call_result(seq->w->call,
		json_pack("{s:o, s:o, s:[]}", key, list, "head", writer_head_json(seq->w),
			"conflicts"),
		strbuf_get(&text), text.len);
}

struct cherry_pick_args {
	const char *repo_path;
	struct str_list commits;
	bool no_commit;
};

static const struct param cherry_pick_params[] = {
	PARAM_REPO(cherry_pick_args),
	PARAM(cherry_pick_args, commits, RANGE(1, COMMITS_MAX), .required = true,
		.doc = "Commits, in order"),
	PARAM(cherry_pick_args, no_commit, .doc = "Only stage"),
	{ 0 },
};

static int run_cherry_pick(struct call *call, const void *args)
{
	const struct cherry_pick_args *a = args;
	auto_writer w = { 0 };
	auto_(sequence_done) struct sequence seq = {
		.w = &w, .kind = &cherry_pick_kind, .no_commit = a->no_commit
	};

	if (writer_open(&w, call, a->repo_path, WRITER_TREE) < 0 || run(&seq, a->commits) < 0)
		return refusal_answer(call, &w.why);

	return answer(&seq, "picked", "Picked");
}

struct revert_args {
	const char *repo_path;
	struct str_list commits;
	bool no_commit;
};

static const struct param revert_params[] = {
	PARAM_REPO(revert_args),
	PARAM(revert_args, commits, RANGE(1, COMMITS_MAX), .required = true,
		.doc = "Commits, in order"),
	PARAM(revert_args, no_commit, .doc = "Only stage"),
	{ 0 },
};

static int run_revert(struct call *call, const void *args)
{
	const struct revert_args *a = args;
	auto_writer w = { 0 };
	auto_(sequence_done) struct sequence seq = {
		.w = &w, .kind = &revert_kind, .no_commit = a->no_commit
	};

	if (writer_open(&w, call, a->repo_path, WRITER_TREE) < 0 || run(&seq, a->commits) < 0)
		return refusal_answer(call, &w.why);

	return answer(&seq, "reverted", "Reverted");
}

const struct tool git_sequence_tools[] = {
	GIT_WRITE_TOOL(cherry_pick, "Cherry-pick",
		.doc = "Apply commits to the current branch. At a conflict the call fails, names the "
		       "files and leaves that commit to be resolved, or undone by git_merge abort.",
		.out = "picked string[], head string, conflicts string[]", .hints = TOOL_WRITES),
	GIT_WRITE_TOOL(revert, "Revert",
		.doc = "Commit the inverse of commits. At a conflict the call fails, names the files "
		       "and leaves that commit to be resolved, or undone by git_merge abort.",
		.out = "reverted string[], head string, conflicts string[]", .hints = TOOL_WRITES),
	{ 0 },
};
