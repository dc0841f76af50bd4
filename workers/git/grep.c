/* git_grep: search the tracked files of a revision. */
#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/utf8.h"
#include "workers/common/call.h"
#include "workers/git/match.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/stop.h"
#include "workers/git/tools.h"

struct git_grep_args {
	const char *repo_path;
	const char *pattern;
	const char *revision;
	bool regex;
	bool case_sensitive;
	struct str_list paths;
	int64_t max_results;
};

static const struct param git_grep_params[] = {
	PARAM_REPO(git_grep_args),
	PARAM(git_grep_args, pattern, .required = true, RANGE(1, 4096),
		.doc = "Text or regular expression."),
	PARAM(git_grep_args, revision, RANGE(1, 1024), .def_str = "HEAD",
		.doc = "Search this revision."),
	PARAM(git_grep_args, regex, .doc = "Pattern is a regular expression."),
	PARAM(git_grep_args, case_sensitive, .def_bool = true, .doc = "Match case."),
	PARAM(git_grep_args, paths, RANGE(1, 200), .doc = "Only under these paths."),
	PARAM(git_grep_args, max_results, RANGE(1, 5000), .def_int = 200,
		.doc = "Stop after this many matches."),
	{ 0 },
};

enum {
	MAX_FILE_BYTES = 20 * MIB, /* larger ones are skipped */
	MAX_LINE_CHARS = 500,      /* of a match that are shown */
	BINARY_LOOK_BYTES = 8000,
	LINES_A_LOOK = 1000, /* between two questions whether to stop */
};

struct grep {
	struct call *call;
	struct repo *repo;
	const struct git_grep_args *args;
	struct repo_paths paths;
	struct match *match;
	struct refusal *why;
	json_t *matches;
	struct strbuf text;
	size_t n_files;
	bool truncated;
};

static void grep_done(struct grep *grep)
{
	repo_paths_done(&grep->paths);
	match_free(grep->match);
	json_decref(grep->matches);
	strbuf_done(&grep->text);
}

/* Whether `path` is one of the paths or below one. */
static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return len == 0 ||
	       (strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/'));
}

static bool is_wanted(const struct grep *grep, const char *path)
{
	for (size_t i = 0; i < grep->paths.n; i++)
		if (is_below(path, grep->paths.items[i]))
			return true;

	return grep->paths.n == 0;
}

/* Whether something below directory `path` may be wanted. */
static bool may_lead(const struct grep *grep, const char *path)
{
	for (size_t i = 0; i < grep->paths.n; i++)
		if (is_below(grep->paths.items[i], path))
			return true;

	return is_wanted(grep, path);
}

static void add_match(
	struct grep *grep, const char *path, size_t line, const char *bytes, size_t len)
{
	auto_strbuf content = { 0 };
	size_t shown;

	utf8_repair(&content, bytes, len);
	shown = utf8_cut(strbuf_get(&content), content.len, MAX_LINE_CHARS);
	if (shown < content.len) {
		strbuf_cut(&content, shown);
		strbuf_adds(&content, "…");
	}
	json_array_append_new(grep->matches,
		json_pack("{s:o, s:I, s:o}", "path", out_str(path), "line", (json_int_t)line,
			"content", out_strn(strbuf_get(&content), content.len)));
	out_name(&grep->text, path);
	strbuf_addf(&grep->text, ":%zu:", line);
	strbuf_add(&grep->text, strbuf_get(&content), content.len);
	strbuf_addc(&grep->text, '\n');
}

static int stopped(const struct grep *grep)
{
	return refuse_stopped(grep->why, "not all files were searched");
}

static int search_text(struct grep *grep, const char *path, const char *at, const char *end)
{
	for (size_t line = 1; at < end; line++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		const char *next = stop ? stop + 1 : end;
		size_t len = (size_t)((stop ? stop : end) - at);
		int r;

		len -= len > 0 && at[len - 1] == '\r';
		if (line % LINES_A_LOOK == 0 && call_stopped(grep->call))
			return stopped(grep);
		r = match_find(grep->match, at, len, grep->why);
		if (r < 0)
			return r;
		if (r > 0 && (int64_t)json_array_size(grep->matches) == grep->args->max_results) {
			grep->truncated = true;
			return 0;
		}
		if (r > 0)
			add_match(grep, path, line, at, len);
		at = next;
	}
	return 0;
}

