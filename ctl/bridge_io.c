/* See bridge_io.h. One turn reads what is there, lets the bridge judge it, writes what can be written. */
#include "ctl/bridge_io.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "ctl/bridge.h"
#include "ctl/bridge_socket.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/lines.h"
#include "shared/log.h"

enum {
	/* The daemon's answer to a message of the largest size has an envelope around it. */
	MAX_DAEMON_LINE = 2 * LIMIT_LINE_BYTES,
	/* What is said to a client that does not read, beyond what it is told by the daemon. */
	MAX_UNREAD = 16 * MIB,
	TAG_BYTES = 8,
};

/* Bytes of a cause, which may be the daemon's own words, in one line of the log. */
#define MAX_CAUSE "1000"

enum { FD_SIGNAL, FD_IN, FD_OUT, FD_DAEMON, N_FDS };

struct io {
	const struct bridge_io_settings *settings;
	struct bridge *bridge;
	struct strbuf place;
	char tag[2 * TAG_BYTES + 1];
	struct lines client;
	struct lines daemon; /* in_fd -1: not connected */
	const char *path;    /* of this connection */
	bool cannot_write;   /* it is gone, but what it has said is read */
	int signals;
	bool is_stopped;
	bool was_connected;
	bool told_trouble;
	int64_t retry_at_ms;
	unsigned n_failures;
};

static bool is_connected(const struct io *io)
{
	return io->daemon.in_fd >= 0;
}

static void say(void *arg, const char *line, size_t len)
{
	struct io *io = arg;

	lines_write(&io->client, line, len);
}

static size_t unread_bytes(const struct io *io)
{
	return io->client.out.len - io->client.out_at;
}

/* A client that starts us may not read what we say to the operator. It is not worth waiting for. */
static bool may_tell(bool is_news)
{
	return is_news && fd_takes_line(STDERR_FILENO);
}

/* --- the connection ----------------------------------------------------------------------------- */

static void try_later(struct io *io, int64_t now)
{
	int64_t pause_ms = BRIDGE_IO_CAP_MS;

	if (io->n_failures < 6)
		pause_ms = (int64_t)BRIDGE_IO_FIRST_MS << io->n_failures;
	if (pause_ms > BRIDGE_IO_CAP_MS)
		pause_ms = BRIDGE_IO_CAP_MS;
	io->n_failures++;
	io->retry_at_ms = now + pause_ms;
}

static void close_connection(struct io *io, const char *cause)
{
	int64_t now = clock_now_ms();

	if (bridge_is_served(io->bridge))
		io->n_failures = 0;
	bridge_lost(io->bridge, cause, now);
	if (may_tell(!io->told_trouble))
		log_notice("lost the connection to mcp-fleetd at %s: %." MAX_CAUSE
			   "s; connecting again",
			io->path, bridge_get_cause(io->bridge));
	io->told_trouble = true;
	lines_done(&io->daemon);
	(void)fd_close(io->daemon.in_fd);
	io->daemon = (struct lines){ .in_fd = -1, .out_fd = -1 };
	try_later(io, now);
}

static void take_connection(struct io *io, int fd, const char *path, int64_t now)
{
	io->daemon = (struct lines){ .in_fd = fd, .out_fd = fd, .max_bytes = MAX_DAEMON_LINE };
	io->path = path;
	io->cannot_write = false;
	bridge_connected(io->bridge, now);
}

static void note_unreachable(struct io *io, const struct fail *fail)
{
	bridge_unreachable(io->bridge, fail->text, bridge_socket_is_final(fail->code));
	if (may_tell(!io->told_trouble))
		log_notice("mcp-fleetd is not reachable at %s: %." MAX_CAUSE "s; waiting for it",
			strbuf_get(&io->place), fail->text);
	io->told_trouble = true;
}

/* What is said of the places where there is no socket at all is of the least use. */
static void keep_fail(struct fail *fail, const struct fail *other)
{
	if (fail->code == 0 || (fail->code == -ENOENT && other->code != -ENOENT))
		*fail = *other;
}

static void try_connect(struct io *io, int64_t now)
{
	struct fail fail = { 0 };

	for (size_t i = 0; io->settings->paths[i]; i++) {
		struct fail other = { 0 };
		int fd = -1;

		if (bridge_socket_connect(io->settings->paths[i], &fd, &other) == 0) {
			take_connection(io, fd, io->settings->paths[i], now);
			return;
		}
		keep_fail(&fail, &other);
	}
	note_unreachable(io, &fail);
	try_later(io, now);
}

