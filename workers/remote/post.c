/* Messages of the client on their way, each with its POST; see remote.h. */
#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/quote.h"
#include "workers/remote/remote.h"

/* --- ends --------------------------------------------------------------------------------------- */

static bool is_request(const struct post *post)
{
	return post->rpc.kind == RPC_REQUEST;
}

static void free_post(struct post *post)
{
	free(post->line);
	free(post->last_id);
	free(post);
}

static void forget_exchange(struct post *post)
{
	if (!post->x)
		return;
	post->x = NULL;
	if (is_request(post))
		post->remote->n_sent--;
}

void post_drop_exchange(struct post *post)
{
	http_drop(post->remote->http, post->x);
	forget_exchange(post);
	free(post->last_id);
	post->last_id = NULL;
}

void post_done(struct post *post)
{
	struct remote *remote = post->remote;

	post_drop_exchange(post);
	TAILQ_REMOVE(&remote->posts, post, next);
	remote->held_bytes -= post->len;
	if (is_request(post))
		remote->n_requests--;
	else
		remote->n_notes--;
	free_post(post);
}

/* Ends it with words in the place of an answer; a notification's loss is told the operator. */
static void fail_post(struct post *post, int code, const char *words)
{
	struct remote *remote = post->remote;

	if (is_request(post) && !post->is_cancelled)
		remote_answer_error(
			remote, post->rpc.id, code, "%s: %s", remote->target.shown, words);
	else if (!is_request(post))
		remote_tell(remote, "a notification was not delivered: %s", words);
	if (post->is_confirmation)
		session_confirmed(remote, false, words);
	post_done(post);
}

static void fail_unknown(struct post *post, const char *cause)
{
	auto_free char *words = alloc_printf("%s; the answer is lost, and the call may have taken "
					     "effect: look before you repeat it",
		cause);

	fail_post(post, RPC_WORKER_DIED, words);
}

static void fail_lost(struct post *post, const char *cause)
{
	if (!patience_hold_lost(post))
		fail_unknown(post, cause);
}

static void fail_unreached(struct post *post, const char *cause)
{
	auto_free char *words = alloc_printf("the remote server cannot be reached: %s", cause);

	fail_post(post, RPC_UNAVAILABLE, words);
}

/* --- answers ------------------------------------------------------------------------------------ */

static const char *hint_of(int status)
{
	switch (status) {
	case 401:
	case 403:
		return ", it wants (other) credentials: give them in headers_file";
	case 404:
		return ", there is nothing at this path";
	case 429:
		return ", it is asked too often";
	default:
		return "";
	}
}

char *post_describe(struct exchange *x)
{
	const struct strbuf *body = exchange_body(x);
	auto_strbuf words = { 0 };
	auto_strbuf message = { 0 };
	struct jspan json;

	if (exchange_is_ok(x))
		return alloc_printf("HTTP %d without a JSON-RPC answer", exchange_status(x));
	strbuf_addf(&words, "HTTP %d%s", exchange_status(x), hint_of(exchange_status(x)));
	if (body->len > 0 && jspan_check(body->data, body->len, &json, NULL) == 0 &&
		jspan_get_str(jspan_member(jspan_member(json, "error", NULL), "message", NULL),
			&message)) {
		strbuf_adds(&words, ": ");
		quote_add(&words, strbuf_get(&message), message.len);
	}
	return strbuf_take(&words);
}

static int code_of(int status)
{
	switch (status) {
	case 401:
	case 403:
	case 404:
	case 405:
	case 429:
	case 502:
	case 503:
		return RPC_UNAVAILABLE;
	default:
		return RPC_INTERNAL_ERROR;
	}
}

/* The body is the answer of this post, whatever the status says. */
static bool take_body(struct post *post, struct exchange *x)
{
	struct strbuf *body = exchange_body(x);
	const char *why;
	struct rpc rpc;

	if (!is_request(post) || body->len == 0 ||
		rpc_parse(body->data, body->len, &rpc, &why) != 0 ||
		(rpc.kind != RPC_RESULT && rpc.kind != RPC_ERROR) ||
		!jspan_same(rpc.id, post->rpc.id))
		return false;
	return remote_deliver(post->remote, post, body->data, body->len);
}

