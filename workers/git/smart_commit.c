/* git_smart_commit: commit under the branch rules.
 *
 * Refused: a branch that is protected or no feature branch, an empty index, added lines that look
 * like secrets, and files such as .env or package.json that lose most of their lines. What a pattern
 * matched is never repeated; the answer names file and line. */
#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/common/precious.h"
#include "workers/git/out.h"
#include "workers/git/policy.h"
#include "workers/git/record.h"
#include "workers/git/secrets.h"
#include "workers/git/tools.h"

enum { STOP_CHECK_EVERY = 1024, FOUND_MAX = 50 };

struct smart_commit_args {
	const char *repo_path;
	const char *message;
};

static const struct param smart_commit_params[] = {
	PARAM_REPO(smart_commit_args),
	PARAM(smart_commit_args, message, RANGE(1, 65536), .required = true,
		.doc = "Commit message"),
	{ 0 },
};

struct review {
	struct writer *w;
	struct secrets *secrets;
	struct names found;   /* "file:line" of lines that look like secrets */
	struct names unknown; /* of lines that took too much work to check */
	size_t n_lines;
	size_t n_files;
	size_t n_skipped;
};

static void review_done(struct review *review)
{
	secrets_free(review->secrets);
	names_done(&review->found);
	names_done(&review->unknown);
}

static size_t count_lines(struct writer *w, const git_diff_file *file)
{
	auto_git(git_blob) blob = NULL;
	const char *text;
	size_t size;
	size_t n = 0;

	if (git_oid_is_zero(&file->id) || git_blob_lookup(&blob, w->repo.git, &file->id) < 0) {
		git_error_clear();
		return 0;
	}

	text = git_blob_rawcontent(blob);
	size = (size_t)git_blob_rawsize(blob);
	for (size_t i = 0; i < size; i++)
		n += text[i] == '\n';

	return n + (size > 0 && text[size - 1] != '\n');
}

static int on_file(const git_diff_delta *delta, float progress, void *arg)
{
	struct review *review = arg;
	size_t before;
	size_t after;

	review->n_files++;
	if (!precious_file(delta->old_file.path))
		return 0;

	before = count_lines(review->w, &delta->old_file);
	after = delta->status == GIT_DELTA_DELETED ? 0 : count_lines(review->w, &delta->new_file);
	if (!policy_lost_most(before, after))
		return 0;

	return refuse(&review->w->why, "protected",
		"%s would lose %zu of %zu lines. If that is meant, use git_commit.",
		QUOTED(delta->old_file.path), before - after, before);
}

static int on_skipped(const git_diff_delta *delta, const git_diff_binary *binary, void *arg)
{
	struct review *review = arg;

	review->n_skipped++;
	return 0;
}

static int on_line(const git_diff_delta *delta, const git_diff_hunk *hunk,
	const git_diff_line *line, void *arg)
{
	struct review *review = arg;
	auto_free char *place = NULL;
	int r;

	if (line->origin != GIT_DIFF_LINE_ADDITION)
		return 0;
	if (++review->n_lines % STOP_CHECK_EVERY == 0 && call_stopped(review->w->call))
		return refuse_stopped(&review->w->why, "nothing was committed");

	r = secrets_match(review->secrets, line->content, line->content_len);
	if (r == 0)
		return 0;

	place = alloc_printf("%s:%d", delta->new_file.path, line->new_lineno);
	if (r > 0 && review->found.n < FOUND_MAX)
		names_add(&review->found, place);
	if (r < 0 && review->unknown.n < FOUND_MAX)
		names_add(&review->unknown, place);

	return 0;
}

static int review_diff(struct review *review)
{
	struct writer *w = review->w;
	git_diff_options options = OPTIONS(diff);
	auto_git(git_index) index = NULL;
	auto_git(git_tree) head = NULL;
	auto_git(git_diff) diff = NULL;
	int rc;

	if (repo_index(&w->repo, &index, &w->why) < 0 || writer_head_tree(w, &head) < 0)
		return -1;

	/* As text whatever .gitattributes says: a file declared binary is searched all the same. */
	options.flags = GIT_DIFF_FORCE_TEXT;
	options.context_lines = 0;
	rc = git_diff_tree_to_index(&diff, w->repo.git, head, index, &options);
	if (rc == 0)
		rc = git_diff_foreach(diff, on_file, on_skipped, NULL, on_line, review);
	if (rc != 0 && !w->why.code)
		return refuse_git(&w->why, rc, "cannot read the staged changes");

	return rc != 0 ? -1 : 0;
}

