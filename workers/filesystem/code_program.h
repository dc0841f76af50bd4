/* The programs behind the code tools: where they may be, how each is called, running one.
 *
 * A program reads the file from its standard input and gets no path of it, so that nothing of a
 * project decides what runs: no configuration, no plug-in, no module that lies beside the file, no
 * link. Its working directory is the one it was found in, its home is none, and its argument vector
 * is fixed but for numbers and for ruff's display name (doc/adr/0007 has what was seen without that). */
#pragma once

#include "shared/limits.h"
#include "shared/schema.h"
#include "workers/common/call.h"
#include "workers/common/proc.h"

enum {
	CODE_OUTPUT_BYTES = 256 * KIB,
	CODE_MAX_LINE_LENGTH = 320, /* ruff's */
};

enum code_job {
	CODE_LINT,    /* findings, one a line: [NAME:]LINE:COLUMN: … */
	CODE_COUNT,   /* how many findings of each rule, as JSON; ruff only */
	CODE_FORMAT,  /* the formatted text on standard output */
	CODE_VERSION, /* standard input is not read */
};

enum code_kind { CODE_SOURCE, CODE_STUB, CODE_NOTEBOOK };

struct code_command {
	const char *tool; /* ruff, black, pylint, flake8, mypy */
	enum code_job job;
	enum code_kind kind;
	const char
		*name; /* CODE_LINT, CODE_COUNT and CODE_FORMAT of ruff: what it calls the file */
	int64_t line_length; /* 0: the tool's own */
};

enum { CODE_MAX_ARGS = 16 };

struct code_argv {
	const char *items[CODE_MAX_ARGS]; /* NULL at the end */
	size_t n;
	char *length; /* texts of this vector's own */
	char *name;
};

/* The argument vector for a command: `program` first. The texts of both are borrowed. */
void code_argv_make(const struct code_command *command, const char *program, struct code_argv *ret);
void code_argv_done(struct code_argv *argv);

/* Where programs are looked for: `dirs` (none: /usr/bin and /usr/local/bin); roots are open already.
 * -EINVAL with words: one is not absolute, or what is in it can be written by the tools. */
int code_path_open(const struct str_list *dirs, struct fail *fail) must_check;
void code_path_close(void);

struct code_program {
	char *path; /* absolute; NULL: there is none */
	int dir_fd; /* of the directory it was found in; -1: there is none */
};

#define auto_program auto_(code_program_done) struct code_program

/* False: it is not there; `where` (may be NULL) gets the directories, and why one was passed over. */
bool code_program_look(const char *tool, struct code_program *ret, struct strbuf *where) must_check;

/* The same; false: the call has failed with tool_missing. */
bool code_program_find(struct call *call, const char *tool, struct code_program *ret) must_check;
void code_program_done(struct code_program *program);

struct code_run {
	int dir_fd;        /* the working directory; -1: the program's */
	const char *input; /* for its standard input */
	size_t input_bytes;
	size_t max_out_bytes;
	int64_t timeout_ms; /* 0: what is left of the call */
};

/* Runs it: 0 and how it ended (ret is zeroed by the caller), or -errno: it could not be started. */
int code_program_run(struct call *call, const struct code_program *program,
	const struct code_command *command, const struct code_run *run, struct proc_result *ret)
	must_check;
