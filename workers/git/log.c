/* git_log: commits, newest first. */
#include <inttypes.h>
#include <time.h>

#include "shared/alloc.h"
#include "shared/quote.h"
#include "workers/common/call.h"
#include "workers/git/match.h"
#include "workers/git/out.h"
#include "workers/git/patch.h"
#include "workers/git/rev.h"
#include "workers/git/special.h"
#include "workers/git/stop.h"
#include "workers/git/tools.h"
#include "workers/git/walk.h"
#include "workers/git/when.h"

struct git_log_args {
	const char *repo_path;
	const char *revision;
	int64_t max_count;
	int64_t skip;
	bool oneline;
	const char *start_timestamp;
	const char *end_timestamp;
	const char *author;
	const char *grep;
	const char *file_path;
	bool first_parent;
	bool stat;
};

static const struct param git_log_params[] = {
	PARAM_REPO(git_log_args),
	PARAM(git_log_args, revision, RANGE(1, 1024), .def_str = "HEAD",
		.doc = "Start here; a revision or range A..B."),
	PARAM(git_log_args, max_count, RANGE(1, 1000), .def_int = 10,
		.doc = "Most commits to return."),
	PARAM(git_log_args, skip, RANGE(0, 1000000), .doc = "Skip this many first."),
	PARAM(git_log_args, oneline, .doc = "One line a commit in the text."),
	PARAM(git_log_args, start_timestamp, RANGE(1, 64),
		.doc = "Only commits at or after this time: ISO 8601, seconds since 1970, today, "
		       "yesterday, or like 2 weeks ago."),
	PARAM(git_log_args, end_timestamp, RANGE(1, 64),
		.doc = "Only commits at or before this time."),
	PARAM(git_log_args, author, RANGE(1, 256),
		.doc = "Only commits whose author name or e-mail contains this, without regard to "
		       "case."),
	PARAM(git_log_args, grep, RANGE(1, 1024),
		.doc = "Only commits whose message contains this, without regard to case."),
	PARAM(git_log_args, file_path, RANGE(1, 4096),
		.doc = "Only commits that changed this path."),
	PARAM(git_log_args, first_parent, .doc = "Follow first parents only."),
	PARAM(git_log_args, stat, .doc = "Add changed files and line counts to each commit."),
	{ 0 },
};

/* Bytes of stat tables in one answer; later commits then have their counts only. */
enum { MAX_STAT_BYTES = 262144 };

struct log {
	struct call *call;
	struct repo *repo;
	const struct git_log_args *args;
	struct walk_options walk;
	int64_t until;
	char *path;
	struct match *author;
	struct match *message;
	struct out_refs *refs;
	json_t *commits;
	struct strbuf text;
	bool has_more;
	bool is_empty; /* there is no commit yet */
};

static void log_done(struct log *log)
{
	free(log->path);
	match_free(log->author);
	match_free(log->message);
	out_refs_free(log->refs);
	json_decref(log->commits);
	strbuf_done(&log->text);
}

/* Filters */

static int read_time(const char *text, const char *name, int64_t *ret, struct refusal *why)
{
	char quoted[QUOTE_SIZE];

	if (when_parse(text, (int64_t)time(NULL), ret) == 0)
		return 0;

	return refuse(why, "invalid_argument",
		"%s: the time %s cannot be read. Use ISO 8601 (2026-01-31T12:00:00Z), YYYY-MM-DD, "
		"seconds since 1970, now, today, yesterday, or N days ago (minutes, hours, weeks, "
		"months, years).",
		name, quote(quoted, text));
}

static int read_filters(struct log *log, struct refusal *why)
{
	const struct git_log_args *a = log->args;
	int r = 0;

	log->walk.first_parent = a->first_parent;
	log->walk.has_since = a->start_timestamp != NULL;
	if (a->start_timestamp)
		r = read_time(a->start_timestamp, "start_timestamp", &log->walk.since, why);
	if (r == 0 && a->end_timestamp)
		r = read_time(a->end_timestamp, "end_timestamp", &log->until, why);
	if (r == 0 && a->file_path)
		r = repo_relative(log->repo, a->file_path, &log->path, why);
	log->walk.path = log->path;
	if (r == 0 && a->author)
		r = match_new(a->author, MATCH_NO_CASE, &log->author, why);
	if (r == 0 && a->grep)
		r = match_new(a->grep, MATCH_NO_CASE, &log->message, why);

	return r;
}

static int matches_author(const struct log *log, const git_commit *commit, struct refusal *why)
{
	const git_signature *author = git_commit_author(commit);
	auto_strbuf text = { 0 };

	out_commit_text(&text, commit, author->name);
	strbuf_adds(&text, " <");
	out_commit_text(&text, commit, author->email);
	strbuf_addc(&text, '>');

	return match_find(log->author, text.data, text.len, why);
}

/* 1: the commit is wanted. */
static int passes(const struct log *log, const git_commit *commit, struct refusal *why)
{
	auto_strbuf text = { 0 };
	int r = 1;

	if (log->args->end_timestamp && git_commit_time(commit) > log->until)
		return 0;
	if (log->author)
		r = matches_author(log, commit, why);
	if (r == 1 && log->message) {
		out_commit_text(&text, commit, git_commit_message(commit));
		r = match_find(log->message, strbuf_get(&text), text.len, why);
	}
	return r;
}

/* One commit */

