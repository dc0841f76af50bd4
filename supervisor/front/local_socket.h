/* The file of the local socket, and who is at the other end of a connection to it.
 *
 * The file is never wider than 0660, exists only while somebody listens, and is removed by the one who
 * made it. Its mode is what the kernel judges a connect(2) by; peer_may_connect() judges once more, for
 * a descriptor may have been passed on and a folder may have been opened wide.
 *
 * Source: unix(7), SO_PEERCRED and SO_PEERGROUPS in socket(7). */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "shared/cleanup.h"
#include "shared/fail.h"

struct local_socket;

/* The group of this name; "" is the daemon's own. -errno with words that name local.group. */
int local_socket_find_group(const char *name, gid_t *ret, struct fail *fail) must_check;

/* Listens at `path` (absolute), non-blocking, for the owner and `group`. The socket of a daemon that
 * is dead is replaced; -EADDRINUSE names the process that still listens there. Nothing but a socket is
 * ever removed. */
int local_socket_open(const char *path, gid_t group, struct local_socket **ret, struct fail *fail)
	must_check;

/* Takes over a listening Unix socket that somebody else opened; its file is not ours to remove. */
struct local_socket *local_socket_adopt(int fd);

/* Removes its file when that is still the one that was made: nobody can connect any more, and who has is
 * still accepted. False: the file is not ours, and others may come. */
bool local_socket_withdraw(struct local_socket *sock);

/* Withdraws and closes it. */
void local_socket_free(struct local_socket *sock);
DEFINE_FREEP(struct local_socket, local_socket_free)

int local_socket_get_fd(const struct local_socket *sock);
const char *local_socket_get_path(const struct local_socket *sock); /* "": it has none */

/* The file at its path is still the one that was made. */
bool local_socket_is_there(const struct local_socket *sock);

/* 0 or -errno. */
int local_socket_set_group(struct local_socket *sock, gid_t group) must_check;

/* The file as it is now; as it was at the start when another has taken its place. Without a file
 * nobody has any right to it. */
void local_socket_get_stat(const struct local_socket *sock, struct stat *ret);

/* Who called connect(2), as the kernel knows it. */
struct peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary */
	size_t n_groups;
};

/* 0 or -errno; peer_done() afterwards in either case. */
int peer_read(int fd, struct peer *ret) must_check;
void peer_done(struct peer *peer);

/* root, `own` (the daemon's user), and whom the mode of the file allows to write, by the rules of the
 * kernel: the first class that fits decides. Access control lists are not looked at. */
bool peer_may_connect(const struct peer *peer, const struct stat *file, uid_t own);
