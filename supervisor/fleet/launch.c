/* See launch.h. */
#include "supervisor/fleet/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/log.h"

enum {
	EXEC_FAILED = 127,
	CHILDREN_BYTES = 1024 * 1024, /* a list of pids */
	ENVIRON_BYTES = 4 * 1024 * 1024,
};

/* The variable that marks a process and what it starts; its value is of MARK_BYTES random bytes. */
static const char MARK[] = LOG_WORKER_MARK "=";
enum { MARK_BYTES = 16, MARK_SIZE = sizeof(MARK) + 2UL * MARK_BYTES };

struct process {
	LIST_ENTRY(process) next;
	uint64_t id; /* pids come again, this does not */
	pid_t pid;
	int exec_fd; /* the child writes a struct exec_report here when it cannot be run */
	char mark[MARK_SIZE];
	struct cgroup *cgroup; /* NULL: none */
	process_ended_fn *fn;
	void *arg;
};

/* A child that we have not started; `owner` is the id of the process that it belongs to, 0: none. */
struct orphan {
	pid_t pid;
	uint64_t owner;
};

struct launcher {
	LIST_HEAD(, process) processes;
	uint64_t n_started;
	struct orphan *orphans; /* by pid; as found when we looked last */
	size_t n_orphans;
	bool finds_orphans;
	struct loop *loop;
	struct event *on_child;
	struct cgroups *cgroups; /* NULL: none, because of `cgroups_why` */
	const char *cgroups_why;
	struct rlimit nofile; /* as we got it: children get it too */
};

static struct process *find_process(const struct launcher *launcher, pid_t pid)
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
	if (!process)
		return;
	cgroup_free(process->cgroup);
	(void)fd_close(process->exec_fd);
	free(process);
}

/* --- what a dead process has left behind ------------------------------------------------------- */

static const struct process *find_id(const struct launcher *launcher, uint64_t id)
{
	const struct process *process;

	LIST_FOREACH(process, &launcher->processes, next)
		if (process->id == id)
			return process;
	return NULL;
}

/* By the mark of a process that lives. Its environment may be unreadable or emptied: then it has none. */
static uint64_t find_owner_by_mark(const struct launcher *launcher, pid_t pid)
{
	auto_free char *path = alloc_printf("/proc/%d/environ", (int)pid);
	auto_strbuf environ_text = { 0 };
	const struct process *process;

	if (LIST_EMPTY(&launcher->processes) ||
		fd_read_file(path, ENVIRON_BYTES, &environ_text) < 0 || environ_text.len == 0)
		return 0;
	LIST_FOREACH(process, &launcher->processes, next)
		if (memmem(environ_text.data, environ_text.len, process->mark,
			    strlen(process->mark)))
			return process->id;
	return 0;
}

/* The session is that of its process unless it has made one of its own. */
static uint64_t find_owner(const struct launcher *launcher, pid_t pid)
{
	const struct process *leader = find_process(launcher, getsid(pid));

	return leader ? leader->id : find_owner_by_mark(launcher, pid);
}

static int compare_orphans(const void *a, const void *b)
{
	const struct orphan *one = a;
	const struct orphan *two = b;

	return (one->pid > two->pid) - (one->pid < two->pid);
}

/* Whose it is is found out once: with thousands of orphans, each end of one would cost as many looks. */
static uint64_t owner_of(const struct launcher *launcher, pid_t pid)
{
	const struct orphan key = { .pid = pid };
	const struct orphan *known = NULL;

	if (launcher->n_orphans > 0)
		known = bsearch(
			&key, launcher->orphans, launcher->n_orphans, sizeof(key), compare_orphans);
	if (!known)
		return find_owner(launcher, pid);
	return known->owner && find_id(launcher, known->owner) ? known->owner : 0;
}

/* The pids of our children as text, which ends with "\n" or " "; -errno. */
static int read_children(struct strbuf *ret)
{
	auto_free char *path = alloc_printf("/proc/self/task/%d/children", (int)getpid());

	return fd_read_file(path, CHILDREN_BYTES, ret);
}

