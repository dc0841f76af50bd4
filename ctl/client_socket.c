/* See client_socket.h. */
#include "ctl/client_socket.h"

#include <errno.h>
#include <grp.h>
#include <sys/stat.h>

#include "ctl/client.h"
#include "shared/alloc.h"
#include "shared/clock.h"

/* Who may connect, for who may not. */
static void add_permission(struct strbuf *out, const char *path)
{
	struct stat st;
	const struct group *group;

	if (stat(path, &st) < 0) {
		strbuf_adds(out, "its folder is closed to you; ask the daemon's operator for the "
				 "group of the socket (setting control.group)");
		return;
	}
	group = getgrgid(st.st_gid);
	if (group)
		strbuf_addf(out, "members of the group '%s' may connect", group->gr_name);
	else
		strbuf_addf(out, "members of the group %u may connect", (unsigned)st.st_gid);
	strbuf_adds(out, " (setting control.group)");
}

static int fail_connect(int r, const char *path, int64_t timeout_ms, struct fail *fail)
{
	auto_strbuf who = { 0 };

	switch (r) {
	case -ENOENT:
	case -ENOTDIR:
	case -ECONNREFUSED:
		(void)fail_set(fail, -ENOTCONN,
			"no daemon listens at %s: is mcp-fleetd running? Try 'systemctl status "
			"mcp-fleet', or name its socket with --socket",
			path);
		return -ECONNREFUSED;
	case -EACCES:
	case -EPERM:
		add_permission(&who, path);
		(void)fail_set(fail, -ENOTCONN, "no permission to connect to %s: %s", path,
			strbuf_get(&who));
		return -EACCES;
	case -ENAMETOOLONG:
		return fail_set(fail, -ENOTCONN,
			"the path of the socket is longer than a socket's address: %s", path);
	case -ETIMEDOUT:
		return fail_set(fail, -ENOTCONN,
			"the daemon at %s has not taken the connection within %lld ms: is it stopped "
			"or overloaded?",
			path, (long long)timeout_ms);
	default:
		(void)fail_set(fail, r, "cannot connect to %s: %s", path, strerror(-r));
		if (fail)
			fail->code = -ENOTCONN;
		return -ENOTCONN;
	}
}

static int connect_to(
	const char *path, int64_t timeout_ms, struct wire *ret, char **ret_path, struct fail *fail)
{
	int r = wire_open(ret, path, clock_now_ms() + timeout_ms);

	if (r < 0)
		return fail_connect(r, path, timeout_ms, fail);
	*ret_path = alloc_str(path);
	return 0;
}

/* The daemon of the system, else the one of the user. What is told is what went wrong with the first that
 * is there. */
static int connect_somewhere(
	int64_t timeout_ms, struct wire *ret, char **ret_path, struct fail *fail)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	auto_free char *own = NULL;
	struct fail of_own = { 0 };
	int r = connect_to(CLIENT_SYSTEM_SOCKET, timeout_ms, ret, ret_path, fail);
	int r_own;

	if (r == 0 || !runtime || *runtime != '/')
		return r;
	own = alloc_printf("%s/mcp-fleet/control.sock", runtime);
	r_own = connect_to(own, timeout_ms, ret, ret_path, &of_own);
	if (r_own == 0)
		return 0;
	if (access(CLIENT_SYSTEM_SOCKET, F_OK) < 0 && errno == ENOENT && access(own, F_OK) == 0) {
		if (fail)
			*fail = of_own;
		return r_own;
	}
	if (r == -ECONNREFUSED && access(CLIENT_SYSTEM_SOCKET, F_OK) < 0)
		(void)fail_set(fail, -ENOTCONN,
			"no daemon listens at " CLIENT_SYSTEM_SOCKET
			" or %s: is mcp-fleetd running? Try 'systemctl status mcp-fleet', or name "
			"its socket with --socket",
			own);
	return r;
}

int client_socket_open(
	const char *path, int64_t timeout_ms, struct wire *ret, char **ret_path, struct fail *fail)
{
	return path ? connect_to(path, timeout_ms, ret, ret_path, fail)
		    : connect_somewhere(timeout_ms, ret, ret_path, fail);
}