static void resume_later(struct post *post, const char *cause)
{
	int64_t wait_ms = post->retry_ms > 0 ? post->retry_ms : RESUME_MS;

	if (wait_ms < RESUME_MIN_MS)
		wait_ms = RESUME_MIN_MS;

	if (post->n_resumes++ >= MAX_RESUMES) {
		fail_lost(post, cause);
		return;
	}
	post->state = POST_RESUMING;
	post->at_ms = clock_now_ms() + wait_ms;
}

/* Its stream ended before its answer. */
static void on_cut_off(struct post *post, const char *cause)
{
	if (!is_request(post))
		fail_post(post, RPC_WORKER_DIED, cause);
	else if (post->is_cancelled)
		post_done(post);
	else if (post->last_id && !post->is_modern)
		resume_later(post, cause);
	else
		fail_lost(post, cause);
}

/* 404 to a message with a session id: it was not processed, so it can be sent again. */
static void on_session_unknown(struct post *post)
{
	static const char words[] = "the server does not know the session any more (HTTP 404)";
	struct remote *remote = post->remote;

	if (post->session_no == remote->session_no)
		session_lost(remote, "%s", words);
	if (post->is_resumed) {
		fail_lost(post, words);
	} else if (patience_hold(post)) {
		return;
	} else if (is_request(post) && !post->was_repeated && !post->is_cancelled) {
		post->was_repeated = true;
		post->state = POST_HELD;
	} else {
		fail_post(post, RPC_UNAVAILABLE, words);
	}
}

static void on_note_taken(struct post *post)
{
	struct remote *remote = post->remote;
	bool is_confirmation = post->is_confirmation;

	post_done(post);
	if (is_confirmation)
		session_confirmed(remote, true, NULL);
}

static void on_answer(struct post *post, struct exchange *x)
{
	struct remote *remote = post->remote;
	int status = exchange_status(x);
	auto_free char *words = NULL;

	if (status == 404 && post->has_session && !post->is_modern) {
		on_session_unknown(post);
		return;
	}
	if (exchange_is_ok(x) && !is_request(post)) {
		on_note_taken(post);
		return;
	}
	if (exchange_is_events(x)) {
		on_cut_off(post, "its event stream ended before the answer");
		return;
	}
	if (take_body(post, x))
		return;
	if (exchange_is_ok(x) && remote->transport == TRANSPORT_SSE && !post->is_modern) {
		post->state = POST_ELSEWHERE;
		if (post->session_no != remote->session_no)
			fail_lost(post, "the event stream ended");
		return;
	}
	words = post_describe(x);
	if (post->is_resumed)
		fail_lost(post, words);
	else
		fail_post(post, code_of(status), words);
}

static void on_unreached(struct post *post, const char *cause)
{
	struct remote *remote = post->remote;

	if (post->is_discover) {
		remote_tell(remote, "cannot be reached: %s; trying again", cause);
		post->state = POST_HELD;
		post->at_ms = clock_now_ms() + remote_backoff_ms(post->n_resumes++);
		return;
	}
	if (!post->is_modern && post->session_no == remote->session_no)
		session_lost(remote, "cannot be reached: %s", cause);
	if (!post->is_resumed && patience_hold(post))
		return;
	if (post->is_resumed)
		fail_lost(post, cause);
	else
		fail_unreached(post, cause);
}

static void keep_event_id(struct post *post, const struct exchange *x)
{
	const struct events *events = exchange_events(x);

	if (events->retry_ms > 0)
		post->retry_ms = events->retry_ms;
	if (events->id.len == 0)
		return;
	if (post->last_id && !streq(post->last_id, strbuf_get(&events->id)))
		post->n_resumes = 0; /* the server polls: it goes on, if without a message */
	free(post->last_id);
	post->last_id = alloc_str(strbuf_get(&events->id));
}