/* --- lines -------------------------------------------------------------------------------------- */

static bool may_take_client(const struct io *io)
{
	return bridge_takes_more(io->bridge) && unread_bytes(io) < MAX_UNREAD;
}

static void take_client_lines(struct io *io, int64_t now)
{
	struct span line;

	while (may_take_client(io)) {
		int r = lines_next(&io->client, &line);

		if (r == 0)
			return;
		if (r < 0)
			bridge_hear_too_long(io->bridge, line.at, line.len);
		else
			bridge_hear_client(io->bridge, line.at, line.len, now);
	}
}

/* 0, or as bridge_hear_daemon(). */
static int take_daemon_lines(struct io *io)
{
	struct span line;
	int r = 0;

	while (r == 0 && is_connected(io) && !lines_is_full(&io->client)) {
		r = lines_next(&io->daemon, &line);
		if (r == 0)
			break;
		r = r < 0 ? -EMSGSIZE : bridge_hear_daemon(io->bridge, line.at, line.len);
	}
	return r;
}

static void told_again(struct io *io)
{
	if (!is_connected(io) || !bridge_is_served(io->bridge))
		return;
	if (may_tell(io->told_trouble))
		log_notice("connected to mcp-fleetd at %s%s", io->path,
			io->was_connected ? " again" : "");
	io->told_trouble = false;
	io->was_connected = true;
}

/* 0, or -errno with words when the client cannot be served any more. */
static int serve_daemon(struct io *io, struct fail *fail)
{
	int r = take_daemon_lines(io);

	if (r == -ECONNABORTED)
		return fail_set(
			fail, r, "mcp-fleetd at %s: %s", io->path, bridge_get_cause(io->bridge));
	if (r == -EMSGSIZE)
		close_connection(io, "it sent a message larger than 32 MiB");
	else if (r < 0)
		close_connection(io, NULL);
	else if (is_connected(io) && io->daemon.eof && !lines_has_untaken(&io->daemon))
		close_connection(io, "it ended the connection");
	told_again(io);
	return 0;
}

/* What it has said before it went is still there to be read; then comes the end. */
static void write_daemon(struct io *io)
{
	const char *bytes;
	size_t len;

	while (is_connected(io) && !io->cannot_write && bridge_peek(io->bridge, &bytes, &len)) {
		ssize_t n = send(io->daemon.out_fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			bridge_wrote(io->bridge, (size_t)n);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) {
			io->cannot_write = true;
			(void)shutdown(io->daemon.out_fd, SHUT_RD);
		}
	}
}

/* --- the loop ----------------------------------------------------------------------------------- */

static bool is_over(const struct io *io)
{
	return io->client.gone || io->is_stopped ||
	       (io->client.eof && !lines_has_untaken(&io->client) && bridge_is_idle(io->bridge) &&
		       !lines_has_unsent(&io->client));
}

static int64_t next_ms(const struct io *io)
{
	int64_t next = bridge_next_ms(io->bridge);

	if (!is_connected(io) && io->retry_at_ms < next)
		next = io->retry_at_ms;
	return next;
}

static bool wants_write(const struct io *io)
{
	const char *bytes;
	size_t len;

	return !io->cannot_write && bridge_peek(io->bridge, &bytes, &len);
}

static int timeout_ms(const struct io *io, int64_t now)
{
	int64_t left = next_ms(io) - now;

	if ((lines_has_untaken(&io->client) && may_take_client(io)) ||
		(is_connected(io) && lines_has_untaken(&io->daemon) && !lines_is_full(&io->client)))
		return 0;
	if (left < 0)
		return 0;
	return left < 3600 * CLOCK_SECOND_MS ? (int)left : -1;
}

static void wait_for_something(struct io *io, struct pollfd *fds)
{
	bool reads_daemon = is_connected(io) && !io->daemon.eof && !lines_is_full(&io->client);
	bool reads_client = !io->client.eof && may_take_client(io);

	fds[FD_SIGNAL] = (struct pollfd){ .fd = io->signals, .events = POLLIN };
	fds[FD_IN] =
		(struct pollfd){ .fd = reads_client ? io->client.in_fd : -1, .events = POLLIN };
	fds[FD_OUT] = (struct pollfd){ .fd = io->client.out_fd,
		.events = lines_has_unsent(&io->client) ? POLLOUT : 0 };
	fds[FD_DAEMON] = (struct pollfd){ .fd = -1 };
	if (reads_daemon || (is_connected(io) && wants_write(io)))
		fds[FD_DAEMON] = (struct pollfd){ .fd = io->daemon.in_fd,
			.events = (short)((reads_daemon ? POLLIN : 0) |
					  (wants_write(io) ? POLLOUT : 0)) };
	if (poll(fds, N_FDS, timeout_ms(io, clock_now_ms())) < 0)
		for (size_t i = 0; i < N_FDS; i++)
			fds[i].revents = 0;
	if (!reads_daemon)
		fds[FD_DAEMON].revents &= POLLOUT;
}

