/* git_checkout, and switching for the tools that do it on the way. */
#include "workers/git/checkout.h"

#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"

static const char cannot[] = "cannot switch";

struct checkout_args {
	const char *repo_path;
	const char *branch_name;
	bool create;
	const char *base_branch;
};

static const struct param checkout_params[] = {
	PARAM_REPO(checkout_args),
	PARAM(checkout_args, branch_name, RANGE(1, 256), .required = true,
		.doc = "Branch, tag or commit"),
	PARAM(checkout_args, create, .doc = "Create the branch first"),
	PARAM(checkout_args, base_branch, .doc = "With create: start here"),
	{ 0 },
};

bool branch_exists(struct writer *w, const char *name)
{
	auto_git(git_reference) ref = NULL;

	if (git_branch_lookup(&ref, w->repo.git, name, GIT_BRANCH_LOCAL) == 0)
		return true;

	git_error_clear();
	return false;
}

/* A branch "a" and a branch "a/b" cannot both be: one is a file, the other a directory. NULL, or the
 * name of the branch that stands against `name`; yours to free. */
static char *find_obstacle(struct writer *w, const char *name)
{
	auto_git(git_reference_iterator) below = NULL;
	auto_free char *above = alloc_str(name);
	auto_free char *prefix = alloc_printf("refs/heads/%s/", name);
	const char *found = NULL;
	char *slash;

	while ((slash = strrchr(above, '/'))) {
		*slash = '\0';
		if (branch_exists(w, above))
			return TAKE(above);
	}

	if (git_reference_iterator_new(&below, w->repo.git) < 0) {
		git_error_clear();
		return NULL;
	}
	while (git_reference_next_name(&found, below) == 0)
		if (strncmp(found, prefix, strlen(prefix)) == 0)
			return alloc_str(found + strlen("refs/heads/"));

	git_error_clear();
	return NULL;
}

static int check_free(struct writer *w, const char *name)
{
	auto_free char *obstacle = NULL;

	if (branch_exists(w, name))
		return refuse(&w->why, "already_exists",
			"there is already a branch %s. "
			"Choose another name, or switch to it with git_checkout.",
			QUOTED(name));

	obstacle = find_obstacle(w, name);
	if (obstacle)
		return refuse(&w->why, "already_exists",
			"branch '%s' cannot be beside the branch '%s'. "
			"Choose another name.",
			name, obstacle);

	return 0;
}

static int find_start(struct writer *w, const char *name, const char *start, git_commit **ret)
{
	if (writer_check_branch_name(w, "branch_name", name) < 0)
		return -1;
	if (check_free(w, name) < 0)
		return -1;

	return rev_commit(&w->repo, start ? start : "HEAD", ret, &w->why);
}

static int create_ref(
	struct writer *w, const char *name, const char *start, const git_commit *commit)
{
	auto_git(git_reference) ref = NULL;
	auto_free char *full = alloc_printf("refs/heads/%s", name);
	auto_free char *from = writer_one_line(start ? start : "HEAD");
	auto_free char *message = alloc_printf("branch: Created from %s", from);
	int rc = LOCKED(w,
		git_reference_create(&ref, w->repo.git, full, git_commit_id(commit), 0, message));

	return rc < 0 ? refuse_git(&w->why, rc, "cannot create branch %s", QUOTED(name)) : 0;
}

int branch_create(struct writer *w, const char *name, const char *start, git_commit **ret)
{
	auto_git(git_commit) commit = NULL;

	if (find_start(w, name, start, &commit) < 0 || create_ref(w, name, start, commit) < 0)
		return -1;

	*ret = TAKE(commit);
	return 0;
}

/* HEAD points to the branch now; the reflog is libgit2's "checkout: moving from A to B". */
static int point_head(struct writer *w, const char *name, git_commit *commit)
{
	auto_free char *full = alloc_printf("refs/heads/%s", name);
	int rc = LOCKED(w, git_repository_set_head(w->repo.git, full));

	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot move HEAD");

	free(w->branch);
	w->branch = alloc_str(name);
	git_commit_free(w->head);
	w->head = commit;
	return 0;
}

static int switch_tree(struct writer *w, const git_commit *commit)
{
	auto_git(git_tree) tree = NULL;

	if (writer_check_idle(w, cannot) < 0 ||
		rev_tree_of(&w->repo, git_commit_id(commit), &tree, &w->why) < 0)
		return -1;

	return guard_switch(w, tree, cannot);
}

