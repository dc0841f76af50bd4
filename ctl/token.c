/* See token.h. As root we write into a folder of another user, who could have prepared it: the new file is made
 * with O_EXCL, and rename(2) replaces a link instead of following it. */
#include "ctl/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/fd.h"

static const char file_name[] = "gateway.token";
static const char remedy[] =
	"; write it to a file that the daemon can read, and give --token-file FILE";

/* Without what a file's last line break would be; 0: this is no token. */
static size_t check_token(const char *token)
{
	size_t len = strlen(token);

	while (len > 0 && strchr(" \t\r\n", token[len - 1]))
		len--;
	if (len > TOKEN_MAX)
		return 0;
	for (size_t i = 0; i < len; i++)
		if (token[i] <= ' ' || token[i] > '~')
			return 0;
	return len;
}

static int open_folder(const char *path, uid_t uid, int *ret, gid_t *ret_gid, struct fail *fail)
{
	/* The daemon makes it when it is needed, and that is now. */
	bool is_new = mkdir(path, 0700) == 0;
	auto_close int fd =
		open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (is_new ? O_NOFOLLOW : 0));
	struct stat st;
	int r = fd < 0 ? -1 : fstat(fd, &st);

	if (r == 0 && is_new && st.st_uid != uid && st.st_uid == geteuid()) {
		r = fchown(fd, uid, (gid_t)-1);
		st.st_uid = uid;
	}
	if (r < 0)
		return fail_set(fail, -errno, "cannot put the token into '%s': %m%s", path, remedy);
	if (st.st_uid != uid || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return fail_set(fail, -EPERM,
			"cannot put the token into '%s': it must belong to the daemon's user, and be "
			"open to writing by nobody else%s",
			path, remedy);
	*ret_gid = st.st_gid;
	*ret = TAKE_FD(fd);
	return 0;
}

static int write_file(
	int folder, const char *name, uid_t uid, gid_t gid, const char *token, size_t len)
{
	auto_close int fd =
		openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, token, len);
	if (r == 0)
		r = fd_write_all(fd, "\n", 1);
	if (r == 0 && geteuid() != uid && fchown(fd, uid, gid) < 0)
		r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(folder, name, folder, file_name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(folder, name, 0);
	return r;
}

char *token_write(const char *folder, uid_t uid, const char *token, struct fail *fail)
{
	auto_free char *temporary = alloc_printf(".%s.%d", file_name, (int)getpid());
	auto_close int fd = -1;
	size_t len = check_token(token);
	gid_t gid = 0;
	int r;

	if (len == 0) {
		(void)fail_set(fail, -EINVAL,
			"MCPGATEWAY_BEARER_TOKEN is no token: it is empty, longer than %d bytes, or "
			"has characters that no header takes",
			TOKEN_MAX);
		return NULL;
	}
	if (open_folder(folder, uid, &fd, &gid, fail) < 0)
		return NULL;
	(void)unlinkat(fd, temporary, 0); /* of one of this number that was killed */
	r = write_file(fd, temporary, uid, gid, token, len);
	if (r < 0) {
		errno = -r;
		(void)fail_set(fail, r, "cannot put the token into '%s': %m%s", folder, remedy);
		return NULL;
	}
	return alloc_printf("%s/%s", folder, file_name);
}
