/* One function for each thing that is tried; 0 or -errno. */
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/fd.h"

static int result_of(long value)
{
	return value < 0 ? -errno : 0;
}

static int open_as(const struct ask *ask, int flags)
{
	auto_close int fd = open(ask->path, flags | O_CLOEXEC | O_NONBLOCK, 0600);

	return fd < 0 ? -errno : 0;
}

/* --- files --- */

static int try_read(const struct ask *ask)
{
	auto_close int fd = open(ask->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char byte;

	if (fd < 0)
		return -errno;
	return read(fd, &byte, 1) < 0 && errno != EISDIR ? -errno : 0;
}

static int try_write(const struct ask *ask)
{
	return open_as(ask, O_WRONLY);
}

static int try_create(const struct ask *ask)
{
	return open_as(ask, O_WRONLY | O_CREAT);
}

static int try_truncate(const struct ask *ask)
{
	return result_of(truncate(ask->path, 0));
}

static int try_list(const struct ask *ask)
{
	return open_as(ask, O_RDONLY | O_DIRECTORY);
}

static int try_mkdir(const struct ask *ask)
{
	return result_of(mkdir(ask->path, 0700));
}

static int try_unlink(const struct ask *ask)
{
	return result_of(unlink(ask->path));
}

static int try_rename(const struct ask *ask)
{
	return result_of(rename(ask->path, ask->to));
}

static int try_link(const struct ask *ask)
{
	return result_of(link(ask->path, ask->to));
}

static int try_symlink(const struct ask *ask)
{
	return result_of(symlink(ask->to, ask->path));
}

static int try_chmod(const struct ask *ask)
{
	return result_of(chmod(ask->path, 0777));
}

static int try_chown(const struct ask *ask)
{
	return result_of(lchown(ask->path, 12345, 12345));
}

static int try_touch(const struct ask *ask)
{
	return result_of(utimensat(AT_FDCWD, ask->path, NULL, 0));
}

static int try_fifo(const struct ask *ask)
{
	return result_of(mkfifo(ask->path, 0600));
}

static int try_device(const struct ask *ask)
{
	return result_of(mknod(ask->path, S_IFCHR | 0600, 0x103)); /* /dev/null's number */
}

static int try_handle(const struct ask *ask)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + 128];
	} u = { .handle = { .handle_bytes = 128 } };
	int mount_id;

	if (name_to_handle_at(AT_FDCWD, ask->path, &u.handle, &mount_id, 0) < 0)
		return -errno;
	return result_of(open_by_handle_at(AT_FDCWD, &u.handle, O_RDONLY));
}

/* --- the network --- */

static int connect_to(const struct ask *ask, int type)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)ask->number),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	auto_close int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	return result_of(connect(fd, (const struct sockaddr *)&address, sizeof(address)));
}

static int try_tcp(const struct ask *ask)
{
	return connect_to(ask, SOCK_STREAM);
}

static int try_udp(const struct ask *ask)
{
	return connect_to(ask, SOCK_DGRAM);
}

static int try_bind(const struct ask *ask)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)ask->number) };
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	return result_of(bind(fd, (const struct sockaddr *)&address, sizeof(address)));
}

static int connect_unix(const struct sockaddr_un *address, socklen_t len)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	return result_of(connect(fd, (const struct sockaddr *)address, len));
}

static int try_unix(const struct ask *ask)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", ask->path);
	return connect_unix(&address, sizeof(address));
}

static int try_abstract(const struct ask *ask)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strnlen(ask->path, sizeof(address.sun_path) - 2);

	memcpy(address.sun_path + 1, ask->path, len);
	return connect_unix(
		&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len));
}

static int try_raw(const struct ask *ask)
{
	auto_close int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	return fd < 0 ? -errno : 0;
}

static int try_packet(const struct ask *ask)
{
	auto_close int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : 0;
}

static int try_vsock(const struct ask *ask)
{
	auto_close int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : 0;
}

/* --- other processes --- */

static int try_signal(const struct ask *ask)
{
	return result_of(kill(ask->number, 0));
}

static int try_ptrace(const struct ask *ask)
{
	return result_of(ptrace(PTRACE_SEIZE, ask->number, 0, 0));
}

static int try_peek(const struct ask *ask)
{
	char byte;
	struct iovec here = { &byte, 1 };
	struct iovec there = { (void *)&byte, 1 };

	return result_of(process_vm_readv(ask->number, &here, 1, &there, 1, 0));
}

static int wait_for(pid_t pid)
{
	int status = 0;

	if (pid < 0)
		return -errno;
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int try_fork(const struct ask *ask)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return wait_for(pid);
}

/* In a child where that is possible, or else in our own place. */
static int try_exec(const struct ask *ask)
{
	char name[] = "true";
	char *const argv[] = { name, NULL };
	pid_t pid = fork();

	if (pid <= 0) {
		(void)execve(ask->path, argv, argv + 1);
		if (pid < 0)
			return -errno;
		_exit(errno);
	}
	return wait_for(pid);
}

static int exec_fd(int fd)
{
	char name[] = "true";
	char *const argv[] = { name, NULL };
	pid_t pid = fork();

	if (pid <= 0) {
		(void)syscall(SYS_execveat, fd, "", argv, argv + 1, AT_EMPTY_PATH);
		if (pid < 0)
			return -errno;
		_exit(errno);
	}
	return wait_for(pid);
}

