/* The loop of the bridge, and what comes from the server; see remote.h. */
#include "workers/remote/remote.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fd.h"

enum {
	LINES_A_TURN = 64, /* of the client: then the network has its turn */
	IDLE_MS = 60000,
	MAX_TELLINGS = 20, /* in 10 s: a server may have a reason a message */
};

void remote_tell(struct remote *remote, const char *fmt, ...)
{
	auto_strbuf words = { 0 };
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&words, fmt, args);
	va_end(args);
	if (remote->told && streq(remote->told, strbuf_get(&words)))
		return;
	if (!log_limit_ok(&remote->tellings, MAX_TELLINGS, remote->target.shown))
		return;
	free(remote->told);
	remote->told = strbuf_take(&words);
	if (!fd_takes_line(STDERR_FILENO))
		return; /* nobody reads it: there are answers to be given */
	(void)fprintf(stderr, "mcp-fleet-remote: %s: %s\n", remote->target.shown, remote->told);
}

int64_t remote_backoff_ms(unsigned n_failures)
{
	int64_t most = BACKOFF_FIRST_MS;
	uint32_t bits = 0;

	for (unsigned i = 0; i < n_failures && most < BACKOFF_CAP_MS; i++)
		most *= 2;
	if (most > BACKOFF_CAP_MS)
		most = BACKOFF_CAP_MS;
	(void)!getrandom(&bits, sizeof(bits), 0);
	return most / 2 + (int64_t)bits % (most / 2 + 1);
}

void remote_answer_error(struct remote *remote, struct jspan id, int code, const char *fmt, ...)
{
	auto_strbuf words = { 0 };
	auto_strbuf line = { 0 };
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&words, fmt, args);
	va_end(args);
	rpc_add_error(&line, id, code, strbuf_get(&words));
	lines_write(&remote->lines, line.data, line.len);
}

static void take_answer(struct remote *remote, struct post *from, const struct rpc *rpc,
	const char *text, size_t len)
{
	struct post *post = post_find_answered(remote, from, rpc->id);

	if (!post) {
		if (rpc->id.at) /* a cancelled one's, most often */
			return;
		remote_tell(remote, "it sent an error that belongs to no request");
		return;
	}
	if (patience_hold_refused(post, rpc))
		return;
	if (rpc->kind == RPC_RESULT && jspan_is(post->rpc.method, "tools/list"))
		mirrors_learn(&remote->mirrors, rpc->result);
	if (!post->is_cancelled)
		lines_write(&remote->lines, text, len);
	post_done(post);
}

bool remote_deliver(struct remote *remote, struct post *from, char *text, size_t len)
{
	const char *why;
	struct rpc rpc;

	if (len > (size_t)remote->settings->max_bytes || rpc_parse(text, len, &rpc, &why) != 0) {
		remote_tell(remote, "it sent something that is no JSON-RPC message, skipped");
		return false;
	}
	jspan_one_line(text, len);
	if (rpc.kind == RPC_REQUEST || rpc.kind == RPC_NOTIFICATION)
		lines_write(&remote->lines, text, len);
	else if (from || remote->transport != TRANSPORT_SSE ||
		 !session_take_answer(remote, &rpc, text, len))
		take_answer(remote, from, &rpc, text, len);
	return true;
}

/* --- the loop ----------------------------------------------------------------------------------- */

