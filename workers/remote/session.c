/* Opening the session of a remote server, losing it, opening it again; see remote.h.
 *
 * The client initialises once. Whenever the session is lost later, the same bytes are sent again, and the
 * answer is kept here: all that the client hears is that its lists may have changed. */
#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/header_name.h"
#include "workers/remote/remote.h"

/* Lists whose change the client is told, when the server has them. */
static const char *const list_names[] = { "tools", "resources", "prompts" };

enum { MAX_VERSION = 64 };

/* --- trying ------------------------------------------------------------------------------------- */

static void drop_attempt(struct remote *remote)
{
	http_drop(remote->http, TAKE(remote->opening));
	listen_close(remote);
	target_done(&remote->endpoint);
	free(remote->session_id);
	remote->session_id = NULL;
	remote->open_until_ms = 0;
}

static void try_open(struct remote *remote)
{
	drop_attempt(remote);
	/* The version goes into headers only once it was negotiated, each time anew. */
	free(remote->version);
	remote->version = NULL;
	remote->state = SESSION_OPENING;
	remote->retry_at_ms = 0;
	remote->tried_ms = clock_now_ms();
	remote->transport = settings_transport(remote->settings);
	free(remote->fallback_cause);
	remote->fallback_cause = NULL;
	if (remote->transport == TRANSPORT_SSE)
		listen_open_sse(remote);
	else
		session_ask(remote);
}

void session_fail(struct remote *remote, int64_t after_ms, const char *fmt, ...)
{
	auto_strbuf words = { 0 };
	int64_t wait_ms = patience_pause_ms(remote, remote->n_failures++);
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&words, fmt, args);
	va_end(args);
	if (remote->fallback_cause)
		strbuf_addf(&words, " (and as Streamable HTTP: %s)", remote->fallback_cause);
	drop_attempt(remote);
	remote->state = SESSION_WAITING;
	if (!patience_is_set(remote))
		remote->hold_until_ms = 0;
	remote->not_before_ms = clock_now_ms() + after_ms;
	remote->retry_at_ms = clock_now_ms() + (wait_ms > after_ms ? wait_ms : after_ms);
	free(remote->cause);
	remote->cause = strbuf_take(&words);
	remote_tell(remote, "%s; trying again", remote->cause);
	if (!remote->is_first && remote->hold_until_ms == 0)
		post_fail_held(remote);
}

void session_lost(struct remote *remote, const char *fmt, ...)
{
	auto_strbuf words = { 0 };
	int64_t now = clock_now_ms();
	int64_t stable_ms = patience_stable_ms(remote);
	bool was_stable = remote->opened_ms > 0 && now - remote->opened_ms >= stable_ms;
	va_list args;

	if (remote->state != SESSION_OPEN && remote->state != SESSION_ANSWERED &&
		remote->state != SESSION_CONFIRMING)
		return;
	va_start(args, fmt);
	strbuf_addv(&words, fmt, args);
	va_end(args);
	if (was_stable)
		remote->n_failures = 0;
	else if (patience_is_set(remote) && remote->state == SESSION_OPEN)
		remote->n_failures = 1; /* it worked: the next one soon, but not at once */
	post_fail_elsewhere(remote, strbuf_get(&words));
	remote_tell(remote, "the session is lost: %s; opening it again", strbuf_get(&words));
	free(remote->cause);
	remote->cause = strbuf_take(&words);
	remote->hold_until_ms = now + patience_hold_ms(remote);
	drop_attempt(remote);
	remote->session_no++;
	/* A server that forgets each session at once is not asked without a pause. */
	remote->state = SESSION_WAITING;
	remote->retry_at_ms = now;
	if (remote->n_failures > 0)
		remote->retry_at_ms += patience_pause_ms(remote, remote->n_failures);
	if (!was_stable)
		remote->n_failures++;
}

void session_hurry(struct remote *remote)
{
	int64_t now = clock_now_ms();

	if (patience_is_set(remote) && remote->hold_until_ms == 0 && !remote->is_first &&
		(remote->state == SESSION_WAITING || remote->state == SESSION_OPENING))
		remote->hold_until_ms = now + patience_hold_ms(remote);
	if (remote->state != SESSION_WAITING || remote->is_first || now < remote->not_before_ms ||
		now - remote->tried_ms < HURRY_MS)
		return;
	remote->retry_at_ms = now;
	remote->hold_until_ms = now + patience_hold_ms(remote);
}

/* --- initialize --------------------------------------------------------------------------------- */

/* Streamable HTTP is refused as an older server does it. An answer that shows that MCP is spoken is none of
 * these: those are taken before. */
static bool is_fallback(const struct remote *remote, const struct exchange *x)
{
	int status = exchange_status(x);

	return remote->transport == TRANSPORT_AUTO &&
	       (status == 400 || status == 404 || status == 405);
}

static void fall_back(struct remote *remote, struct exchange *x)
{
	free(remote->fallback_cause);
	remote->fallback_cause = post_describe(x);
	remote->transport = TRANSPORT_SSE;
	listen_open_sse(remote);
}

