/* See files.h. The constants of Landlock stand here, because the headers of older systems lack those
 * that a newer kernel has. */
#include "workers/exec/files.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shared/fd.h"
#include "shared/kernel.h"

#ifndef SYS_landlock_create_ruleset
#	define SYS_landlock_create_ruleset 444
#	define SYS_landlock_add_rule 445
#	define SYS_landlock_restrict_self 446
#endif

enum access {
	MAY_EXECUTE = 1 << 0,
	MAY_WRITE_FILE = 1 << 1,
	MAY_READ_FILE = 1 << 2,
	MAY_READ_DIR = 1 << 3,
	MAY_REMOVE_DIR = 1 << 4,
	MAY_REMOVE_FILE = 1 << 5,
	MAY_MAKE_CHAR = 1 << 6,
	MAY_MAKE_DIR = 1 << 7,
	MAY_MAKE_REG = 1 << 8,
	MAY_MAKE_SOCK = 1 << 9,
	MAY_MAKE_FIFO = 1 << 10,
	MAY_MAKE_BLOCK = 1 << 11,
	MAY_MAKE_SYM = 1 << 12,
	MAY_REFER = 1 << 13,
	MAY_TRUNCATE = 1 << 14,
	MAY_IOCTL_DEV = 1 << 15, /* ABI 5 */

	MAY_READ = MAY_READ_FILE | MAY_READ_DIR,
	/* No sockets, FIFOs, devices: nothing of ours makes them, and they are ways to other processes. */
	MAY_CHANGE = MAY_READ | MAY_WRITE_FILE | MAY_REMOVE_DIR | MAY_REMOVE_FILE | MAY_MAKE_DIR |
		     MAY_MAKE_REG | MAY_MAKE_SYM | MAY_REFER | MAY_TRUNCATE,
	ON_FILES = MAY_EXECUTE | MAY_WRITE_FILE | MAY_READ_FILE | MAY_TRUNCATE | MAY_IOCTL_DEV,
	ALL_ABI_3 = (1 << 15) - 1,
};

enum { TCP_BIND = 1 << 0, TCP_CONNECT = 1 << 1 };
enum { SCOPE_ABSTRACT_UNIX = 1 << 0, SCOPE_SIGNAL = 1 << 1 };
enum { RULE_PATH = 1, RULE_PORT = 2 };

struct ruleset_attr {
	uint64_t files;
	uint64_t tcp;    /* ABI 4 */
	uint64_t scopes; /* ABI 6 */
};

struct path_attr {
	uint64_t access;
	int32_t fd;
} __attribute__((packed));

struct port_attr {
	uint64_t access;
	uint64_t port;
};

static const char ANY[] = "any";

static bool may_connect_anywhere(const struct plan *plan)
{
	for (size_t i = 0; i < plan->connect.n; i++)
		if (streq(plan->connect.items[i], ANY))
			return true;
	return false;
}

static int create(const struct plan *plan, int abi)
{
	struct ruleset_attr attr = { .files = ALL_ABI_3 };
	size_t size = sizeof(attr.files);

	if (abi >= LANDLOCK_ABI_TCP) {
		attr.tcp = TCP_BIND | (may_connect_anywhere(plan) ? 0 : TCP_CONNECT);
		size = offsetof(struct ruleset_attr, scopes);
	}
	if (abi >= LANDLOCK_ABI_DEVICES)
		attr.files |= MAY_IOCTL_DEV;
	if (abi >= LANDLOCK_ABI_SCOPES) {
		attr.scopes = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
		size = sizeof(attr);
	}
	return (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
}

static int allow_fd(int ruleset, int fd, uint64_t access)
{
	struct path_attr attr = { .fd = fd };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	attr.access = S_ISDIR(st.st_mode) ? access : access & ON_FILES;
	return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &attr, 0) < 0 ? -errno : 0;
}

static int allow(int ruleset, const char *path, uint64_t access)
{
	auto_close int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : allow_fd(ruleset, fd, access);
}

/* Of the profile: what is not there on this system is not needed. */
static int allow_known(int ruleset, const char *const *paths, uint64_t access, struct fail *fail)
{
	for (; paths && *paths; paths++) {
		int r = allow(ruleset, *paths, access);

		if (r < 0 && r != -ENOENT && r != -ENOTDIR && r != -EACCES && r != -ELOOP)
			return fail_set(fail, r, "cannot grant '%s'", *paths);
	}
	return 0;
}

/* Of the plan: somebody has written it and counts on it. */
static int allow_listed(
	int ruleset, const char *key, struct str_list paths, uint64_t access, struct fail *fail)
{
	for (size_t i = 0; i < paths.n; i++) {
		int r = allow(ruleset, paths.items[i], access);

		if (r < 0)
			return fail_set(fail, r, "cannot grant %s '%s'", key, paths.items[i]);
	}
	return 0;
}