static void on_event(void *arg, struct exchange *x, struct event *event)
{
	struct post *post = arg;

	post->n_resumes = 0;
	(void)remote_deliver(post->remote, post, event->data, event->len);
}

static void on_ended(void *arg, struct exchange *x)
{
	struct post *post = arg;

	forget_exchange(post);
	keep_event_id(post, x);
	switch (exchange_end(x)) {
	case HTTP_ANSWERED:
		on_answer(post, x);
		break;
	case HTTP_UNREACHED:
		on_unreached(post, exchange_cause(x));
		break;
	case HTTP_BROKEN:
		if (exchange_is_ok(x) && !is_request(post))
			on_note_taken(post); /* an answer that has no end */
		else
			on_cut_off(post, exchange_cause(x));
		break;
	case HTTP_REFUSED:
		fail_post(post, RPC_INTERNAL_ERROR, exchange_cause(x));
		break;
	}
}

/* --- sending ------------------------------------------------------------------------------------ */

/* What may arrive twice. */
static bool may_resend(const struct rpc *rpc)
{
	return rpc->kind == RPC_NOTIFICATION || rpc_may_repeat(rpc);
}

static void start(struct post *post, const struct exchange_spec *spec)
{
	struct remote *remote = post->remote;

	post->state = POST_SENT;
	if (!post->is_cancelled)
		post->at_ms = 0;
	post->x = http_start(remote->http, spec);
	if (is_request(post))
		remote->n_sent++;
}

static void send_post(struct post *post)
{
	struct remote *remote = post->remote;
	const struct exchange_spec spec = {
		.method = "POST",
		.target = remote->endpoint.url && !post->is_modern ? &remote->endpoint
								   : &remote->target,
		.headers = request_headers(remote, post),
		.body = post->line,
		.body_bytes = post->len,
		.timeout_ms = is_request(post) ? 0 : NOTE_MS,
		.may_resend = may_resend(&post->rpc),
		.event = on_event,
		.ended = on_ended,
		.arg = post,
	};

	post->has_session = !post->is_modern && (remote->session_id || remote->endpoint.url);
	post->session_no = remote->session_no;
	start(post, &spec);
}

/* The rest of a stream, in the session in which it began. */
static void send_resume(struct post *post)
{
	struct remote *remote = post->remote;

	if (remote->state != SESSION_OPEN || post->session_no != remote->session_no) {
		fail_lost(post, "its event stream ended, and so did the session");
		return;
	}
	const struct exchange_spec spec = {
		.method = "GET",
		.target = &remote->target,
		.headers = request_stream_headers(remote, post->last_id),
		.may_resend = true,
		.event = on_event,
		.ended = on_ended,
		.arg = post,
	};

	post->is_resumed = true;
	start(post, &spec);
}

static bool may_send(const struct post *post)
{
	const struct remote *remote = post->remote;

	if (!is_request(post))
		return true;
	if (remote->n_sent >= MAX_POSTS)
		return false;
	return post->is_modern || remote->state == SESSION_NONE ||
	       remote->state == SESSION_ANSWERED || remote->state == SESSION_OPEN;
}

static void step(struct post *post, int64_t now)
{
	bool is_due = post->at_ms > 0 && now >= post->at_ms;

	if (post->is_cancelled && is_due) {
		post_done(post);
	} else if (post->state == POST_RESUMING && is_due) {
		send_resume(post);
	} else if (post->state == POST_HELD && (post->at_ms == 0 || is_due)) {
		post->at_ms = 0; /* a time that is over is nothing to wait for */
		if (may_send(post))
			send_post(post);
	}
}

void post_turn(struct remote *remote, int64_t now)
{
	struct post *post;
	struct post *after;

	for (post = TAILQ_FIRST(&remote->posts); post; post = after) {
		after = TAILQ_NEXT(post, next);
		step(post, now);
	}
}

