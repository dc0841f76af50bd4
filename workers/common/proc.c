/* See proc.h.
 *
 * The leader of the group is reaped last: while it is a zombie its process group cannot become
 * anybody else's, so killing the group is safe. */
#include "workers/common/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/limits.h"

enum {
	TICK_MS = 20,
	READ_BYTES = 64 * KIB,
	MAX_CHILDREN_BYTES = MIB,
	MAX_STRAY_ROUNDS = 1000, /* against a program that forks faster than we kill */
};

#ifndef CLOSE_RANGE_CLOEXEC
#	define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

const char *const proc_plain_env[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL };

/* The parent's and the child's ends of one of its standard descriptors. */
struct channel {
	int ours;
	int theirs;
};

struct proc {
	const struct proc_spec *spec;
	struct proc_result *result;
	struct channel in, out, err;
	int status_fds[2]; /* tells why exec failed; closed by exec */
	int pid_fd;        /* -1: the kernel has none; then the tick has to do */
	pid_t pid;
	size_t input_done;
	int64_t deadline_ms;
};

static void close_channel(struct channel *channel)
{
	channel->ours = fd_close(channel->ours);
	channel->theirs = fd_close(channel->theirs);
}

static void proc_done(struct proc *p)
{
	close_channel(&p->in);
	close_channel(&p->out);
	close_channel(&p->err);
	p->status_fds[0] = fd_close(p->status_fds[0]);
	p->status_fds[1] = fd_close(p->status_fds[1]);
	p->pid_fd = fd_close(p->pid_fd);
}

static int open_channel(struct channel *channel, bool child_reads)
{
	int fds[2];
	int r = fd_pipe(fds);

	if (r < 0)
		return r;
	channel->ours = child_reads ? fds[1] : fds[0];
	channel->theirs = child_reads ? fds[0] : fds[1];
	return fd_set_nonblock(channel->ours, true);
}

static int open_all(struct proc *p)
{
	int r = open_channel(&p->in, true);

	if (r == 0)
		r = open_channel(&p->out, false);
	if (r == 0)
		r = open_channel(&p->err, false);
	return r == 0 ? fd_pipe(p->status_fds) : r;
}

/* In the child only async-signal-safe calls from here on. */

static int adopt_stdio(const struct proc *p)
{
	const int from[] = { p->in.theirs, p->out.theirs, p->err.theirs };

	for (int i = 0; i < 3; i++)
		if (dup2(from[i], i) < 0)
			return -errno;
	/* Ours are close-on-exec from birth; a library's may not be. Before Linux 5.11 that has to do. */
	(void)syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
	return 0;
}

static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Returns only when it failed: -errno. */
static int become_program(const struct proc *p)
{
	const struct proc_spec *spec = p->spec;
	const struct rlimit no_core = { 0 };
	int r;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	reset_signals();
	if (fchdir(spec->dir_fd) < 0)
		return -errno;
	r = adopt_stdio(p);
	if (r < 0)
		return r;
	/* execve() changes neither the texts nor the lists; its prototype is older than const. */
	(void)syscall(
		SYS_execve, spec->argv[0], spec->argv, spec->env ? spec->env : proc_plain_env);
	return -errno;
}

static void run_child(const struct proc *p)
{
	int r = become_program(p);

	(void)!write(p->status_fds[1], &r, sizeof(r));
	_exit(127);
}

/* Waits until the program runs: 0, or the -errno for which it does not. */
static int wait_for_exec(struct proc *p)
{
	ssize_t n;
	int r = 0;

	p->status_fds[1] = fd_close(p->status_fds[1]);
	do {
		n = read(p->status_fds[0], &r, sizeof(r));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	(void)waitpid(p->pid, NULL, 0);
	return n == sizeof(r) ? r : -EIO;
}

static int start(struct proc *p)
{
	p->pid = fork();
	if (p->pid < 0)
		return -errno;
	if (p->pid == 0)
		run_child(p);

	(void)setpgid(p->pid, p->pid);
	p->in.theirs = fd_close(p->in.theirs);
	p->out.theirs = fd_close(p->out.theirs);
	p->err.theirs = fd_close(p->err.theirs);
	p->pid_fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	return wait_for_exec(p);
}

/* While it runs. */

static void feed(struct proc *p)
{
	const struct proc_spec *spec = p->spec;
	size_t left = spec->input_bytes - p->input_done;
	ssize_t n = left ? write(p->in.ours, (const char *)spec->input + p->input_done, left) : 0;

	if (n > 0)
		p->input_done += (size_t)n;
	if (p->input_done == spec->input_bytes || (n < 0 && errno != EAGAIN && errno != EINTR))
		p->in.ours = fd_close(p->in.ours);
}

/* Reads once; what does not fit is dropped. False: nothing is there now, or it was the end. */
static bool drain(int *fd, struct strbuf *to, size_t max, bool *ret_over)
{
	char bytes[READ_BYTES];
	ssize_t n = *fd >= 0 ? read(*fd, bytes, sizeof(bytes)) : -1;
	size_t room = max - to->len;

	if (n < 0 && *fd >= 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		*fd = fd_close(*fd);
		return false;
	}
	if ((size_t)n > room)
		*ret_over = true;
	strbuf_add(to, bytes, (size_t)n < room ? (size_t)n : room);
	return true;
}

static bool drain_both(struct proc *p, bool *ret_too_much)
{
	bool err_over = false;
	bool more = drain(&p->out.ours, &p->result->out, p->spec->max_out_bytes, ret_too_much);

	return drain(&p->err.ours, &p->result->err, p->spec->max_err_bytes, &err_over) || more;
}

/* Asks without reaping it. */
static bool has_ended(const struct proc *p)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	       info.si_pid != 0;
}

