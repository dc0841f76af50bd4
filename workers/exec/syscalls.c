/* See syscalls.h. What stands in no list is refused: ptrace, mount, keyctl, bpf, io_uring, namespaces,
 * devices, clocks, modules, and whatever a newer kernel brings. */
#include "workers/exec/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"

/* Memory, time, signals to itself, descriptors that are open, reading files, waiting, threads. */
static const char *const base_calls[] = { "access", "alarm", "arch_prctl", "brk", "chdir",
	"clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64",
	"clock_nanosleep", "clock_nanosleep_time64", "close", "close_range", "dup", "dup2", "dup3",
	"epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"eventfd", "eventfd2", "exit", "exit_group", "faccessat", "faccessat2", "fadvise64",
	"fadvise64_64", "fchdir", "fgetxattr", "flistxattr", "flock", "fstat", "fstat64",
	"fstatat64", "fstatfs", "fstatfs64", "futex", "futex_time64", "futex_waitv",
	"get_robust_list", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
	"getcpu", "getcwd", "getdents", "getdents64", "getegid", "getegid32", "geteuid",
	"geteuid32", "getgid", "getgid32", "getgroups", "getgroups32", "getitimer", "getpeername",
	"getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrandom", "getresgid",
	"getresgid32", "getresuid", "getresuid32", "getrlimit", "getrusage", "getsid",
	"getsockname", "getsockopt", "gettid", "gettimeofday", "getuid", "getuid32", "getxattr",
	"lgetxattr", "listxattr", "llistxattr", "lseek", "_llseek", "lstat", "lstat64", "madvise",
	"membarrier", "mincore", "mlock", "mlock2", "mmap", "mmap2", "mprotect", "mremap", "msync",
	"munlock", "munmap", "nanosleep", "newfstatat", "_newselect", "pause", "pipe", "pipe2",
	"poll", "ppoll", "ppoll_time64", "pread64", "preadv", "preadv2", "pselect6",
	"pselect6_time64", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink",
	"readlinkat", "readv", "recv", "recvfrom", "recvmmsg", "recvmsg", "restart_syscall",
	"riscv_flush_icache", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
	"rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64",
	"sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getparam",
	"sched_getscheduler", "sched_yield", "select", "send", "sendfile", "sendfile64",
	"set_robust_list", "set_tid_address", "setitimer", "shutdown", "sigaltstack", "signalfd",
	"signalfd4", "sigreturn", "stat", "stat64", "statfs", "statfs64", "statx", "sysinfo",
	"time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
	"timer_gettime64", "timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime",
	"timerfd_gettime64", "timerfd_settime", "timerfd_settime64", "times", "ugetrlimit", "umask",
	"uname", "write", "writev", NULL };

static const char *const write_calls[] = { "copy_file_range", "fallocate", "fchown", "fchown32",
	"fdatasync", "fremovexattr", "fsetxattr", "fsync", "ftruncate", "ftruncate64", "link",
	"linkat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "rmdir", "splice",
	"symlink", "symlinkat", "sync_file_range", "syncfs", "tee", "truncate", "truncate64",
	"unlink", "unlinkat", NULL };

/* By path, which Landlock does not judge: whoever owns a file may do it, wherever it lies. */
static const char *const metadata_calls[] = { "chown", "chown32", "fchownat", "futimesat", "lchown",
	"lchown32", "lremovexattr", "lsetxattr", "removexattr", "setxattr", "utime", "utimensat",
	"utimensat_time64", "utimes", NULL };

static const char *const process_calls[] = { "execve", "execveat", "fork", "kill", "pidfd_open",
	"pidfd_send_signal", "setpgid", "setrlimit", "setsid", "tgkill", "tkill", "vfork", "wait4",
	"waitid", "waitpid", NULL };

static const char *const socket_calls[] = { "connect", "setsockopt", NULL };

/* What is a server's stays refused, and what raises privileges. */
static const char *const wide_calls[] = { "capget", "get_mempolicy", "getegid", "inotify_add_watch",
	"inotify_init", "inotify_init1", "inotify_rm_watch", "memfd_create", "memfd_secret",
	"mlockall", "munlockall", "pkey_alloc", "pkey_free", "pkey_mprotect", "rt_sigqueueinfo",
	"rt_tgsigqueueinfo", "sched_getattr", "set_mempolicy", "vmsplice", NULL };

#ifdef WITH_SANITIZERS
/* LeakSanitizer stops the process from a clone of it. */
static const char *const sanitizer_calls[] = { "clone", "personality", "prctl", "process_vm_readv",
	"ptrace", "setrlimit", "tgkill", "wait4", NULL };
#endif

/* Refused with ENOSYS: the C library then takes the older call, whose arguments can be judged. */
static const char *const unknown_calls[] = { "clone3", "io_uring_setup", NULL };

