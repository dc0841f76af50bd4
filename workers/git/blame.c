/* git_blame: who last changed each line. */
#include "shared/quote.h"
#include "shared/utf8.h"
#include "workers/common/call.h"
#include "workers/git/annotate.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/stop.h"
#include "workers/git/tools.h"

struct git_blame_args {
	const char *repo_path;
	const char *file_path;
	const char *revision;
	struct opt_int start_line;
	struct opt_int end_line;
};

static const struct param git_blame_params[] = {
	PARAM_REPO(git_blame_args),
	PARAM(git_blame_args, file_path, .required = true, RANGE(1, 4096),
		.doc = "File, relative to the repository."),
	PARAM(git_blame_args, revision, RANGE(1, 1024), .def_str = "HEAD",
		.doc = "Blame as of this revision."),
	PARAM(git_blame_args, start_line, RANGE(1, 10000000), .doc = "First line."),
	PARAM(git_blame_args, end_line, RANGE(1, 10000000), .doc = "Last line."),
	{ 0 },
};

enum { MAX_LINES = 2000, BINARY_LOOK_BYTES = 8000, MAX_LINE_BYTES = 4000 };

/* The file, and the lines of it that are asked for. */
struct file {
	git_blob *blob;
	const char *at; /* the first line asked for */
	const char *end;
	size_t first;
	size_t last;
	size_t n_lines; /* in the whole file */
	bool truncated;
};

static int load(const struct repo *repo, git_commit *commit, const char *path, const char *asked,
	struct file *ret, struct refusal *why)
{
	auto_git(git_tree) tree = NULL;
	auto_git(git_tree_entry) entry = NULL;
	char quoted[QUOTE_SIZE];
	size_t look;
	int rc = git_commit_tree(&tree, commit);

	if (rc == 0)
		rc = *path ? git_tree_entry_bypath(&entry, tree, path) : GIT_ENOTFOUND;
	if (rc == GIT_ENOTFOUND)
		return refuse(why, "not_found",
			"there is no file %s in this revision. "
			"git_show of REVISION:DIRECTORY lists what there is.",
			quote(quoted, asked));
	if (rc == 0 && git_tree_entry_type(entry) != GIT_OBJECT_BLOB)
		return refuse(why, "is_a_directory",
			"%s is not a file. "
			"Name a file in it; git_show of REVISION:DIRECTORY lists them.",
			quote(quoted, asked));
	if (rc == 0)
		rc = git_blob_lookup(&ret->blob, repo->git, git_tree_entry_id(entry));
	if (rc < 0)
		return refuse_git(why, rc, "cannot read the file");

	ret->at = git_blob_rawcontent(ret->blob);
	ret->end = ret->at + git_blob_rawsize(ret->blob);
	look = (size_t)git_blob_rawsize(ret->blob);
	if (memchr(ret->at, '\0', look < BINARY_LOOK_BYTES ? look : BINARY_LOOK_BYTES))
		return refuse(why, "binary_file",
			"%s is not a text file. "
			"Blame works on lines of text only.",
			quote(quoted, asked));
	return 0;
}

static const char *next_line(const struct file *file, const char *at)
{
	const char *end = memchr(at, '\n', (size_t)(file->end - at));

	return end ? end + 1 : file->end;
}

/* Fills first, last and at. */
static int choose_lines(struct file *file, const struct git_blame_args *a, struct refusal *why)
{
	for (const char *at = file->at; at < file->end; at = next_line(file, at))
		file->n_lines++;
	file->first = a->start_line.set ? (size_t)a->start_line.value : 1;
	file->last = a->end_line.set ? (size_t)a->end_line.value : file->n_lines;
	if (a->end_line.set && file->first > file->last)
		return refuse(why, "invalid_argument",
			"start_line %zu is after end_line %zu. "
			"Exchange them.",
			file->first, file->last);
	if (a->start_line.set && file->first > file->n_lines)
		return refuse(why, "invalid_argument",
			"start_line %zu: the file has %zu lines. "
			"Start at one of these.",
			file->first, file->n_lines);
	if (file->last > file->n_lines)
		file->last = file->n_lines;
	if (file->last - (file->first - 1) > MAX_LINES) {
		file->last = file->first + MAX_LINES - 1;
		file->truncated = true;
	}
	for (size_t i = 1; i < file->first; i++)
		file->at = next_line(file, file->at);
	return 0;
}

