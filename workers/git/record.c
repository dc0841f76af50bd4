/* The index becomes a commit.
 *
 * Parents: HEAD, and while a merge is unfinished the heads of MERGE_HEAD; an amended commit keeps
 * its own. The author of an amended or picked commit stays its author. The reflog reads as if git
 * had written it. */
#include "workers/git/record.h"

#include "shared/alloc.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"

struct parents {
	struct writer *w;
	git_commit *items[WRITER_PARENTS_MAX];
	size_t n;
};

static void parents_done(struct parents *parents)
{
	for (size_t i = 0; i < parents->n; i++)
		git_commit_free(parents->items[i]);
}

static int add_parent(struct parents *parents, const git_oid *id)
{
	if (parents->n == WRITER_PARENTS_MAX)
		return refuse(&parents->w->why, "too_large",
			"a merge of more than %d heads. "
			"Conclude it with the git program.",
			WRITER_PARENTS_MAX);
	if (writer_commit(parents->w, id, &parents->items[parents->n]) < 0)
		return -1;

	parents->n++;
	return 0;
}

static int on_merge_head(const git_oid *id, void *arg)
{
	return add_parent(arg, id);
}

static int find_parents(struct writer *w, bool amend, struct parents *parents)
{
	unsigned n;
	int rc;

	parents->w = w;
	if (amend) {
		n = git_commit_parentcount(w->head);
		for (unsigned i = 0; i < n; i++)
			if (add_parent(parents, git_commit_parent_id(w->head, i)) < 0)
				return -1;
		return 0;
	}
	if (w->head && add_parent(parents, git_commit_id(w->head)) < 0)
		return -1;

	rc = git_repository_mergehead_foreach(w->repo.git, on_merge_head, parents);
	if (rc == GIT_ENOTFOUND) {
		git_error_clear();
		return 0;
	}
	if (rc < 0 && !w->why.code)
		return refuse_git(&w->why, rc, "cannot read MERGE_HEAD");

	return rc < 0 ? -1 : 0;
}

static int write_tree(struct writer *w, git_oid *ret)
{
	auto_git(git_index) index = NULL;
	auto_names conflicts = { 0 };
	auto_free char *list = NULL;
	int rc;

	if (repo_index(&w->repo, &index, &w->why) < 0 || writer_conflicts(w, index, &conflicts) < 0)
		return -1;
	if (conflicts.n > 0) {
		list = names_text(&conflicts);
		return refuse(&w->why, "merge_conflict",
			"unmerged paths: %s. Resolve them and stage them with git_add first.",
			list);
	}

	rc = git_index_write_tree(ret, index);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot write the tree");

	return 0;
}

/* Refuses a commit that changes nothing, and counts what one changes. */
static int compare(struct writer *w, const struct record_what *what, const struct parents *parents,
	const git_oid *tree_id, struct recorded *ret)
{
	git_diff_options options = OPTIONS(diff);
	auto_git(git_tree) before = NULL;
	auto_git(git_tree) after = NULL;
	auto_git(git_diff) diff = NULL;
	auto_git(git_diff_stats) stats = NULL;
	int rc;

	if (parents->n > 0 &&
		rev_tree_of(&w->repo, git_commit_id(parents->items[0]), &before, &w->why) < 0)
		return -1;
	rc = git_tree_lookup(&after, w->repo.git, tree_id);
	if (rc == 0)
		rc = git_diff_tree_to_tree(&diff, w->repo.git, before, after, &options);
	if (rc == 0)
		rc = git_diff_find_similar(diff, NULL);
	if (rc == 0)
		rc = git_diff_get_stats(&stats, diff);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot compare the index");

	ret->n_files = git_diff_stats_files_changed(stats);
	ret->n_added = git_diff_stats_insertions(stats);
	ret->n_deleted = git_diff_stats_deletions(stats);
	if (ret->n_files > 0 || what->allow_empty || parents->n > 1)
		return 0;

	return refuse(&w->why, "nothing_to_commit",
		"nothing is staged that differs from %s. Stage changes with git_add, or say allow_empty.",
		what->amend ? "the parent of the last commit" : "the last commit");
}

