/* See notify.h. */
#include "supervisor/ops/notify.h"

#include "config.h"

#include <errno.h>
#include <time.h>

#ifdef HAVE_SYSTEMD
#	include <systemd/sd-daemon.h>
#endif

#include "shared/alloc.h"
#include "shared/fd.h"

void notify_sockets_done(struct notify_sockets *sockets)
{
	for (size_t i = 0; i < sockets->n; i++) {
		(void)fd_close(sockets->items[i].fd);
		free(sockets->items[i].name);
	}
	free(sockets->items);
	*sockets = (struct notify_sockets){ 0 };
}

#ifdef HAVE_SYSTEMD

/* The variables stay in the environment: we notify more than once, and workers get one of their
 * own. */
static void tell(const char *text)
{
	(void)sd_notify(0, text);
}

static void tell_with_status(const char *state, const char *status)
{
	auto_free char *text = alloc_printf("%sSTATUS=%s", state, status ? status : "");

	for (char *c = text + strlen(state); *c; c++) {
		if ((unsigned char)*c < ' ')
			*c = ' ';
	}
	tell(text);
}

void notify_ready(const char *status)
{
	tell_with_status("READY=1\n", status);
}

void notify_status(const char *status)
{
	tell_with_status("", status);
}

void notify_stopping(const char *status)
{
	tell_with_status("STOPPING=1\n", status);
}

void notify_reloading(void)
{
	struct timespec now = { 0 };
	auto_free char *text = NULL;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	text = alloc_printf("RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	tell(text);
}

int64_t notify_watchdog_ms(void)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	/* At least 1: an interval below 2 ms is still asked for. */
	return usec < 2000 ? 1 : (int64_t)(usec / 2000);
}

void notify_watchdog(void)
{
	tell("WATCHDOG=1");
}

static int check_socket(int fd, struct fail *fail)
{
	int r = sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1);

	if (r < 0)
		return fail_set(fail, r, "LISTEN_FDS: descriptor %d: %s", fd, strerror(-r));
	if (r == 0)
		return fail_set(fail, -EINVAL,
			"LISTEN_FDS: descriptor %d is not a listening stream socket", fd);
	r = fd_set_nonblock(fd, true);
	if (r < 0)
		return fail_set(fail, r, "LISTEN_FDS: descriptor %d: %s", fd, strerror(-r));
	return 0;
}

int notify_take_sockets(struct notify_sockets *ret, struct fail *fail)
{
	struct notify_sockets sockets = { 0 };
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);
	int r = 0;

	if (n < 0)
		return fail_set(fail, n, "LISTEN_FDS: %s", strerror(-n));
	if (n > 0)
		sockets.items = alloc_zero((size_t)n * sizeof(*sockets.items));
	for (int i = 0; i < n; i++) {
		/* Each name was allocated with malloc, and is ours now. */
		sockets.items[sockets.n++] =
			(struct notify_socket){ SD_LISTEN_FDS_START + i, names[i] };
	}
	free(names);
	for (size_t i = 0; r == 0 && i < sockets.n; i++)
		r = check_socket(sockets.items[i].fd, fail);
	if (r < 0)
		notify_sockets_done(&sockets);
	else
		*ret = sockets;
	return r;
}

#else /* no libsystemd */

void notify_ready(const char *status)
{
}

void notify_status(const char *status)
{
}

void notify_stopping(const char *status)
{
}

void notify_reloading(void)
{
}

int64_t notify_watchdog_ms(void)
{
	return 0;
}

void notify_watchdog(void)
{
}

int notify_take_sockets(struct notify_sockets *ret, struct fail *fail)
{
	*ret = (struct notify_sockets){ 0 };
	return 0;
}

#endif
