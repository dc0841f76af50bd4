/* git_reflog: where a reference has been. */
#include "shared/alloc.h"
#include "shared/quote.h"
#include "shared/utf8.h"
#include "workers/common/call.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"

struct git_reflog_args {
	const char *repo_path;
	const char *ref;
	int64_t max_count;
};

static const struct param git_reflog_params[] = {
	PARAM_REPO(git_reflog_args),
	PARAM(git_reflog_args, ref, RANGE(1, 1024), .def_str = "HEAD", .doc = "Reference."),
	PARAM(git_reflog_args, max_count, RANGE(1, 500), .def_int = 25, .doc = "Most entries."),
	{ 0 },
};

/* The full name of the reference: HEAD stays HEAD, although it points to a branch. */
static int full_name(const struct repo *repo, const char *name, char **ret, struct refusal *why)
{
	auto_git(git_reference) ref = NULL;
	char quoted[QUOTE_SIZE];

	if (streq(name, "HEAD")) {
		*ret = alloc_str(name);
		return 0;
	}
	if (git_reference_dwim(&ref, repo->git, name) < 0)
		return refuse(why, "bad_revision",
			"there is no reference %s. "
			"Name HEAD or a branch; git_branch lists them.",
			quote(quoted, name));

	*ret = alloc_str(git_reference_name(ref));
	return 0;
}

static void add_entry(struct repo *repo, const git_reflog_entry *entry, size_t i, const char *name,
	json_t *entries, struct strbuf *text)
{
	const git_signature *committer = git_reflog_entry_committer(entry);
	const git_oid *id = git_reflog_entry_id_new(entry);
	const char *message = git_reflog_entry_message(entry);
	auto_strbuf words = { 0 };
	char abbrev[REPO_SHORT_SIZE], date[OUT_DATE_SIZE];

	utf8_repair(&words, message ? message : "", message ? strcspn(message, "\n") : 0);
	json_array_append_new(entries,
		json_pack("{s:I, s:o, s:o, s:s, s:o, s:s}", "index", (json_int_t)i, "hash",
			out_oid(id), "old_hash", out_oid(git_reflog_entry_id_old(entry)), "message",
			strbuf_get(&words), "committer_name", out_str(committer->name), "date",
			out_date(committer->when, date)));
	strbuf_addf(text, "%s ", repo_short(repo, id, abbrev));
	out_name(text, name);
	strbuf_addf(text, "@{%zu}: %s\n", i, strbuf_get(&words));
}

static int run(struct repo *repo, const struct git_reflog_args *a, json_t *entries,
	struct strbuf *text, struct refusal *why)
{
	auto_git(git_reflog) log = NULL;
	auto_free char *name = NULL;
	size_t n, max = (size_t)a->max_count;
	int r = full_name(repo, a->ref, &name, why);
	int rc;

	if (r < 0)
		return r;
	rc = git_reflog_read(&log, repo->git, name);
	if (rc < 0)
		return refuse_git(why, rc, "cannot read the reflog");
	n = git_reflog_entrycount(log);
	for (size_t i = 0; i < n && i < max; i++)
		add_entry(repo, git_reflog_entry_byindex(log, i), i, a->ref, entries, text);
	if (n > max)
		strbuf_addf(text,
			"… %zu older entries are left out. Ask for more with max_count (at most 500).\n",
			n - max);
	return 0;
}

static int git_reflog_tool(struct call *call, const void *args)
{
	const struct git_reflog_args *a = args;
	auto_repo repo = { 0 };
	auto_strbuf text = { 0 };
	json_auto_t *entries = json_array();
	struct refusal why;

	if (repo_open(call_settings(call), a->repo_path, &repo, &why) < 0 ||
		run(&repo, a, entries, &text, &why) < 0)
		return refusal_answer(call, &why);

	if (text.len == 0)
		strbuf_adds(&text, "The reflog is empty.");
	return call_result(
		call, json_pack("{s:O}", "entries", entries), strbuf_get(&text), text.len);
}

const struct tool git_reflog_tools[] = {
	{
		.name = "git_reflog", /* libgit2 has a type of this name */
		.title = "Reflog",
		.doc = "Reflog of a reference.",
		.run = git_reflog_tool,
		.params = git_reflog_params,
		.args_size = sizeof(struct git_reflog_args),
		.out = "entries {index integer, hash string, old_hash string, message string, "
		       "committer_name string, date string}[]",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
	},
	{ 0 },
};