/* The commit whose author the new one takes over; *ret stays NULL when there is none. */
static int find_origin(struct writer *w, bool amend, git_commit **ret)
{
	git_oid id;

	if (amend)
		return writer_commit(w, git_commit_id(w->head), ret);
	if (git_reference_name_to_id(&id, w->repo.git, "CHERRY_PICK_HEAD") < 0) {
		git_error_clear();
		return 0;
	}

	return writer_commit(w, &id, ret);
}

static int find_author(struct writer *w, const struct record_what *what,
	const git_signature *committer, git_signature **ret)
{
	auto_git(git_commit) origin = NULL;
	const git_signature *base = committer;
	const char *name;
	const char *email;
	int rc;

	if (find_origin(w, what->amend, &origin) < 0)
		return -1;
	if (origin)
		base = git_commit_author(origin);

	name = what->author_name ? what->author_name : base->name;
	email = what->author_email ? what->author_email : base->email;
	rc = repo_is_one_line(name) && repo_is_one_line(email)
		     ? git_signature_new(ret, name, email, base->when.time, base->when.offset)
		     : GIT_EINVALIDSPEC;
	if (rc < 0)
		return refuse(&w->why, "invalid_argument",
			"author_name, author_email: not a usable name and e-mail address. "
			"Take out control characters and < >.");

	return 0;
}

static char *reflog_message(const struct writer *w, const struct record_what *what,
	const struct parents *parents, const char *subject)
{
	const char *kind = "";

	if (what->amend)
		kind = " (amend)";
	else if (parents->n == 0)
		kind = " (initial)";
	else if (parents->n > 1)
		kind = " (merge)";
	else if (streq(repo_state(&w->repo), "cherry-pick"))
		kind = " (cherry-pick)";

	return alloc_printf("commit%s: %s", kind, subject);
}

static int check(struct writer *w, const struct record_what *what)
{
	if (writer_is_blank(what->message))
		return refuse(&w->why, "invalid_argument",
			"message: is blank. "
			"Say what the commit does.");
	if (what->amend && !w->head)
		return refuse(&w->why, "nothing_to_commit",
			"there is no commit to amend yet. "
			"Leave amend out.");
	if (what->amend && !streq(repo_state(&w->repo), "none") &&
		!streq(repo_state(&w->repo), "rebase"))
		return refuse(&w->why, "merge_conflict",
			"a %s is in progress: the last commit cannot be amended. Conclude it first.",
			repo_state(&w->repo));

	return 0;
}

static int make(struct writer *w, const struct record_what *what, struct parents *parents,
	const git_oid *tree, struct recorded *ret)
{
	auto_git(git_signature) committer = NULL;
	auto_git(git_signature) author = NULL;
	auto_git(git_commit) commit = NULL;
	auto_free char *subject = NULL;
	auto_free char *message = NULL;
	struct new_commit new = { .tree = tree, .message = what->message };

	if (repo_identity(&w->repo, &committer, &w->why) < 0 ||
		find_author(w, what, committer, &author) < 0)
		return -1;

	new.parents = parents->items;
	new.n_parents = parents->n;
	new.author = author;
	new.committer = committer;
	if (writer_make_commit(w, &new, &ret->id) < 0 || writer_commit(w, &ret->id, &commit) < 0)
		return -1;

	subject = writer_subject(commit);
	message = reflog_message(w, what, parents, subject);
	if (writer_move_head(w, &ret->id, message) < 0)
		return -1;

	writer_end_merge(w);
	return 0;
}

int record(struct writer *w, const struct record_what *what, struct recorded *ret)
{
	auto_(parents_done) struct parents parents = { 0 };
	git_oid tree;

	if (check(w, what) < 0 || write_tree(w, &tree) < 0 ||
		find_parents(w, what->amend, &parents) < 0 ||
		compare(w, what, &parents, &tree, ret) < 0)
		return -1;

	return make(w, what, &parents, &tree, ret);
}

json_t *record_json(struct writer *w, const struct recorded *done)
{
	char id[REPO_SHORT_SIZE];
	auto_free char *subject = writer_subject(w->head);
	json_t *out = json_pack("{s:o, s:s, s:o, s:I}", "hash", out_oid(&done->id), "short_hash",
		repo_short(&w->repo, &done->id, id), "subject", out_str(subject), "files_changed",
		(json_int_t)done->n_files);

	if (w->branch)
		json_object_set_new(out, "branch", out_str(w->branch));

	return out;
}