/* Kills our children but for processes that live and what belongs to them. True: there was one. */
static bool kill_strays(struct launcher *launcher)
{
	auto_strbuf pids = { 0 };
	struct orphan *orphans = NULL;
	char *save = NULL;
	size_t n = 0;
	bool any = false;

	if (read_children(&pids) < 0)
		return false;
	if (pids.len > 0) /* a pid and the blank behind it are two bytes at least */
		orphans = alloc_zero((pids.len / 2 + 1) * sizeof(*orphans));
	for (char *text = pids.len > 0 ? strtok_r(pids.data, " \n", &save) : NULL; text;
		text = strtok_r(NULL, " \n", &save)) {
		struct orphan orphan = { .pid = (pid_t)strtol(text, NULL, 10) };

		if (find_process(launcher, orphan.pid))
			continue;
		orphan.owner = owner_of(launcher, orphan.pid);
		orphans[n++] = orphan;
		if (orphan.owner)
			continue;
		(void)kill(orphan.pid, SIGKILL);
		any = true;
	}
	if (n > 0)
		qsort(orphans, n, sizeof(*orphans), compare_orphans);
	free(launcher->orphans);
	launcher->orphans = orphans;
	launcher->n_orphans = n;
	return any;
}

static int64_t cpu_of(const struct rusage *usage)
{
	return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * CLOCK_SECOND_MS * 1000 +
	       usage->ru_utime.tv_usec + usage->ru_stime.tv_usec;
}

static void finish(struct launcher *launcher, struct process *process, int wait_status,
	const struct rusage *usage)
{
	struct process_end end = { .wait_status = wait_status,
		.cpu_us = cpu_of(usage),
		.is_oom = process->cgroup && cgroup_had_oom(process->cgroup) };

	LIST_REMOVE(process, next);
	end.failed_exec = read(process->exec_fd, &end.report, sizeof(end.report)) ==
			  (ssize_t)sizeof(end.report);
	end.report.text[EXEC_REPORT_TEXT - 1] = '\0';
	process->fn(process->arg, &end);
	process_free(process);
}

/* Reaps one child if there is one. What it left in its group is killed before the pid is free. */
static bool reap_one(struct launcher *launcher)
{
	struct process *process;
	siginfo_t info = { 0 };
	struct rusage usage = { 0 };
	int wait_status = 0;

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
		return false;
	process = find_process(launcher, info.si_pid);
	if (process)
		(void)kill(-info.si_pid, SIGKILL);
	if (wait4(info.si_pid, &wait_status, WNOHANG, &usage) != info.si_pid)
		return false;
	if (process)
		finish(launcher, process, wait_status, &usage);
	else
		log_debug("reaped orphan %d", (int)info.si_pid);
	return true;
}

/* When a process or an orphan ends, what it had started comes to us: that is the time to look. */
static void on_child(evutil_socket_t fd, short what, void *arg)
{
	bool any = false;

	while (reap_one(arg))
		any = true;
	if (any)
		(void)kill_strays(arg);
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
	auto_strbuf children = { 0 };

	LIST_INIT(&launcher->processes);
	launcher->loop = loop;
	launcher->on_child = loop_on_signal(loop, SIGCHLD, on_child, launcher);
	raise_nofile(launcher);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		log_warn("cannot become a subreaper: what a worker leaves behind may live on");
	launcher->cgroups = cgroups_new(loop, &launcher->cgroups_why);
	launcher->finds_orphans = read_children(&children) == 0;
	return launcher;
}

bool launcher_finds_orphans(const struct launcher *launcher)
{
	return launcher->finds_orphans;
}

const struct cgroups *launcher_get_cgroups(const struct launcher *launcher, const char **ret_why)
{
	*ret_why = launcher->cgroups_why;
	return launcher->cgroups;
}

