/* See ports.h. Source: proc_net(5), "Documentation/networking/proc_net_tcp.rst" of the kernel. */
#include "ctl/ports.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/fd.h"

enum { MAX_TABLE = 64 * 1024 * 1024, MAX_NAME = 64, TCP_LISTEN = 0x0a };

/* "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 …" */
static bool parse_line(const char *line, uint16_t port, struct ports_listener *ret)
{
	unsigned local, state, uid;
	uint64_t inode;

	/* NOLINTNEXTLINE(cert-err34-c): the kernel's numbers, of known widths */
	if (sscanf(line,
		    " %*u: %*[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %2x %*x:%*x %*x:%*x %*x %10u %*u "
		    "%20" SCNu64,
		    &local, &state, &uid, &inode) != 4)
		return false;
	if (local != port || state != TCP_LISTEN)
		return false;
	*ret = (struct ports_listener){ .inode = inode, .uid = uid };
	return true;
}

bool ports_parse(const char *text, uint16_t port, struct ports_listener *ret)
{
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		if (parse_line(text, port, ret))
			return true;
	return false;
}

static bool find(const char *path, uint16_t port, struct ports_listener *ret)
{
	auto_strbuf table = { 0 };
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && fd_read_all(fd, MAX_TABLE, &table) == 0 &&
	       ports_parse(strbuf_get(&table), port, ret);
}

static void closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* Whether one of its descriptors is "socket:[inode]". */
static bool has_socket(int proc, const char *pid, const char *wanted)
{
	auto_free char *path = alloc_printf("%s/fd", pid);
	int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_(closedirp) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char target[MAX_NAME] = "";

		if (readlinkat(fd, entry->d_name, target, sizeof(target) - 1) > 0 &&
			streq(target, wanted))
			return true;
	}
	return false;
}

static void add_process(struct strbuf *out, int proc, const char *pid)
{
	auto_free char *path = alloc_printf("%s/comm", pid);
	auto_strbuf name = { 0 };
	auto_close int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);

	strbuf_addf(out, "process %s", pid);
	if (fd < 0 || fd_read_all(fd, MAX_NAME, &name) < 0 || name.len < 2)
		return;
	strbuf_addf(out, " (%.*s)", (int)name.len - 1, name.data);
}

static bool add_owner_of(struct strbuf *out, uint64_t inode)
{
	auto_free char *wanted = alloc_printf("socket:[%" PRIu64 "]", inode);
	auto_(closedirp) DIR *proc = opendir("/proc");
	const struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (ascii_is_digit(entry->d_name[0]) &&
			has_socket(dirfd(proc), entry->d_name, wanted)) {
			add_process(out, dirfd(proc), entry->d_name);
			return true;
		}
	return false;
}

bool ports_add_owner(struct strbuf *out, uint16_t port)
{
	struct ports_listener listener;

	if (!find("/proc/net/tcp", port, &listener) && !find("/proc/net/tcp6", port, &listener))
		return false;
	if (!add_owner_of(out, listener.inode))
		strbuf_addf(out, "a process of user %u that may not be looked at", listener.uid);
	return true;
}