/* Calls of which one argument is judged: allowed where its bits under `mask` are `value`. The kernel looks
 * at the lower half of what it takes for an int, so the upper half is never part of the mask. */
struct judged {
	const char *name;
	unsigned arg;
	uint64_t mask;
	uint64_t value;
};

enum {
	SET_ID_BITS = S_ISUID | S_ISGID,
	MAY_MAKE_FILE = O_CREAT | (O_TMPFILE & ~O_DIRECTORY),
};

/* Limits of itself, not of another process of this user. Data, but not together with the start of a
 * connection, which Landlock does not see. No programs that give their user our rights. */
static const struct judged base_judged[] = {
	{ "prlimit64", 0, UINT32_MAX, 0 },
	{ "sendto", 3, MSG_FASTOPEN, 0 },
	{ "sendmsg", 2, MSG_FASTOPEN, 0 },
	{ "sendmmsg", 3, MSG_FASTOPEN, 0 },
	{ "open", 1, MAY_MAKE_FILE, 0 },
	{ "open", 2, SET_ID_BITS, 0 },
	{ "openat", 2, MAY_MAKE_FILE, 0 },
	{ "openat", 3, SET_ID_BITS, 0 },
};
static const struct judged write_judged[] = {
	{ "creat", 1, SET_ID_BITS, 0 },
	{ "fchmod", 1, SET_ID_BITS, 0 },
};
static const struct judged metadata_judged[] = {
	{ "chmod", 1, SET_ID_BITS, 0 },
	{ "fchmodat", 2, SET_ID_BITS, 0 },
	{ "fchmodat2", 2, SET_ID_BITS, 0 },
};
/* Of itself only. */
static const struct judged wide_judged[] = {
	{ "sched_setaffinity", 0, UINT32_MAX, 0 },
	{ "sched_setattr", 0, UINT32_MAX, 0 },
	{ "sched_setparam", 0, UINT32_MAX, 0 },
	{ "sched_setscheduler", 0, UINT32_MAX, 0 },
};

/* Without F_SETOWN and F_SETSIG, which make the kernel signal another process for us, and without
 * leases, with which others wait for us. */
static const int own_fcntls[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL,
	F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_GETPIPE_SZ,
	F_SETPIPE_SZ };

/* Without PR_SET_PDEATHSIG: a worker must not outlive a supervisor that is killed. */
static const int own_prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_SET_DUMPABLE,
	PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_SET_VMA };

/* These put what is written into the input of whoever has the terminal. */
static const unsigned long terminal_inputs[] = { TIOCSTI, TIOCLINUX };

static const unsigned long terminal_ioctls[] = { FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, TCGETS,
	TIOCGWINSZ, TIOCGPGRP };
enum { FICLONE_REQUEST = 0x40049409 };

/* A namespace of its own would give a process rights that it does not have. */
enum {
	CLONE_NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
			   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | 0x80 /* CLONE_NEWTIME */,
	SOCKET_TYPE_MASK = 0xf,
#if defined(__s390__)
	CLONE_FLAGS_ARG = 1,
#else
	CLONE_FLAGS_ARG = 0,
#endif
	/* The first system call that the oldest supported libseccomp cannot name; they are numbered
	 * alike everywhere. */
	FIRST_NEW_CALL = 451,
	LAST_NEW_CALL = 600,
	SECRET_ATTEMPTS = 64,
};

static int allow(scmp_filter_ctx filter, const char *const *names)
{
	int r = 0;

	for (; r == 0 && *names; names++) {
		int number = seccomp_syscall_resolve_name(*names);

		/* Negative: not of this machine, or newer than libseccomp. */
		if (number >= 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
	}
	return r;
}

/* Only with an argument whose bits under `mask` are `value`. */
static int allow_masked(
	scmp_filter_ctx filter, const char *name, unsigned arg, uint64_t mask, uint64_t value)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number < 0)
		return 0;
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1,
		SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, mask, value));
}

static int allow_judged(scmp_filter_ctx filter, const struct judged *calls, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = allow_masked(
			filter, calls[i].name, calls[i].arg, calls[i].mask, calls[i].value);
	return r;
}

static int allow_requests(
	scmp_filter_ctx filter, const char *name, unsigned arg, const int *requests, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = allow_masked(filter, name, arg, UINT32_MAX, (uint64_t)requests[i]);
	return r;
}

