/* See bridge_socket.h. */
#include "ctl/bridge_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "shared/alloc.h"

static int get_folder_owner(const char *path, uid_t *ret)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	auto_free char *folder = len > 0 ? alloc_mem(path, len) : alloc_str(slash ? "/" : ".");
	struct stat st;

	if (stat(folder, &st) < 0)
		return -errno;
	*ret = st.st_uid;
	return 0;
}

static int check_peer(int fd, const char *path, struct fail *fail)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	uid_t owner = 0;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return fail_set(fail, -errno, "cannot tell who listens at it: %s", strerror(errno));
	if (peer.uid == 0 || peer.uid == geteuid())
		return 0;
	r = get_folder_owner(path, &owner);
	if (r == 0 && peer.uid == owner)
		return 0;
	return fail_set(fail, -EPERM,
		"the user %u listens there, who is neither root nor you nor the owner of the "
		"folder; nothing was said to him",
		(unsigned)peer.uid);
}

static const char *explain(int err)
{
	switch (err) {
	case ENOENT:
		return "there is no such socket";
	case ECONNREFUSED:
		return "nobody listens there";
	case EACCES:
		return "its mode does not let you in (local.group)";
	case EAGAIN:
		return "it does not accept connections";
	default:
		return strerror(err);
	}
}

int bridge_socket_connect(const char *path, int *ret_fd, struct fail *fail)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_close int fd = -1;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return fail_set(fail, -ENAMETOOLONG, "the path is longer than %zu bytes",
			sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail_set(fail, -errno, "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_set(fail, -errno, "%s", explain(errno));
	r = check_peer(fd, path, fail);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

bool bridge_socket_is_final(int err)
{
	return err == -EACCES || err == -EPERM || err == -ENAMETOOLONG;
}