static int judge(struct review *review)
{
	struct refusal *why = &review->w->why;
	auto_free char *list = NULL;

	if (review->found.n > 0) {
		list = names_text(&review->found);
		return refuse(why, "secret_found",
			"these added lines look like secrets: %s. Take them out, stage again, or "
			"commit with git_commit if they are none.",
			list);
	}
	if (review->unknown.n > 0) {
		list = names_text(&review->unknown);
		return refuse(why, "regex_limit",
			"a secret pattern takes too much work on these lines: %s. Ask for a "
			"simpler pattern in secret_patterns, or use git_commit.",
			list);
	}

	return 0;
}

static int check_feature_branch(struct writer *w)
{
	const struct git_settings *settings = w->repo.settings;

	if (!w->branch)
		return refuse(&w->why, "policy",
			"HEAD is detached: switch to a feature branch first. "
			"git_start_feature makes one.");
	if (git_settings_is_protected(settings, w->branch) ||
		!git_settings_is_feature(settings, w->branch))
		return refuse(&w->why, "policy",
			"'%s' is %s. Start one with git_start_feature; staged changes come along.",
			w->branch,
			git_settings_is_protected(settings, w->branch) ? "a protected branch"
								       : "no feature branch");

	return 0;
}

static json_t *checks_json(const struct review *review, const char *branch)
{
	auto_free char *on = alloc_printf("branch: %s is a feature branch", branch);
	auto_free char *files = alloc_printf("staged: %zu file(s)", review->n_files);
	auto_free char *lines = alloc_printf("secrets: none in %zu added line(s)", review->n_lines);
	auto_free char *skipped =
		alloc_printf("too large: %zu file(s) not searched", review->n_skipped);
	json_t *list = json_pack("[o, o, o, s]", out_str(on), out_str(files), out_str(lines),
		"high-risk files: none lost most of its lines");

	if (review->n_skipped > 0)
		json_array_append_new(list, json_string(skipped));

	return list;
}

static int open_review(struct writer *w, struct review *review)
{
	struct fail fail = { 0 };

	if (secrets_new(&w->repo.settings->secret_patterns, &review->secrets, &fail) < 0)
		return refuse(&w->why, "bad_regex",
			"%s. The operator of this server has to mend secret_patterns.", fail.text);

	return 0;
}

static int run_smart_commit(struct call *call, const void *args)
{
	const struct smart_commit_args *a = args;
	const struct record_what what = { .message = a->message };
	auto_writer w = { 0 };
	auto_(review_done) struct review review = { .w = &w };
	struct recorded done = { 0 };
	json_t *out;

	if (writer_open(&w, call, a->repo_path, WRITER_TREE) < 0 || check_feature_branch(&w) < 0 ||
		open_review(&w, &review) < 0 || review_diff(&review) < 0 || judge(&review) < 0 ||
		record(&w, &what, &done) < 0)
		return refusal_answer(call, &w.why);

	out = record_json(&w, &done);
	json_object_set_new(out, "checks", checks_json(&review, w.branch));

	return call_resultf(call, out, "Commit successful. Hash: %s", git_oid_tostr_s(&done.id));
}

const struct tool git_smart_commit_tools[] = {
	GIT_WRITE_TOOL(smart_commit, "Commit with checks",
		.doc = "Commit under the branch rules: a feature branch, something staged, no secrets in "
		       "added lines, no high-risk file emptied. Hooks never run, nothing is signed.",
		.out = "hash string, short_hash string, branch string, subject string, "
		       "files_changed integer, checks string[]",
		.hints = TOOL_WRITES),
	{ 0 },
};
