/* What the service manager is told and what it hands over: sd_notify, watchdog, socket activation.
 *
 * Without a service manager, or built without libsystemd, all of this does nothing. It never fails
 * the daemon: a manager that does not listen is not our trouble.
 *
 * Source: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "shared/cleanup.h"
#include "shared/fail.h"

/* STATUS= is one line for a person; line breaks in it become blanks. */
void notify_ready(const char *status);
void notify_status(const char *status);
void notify_stopping(const char *status);

/* A reload begins; notify_ready() ends it, also when it failed (then the status says why). */
void notify_reloading(void);

/* How often notify_watchdog() must be called: half of what the manager allows. 0: it does not ask. */
int64_t notify_watchdog_ms(void);
void notify_watchdog(void);

/* A listening stream socket that was passed in: non-blocking, close-on-exec. `name` is its
 * FileDescriptorName= (the socket unit's name when there is none): a domain's name there means that
 * the listener serves this domain at its root. */
struct notify_socket {
	int fd;
	char *name;
};

struct notify_sockets {
	struct notify_socket *items;
	size_t n;
};

/* Takes the sockets of LISTEN_FDS, once: the variables are removed from the environment. None is no
 * error. -errno with words when something was passed that is not a listening stream socket; all that
 * was passed is closed then. */
int notify_take_sockets(struct notify_sockets *ret, struct fail *fail) must_check;

/* Closes those that are still there: set `fd` to -1 to keep one. */
void notify_sockets_done(struct notify_sockets *sockets);
