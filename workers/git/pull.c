/* git_pull: git_fetch, then git_merge of what came.
 *
 * The repository is locked for the merge only, because a fetch may take minutes. */
#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/fetch.h"
#include "workers/git/merge.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"
#include "workers/git/upstream.h"

struct pull_args {
	const char *repo_path;
	const char *remote;
	const char *branch;
	bool ff_only;
};

static const struct param pull_params[] = {
	PARAM_REPO(pull_args),
	PARAM(pull_args, remote, RANGE(1, 244), .def_str = "origin", .doc = "Remote"),
	PARAM(pull_args, branch, RANGE(1, 244), .doc = "Remote branch; default the upstream"),
	PARAM(pull_args, ff_only, .def_bool = true, .doc = "Refuse unless fast-forward"),
	{ 0 },
};

struct pull {
	struct call *call;
	const struct pull_args *args;
	struct refusal why;
	char *current; /* branch of HEAD */
	char *branch;  /* of the remote */
	git_oid tip;
	char previous[GIT_OID_HEXSZ + 1]; /* "": no commit yet */
};

static void pull_done(struct pull *pull)
{
	free(pull->current);
	free(pull->branch);
}

/* Which branch of the remote belongs to the current one. */
static int find_remote_branch(struct pull *pull, const struct repo *repo)
{
	const char *wanted = pull->args->remote;
	auto_free char *remote = NULL;
	auto_free char *branch = NULL;
	bool is_unborn;

	if (rev_branch(repo, &pull->current, &is_unborn, &pull->why) < 0)
		return -1;
	if (!pull->current)
		return refuse(&pull->why, "invalid_argument",
			"HEAD is detached. Check out a branch to pull into.");
	if (pull->args->branch) {
		pull->branch = alloc_str(pull->args->branch);
		return 0;
	}
	if (!upstream_names(repo, pull->current, &remote, &branch) || !streq(remote, wanted))
		return refuse(&pull->why, "not_found",
			"branch '%s' follows no branch of '%s'. Say branch=…", pull->current,
			wanted);

	pull->branch = TAKE(branch);
	return 0;
}

static int fetch_first(struct pull *pull)
{
	struct fetch_what what = { .remote = pull->args->remote };
	auto_repo repo = { 0 };
	auto_fetched fetched = { 0 };

	if (repo_open(call_settings(pull->call), pull->args->repo_path, &repo, &pull->why) < 0 ||
		repo_need_worktree(&repo, &pull->why) < 0 || find_remote_branch(pull, &repo) < 0)
		return -1;

	what.branch = pull->branch;
	if (fetch(pull->call, &repo, &what, &fetched, &pull->why) < 0)
		return -1;

	pull->tip = fetched.tip;
	return 0;
}

/* With enforce_protected a protected branch may only move forward. */
static int check_policy(const struct pull *pull, struct writer *w)
{
	return pull->args->ff_only ? 0 : writer_check_branch(w, "cannot merge");
}

static int merge_it(struct pull *pull, struct writer *w, struct merged *ret)
{
	char id[GIT_OID_HEXSZ + 1];
	auto_free char *name = alloc_printf("%s/%s", pull->args->remote, pull->branch);
	struct merge_what what = {
		.spec = git_oid_tostr(id, sizeof(id), &pull->tip),
		.name = name,
		.kind = "remote-tracking branch",
		.ff_only = pull->args->ff_only,
	};

	if (!w->branch || !streq(w->branch, pull->current))
		return refuse(&w->why, "busy",
			"somebody else switched to another branch meanwhile. Try again.");
	if (check_policy(pull, w) < 0)
		return -1;

	if (w->head)
		(void)git_oid_tostr(pull->previous, sizeof(pull->previous), git_commit_id(w->head));
	return merge(w, &what, ret);
}

static int run_pull(struct call *call, const void *args)
{
	const struct pull_args *a = args;
	auto_(pull_done) struct pull pull = { .call = call, .args = a };
	auto_writer w = { 0 };
	struct merged done = { 0 };
	auto_free char *text = NULL;

	if (fetch_first(&pull) < 0)
		return refusal_answer(call, &pull.why);
	if (writer_open(&w, call, a->repo_path, WRITER_TREE) < 0 || merge_it(&pull, &w, &done) < 0)
		return refusal_answer(call, &w.why);

	text = done.text;
	return call_resultf(call,
		json_pack("{s:s, s:o, s:s, s:[]}", "result", done.result, "head",
			writer_head_json(&w), "previous_head", pull.previous, "conflicts"),
		"%s", text);
}

const struct tool git_pull_tools[] = {
	GIT_WRITE_TOOL(pull, "Pull",
		.doc = "Fetch and fast-forward the current branch; with ff_only=false merge when it "
		       "has diverged. On conflicts the call fails, names the files and leaves the "
		       "merge to be resolved or aborted.",
		.out = "result string, head string, previous_head string, conflicts string[]",
		.hints = TOOL_OPEN_WORLD, .timeout_s = 300),
	{ 0 },
};
