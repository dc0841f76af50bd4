/* One call of a code tool at work: a program, run over each of the files that the path means. */
#pragma once

#include "workers/filesystem/code_program.h"
#include "workers/filesystem/code_source.h"

struct code_work {
	struct call *call;
	const char *path; /* as it was asked for */
	struct code_command command;
	struct code_program program;
	struct code_sources sources;
	const char
		*done_word; /* what was done to the files by now, for whoever stops it: "checked" */
};

#define auto_work auto_(code_work_done) struct code_work

/* `ret` has the call, path, command and done_word. False: the call has failed. */
bool code_work_start(struct code_work *work) must_check;
void code_work_done(struct code_work *work);

/* A file, and what the program said of it. */
struct code_file {
	const struct code_source *source;
	char *name; /* by which the program was told of it; NULL: nothing was run */
	struct strbuf text;
	struct stat st;
	int error; /* -errno: it could not be read, and nothing was run */
	struct proc_result result;
};

#define auto_file auto_(code_file_done) struct code_file

/* Runs the program on file `i`. False: the call has failed, or was stopped and has said so. Of a
 * directory a file that cannot be read is only noted (ret->error). */
bool code_work_run(struct code_work *work, size_t i, size_t max_out_bytes, struct code_file *ret)
	must_check;
void code_file_done(struct code_file *file);

/* The exit status as a shell has it: 128 and the signal, if one ended it. */
int code_exit_code(const struct proc_result *result);

/* Adds a line: the file could not be read, or the program failed, with the end of what it said. */
void code_add_failure(
	struct strbuf *out, const struct code_work *work, const struct code_file *file);

/* Which files were looked at, when that is not plain: none, or not all. */
void code_add_remarks(struct strbuf *out, const struct code_work *work);