struct answer {
	struct repo *repo;
	json_t *lines;
	struct strbuf text;
};

static int add_line(struct answer *answer, const git_oid *id, size_t number, const char *bytes,
	size_t len, struct refusal *why)
{
	auto_git(git_commit) commit = NULL;
	auto_strbuf content = { 0 };
	auto_strbuf name = { 0 };
	char abbrev[REPO_SHORT_SIZE], date[OUT_DATE_SIZE];
	const git_signature *author;
	int rc = git_commit_lookup(&commit, answer->repo->git, id);

	if (rc < 0)
		return refuse_git(why, rc, "cannot read a commit");
	author = git_commit_author(commit);
	out_commit_text(&name, commit, author->name);
	while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r'))
		len--;
	utf8_repair(&content, bytes, len > MAX_LINE_BYTES ? MAX_LINE_BYTES : len);
	(void)out_date(author->when, date);
	json_array_append_new(
		answer->lines, json_pack("{s:I, s:o, s:s, s:s, s:s}", "line", (json_int_t)number,
				       "hash", out_oid(id), "author_name", strbuf_get(&name),
				       "author_date", date, "content", strbuf_get(&content)));
	strbuf_addf(&answer->text, "%s (%s %.10s %zu) %s\n", repo_short(answer->repo, id, abbrev),
		strbuf_get(&name), date, number, strbuf_get(&content));
	return 0;
}

static int run(struct call *call, struct answer *answer, const struct git_blame_args *a,
	struct file *file, struct refusal *why)
{
	auto_git(git_commit) commit = NULL;
	auto_(annotation_done) struct annotation annotation = { 0 };
	auto_free char *path = NULL;
	int r = repo_relative(answer->repo, a->file_path, &path, why);

	if (r == 0)
		r = rev_commit(answer->repo, a->revision, &commit, why);
	if (r == 0)
		r = load(answer->repo, commit, path, a->file_path, file, why);
	if (r == 0)
		r = choose_lines(file, a, why);
	if (r < 0 || file->n_lines == 0)
		return r;
	r = annotate(answer->repo, call, commit, path, file->first, file->last, &annotation, why);
	for (size_t i = 0; r == 0 && i < annotation.n; i++) {
		const char *end = next_line(file, file->at);

		r = add_line(answer, &annotation.commits[i], file->first + i, file->at,
			(size_t)(end - file->at), why);
		file->at = end;
	}
	return r;
}

static int git_blame_tool(struct call *call, const void *args)
{
	const struct git_blame_args *a = args;
	auto_repo repo = { 0 };
	json_auto_t *lines = json_array();
	auto_strbuf text = { 0 };
	struct answer answer = { .repo = &repo, .lines = lines };
	struct file file = { 0 };
	struct refusal why;
	int r = repo_open_to_read(call, a->repo_path, &repo, &why);

	if (r == 0)
		r = run(call, &answer, a, &file, &why);
	git_blob_free(file.blob);
	text = answer.text;
	if (r < 0)
		return refusal_answer(call, &why);
	if (file.truncated)
		strbuf_addf(&text, "… cut after %d lines of %zu. Continue with start_line=%zu.\n",
			MAX_LINES, file.n_lines, file.last + 1);

	return call_result(call,
		json_pack("{s:O, s:b}", "lines", lines, "truncated", file.truncated),
		strbuf_get(&text), text.len);
}

const struct tool git_blame_tools[] = {
	{
		.name = "git_blame", /* libgit2 has a type of this name */
		.title = "Blame",
		.doc = "Who last changed each line.",
		.run = git_blame_tool,
		.params = git_blame_params,
		.args_size = sizeof(struct git_blame_args),
		.out = "lines {line integer, hash string, author_name string, "
		       "author_date string, content string}[], truncated boolean",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
	},
	{ 0 },
};
