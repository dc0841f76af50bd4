/* See local_socket.h.
 *
 * Whether a socket is dead can only be told by connecting to it, and between that and the removal
 * another daemon could put its own there. So probe, removal, bind and listen happen under a lock on the
 * folder; a lock file would stay behind. */
#include "supervisor/front/local_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shared/alloc.h"
#include "shared/fd.h"

enum {
	FILE_MODE = 0660,
	FILE_UMASK = 0117,
	PERMISSION_BITS = 0777,
};

struct local_socket {
	char *path; /* "": it has none */
	struct stat st;
	int fd;
	bool is_ours; /* `st` is that of a file that we made */
};

/* --- opening ----------------------------------------------------------------------------------- */

static int set_address(struct sockaddr_un *addr, const char *path, struct fail *fail)
{
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(addr->sun_path))
		return fail_set(fail, -ENAMETOOLONG,
			"local.path: '%.200s' is too long for a socket: at most %zu bytes", path,
			sizeof(addr->sun_path) - 1);
	memcpy(addr->sun_path, path, strlen(path) + 1);
	return 0;
}

static int lock_folder(const char *path, int *ret_fd, struct fail *fail)
{
	const char *slash = strrchr(path, '/');
	auto_free char *folder =
		slash > path ? alloc_mem(path, (size_t)(slash - path)) : alloc_str("/");
	auto_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fail_set(fail, -errno, "local.path: cannot open the folder '%s': %s", folder,
			strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return fail_set(fail, -errno,
			"local.path: cannot lock the folder '%s': %s; is another daemon starting "
			"there? Try again",
			folder, strerror(errno));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int fail_in_use(int fd, const char *path, struct fail *fail)
{
	struct ucred other = { 0 };
	socklen_t len = sizeof(other);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &other, &len) < 0 || other.pid <= 0)
		return fail_set(fail, -EADDRINUSE,
			"cannot listen on '%s': another program does; end it, or set local.path",
			path);
	return fail_set(fail, -EADDRINUSE,
		"cannot listen on '%s': the process %d does; end it, or set local.path", path,
		(int)other.pid);
}

static int remove_stale(const struct sockaddr_un *addr, struct fail *fail)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const char *path = addr->sun_path;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0
				       : fail_set(fail, -errno, "cannot look at '%s': %s", path,
						 strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return fail_set(fail, -EEXIST,
			"cannot listen on '%s': something is there that is no socket; remove it, or "
			"set local.path",
			path);
	/* EAGAIN: somebody listens and does not accept at the moment. */
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN)
		return fail_in_use(fd, path, fail);
	if (errno != ECONNREFUSED)
		return fail_set(fail, -errno,
			"cannot listen on '%s': it is there, and whether it is in use cannot be told: "
			"%s",
			path, strerror(errno));
	if (unlink(path) < 0)
		return fail_set(fail, -errno,
			"cannot remove '%s', which a dead daemon has left: %s", path,
			strerror(errno));
	return 0;
}

/* Two bounds of the mode: the socket's own (which holds also where the folder has default access
 * control lists, and the umask does not), and the umask, which makes it exact. */
static int bind_file(struct local_socket *sock, const struct sockaddr_un *addr)
{
	mode_t old;
	int r;

	(void)fchmod(sock->fd, FILE_MODE);
	old = umask(FILE_UMASK);
	r = bind(sock->fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ? -errno : 0;
	(void)umask(old);
	if (r < 0)
		return r;
	if (lstat(addr->sun_path, &sock->st) < 0)
		return -errno;
	sock->is_ours = true;
	return (sock->st.st_mode & PERMISSION_BITS & ~(mode_t)FILE_MODE) != 0 ? -EPERM : 0;
}

int local_socket_find_group(const char *name, gid_t *ret, struct fail *fail)
{
	const struct group *group;

	if (!*name) {
		*ret = getegid();
		return 0;
	}
	errno = 0;
	group = getgrnam(name);
	if (!group)
		return fail_set(fail, errno ? -errno : -ENOENT,
			"local.group: there is no group '%s'", name);
	*ret = group->gr_gid;
	return 0;
}

int local_socket_set_group(struct local_socket *sock, gid_t group)
{
	auto_close int fd = open(sock->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != sock->st.st_dev || st.st_ino != sock->st.st_ino)
		return -ESTALE;
	if (st.st_gid != group && fchownat(fd, "", (uid_t)-1, group, AT_EMPTY_PATH) < 0)
		return -errno;
	sock->st.st_gid = group;
	return 0;
}

/* Nobody can connect before listen(2): until then the group may still be another. */
static int make(
	struct local_socket *sock, const struct sockaddr_un *addr, gid_t group, struct fail *fail)
{
	int r = 0;

	sock->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock->fd < 0)
		r = -errno;
	if (r == 0)
		r = bind_file(sock, addr);
	if (r < 0)
		return fail_set(fail, r, "cannot listen on '%s': %s", addr->sun_path, strerror(-r));
	r = local_socket_set_group(sock, group);
	if (r < 0)
		return fail_set(fail, r,
			"local.group: cannot give '%s' to the group %u: %s; the daemon must be a member",
			addr->sun_path, (unsigned)group, strerror(-r));
	if (listen(sock->fd, SOMAXCONN) < 0)
		return fail_set(
			fail, -errno, "cannot listen on '%s': %s", addr->sun_path, strerror(errno));
	return 0;
}

