/* git_get_status: what is staged, changed, untracked and in conflict.
 *
 * Made of two comparisons, HEAD with the index and the index with the working tree, because they can
 * be stopped from outside and libgit2's own status cannot. The index is never refreshed. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "workers/common/call.h"
#include "workers/git/out.h"
#include "workers/git/patch.h"
#include "workers/git/rev.h"
#include "workers/git/special.h"
#include "workers/git/stop.h"
#include "workers/git/tools.h"
#include "workers/git/upstream.h"

struct git_get_status_args {
	const char *repo_path;
	bool include_untracked;
	bool include_ignored;
	int64_t max_entries;
};

static const struct param git_get_status_params[] = {
	PARAM_REPO(git_get_status_args),
	PARAM(git_get_status_args, include_untracked, .def_bool = true,
		.doc = "List untracked files."),
	PARAM(git_get_status_args, include_ignored, .doc = "List ignored files too."),
	PARAM(git_get_status_args, max_entries, RANGE(1, 20000), .def_int = 1000,
		.doc = "Stop after this many entries."),
	{ 0 },
};

struct status {
	struct call *call;
	const struct git_get_status_args *args;
	struct repo *repo;
	json_t *staged;
	json_t *unstaged;
	json_t *untracked;
	json_t *ignored;
	json_t *conflicted;
	int64_t n_entries;
	bool truncated;
	char *branch;
	char *upstream;
	size_t ahead;
	size_t behind;
	bool is_unborn;
};

static void status_done(struct status *status)
{
	json_decref(status->staged);
	json_decref(status->unstaged);
	json_decref(status->untracked);
	json_decref(status->ignored);
	json_decref(status->conflicted);
	free(status->branch);
	free(status->upstream);
}

static void add_entry(struct status *status, json_t *list, json_t *entry)
{
	if (status->n_entries >= status->args->max_entries) {
		status->truncated = true;
		json_decref(entry);
		return;
	}
	status->n_entries++;
	json_array_append_new(list, entry);
}

/* libgit2 takes a directory without files as ignored; git does not know it at all. */
static bool is_empty_directory(const struct repo *repo, const char *path)
{
	int fd = path_open_beneath(
		repo->dir_fd, path, O_RDONLY | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry = NULL;

	if (!dir) {
		(void)fd_close(fd);
		return false;
	}
	while ((entry = readdir(dir)))
		if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
			break;
	(void)closedir(dir);
	return entry == NULL;
}

static void add_delta(struct status *status, const git_diff_delta *delta, json_t *changes)
{
	switch (delta->status) {
	case GIT_DELTA_CONFLICTED: /* listed from the index */
	case GIT_DELTA_UNMODIFIED:
	case GIT_DELTA_UNREADABLE:
		break;
	case GIT_DELTA_UNTRACKED:
		add_entry(status, status->untracked, out_str(delta->new_file.path));
		break;
	case GIT_DELTA_IGNORED:
		if (!is_empty_directory(status->repo, delta->new_file.path))
			add_entry(status, status->ignored, out_str(delta->new_file.path));
		break;
	case GIT_DELTA_ADDED:
	case GIT_DELTA_DELETED:
	case GIT_DELTA_MODIFIED:
	case GIT_DELTA_RENAMED:
	case GIT_DELTA_COPIED:
	case GIT_DELTA_TYPECHANGE:
		add_entry(status, changes, out_change(delta));
		break;
	}
}

/* Keeps the diff of the working tree from growing without bound: what is over is only counted. */
static int on_delta(const git_diff *diff, const git_diff_delta *delta, const char *path, void *arg)
{
	struct status *status = arg;

	(void)delta;
	(void)path;
	if (call_stopped(status->call))
		return GIT_EUSER;
	if ((int64_t)git_diff_num_deltas(diff) <= status->args->max_entries)
		return 0;
	status->truncated = true;
	return 1;
}

static int on_file(const git_diff *diff, const char *old_path, const char *new_path, void *arg)
{
	struct status *status = arg;

	(void)diff;
	(void)old_path;
	(void)new_path;
	return call_stopped(status->call) ? GIT_EUSER : 0;
}

static int read_staged(struct status *status, git_index *index, struct refusal *why)
{
	auto_git(git_tree) tree = NULL;
	auto_git(git_diff) diff = NULL;
	git_diff_options options;
	int r = rev_head_tree(status->repo, &tree, why);

	if (r < 0)
		return r;
	patch_options(status->repo, status->call, 0, NULL, &options);
	options.flags |= GIT_DIFF_INCLUDE_TYPECHANGE;
	r = patch_result(git_diff_tree_to_index(&diff, status->repo->git, tree, index, &options),
		status->call, why);
	if (r == 0)
		r = patch_find_renames(diff, status->call, why);
	for (size_t i = 0; r == 0 && i < git_diff_num_deltas(diff); i++)
		add_delta(status, git_diff_get_delta(diff, i), status->staged);

	return r;
}

static int read_unstaged(struct status *status, git_index *index, struct refusal *why)
{
	auto_git(git_diff) diff = NULL;
	git_diff_options options;
	int r;

	patch_options(status->repo, status->call, 0, NULL, &options);
	options.flags |= GIT_DIFF_INCLUDE_TYPECHANGE;
	if (status->args->include_untracked)
		options.flags |= GIT_DIFF_INCLUDE_UNTRACKED;
	if (status->args->include_ignored)
		options.flags |= GIT_DIFF_INCLUDE_IGNORED;
	options.notify_cb = on_delta;
	options.progress_cb = on_file;
	options.payload = status;
	r = patch_result(git_diff_index_to_workdir(&diff, status->repo->git, index, &options),
		status->call, why);
	for (size_t i = 0; r == 0 && i < git_diff_num_deltas(diff); i++)
		add_delta(status, git_diff_get_delta(diff, i), status->unstaged);

	return r;
}

static int read_conflicts(struct status *status, git_index *index, struct refusal *why)
{
	git_index_conflict_iterator *it = NULL;
	const git_index_entry *base, *ours, *theirs;
	int rc = git_index_conflict_iterator_new(&it, index);

	while (rc == 0 && (rc = git_index_conflict_next(&base, &ours, &theirs, it)) == 0) {
		const git_index_entry *entry = ours ? ours : theirs ? theirs : base;

		add_entry(status, status->conflicted, out_str(entry->path));
	}
	git_index_conflict_iterator_free(it);

	return rc == GIT_ITEROVER ? 0 : refuse_git(why, rc, "cannot read the index");
}

static void read_upstream(struct status *status)
{
	auto_git(git_reference) branch = NULL;
	auto_git(git_reference) upstream = NULL;
	git_repository *git = status->repo->git;
	struct refusal ignored = { 0 };

	if (!status->branch ||
		git_branch_lookup(&branch, git, status->branch, GIT_BRANCH_LOCAL) < 0 ||
		upstream_find(status->repo, status->branch, &upstream, &ignored) < 0 || !upstream ||
		!git_reference_target(branch) || !git_reference_target(upstream))
		return;
	status->upstream = alloc_str(git_reference_shorthand(upstream));
	(void)git_graph_ahead_behind(&status->ahead, &status->behind, git,
		git_reference_target(branch), git_reference_target(upstream));
}

static int read_status(struct status *status, struct refusal *why)
{
	auto_git(git_index) index = NULL;
	int r = repo_need_worktree(status->repo, why);

	if (r == 0)
		r = special_find(status->repo, status->call, NULL, why);
	if (r == 0)
		r = repo_index(status->repo, &index, why);
	if (r == 0)
		r = rev_branch(status->repo, &status->branch, &status->is_unborn, why);
	if (r == 0)
		r = read_conflicts(status, index, why);
	if (r == 0)
		r = read_staged(status, index, why);
	if (r == 0)
		r = read_unstaged(status, index, why);
	if (r == 0)
		read_upstream(status);

	return r;
}

/* "Label: a, b"; names that hold the separator are quoted. */
static void add_names(struct strbuf *text, const char *label, const json_t *list)
{
	json_t *entry;
	size_t i;

	strbuf_addf(text, "%s:", label);
	json_array_foreach((json_t *)(uintptr_t)list, i, entry) {
		const json_t *path = json_is_object(entry) ? json_object_get(entry, "path") : entry;
		const char *name = json_string_value(path);

		strbuf_adds(text, i > 0 ? ", " : " ");
		if (strstr(name, ", "))
			strbuf_add_json(text, name, strlen(name));
		else
			out_name(text, name);
	}
	strbuf_addc(text, '\n');
}

static void add_text(struct strbuf *text, const struct status *status, const char *head)
{
	strbuf_adds(text, "Branch: ");
	if (status->branch)
		out_name(text, status->branch);
	else
		strbuf_addf(text, "(detached at %.12s)", head);
	strbuf_adds(text, status->is_unborn ? " (no commits yet)\n" : "\n");
	add_names(text, "Staged Files", status->staged);
	add_names(text, "Modified Files", status->unstaged);
	add_names(text, "Untracked Files", status->untracked);
	if (json_array_size(status->conflicted) > 0)
		add_names(text, "Conflicted Files", status->conflicted);
	if (status->args->include_ignored)
		add_names(text, "Ignored Files", status->ignored);
	if (status->upstream) {
		strbuf_adds(text, "Upstream: ");
		out_name(text, status->upstream);
		strbuf_addf(text, " (ahead %zu, behind %zu)\n", status->ahead, status->behind);
	}
	if (!streq(repo_state(status->repo), "none"))
		strbuf_addf(text, "In progress: %s\n", repo_state(status->repo));
	if (status->truncated)
		strbuf_addf(text,
			"… cut after %lld entries. Ask for more with max_entries (at most 20000).\n",
			(long long)status->args->max_entries);
}

static json_t *to_json(const struct status *status, const char *head)
{
	bool is_clean = json_array_size(status->staged) + json_array_size(status->unstaged) +
					json_array_size(status->untracked) +
					json_array_size(status->conflicted) ==
				0 &&
			!status->truncated;
	json_t *out = json_pack("{s:b, s:I, s:I, s:s, s:O, s:O, s:O, s:O, s:b, s:b}", "detached",
		status->branch == NULL, "ahead", (json_int_t)status->ahead, "behind",
		(json_int_t)status->behind, "state", repo_state(status->repo), "staged",
		status->staged, "unstaged", status->unstaged, "untracked", status->untracked,
		"conflicted", status->conflicted, "clean", is_clean, "truncated",
		status->truncated);

	if (status->branch)
		json_object_set_new(out, "branch", out_str(status->branch));
	if (*head)
		json_object_set_new(out, "head", json_string(head));
	if (status->upstream)
		json_object_set_new(out, "upstream", out_str(status->upstream));
	if (status->args->include_ignored)
		json_object_set(out, "ignored", status->ignored);
	return out;
}

static int answer(struct call *call, const struct status *status)
{
	auto_strbuf text = { 0 };
	char head[GIT_OID_HEXSZ + 1] = "";
	git_oid id;

	if (git_reference_name_to_id(&id, status->repo->git, "HEAD") == 0)
		(void)git_oid_tostr(head, sizeof(head), &id);
	add_text(&text, status, head);

	return call_result(call, to_json(status, head), strbuf_get(&text), text.len);
}

static int git_get_status(struct call *call, const void *args)
{
	const struct git_get_status_args *a = args;
	auto_repo repo = { 0 };
	auto_(status_done) struct status status = {
		.call = call,
		.args = a,
		.repo = &repo,
		.staged = json_array(),
		.unstaged = json_array(),
		.untracked = json_array(),
		.ignored = json_array(),
		.conflicted = json_array(),
	};
	struct refusal why;

	if (repo_open_to_read(call, a->repo_path, &repo, &why) < 0 ||
		read_status(&status, &why) < 0)
		return refusal_answer(call, &why);

	return answer(call, &status);
}

const struct tool git_status_tools[] = {
	TOOL(git_get_status, "Status",
		.doc = "Branch, upstream, staged, modified, untracked and conflicted files.",
		.out = "branch? string, detached boolean, head? string, upstream? string, "
		       "ahead integer, behind integer, state string, staged " OUT_CHANGE "[], "
		       "unstaged " OUT_CHANGE "[], untracked string[], conflicted string[], "
		       "ignored? string[], clean boolean, truncated boolean",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT),
	{ 0 },
};
