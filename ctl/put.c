/* See put.h. */
#include "ctl/put.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/alloc.h"
#include "shared/fd.h"

char *put_dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return alloc_str(".");
	return slash == path ? alloc_str("/") : alloc_mem(path, (size_t)(slash - path));
}

/* That a name is there, or gone, is on the disk only with its folder. Some file systems cannot do it. */
static int sync_folder_of(const char *path)
{
	auto_free char *dir = put_dir_of(path);
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

/* An owner who cannot be given is an error only where the file would be another's otherwise. */
static int own(int fd, const struct put_owner *owner)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (owner->uid != (uid_t)-1 && (st.st_uid != owner->uid || st.st_gid != owner->gid) &&
		fchown(fd, owner->uid, owner->gid) < 0 && st.st_uid != owner->uid)
		return -errno;
	/* After the owner: a change of it takes set-id bits away. */
	return fchmod(fd, owner->mode) < 0 ? -errno : 0;
}

static int fill(int fd, const void *bytes, size_t len, const struct put_owner *owner)
{
	int r = own(fd, owner);

	if (r == 0)
		r = fd_write_all(fd, bytes, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

int put_file(const char *path, const void *bytes, size_t len, const struct put_owner *owner,
	struct fail *fail)
{
	auto_free char *temporary = alloc_printf("%s.XXXXXX", path);
	auto_close int fd = mkostemp(temporary, O_CLOEXEC); /* 0600 until it is owned */
	int r;

	if (fd < 0)
		return fail_set(fail, -errno, "%s: cannot be written: %s", path, strerror(errno));
	r = fill(fd, bytes, len, owner);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(temporary);
		return fail_set(fail, r, "%s: cannot be written: %s", path, strerror(-r));
	}
	r = sync_folder_of(path);
	return r < 0 ? fail_set(
			       fail, r, "%s: cannot be flushed to the disk: %s", path, strerror(-r))
		     : 0;
}

int put_away(const char *path, struct fail *fail)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return fail_set(fail, -errno, "%s: cannot be removed: %s", path, strerror(errno));
	(void)sync_folder_of(path);
	return 0;
}

int put_folder(const char *path, struct fail *fail)
{
	struct stat st;
	auto_free char *above = NULL;
	int r;

	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? 0 : fail_set(fail, -ENOTDIR, "%s: not a folder", path);
	above = put_dir_of(path);
	r = streq(above, path) ? 0 : put_folder(above, fail);
	if (r < 0)
		return r;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail_set(fail, -errno, "%s: cannot be made: %s", path, strerror(errno));
	return 0;
}
