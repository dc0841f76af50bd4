/* Tool code_read. */
#include <errno.h>

#include "workers/filesystem/part.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/text.h"
#include "workers/filesystem/tools.h"

struct code_read_args {
	const char *path;
	struct opt_int head;
	struct opt_int tail;
	struct opt_int offset;
	struct opt_int limit;
	bool line_numbers;
	const char *encoding;
	double max_size_mb;
};

static const struct param code_read_params[] = {
	PARAM(code_read_args, path, .required = true, .doc = "File."),
	PARAM(code_read_args, head, RANGE(1, 1000000), .doc = "Only the first N lines."),
	PARAM(code_read_args, tail, RANGE(1, 1000000), .doc = "Only the last N lines."),
	PARAM(code_read_args, offset, RANGE(1, 1000000000), .doc = "First line to return, from 1."),
	PARAM(code_read_args, limit, RANGE(1, 1000000), .doc = "How many lines from offset."),
	PARAM(code_read_args, line_numbers,
		.doc = "Prefix each line with its number, right-aligned in 6, and a tab."),
	PARAM(code_read_args, encoding, .choices = text_read_encodings, .def_str = "auto",
		.doc = "auto: UTF-8, or UTF-16/32 by byte order mark, else bytes that are not UTF-8 "
		       "become U+FFFD."),
	PARAM(code_read_args, max_size_mb, RANGE_NUM(0.001, 50), .def_num = 5,
		.doc = "Refuse to read more than this."),
	{ 0 },
};

/* NULL: what is asked for makes sense together. */
static const char *wrong_together(const struct code_read_args *a)
{
	bool has_range = a->offset.set || a->limit.set;

	if (a->head.set + a->tail.set + has_range > 1)
		return "head, tail, and offset with limit exclude each other. Give one of them.";
	return NULL;
}

static void set_lines(const struct code_read_args *a, struct part_want *want)
{
	want->first_line = a->offset.set ? a->offset.value : 1;
	want->n_lines = PART_TO_END;
	if (a->head.set)
		want->n_lines = a->head.value;
	else if (a->limit.set)
		want->n_lines = a->limit.value;
	if (a->tail.set)
		want->n_last = a->tail.value;
}

static json_t *to_json(const char *path, const struct part *part)
{
	json_t *out = json_pack("{s:o, s:s%, s:s, s:b, s:I, s:s}", "path", paths_json(path),
		"content", strbuf_get(&part->content), part->content.len, "encoding",
		part->encoding, "lossy", part->is_lossy, "size", (json_int_t)part->file_bytes,
		"line_ending", part->line_ending);

	if (part->start_line > 0) {
		json_object_set_new(out, "start_line", json_integer(part->start_line));
		json_object_set_new(out, "end_line", json_integer(part->end_line));
	}
	if (part->total_lines >= 0)
		json_object_set_new(out, "total_lines", json_integer(part->total_lines));
	json_object_set_new(out, "truncated", json_boolean(part->has_more));
	if (*part->sha256)
		json_object_set_new(out, "sha256", json_string(part->sha256));
	return out;
}

static int code_read(struct call *call, const void *args)
{
	const struct code_read_args *a = args;
	struct part_want want = {
		.path = a->path,
		.encoding = a->encoding,
		.line_numbers = a->line_numbers,
		.max_mib = a->max_size_mb,
		.max_text_bytes = call_max_result(call) / 2,
	};
	auto_(part_done) struct part part = { 0 };
	struct failure why;
	int r;

	if (wrong_together(a))
		return call_fail(call, "invalid_argument", "%s", wrong_together(a));
	set_lines(a, &want);
	r = part_read(call, &want, &part, &why);
	if (r == -ECANCELED)
		return call_fail_stopped(
			call, "the file was not read to the end of what was asked");
	if (r < 0)
		return call_fail(call, why.code, "%s", why.text);
	return call_result(
		call, to_json(a->path, &part), strbuf_get(&part.content), part.content.len);
}

const struct tool filesystem_read_tools[] = {
	TOOL(code_read, "Read file", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Read a text file, whole or by lines.",
		.out = "path string, content string, encoding string, lossy boolean, size integer, "
		       "line_ending string, start_line? integer, end_line? integer, "
		       "total_lines? integer, truncated boolean, sha256? string"),
	{ 0 },
};
