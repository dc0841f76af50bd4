/* Starting processes and learning of their end.
 *
 * Each process leads a session and a process group of its own, and has a cgroup of its own where one is
 * delegated. The supervisor is a child subreaper: whatever a dead worker leaves behind comes to us.
 * Each process has a random mark in its environment, which what it forks inherits: an orphan in the
 * session or with the mark of a process that lives stays with it, every other one is killed. So nothing outlives its
 * worker, however it has detached itself. Ends are noticed by SIGCHLD, and a pid is signalled only
 * before it was reaped, so it cannot belong to somebody else. */
#pragma once

#include <sys/types.h>

#include "shared/exec_report.h"
#include "supervisor/fleet/cgroup.h"
#include "supervisor/loop.h"

struct launcher;
struct process;

struct process_end {
	bool failed_exec; /* it never ran: `report` says why */
	struct exec_report report;
	int wait_status; /* as from waitpid(2) */
	int64_t cpu_us;  /* that it used, with its children that it has waited for */
	bool is_oom;     /* the kernel killed in its cgroup because the memory there was used up */
};

struct process_spec {
	const char *const *argv; /* argv[0] is an absolute path */
	const char *const *env;  /* "NAME=value"; the whole environment */
	const char *wrapper;     /* mcp-fleet-exec's path; NULL: it is run directly */
	const char *plan;        /* for its --plan */
	const char *name;        /* of the cgroup, for people */
	struct cgroup_limits limits;
};

/* At most one in a program. */
struct launcher *launcher_new(struct loop *loop);
void launcher_free(struct launcher *launcher); /* ends what is left, with SIGKILL */

/* NULL: none was delegated; *ret_why says what is missing. */
const struct cgroups *launcher_get_cgroups(const struct launcher *launcher, const char **ret_why);

/* Whether /proc tells what a dead process has left behind; without that only its group ends with it. */
bool launcher_finds_orphans(const struct launcher *launcher);

typedef void process_ended_fn(void *arg, const struct process_end *end);

/* Starts a process whose standard input and output are one socket (*ret_fd, ours) and whose standard
 * error is a pipe (*ret_err_fd, ours, not blocking). `fn` runs once when it has ended, never from
 * inside this call; the process is freed after it. 0 or -errno. */
int process_start(struct launcher *launcher, const struct process_spec *spec, process_ended_fn *fn,
	void *arg, struct process **ret, int *ret_fd, int *ret_err_fd) must_check;

/* Runs `task` in a fork of this process, for what could block the loop: only async-signal-safe calls, only
 * what `data` holds, no descriptors but 0, 1 and 2; what it returns (0 to 255) is the exit status. `fn` as
 * above. 0 or -errno. */
int process_fork(struct launcher *launcher, int (*task)(const void *data), const void *data,
	process_ended_fn *fn, void *arg) must_check;

pid_t process_pid(const struct process *process);

/* Signals its whole group; SIGKILL also what has left it, where it has a cgroup. */
void process_kill(struct process *process, int signo);

/* Words for a person: "exit status 3", "killed by SIGSEGV (core dumped)", "cannot run: …". */
enum { PROCESS_END_TEXT = EXEC_REPORT_TEXT + 128 };
void process_end_text(const struct process_end *end, char ret[PROCESS_END_TEXT]);