/* Files that variables name for the libraries below us. */
static int allow_from_environment(int ruleset, struct fail *fail)
{
	static const char *const names[] = { "SSL_CERT_FILE", "SSL_CERT_DIR", "TZDIR" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		const char *const path[] = { getenv(names[i]), NULL };
		int r = allow_known(ruleset, path, MAY_READ, fail);

		if (r < 0)
			return r;
	}
	return 0;
}

static int on_first_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char **ret = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_INTERP)
			/* An address in our own image. NOLINTNEXTLINE(performance-no-int-to-ptr) */
			*ret = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	return 1; /* the first one is the program itself */
}

/* The dynamic loader, which the kernel executes with the program: a native worker has the one that we
 * have. NULL: we are linked statically. */
static const char *find_loader(void)
{
	const char *loader = NULL;

	(void)dl_iterate_phdr(on_first_object, &loader);
	return loader;
}

static int allow_program(int ruleset, const struct plan *plan, const struct profile *profile,
	int fd, struct fail *fail)
{
	const char *loader = profile->is_native ? find_loader() : NULL;
	int r = allow_fd(ruleset, fd, MAY_READ_FILE | MAY_EXECUTE);

	if (r == 0 && loader)
		r = allow(ruleset, loader, MAY_READ_FILE | MAY_EXECUTE);
	if (r < 0)
		return fail_set(fail, r, "cannot grant the program itself");
	if (profile->is_native && plan->programs.n == 0)
		return 0;
	r = allow_known(ruleset, profile->programs, MAY_READ | MAY_EXECUTE, fail);
	return r < 0 ? r : allow_known(ruleset, profile->program_reads, MAY_READ, fail);
}

static int allow_profile(
	int ruleset, const struct plan *plan, const struct profile *profile, struct fail *fail)
{
	int r = allow_known(ruleset, profile_common_reads, MAY_READ, fail);

	if (r == 0)
		r = allow_known(ruleset, profile_common_writes, MAY_READ | MAY_WRITE_FILE, fail);
	if (r == 0)
		r = allow_known(ruleset, profile->reads, MAY_READ, fail);
	if (r == 0 && plan->connect.n > 0)
		r = allow_known(ruleset, profile->connected_reads, MAY_READ, fail);
	return r < 0 ? r : allow_from_environment(ruleset, fail);
}

/* Programs of others find parts of themselves, and the interpreter that runs them, in what they may
 * read; never in what they may write. */
static int allow_plan(
	int ruleset, const struct plan *plan, const struct profile *profile, struct fail *fail)
{
	const uint64_t access = profile->is_native ? MAY_READ : MAY_READ | MAY_EXECUTE;
	int r = allow_listed(ruleset, "read", plan->read, access, fail);

	if (r == 0)
		r = allow_listed(ruleset, "write", plan->write, MAY_CHANGE, fail);
	if (r == 0)
		r = allow_listed(ruleset, "programs", plan->programs, MAY_READ | MAY_EXECUTE, fail);
	return r;
}

static int allow_ports(int ruleset, const struct plan *plan, struct fail *fail)
{
	if (may_connect_anywhere(plan))
		return 0;
	for (size_t i = 0; i < plan->connect.n; i++) {
		const char *text = plan->connect.items[i];
		char *end;
		struct port_attr attr = { .access = TCP_CONNECT };

		attr.port = strtoul(text, &end, 10);
		if (end == text || *end || attr.port == 0 || attr.port > UINT16_MAX)
			return fail_set(fail, -EINVAL, "connect: '%s' is not a port", text);
		if (syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &attr, 0) < 0)
			return fail_set(fail, -errno, "cannot grant port %s", text);
	}
	return 0;
}

int files_confine(
	const struct plan *plan, const struct profile *profile, int program_fd, struct fail *fail)
{
	int abi = kernel_landlock_abi();
	auto_close int ruleset = -1;
	int r;

	if (abi < LANDLOCK_ABI_FILES)
		return 0;
	ruleset = create(plan, abi);
	if (ruleset < 0)
		return fail_set(fail, -errno, "cannot make a Landlock ruleset");
	r = allow_program(ruleset, plan, profile, program_fd, fail);
	if (r == 0)
		r = allow_profile(ruleset, plan, profile, fail);
	if (r == 0)
		r = allow_plan(ruleset, plan, profile, fail);
	if (r == 0 && abi >= LANDLOCK_ABI_TCP)
		r = allow_ports(ruleset, plan, fail);
	if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		r = fail_set(fail, -errno, "cannot enforce the Landlock ruleset");
	return r;
}