static void take_lines(struct remote *remote)
{
	struct span line;

	for (int i = 0; i < LINES_A_TURN && post_has_room(remote); i++) {
		int r = lines_next(&remote->lines, &line);

		if (r == 0)
			return;
		if (r > 0)
			client_line(remote, line.at, line.len);
		else
			remote_answer_error(remote, rpc_find_request_id(line.at, line.len),
				RPC_INVALID_REQUEST, "a line is over the limit of %lld bytes",
				(long long)remote->settings->max_bytes);
	}
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t wait_ms(const struct remote *remote, int64_t now)
{
	int64_t next = now + IDLE_MS;

	next = earlier(next, session_next_ms(remote));
	next = earlier(next, listen_next_ms(remote));
	next = earlier(next, post_next_ms(remote));
	if (remote->end_ms > 0)
		next = earlier(next, remote->end_ms);
	return next > now ? next - now : 0;
}

/* A whole line may be there already, beyond LINES_A_TURN. */
static bool has_line(const struct remote *remote)
{
	return post_has_room(remote) && lines_has_untaken(&remote->lines);
}

static void wait_for_news(struct remote *remote)
{
	struct lines *lines = &remote->lines;
	int64_t now = clock_now_ms();
	struct curl_waitfd fds[3] = { { .fd = remote->signals, .events = CURL_WAIT_POLLIN } };
	unsigned n = 1;

	if (lines_is_full(lines)) { /* the network has to wait for the client */
		struct pollfd full[] = { { .fd = lines->out_fd, .events = POLLOUT },
			{ .fd = remote->signals, .events = POLLIN } };

		(void)poll(full, N_ELEMENTS(full), (int)wait_ms(remote, now));
		return;
	}
	if (!lines->eof && post_has_room(remote))
		fds[n++] = (struct curl_waitfd){ lines->in_fd, CURL_WAIT_POLLIN, 0 };
	if (lines_has_unsent(lines))
		fds[n++] = (struct curl_waitfd){ lines->out_fd, CURL_WAIT_POLLOUT, 0 };
	http_wait(remote->http, fds, n, has_line(remote) ? 0 : wait_ms(remote, now));
}

/* Something may be there: a read would not wait. */
static bool is_readable(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	return poll(&ready, 1, 0) > 0;
}

static bool is_idle(const struct remote *remote)
{
	return TAILQ_EMPTY(&remote->posts) && !lines_has_unsent(&remote->lines);
}

/* After the end of input: the answers that are under way are waited for, but not for long; a server that
 * is not there is not. */
static bool is_over(const struct remote *remote)
{
	if (remote->lines.gone || remote->is_stopped)
		return true;
	if (remote->end_ms > 0 && clock_now_ms() >= remote->end_ms)
		return true;
	if (remote->must_leave && is_idle(remote) && !is_readable(remote->lines.in_fd))
		return true;
	if (!remote->lines.eof || has_line(remote))
		return false;
	if (remote->is_first && remote->state != SESSION_NONE)
		return remote->state == SESSION_WAITING;
	return is_idle(remote);
}

static void turn(struct remote *remote)
{
	struct lines *lines = &remote->lines;
	int64_t now;

	if (!lines->eof && post_has_room(remote) && !lines_is_full(lines) &&
		is_readable(lines->in_fd))
		lines_read(lines);
	take_lines(remote);
	if (!lines_is_full(lines))
		http_turn(remote->http);
	now = clock_now_ms();
	session_turn(remote, now);
	listen_turn(remote, now);
	post_turn(remote, now);
	lines_flush(lines);
	if (lines->eof && remote->end_ms == 0)
		remote->end_ms = now + FAREWELL_MS;
	remote->is_stopped = is_readable(remote->signals);
}

static void run(struct remote *remote)
{
	for (turn(remote); !is_over(remote); turn(remote))
		wait_for_news(remote);
	if (patience_is_set(remote))
		session_give_up(remote);
	post_fail_all(remote, remote->is_stopped ? "we were told to end" : "our input ended");
	lines_flush(&remote->lines);
	session_end(remote);
}

static void free_remote(struct remote *remote)
{
	post_free_all(remote);
	http_free(remote->http);
	lines_done(&remote->lines);
	headers_file_done(&remote->headers);
	headers_file_done(&remote->key);
	mirrors_done(&remote->mirrors);
	target_done(&remote->target);
	target_done(&remote->endpoint);
	if (remote->signals >= 0)
		(void)close(remote->signals);
	free(remote->modern_version);
	free(remote->told);
	free(remote->initialize);
	free(remote->fallback_cause);
	free(remote->session_id);
	free(remote->version);
	free(remote->told_version);
	free(remote->cause);
	free(remote->stream_last_id);
}

int64_t remote_retry_after_ms(const struct exchange *x)
{
	int64_t ms = exchange_retry_after_ms(x);

	return ms < MAX_RETRY_AFTER_MS ? ms : MAX_RETRY_AFTER_MS;
}

int remote_run(const struct settings *settings, struct fail *fail)
{
	struct remote remote = {
		.settings = settings,
		.signals = -1,
		.http_settings = { .ca_file = settings->ca_file,
			.max_bytes = (size_t)settings->max_bytes },
		.lines = { .in_fd = STDIN_FILENO,
			.out_fd = STDOUT_FILENO,
			.max_bytes = (size_t)settings->max_bytes,
			.takes_rest = settings->wait_ms > 0 },
		.headers = { .path = settings->headers_file, .name = "headers_file" },
		.key = { .path = settings->key_file, .name = "key_file", .is_key = true },
	};
	int r;

	TAILQ_INIT(&remote.posts);
	r = target_parse(settings->url, &remote.target, fail);
	if (r == 0)
		r = headers_file_refresh(&remote.headers, fail);
	if (r == 0)
		r = headers_file_refresh(&remote.key, fail);
	if (r == 0) {
		remote.http = http_new(&remote.http_settings);
		if (!remote.http)
			r = fail_set(fail, -EINVAL, "libcurl cannot be used");
	}
	if (r == 0) {
		remote.signals = fd_open_end_signals();
		r = remote.signals < 0 ? fail_set(fail, remote.signals, "no signalfd: %s",
						 strerror(-remote.signals))
				       : 0;
	}
	if (r == 0)
		run(&remote);
	free_remote(&remote);
	return r;
}