static int search_blob(struct grep *grep, const char *path, const git_oid *id)
{
	auto_git(git_blob) blob = NULL;
	auto_git(git_odb) odb = NULL;
	git_object_t type;
	size_t len = 0;
	const char *bytes;
	int rc = git_repository_odb(&odb, grep->repo->git);

	if (rc == 0)
		rc = git_odb_read_header(&len, &type, odb, id);
	if (rc == 0 && len > MAX_FILE_BYTES)
		return 0;
	if (rc == 0)
		rc = git_blob_lookup(&blob, grep->repo->git, id);
	if (rc < 0)
		return refuse_git(grep->why, rc, "cannot read a file");

	bytes = git_blob_rawcontent(blob);
	if (len == 0 || memchr(bytes, '\0', len < BINARY_LOOK_BYTES ? len : BINARY_LOOK_BYTES))
		return 0;
	grep->n_files++;
	/* Most files do not have the text at all: one look at the whole tells. */
	if (match_is_plain(grep->match) && match_find(grep->match, bytes, len, grep->why) == 0)
		return 0;

	return search_text(grep, path, bytes, bytes + len);
}

/* For git_tree_walk: 1 skips a directory, negative ends. */
static int on_tree_entry(const char *dir, const git_tree_entry *entry, void *arg)
{
	struct grep *grep = arg;
	auto_free char *path = alloc_printf("%s%s", dir, git_tree_entry_name(entry));

	if (call_stopped(grep->call))
		return stopped(grep);
	if (git_tree_entry_type(entry) == GIT_OBJECT_TREE)
		return !may_lead(grep, path);
	if (git_tree_entry_type(entry) != GIT_OBJECT_BLOB || !is_wanted(grep, path) ||
		git_tree_entry_filemode(entry) == GIT_FILEMODE_LINK)
		return 0;
	if (search_blob(grep, path, git_tree_entry_id(entry)) < 0)
		return -1;

	return grep->truncated ? -1 : 0;
}

static int run(struct grep *grep)
{
	const struct git_grep_args *a = grep->args;
	auto_git(git_tree) tree = NULL;
	unsigned flags = (a->regex ? MATCH_REGEX : 0U) | (a->case_sensitive ? 0U : MATCH_NO_CASE);
	int r = match_new(a->pattern, flags, &grep->match, grep->why);
	int rc;

	if (r == 0)
		r = repo_paths(grep->repo, a->paths, &grep->paths, grep->why);
	if (r == 0)
		r = rev_tree(grep->repo, a->revision, &tree, grep->why);
	if (r < 0)
		return r;
	grep->why->code = NULL;
	rc = git_tree_walk(tree, GIT_TREEWALK_PRE, on_tree_entry, grep);
	if (rc == 0 || grep->truncated)
		return 0;

	return grep->why->code ? -1 : refuse_git(grep->why, rc, "cannot read a directory");
}

static int git_grep(struct call *call, const void *args)
{
	struct refusal why;
	auto_repo repo = { 0 };
	auto_(grep_done) struct grep grep = {
		.call = call,
		.repo = &repo,
		.args = args,
		.why = &why,
		.matches = json_array(),
	};

	if (repo_open_to_read(call, grep.args->repo_path, &repo, &why) < 0 || run(&grep) < 0)
		return refusal_answer(call, &why);

	if (grep.text.len == 0)
		strbuf_adds(&grep.text, "No matches.");
	if (grep.truncated)
		strbuf_addf(&grep.text,
			"… cut after %lld matches. Ask for more with max_results (at most 5000), or "
			"search fewer paths.\n",
			(long long)grep.args->max_results);

	return call_result(call,
		json_pack("{s:O, s:b}", "matches", grep.matches, "truncated", grep.truncated),
		strbuf_get(&grep.text), grep.text.len);
}

const struct tool git_grep_tools[] = {
	TOOL(git_grep, "Search files", .doc = "Search the tracked files of a revision.",
		.out = "matches {path string, line integer, content string}[], truncated boolean",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT),
	{ 0 },
};
