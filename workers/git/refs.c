/* git_branch and git_tag_list. */
#include "shared/alloc.h"
#include "shared/utf8.h"
#include "workers/common/call.h"
#include "workers/git/glob.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/stop.h"
#include "workers/git/tools.h"
#include "workers/git/upstream.h"

/* Names */

struct names {
	char **at;
	size_t n;
};

static void names_add(struct names *names, const char *name)
{
	if ((names->n & (names->n - 1)) == 0)
		names->at =
			alloc_resize(names->at, names->n ? names->n * 2 : 1, sizeof(*names->at));
	names->at[names->n++] = alloc_str(name);
}

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->at[i]);
	free(names->at);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_version(const void *a, const void *b)
{
	int r = strverscmp(*(char *const *)a, *(char *const *)b);

	return r ? r : by_bytes(a, b);
}

static void names_sort(struct names *names, int (*compare)(const void *, const void *))
{
	if (names->n > 0)
		qsort(names->at, names->n, sizeof(*names->at), compare);
}

/* All references that start with `prefix`, with their full names. */
static int read_names(
	const struct repo *repo, const char *prefix, struct names *ret, struct refusal *why)
{
	auto_git(git_reference_iterator) it = NULL;
	const char *name;
	int rc = git_reference_iterator_new(&it, repo->git);

	while (rc == 0 && (rc = git_reference_next_name(&name, it)) == 0)
		if (strncmp(name, prefix, strlen(prefix)) == 0)
			names_add(ret, name);

	return rc == GIT_ITEROVER ? 0 : refuse_git(why, rc, "cannot read the references");
}

/* Branches */

struct git_branch_args {
	const char *repo_path;
	const char *branch_type;
	const char *contains;
	const char *not_contains;
};

static const char *const branch_types[] = { "local", "remote", "all", NULL };

static const struct param git_branch_params[] = {
	PARAM_REPO(git_branch_args),
	PARAM(git_branch_args, branch_type, .choices = branch_types, .def_str = "local",
		.doc = "Which branches."),
	PARAM(git_branch_args, contains, RANGE(1, 1024),
		.doc = "Only branches that contain this commit."),
	PARAM(git_branch_args, not_contains, RANGE(1, 1024),
		.doc = "Only branches that do not contain this commit."),
	{ 0 },
};

struct branches {
	struct call *call;
	struct repo *repo;
	const struct git_branch_args *args;
	git_oid contains;
	git_oid not_contains;
	char *current;
	bool is_unborn;
	json_t *list;
	struct strbuf text;
};

/* 1: `tip` is `commit` or comes after it. */
static int has_commit(const struct branches *branches, const git_oid *tip, const git_oid *commit)
{
	if (git_oid_equal(tip, commit))
		return 1;

	return git_graph_descendant_of(branches->repo->git, tip, commit);
}

static int is_wanted(const struct branches *branches, const git_oid *tip)
{
	int r = 1;

	if (branches->args->contains)
		r = has_commit(branches, tip, &branches->contains);
	if (r == 1 && branches->args->not_contains) {
		r = has_commit(branches, tip, &branches->not_contains);
		r = r < 0 ? r : !r;
	}
	return r;
}

static void add_upstream(const struct branches *branches, git_reference *ref, json_t *entry)
{
	auto_git(git_reference) upstream = NULL;
	struct refusal ignored = { 0 };
	size_t ahead = 0, behind = 0;

	if (!git_reference_is_branch(ref) ||
		upstream_find(branches->repo, git_reference_shorthand(ref), &upstream, &ignored) <
			0 ||
		!upstream || !git_reference_target(upstream) || !git_reference_target(ref))
		return;
	json_object_set_new(entry, "upstream", out_str(git_reference_shorthand(upstream)));
	if (git_graph_ahead_behind(&ahead, &behind, branches->repo->git, git_reference_target(ref),
		    git_reference_target(upstream)) < 0)
		return;
	json_object_set_new(entry, "ahead", json_integer((json_int_t)ahead));
	json_object_set_new(entry, "behind", json_integer((json_int_t)behind));
}

static void add_branch_text(struct branches *branches, const char *shown, bool is_remote,
	bool is_current, const char *symbolic)
{
	static const char remotes[] = "refs/remotes/";

	strbuf_adds(&branches->text, is_current ? "* " : "  ");
	if (is_remote && streq(branches->args->branch_type, "all"))
		strbuf_adds(&branches->text, "remotes/");
	out_name(&branches->text, shown);
	if (symbolic && strncmp(symbolic, remotes, strlen(remotes)) == 0) {
		strbuf_adds(&branches->text, " -> ");
		out_name(&branches->text, symbolic + strlen(remotes));
	}
	strbuf_addc(&branches->text, '\n');
}

static json_t *branch_json(const char *shown, git_commit *commit, bool is_remote, bool is_current)
{
	auto_strbuf subject = { 0 };

	out_subject(&subject, commit);
	return json_pack("{s:o, s:o, s:b, s:b, s:s}", "name", out_str(shown), "hash",
		out_oid(git_commit_id(commit)), "current", is_current, "remote", is_remote,
		"subject", strbuf_get(&subject));
}

