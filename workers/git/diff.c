/* git_diff: working tree against index, index against HEAD, or between revisions. */
#include "workers/common/call.h"
#include "workers/git/out.h"
#include "workers/git/patch.h"
#include "workers/git/rev.h"
#include "workers/git/special.h"
#include "workers/git/stop.h"
#include "workers/git/tools.h"

struct git_diff_args {
	const char *repo_path;
	const char *target;
	bool cached;
	const char *file_path;
	struct str_list paths;
	int64_t context_lines;
	bool stat;
	bool name_only;
	bool ignore_whitespace;
	bool detect_renames;
	int64_t max_bytes;
};

static const struct param git_diff_params[] = {
	PARAM_REPO(git_diff_args),
	PARAM(git_diff_args, target, RANGE(1, 1024),
		.doc = "A revision (working tree, or index when cached, against it), A..B, or A...B "
		       "(from their merge base)."),
	PARAM(git_diff_args, cached, .doc = "Compare the index instead of the working tree."),
	PARAM(git_diff_args, file_path, RANGE(1, 4096), .doc = "Only this file or directory."),
	PARAM(git_diff_args, paths, RANGE(1, 200), .doc = "Only these files or directories."),
	PARAM(git_diff_args, context_lines, RANGE(0, 1000), .def_int = 3,
		.doc = "Lines of context."),
	PARAM(git_diff_args, stat, .doc = "Summary per file instead of the patch."),
	PARAM(git_diff_args, name_only, .doc = "Only the names of changed files."),
	PARAM(git_diff_args, ignore_whitespace, .doc = "Ignore changes in amount of white space."),
	PARAM(git_diff_args, detect_renames, .def_bool = true, .doc = "Detect renames."),
	PARAM(git_diff_args, max_bytes, RANGE(1024, 4194304), .def_int = 262144,
		.doc = "Cut the text after this many bytes, at a line end."),
	{ 0 },
};

/* What is asked for, ready for libgit2. */
struct request {
	struct call *call;
	struct repo *repo;
	const struct git_diff_args *args;
	git_diff_options options;
};

static int merge_base_tree(
	const struct repo *repo, const struct rev_range *range, git_tree **ret, struct refusal *why)
{
	git_oid base;
	int rc = git_merge_base(&base, repo->git, &range->from, &range->to);

	if (rc == GIT_ENOTFOUND)
		return refuse(why, "bad_revision",
			"the two revisions have no common ancestor. Compare them with A..B.");
	if (rc < 0)
		return refuse_git(why, rc, "cannot find the merge base");

	return rev_tree_of(repo, &base, ret, why);
}

static int diff_range(
	struct request *request, const struct rev_range *range, git_diff **ret, struct refusal *why)
{
	auto_git(git_tree) from = NULL;
	auto_git(git_tree) to = NULL;
	int r = range->kind == REV_MERGE_BASE
			? merge_base_tree(request->repo, range, &from, why)
			: rev_tree_of(request->repo, &range->from, &from, why);

	if (r == 0)
		r = rev_tree_of(request->repo, &range->to, &to, why);
	if (r < 0)
		return r;

	return patch_result(
		git_diff_tree_to_tree(ret, request->repo->git, from, to, &request->options),
		request->call, why);
}

/* `tree` NULL: the working tree against the index, or the index against nothing. */
static int diff_files(struct request *request, git_tree *tree, git_diff **ret, struct refusal *why)
{
	auto_git(git_index) index = NULL;
	git_repository *git = request->repo->git;
	int r = request->args->cached ? 0 : repo_need_worktree(request->repo, why);
	int rc;

	if (r == 0)
		r = repo_index(request->repo, &index, why);
	if (r < 0)
		return r;
	if (request->args->cached)
		rc = git_diff_tree_to_index(ret, git, tree, index, &request->options);
	else if (tree)
		rc = git_diff_tree_to_workdir_with_index(ret, git, tree, &request->options);
	else
		rc = git_diff_index_to_workdir(ret, git, index, &request->options);

	return patch_result(rc, request->call, why);
}

