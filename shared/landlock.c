#include "shared/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
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
	ASK_VERSION = 1 << 0,
	RULE_PATH_BENEATH = 1,
	LEAST_VERSION = 2,
	TRUNCATE_VERSION = 3,
};

#define FS_EXECUTE (UINT64_C(1) << 0)
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_DIR (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_DIR (UINT64_C(1) << 7)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_MAKE_SYM (UINT64_C(1) << 12)
#define FS_REFER (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)

/* All that release 2 knows, also what no rule of ours allows: sockets, FIFOs, devices. */
#define FS_ALL_OF_V2 ((UINT64_C(1) << 14) - 1)

/* Of these, what makes sense for a file that is not a directory. */
#define FS_OF_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)

struct ruleset_attr {
	uint64_t handled_fs;
};

struct path_beneath_attr {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

static int version(void)
{
	long n = syscall(SYS_CREATE_RULESET, NULL, 0, ASK_VERSION);

	return n < 0 ? 0 : (int)n;
}

static uint64_t handled(void)
{
	return FS_ALL_OF_V2 | (version() >= TRUNCATE_VERSION ? FS_TRUNCATE : 0);
}

int landlock_new(int *ret_rules)
{
	struct ruleset_attr attr = { .handled_fs = handled() };
	long fd;

	if (version() < LEAST_VERSION)
		return -EOPNOTSUPP;
	fd = syscall(SYS_CREATE_RULESET, &attr, sizeof(attr), 0); /* close-on-exec from birth */
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
		bits |= FS_WRITE_FILE | FS_TRUNCATE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR |
			FS_MAKE_REG | FS_MAKE_SYM | FS_REFER;
	if (access & LANDLOCK_EXECUTE)
		bits |= FS_EXECUTE;

	return bits & handled();
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

int landlock_enter(int rules)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;

	return syscall(SYS_RESTRICT_SELF, rules, 0) < 0 ? -errno : 0;
}