void launcher_free(struct launcher *launcher)
{
	struct process *process;

	if (!launcher)
		return;
	while ((process = LIST_FIRST(&launcher->processes))) {
		/* The analyzer loses LIST_REMOVE. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		(void)kill(-process->pid, SIGKILL);
		LIST_REMOVE(process, next);
		process_free(process);
	}
	/* Each round ends one generation; their orphans come to us and end in the next. */
	while (kill_strays(launcher) && waitpid(-1, NULL, 0) > 0)
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	cgroups_free(launcher->cgroups);
	ev_free(launcher->on_child);
	free(launcher->orphans);
	free(launcher);
}

/* What the child needs, made before the fork: after it only async-signal-safe calls are allowed. */
struct child {
	char **argv; /* of the wrapper, or of the program itself */
	char **env;
	const struct rlimit *nofile;
	const struct cgroup *cgroup;
	bool is_wrapped;
	pid_t parent;
	int sock;
	int err_fd;
	int exec_fd;
};

static _Noreturn void give_up(const struct child *child, int err, const char *what)
{
	struct exec_report report = { .err = err };

	for (size_t i = 0; i < sizeof(report.text) - 1 && what[i]; i++)
		report.text[i] = what[i];
	(void)!write(child->exec_fd, &report, sizeof(report));
	_exit(EXEC_FAILED);
}

/* All signals are blocked here: a handler of ours would write to the pipe by which our loop learns of
 * signals, and the supervisor would take a signal to the child for one to itself. */
static _Noreturn void run_child(const struct child *child)
{
	sigset_t none;
	int r;

	(void)setsid();
	r = child->cgroup ? cgroup_enter(child->cgroup) : 0;
	if (r < 0)
		give_up(child, -r, "cannot enter its cgroup");
	if (child->nofile->rlim_max > 0)
		(void)setrlimit(RLIMIT_NOFILE, child->nofile);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != child->parent)
		_exit(EXEC_FAILED);
	for (int signo = 1; signo < NSIG; signo++)
		(void)signal(signo, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(child->sock, STDIN_FILENO) < 0 || dup2(child->sock, STDOUT_FILENO) < 0 ||
		dup2(child->err_fd, STDERR_FILENO) < 0)
		give_up(child, errno, "cannot set its standard descriptors");
	/* The wrapper tells its own failures through it, and closes it when it becomes the worker. */
	if (child->is_wrapped && fcntl(child->exec_fd, F_SETFD, 0) < 0)
		give_up(child, errno, "cannot pass on a descriptor");
	(void)execve(child->argv[0], child->argv, child->env);
	give_up(child, errno, child->is_wrapped ? "cannot run mcp-fleet-exec" : "cannot run it");
}

/* Lists for execve(2), which does not write to the texts: those of `spec` are borrowed. */
static char *borrow(const char *text)
{
	union {
		const char *in;
		char *out;
	} text_of = { text };

	return text_of.out;
}

static size_t count_texts(const char *const *texts)
{
	size_t n = 0;

	while (texts[n])
		n++;
	return n;
}

/* `fd_text` is the report's descriptor as text. */
static char **make_argv(const struct process_spec *spec, const char *fd_text)
{
	const char *const front[] = { spec->wrapper, "--plan", spec->plan, "--report-fd", fd_text,
		"--" };
	size_t n_front = spec->wrapper ? N_ELEMENTS(front) : 0;
	size_t n = count_texts(spec->argv);
	char **argv = alloc_zero((n_front + n + 1) * sizeof(*argv));

	for (size_t i = 0; i < n_front; i++)
		argv[i] = borrow(front[i]);
	for (size_t i = 0; i < n; i++)
		argv[n_front + i] = borrow(spec->argv[i]);
	return argv;
}

static char **make_env(const struct process_spec *spec, const char *mark)
{
	size_t n = count_texts(spec->env);
	char **env = alloc_zero((n + 2) * sizeof(*env));

	for (size_t i = 0; i < n; i++)
		env[i] = borrow(spec->env[i]);
	env[n] = borrow(mark);
	return env;
}

