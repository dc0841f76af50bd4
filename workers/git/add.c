/* git_add: stage files, or every change. */
#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/out.h"
#include "workers/git/stage.h"
#include "workers/git/tools.h"

struct add_args {
	const char *repo_path;
	struct str_list files;
	bool update;
	bool force;
};

static const struct param add_params[] = {
	PARAM_REPO(add_args),
	PARAM(add_args, files, RANGE(1, 10000),
		.doc = "Paths relative to the repository (or absolute inside it); literal names, . means everything"),
	PARAM(add_args, update, .doc = "Only files already tracked"),
	PARAM(add_args, force, .doc = "Also files that are ignored"),
	{ 0 },
};

static void add_text(struct strbuf *text, const struct writer *w, const struct add_args *a,
	const struct staged *staged)
{
	auto_free char *where = w->branch ? alloc_str(w->branch) : alloc_str("a detached HEAD");

	if (staged->n == 0)
		strbuf_adds(text,
			"No changes were staged: the index already has the files as they are.");
	else if (a->files.n == 0)
		strbuf_addf(text, "Staged all changes on %s", where);
	else
		strbuf_addf(text, "Staged %zu file(s) on %s", staged->n, where);

	if (staged->n > STAGE_SHOWN)
		strbuf_addf(text, "\nThe list has the first %d; git_get_status shows the rest.",
			STAGE_SHOWN);
	if (staged->n_nested > 0)
		strbuf_addf(
			text, "\nLeft out: %zu repositories inside of this one.", staged->n_nested);
}

static int run_add(struct call *call, const void *args)
{
	const struct add_args *a = args;
	const struct stage_what what = { a->files, a->update, a->force };
	auto_writer w = { 0 };
	auto_staged staged = { 0 };
	auto_strbuf text = { 0 };
	json_t *out;

	if (writer_open(&w, call, a->repo_path, WRITER_TREE) < 0 ||
		writer_check_branch(&w, "cannot stage") < 0 || stage(&w, &what, &staged) < 0)
		return refusal_answer(call, &w.why);

	add_text(&text, &w, a, &staged);
	out = json_pack("{s:O, s:I, s:b}", "staged", staged.changes, "count", (json_int_t)staged.n,
		"truncated", staged.n > STAGE_SHOWN);
	if (w.branch)
		json_object_set_new(out, "branch", out_str(w.branch));

	return call_result(call, out, strbuf_get(&text), text.len);
}

const struct tool git_add_tools[] = {
	GIT_WRITE_TOOL(add, "Stage files",
		.doc = "Stage files; without files, stage every change including deletions. Names are "
		       "literal; a path through a symbolic link to a directory is refused.",
		.out = "staged " OUT_CHANGE "[], count integer, branch? string, truncated boolean",
		.hints = TOOL_IDEMPOTENT),
	{ 0 },
};
