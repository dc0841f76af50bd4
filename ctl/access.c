/* See access.h. */
#include "ctl/access.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/wait.h>

#include "shared/alloc.h"
#include "shared/fd.h"

enum { MAX_STATUS = 65536 };

/* The numbers behind "\nGroups:\t". */
static size_t read_numbers(const char *status, const char *name, unsigned *ret, size_t max)
{
	const char *at = strstr(status, name);
	size_t n = 0;

	for (at = at ? at + strlen(name) : ""; n < max && *at && *at != '\n';) {
		char *end;
		unsigned long number = strtoul(at, &end, 10);

		if (end == at)
			break;
		ret[n++] = (unsigned)number;
		at = end + strspn(end, " \t");
	}
	return n;
}

int access_user_of_process(pid_t pid, struct access_user *ret)
{
	auto_free char *path = alloc_printf("/proc/%d/status", (int)pid);
	auto_strbuf status = { 0 };
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned ids[4];
	int r = fd < 0 ? -errno : fd_read_all(fd, MAX_STATUS, &status);

	if (r < 0)
		return r;
	*ret = (struct access_user){ 0 };
	if (read_numbers(strbuf_get(&status), "\nUid:\t", ids, 4) < 4)
		return -EPROTO;
	ret->uid = ids[3]; /* of the file system */
	if (read_numbers(strbuf_get(&status), "\nGid:\t", ids, 4) < 4)
		return -EPROTO;
	ret->gid = ids[3];
	ret->n_groups = read_numbers(
		strbuf_get(&status), "\nGroups:\t", ret->groups, N_ELEMENTS(ret->groups));
	return 0;
}

int access_user_by_uid(uid_t uid, struct access_user *ret)
{
	const struct passwd *user = getpwuid(uid);
	int n = N_ELEMENTS(ret->groups);

	if (!user)
		return -ENOENT;
	*ret = (struct access_user){ .uid = uid, .gid = user->pw_gid };
	if (getgrouplist(user->pw_name, user->pw_gid, ret->groups, &n) < 0)
		n = N_ELEMENTS(ret->groups);
	ret->n_groups = (size_t)n;
	return 0;
}

static bool is_in_group(const struct access_user *user, gid_t gid)
{
	if (user->gid == gid)
		return true;
	for (size_t i = 0; i < user->n_groups; i++)
		if (user->groups[i] == gid)
			return true;
	return false;
}

bool access_by_mode(const struct stat *st, int mode, const struct access_user *user)
{
	unsigned bits = st->st_mode & 7U;

	if (user->uid == 0)
		return !(mode & X_OK) || S_ISDIR(st->st_mode) || (st->st_mode & 0111U);
	if (st->st_uid == user->uid)
		bits = st->st_mode >> 6 & 7U;
	else if (is_in_group(user, st->st_gid))
		bits = st->st_mode >> 3 & 7U;
	return ((unsigned)mode & ~bits) == 0; /* R_OK, W_OK, X_OK are 4, 2, 1 */
}

/* "" below `root_fd` is the root itself. */
static const char *below_root(const char *path)
{
	path += strspn(path, "/");
	return *path ? path : ".";
}

static int check_modes(int root_fd, const char *path, int mode, const struct access_user *user)
{
	auto_free char *copy = alloc_str(below_root(path));
	struct stat st;

	for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (fstatat(root_fd, copy, &st, 0) < 0)
			return -errno;
		if (!access_by_mode(&st, X_OK, user))
			return -EACCES;
		*slash = '/';
	}
	if (fstatat(root_fd, copy, &st, 0) < 0)
		return -errno;
	return access_by_mode(&st, mode, user) ? 0 : -EACCES;
}

/* In a child that becomes the user: for good, so that nothing is left of our rights. */
static int check_as(int root_fd, const char *path, int mode, const struct access_user *user)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (setgroups(user->n_groups, user->groups) < 0 ||
			setresgid(user->gid, user->gid, user->gid) < 0 ||
			setresuid(user->uid, user->uid, user->uid) < 0 ||
			faccessat(root_fd, below_root(path), mode, AT_EACCESS) < 0)
			_exit(errno & 0xff);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

int access_check(int root_fd, const char *path, int mode, const struct access_user *user)
{
	if (user->uid == geteuid())
		return faccessat(root_fd, below_root(path), mode, AT_EACCESS) < 0 ? -errno : 0;
	if (geteuid() == 0)
		return check_as(root_fd, path, mode, user);
	return check_modes(root_fd, path, mode, user);
}
