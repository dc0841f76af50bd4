/* See atomic.h. Order matters: content and attributes are on disk before a name leads to them, and the
 * directory is written before success is told. */
#include "workers/filesystem/atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/xattr.h>

#include "shared/fd.h"

enum {
	TEMP_ATTEMPTS = 16,
	TEMP_NAME_BYTES = 224, /* of the final name that a temporary one shows */
	ACL_MAX_BYTES = 65536,
	SET_ID_BITS = S_ISUID | S_ISGID | S_ISVTX,
};

static const char ACL_NAME[] = "system.posix_acl_access";

enum { FD_PATH_SIZE = sizeof("/proc/self/fd/") + 12 };

static void fd_path(char ret[FD_PATH_SIZE], int fd)
{
	(void)snprintf(ret, FD_PATH_SIZE, "/proc/self/fd/%d", fd);
}

void atomic_temp_name(char ret[NAME_MAX + 1], const char *name)
{
	uint32_t random = 0;

	/* Never blocks once the system runs; a name that is taken is noticed in any case. */
	if (getrandom(&random, sizeof(random), 0) < 0)
		random = (uint32_t)getpid();
	(void)snprintf(
		ret, NAME_MAX + 1, ".%.*s.mcp-fleet-%08x.tmp", TEMP_NAME_BYTES, name, random);
}

static int begin_named(struct atomic_file *file, const char *name, mode_t mode)
{
	for (int i = 0; i < TEMP_ATTEMPTS; i++) {
		atomic_temp_name(file->temp, name);
		file->fd = openat(file->dir_fd, file->temp,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (file->fd >= 0)
			return 0;
		*file->temp = '\0';
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

int atomic_begin(struct atomic_file *file, int dir_fd, const char *name, mode_t mode)
{
	*file = (struct atomic_file){ .dir_fd = dir_fd, .fd = -1 };
	file->fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	if (file->fd >= 0)
		return 0;
	/* What kernels say that, or whose file systems, do not know O_TMPFILE. */
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)
		return -errno;
	return begin_named(file, name, mode);
}

/* 1: taken over. 0: there is none. -errno: there is one, and it cannot be taken over. */
static int copy_acl(int fd, int dir_fd, const char *name)
{
	auto_close int old = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[FD_PATH_SIZE];
	auto_free char *acl = NULL;
	ssize_t n;

	if (old < 0)
		return -errno;
	fd_path(path, old);
	n = getxattr(path, ACL_NAME, NULL, 0);
	if (n <= 0)
		return n == 0 || errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
	acl = malloc(ACL_MAX_BYTES);
	n = acl ? getxattr(path, ACL_NAME, acl, ACL_MAX_BYTES) : -1;
	if (n <= 0 || fsetxattr(fd, ACL_NAME, acl, (size_t)n, 0) < 0)
		return -errno;
	return 1;
}

int atomic_keep_attributes(
	const struct atomic_file *file, int dir_fd, const char *name, const struct stat *st)
{
	mode_t mode = st->st_mode & 07777 & ~(mode_t)SET_ID_BITS;
	bool has_group = true;
	struct stat now;
	int acl;

	if (fstat(file->fd, &now) < 0)
		return -errno;
	if (now.st_uid != st->st_uid || now.st_gid != st->st_gid)
		has_group = fchown(file->fd, st->st_uid, st->st_gid) == 0 ||
			    now.st_gid == st->st_gid ||
			    fchown(file->fd, (uid_t)-1, st->st_gid) == 0;
	acl = has_group ? copy_acl(file->fd, dir_fd, name) : -EPERM;
	/* With an ACL the group bits are its mask: without it they would be the group's. */
	if (acl < 0)
		mode = (mode & ~(mode_t)S_IRWXG) | (mode & S_IRWXO) << 3;
	return fchmod(file->fd, mode) < 0 ? -errno : 0;
}

void atomic_sync_dir(int dir_fd)
{
	/* EBADF: one that may not be listed is open by O_PATH only. */
	(void)fsync(dir_fd);
}

static int link_fd(const struct atomic_file *file, const char *name)
{
	char path[FD_PATH_SIZE];

	fd_path(path, file->fd);
	return linkat(AT_FDCWD, path, file->dir_fd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int atomic_rename_new(int from_fd, const char *from, int to_fd, const char *to, bool is_dir)
{
	if (renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (is_dir)
		return renameat(from_fd, from, to_fd, to) < 0 ? -errno : 0;
	if (linkat(from_fd, from, to_fd, to, 0) < 0)
		return -errno;
	(void)unlinkat(from_fd, from, 0);
	return 0;
}

int atomic_create(struct atomic_file *file, const char *name)
{
	int r;

	if (fsync(file->fd) < 0)
		return -errno;
	if (*file->temp)
		r = atomic_rename_new(file->dir_fd, file->temp, file->dir_fd, name, false);
	else
		r = link_fd(file, name);
	if (r < 0)
		return r;
	*file->temp = '\0';
	atomic_sync_dir(file->dir_fd);
	return 0;
}

int atomic_name(struct atomic_file *file, const char *name)
{
	int r = -EEXIST;

	for (int i = 0; !*file->temp && i < TEMP_ATTEMPTS; i++) {
		char temp[NAME_MAX + 1];

		atomic_temp_name(temp, name);
		r = link_fd(file, temp);
		if (r == 0)
			memcpy(file->temp, temp, sizeof(temp));
		else if (r != -EEXIST)
			break;
	}
	return *file->temp ? 0 : r;
}

int atomic_replace(struct atomic_file *file, const char *name)
{
	int r;

	if (fsync(file->fd) < 0)
		return -errno;
	r = atomic_name(file, name);
	if (r < 0)
		return r;
	if (renameat(file->dir_fd, file->temp, file->dir_fd, name) < 0)
		return -errno;
	*file->temp = '\0';
	atomic_sync_dir(file->dir_fd);
	return 0;
}

void atomic_done(struct atomic_file *file)
{
	if (*file->temp)
		(void)unlinkat(file->dir_fd, file->temp, 0);
	(void)fd_close(file->fd);
	*file = ATOMIC_FILE_NONE;
}