static int try_exec_fd(const struct ask *ask)
{
	auto_close int fd = open(ask->path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : exec_fd(fd);
}

static int try_exec_memory(const struct ask *ask)
{
	auto_close int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	auto_close int fd = (int)syscall(SYS_memfd_create, "x", 1);

	if (fd < 0)
		return -errno;
	if (from >= 0)
		(void)!sendfile(fd, from, NULL, 1 << 24);
	return exec_fd(fd);
}

/* --- the system --- */

static int try_mount(const struct ask *ask)
{
	return result_of(mount("none", ask->path, "tmpfs", 0, NULL));
}

static int try_chroot(const struct ask *ask)
{
	return result_of(chroot(ask->path));
}

static int try_unshare_user(const struct ask *ask)
{
	return result_of(unshare(CLONE_NEWUSER));
}

static int try_unshare_mount(const struct ask *ask)
{
	return result_of(unshare(CLONE_NEWNS));
}

static int try_clone_user(const struct ask *ask)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0)
		_exit(0);
	return wait_for((pid_t)pid);
}

static int try_clone3(const struct ask *ask)
{
	uint64_t args[8] = { [4] = SIGCHLD };
	long pid = syscall(SYS_clone3, args, sizeof(args));

	if (pid == 0)
		_exit(0);
	return wait_for((pid_t)pid);
}

static int try_setuid(const struct ask *ask)
{
	return result_of(syscall(SYS_setuid, 12345));
}

static int try_keyctl(const struct ask *ask)
{
	return result_of(syscall(SYS_keyctl, 0, -3, 1));
}

static int try_bpf(const struct ask *ask)
{
	return result_of(syscall(SYS_bpf, 0, NULL, 0));
}

static int try_perf(const struct ask *ask)
{
	return result_of(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}

static int try_io_uring(const struct ask *ask)
{
	char params[120] = { 0 };

	return result_of(syscall(SYS_io_uring_setup, 1, params));
}

static int try_userfaultfd(const struct ask *ask)
{
	return result_of(syscall(SYS_userfaultfd, 1));
}

static int try_module(const struct ask *ask)
{
	return result_of(syscall(SYS_init_module, NULL, 0, ""));
}

static int try_kexec(const struct ask *ask)
{
	return result_of(syscall(SYS_kexec_load, 0, 0, NULL, 0));
}

static int try_reboot(const struct ask *ask)
{
	return result_of(syscall(SYS_reboot, 0, 0, 0, NULL)); /* wrong magic: never works */
}

static int try_swap(const struct ask *ask)
{
	return result_of(swapoff("/nonexistent"));
}

static int try_clock(const struct ask *ask)
{
	return result_of(syscall(SYS_clock_settime, 0, NULL));
}

static int try_personality(const struct ask *ask)
{
	return result_of(syscall(SYS_personality, 0x0040000));
}

static int try_terminal(const struct ask *ask)
{
	char byte = 'x';

	return result_of(ioctl(STDIN_FILENO, TIOCSTI, &byte));
}

static int try_raise_limit(const struct ask *ask)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	return result_of(setrlimit(RLIMIT_CORE, &limit));
}

static int try_memory(const struct ask *ask)
{
	size_t size = (size_t)ask->number << 20;
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	return result_of(munmap(at, size));
}

static const struct attempt attempts[] = {
	{ "read", try_read },
	{ "write", try_write },
	{ "create", try_create },
	{ "truncate", try_truncate },
	{ "list", try_list },
	{ "mkdir", try_mkdir },
	{ "unlink", try_unlink },
	{ "rename", try_rename },
	{ "link", try_link },
	{ "symlink", try_symlink },
	{ "chmod", try_chmod },
	{ "chown", try_chown },
	{ "touch", try_touch },
	{ "fifo", try_fifo },
	{ "device", try_device },
	{ "handle", try_handle },
	{ "tcp", try_tcp },
	{ "udp", try_udp },
	{ "bind", try_bind },
	{ "unix", try_unix },
	{ "abstract", try_abstract },
	{ "raw", try_raw },
	{ "packet", try_packet },
	{ "vsock", try_vsock },
	{ "signal", try_signal },
	{ "ptrace", try_ptrace },
	{ "peek", try_peek },
	{ "fork", try_fork },
	{ "exec", try_exec },
	{ "exec_fd", try_exec_fd },
	{ "exec_memory", try_exec_memory },
	{ "mount", try_mount },
	{ "chroot", try_chroot },
	{ "unshare_user", try_unshare_user },
	{ "unshare_mount", try_unshare_mount },
	{ "clone_user", try_clone_user },
	{ "clone3", try_clone3 },
	{ "setuid", try_setuid },
	{ "keyctl", try_keyctl },
	{ "bpf", try_bpf },
	{ "perf", try_perf },
	{ "io_uring", try_io_uring },
	{ "userfaultfd", try_userfaultfd },
	{ "module", try_module },
	{ "kexec", try_kexec },
	{ "reboot", try_reboot },
	{ "swap", try_swap },
	{ "clock", try_clock },
	{ "personality", try_personality },
	{ "terminal", try_terminal },
	{ "raise_limit", try_raise_limit },
	{ "memory", try_memory },
	{ 0 },
};

static const char *text_of(json_t *args, const char *name)
{
	const char *text = json_string_value(json_object_get(args, name));

	return text ? text : "";
}

static const struct attempt *find(const struct attempt *among, const char *name)
{
	for (; among->name; among++)
		if (streq(among->name, name))
			return among;
	return NULL;
}

int attempt(json_t *args)
{
	const struct ask ask = {
		.path = text_of(args, "path"),
		.to = text_of(args, "to"),
		.number = (int)json_integer_value(json_object_get(args, "number")),
	};
	const struct attempt *found = find(attempts, text_of(args, "what"));

	if (!found)
		found = find(tricks, text_of(args, "what"));
	return found ? found->fn(&ask) : 1;
}
