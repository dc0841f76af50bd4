/* See streamable.h. A body decides what its request is (mcp/envelope.h), so the head leaves copies of
 * the headers that count, and only what needs no body is refused before it comes. */
#include "supervisor/front/streamable.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/rpc.h"
#include "supervisor/front/http_accept.h"
#include "supervisor/front/http_kept.h"
#include "supervisor/front/owner.h"
#include "supervisor/front/peer.h"
#include "supervisor/mcp/batch.h"
#include "supervisor/mcp/envelope.h"
#include "supervisor/stats.h"

static const char path[] = "/mcp";
static const char type_json[] = "application/json";
static const char type_stream[] = "text/event-stream";

struct streamable {
	struct mcp *mcp;
	struct peers *peers;
};

/* What the head of a POST leaves for its body. */
struct post_note {
	struct mcp_headers *headers;
	char *domain;
	char *host; /* of a request with a token, for which a refusal may name scopes; NULL: none */
	char *path;
	bool takes_json;
	bool takes_stream;
};

/* --- refusals ------------------------------------------------------------------------------------ */

/* A JSON-RPC error, without an id where there is no request that it answers. */
static void refuse(
	struct http_conn *conn, int status, struct jspan id, int code, const char *message)
{
	auto_strbuf body = { 0 };

	stats_http_refused((unsigned)status);
	rpc_add_error(&body, id, code, message);
	const struct http_reply reply = { .status = status,
		.content_type = type_json,
		.body = body.data,
		.body_len = body.len,
		.extra = status == 503 ? "Retry-After: 1\r\n" : NULL };

	http_conn_answer(conn, &reply);
}

static void add_refusal(struct strbuf *body, const char *why)
{
	rpc_add_error(body, (struct jspan){ 0 }, RPC_INVALID_REQUEST, why);
}

static void refuse_plainly(struct http_conn *conn, int status, const char *message)
{
	refuse(conn, status, (struct jspan){ 0 }, RPC_INVALID_REQUEST, message);
}

static int status_of(enum mcp_verdict verdict)
{
	switch (verdict) {
	case MCP_ACCEPTED:
		return 202;
	case MCP_INVALID:
		return 400;
	case MCP_FORBIDDEN:
		return 403;
	case MCP_UNKNOWN:
		return 404;
	case MCP_BUSY:
		return 503;
	}
	return 500;
}

/* True: it was answered. */
static bool is_over_limit(struct http_conn *conn, enum usage_thing thing)
{
	const struct door_refusal refusal = http_conn_check(conn, thing);

	if (refusal.status)
		http_conn_refuse_limit(conn, &refusal);
	return refusal.status != 0;
}

/* --- GET and DELETE ------------------------------------------------------------------------------ */

/* What a session is told by: NULL, when the request was refused. */
static struct peer *get_peer(const struct streamable *door, struct http_conn *conn,
	const struct mcp_headers *headers, const struct endpoint *endpoint, struct jspan id)
{
	struct peer *peer;

	if (!headers->session.at) {
		refuse(conn, 400, id, RPC_INVALID_REQUEST,
			"Mcp-Session-Id is missing: send the one that initialize was answered with");
		return NULL;
	}
	peer = peer_find(door->peers, headers->session, endpoint);
	if (peer && !owner_admit(peer_get_session(peer), http_conn_get_caller(conn)))
		peer = NULL; /* nobody learns that there is such a session */
	if (!peer)
		refuse(conn, 404, id, RPC_INVALID_REQUEST,
			"no such session here: it has ended; begin with initialize");
	return peer;
}

/* The same for requests without a body, whose headers are all there is to judge. */
static struct peer *get_peer_by_head(
	const struct streamable *door, struct http_conn *conn, const struct http_ask *ask)
{
	const struct http1_request *req = ask->request;
	const struct endpoint *endpoint = mcp_find_endpoint(door->mcp, ask->domain);
	struct mcp_headers headers = { .is_http = true };

	for (size_t i = 0; i < req->n_fields; i++)
		mcp_headers_add(&headers, req->fields[i].name, req->fields[i].value);
	if (!endpoint)
		refuse_plainly(conn, 404, "no such domain");
	else if (headers.is_twice || headers.is_session_twice)
		refuse_plainly(conn, 400,
			"MCP-Protocol-Version, Mcp-Method, Mcp-Name or Mcp-Session-Id comes twice");
	else if (revision_find(headers.version, NULL) == ERA_MODERN)
		http_conn_refuse_method(conn, HTTPD_POST);
	else if (req->method != HTTP1_DELETE && !http_accepts(req, type_stream))
		refuse_plainly(conn, 406, "Accept must have text/event-stream");
	else if (revision_find(headers.version, NULL) == ERA_UNKNOWN)
		refuse_plainly(conn, 400,
			"unsupported MCP-Protocol-Version: send the one that initialize was answered "
			"with");
	else
		return get_peer(door, conn, &headers, endpoint, (struct jspan){ 0 });
	return NULL;
}