static int make_mark(char ret[MARK_SIZE])
{
	uint8_t bytes[MARK_BYTES];
	const size_t len = sizeof(MARK) - 1;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -errno;
	memcpy(ret, MARK, sizeof(MARK));
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(ret + len + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* In the child nothing is used that is not in `child`. */
static int fork_child(const struct launcher *launcher, const struct process_spec *spec,
	struct process *process, struct child *child)
{
	auto_free char *fd_text = alloc_printf("%d", child->exec_fd);
	auto_free char **argv = make_argv(spec, fd_text);
	auto_free char **env = make_env(spec, process->mark);
	sigset_t all, before;
	int r;

	child->argv = argv;
	child->env = env;
	child->nofile = &launcher->nofile;
	child->cgroup = process->cgroup;
	child->is_wrapped = spec->wrapper != NULL;
	child->parent = getpid();
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &before);
	process->pid = fork();
	if (process->pid == 0)
		run_child(child);
	r = process->pid < 0 ? -errno : 0;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* A process that was not forked yet. */
static int process_new(
	const struct launcher *launcher, const struct process_spec *spec, struct process **ret)
{
	struct process *process = alloc_zero(sizeof(*process));
	int r = make_mark(process->mark);

	process->exec_fd = -1;
	if (r == 0 && launcher->cgroups && spec->name)
		r = cgroup_new(launcher->cgroups, spec->name, &spec->limits, &process->cgroup);
	if (r < 0)
		process_free(process);
	else
		*ret = process;
	return r;
}

DEFINE_FREEP(struct process, process_free)

int process_start(struct launcher *launcher, const struct process_spec *spec, process_ended_fn *fn,
	void *arg, struct process **ret, int *ret_fd, int *ret_err_fd)
{
	auto_(process_freep) struct process *process = NULL;
	int sock[2], err_pipe[2], exec_pipe[2];
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
	r = process_new(launcher, spec, &process);
	if (r < 0)
		return r;
	struct child child = { .sock = theirs, .err_fd = err_write, .exec_fd = exec_write };
	r = fork_child(launcher, spec, process, &child);
	if (r < 0)
		return r;
	process->exec_fd = TAKE_FD(exec_read);
	process->id = ++launcher->n_started;
	process->fn = fn;
	process->arg = arg;
	LIST_INSERT_HEAD(&launcher->processes, process, next);
	*ret = TAKE(process);
	*ret_fd = TAKE_FD(ours);
	*ret_err_fd = TAKE_FD(err_read);
	return 0;
}

int process_fork(struct launcher *launcher, int (*task)(const void *data), const void *data,
	process_ended_fn *fn, void *arg)
{
	auto_(process_freep) struct process *process = alloc_zero(sizeof(*process));
	sigset_t all, before;
	int r;

	process->exec_fd = -1;
	r = make_mark(process->mark);
	if (r < 0)
		return r;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &before);
	process->pid = fork();
	if (process->pid == 0) {
		/* A group of its own: process_kill() and our end reach it. No client's socket stays open. */
		(void)setsid();
		(void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
		_exit(task(data));
	}
	r = process->pid < 0 ? -errno : 0;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (r < 0)
		return r;
	process->id = ++launcher->n_started;
	process->fn = fn;
	process->arg = arg;
	LIST_INSERT_HEAD(&launcher->processes, process, next);
	TAKE(process);
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
	if (signo == SIGKILL && process->cgroup)
		cgroup_kill(process->cgroup);
}

void process_end_text(const struct process_end *end, char ret[PROCESS_END_TEXT])
{
	int status = end->wait_status;

	if (end->failed_exec)
		(void)snprintf(ret, PROCESS_END_TEXT, "%s: %s", end->report.text,
			strerror(end->report.err));
	else if (WIFSIGNALED(status))
		(void)snprintf(ret, PROCESS_END_TEXT, "killed by signal %d (%s)%s",
			WTERMSIG(status), strsignal(WTERMSIG(status)),
			WCOREDUMP(status) ? ", core dumped" : "");
	else
		(void)snprintf(ret, PROCESS_END_TEXT, "exit status %d", WEXITSTATUS(status));
}
