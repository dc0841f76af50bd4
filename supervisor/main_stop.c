/* The end of the daemon. It has four phases: door (no new connections; who is connected and has not asked yet is still
 * served), calls (no new requests; those in flight may finish for `drain`), output (what was answered is written),
 * workers (all processes end, the registrar and the courier last). A second SIGTERM skips what is left. */
#include <signal.h>
#include <string.h>

#include "shared/log.h"
#include "supervisor/main_private.h"

enum {
	POLL_MS = 10,
	DOOR_MS = 500,
	WORKERS_DRAIN_MS = 500,
};

static void on_courier_stopped(void *arg)
{
	struct daemon *d = arg;

	loop_stop(d->loop);
}

static void on_spans_sent(void *arg)
{
	struct daemon *d = arg;

	courier_stop(d->courier, on_courier_stopped, d);
}

static void on_registrar_stopped(void *arg)
{
	struct daemon *d = arg;

	otlp_stop(d->otlp, on_spans_sent, d);
}

static void on_fleet_stopped(void *arg)
{
	struct daemon *d = arg;

	registration_stop(d->registration, on_registrar_stopped, d);
}

static void note_pending(void *arg, struct session *session)
{
	bool *pending = arg;

	*pending |= session_is_pending(session);
}

static bool is_writing(const struct daemon *d)
{
	bool pending = false;

	sessions_each(mcp_get_sessions(d->mcp), note_pending, &pending);
	return pending || (d->httpd && httpd_is_writing(d->httpd)) ||
	       (d->stream && stream_is_writing(d->stream)) || local_is_writing(d->local);
}

/* The client of stdio asked for the end itself: it gets all, however slow it is. */
static bool is_awaited(const struct daemon *d)
{
	const struct session *session = d->stream ? stream_get_session(d->stream) : NULL;

	return d->input_ended && session &&
	       (session_is_pending(session) || stream_is_writing(d->stream));
}

static void end_output(struct daemon *d)
{
	if (d->phase != PHASE_OUTPUT)
		return;
	if (is_awaited(d) || (is_writing(d) && loop_now_ms(d->loop) < d->drain_until_ms)) {
		timer_start(d->stop_timer, POLL_MS);
		return;
	}
	d->phase = PHASE_WORKERS;
	/* It is why the fleet stops, not what comes of it. */
	if (d->input_ended && d->stream && stream_get_session(d->stream))
		session_close(stream_get_session(d->stream), "its client has left");
	sessions_close_all(mcp_get_sessions(d->mcp), "the fleet is stopping");
	if (d->httpd)
		httpd_close_idle(d->httpd);
	fleet_stop(d->fleet, WORKERS_DRAIN_MS, on_fleet_stopped, d);
}

static void end_calls(void *arg)
{
	struct daemon *d = arg;

	if (d->phase != PHASE_CALLS || mcp_count_pending(d->mcp) > 0)
		return;
	timer_stop(d->drain_timer);
	d->phase = PHASE_OUTPUT;
	end_output(d);
}

void main_on_drain_over(void *arg)
{
	struct daemon *d = arg;

	log_warn("stopping: %u calls did not end within `drain`; they are told so",
		mcp_count_pending(d->mcp));
	mcp_fail_pending(d->mcp, "the fleet is stopping and the call did not end in time (drain); "
				 "it may have taken effect");
	end_calls(d);
}

/* A client whose connection was accepted has been told that somebody is there. */
static bool is_awaited_in_the_door(const struct daemon *d)
{
	return (d->httpd && httpd_is_awaiting(d->httpd)) || local_is_awaiting(d->local);
}

static void close_door(struct daemon *d)
{
	if (d->httpd)
		httpd_end_listening(d->httpd);
	if (is_awaited_in_the_door(d) && loop_now_ms(d->loop) < d->door_until_ms) {
		timer_start(d->stop_timer, POLL_MS);
		return;
	}
	d->phase = PHASE_CALLS;
	d->drain_until_ms = loop_now_ms(d->loop) + d->conf->drain_ms;
	mcp_refuse_new(d->mcp);
	timer_start(d->drain_timer, d->conf->drain_ms);
	end_calls(d);
}

static void begin_stop(struct daemon *d)
{
	if (d->phase != PHASE_SERVING)
		return;
	d->phase = PHASE_DOOR;
	d->door_until_ms = loop_now_ms(d->loop) + DOOR_MS;
	/* It is told at once: a balancer looks elsewhere, an operator changes nothing any more. */
	health_set_stopping(d->health);
	control_set_stopping(d->control);
	local_stop_listening(d->local);
	if (d->httpd) {
		httpd_stop_listening(d->httpd);
		timer_start(d->stop_timer, POLL_MS);
	} else {
		close_door(d);
	}
}

void main_go_on_stopping(void *arg)
{
	struct daemon *d = arg;

	if (d->phase == PHASE_DOOR)
		close_door(d);
	else
		end_output(d);
}

/* What the client of stdio has asked for is answered; those at the local socket have `drain`. */
static bool is_stdio_done(const struct daemon *d)
{
	const struct session *session = d->stream ? stream_get_session(d->stream) : NULL;

	return d->input_ended && (!session || mcp_count_pending_of(d->mcp, session) == 0);
}

static void on_calls_ended(void *arg)
{
	struct daemon *d = arg;

	if (d->phase == PHASE_SERVING && is_stdio_done(d))
		begin_stop(d);
	end_calls(d);
}

/* --- what the layers tell ---------------------------------------------------------------------- */

/* The lists are complete: what came before that was answered now. */
void main_on_settled(void *arg)
{
	struct daemon *d = arg;
	auto_strbuf text = { 0 };

	if (d->phase != PHASE_SERVING)
		return;
	health_add_summary(d->health, &text);
	log_info("ready: %s", strbuf_get(&text));
	notify_ready(strbuf_get(&text));
	if (d->input_ended)
		loop_defer(d->loop, on_calls_ended, d);
}

/* Comes from deep inside the router: what follows waits for the end of the turn. */
void main_on_idle(void *arg)
{
	struct daemon *d = arg;

	if (d->phase == PHASE_CALLS || d->input_ended)
		loop_defer(d->loop, on_calls_ended, d);
}

void main_on_stop_signal(evutil_socket_t signo, short what, void *arg)
{
	struct daemon *d = arg;

	if (d->phase != PHASE_SERVING) {
		log_notice("stopping at once, on a second signal");
		loop_stop(d->loop);
		return;
	}
	log_info("stopping on SIG%s: %u calls in flight, %u sessions", sigabbrev_np(signo),
		mcp_count_pending(d->mcp), sessions_count(mcp_get_sessions(d->mcp)));
	notify_stopping("letting calls end");
	begin_stop(d);
}

/* --- stdio ------------------------------------------------------------------------------------- */

static void on_input_ended(void *arg)
{
	struct daemon *d = arg;

	d->input_ended = true;
	loop_defer(d->loop, on_calls_ended, d);
}

static void on_output_drained(void *arg)
{
	on_calls_ended(arg);
	end_output(arg);
}

static void on_output_broken(void *arg)
{
	struct daemon *d = arg;

	if (d->phase == PHASE_WORKERS)
		return;
	log_notice("nobody reads our output any more, ending");
	if (stream_get_session(d->stream))
		session_close(stream_get_session(d->stream), "the client is gone");
	d->input_ended = true;
	on_calls_ended(d);
}

const struct stream_hooks main_stream_hooks = {
	.ended = on_input_ended,
	.drained = on_output_drained,
	.broken = on_output_broken,
};
