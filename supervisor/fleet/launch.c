/* See launch.h. */
#include "supervisor/fleet/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/log.h"

enum {
	EXEC_FAILED = 127,
	CHILDREN_BYTES = 1024 * 1024, /* a list of pids */
};

struct process {
	LIST_ENTRY(process) next;
	pid_t pid;
	int exec_fd; /* the child writes errno here when exec fails */
	process_ended_fn *fn;
	void *arg;
};

struct launcher {
	LIST_HEAD(, process) processes;
	struct loop *loop;
	struct event *on_child;
	struct rlimit nofile; /* as we got it: children get it too */
};

static struct process *find_process(struct launcher *launcher, pid_t pid)
{
	struct process *process;

	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the analyzer loses LIST_REMOVE */
	LIST_FOREACH(process, &launcher->processes, next)
		if (process->pid == pid) /* NOLINT(clang-analyzer-unix.Malloc): the same */
			return process;
	return NULL;
}

static void process_free(struct process *process)
{
	(void)fd_close(process->exec_fd);
	free(process);
}

static void finish(struct launcher *launcher, struct process *process, int wait_status)
{
	struct process_end end = { .wait_status = wait_status };
	int err;

	LIST_REMOVE(process, next);
	if (read(process->exec_fd, &err, sizeof(err)) == (ssize_t)sizeof(err)) {
		end.failed_exec = true;
		end.exec_errno = err;
	}
	process->fn(process->arg, &end);
	process_free(process);
}

/* Reaps one child if there is one. What it left in its group is killed before the pid is free. */
static bool reap_one(struct launcher *launcher)
{
	struct process *process;
	siginfo_t info = { 0 };
	int wait_status = 0;

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
		return false;
	process = find_process(launcher, info.si_pid);
	if (process)
		(void)kill(-info.si_pid, SIGKILL);
	if (waitpid(info.si_pid, &wait_status, WNOHANG) != info.si_pid)
		return false;
	if (process)
		finish(launcher, process, wait_status);
	else
		log_debug("reaped orphan %d", (int)info.si_pid);
	return true;
}

static void on_child(evutil_socket_t fd, short what, void *arg)
{
	while (reap_one(arg))
		;
}

/* A thousand streams need more descriptors than the usual soft limit; a child that uses select(2)
 * needs just that limit. */
static void raise_nofile(struct launcher *launcher)
{
	struct rlimit raised;

	if (getrlimit(RLIMIT_NOFILE, &launcher->nofile) < 0)
		return;
	raised = launcher->nofile;
	raised.rlim_cur = raised.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &raised);
}

struct launcher *launcher_new(struct loop *loop)
{
	struct launcher *launcher = alloc_zero(sizeof(*launcher));

	LIST_INIT(&launcher->processes);
	launcher->loop = loop;
	launcher->on_child = loop_on_signal(loop, SIGCHLD, on_child, launcher);
	raise_nofile(launcher);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		log_warn("cannot become a subreaper: what a worker leaves behind may live on");
	return launcher;
}

/* Every child we still have: a process of ours, or an orphan that came to us. */
static bool kill_children(void)
{
	auto_free char *path = alloc_printf("/proc/self/task/%d/children", (int)getpid());
	auto_strbuf pids = { 0 };
	char *save = NULL;
	bool any = false;

	if (fd_read_file(path, CHILDREN_BYTES, &pids) < 0 || pids.len == 0)
		return false;
	for (char *pid = strtok_r(pids.data, " \n", &save); pid;
		pid = strtok_r(NULL, " \n", &save)) {
		(void)kill((pid_t)strtol(pid, NULL, 10), SIGKILL);
		any = true;
	}
	return any;
}

void launcher_free(struct launcher *launcher)
{
	struct process *process;

	if (!launcher)
		return;
	LIST_FOREACH(process, &launcher->processes, next)
		(void)kill(-process->pid, SIGKILL);
	/* Each round ends one generation; their orphans come to us and end in the next. */
	while (kill_children())
		if (waitpid(-1, NULL, 0) < 0)
			break;
	while ((process = LIST_FIRST(&launcher->processes))) {
		LIST_REMOVE(process, next);
		process_free(process);
	}
	ev_free(launcher->on_child);
	free(launcher);
}

/* In the child: only async-signal-safe calls. */
static _Noreturn void run_child(const struct launcher *launcher, const struct process_spec *spec,
	pid_t parent, int sock, int err_fd, int exec_fd)
{
	union {
		const char *const *in;
		char *const *out;
	} argv = { spec->argv }, env = { spec->env };
	sigset_t none;
	int err;

	(void)setsid();
	if (launcher->nofile.rlim_max > 0)
		(void)setrlimit(RLIMIT_NOFILE, &launcher->nofile);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXEC_FAILED);
	for (int signo = 1; signo < NSIG; signo++)
		(void)signal(signo, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(sock, STDIN_FILENO) >= 0 && dup2(sock, STDOUT_FILENO) >= 0 &&
		dup2(err_fd, STDERR_FILENO) >= 0)
		(void)execve(spec->argv[0], argv.out, env.out);
	err = errno;
	(void)!write(exec_fd, &err, sizeof(err));
	_exit(EXEC_FAILED);
}

int process_start(struct launcher *launcher, const struct process_spec *spec, process_ended_fn *fn,
	void *arg, struct process **ret, int *ret_fd, int *ret_err_fd)
{
	int sock[2], err_pipe[2], exec_pipe[2];
	pid_t parent = getpid();
	int r = fd_socketpair(sock);

	if (r < 0)
		return r;
	auto_close int ours = sock[0];
	auto_close int theirs = sock[1];
	r = fd_pipe(err_pipe);
	if (r < 0)
		return r;
	auto_close int err_read = err_pipe[0];
	auto_close int err_write = err_pipe[1];
	r = fd_pipe(exec_pipe);
	if (r < 0)
		return r;
	auto_close int exec_read = exec_pipe[0];
	auto_close int exec_write = exec_pipe[1];

	(void)fd_set_nonblock(err_read, true);
	(void)fd_set_nonblock(exec_read, true);
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run_child(launcher, spec, parent, theirs, err_write, exec_write);

	struct process *process = alloc_zero(sizeof(*process));
	process->pid = pid;
	process->exec_fd = TAKE_FD(exec_read);
	process->fn = fn;
	process->arg = arg;
	LIST_INSERT_HEAD(&launcher->processes, process, next);
	*ret = process;
	*ret_fd = TAKE_FD(ours);
	*ret_err_fd = TAKE_FD(err_read);
	return 0;
}

pid_t process_pid(const struct process *process)
{
	return process->pid;
}

void process_kill(struct process *process, int signo)
{
	/* Before its setsid() the child has no group yet. */
	if (kill(-process->pid, signo) < 0)
		(void)kill(process->pid, signo);
}

void process_end_text(const struct process_end *end, char ret[PROCESS_END_TEXT])
{
	int status = end->wait_status;

	if (end->failed_exec)
		(void)snprintf(
			ret, PROCESS_END_TEXT, "cannot run it: %s", strerror(end->exec_errno));
	else if (WIFSIGNALED(status))
		(void)snprintf(ret, PROCESS_END_TEXT, "killed by signal %d (%s)%s",
			WTERMSIG(status), strsignal(WTERMSIG(status)),
			WCOREDUMP(status) ? ", core dumped" : "");
	else
		(void)snprintf(ret, PROCESS_END_TEXT, "exit status %d", WEXITSTATUS(status));
}