/* Who may not signal others by kill(2) may not do so in other ways. */
static int allow_own_requests(scmp_filter_ctx filter, bool may_fork)
{
	static const char *const all[] = { "fcntl", "fcntl64", "prctl", NULL };
	int r;

	if (may_fork)
		return allow(filter, all);
	r = allow_requests(filter, "fcntl", 1, own_fcntls, N_ELEMENTS(own_fcntls));
	if (r == 0)
		r = allow_requests(filter, "fcntl64", 1, own_fcntls, N_ELEMENTS(own_fcntls));
	return r < 0 ? r : allow_requests(filter, "prctl", 0, own_prctls, N_ELEMENTS(own_prctls));
}

/* The mode stands in memory, where it cannot be judged: programs of others take openat(2). */
static int allow_openat2(scmp_filter_ctx filter, const struct profile *profile)
{
	static const char *const names[] = { "openat2", NULL };

	if (profile->is_native)
		return allow(filter, names);
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
}

static int allow_wide(scmp_filter_ctx filter)
{
	int r = allow(filter, wide_calls);

	if (r == 0)
		r = allow_judged(filter, wide_judged, N_ELEMENTS(wide_judged));
	return r < 0 ? r
		     : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(setpriority), 2,
			       SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, PRIO_PROCESS),
			       SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, 0));
}

/* Times of an open file: without a path. */
static int allow_own_times(scmp_filter_ctx filter)
{
	int r = allow_masked(filter, "utimensat", 1, UINT64_MAX, 0);

	return r < 0 ? r : allow_masked(filter, "utimensat_time64", 1, UINT64_MAX, 0);
}

static int allow_threads(scmp_filter_ctx filter, bool may_fork)
{
	if (may_fork)
		return allow_masked(filter, "clone", CLONE_FLAGS_ARG, CLONE_NAMESPACES, 0);
	return allow_masked(
		filter, "clone", CLONE_FLAGS_ARG, CLONE_NAMESPACES | CLONE_THREAD, CLONE_THREAD);
}

/* To itself only: abort(), and timers of threads. Its pid stays what it is now. */
static int allow_own_signals(scmp_filter_ctx filter)
{
	const uint64_t pid = (uint64_t)getpid();
	int r = allow_masked(filter, "tgkill", 0, UINT32_MAX, pid);

	return r < 0 ? r : allow_masked(filter, "kill", 0, UINT32_MAX, pid);
}

static int allow_ioctls(scmp_filter_ctx filter, const struct profile *profile)
{
	static const char *const all[] = { "ioctl", NULL };
	int r = 0;

	/* Requests on devices are Landlock's business, terminals that of refuse_terminal_input(). */
	if (profile->calls & CALLS_PROCESSES)
		return allow(filter, all);
	for (size_t i = 0; r == 0 && i < N_ELEMENTS(terminal_ioctls); i++)
		r = allow_masked(filter, "ioctl", 1, UINT32_MAX, terminal_ioctls[i]);
	return r < 0 ? r : allow_masked(filter, "ioctl", 1, UINT32_MAX, FICLONE_REQUEST);
}

static int allow_socket(scmp_filter_ctx filter, int family, int type, int protocol)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3,
		SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint64_t)family),
		SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, SOCKET_TYPE_MASK, (uint64_t)type),
		SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint64_t)protocol));
}

/* TCP and UDP by name: Landlock's ports do not hold for MPTCP, SMC or SCTP. */
static int allow_family(scmp_filter_ctx filter, int family)
{
	int r = allow_socket(filter, family, SOCK_STREAM, 0);

	if (r == 0)
		r = allow_socket(filter, family, SOCK_STREAM, IPPROTO_TCP);
	if (r == 0)
		r = allow_socket(filter, family, SOCK_DGRAM, 0);
	return r < 0 ? r : allow_socket(filter, family, SOCK_DGRAM, IPPROTO_UDP);
}

/* Clients of the internet; the kernel's list of addresses, which getaddrinfo() asks for; an SSH agent
 * where the operator named one. */
static int allow_sockets(scmp_filter_ctx filter)
{
	int r = allow(filter, socket_calls);

	if (r == 0)
		r = allow_family(filter, AF_INET);
	if (r == 0)
		r = allow_family(filter, AF_INET6);
	if (r == 0 && getenv("SSH_AUTH_SOCK"))
		r = allow_socket(filter, AF_UNIX, SOCK_STREAM, 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
			SCMP_CMP64(0, SCMP_CMP_EQ, AF_NETLINK),
			SCMP_CMP64(2, SCMP_CMP_EQ, NETLINK_ROUTE));
	/* Sent from where the kernel chooses. */
	return r == 0 ? allow_masked(filter, "bind", 2, UINT32_MAX, sizeof(struct sockaddr_nl)) : r;
}

/* Not of datagrams: from such a socket messages can be sent to any other one that has a path. */
static int allow_pairs(scmp_filter_ctx filter)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
	int r = 0;

	for (size_t i = 0; r == 0 && i < N_ELEMENTS(types); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 2,
			SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_UNIX),
			SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, SOCKET_TYPE_MASK, (uint64_t)types[i]));
	return r;
}