/* The event or body that holds the answer; anything else that comes with it goes to the client. */
static bool take_message(struct remote *remote, char *text, size_t len)
{
	const char *why;
	struct rpc rpc;

	if (rpc_parse(text, len, &rpc, &why) != 0)
		return false;
	jspan_one_line(text, len);
	if (session_take_answer(remote, &rpc, text, len))
		return true;
	(void)remote_deliver(remote, NULL, text, len);
	return false;
}

static void keep_session_id(struct remote *remote, const struct exchange *x)
{
	if (!exchange_session(x) || remote->transport == TRANSPORT_SSE)
		return;
	free(remote->session_id);
	remote->session_id = alloc_str(exchange_session(x));
}

static void on_opening_event(void *arg, struct exchange *x, struct event *event)
{
	struct remote *remote = arg;

	keep_session_id(remote, x);
	(void)take_message(remote, event->data, event->len);
}

/* A JSON-RPC error with the id of the request: the server speaks MCP, whatever the HTTP status is. */
static bool has_answer(struct remote *remote, struct exchange *x)
{
	struct strbuf *body = exchange_body(x);

	if (exchange_is_events(x) || body->len == 0)
		return false;
	if (exchange_is_ok(x))
		keep_session_id(remote, x);
	return take_message(remote, body->data, body->len);
}

static void on_opening_ended(void *arg, struct exchange *x)
{
	struct remote *remote = arg;

	remote->opening = NULL;
	if (remote->state != SESSION_OPENING)
		return; /* answered by an event of this very stream */
	if (exchange_end(x) != HTTP_ANSWERED) {
		session_fail(remote, 0, "cannot be reached: %s", exchange_cause(x));
		return;
	}
	if (has_answer(remote, x) || remote->state != SESSION_OPENING)
		return;
	if (remote->transport == TRANSPORT_SSE && exchange_is_ok(x))
		return; /* the answer comes on the stream */
	if (is_fallback(remote, x)) {
		fall_back(remote, x);
		return;
	}
	auto_free char *words = post_describe(x);

	session_fail(remote, remote_retry_after_ms(x), "it did not answer initialize: %s", words);
}

void session_ask(struct remote *remote)
{
	const struct exchange_spec spec = {
		.method = "POST",
		.target = remote->endpoint.url ? &remote->endpoint : &remote->target,
		.headers = request_headers(remote, NULL),
		.body = remote->initialize,
		.body_bytes = remote->initialize_len,
		.may_resend = true,
		.event = on_opening_event,
		.ended = on_opening_ended,
		.arg = remote,
	};

	remote->opening = http_start(remote->http, &spec);
	/* The client's own patience counts for its own initialize. */
	remote->open_until_ms = remote->is_first ? 0 : clock_now_ms() + OPEN_MS;
}

/* --- the answer --------------------------------------------------------------------------------- */

static void note_lists(struct remote *remote, struct jspan result)
{
	struct jspan capabilities = jspan_member(result, "capabilities", NULL);

	for (size_t i = 0; i < N_ELEMENTS(list_names); i++)
		if (jspan_member(capabilities, list_names[i], NULL).at)
			remote->lists |= 1U << i;
}

/* The version that counts from now on. */
static void note_version(struct remote *remote, struct jspan result)
{
	auto_strbuf version = { 0 };

	if (jspan_get_str(jspan_member(result, "protocolVersion", NULL), &version) &&
		version.len <= MAX_VERSION && header_name_is_token(version.data, version.len)) {
		free(remote->version);
		remote->version = strbuf_take(&version);
	}
}

static bool is_same_version(const struct remote *remote)
{
	return remote->version && remote->told_version
		       ? streq(remote->version, remote->told_version)
		       : remote->version == remote->told_version;
}

static void confirm(struct remote *remote)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";

	client_line(remote, line, sizeof(line) - 1);
}

static void take_first_answer(
	struct remote *remote, const struct rpc *rpc, const char *text, size_t len)
{
	if (patience_is_set(remote) && rpc_is_stopping(rpc)) {
		session_fail(remote, 0, "the fleet is stopping");
		return;
	}
	remote->is_first = false;
	lines_write(&remote->lines, text, len);
	if (rpc->kind == RPC_ERROR) {
		drop_attempt(remote);
		remote->state = SESSION_NONE;
		return;
	}
	note_version(remote, rpc->result);
	free(remote->told_version);
	remote->told_version = alloc_str(remote->version);
	remote->state = SESSION_ANSWERED;
}

static void take_next_answer(struct remote *remote, const struct rpc *rpc)
{
	if (rpc->kind == RPC_ERROR) {
		session_fail(remote, 0, "it refuses to be initialised again: %.*s",
			(int)(rpc->error.len < 200 ? rpc->error.len : 200), rpc->error.at);
		return;
	}
	note_version(remote, rpc->result);
	if (!is_same_version(remote)) {
		remote_tell(remote, "it speaks another version than before: starting anew");
		remote->must_leave = true;
	}
	remote->state = SESSION_ANSWERED;
	confirm(remote);
}

