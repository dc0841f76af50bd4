/* git_commit: record the staged changes. The workflow's stricter sister is smart_commit.c. */
#include "workers/common/call.h"
#include "workers/git/record.h"
#include "workers/git/stage.h"
#include "workers/git/tools.h"

struct commit_args {
	const char *repo_path;
	const char *message;
	struct str_list files;
	bool amend;
	bool allow_empty;
	const char *author_name;
	const char *author_email;
};

static const struct param commit_params[] = {
	PARAM_REPO(commit_args),
	PARAM(commit_args, message, RANGE(1, 65536), .required = true,
		.doc = "Commit message, taken literally"),
	PARAM(commit_args, files, RANGE(1, 10000), .doc = "Stage these first"),
	PARAM(commit_args, amend, .doc = "Replace the last commit"),
	PARAM(commit_args, allow_empty, .doc = "Allow a commit without changes"),
	PARAM(commit_args, author_name, RANGE(1, 256), .doc = "Author name"),
	PARAM(commit_args, author_email, RANGE(3, 256), .doc = "Author e-mail"),
	{ 0 },
};

static int stage_files(struct writer *w, struct str_list files)
{
	const struct stage_what what = { .files = files };
	auto_staged staged = { 0 };

	return files.n > 0 ? stage(w, &what, &staged) : 0;
}

static int run_commit(struct call *call, const void *args)
{
	const struct commit_args *a = args;
	const struct record_what what = { a->message, a->author_name, a->author_email, a->amend,
		a->allow_empty };
	auto_writer w = { 0 };
	struct recorded done = { 0 };
	json_t *out;

	if (writer_is_blank(a->message)) {
		(void)refuse(&w.why, "invalid_argument",
			"message: is blank. "
			"Say what the commit does.");
		return refusal_answer(call, &w.why);
	}
	if (writer_open(&w, call, a->repo_path, WRITER_TREE) < 0 ||
		writer_check_branch(&w, "cannot commit") < 0 || stage_files(&w, a->files) < 0 ||
		record(&w, &what, &done) < 0)
		return refusal_answer(call, &w.why);

	out = record_json(&w, &done);
	json_object_set_new(out, "additions", json_integer((json_int_t)done.n_added));
	json_object_set_new(out, "deletions", json_integer((json_int_t)done.n_deleted));
	json_object_set_new(out, "hooks_run", json_false());
	json_object_set_new(out, "signed", json_false());

	return call_resultf(call, out, "Changes committed successfully with hash %s",
		git_oid_tostr_s(&done.id));
}

const struct tool git_commit_tools[] = {
	GIT_WRITE_TOOL(commit, "Commit",
		.doc = "Record the staged changes. Concludes a merge in progress. Hooks never run and "
		       "commits are never signed; the answer says so.",
		.out = "hash string, short_hash string, branch? string, subject string, "
		       "files_changed integer, additions integer, deletions integer, "
		       "hooks_run boolean, signed boolean",
		.hints = TOOL_WRITES),
	{ 0 },
};