static void on_get(struct streamable *door, struct http_conn *conn, const struct http_ask *ask)
{
	struct peer *peer = get_peer_by_head(door, conn, ask);
	struct http_reply head = peer_stream_head;

	if (!peer)
		return;
	head.is_chunked = false; /* there is no body at all */
	session_touch(peer_get_session(peer));
	if (ask->request->method == HTTP1_HEAD)
		http_conn_answer(conn, &head);
	else if (!is_over_limit(conn, USAGE_STREAMS))
		peer_listen(peer, conn, http1_header(ask->request, "last-event-id", NULL));
}

static void on_delete(struct streamable *door, struct http_conn *conn, const struct http_ask *ask)
{
	static const struct http_reply done = { .status = 204 };
	struct peer *peer = get_peer_by_head(door, conn, ask);

	if (!peer)
		return;
	session_close(peer_get_session(peer), "its client has ended it");
	http_conn_answer(conn, &done);
}

/* --- POST: the head ------------------------------------------------------------------------------ */

static void keep_place(struct post_note *note, const struct http_ask *ask)
{
	const struct span host = ask->request->host;

	note->host = host.at ? alloc_mem(host.at, host.len) : NULL;
	note->path = alloc_printf("%s%s", ask->prefix, path);
}

static struct post_note *make_note(struct http_conn *conn, const struct http_ask *ask)
{
	const struct principal *principal = http_conn_get_caller(conn)->principal;
	const struct http1_request *req = ask->request;
	struct post_note *note = alloc_zero(sizeof(*note));

	note->headers = http_keep_headers(req, HTTP_KEEP_ALL);
	note->domain = alloc_str(ask->domain);
	note->takes_json = http_accepts(req, type_json);
	note->takes_stream = http_accepts(req, type_stream);
	if (principal && principal->kind == PRINCIPAL_TOKEN)
		keep_place(note, ask);
	return note;
}

static void free_note(void *arg)
{
	struct post_note *note = arg;

	free(note->headers);
	free(note->domain);
	free(note->host);
	free(note->path);
	free(note);
}

static bool on_post_head(struct streamable *door, struct http_conn *conn, struct http_ask *ask)
{
	size_t n_types;
	struct span type = http1_header(ask->request, "content-type", &n_types);

	if (!mcp_find_endpoint(door->mcp, ask->domain))
		refuse_plainly(conn, 404, "no such domain");
	else if (!http_accepts(ask->request, type_json) && !http_accepts(ask->request, type_stream))
		refuse_plainly(
			conn, 406, "Accept must have application/json and text/event-stream");
	else if (n_types != 1 || !http_is_type(type, type_json))
		refuse_plainly(conn, 415, "Content-Type must be application/json");
	else
		ask->note = make_note(conn, ask);
	return ask->note;
}

static bool on_head(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	struct streamable *door = arg;

	if (ask->request->method == HTTP1_POST)
		return on_post_head(door, conn, ask);
	if (ask->request->method == HTTP1_DELETE)
		on_delete(door, conn, ask);
	else
		on_get(door, conn, ask);
	return false;
}

/* --- POST: the body ------------------------------------------------------------------------------ */

struct post {
	struct streamable *door;
	struct http_conn *conn;
	const struct post_note *note;
	struct endpoint *endpoint;
	char *body;
	size_t len;
	struct jspan id; /* of the request; absent: it is none */
};

static enum mcp_verdict receive(const struct post *post, struct peer *peer, uint64_t via,
	struct strbuf *reply, struct strbuf *scopes)
{
	const struct mcp_input input = { .text = post->body,
		.len = post->len,
		.via = via,
		.headers = post->note->headers,
		.scopes = scopes };

	return mcp_receive(post->door->mcp, peer_get_session(peer), &input, reply);
}

/* What nobody waits for: accepted, or not. */
static void pass(const struct post *post, struct peer *peer)
{
	auto_strbuf text = { 0 };
	enum mcp_verdict verdict = receive(post, peer, 0, &text, NULL);
	const struct http_reply reply = { .status = status_of(verdict),
		.content_type = verdict == MCP_ACCEPTED ? NULL : type_json,
		.body = text.data,
		.body_len = verdict == MCP_ACCEPTED ? 0 : text.len,
		.extra = verdict == MCP_BUSY ? "Retry-After: 1\r\n" : NULL };

	http_conn_answer(post->conn, &reply);
}

static void add_challenge(const struct post *post, const char *scopes, struct strbuf *out)
{
	const char *host = post->note->host;
	const struct span sent_to = { .at = host, .len = host ? strlen(host) : 0 };

	http_conn_add_scopes(post->conn, sent_to, post->note->path, scopes, out);
}

