/* What a rule forbids, tried in another way: by flags, protocols, and widths that the rule may have
 * overlooked. */
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tiocl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/fd.h"

#ifndef IPPROTO_SMC
#	define IPPROTO_SMC 256
#endif

enum { SET_USER_ID = 04755, OPEN_MODE = 0600 };

static int result_of(long value)
{
	return value < 0 ? -errno : 0;
}

/* --- TCP to a port that is not granted --- */

static struct sockaddr_in address_of(const struct ask *ask)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)ask->number),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int connect_by(const struct ask *ask, int protocol)
{
	struct sockaddr_in address = address_of(ask);
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	return result_of(connect(fd, (const struct sockaddr *)&address, sizeof(address)));
}

static int try_mptcp(const struct ask *ask)
{
	return connect_by(ask, IPPROTO_MPTCP);
}

static int try_sctp(const struct ask *ask)
{
	return connect_by(ask, IPPROTO_SCTP);
}

static int try_smc(const struct ask *ask)
{
	return connect_by(ask, IPPROTO_SMC);
}

/* TCP fast open: the first data starts the connection. */
static int send_fast(const struct ask *ask, int way)
{
	struct sockaddr_in address = address_of(ask);
	char byte = 'x';
	struct iovec data = { &byte, 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_name = &address,
					   .msg_namelen = sizeof(address),
					   .msg_iov = &data,
					   .msg_iovlen = 1 } };
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (way == 0)
		return result_of(sendto(fd, "x", 1, MSG_FASTOPEN, (const struct sockaddr *)&address,
			sizeof(address)));
	if (way == 1)
		return result_of(sendmsg(fd, &message.msg_hdr, MSG_FASTOPEN));
	return result_of(sendmmsg(fd, &message, 1, MSG_FASTOPEN));
}

static int try_fast_sendto(const struct ask *ask)
{
	return send_fast(ask, 0);
}

static int try_fast_sendmsg(const struct ask *ask)
{
	return send_fast(ask, 1);
}

static int try_fast_sendmmsg(const struct ask *ask)
{
	return send_fast(ask, 2);
}

/* A message to a socket that has a path, where socket(2) is refused. */
static int try_unix_datagram(const struct ask *ask)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	auto_close int one = pair[0];
	auto_close int two = pair[1];

	(void)two;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", ask->path);
	return result_of(
		sendto(one, "x", 1, 0, (const struct sockaddr *)&address, sizeof(address)));
}

/* --- other processes of the same user, none of which is a signal --- */

static int try_limit_other(const struct ask *ask)
{
	struct rlimit limit;

	if (prlimit(ask->number, RLIMIT_CORE, NULL, &limit) < 0)
		return -errno;
	return result_of(prlimit(ask->number, RLIMIT_CORE, &limit, NULL));
}

static int try_nice_other(const struct ask *ask)
{
	return result_of(setpriority(PRIO_PROCESS, (id_t)ask->number, 19));
}

static int try_nice_user(const struct ask *ask)
{
	return result_of(setpriority(PRIO_USER, 0, 19));
}

static int try_affinity_other(const struct ask *ask)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return -errno;
	return result_of(sched_setaffinity(ask->number, sizeof(set), &set));
}

static int try_scheduler_other(const struct ask *ask)
{
	const struct sched_param param = { 0 };

	return result_of(sched_setscheduler(ask->number, SCHED_OTHER, &param));
}

/* The kernel signals the owner of a socket when something comes. */
static int try_signal_by_owner(const struct ask *ask)
{
	return result_of(fcntl(STDIN_FILENO, F_SETOWN, ask->number));
}

static int try_outlive(const struct ask *ask)
{
	return result_of(prctl(PR_SET_PDEATHSIG, 0));
}

static int try_shared_memory(const struct ask *ask)
{
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);

	if (id < 0)
		return -errno;
	return result_of(shmctl(id, IPC_RMID, NULL));
}

/* --- upper halves, which the kernel does not look at --- */

static int try_terminal_wide(const struct ask *ask)
{
	char byte = 'x';

	return result_of(syscall(SYS_ioctl, STDIN_FILENO, UINT64_C(1) << 32 | TIOCSTI, &byte));
}

static int try_terminal_paste(const struct ask *ask)
{
	char order = TIOCL_PASTESEL;

	return result_of(ioctl(STDIN_FILENO, TIOCLINUX, &order));
}

static int try_clone_wide(const struct ask *ask)
{
	long pid = syscall(SYS_clone, UINT64_C(1) << 32 | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return result_of(pid);
}

/* --- programs that run with our rights when somebody else starts them --- */

static int try_set_id_open(const struct ask *ask)
{
	auto_close int fd = open(ask->path, O_WRONLY | O_CREAT | O_CLOEXEC, SET_USER_ID);

	return fd < 0 ? -errno : 0;
}

static int try_set_id_openat2(const struct ask *ask)
{
	const uint64_t how[3] = { O_WRONLY | O_CREAT | O_CLOEXEC, SET_USER_ID, 0 };
	auto_close int fd = (int)syscall(SYS_openat2, AT_FDCWD, ask->path, how, sizeof(how));

	return fd < 0 ? -errno : 0;
}

static int try_set_id_fchmod(const struct ask *ask)
{
	auto_close int fd = open(ask->path, O_WRONLY | O_CREAT | O_CLOEXEC, OPEN_MODE);

	return fd < 0 ? -errno : result_of(fchmod(fd, SET_USER_ID));
}

static int try_set_id_chmod(const struct ask *ask)
{
	return result_of(chmod(ask->path, SET_USER_ID));
}

/* --- other ABIs: the kernel ends us for these --- */

static int try_x32(const struct ask *ask)
{
	return result_of(syscall(0x40000000 | SYS_getpid));
}

static int try_i386(const struct ask *ask)
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
	errno = result < 0 ? (int)-result : 0;
	return result_of(result < 0 ? -1 : 0);
#else
	return -ENOSYS;
#endif
}

const struct attempt tricks[] = {
	{ "mptcp", try_mptcp },
	{ "sctp", try_sctp },
	{ "smc", try_smc },
	{ "fast_sendto", try_fast_sendto },
	{ "fast_sendmsg", try_fast_sendmsg },
	{ "fast_sendmmsg", try_fast_sendmmsg },
	{ "unix_datagram", try_unix_datagram },
	{ "limit_other", try_limit_other },
	{ "nice_other", try_nice_other },
	{ "nice_user", try_nice_user },
	{ "affinity_other", try_affinity_other },
	{ "scheduler_other", try_scheduler_other },
	{ "signal_by_owner", try_signal_by_owner },
	{ "outlive", try_outlive },
	{ "shared_memory", try_shared_memory },
	{ "terminal_wide", try_terminal_wide },
	{ "terminal_paste", try_terminal_paste },
	{ "clone_wide", try_clone_wide },
	{ "set_id_open", try_set_id_open },
	{ "set_id_openat2", try_set_id_openat2 },
	{ "set_id_fchmod", try_set_id_fchmod },
	{ "set_id_chmod", try_set_id_chmod },
	{ "x32", try_x32 },
	{ "i386", try_i386 },
	{ 0 },
};
