/* git_show: one object: a commit with its patch, a tag, a tree, a blob. */
#include <stdio.h>
#include <time.h>

#include "shared/base64.h"
#include "shared/utf8.h"
#include "workers/common/call.h"
#include "workers/git/out.h"
#include "workers/git/patch.h"
#include "workers/git/rev.h"
#include "workers/git/special.h"
#include "workers/git/stop.h"
#include "workers/git/tools.h"

struct git_show_args {
	const char *repo_path;
	const char *revision;
	bool stat;
	int64_t context_lines;
	const char *file_path;
	int64_t max_bytes;
};

static const struct param git_show_params[] = {
	PARAM_REPO(git_show_args),
	PARAM(git_show_args, revision, .required = true, RANGE(1, 4096),
		.doc = "Revision, or revision:path."),
	PARAM(git_show_args, stat, .doc = "Summary instead of the patch."),
	PARAM(git_show_args, context_lines, RANGE(0, 1000), .def_int = 3,
		.doc = "Lines of context."),
	PARAM(git_show_args, file_path, RANGE(1, 4096),
		.doc = "Limit a commit's patch to this path."),
	PARAM(git_show_args, max_bytes, RANGE(1024, 4194304), .def_int = 262144,
		.doc = "Cut the text after this many bytes, at a line end."),
	{ 0 },
};

/* Tags of tags of tags …; real ones have one level. */
enum { MAX_TAG_DEPTH = 16, BINARY_LOOK_BYTES = 8000 };

/* Of the year 9999. */
#define LAST_SECOND INT64_C(253402300799)

struct show {
	struct call *call;
	struct repo *repo;
	const struct git_show_args *args;
	struct strbuf text;
	json_t *out;
	bool truncated;
};

static void show_done(struct show *show)
{
	strbuf_done(&show->text);
	json_decref(show->out);
}