static void hold(const struct post *post, struct peer *peer, struct exchange_terms terms)
{
	auto_strbuf reply = { 0 };
	auto_strbuf scopes = { 0 };
	auto_strbuf challenge = { 0 };
	struct exchange *exchange;
	enum mcp_verdict verdict;

	/* The answer to initialize has the session's id in its head: it is JSON, whatever Accept says. */
	terms.takes_json = post->note->takes_json || terms.is_opening;
	terms.takes_stream = post->note->takes_stream && !terms.is_opening;
	exchange = peer_hold(peer, post->conn, &terms);
	verdict = receive(
		post, peer, exchange_get_no(exchange), &reply, post->note->path ? &scopes : NULL);
	if (verdict == MCP_FORBIDDEN)
		add_challenge(post, scopes.data, &challenge);
	if (verdict != MCP_ACCEPTED)
		exchange_refuse(exchange, status_of(verdict), challenge.data, &reply);
}

/* Opens a session for what can only be asked of a domain that works. */
static void open_and_hold(const struct post *post, bool is_once, struct exchange_terms terms)
{
	struct peer *peer;

	if (!mcp_can_serve(post->door->mcp, post->endpoint)) {
		refuse(post->conn, 503, post->id, RPC_UNAVAILABLE,
			"the domain is not available now; /ready says why");
		return;
	}
	if (!is_once && is_over_limit(post->conn, USAGE_SESSIONS))
		return;
	peer = peer_open(
		post->door->peers, post->endpoint, http_conn_get_caller(post->conn), is_once);
	if (peer)
		hold(post, peer, terms);
	else
		refuse(post->conn, 503, post->id, RPC_UNAVAILABLE,
			"no more sessions now (limits.sessions), or the fleet is stopping; try again "
			"later");
}

static void take_batch(const struct post *post, struct peer *peer)
{
	const struct exchange_terms terms = { .is_batch = true,
		.n_due = batch_count_answers(post->body, post->len) };

	if (terms.n_due > 0)
		hold(post, peer, terms);
	else
		pass(post, peer);
}

static void take_legacy(const struct post *post, bool is_batch)
{
	struct peer *peer =
		get_peer(post->door, post->conn, post->note->headers, post->endpoint, post->id);

	if (!peer)
		return;
	if (is_batch)
		take_batch(post, peer);
	else if (post->id.at)
		hold(post, peer, (struct exchange_terms){ .n_due = 1 });
	else
		pass(post, peer);
}

static void refuse_fault(const struct post *post, const struct envelope_fault *fault)
{
	auto_strbuf body = { 0 };

	stats_http_refused((unsigned)fault->status);
	envelope_fault_answer(fault, post->id, &body);
	const struct http_reply reply = { .status = fault->status,
		.content_type = type_json,
		.body = body.data,
		.body_len = body.len };

	http_conn_answer(post->conn, &reply);
}

static void take(struct post *post)
{
	static const struct http_reply accepted = { .status = 202 };
	auto_envelope_fault fault = { 0 };

	switch (envelope_classify(post->body, post->len, post->note->headers, &fault, &post->id)) {
	case ENVELOPE_MODERN:
		open_and_hold(post, true, (struct exchange_terms){ .n_due = 1 });
		break;
	case ENVELOPE_MODERN_NOTIFICATION:
		http_conn_answer(post->conn, &accepted);
		break;
	case ENVELOPE_INITIALIZE:
		open_and_hold(
			post, false, (struct exchange_terms){ .n_due = 1, .is_opening = true });
		break;
	case ENVELOPE_LEGACY:
		take_legacy(post, false);
		break;
	case ENVELOPE_BATCH:
		take_legacy(post, true);
		break;
	case ENVELOPE_REFUSED:
		refuse_fault(post, &fault);
		break;
	}
}

static void on_body(void *arg, struct http_conn *conn, const void *note, char *body, size_t len)
{
	struct post post = { .door = arg, .conn = conn, .note = note, .body = body, .len = len };

	post.endpoint = mcp_find_endpoint(post.door->mcp, post.note->domain);
	if (post.endpoint)
		take(&post);
	else
		refuse_plainly(conn, 404, "no such domain");
}

/* --- public -------------------------------------------------------------------------------------- */

struct streamable *streamable_new(struct loop *loop, struct mcp *mcp, const struct conf *conf)
{
	struct streamable *door = alloc_zero(sizeof(*door));

	door->mcp = mcp;
	door->peers = peers_new(loop, mcp, conf);
	return door;
}

void streamable_free(struct streamable *door)
{
	if (!door)
		return;
	peers_free(door->peers);
	free(door);
}

void streamable_set_conf(struct streamable *door, const struct conf *conf)
{
	peers_set_conf(door->peers, conf);
}

void streamable_get_routes(struct streamable *door, struct http_route ret[STREAMABLE_ROUTES])
{
	ret[0] = (struct http_route){ .path = path,
		.methods = HTTPD_GET | HTTPD_POST | HTTPD_DELETE,
		.per_domain = true,
		.head = on_head,
		.body = on_body,
		.free_note = free_note,
		.add_refusal = add_refusal,
		.arg = door };
}