static int read_stat(struct log *log, git_commit *commit, struct patch *ret, struct refusal *why)
{
	auto_git(git_tree) tree = NULL;
	auto_git(git_tree) parent_tree = NULL;
	auto_git(git_diff) diff = NULL;
	struct repo_paths paths = { &log->path, log->path ? 1 : 0 };
	git_diff_options options;
	int r = rev_tree_of(log->repo, git_commit_id(commit), &tree, why);

	if (r == 0 && git_commit_parentcount(commit) > 0)
		r = rev_tree_of(log->repo, git_commit_parent_id(commit, 0), &parent_tree, why);
	if (r < 0)
		return r;
	patch_options(log->repo, log->call, 3, &paths, &options);
	r = patch_result(git_diff_tree_to_tree(&diff, log->repo->git, parent_tree, tree, &options),
		log->call, why);
	if (r == 0)
		r = patch_find_renames(diff, log->call, why);
	if (r < 0)
		return r;

	return patch_render(log->call, diff, PATCH_STAT, MAX_STAT_BYTES, ret, why);
}

/* The message with all its lines but the first moved in, so that none can look like ours. */
static void add_message(struct strbuf *text, const git_commit *commit)
{
	auto_strbuf message = { 0 };
	const char *at;

	out_commit_text(&message, commit, git_commit_message(commit));
	while (message.len > 0 && strchr("\r\n\t ", message.data[message.len - 1]))
		strbuf_cut(&message, message.len - 1);
	for (at = strbuf_get(&message); *at; at++) {
		strbuf_addc(text, *at);
		if (*at == '\n' && at[1] != '\n')
			strbuf_adds(text, "    ");
	}
	strbuf_addc(text, '\n');
}

static void add_text(struct log *log, git_commit *commit, const struct patch *stat)
{
	const git_signature *author = git_commit_author(commit);
	struct strbuf *text = &log->text;
	char hex[GIT_OID_HEXSZ + 1], date[OUT_DATE_SIZE];

	if (log->args->oneline) {
		strbuf_addf(text, "%s ", repo_short(log->repo, git_commit_id(commit), hex));
		out_subject(text, commit);
		strbuf_addc(text, '\n');
	} else {
		if (text->len > 0)
			strbuf_addc(text, '\n');
		strbuf_addf(text, "Commit: %s\nAuthor: ",
			git_oid_tostr(hex, sizeof(hex), git_commit_id(commit)));
		out_commit_text(text, commit, author->name);
		strbuf_adds(text, " <");
		out_commit_text(text, commit, author->email);
		strbuf_addf(text, ">\nDate: %s\nMessage: ", out_date(author->when, date));
		add_message(text, commit);
	}
	if (text->len < MAX_STAT_BYTES)
		strbuf_adds(text, strbuf_get(&stat->text));
}

static int add_commit(struct log *log, git_commit *commit, struct refusal *why)
{
	auto_patch stat = { 0 };
	json_t *entry;
	int r = log->args->stat ? read_stat(log, commit, &stat, why) : 0;

	if (r < 0)
		return r;
	entry = out_commit(log->repo, commit, log->refs);
	if (stat.files)
		json_object_set(entry, "files", stat.files);
	json_array_append_new(log->commits, entry);
	add_text(log, commit, &stat);
	return 0;
}

/* All of them */

static int collect(struct log *log, struct walk *walk, struct refusal *why)
{
	int64_t n_left = log->args->skip + log->args->max_count;

	for (;;) {
		auto_git(git_commit) commit = NULL;
		int r = walk_next(walk, &commit, why);

		if (r < 0 || !commit)
			return r;
		r = passes(log, commit, why);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (n_left == 0) {
			log->has_more = true;
			return 0;
		}
		r = n_left-- > log->args->max_count ? 0 : add_commit(log, commit, why);
		if (r < 0)
			return r;
	}
}

static int run(struct log *log, struct refusal *why)
{
	auto_(walk_freep) struct walk *walk = NULL;
	struct rev_range range = { 0 };
	int r = read_filters(log, why);

	if (r < 0)
		return r;
	if (streq(log->args->revision, "HEAD") && git_repository_head_unborn(log->repo->git) == 1) {
		log->is_empty = true;
		return 0;
	}
	r = rev_range(log->repo, log->args->revision, &range, why);
	if (r == 0)
		r = walk_new(log->repo, log->call, &range, &log->walk, &walk, why);
	if (r < 0)
		return r;

	log->refs = out_refs_new(log->repo);
	return collect(log, walk, why);
}

static int git_log(struct call *call, const void *args)
{
	auto_repo repo = { 0 };
	auto_(log_done) struct log log = {
		.call = call,
		.repo = &repo,
		.args = args,
		.commits = json_array(),
	};
	struct refusal why;

	if (repo_open_to_read(call, log.args->repo_path, &repo, &why) < 0 ||
		(log.args->stat && special_find(&repo, call, NULL, &why) < 0) ||
		run(&log, &why) < 0)
		return refusal_answer(call, &why);

	if (log.is_empty)
		strbuf_adds(&log.text, "No commits yet.");
	else if (json_array_size(log.commits) == 0)
		strbuf_adds(&log.text, "No commits match.");
	if (log.has_more)
		strbuf_addf(&log.text, "%s… there are more. Continue with skip=%" PRId64 ".\n",
			log.args->oneline ? "" : "\n", log.args->skip + log.args->max_count);

	return call_result(call,
		json_pack("{s:O, s:b}", "commits", log.commits, "has_more", log.has_more),
		strbuf_get(&log.text), log.text.len);
}

const struct tool git_log_tools[] = {
	TOOL(git_log, "Log", .doc = "Commit history, newest first.",
		.out = "commits " OUT_COMMIT "[], has_more boolean",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT),
	{ 0 },
};