bool session_take_answer(struct remote *remote, const struct rpc *rpc, const char *text, size_t len)
{
	if (remote->state != SESSION_OPENING ||
		(rpc->kind != RPC_RESULT && rpc->kind != RPC_ERROR) ||
		!jspan_same(rpc->id, remote->initialize_rpc.id))
		return false;
	remote->opened_ms = clock_now_ms();
	if (rpc->kind == RPC_RESULT)
		note_lists(remote, rpc->result);
	if (remote->is_first)
		take_first_answer(remote, rpc, text, len);
	else
		take_next_answer(remote, rpc);
	return true;
}

static void tell_changes(struct remote *remote)
{
	for (size_t i = 0; i < N_ELEMENTS(list_names); i++) {
		auto_free char *line = NULL;

		if (!(remote->lists & (1U << i)))
			continue;
		line = alloc_printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/%s/"
				    "list_changed\"}",
			list_names[i]);
		lines_write(&remote->lines, line, strlen(line));
	}
}

void session_confirmed(struct remote *remote, bool ok, const char *cause)
{
	if (remote->state != SESSION_CONFIRMING)
		return;
	if (!ok) {
		remote->state = SESSION_ANSWERED; /* so that it can be lost */
		session_lost(remote, "notifications/initialized was not taken: %s", cause);
		return;
	}
	remote->state = SESSION_OPEN;
	if (remote->was_open) {
		remote_tell(remote, "the session is open again");
		tell_changes(remote);
	}
	remote->was_open = true;
	if (remote->transport != TRANSPORT_SSE)
		listen_open(remote);
}

/* --- from the client ---------------------------------------------------------------------------- */

void session_begin(struct remote *remote, const char *line, size_t len)
{
	const char *why;

	if (remote->is_first && remote->state != SESSION_NONE)
		remote_answer_error(remote, remote->initialize_rpc.id, RPC_INVALID_REQUEST,
			"another initialize came before this one was answered");
	post_fail_elsewhere(remote, "the client initialised anew");
	free(remote->initialize);
	remote->initialize = alloc_mem(line, len);
	remote->initialize_len = len;
	(void)!rpc_parse(remote->initialize, len, &remote->initialize_rpc, &why);
	remote->is_first = true;
	remote->first_until_ms =
		patience_is_set(remote) ? clock_now_ms() + patience_hold_ms(remote) : 0;
	remote->lists = 0;
	remote->session_no++;
	remote->was_open = false;
	remote->n_failures = 0;
	try_open(remote);
}

/* --- time --------------------------------------------------------------------------------------- */

/* The client may ask again. */
void session_give_up(struct remote *remote)
{
	if (!remote->is_first || remote->state == SESSION_NONE)
		return;
	remote_answer_error(remote, remote->initialize_rpc.id, RPC_UNAVAILABLE,
		"%s: the remote server cannot be reached: %s", remote->target.shown,
		remote->cause ? remote->cause : "it does not answer");
	remote->is_first = false;
	drop_attempt(remote);
	post_fail_held(remote);
	remote->state = SESSION_NONE;
}

void session_turn(struct remote *remote, int64_t now)
{
	if (remote->is_first && remote->first_until_ms > 0 && now >= remote->first_until_ms)
		session_give_up(remote);
	if (remote->state == SESSION_WAITING && now >= remote->retry_at_ms)
		try_open(remote);
	if (remote->state == SESSION_OPENING && remote->open_until_ms > 0 &&
		now >= remote->open_until_ms)
		session_fail(remote, 0, "it did not answer initialize in time");
	if (remote->hold_until_ms > 0 && now >= remote->hold_until_ms) {
		remote->hold_until_ms = 0;
		if (remote->state != SESSION_OPEN)
			post_fail_held(remote);
	}
}

int64_t session_next_ms(const struct remote *remote)
{
	int64_t next = remote->state == SESSION_WAITING ? remote->retry_at_ms : INT64_MAX;

	if (remote->state == SESSION_OPENING && remote->open_until_ms > 0)
		next = remote->open_until_ms;
	if (remote->is_first && remote->first_until_ms > 0 && remote->first_until_ms < next)
		next = remote->first_until_ms;
	if (remote->hold_until_ms > 0 && remote->hold_until_ms < next)
		next = remote->hold_until_ms;
	return next;
}

static void on_deleted(void *arg, struct exchange *x)
{
	bool *done = arg;

	*done = true;
}

/* Tells the server that the session is over, when it has one; waits for the answer, but not for long. */
void session_end(struct remote *remote)
{
	bool done = false;
	int64_t until_ms = clock_now_ms() + GOODBYE_MS;

	listen_close(remote);
	if (!remote->session_id)
		return;
	const struct exchange_spec spec = {
		.method = "DELETE",
		.target = &remote->target,
		.headers = request_headers(remote, NULL),
		.may_resend = true,
		.timeout_ms = GOODBYE_MS,
		.ended = on_deleted,
		.arg = &done,
	};

	(void)http_start(remote->http, &spec);
	while (!done && clock_now_ms() < until_ms) {
		http_turn(remote->http);
		if (!done)
			http_wait(remote->http, NULL, 0, GOODBYE_MS / 10);
	}
}