/* As git log writes dates: "Thu Nov 20 23:19:08 2025 +0100". */
static void add_git_date(struct strbuf *text, git_time when)
{
	/* What no calendar has is the epoch, as in git. */
	bool is_known = when.time >= 0 && when.time <= LAST_SECOND;
	int offset = is_known ? when.offset : 0;
	int minutes = offset < 0 ? -offset : offset;
	time_t local = is_known ? (time_t)when.time + (time_t)offset * 60 : 0;
	struct tm tm = { 0 };
	char words[64] = "";

	if (!gmtime_r(&local, &tm) ||
		strftime(words, sizeof(words), "%a %b %e %H:%M:%S %Y", &tm) == 0)
		strbuf_adds(text, "(no date)");
	/* git does not pad the day. */
	for (const char *at = words; *at; at++)
		if (!(*at == ' ' && at[1] == ' '))
			strbuf_addc(text, *at);
	strbuf_addf(text, " %c%02d%02d", offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

static void add_person(struct strbuf *text, const git_signature *person, const git_commit *commit)
{
	if (commit) {
		out_commit_text(text, commit, person->name);
		strbuf_adds(text, " <");
		out_commit_text(text, commit, person->email);
	} else {
		utf8_repair(text, person->name, strlen(person->name));
		strbuf_adds(text, " <");
		utf8_repair(text, person->email, strlen(person->email));
	}
	strbuf_adds(text, ">\n");
}

static void add_header(struct show *show, git_commit *commit)
{
	struct strbuf *text = &show->text;
	const git_signature *author = git_commit_author(commit);
	unsigned n_parents = git_commit_parentcount(commit);
	char hex[GIT_OID_HEXSZ + 1];

	strbuf_addf(text, "commit %s\n", git_oid_tostr(hex, sizeof(hex), git_commit_id(commit)));
	if (n_parents > 1) {
		strbuf_adds(text, "Merge:");
		for (unsigned i = 0; i < n_parents; i++)
			strbuf_addf(text, " %s",
				repo_short(show->repo, git_commit_parent_id(commit, i), hex));
		strbuf_addc(text, '\n');
	}
	strbuf_adds(text, "Author: ");
	add_person(text, author, commit);
	strbuf_adds(text, "Date:   ");
	add_git_date(text, author->when);
	strbuf_adds(text, "\n\n");
}

/* A line of a message; tabs go to the next eighth column, as in git log. */
static void add_expanded(struct strbuf *text, const char *line, size_t len)
{
	enum { TAB = 8 };
	size_t column = 0;

	while (len > 0) {
		const char *tab = memchr(line, '\t', len);
		size_t n = tab ? (size_t)(tab - line) : len;

		strbuf_add(text, line, n);
		column += utf8_count(line, n);
		if (!tab)
			return;
		do
			strbuf_addc(text, ' ');
		while (++column % TAB != 0);
		line += n + 1;
		len -= n + 1;
	}
}

/* The message, each line moved in by four, without blank lines at its end. */
static void add_message(struct strbuf *text, const git_commit *commit)
{
	auto_strbuf message = { 0 };

	out_commit_text(&message, commit, git_commit_message(commit));
	while (message.len > 0 && strchr("\r\n\t ", message.data[message.len - 1]))
		strbuf_cut(&message, message.len - 1);
	for (const char *at = strbuf_get(&message); *at;) {
		size_t len = strcspn(at, "\n");

		strbuf_adds(text, "    ");
		add_expanded(text, at, len);
		strbuf_addc(text, '\n');
		at += len + (at[len] == '\n');
	}
}

static int diff_commit(
	struct show *show, git_commit *commit, struct patch *ret, struct refusal *why)
{
	const struct git_show_args *a = show->args;
	auto_repo_paths paths = { 0 };
	auto_git(git_tree) tree = NULL;
	auto_git(git_tree) parent = NULL;
	auto_git(git_diff) diff = NULL;
	struct str_list one = { (const char **)(uintptr_t)&a->file_path, a->file_path ? 1 : 0 };
	git_diff_options options;
	int r = repo_paths(show->repo, one, &paths, why);

	if (r == 0)
		r = rev_tree_of(show->repo, git_commit_id(commit), &tree, why);
	if (r == 0 && git_commit_parentcount(commit) > 0)
		r = rev_tree_of(show->repo, git_commit_parent_id(commit, 0), &parent, why);
	if (r < 0)
		return r;
	patch_options(show->repo, show->call, a->context_lines, &paths, &options);
	r = patch_result(git_diff_tree_to_tree(&diff, show->repo->git, parent, tree, &options),
		show->call, why);
	if (r == 0)
		r = patch_find_renames(diff, show->call, why);
	if (r < 0)
		return r;

	return patch_render(show->call, diff, a->stat ? PATCH_STAT : PATCH_FULL,
		(size_t)a->max_bytes, ret, why);
}

static int show_commit(struct show *show, git_commit *commit, struct refusal *why)
{
	auto_patch patch = { 0 };
	auto_(out_refs_freep) struct out_refs *refs = NULL;
	json_t *described;
	int r = diff_commit(show, commit, &patch, why);

	if (r < 0)
		return r;
	refs = out_refs_new(show->repo);
	described = out_commit(show->repo, commit, refs);
	json_object_set(described, "files", patch.files);
	json_object_set_new(show->out, "commit", described);
	json_object_set_new(show->out, "content",
		json_stringn_nocheck(strbuf_get(&patch.text), patch.text.len));

	add_header(show, commit);
	add_message(&show->text, commit);
	if (patch.text.len > 0)
		strbuf_addc(&show->text, '\n');
	strbuf_add(&show->text, strbuf_get(&patch.text), patch.text.len);
	patch_add_cut_note(&show->text, &patch);
	show->truncated = patch.truncated;
	return 0;
}

/* Bytes of the first lines that fit into max_bytes; without a line end, the first characters. */
static size_t fitting(const struct show *show, const char *text, size_t len)
{
	size_t max = (size_t)show->args->max_bytes;
	const char *end;

	if (max > PATCH_MAX_BYTES)
		max = PATCH_MAX_BYTES;
	if (len <= max)
		return len;
	end = memrchr(text, '\n', max);
	if (end)
		return (size_t)(end - text) + 1;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;

	return max;
}

static void show_binary(struct show *show, const git_blob *blob)
{
	size_t len = (size_t)git_blob_rawsize(blob);
	auto_strbuf encoded = { 0 };
	size_t n =
		len > (size_t)show->args->max_bytes ? (size_t)show->args->max_bytes / 3 * 3 : len;

	show->truncated = n < len;
	base64_encode(BASE64_PLAIN, git_blob_rawcontent(blob), n, &encoded);
	json_object_set_new(
		show->out, "content", json_stringn_nocheck(strbuf_get(&encoded), encoded.len));
	json_object_set_new(show->out, "encoding", json_string("base64"));
	strbuf_addf(&show->text, "Binary blob, %zu bytes", len);
}

static int show_blob(struct show *show, const git_blob *blob)
{
	size_t len = (size_t)git_blob_rawsize(blob);
	const char *bytes = git_blob_rawcontent(blob);
	auto_strbuf text = { 0 };
	size_t n;

	if (memchr(bytes ? bytes : "", '\0', len < BINARY_LOOK_BYTES ? len : BINARY_LOOK_BYTES)) {
		show_binary(show, blob);
		return 0;
	}
	utf8_repair(&text, bytes ? bytes : "", len);
	n = fitting(show, strbuf_get(&text), text.len);
	show->truncated = n < text.len;
	json_object_set_new(show->out, "content", json_stringn_nocheck(strbuf_get(&text), n));
	strbuf_add(&show->text, strbuf_get(&text), n);
	if (show->truncated)
		strbuf_addf(&show->text,
			"\n… cut: %zu of %zu bytes. Ask for more with max_bytes (up to 2 MiB).\n",
			n, text.len);
	return 0;
}

static int show_tree(struct show *show, const git_tree *tree)
{
	json_t *entries = json_array();
	size_t max = (size_t)show->args->max_bytes;
	size_t n = git_tree_entrycount(tree);
	size_t i;

	for (i = 0; i < n && show->text.len <= max; i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
		const char *slash = git_tree_entry_type(entry) == GIT_OBJECT_TREE ? "/" : "";
		auto_strbuf name = { 0 };

		strbuf_addf(&name, "%s%s", git_tree_entry_name(entry), slash);
		json_array_append_new(entries, out_str(name.data));
		out_name(&show->text, name.data);
		strbuf_addc(&show->text, '\n');
	}
	json_object_set_new(show->out, "entries", entries);
	json_object_set_new(show->out, "content",
		json_stringn_nocheck(strbuf_get(&show->text), show->text.len));
	show->truncated = i < n;
	if (show->truncated)
		strbuf_addf(&show->text,
			"… cut: %zu of %zu entries. Ask for more with max_bytes.\n", i, n);
	return 0;
}

static int show_object(struct show *show, git_object *object, int depth, struct refusal *why);

static int show_tag(struct show *show, const git_tag *tag, int depth, struct refusal *why)
{
	auto_git(git_object) target = NULL;
	const git_signature *tagger = git_tag_tagger(tag);
	const char *message = git_tag_message(tag);
	int rc = git_tag_target(&target, tag);

	if (rc < 0)
		return refuse_git(why, rc, "cannot read what the tag points to");
	strbuf_adds(&show->text, "tag ");
	out_name(&show->text, git_tag_name(tag));
	strbuf_addc(&show->text, '\n');
	if (tagger) {
		strbuf_adds(&show->text, "Tagger: ");
		add_person(&show->text, tagger, NULL);
		strbuf_adds(&show->text, "Date:   ");
		add_git_date(&show->text, tagger->when);
		strbuf_addc(&show->text, '\n');
	}
	strbuf_addc(&show->text, '\n');
	if (message)
		utf8_repair(&show->text, message, strlen(message));
	strbuf_addc(&show->text, '\n');

	return show_object(show, target, depth + 1, why);
}

static int show_object(struct show *show, git_object *object, int depth, struct refusal *why)
{
	if (depth > MAX_TAG_DEPTH)
		return refuse(why, "bad_revision",
			"there are too many tags of tags. "
			"Name what they lead to.");

	switch (git_object_type(object)) {
	case GIT_OBJECT_COMMIT:
		return show_commit(show, (git_commit *)object, why);
	case GIT_OBJECT_TAG:
		return show_tag(show, (const git_tag *)object, depth, why);
	case GIT_OBJECT_TREE:
		return show_tree(show, (const git_tree *)object);
	case GIT_OBJECT_BLOB:
		return show_blob(show, (const git_blob *)object);
	default:
		return refuse(why, "bad_revision",
			"this kind of object cannot be shown. "
			"Name a commit, a tag, a directory or a file.");
	}
}

static int run(struct show *show, struct refusal *why)
{
	auto_git(git_object) object = NULL;
	int r = rev_object(show->repo, show->args->revision, &object, why);

	if (r < 0)
		return r;
	json_object_set_new(
		show->out, "type", json_string(git_object_type2string(git_object_type(object))));
	json_object_set_new(show->out, "hash", out_oid(git_object_id(object)));
	json_object_set_new(show->out, "encoding", json_string("utf-8"));

	return show_object(show, object, 0, why);
}

static int git_show(struct call *call, const void *args)
{
	auto_repo repo = { 0 };
	auto_(show_done) struct show show = {
		.call = call,
		.repo = &repo,
		.args = args,
		.out = json_object(),
	};
	struct refusal why;

	if (repo_open_to_read(call, show.args->repo_path, &repo, &why) < 0 ||
		special_find(&repo, call, NULL, &why) < 0 || run(&show, &why) < 0)
		return refusal_answer(call, &why);

	json_object_set_new(show.out, "truncated", json_boolean(show.truncated));
	return call_result(call, json_incref(show.out), strbuf_get(&show.text), show.text.len);
}

const struct tool git_show_tools[] = {
	TOOL(git_show, "Show",
		.doc = "A commit with its patch, a tag, a directory or a file at a revision.",
		.out = "type string, hash string, commit? " OUT_COMMIT ", content string, "
		       "encoding string, entries? string[], truncated boolean",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT),
	{ 0 },
};