int checkout_branch(struct writer *w, const char *name)
{
	auto_free char *full = alloc_printf("refs/heads/%s", name);
	auto_git(git_commit) commit = NULL;

	if (w->branch && streq(w->branch, name))
		return 0;
	if (writer_is_elsewhere(w, name))
		return refuse(&w->why, "checked_out_elsewhere",
			"branch '%s' is checked out in another worktree. "
			"Work there (git_worktree_list), or switch that one to another branch.",
			name);
	if (rev_commit(&w->repo, full, &commit, &w->why) < 0 || switch_tree(w, commit) < 0)
		return -1;

	return point_head(w, name, TAKE(commit));
}

/* Before the first commit HEAD is only a name. */
static int rename_unborn(struct writer *w, const char *name)
{
	if (writer_check_branch_name(w, "branch_name", name) < 0)
		return -1;

	return point_head(w, name, NULL);
}

int checkout_new_branch(struct writer *w, const char *name, const char *start)
{
	auto_git(git_commit) commit = NULL;

	if (!w->head && !start)
		return rename_unborn(w, name);
	if (find_start(w, name, start, &commit) < 0 || switch_tree(w, commit) < 0 ||
		create_ref(w, name, start, commit) < 0)
		return -1;

	return point_head(w, name, TAKE(commit));
}

/* A tag or a commit. The words of the caller stand in the reflog. */
static int detach(struct writer *w, const char *spec)
{
	auto_git(git_commit) commit = NULL;
	auto_git(git_annotated_commit) target = NULL;
	int rc;

	if (rev_commit(&w->repo, spec, &commit, &w->why) < 0 || switch_tree(w, commit) < 0)
		return -1;

	rc = repo_is_one_line(spec)
		     ? git_annotated_commit_from_revspec(&target, w->repo.git, spec)
		     : git_annotated_commit_lookup(&target, w->repo.git, git_commit_id(commit));
	if (rc == 0)
		rc = LOCKED(
			w, git_repository_set_head_detached_from_annotated(w->repo.git, target));
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot move HEAD");

	free(w->branch);
	w->branch = NULL;
	git_commit_free(w->head);
	w->head = TAKE(commit);
	return 0;
}

static int go(struct writer *w, const struct checkout_args *a)
{
	if (a->create)
		return checkout_new_branch(w, a->branch_name, a->base_branch);
	if (a->base_branch)
		return refuse(&w->why, "invalid_argument",
			"base_branch: only with create. "
			"Say create=true, or leave base_branch out.");
	if (branch_exists(w, a->branch_name) || (w->branch && streq(w->branch, a->branch_name)))
		return checkout_branch(w, a->branch_name);

	return detach(w, a->branch_name);
}

/* What HEAD was: the branch, or a short hash. */
static char *name_head(struct writer *w)
{
	char id[REPO_SHORT_SIZE];

	if (w->branch)
		return alloc_str(w->branch);

	return w->head ? alloc_str(repo_short(&w->repo, git_commit_id(w->head), id)) : NULL;
}

static char *checkout_text(struct writer *w, const char *previous)
{
	char id[REPO_SHORT_SIZE];

	if (!w->branch)
		return alloc_printf("HEAD is now detached at %s",
			repo_short(&w->repo, git_commit_id(w->head), id));
	if (previous && streq(previous, w->branch))
		return alloc_printf("Already on '%s'", w->branch);

	return alloc_printf("Switched to branch '%s'", w->branch);
}

static int run_checkout(struct call *call, const void *args)
{
	const struct checkout_args *a = args;
	auto_writer w = { 0 };
	auto_free char *previous = NULL;
	auto_free char *text = NULL;
	json_t *out;

	if (writer_open(&w, call, a->repo_path, WRITER_TREE) < 0)
		return refusal_answer(call, &w.why);

	previous = name_head(&w);
	if (go(&w, a) < 0)
		return refusal_answer(call, &w.why);

	text = checkout_text(&w, previous);
	out = json_pack("{s:b, s:o}", "detached", !w.branch, "head", writer_head_json(&w));
	if (w.branch)
		json_object_set_new(out, "branch", out_str(w.branch));
	if (previous)
		json_object_set_new(out, "previous", out_str(previous));

	return call_resultf(call, out, "%s", text);
}

const struct tool git_checkout_tools[] = {
	GIT_WRITE_TOOL(checkout, "Switch branch",
		.doc = "Switch to a branch, tag or commit; local changes are never overwritten. For a "
		       "remote branch say create with base_branch origin/NAME.",
		.out = "branch? string, detached boolean, head string, previous? string",
		.hints = TOOL_WRITES),
	{ 0 },
};
