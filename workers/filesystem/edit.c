/* Tool code_edit. tools.md section 7.5: see replace.h for how text is matched.
 *
 * All edits are made in memory first; the file changes once, or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <strings.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/quote.h"
#include "workers/common/diff.h"
#include "workers/filesystem/atomic.h"
#include "workers/filesystem/content.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/replace.h"
#include "workers/filesystem/target.h"
#include "workers/filesystem/text.h"
#include "workers/filesystem/tools.h"

enum {
	FILE_MAX_BYTES = 50 * MIB,
	TEXT_MAX_CHARS = 1048576,
	MAX_EDITS = 200,
	DIFF_CONTEXT = 3,
	DIFF_MAX_BYTES = 256 * KIB,
	PRIVATE_MODE = 0600,
};

struct edit_item {
	const char *old_text;
	const char *new_text;
	bool replace_all;
};

struct code_edit_args {
	const char *path;
	json_t *edits;
	bool dry_run;
	const char *expected_sha256;
};

static const struct param edit_params[] = {
	PARAM(edit_item, old_text, .required = true, RANGE(1, TEXT_MAX_CHARS),
		.doc = "Text to find, exactly."),
	PARAM(edit_item, new_text, .required = true, AT_MOST(TEXT_MAX_CHARS),
		.doc = "Text to put there, literally."),
	PARAM(edit_item, replace_all, .doc = "Replace every occurrence."),
	{ 0 },
};

static const struct param code_edit_params[] = {
	PARAM(code_edit_args, path, .required = true, .doc = "File."),
	PARAM(code_edit_args, edits, .required = true, RANGE(1, MAX_EDITS), .items = edit_params,
		.doc = "Edits, applied in order."),
	PARAM(code_edit_args, dry_run, .doc = "Only show the diff."),
	PARAM(code_edit_args, expected_sha256, RANGE(64, 64),
		.doc = "Refuse if the present content has another SHA-256."),
	{ 0 },
};

/* One call. */
struct job {
	struct call *call;
	const struct code_edit_args *args;
	struct target target;
	struct strbuf before;
	struct strbuf after;
	size_t replacements;
	struct strbuf diff;
	bool diff_cut;
	char hash[DIGEST_HEX_SIZE];
};

static void job_done(struct job *job)
{
	target_done(&job->target);
	strbuf_done(&job->before);
	strbuf_done(&job->after);
	strbuf_done(&job->diff);
}

/* The call fails for -errno; false. */
static bool fail(const struct job *job, int err)
{
	(void)content_fail(job->call, job->args->path, err, FILE_MAX_BYTES);
	return false;
}

static bool load(struct job *job)
{
	auto_close int fd = -1;
	int r;

	if (!target_find(job->call, job->args->path, TARGET_FOLLOW, &job->target))
		return false;
	if (!job->target.exists)
		return fail(job, -ENOENT);
	if (!target_check_file(job->call, job->args->path, &job->target))
		return false;
	fd = target_open(&job->target, O_RDONLY);
	if (fd < 0)
		return fail(job, fd);
	if (fstat(fd, &job->target.st) < 0)
		return fail(job, -errno);
	if (!S_ISREG(job->target.st.st_mode))
		return fail(job, -ENXIO);
	r = job->target.st.st_size > FILE_MAX_BYTES
		    ? -EFBIG
		    : content_read(job->call, fd, FILE_MAX_BYTES, &job->before);
	return r == 0 || fail(job, r);
}

/* What has no bytes that a text in UTF-8 could match. */
static bool check_kind(const struct job *job)
{
	const char *bytes = strbuf_get(&job->before);
	size_t look = job->before.len < TEXT_LOOK_BYTES ? job->before.len : TEXT_LOOK_BYTES;
	enum text_encoding encoding = text_choose("auto", bytes, look);
	char quoted[QUOTE_SIZE];

	if (encoding != TEXT_UTF_8)
		(void)call_fail(job->call, "bad_encoding",
			"%s is in %s, and edits work on bytes. Use code_read, and code_write with "
			"this encoding.",
			quote(quoted, job->args->path), text_encoding_name(encoding));
	else if (text_is_binary(encoding, bytes, look))
		(void)call_fail(job->call, "binary_file",
			"%s is a binary file, and edits are for text. Replace it as a whole, or leave it.",
			quote(quoted, job->args->path));
	else
		return true;
	return false;
}

