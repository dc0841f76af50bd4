/* See code_work.h. */
#include "workers/filesystem/code_work.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/quote.h"

enum {
	SIGNAL_CODE = 128,
	MAX_SAID_BYTES = 600, /* of what a program said when it failed: the end of it */
};

/* Only ruff reads notebooks without libraries of its own for them. */
static bool can_read(struct call *call, const struct code_work *work)
{
	const struct code_sources *sources = &work->sources;
	char quoted[QUOTE_SIZE];

	if (sources->is_dir || sources->items[0].kind != CODE_NOTEBOOK ||
		streq(work->command.tool, "ruff"))
		return true;
	(void)call_fail(call, "invalid_argument",
		"%s is a notebook, which %s cannot read. Use ruff.", quote(quoted, work->path),
		work->command.tool);
	return false;
}

bool code_work_start(struct code_work *work)
{
	work->program.dir_fd = -1;
	return code_sources_find(work->call, work->path, &work->sources) &&
	       can_read(work->call, work) &&
	       code_program_find(work->call, work->command.tool, &work->program);
}

void code_work_done(struct code_work *work)
{
	code_program_done(&work->program);
	code_sources_done(&work->sources);
}

static bool fail_stopped(const struct code_work *work, size_t n_done)
{
	auto_free char *how_far = alloc_printf("%zu of %zu files were %s by %s", n_done,
		work->sources.n, work->done_word, work->command.tool);

	(void)call_fail_stopped(work->call, how_far);
	return false;
}

static const char *name_without_path(enum code_kind kind)
{
	return kind == CODE_STUB ? "file.pyi" : kind == CODE_NOTEBOOK ? "file.ipynb" : "file.py";
}

static int run(struct code_work *work, size_t max_out_bytes, struct code_file *file)
{
	const struct code_source *source = file->source;
	char *name = code_source_name(&work->sources, source);
	struct code_command command = work->command;
	/* ruff asks the project's directories whether an import is of the project. It runs no code. */
	const bool in_project = streq(command.tool, "ruff");

	file->name = name ? name : alloc_str(name_without_path(source->kind));
	command.kind = source->kind;
	command.name = file->name;
	return code_program_run(work->call, &work->program, &command,
		&(struct code_run){ .dir_fd = in_project ? work->sources.project_fd : -1,
			.input = strbuf_get(&file->text),
			.input_bytes = file->text.len,
			.max_out_bytes = max_out_bytes },
		&file->result);
}

static bool fail_read(const struct code_work *work, int r)
{
	char quoted[QUOTE_SIZE];

	if (r == -EFBIG)
		(void)call_fail(work->call, "too_large",
			"%s has more than %lld bytes. Name a smaller file.",
			quote(quoted, work->path), (long long)CODE_FILE_BYTES);
	else
		(void)paths_fail(work->call, work->path, r);
	return false;
}

bool code_work_run(struct code_work *work, size_t i, size_t max_out_bytes, struct code_file *ret)
{
	struct call *call = work->call;
	int r;

	ret->source = &work->sources.items[i];
	if (call_stopped(call))
		return fail_stopped(work, i);
	call_progress(call, (double)i, (double)work->sources.n, ret->source->shown);
	ret->error = code_source_read(call, &work->sources, ret->source, &ret->text, &ret->st);
	if (ret->error == -ECANCELED)
		return fail_stopped(work, i);
	if (ret->error < 0 && work->sources.is_dir)
		return true;
	if (ret->error < 0)
		return fail_read(work, ret->error);
	r = run(work, max_out_bytes, ret);
	if (r < 0) {
		(void)call_fail(call, "tool_missing",
			"%s cannot be started: %s. code_check_tools tells which tools there are.",
			work->program.path, strerror(-r));
		return false;
	}
	if (ret->result.end == PROC_TIMED_OUT || ret->result.end == PROC_STOPPED)
		return fail_stopped(work, i);
	return true;
}

void code_file_done(struct code_file *file)
{
	free(file->name);
	strbuf_done(&file->text);
	proc_result_done(&file->result);
}

int code_exit_code(const struct proc_result *result)
{
	return result->end == PROC_SIGNALLED ? SIGNAL_CODE + result->code : result->code;
}

/* The last lines that fit, without blanks around them. */
static const char *end_of(const struct strbuf *said, size_t *ret_len)
{
	const char *from = strbuf_get(said);
	size_t len = said->len;

	while (len > 0 && (from[len - 1] == '\n' || from[len - 1] == ' '))
		len--;
	while (len > MAX_SAID_BYTES) {
		const char *line = memchr(from, '\n', len);
		const size_t over = len - MAX_SAID_BYTES;
		const size_t skip =
			line && (size_t)(line - from) + 1 < len ? (size_t)(line - from) + 1 : over;

		from += skip;
		len -= skip;
	}
	*ret_len = len;
	return from;
}

void code_add_failure(
	struct strbuf *out, const struct code_work *work, const struct code_file *file)
{
	const char *tool = work->command.tool;
	size_t len;
	const char *said = end_of(&file->result.err, &len);

	if (file->error < 0) {
		strbuf_addf(out, "%s: cannot be read: %s\n", file->source->shown,
			strerror(-file->error));
		return;
	}
	if (file->result.end == PROC_TOO_MUCH)
		strbuf_addf(out, "%s: %s wrote too much and was ended", file->source->shown, tool);
	else if (code_exit_code(&file->result) == 0)
		strbuf_addf(out, "%s: %s gave no text", file->source->shown, tool);
	else
		strbuf_addf(out, "%s: %s failed with exit status %d", file->source->shown, tool,
			code_exit_code(&file->result));
	strbuf_adds(out, len > 0 ? ": " : "");
	strbuf_add(out, said, len);
	strbuf_addc(out, '\n');
}

void code_add_remarks(struct strbuf *out, const struct code_work *work)
{
	if (work->sources.n == 0)
		strbuf_adds(out, "There is no Python file in this directory.\n");
	if (work->sources.is_cut)
		strbuf_addf(out,
			"Only %zu of its files were looked at: name a smaller directory.\n",
			work->sources.n);
}