static void wait_a_tick(struct proc *p)
{
	const int64_t left = p->deadline_ms - clock_now_ms();
	struct pollfd fds[] = {
		{ .fd = p->in.ours, .events = POLLOUT },
		{ .fd = p->out.ours, .events = POLLIN },
		{ .fd = p->err.ours, .events = POLLIN },
		{ .fd = p->pid_fd, .events = POLLIN },
	};

	(void)poll(fds, N_ELEMENTS(fds), left < 0 ? 0 : left < TICK_MS ? (int)left : TICK_MS);
}

static enum proc_end attend(struct proc *p)
{
	const struct proc_spec *spec = p->spec;
	bool too_much = false;

	for (;;) {
		/* Asked before reading: what it wrote before its end is then there to be read. */
		bool ended = has_ended(p);

		if (p->in.ours >= 0)
			feed(p);
		while (drain_both(p, &too_much) && !too_much)
			if (clock_now_ms() >= p->deadline_ms)
				break;
		if (too_much)
			return PROC_TOO_MUCH;
		if (ended)
			return PROC_EXITED;
		if (clock_now_ms() >= p->deadline_ms)
			return PROC_TIMED_OUT;
		if (spec->is_stopped && spec->is_stopped(spec->arg))
			return PROC_STOPPED;
		wait_a_tick(p);
	}
}

/* Its end. */

static void kill_children(void)
{
	auto_strbuf text = { 0 };
	char *at;
	char *end;

	if (fd_read_file("/proc/thread-self/children", MAX_CHILDREN_BYTES, &text) < 0)
		return;
	for (at = text.data; at; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			return;
		(void)kill((pid_t)pid, SIGKILL);
	}
}

/* What left the process group was given to us when its parent died. */
static void reap_strays(void)
{
	for (int i = 0; i < MAX_STRAY_ROUNDS; i++) {
		pid_t pid;

		kill_children();
		do {
			pid = waitpid(-1, NULL, WNOHANG);
		} while (pid > 0);
		if (pid < 0 && errno == ECHILD)
			return;
		(void)poll(NULL, 0, 1);
	}
}

static void finish(struct proc *p, enum proc_end end)
{
	siginfo_t info = { 0 };

	(void)kill(-p->pid, SIGKILL);
	while (waitid(P_PID, (id_t)p->pid, &info, WEXITED) < 0 && errno == EINTR)
		;
	reap_strays();
	p->result->end = end;
	p->result->code = end == PROC_EXITED ? info.si_status : 0;
	if (end == PROC_EXITED && info.si_code != CLD_EXITED)
		p->result->end = PROC_SIGNALLED;
}

int proc_run(const struct proc_spec *spec, struct proc_result *ret)
{
	auto_(proc_done) struct proc p = {
		.spec = spec,
		.result = ret,
		.in = { -1, -1 },
		.out = { -1, -1 },
		.err = { -1, -1 },
		.status_fds = { -1, -1 },
		.pid_fd = -1,
		.deadline_ms = clock_now_ms() + spec->timeout_ms,
	};
	int r;

	if (spec->argv[0][0] != '/')
		return -EINVAL;
	r = open_all(&p);
	if (r < 0)
		return r;
	/* Whoever started us may have had it ignored; then nothing could be waited for. */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	r = start(&p);
	if (r == 0)
		finish(&p, attend(&p));
	return r;
}

void proc_result_done(struct proc_result *result)
{
	strbuf_done(&result->out);
	strbuf_done(&result->err);
}
