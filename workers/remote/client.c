/* Lines of the client: what becomes a message to the server, and what is answered here; see remote.h. */
#include "shared/clock.h"
#include "workers/remote/remote.h"

/* No session, and none to be had soon. */
static bool is_hopeless(const struct remote *remote)
{
	return (remote->state == SESSION_WAITING || remote->state == SESSION_OPENING) &&
	       !remote->is_first && remote->hold_until_ms == 0;
}

static void take_request(struct remote *remote, const char *line, size_t len, const struct rpc *rpc)
{
	auto_strbuf version = { 0 };
	bool is_modern = request_modern_version(rpc, &version);

	if (!is_modern && jspan_is(rpc->method, "initialize")) {
		session_begin(remote, line, len);
		return;
	}
	if (remote->n_requests >= MAX_REQUESTS || len > MAX_HELD_BYTES - remote->held_bytes) {
		remote_answer_error(remote, rpc->id, RPC_OVERLOADED,
			"%s: too many requests wait for the remote server; try again later",
			remote->target.shown);
		return;
	}
	if (!is_modern)
		session_hurry(remote);
	if (!is_modern && is_hopeless(remote)) {
		remote_answer_error(remote, rpc->id, RPC_UNAVAILABLE,
			"%s: the remote server cannot be reached: %s", remote->target.shown,
			remote->cause ? remote->cause : "no session");
		return;
	}
	post_add(remote, line, len, rpc);
}

/* False: the server does not have to hear of it. */
static bool cancel(struct remote *remote, const struct rpc *rpc)
{
	struct post *post = post_find(remote, jspan_member(rpc->params, "requestId", NULL));

	if (!post)
		return !(remote->state == SESSION_NONE && remote->was_modern);
	if (post->is_modern || post->state == POST_HELD) {
		post_done(post); /* closing the stream is how the server hears of it */
		return false;
	}
	post->is_cancelled = true;
	post->at_ms = clock_now_ms() + (post->state == POST_RESUMING ? 1 : CANCELLED_MS);
	return true;
}

/* Nothing is kept for a session that is not there: it would mean nothing in the next one. */
static bool can_be_told(const struct remote *remote, const struct rpc *rpc)
{
	if (rpc->kind == RPC_NOTIFICATION && jspan_is(rpc->method, "notifications/initialized"))
		return remote->state == SESSION_ANSWERED;
	return remote->state != SESSION_OPENING && remote->state != SESSION_WAITING;
}

void client_line(struct remote *remote, const char *line, size_t len)
{
	const char *why = NULL;
	struct rpc rpc;
	int r = rpc_parse(line, len, &rpc, &why);

	if (r == RPC_INVALID_PARAMS && rpc.kind == RPC_NOTIFICATION)
		return; /* never answered, not even with an error */
	if (r != 0) {
		remote_answer_error(remote, rpc.id, r, "%s", why);
		return;
	}
	if (rpc.kind == RPC_REQUEST) {
		take_request(remote, line, len, &rpc);
		return;
	}
	if (rpc.kind == RPC_NOTIFICATION && jspan_is(rpc.method, "notifications/cancelled") &&
		!cancel(remote, &rpc))
		return;
	if (can_be_told(remote, &rpc))
		post_add(remote, line, len, &rpc);
}