static int allow_exec(scmp_filter_ctx filter, const struct only_exec *exec)
{
	if (!exec)
		return 0;
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(execveat), 3,
		SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint64_t)exec->fd),
		SCMP_CMP64(1, SCMP_CMP_EQ, (uint64_t)(uintptr_t)exec->path),
		SCMP_CMP64(4, SCMP_CMP_MASKED_EQ, UINT32_MAX, AT_EMPTY_PATH));
}

static bool libseccomp_knows(int number)
{
	auto_free char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

	return name != NULL;
}

static int refuse_as_unknown(scmp_filter_ctx filter)
{
	int r = 0;

	for (const char *const *name = unknown_calls; r == 0 && *name; name++) {
		int number = seccomp_syscall_resolve_name(*name);

		if (number >= 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
	}
	for (int number = FIRST_NEW_CALL; r == 0 && number <= LAST_NEW_CALL; number++)
		if (!libseccomp_knows(number))
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
	return r;
}

static int allow_writing(scmp_filter_ctx filter, const struct profile *profile)
{
	int r = allow(filter, write_calls);

	if (r == 0)
		r = allow_judged(filter, write_judged, N_ELEMENTS(write_judged));
	if (r < 0 || profile->is_native)
		return r < 0 ? r : allow_own_times(filter);
	r = allow(filter, metadata_calls);
	return r < 0 ? r : allow_judged(filter, metadata_judged, N_ELEMENTS(metadata_judged));
}

static int allow_base(scmp_filter_ctx filter, const struct profile *profile, bool may_fork)
{
	int r = allow(filter, base_calls);

	if (r == 0)
		r = allow_judged(filter, base_judged, N_ELEMENTS(base_judged));
	if (r == 0)
		r = allow_openat2(filter, profile);
	if (r == 0)
		r = allow_own_requests(filter, may_fork);
	if (r == 0)
		r = allow_threads(filter, may_fork);
	return r < 0 ? r : allow_ioctls(filter, profile);
}

static int allow_groups(scmp_filter_ctx filter, const struct plan *plan,
	const struct profile *profile, const struct only_exec *exec)
{
	bool may_fork = (profile->calls & CALLS_PROCESSES) != 0 || plan->programs.n > 0;
	int r = allow_base(filter, profile, may_fork);

	if (r == 0 && (profile->calls & CALLS_WRITE))
		r = allow_writing(filter, profile);
	if (r == 0)
		r = may_fork ? allow(filter, process_calls) : allow_own_signals(filter);
	if (r == 0 && may_fork)
		r = allow_pairs(filter);
	if (r == 0 && (profile->calls & CALLS_WIDE))
		r = allow_wide(filter);
	if (r == 0 && plan->connect.n > 0)
		r = allow_sockets(filter);
#ifdef WITH_SANITIZERS
	if (r == 0)
		r = allow(filter, sanitizer_calls);
#endif
	if (r == 0)
		r = allow_exec(filter, exec);
	return r < 0 ? r : refuse_as_unknown(filter);
}

/* A tree instead of a list: a call costs eight comparisons, not a hundred. */
static int load(scmp_filter_ctx filter)
{
	int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	return r < 0 ? r : seccomp_load(filter);
}

/* A filter of its own, for no comparison says "not equal" of a lower half alone. */
static int refuse_terminal_input(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = 0;

	if (!filter)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < N_ELEMENTS(terminal_inputs); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
			SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, terminal_inputs[i]));
	if (r == 0)
		r = load(filter);
	seccomp_release(filter);
	return r;
}

int syscalls_confine(const struct plan *plan, const struct profile *profile,
	const struct only_exec *exec, struct fail *fail)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!filter)
		return fail_set(fail, -ENOMEM, "cannot make a seccomp filter");
	r = allow_groups(filter, plan, profile, exec);
	if (r == 0 && (profile->calls & CALLS_PROCESSES))
		r = refuse_terminal_input();
	if (r == 0)
		r = load(filter);
	seccomp_release(filter);
	return r < 0 ? fail_set(fail, r, "cannot install the seccomp filter") : 0;
}

const char *syscalls_secret_path(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (int i = 0; i < SECRET_ATTEMPTS; i++) {
		uint64_t bits = 0;
		void *at;

		if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
			return NULL;
		/* Below 2^46, so that it exists with every layout of addresses. */
		bits &= (UINT64_C(1) << 46) - 1;
		/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		at = (void *)(uintptr_t)(bits & ~(uint64_t)(page - 1));
		at = mmap(at, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			-1, 0);
		if (at != MAP_FAILED)
			return (const char *)at + (bits & (page - 1));
	}
	return NULL;
}
