/* Runs one program, without a shell, and waits for it.
 *
 * The program gets an environment of its own, no descriptor of ours but its three standard ones, a
 * process group of its own, and no way to more privileges. It ends with the call: by itself, by a
 * limit, or because the call was stopped; then whatever it has started is killed as well, also what
 * left its process group (we are its reaper). For that the caller must have no other children. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/cleanup.h"
#include "shared/strbuf.h"

struct proc_spec {
	const char *const *argv; /* NULL at the end; argv[0] is an absolute path */
	const char *const *env;  /* NULL at the end; NULL: proc_plain_env */
	int dir_fd;              /* the working directory */
	const void *input;       /* for its standard input; NULL: empty */
	size_t input_bytes;
	size_t max_out_bytes; /* more output ends it */
	size_t max_err_bytes; /* of standard error only so much is kept */
	int64_t timeout_ms;
	bool (*is_stopped)(void *arg); /* asked every 20 ms; NULL: never */
	void *arg;
};

enum proc_end {
	PROC_EXITED,    /* code: its exit status */
	PROC_SIGNALLED, /* code: the signal */
	PROC_TIMED_OUT,
	PROC_STOPPED,
	PROC_TOO_MUCH, /* output */
};

struct proc_result {
	enum proc_end end;
	int code;
	struct strbuf out;
	struct strbuf err;
};

/* PATH and a plain UTF-8 locale. */
extern const char *const proc_plain_env[];

/* 0: it ran, and *ret (zeroed by the caller) says how it ended; the output until then is there in any
 * case. -errno: it could not be started (-ENOENT, -EACCES, …). -EINVAL: argv[0] is not absolute. */
int proc_run(const struct proc_spec *spec, struct proc_result *ret) must_check;
void proc_result_done(struct proc_result *result);
