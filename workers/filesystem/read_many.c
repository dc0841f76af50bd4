/* Tool code_read_many. What does not fit any more into the answer is told to be read alone, so that
 * one large file does not cost the others. */
#include <errno.h>
#include <stdio.h>

#include "workers/filesystem/part.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/tools.h"

enum {
	FRAME_BYTES = 4096, /* of the answer, around the files */
	ENTRY_BYTES = 4096, /* of a file that only says why it was not read */
};

struct code_read_many_args {
	struct str_list paths;
	double max_size_mb;
};

static const struct param code_read_many_params[] = {
	PARAM(code_read_many_args, paths, .required = true, RANGE(1, 50), .doc = "Files."),
	PARAM(code_read_many_args, max_size_mb, RANGE_NUM(0.001, 50), .def_num = 5,
		.doc = "Limit for each file."),
	{ 0 },
};

struct many {
	struct call *call;
	struct strbuf text;
	json_t *files;
	json_int_t n_failed;
	size_t left; /* bytes of the answer for contents: what else there is has been set aside */
};

static void many_done(struct many *many)
{
	strbuf_done(&many->text);
	json_decref(many->files);
}

/* Bytes of the answer that a text takes, which is in it twice. */
static size_t cost(const char *text, size_t len)
{
	auto_strbuf escaped = { 0 };

	strbuf_add_json(&escaped, text, len);
	return 2 * escaped.len;
}

static size_t room_for_contents(const struct call *call, const struct str_list *paths)
{
	size_t set_aside = FRAME_BYTES;

	for (size_t i = 0; i < paths->n; i++)
		set_aside += ENTRY_BYTES + 2 * cost(paths->items[i], strlen(paths->items[i]));
	return call_max_result(call) > set_aside ? call_max_result(call) - set_aside : 0;
}

static void begin_file(struct many *many, const char *path)
{
	struct strbuf *text = &many->text;

	if (text->len > 0) {
		if (text->data[text->len - 1] != '\n')
			strbuf_addc(text, '\n');
		strbuf_adds(text, "---\n");
	}
	paths_show(text, path);
}

static void add_content(struct many *many, const char *path, const struct strbuf *content)
{
	begin_file(many, path);
	strbuf_adds(&many->text, ":\n");
	strbuf_add(&many->text, strbuf_get(content), content->len);
	json_array_append_new(many->files, json_pack("{s:o, s:s%}", "path", paths_json(path),
						   "content", strbuf_get(content), content->len));
}

static void add_failure(struct many *many, const char *path, const struct failure *why)
{
	auto_strbuf error = { 0 };

	strbuf_addf(&error, "%s: %s", why->code, why->text);
	begin_file(many, path);
	strbuf_adds(&many->text, ": Error - ");
	strbuf_add(&many->text, error.data, error.len);
	json_array_append_new(many->files,
		json_pack("{s:o, s:o}", "path", paths_json(path), "error", paths_json(error.data)));
	many->n_failed++;
}

/* 0, or -ECANCELED. */
static int read_one(struct many *many, const char *path, double max_mib)
{
	const struct part_want want = {
		.path = path,
		.encoding = "auto",
		.first_line = 1,
		.n_lines = PART_TO_END,
		.max_mib = max_mib,
		.max_text_bytes = many->left / 2,
	};
	auto_(part_done) struct part part = { 0 };
	struct failure why;
	size_t bytes = 0;
	int r = part_read(many->call, &want, &part, &why);

	if (r == -ECANCELED)
		return r;
	if (r == 0) {
		bytes = cost(strbuf_get(&part.content), part.content.len);
		r = bytes > many->left ? -EFBIG : 0;
	}
	if (r == -EFBIG)
		(void)failure_set(&why, "too_large",
			"no room is left for it in this answer. Read it alone, with code_read.");
	if (r < 0) {
		add_failure(many, path, &why);
		return 0;
	}
	add_content(many, path, &part.content);
	many->left -= bytes;
	return 0;
}

static int answer(struct many *many)
{
	json_t *out = json_pack("{s:O, s:I}", "files", many->files, "failed", many->n_failed);
	const bool all_failed = many->n_failed == (json_int_t)json_array_size(many->files);

	if (all_failed)
		return call_fail_result(many->call, out, strbuf_get(&many->text), many->text.len);
	return call_result(many->call, out, strbuf_get(&many->text), many->text.len);
}

static int code_read_many(struct call *call, const void *args)
{
	const struct code_read_many_args *a = args;
	auto_(many_done) struct many many = {
		.call = call,
		.files = json_array(),
		.left = room_for_contents(call, &a->paths),
	};
	char how_far[64];

	for (size_t i = 0; i < a->paths.n; i++) {
		if (read_one(&many, a->paths.items[i], a->max_size_mb) == 0)
			continue;
		(void)snprintf(
			how_far, sizeof(how_far), "%zu of %zu files were read", i, a->paths.n);
		return call_fail_stopped(call, how_far);
	}
	return answer(&many);
}

const struct tool filesystem_read_many_tools[] = {
	TOOL(code_read_many, "Read several files", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Read several text files; one failing does not stop the others.",
		.out = "files {path string, content? string, error? string}[], failed integer"),
	{ 0 },
};