static int make_diff(struct request *request, git_diff **ret, struct refusal *why)
{
	const char *target = request->args->target;
	auto_git(git_tree) tree = NULL;
	struct rev_range range = { 0 };
	int r = 0;

	if (target && strstr(target, "..")) {
		r = rev_range(request->repo, target, &range, why);
		if (r < 0)
			return r;
		if (range.kind != REV_ONE && request->args->cached)
			return refuse(why, "invalid_argument",
				"cached compares the index with one revision; it cannot be combined "
				"with a range");
		if (range.kind != REV_ONE)
			return diff_range(request, &range, ret, why);
	}
	if (target)
		r = rev_tree(request->repo, target, &tree, why);
	else if (request->args->cached)
		r = rev_head_tree(request->repo, &tree, why);

	return r < 0 ? r : diff_files(request, tree, ret, why);
}

/* The paths of both parameters. */
static int read_paths(struct request *request, struct repo_paths *ret, struct refusal *why)
{
	const struct git_diff_args *a = request->args;
	struct str_list one = { (const char **)(uintptr_t)&a->file_path, 1 };

	if (a->file_path && a->paths.n > 0)
		return refuse(why, "invalid_argument",
			"give either file_path or paths. "
			"paths takes both.");
	if (a->file_path)
		return repo_paths(request->repo, one, ret, why);

	return repo_paths(request->repo, a->paths, ret, why);
}

static int run(struct request *request, struct patch *ret, struct refusal *why)
{
	const struct git_diff_args *a = request->args;
	auto_repo_paths paths = { 0 };
	auto_git(git_diff) diff = NULL;
	enum patch_form form = a->name_only ? PATCH_NAMES : a->stat ? PATCH_STAT : PATCH_FULL;
	int r = read_paths(request, &paths, why);

	if (r < 0)
		return r;
	patch_options(request->repo, request->call, a->context_lines, &paths, &request->options);
	if (a->ignore_whitespace)
		request->options.flags |= GIT_DIFF_IGNORE_WHITESPACE_CHANGE;
	r = make_diff(request, &diff, why);
	if (r == 0 && a->detect_renames)
		r = patch_find_renames(diff, request->call, why);
	if (r < 0)
		return r;

	return patch_render(request->call, diff, form, (size_t)a->max_bytes, ret, why);
}

static int git_diff_tool(struct call *call, const void *args)
{
	const struct git_diff_args *a = args;
	auto_repo repo = { 0 };
	auto_patch patch = { 0 };
	auto_strbuf text = { 0 };
	struct request request = { .call = call, .repo = &repo, .args = a };
	struct refusal why;
	json_t *out;

	if (repo_open_to_read(call, a->repo_path, &repo, &why) < 0 ||
		special_find(&repo, call, NULL, &why) < 0 || run(&request, &patch, &why) < 0)
		return refusal_answer(call, &why);

	out = json_pack("{s:o, s:O, s:I, s:I, s:b}", "diff",
		json_stringn_nocheck(strbuf_get(&patch.text), patch.text.len), "files", patch.files,
		"additions", (json_int_t)patch.additions, "deletions", (json_int_t)patch.deletions,
		"truncated", patch.truncated);
	strbuf_add(&text, strbuf_get(&patch.text), patch.text.len);
	if (patch.n_files == 0)
		strbuf_adds(&text, "No changes.");
	patch_add_cut_note(&text, &patch);

	return call_result(call, out, strbuf_get(&text), text.len);
}

const struct tool git_diff_tools[] = {
	{
		.name = "git_diff", /* libgit2 has a type of this name */
		.title = "Diff",
		.doc = "Unified diff: working tree against index, index against HEAD, or between "
		       "revisions.",
		.run = git_diff_tool,
		.params = git_diff_params,
		.args_size = sizeof(struct git_diff_args),
		.out = "diff string, files " OUT_FILESTAT "[], additions integer, "
		       "deletions integer, truncated boolean",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
	},
	{ 0 },
};