int64_t post_next_ms(const struct remote *remote)
{
	const struct post *post;
	int64_t next = INT64_MAX;

	TAILQ_FOREACH(post, &remote->posts, next)
		if (post->at_ms > 0 && post->at_ms < next)
			next = post->at_ms;
	return next;
}

bool post_has_room(const struct remote *remote)
{
	return remote->n_notes < MAX_NOTES;
}

struct post *post_find(struct remote *remote, struct jspan id)
{
	struct post *post;

	TAILQ_FOREACH(post, &remote->posts, next)
		if (is_request(post) && id.at && jspan_same(post->rpc.id, id))
			return post;
	return NULL;
}

/* HTTP+SSE has one stream for all answers; a stream that broke may be carried on by any GET. */
static bool may_be_answered_elsewhere(const struct post *post)
{
	if (post->is_modern)
		return false;
	if (post->remote->transport == TRANSPORT_SSE)
		return post->state == POST_ELSEWHERE || post->state == POST_SENT;
	return post->is_resumed || post->state == POST_RESUMING;
}

struct post *post_find_answered(struct remote *remote, struct post *from, struct jspan id)
{
	struct post *post = from ? from : post_find(remote, id);

	if (!post || !is_request(post) || !jspan_same(post->rpc.id, id))
		return NULL;
	return from || may_be_answered_elsewhere(post) ? post : NULL;
}

void post_fail_held(struct remote *remote)
{
	struct post *post;
	struct post *after;

	for (post = TAILQ_FIRST(&remote->posts); post; post = after) {
		after = TAILQ_NEXT(post, next);
		if (post->state == POST_HELD && !post->is_modern && is_request(post))
			fail_unreached(post, remote->cause ? remote->cause : "no session");
	}
}

void post_fail_elsewhere(struct remote *remote, const char *cause)
{
	struct post *post;
	struct post *after;

	for (post = TAILQ_FIRST(&remote->posts); post; post = after) {
		after = TAILQ_NEXT(post, next);
		if (post->state == POST_ELSEWHERE)
			fail_lost(post, cause);
	}
}

void post_fail_all(struct remote *remote, const char *cause)
{
	struct post *post;
	struct post *after;

	for (post = TAILQ_FIRST(&remote->posts); post; post = after) {
		after = TAILQ_NEXT(post, next);
		if (is_request(post) && post->state == POST_HELD)
			fail_unreached(post, cause);
		else if (is_request(post))
			fail_unknown(post, cause);
	}
}

void post_free_all(struct remote *remote)
{
	struct post *post;
	struct post *after;

	for (post = TAILQ_FIRST(&remote->posts); post; post = after) {
		after = TAILQ_NEXT(post, next);
		post_done(post);
	}
}

void post_add(struct remote *remote, const char *line, size_t len, const struct rpc *rpc)
{
	struct post *post = alloc_zero(sizeof(*post));
	auto_strbuf version = { 0 };
	const char *why;

	post->remote = remote;
	post->line = alloc_mem(line, len);
	post->len = len;
	(void)!rpc_parse(post->line, len, &post->rpc, &why);
	post->is_modern = request_modern_version(rpc, &version) ||
			  (remote->state == SESSION_NONE && remote->was_modern);
	if (version.len > 0) {
		remote->was_modern = true;
		free(remote->modern_version);
		remote->modern_version = strbuf_take(&version);
	}
	post->is_discover = is_request(post) && jspan_is(rpc->method, "server/discover");
	post->state = POST_HELD;
	remote->held_bytes += len;
	if (is_request(post))
		remote->n_requests++;
	else
		remote->n_notes++;
	TAILQ_INSERT_TAIL(&remote->posts, post, next);
	if (rpc->kind == RPC_NOTIFICATION && jspan_is(rpc->method, "notifications/initialized")) {
		post->is_confirmation = true;
		remote->state = SESSION_CONFIRMING;
	}
	if (may_send(post))
		send_post(post);
}