int local_socket_open(const char *path, gid_t group, struct local_socket **ret, struct fail *fail)
{
	auto_(local_socket_freep) struct local_socket *sock = alloc_zero(sizeof(*sock));
	auto_close int folder = -1;
	struct sockaddr_un addr;
	int r;

	sock->fd = -1;
	sock->path = alloc_str(path);
	r = set_address(&addr, path, fail);
	if (r == 0)
		r = lock_folder(path, &folder, fail);
	if (r == 0)
		r = remove_stale(&addr, fail);
	if (r == 0)
		r = make(sock, &addr, group, fail);
	if (r < 0)
		return r;
	*ret = TAKE(sock);
	return 0;
}

/* --- what is open ------------------------------------------------------------------------------ */

struct local_socket *local_socket_adopt(int fd)
{
	struct local_socket *sock = alloc_zero(sizeof(*sock));
	struct sockaddr_un addr = { 0 };
	socklen_t len = sizeof(addr) - 1;

	sock->fd = fd;
	(void)getsockname(fd, (struct sockaddr *)&addr, &len);
	sock->path = alloc_str(addr.sun_path);
	if (lstat(sock->path, &sock->st) < 0)
		sock->st = (struct stat){ 0 };
	return sock;
}

bool local_socket_withdraw(struct local_socket *sock)
{
	if (sock->is_ours && local_socket_is_there(sock))
		(void)unlink(sock->path);
	return sock->is_ours;
}

void local_socket_free(struct local_socket *sock)
{
	if (!sock)
		return;
	(void)local_socket_withdraw(sock);
	(void)fd_close(sock->fd);
	free(sock->path);
	free(sock);
}

int local_socket_get_fd(const struct local_socket *sock)
{
	return sock->fd;
}

const char *local_socket_get_path(const struct local_socket *sock)
{
	return sock->path;
}

void local_socket_get_stat(const struct local_socket *sock, struct stat *ret)
{
	if (lstat(sock->path, ret) < 0 || ret->st_dev != sock->st.st_dev ||
		ret->st_ino != sock->st.st_ino)
		*ret = sock->st;
}

bool local_socket_is_there(const struct local_socket *sock)
{
	struct stat st;

	return lstat(sock->path, &st) == 0 && st.st_dev == sock->st.st_dev &&
	       st.st_ino == sock->st.st_ino;
}

/* --- peers ------------------------------------------------------------------------------------- */

/* A kernel that does not tell them (before 4.13) leaves the primary group. */
static int read_groups(int fd, struct peer *peer)
{
	socklen_t bytes = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) == 0 || bytes == 0)
		return 0;
	if (errno == ENOPROTOOPT)
		return 0;
	if (errno != ERANGE)
		return -errno;
	peer->groups = alloc_zero(bytes);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &bytes) < 0)
		return -errno;
	peer->n_groups = bytes / sizeof(gid_t);
	return 0;
}

int peer_read(int fd, struct peer *ret)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	*ret = (struct peer){ 0 };
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	ret->pid = cred.pid;
	ret->uid = cred.uid;
	ret->gid = cred.gid;
	return read_groups(fd, ret);
}

void peer_done(struct peer *peer)
{
	free(peer->groups);
	*peer = (struct peer){ 0 };
}

static bool is_member(const struct peer *peer, gid_t group)
{
	if (peer->gid == group)
		return true;
	for (size_t i = 0; i < peer->n_groups; i++) {
		if (peer->groups[i] == group)
			return true;
	}
	return false;
}

bool peer_may_connect(const struct peer *peer, const struct stat *file, uid_t own)
{
	if (peer->uid == 0 || peer->uid == own)
		return true;
	if (peer->uid == file->st_uid)
		return (file->st_mode & S_IWUSR) != 0;
	if (is_member(peer, file->st_gid))
		return (file->st_mode & S_IWGRP) != 0;
	return (file->st_mode & S_IWOTH) != 0;
}