static bool check_expected(struct job *job)
{
	const char *expected = job->args->expected_sha256;
	char quoted[QUOTE_SIZE];
	int r;

	if (!expected)
		return true;
	r = content_hash(strbuf_get(&job->before), job->before.len, job->hash);
	if (r < 0)
		return fail(job, r);
	if (strcasecmp(job->hash, expected) == 0)
		return true;
	(void)call_fail(job->call, "conflict",
		"%s has another content than expected: its SHA-256 is %s. Read it again.",
		quote(quoted, job->args->path), job->hash);
	return false;
}

static struct replace_edit edit_of(json_t *item)
{
	json_t *old_text = json_object_get(item, "old_text");
	json_t *new_text = json_object_get(item, "new_text");

	return (struct replace_edit){
		.old_text = json_string_value(old_text),
		.old_len = json_string_length(old_text),
		.new_text = json_string_value(new_text),
		.new_len = json_string_length(new_text),
		.all = json_is_true(json_object_get(item, "replace_all")),
	};
}

static bool apply_edits(struct job *job)
{
	char quoted[QUOTE_SIZE];

	strbuf_add(&job->after, strbuf_get(&job->before), job->before.len);
	for (size_t i = 0; i < json_array_size(job->args->edits); i++) {
		struct replace_edit edit = edit_of(json_array_get(job->args->edits, i));
		struct failure why = { 0 };
		size_t n = 0;

		if (call_stopped(job->call))
			return fail(job, -ECANCELED);
		if (replace_once(&job->after, &edit, i, FILE_MAX_BYTES, &n, &why) < 0) {
			(void)call_fail(job->call, why.code, "%s: %s",
				quote(quoted, job->args->path), why.text);
			return false;
		}
		job->replacements += n;
	}
	return true;
}

/* A diff that is too long ends between two hunks, and says so. */
static void make_diff(struct job *job)
{
	const char *path = job->args->path + strspn(job->args->path, "/");
	auto_free char *a_name = alloc_printf("a/%s", path);
	auto_free char *b_name = alloc_printf("b/%s", path);
	const struct diff_text a = { a_name, strbuf_get(&job->before), job->before.len };
	const struct diff_text b = { b_name, strbuf_get(&job->after), job->after.len };

	job->diff_cut = diff_unified_texts(&a, &b, DIFF_CONTEXT, DIFF_MAX_BYTES, &job->diff) < 0;
}

static int store(const struct job *job)
{
	auto_(atomic_done) struct atomic_file file = ATOMIC_FILE_NONE;
	const struct target *t = &job->target;
	int r = atomic_begin(&file, t->dir_fd, t->name, PRIVATE_MODE);

	if (r == 0)
		r = content_write(job->call, file.fd, job->after.data, job->after.len);
	if (r == 0)
		r = atomic_keep_attributes(&file, t->dir_fd, t->name, &t->st);
	if (r == 0)
		r = target_check_same(t);
	return r < 0 ? r : atomic_replace(&file, t->name);
}

static int answer(const struct job *job)
{
	auto_strbuf text = { 0 };
	json_t *data;

	strbuf_add(&text, strbuf_get(&job->diff), job->diff.len);
	if (job->diff.len == 0 && !job->diff_cut)
		strbuf_adds(&text, "The edits change nothing.");
	if (job->diff_cut)
		strbuf_addf(&text,
			"[the diff has more than %d bytes and was cut here; read the file to see the rest]",
			DIFF_MAX_BYTES);
	data = json_pack("{s:o, s:o, s:I, s:b, s:s, s:b}", "path", paths_json(job->args->path),
		"diff", content_json(strbuf_get(&job->diff), job->diff.len), "replacements",
		(json_int_t)job->replacements, "applied", !job->args->dry_run, "sha256", job->hash,
		"truncated", job->diff_cut);
	return call_result(job->call, data, strbuf_get(&text), text.len);
}

static int code_edit(struct call *call, const void *args)
{
	auto_(job_done) struct job job = { .call = call, .args = args, .target = { .dir_fd = -1 } };
	int r;

	if (!load(&job) || !check_kind(&job) || !check_expected(&job) || !apply_edits(&job))
		return 0;
	make_diff(&job);
	r = content_hash(strbuf_get(&job.after), job.after.len, job.hash);
	if (r == 0 && !job.args->dry_run && (job.diff.len > 0 || job.diff_cut))
		r = store(&job);
	if (r < 0) {
		(void)fail(&job, r);
		return 0;
	}
	return answer(&job);
}

const struct tool filesystem_edit_tools[] = {
	TOOL(code_edit, "Edit file", .hints = TOOL_DESTRUCTIVE,
		.doc = "Replace exact pieces of text in a file; all edits or none. Answers with a "
		       "unified diff.",
		.out = "path string, diff string, replacements integer, applied boolean, "
		       "sha256 string, truncated boolean"),
	{ 0 },
};