/* A reference that leads nowhere is left out, as git does. */
static int add_branch(
	struct branches *branches, const char *name, bool is_remote, struct refusal *why)
{
	auto_git(git_reference) ref = NULL;
	auto_git(git_object) commit = NULL;
	const char *shown = name + strlen(is_remote ? "refs/remotes/" : "refs/heads/");
	bool is_current = !is_remote && branches->current && streq(branches->current, shown);
	json_t *entry;
	int r;

	if (git_reference_lookup(&ref, branches->repo->git, name) < 0 ||
		git_reference_peel(&commit, ref, GIT_OBJECT_COMMIT) < 0)
		return 0;
	r = is_wanted(branches, git_object_id(commit));
	if (r <= 0)
		return r < 0 ? refuse_git(why, r, "cannot read the history") : 0;

	entry = branch_json(shown, (git_commit *)commit, is_remote, is_current);
	if (!is_remote)
		add_upstream(branches, ref, entry);
	json_array_append_new(branches->list, entry);
	add_branch_text(branches, shown, is_remote, is_current, git_reference_symbolic_target(ref));
	return 0;
}

static int add_branches(
	struct branches *branches, const char *prefix, bool is_remote, struct refusal *why)
{
	auto_(names_done) struct names names = { 0 };
	int r = read_names(branches->repo, prefix, &names, why);

	names_sort(&names, by_bytes);
	for (size_t i = 0; i < names.n && r == 0; i++) {
		if (call_stopped(branches->call))
			return refuse_stopped(why, "not all branches were read");
		r = add_branch(branches, names.at[i], is_remote, why);
	}
	return r;
}

static int read_commit_arg(
	const struct repo *repo, const char *spec, git_oid *ret, struct refusal *why)
{
	auto_git(git_commit) commit = NULL;
	int r = spec ? rev_commit(repo, spec, &commit, why) : 0;

	if (r == 0 && spec)
		*ret = *git_commit_id(commit);

	return r;
}

static void add_detached(struct branches *branches)
{
	char abbrev[REPO_SHORT_SIZE];
	git_oid id;

	if (branches->current || branches->args->contains || branches->args->not_contains)
		return;
	if (git_reference_name_to_id(&id, branches->repo->git, "HEAD") == 0)
		strbuf_addf(&branches->text, "* (HEAD detached at %s)\n",
			repo_short(branches->repo, &id, abbrev));
}

static int run_branch(struct branches *branches, struct refusal *why)
{
	const struct git_branch_args *a = branches->args;
	bool want_local = !streq(a->branch_type, "remote");
	bool want_remote = !streq(a->branch_type, "local");
	int r = read_commit_arg(branches->repo, a->contains, &branches->contains, why);

	if (r == 0)
		r = read_commit_arg(branches->repo, a->not_contains, &branches->not_contains, why);
	if (r == 0)
		r = rev_branch(branches->repo, &branches->current, &branches->is_unborn, why);
	if (r == 0 && want_local) {
		add_detached(branches);
		r = add_branches(branches, "refs/heads/", false, why);
	}
	if (r == 0 && want_remote)
		r = add_branches(branches, "refs/remotes/", true, why);

	return r;
}

static void branches_done(struct branches *branches)
{
	free(branches->current);
	json_decref(branches->list);
	strbuf_done(&branches->text);
}

static int git_branch(struct call *call, const void *args)
{
	auto_repo repo = { 0 };
	auto_(branches_done) struct branches branches = {
		.call = call,
		.repo = &repo,
		.args = args,
		.list = json_array(),
	};
	struct refusal why;
	json_t *out;

	if (repo_open_to_read(call, branches.args->repo_path, &repo, &why) < 0 ||
		run_branch(&branches, &why) < 0)
		return refusal_answer(call, &why);

	if (branches.text.len == 0)
		strbuf_adds(&branches.text, "No branches.");
	out = json_pack("{s:O}", "branches", branches.list);
	if (branches.current)
		json_object_set_new(out, "current", out_str(branches.current));

	return call_result(call, out, strbuf_get(&branches.text), branches.text.len);
}

/* Tags */

struct git_tag_list_args {
	const char *repo_path;
	const char *pattern;
	int64_t max_count;
};

static const struct param git_tag_list_params[] = {
	PARAM_REPO(git_tag_list_args),
	PARAM(git_tag_list_args, pattern, RANGE(1, 256), .doc = "Glob on the tag name."),
	PARAM(git_tag_list_args, max_count, RANGE(1, 1000), .def_int = 100,
		.doc = "Most tags to return."),
	{ 0 },
};

struct tags {
	struct call *call;
	struct repo *repo;
	const struct git_tag_list_args *args;
	json_t *list;
	struct strbuf text;
	bool truncated;
};

