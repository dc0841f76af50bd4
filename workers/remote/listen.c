/* The stream of what the server sends by itself; see remote.h. Streamable HTTP: a GET beside the POSTs, which
 * the server may refuse. HTTP+SSE: the stream that is the session, with all answers. */
#include "shared/alloc.h"
#include "shared/clock.h"
#include "workers/remote/remote.h"

/* A stream that ends after each event comes back soon, but not in a busy loop. */
enum { FAILURES_KEPT = 3 };

void listen_close(struct remote *remote)
{
	http_drop(remote->http, TAKE(remote->stream));
	free(remote->stream_last_id);
	remote->stream_last_id = NULL;
	remote->stream_retry_ms = 0;
	remote->stream_at_ms = 0;
	remote->endpoint_until_ms = 0;
}

/* --- Streamable HTTP ---------------------------------------------------------------------------- */

static void on_event(void *arg, struct exchange *x, struct event *event)
{
	struct remote *remote = arg;

	if (remote->n_stream_failures > FAILURES_KEPT)
		remote->n_stream_failures = FAILURES_KEPT;
	(void)remote_deliver(remote, NULL, event->data, event->len);
}

static void keep_event_id(struct remote *remote, const struct exchange *x)
{
	const struct events *events = exchange_events(x);

	remote->stream_retry_ms = events->retry_ms;
	if (events->id.len == 0)
		return;
	free(remote->stream_last_id);
	remote->stream_last_id = alloc_str(strbuf_get(&events->id));
}

/* It comes back soon when it lived for long, and ever later when it does not live at all. */
static void open_later(struct remote *remote, int64_t after_ms)
{
	int64_t now = clock_now_ms();
	int64_t wait_ms;

	if (now - remote->stream_since_ms >= STABLE_MS)
		remote->n_stream_failures = 0;
	wait_ms = remote_backoff_ms(remote->n_stream_failures++);
	if (wait_ms < remote->stream_retry_ms)
		wait_ms = remote->stream_retry_ms;
	if (wait_ms < after_ms)
		wait_ms = after_ms;
	remote->stream_at_ms = now + wait_ms;
}

static bool is_worth_retrying(int status)
{
	return (status >= 200 && status < 300) || status == 409 || status == 429 || status >= 500;
}

static void on_ended(void *arg, struct exchange *x)
{
	struct remote *remote = arg;
	int status = exchange_status(x);

	remote->stream = NULL;
	keep_event_id(remote, x);
	if (exchange_end(x) == HTTP_UNREACHED) {
		session_lost(remote, "cannot be reached: %s", exchange_cause(x));
		return;
	}
	if (exchange_end(x) == HTTP_BROKEN) {
		open_later(remote, 0);
		return;
	}
	if (exchange_end(x) == HTTP_ANSWERED && status == 404 && remote->session_id) {
		session_lost(remote, "the server does not know the session any more (HTTP 404)");
		return;
	}
	if (exchange_end(x) == HTTP_REFUSED)
		remote_tell(
			remote, "its stream of notifications is not read: %s", exchange_cause(x));
	if (is_worth_retrying(status) && (!exchange_is_ok(x) || exchange_is_events(x)))
		open_later(remote, remote_retry_after_ms(x));
	/* 405 and its like: the server has no such stream. */
}

void listen_open(struct remote *remote)
{
	const struct exchange_spec spec = {
		.method = "GET",
		.target = &remote->target,
		.headers = request_stream_headers(remote, remote->stream_last_id),
		.may_resend = true,
		.event = on_event,
		.ended = on_ended,
		.arg = remote,
	};

	remote->stream_at_ms = 0;
	remote->stream_since_ms = clock_now_ms();
	remote->stream = http_start(remote->http, &spec);
}

/* --- HTTP+SSE ----------------------------------------------------------------------------------- */

static void take_endpoint(struct remote *remote, const char *data)
{
	struct fail fail = { 0 };

	if (remote->endpoint.url)
		return; /* one is enough */
	if (target_resolve(&remote->target, data, &remote->endpoint, &fail) < 0) {
		session_fail(remote, 0, "its endpoint is refused: %s", fail.text);
		return;
	}
	remote->endpoint_until_ms = 0;
	session_ask(remote);
}

static void on_sse_event(void *arg, struct exchange *x, struct event *event)
{
	struct remote *remote = arg;

	if (streq(event->name, "endpoint"))
		take_endpoint(remote, event->data);
	else if (streq(event->name, "message"))
		(void)remote_deliver(remote, NULL, event->data, event->len);
}

/* The session ends with its stream. */
static void on_sse_ended(void *arg, struct exchange *x)
{
	struct remote *remote = arg;
	auto_free char *words = NULL;

	remote->stream = NULL;
	if (exchange_end(x) != HTTP_ANSWERED)
		words = alloc_str(exchange_cause(x));
	else
		words = exchange_is_events(x) ? alloc_str("the event stream ended")
					      : post_describe(x);
	if (remote->state == SESSION_OPENING)
		session_fail(remote, remote_retry_after_ms(x), "%s%s",
			exchange_end(x) == HTTP_UNREACHED ? "cannot be reached: " : "", words);
	else
		session_lost(remote, "%s", words);
}

void listen_open_sse(struct remote *remote)
{
	const struct exchange_spec spec = {
		.method = "GET",
		.target = &remote->target,
		.headers = request_stream_headers(remote, NULL),
		.may_resend = true,
		.event = on_sse_event,
		.ended = on_sse_ended,
		.arg = remote,
	};

	remote->stream = http_start(remote->http, &spec);
	remote->endpoint_until_ms = clock_now_ms() + ENDPOINT_MS;
}

/* --- time --------------------------------------------------------------------------------------- */

void listen_turn(struct remote *remote, int64_t now)
{
	if (remote->stream_at_ms > 0 && now >= remote->stream_at_ms &&
		remote->state == SESSION_OPEN)
		listen_open(remote);
	if (remote->endpoint_until_ms > 0 && now >= remote->endpoint_until_ms)
		session_fail(remote, 0, "no endpoint event came on its event stream");
}

int64_t listen_next_ms(const struct remote *remote)
{
	int64_t next = remote->stream_at_ms > 0 ? remote->stream_at_ms : INT64_MAX;

	if (remote->endpoint_until_ms > 0 && remote->endpoint_until_ms < next)
		next = remote->endpoint_until_ms;
	return next;
}
