/* Tool code_format. The formatter reads a file's text and writes the formatted one, both through
 * pipes; putting that in the file's place is ours, as with every other tool that writes. */
#include <errno.h>

#include "shared/limits.h"
#include "shared/quote.h"
#include "workers/filesystem/code_work.h"
#include "workers/filesystem/content.h"
#include "workers/filesystem/settings.h"
#include "workers/filesystem/tools.h"

enum {
	MAX_FORMATTED_BYTES = 4 * CODE_FILE_BYTES,
	WOULD_CHANGE = 1, /* the exit status of black --check and ruff format --check */
};

struct format {
	struct code_work *work;
	bool check_only;
	struct strbuf out;
	size_t n_changed;
	size_t n_same;
	size_t n_failed;
	bool is_cut;   /* not all files are named in `out` */
	int exit_code; /* of a formatter that failed, the highest */
};

static void format_done(struct format *format)
{
	strbuf_done(&format->out);
}

/* Fails the call for a file that may not be written, and names it. */
static int fail_write(const struct format *format, const struct code_source *source, int r)
{
	struct call *call = format->work->call;
	char quoted[QUOTE_SIZE];
	const char *shown = quote(quoted, source->shown);

	if (r == -EROFS)
		return call_fail(call, "read_only",
			"%s lies in a root that may only be read. Use check_only, or name another path.",
			shown);
	if (r == -EPERM)
		return call_fail(call, "protected",
			"%s lies in a .git directory, which is closed to writing. Use check_only, or name another path.",
			shown);
	return paths_fail(call, source->shown, r);
}

/* Before anything is changed. */
static bool may_write_all(const struct format *format)
{
	const struct filesystem_settings *settings = call_settings(format->work->call);
	const struct code_sources *sources = &format->work->sources;

	for (size_t i = 0; i < sources->n; i++) {
		int r = code_source_may_write(
			sources, &sources->items[i], settings->protect_git_dir);

		if (r < 0) {
			(void)fail_write(format, &sources->items[i], r);
			return false;
		}
	}
	return true;
}

/* Whether there is room for one more file in the output. */
static bool has_room(struct format *format)
{
	format->is_cut |= format->out.len >= CODE_OUTPUT_BYTES;
	return !format->is_cut;
}

static bool is_same(const struct code_file *file)
{
	return file->text.len == file->result.out.len &&
	       (file->text.len == 0 ||
		       memcmp(file->text.data, file->result.out.data, file->text.len) == 0);
}

/* What a program that dies in silence would have us write. */
static bool is_lost(const struct code_file *file)
{
	const char *text = strbuf_get(&file->text);

	return file->result.out.len == 0 && strspn(text, " \t\f\r\n") < file->text.len;
}

static int put(struct format *format, const struct code_file *file)
{
	const struct code_sources *sources = &format->work->sources;
	char quoted[QUOTE_SIZE];
	int r = code_source_replace(sources, file->source, &file->st, &file->result.out);

	if (r == -ESTALE)
		return call_fail(format->work->call, "conflict",
			"%s changed while it was formatted, and was left as it is; %zu files were formatted before it. Try again.",
			quote(quoted, file->source->shown), format->n_changed);
	return r < 0 ? paths_fail(format->work->call, file->source->shown, r) : 1;
}

/* 1: go on; 0: the call has failed. */
static int take(struct format *format, const struct code_file *file)
{
	const int code = code_exit_code(&file->result);

	if (file->error < 0 || file->result.end != PROC_EXITED || file->result.code != 0 ||
		is_lost(file)) {
		format->n_failed++;
		if (code > format->exit_code)
			format->exit_code = code;
		if (has_room(format))
			code_add_failure(&format->out, format->work, file);
		return 1;
	}
	if (is_same(file)) {
		format->n_same++;
		return 1;
	}
	if (!format->check_only && put(format, file) == 0)
		return 0;
	format->n_changed++;
	if (has_room(format))
		strbuf_addf(&format->out, "%s %s\n",
			format->check_only ? "would reformat" : "reformatted", file->source->shown);
	return 1;
}