static void add_annotation(json_t *entry, const git_tag *tag)
{
	const git_signature *tagger = git_tag_tagger(tag);
	const char *message = git_tag_message(tag);

	json_object_set_new(entry, "message", out_str(message ? message : ""));
	if (!tagger)
		return;
	json_object_set_new(entry, "tagger", out_str(tagger->name));
	json_object_set_new(entry, "date", out_date_json(tagger->when));
}

/* The first line of an annotated tag's message, or the subject of the commit. */
static void add_tag_subject(struct strbuf *text, git_object *object)
{
	const char *message;

	if (git_object_type(object) == GIT_OBJECT_COMMIT) {
		out_subject(text, (git_commit *)object);
	} else if (git_object_type(object) == GIT_OBJECT_TAG) {
		message = git_tag_message((const git_tag *)object);
		if (message)
			utf8_repair(text, message, strcspn(message, "\r\n"));
	}
}

static void add_tag(struct tags *tags, const char *name)
{
	auto_git(git_object) object = NULL;
	auto_git(git_object) target = NULL;
	const char *shown = name + strlen("refs/tags/");
	char abbrev[REPO_SHORT_SIZE];
	bool is_annotated;
	git_oid id;
	json_t *entry;
	int rc = git_reference_name_to_id(&id, tags->repo->git, name);

	if (rc == 0)
		rc = git_object_lookup(&object, tags->repo->git, &id, GIT_OBJECT_ANY);
	if (rc == 0)
		rc = git_object_type(object) == GIT_OBJECT_TAG
			     ? git_object_peel(&target, object, GIT_OBJECT_ANY)
			     : git_object_dup(&target, object); /* peeling would lead to its tree */
	if (rc < 0)
		return; /* it leads nowhere: git_branch leaves such a reference out as well */

	is_annotated = git_object_type(object) == GIT_OBJECT_TAG;
	entry = json_pack("{s:o, s:o, s:o, s:b}", "name", out_str(shown), "hash", out_oid(&id),
		"target", out_oid(git_object_id(target)), "annotated", is_annotated);
	if (is_annotated)
		add_annotation(entry, (const git_tag *)object);
	json_array_append_new(tags->list, entry);

	out_name(&tags->text, shown);
	strbuf_addf(&tags->text, "  %s  ", repo_short(tags->repo, git_object_id(target), abbrev));
	add_tag_subject(&tags->text, object);
	strbuf_addc(&tags->text, '\n');
}

static void keep_matching(struct names *names, const char *pattern)
{
	size_t n = 0;

	for (size_t i = 0; i < names->n; i++)
		if (glob_matches(pattern, names->at[i] + strlen("refs/tags/")))
			names->at[n++] = names->at[i];
		else
			free(names->at[i]);
	names->n = n;
}

/* The newest versions stand last, so the last ones are kept. */
static int run_tags(struct tags *tags, struct refusal *why)
{
	auto_(names_done) struct names names = { 0 };
	size_t max = (size_t)tags->args->max_count;
	int r = read_names(tags->repo, "refs/tags/", &names, why);

	if (tags->args->pattern)
		keep_matching(&names, tags->args->pattern);
	names_sort(&names, by_version);
	tags->truncated = names.n > max;
	for (size_t i = tags->truncated ? names.n - max : 0; i < names.n && r == 0; i++) {
		if (call_stopped(tags->call))
			return refuse_stopped(why, "not all tags were read");
		add_tag(tags, names.at[i]);
	}
	if (tags->truncated)
		strbuf_addf(&tags->text,
			"… %zu older tags are left out. Ask for more with max_count (at most 1000) or "
			"a pattern.\n",
			names.n - max);
	return r;
}

static void tags_done(struct tags *tags)
{
	json_decref(tags->list);
	strbuf_done(&tags->text);
}

static int git_tag_list_tool(struct call *call, const void *args)
{
	auto_repo repo = { 0 };
	auto_(tags_done) struct tags tags = {
		.call = call,
		.repo = &repo,
		.args = args,
		.list = json_array(),
	};
	struct refusal why;

	if (repo_open_to_read(call, tags.args->repo_path, &repo, &why) < 0 ||
		run_tags(&tags, &why) < 0)
		return refusal_answer(call, &why);

	if (tags.text.len == 0)
		strbuf_adds(&tags.text, "No tags.");
	return call_result(call,
		json_pack("{s:O, s:b}", "tags", tags.list, "truncated", tags.truncated),
		strbuf_get(&tags.text), tags.text.len);
}

const struct tool git_refs_tools[] = {
	TOOL(git_branch, "List branches", .doc = "List branches.",
		.out = "current? string, branches {name string, hash string, current boolean, "
		       "remote boolean, subject string, upstream? string, ahead? integer, "
		       "behind? integer}[]",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT),
	{
		.name = "git_tag_list", /* libgit2 has a function of this name */
		.title = "List tags",
		.doc = "List tags.",
		.run = git_tag_list_tool,
		.params = git_tag_list_params,
		.args_size = sizeof(struct git_tag_list_args),
		.out = "tags {name string, hash string, target string, annotated boolean, "
		       "message? string, tagger? string, date? string}[], truncated boolean",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
	},
	{ 0 },
};