static int turn(struct io *io, struct fail *fail)
{
	struct pollfd fds[N_FDS];
	int64_t now;
	int r;

	wait_for_something(io, fds);
	now = clock_now_ms();
	io->is_stopped = fds[FD_SIGNAL].revents != 0;
	if (fds[FD_IN].revents)
		lines_read(&io->client);
	if (fds[FD_OUT].revents & (POLLERR | POLLNVAL | POLLHUP)) /* HUP: a socket's */
		io->client.gone = true;
	if (fds[FD_DAEMON].revents & ~POLLOUT)
		lines_read(&io->daemon);
	r = serve_daemon(io, fail);
	if (r < 0)
		return r;
	take_client_lines(io, now);
	if (!is_connected(io) && now >= io->retry_at_ms && !is_over(io))
		try_connect(io, now);
	if (bridge_turn(io->bridge, now) < 0)
		close_connection(io, NULL);
	write_daemon(io);
	lines_flush(&io->client);
	return 0;
}

/* The last answers, to a client that reads them soon. */
static void end(struct io *io, const char *why)
{
	int64_t until_ms = clock_now_ms() + BRIDGE_IO_FLUSH_MS;
	struct pollfd out = { .fd = io->client.out_fd, .events = POLLOUT };

	bridge_give_up(io->bridge, why);
	lines_flush(&io->client);
	while (lines_has_unsent(&io->client) && !io->client.gone && clock_now_ms() < until_ms) {
		if (poll(&out, 1, (int)(until_ms - clock_now_ms())) <= 0)
			return;
		lines_flush(&io->client);
	}
}

static int run(struct io *io, struct fail *fail)
{
	int r = 0;

	while (r == 0 && !is_over(io))
		r = turn(io, fail);
	if (r < 0)
		end(io, fail->text);
	else if (io->is_stopped)
		end(io, "mcp-fleetctl was told to end; what ran may have taken effect");
	return r;
}

/* --- begin and end ------------------------------------------------------------------------------ */

static int open_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static void make_tag(char *ret) /* of 2 * TAG_BYTES + 1 */
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[TAG_BYTES] = { 0 };

	(void)!getrandom(bytes, sizeof(bytes), 0);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		*ret++ = digits[bytes[i] >> 4];
		*ret++ = digits[bytes[i] & 15];
	}
	*ret = '\0';
}

static void describe_place(struct io *io)
{
	for (size_t i = 0; io->settings->paths[i]; i++)
		strbuf_addf(&io->place, "%s%s", i > 0 ? " or " : "", io->settings->paths[i]);
}

static void io_done(struct io *io)
{
	bridge_free(io->bridge);
	strbuf_done(&io->place);
	lines_done(&io->client);
	lines_done(&io->daemon);
	(void)fd_close(io->daemon.in_fd);
	(void)fd_close(io->signals);
}

int bridge_io_run(const struct bridge_io_settings *settings, struct fail *fail)
{
	struct io io = { .settings = settings,
		.client = { .in_fd = STDIN_FILENO,
			.out_fd = STDOUT_FILENO,
			.max_bytes = LIMIT_LINE_BYTES,
			.takes_rest = true },
		.daemon = { .in_fd = -1, .out_fd = -1 },
		.signals = open_signals() };
	int r;

	if (io.signals < 0)
		return fail_set(
			fail, io.signals, "cannot wait for signals: %s", strerror(-io.signals));
	(void)signal(SIGPIPE, SIG_IGN);
	make_tag(io.tag);
	describe_place(&io);
	const struct bridge_settings bridge_settings = { .place = strbuf_get(&io.place),
		.tag = io.tag,
		.wait_ms = settings->wait_ms,
		.say = say,
		.arg = &io };
	io.bridge = bridge_new(&bridge_settings);
	r = run(&io, fail);
	io_done(&io);
	return r;
}