static void add_count(struct strbuf *out, size_t n, const char *what)
{
	if (n > 0)
		strbuf_addf(
			out, "%s%zu file%s %s", out->len ? ", " : "", n, n == 1 ? "" : "s", what);
}

static void add_summary(struct strbuf *out, const struct format *format)
{
	auto_strbuf counts = { 0 };

	if (format->is_cut)
		strbuf_adds(out, "Not all files are named here: name a smaller directory.\n");
	add_count(&counts, format->n_changed,
		format->check_only ? "would be reformatted" : "reformatted");
	add_count(&counts, format->n_same, "left unchanged");
	add_count(&counts, format->n_failed, "could not be formatted");
	if (counts.len > 0)
		strbuf_addf(out, "%s\n", counts.data);
	code_add_remarks(out, format->work);
	strbuf_cut(out, out->len - 1);
}

static int answer(struct format *format)
{
	const struct code_work *work = format->work;
	auto_strbuf text = { 0 };
	auto_strbuf path = { 0 };
	int code = format->exit_code;

	if (code == 0 && format->check_only && format->n_changed > 0)
		code = WOULD_CHANGE;
	add_summary(&format->out, format);
	paths_show(&path, work->path);
	strbuf_addf(&text, "Formatting %s with %s:\n", path.data, work->command.tool);
	strbuf_add(&text, format->out.data, format->out.len);
	return call_result(work->call,
		json_pack("{s:s, s:o, s:b, s:b, s:I, s:o, s:i, s:b}", "tool", work->command.tool,
			"path", paths_json(work->path), "success", format->n_failed == 0,
			"modified", !format->check_only && format->n_changed > 0, "changed_files",
			(json_int_t)format->n_changed, "output",
			content_json(strbuf_get(&format->out), format->out.len), "exit_code", code,
			"truncated", format->is_cut || work->sources.is_cut),
		text.data, text.len);
}

struct code_format_args {
	const char *path;
	const char *tool;
	bool check_only;
	int64_t line_length;
};

static const char *const formatters[] = { "black", "ruff", NULL };

static const struct param code_format_params[] = {
	PARAM(code_format_args, path, .required = true, .doc = "File or directory."),
	PARAM(code_format_args, tool, .choices = formatters, .def_str = "black",
		.doc = "Formatter."),
	PARAM(code_format_args, check_only, .doc = "Only say whether it would change."),
	PARAM(code_format_args, line_length, .no_default = true, RANGE(1, CODE_MAX_LINE_LENGTH),
		.doc = "Longest line; the project's configuration is not read."),
	{ 0 },
};

static int code_format(struct call *call, const void *args)
{
	const struct code_format_args *a = args;
	auto_work work = { .call = call,
		.path = a->path,
		.command = { .tool = a->tool, .job = CODE_FORMAT, .line_length = a->line_length },
		.done_word = a->check_only ? "checked" : "formatted" };
	auto_(format_done) struct format format = { .work = &work, .check_only = a->check_only };

	if (!code_work_start(&work) || (!a->check_only && !may_write_all(&format)))
		return 0;
	for (size_t i = 0; i < work.sources.n; i++) {
		auto_file file = { 0 };

		if (!code_work_run(&work, i, MAX_FORMATTED_BYTES, &file) ||
			take(&format, &file) == 0)
			return 0;
	}
	return answer(&format);
}

const struct tool filesystem_format_tools[] = {
	TOOL(code_format, "Format code",
		.doc = "Format a Python file or directory with black or ruff. The project's configuration is not used.",
		.hints = TOOL_DESTRUCTIVE | TOOL_IDEMPOTENT,
		.is_offered = filesystem_has_code_tools,
		.out = "tool string, path string, success boolean, modified boolean, "
		       "changed_files integer, output string, exit_code integer, "
		       "truncated boolean"),
	{ 0 },
};
