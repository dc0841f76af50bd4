#include "shared/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shared/fd.h"

/* The kernel's interface, written out: the headers of the oldest systems we build on lack it. */
enum {
	SYS_CREATE_RULESET = 444, /* the same on every architecture we build for */
	SYS_ADD_RULE = 445,
	SYS_RESTRICT_SELF = 446,
	ASK_ABI = 1 << 0,
	RULE_PATH_BENEATH = 1,
	RULE_PORT = 2,
};

enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_MAKE_SYM = 1 << 12,
	FS_REFER = 1 << 13,
	FS_TRUNCATE = 1 << 14,  /* ABI 3 */
	FS_IOCTL_DEV = 1 << 15, /* ABI 5 */

	/* All that ABI 2 knows, also what no rule of ours allows: sockets, FIFOs, devices are ways to other
	 * processes. */
	FS_ALL_OF_ABI_2 = (1 << 14) - 1,
	/* Of these, what makes sense for a file that is not a directory. */
	FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE,
};

enum { TCP_BIND = 1 << 0, TCP_CONNECT = 1 << 1 };
enum { SCOPE_ABSTRACT_UNIX = 1 << 0, SCOPE_SIGNAL = 1 << 1 };

struct ruleset_attr {
	uint64_t fs;
	uint64_t tcp;    /* ABI 4 */
	uint64_t scopes; /* ABI 6 */
};

struct path_beneath_attr {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

struct port_attr {
	uint64_t allowed;
	uint64_t port;
};

int landlock_abi(void)
{
	long n = syscall(SYS_CREATE_RULESET, NULL, 0, ASK_ABI);

	return n < 0 ? 0 : (int)n;
}

/* An older kernel wants a shorter struct. */
static size_t describe(int abi, unsigned refusals, struct ruleset_attr *ret)
{
	size_t size = offsetof(struct ruleset_attr, tcp);

	*ret = (struct ruleset_attr){ .fs = FS_ALL_OF_ABI_2 };
	if (abi >= LANDLOCK_ABI_TRUNCATE)
		ret->fs |= FS_TRUNCATE;
	if (abi >= LANDLOCK_ABI_DEVICES && (refusals & LANDLOCK_NO_DEVICES))
		ret->fs |= FS_IOCTL_DEV;
	if (abi >= LANDLOCK_ABI_TCP) {
		ret->tcp = (refusals & LANDLOCK_NO_BIND ? TCP_BIND : 0) |
			   (refusals & LANDLOCK_NO_CONNECT ? TCP_CONNECT : 0);
		size = offsetof(struct ruleset_attr, scopes);
	}
	if (abi >= LANDLOCK_ABI_OTHERS) {
		ret->scopes =
			refusals & LANDLOCK_NO_OTHERS ? SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL : 0;
		size = sizeof(*ret);
	}
	return size;
}

int landlock_new(unsigned refusals, int *ret_rules)
{
	const int abi = landlock_abi();
	struct ruleset_attr attr;
	size_t size = describe(abi, refusals, &attr);
	long fd;

	if (abi < LANDLOCK_ABI_FILES)
		return -EOPNOTSUPP;
	fd = syscall(SYS_CREATE_RULESET, &attr, size, 0); /* close-on-exec from birth */
	if (fd < 0)
		return -errno;
	*ret_rules = (int)fd;
	return 0;
}

static uint64_t bits_of(unsigned access)
{
	uint64_t bits = 0;

	if (access & LANDLOCK_READ)
		bits |= FS_READ_FILE | FS_READ_DIR;
	if (access & LANDLOCK_WRITE)
		bits |= FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG |
			FS_MAKE_SYM | FS_REFER;
	if (access & LANDLOCK_EXECUTE)
		bits |= FS_EXECUTE;
	if ((access & LANDLOCK_WRITE) && landlock_abi() >= LANDLOCK_ABI_TRUNCATE)
		bits |= FS_TRUNCATE;
	return bits;
}

int landlock_allow_fd(int rules, int fd, unsigned access)
{
	struct path_beneath_attr attr = { .allowed = bits_of(access), .parent_fd = fd };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		attr.allowed &= FS_OF_FILES;
	return syscall(SYS_ADD_RULE, rules, RULE_PATH_BENEATH, &attr, 0) < 0 ? -errno : 0;
}

int landlock_allow(int rules, const char *path, unsigned access)
{
	auto_close int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : landlock_allow_fd(rules, fd, access);
}

int landlock_allow_port(int rules, uint16_t port)
{
	const struct port_attr attr = { .allowed = TCP_CONNECT, .port = port };

	if (landlock_abi() < LANDLOCK_ABI_TCP)
		return 0;
	return syscall(SYS_ADD_RULE, rules, RULE_PORT, &attr, 0) < 0 ? -errno : 0;
}

int landlock_enter(int rules)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return syscall(SYS_RESTRICT_SELF, rules, 0) < 0 ? -errno : 0;
}
