/* See http_conn.h: what is decided about a request by its head alone. Where it goes, whether its address, its credential
 * and its key let it in (in this order), and whether there is such a path and method. */
#include "shared/alloc.h"
#include "shared/clock.h"
#include "supervisor/front/cors.h"
#include "supervisor/front/http_conn_private.h"
#include "supervisor/stats.h"

static unsigned method_bit(enum http1_method method)
{
	switch (method) {
	case HTTP1_GET:
	case HTTP1_HEAD:
		return HTTPD_GET;
	case HTTP1_POST:
		return HTTPD_POST;
	case HTTP1_DELETE:
		return HTTPD_DELETE;
	case HTTP1_OPTIONS:
	case HTTP1_PUT:
	case HTTP1_PATCH:
	case HTTP1_OTHER:
		break;
	}
	return 0;
}

/* Where a request goes. */
struct aim {
	const struct http_route *route; /* NULL: there is no such path */
	char *path;                     /* decoded; NULL: it is no text */
	char *prefix;                   /* what stands before the route's path */
	const char *domain;
	bool is_domain; /* what stands there is the name of one */
};

static void aim_done(struct aim *aim)
{
	free(aim->prefix);
	free(aim->path);
}

static void take_aim(const struct http_conn *conn, const struct http1_request *req, struct aim *ret)
{
	auto_strbuf path = { 0 };
	size_t prefix_len;

	*ret = (struct aim){ .domain = conn->domain };
	if (!req->uri.path.at || uri_decode_path(req->uri.path, &path) < 0)
		return;
	ret->path = alloc_mem(path.data, path.len);
	ret->route = httpd_find_route(
		conn->shared->httpd, strbuf_get(&path), &prefix_len, &ret->is_domain);
	if (!ret->route)
		return;
	ret->prefix = alloc_mem(path.data, prefix_len);
	if (prefix_len > 0)
		ret->domain = ret->prefix + 1;
}

/* The guard has not let it in, or has answered itself. */
static void answer_refusal(
	struct http_conn *conn, const struct http_route *route, const struct guard_verdict *verdict)
{
	static const struct http_reply granted = { .status = 204 };
	auto_strbuf body = { 0 };

	if (verdict->status == 204) {
		http_conn_answer(conn, &granted);
		return;
	}
	if (route && route->add_refusal)
		route->add_refusal(&body, verdict->why);
	else
		http_reply_add_error(&body, verdict->why);
	const struct http_reply reply = { .status = verdict->status,
		.content_type = "application/json",
		.body = body.data,
		.body_len = body.len,
		.extra = verdict->challenge.data };

	stats_http_refused((unsigned)reply.status);
	http_conn_answer(conn, &reply);
}

static struct guard_ask make_guard_ask(
	const struct http_conn *conn, const struct http1_request *req, const struct aim *aim)
{
	return (struct guard_ask){
		.request = req,
		.origin = &conn->origin,
		.path = aim->route ? aim->route->path : NULL,
		.whole_path = aim->path,
		.names = conn->io.tls ? tls_conn_get_names(conn->io.tls) : NULL,
		.domain = aim->prefix && *aim->prefix && !aim->is_domain ? NULL : aim->domain,
		.zone = aim->route ? aim->route->zone : GUARD_ZONE_TOOLS,
		.is_loopback = conn->is_loopback,
		.is_public = conn->shared->is_public,
		.now_s = clock_wall_ms() / CLOCK_SECOND_MS,
	};
}

/* True: let in. */
static bool pass_guard(
	struct http_conn *conn, const struct guard_ask *ask, const struct http_route *route)
{
	auto_guard_verdict verdict = { 0 };

	guard_judge(conn->shared->guard, ask, &verdict);
	conn->grants = verdict.grants;
	verdict.grants = (struct strbuf){ 0 };
	conn->caller.principal = TAKE(verdict.principal);
	if (verdict.status)
		answer_refusal(conn, route, &verdict);
	return !verdict.status;
}

void http_conn_pay(struct http_conn *conn, size_t n_bytes)
{
	for (int i = 0; i < USAGE_OFS && n_bytes > 0; i++)
		usage_pay(conn->caller.usages[i], n_bytes);
}

/* Who looks after us is not counted. */
static bool is_counted(const struct aim *aim)
{
	return !aim->route || aim->route->zone == GUARD_ZONE_TOOLS;
}

/* True: its address may ask again. This comes before the guard: who guesses credentials is to be slowed down, and to
 * judge one costs more than to count it. So it counts wherever one is judged, but a page's preflight, which shows none. */
static bool pass_limit_of_address(
	struct http_conn *conn, const struct guard_ask *ask, const struct aim *aim)
{
	struct door_refusal refusal;

	if (cors_is_preflight(ask->request) ||
		(!is_counted(aim) && !guard_asks_who(conn->shared->guard, ask)))
		return true;
	door_limits_know_address(conn->shared->door_limits, &conn->caller, &conn->origin.addr);
	refusal = door_limits_admit(&conn->caller, USAGE_OF_ADDRESS);
	if (!is_counted(aim))
		door_limits_forget(&conn->caller); /* what it then has open is nobody's */
	if (!refusal.status)
		return true;
	guard_add_grants(conn->shared->guard, ask, &conn->grants);
	http_conn_refuse_limit(conn, &refusal);
	return false;
}

/* True: and so may who it is. */
static bool pass_limit_of_key(
	struct http_conn *conn, const struct http1_request *req, const struct aim *aim)
{
	struct door_refusal refusal;

	if (conn->caller.principal && conn->caller.principal->kind != PRINCIPAL_ANYBODY)
		shares_note_known(conn->shared->shares, &conn->share);
	if (!is_counted(aim))
		return true;
	door_limits_know_key(conn->shared->door_limits, &conn->caller);
	refusal = door_limits_admit(&conn->caller, USAGE_OF_KEY);
	if (refusal.status)
		http_conn_refuse_limit(conn, &refusal);
	else
		http_conn_pay(conn, (size_t)req->content_length);
	return !refusal.status;
}

/* Answers what no route has to be asked for. */
static bool is_refused(
	struct http_conn *conn, const struct http1_request *req, const struct aim *aim)
{
	const struct http_route *route = aim->route;

	if (!route || (*aim->prefix && !aim->is_domain))
		http_conn_refuse(conn, 404, "no such path; try /mcp, /sse, /health or /ready");
	else if (req->method == HTTP1_OPTIONS)
		http_conn_tell_methods(conn, route->methods);
	else if (!(route->methods & method_bit(req->method)))
		http_conn_refuse_method(conn, route->methods);
	else
		return false;
	return true;
}

bool http_conn_is_still_let_in(struct http_conn *conn, const struct http_route *route)
{
	struct principal *old = conn->caller.principal;
	struct principal *now =
		guard_renew(conn->shared->guard, old, clock_wall_ms() / CLOCK_SECOND_MS);
	auto_guard_verdict verdict = { .status = 401,
		.why = "this key or token is not valid any more" };

	if (now) {
		conn->caller.principal = principal_ref(now);
		principal_unref(old);
		return true;
	}
	stats_refused(STATS_REFUSED_EXPIRED);
	http_conn_audit(
		conn, stats_refusal_name(STATS_REFUSED_EXPIRED), verdict.why, verdict.status);
	strbuf_adds(&verdict.challenge, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
	answer_refusal(conn, route, &verdict);
	return false;
}

bool http_conn_decide(struct http_conn *conn, const struct http1_request *req,
	const struct http_route **ret_route, struct http_ask *ret_ask)
{
	auto_(aim_done) struct aim aim;
	struct guard_ask guard_ask;

	take_aim(conn, req, &aim);
	conn->endpoint = aim.route ? aim.route->path : NULL;
	forwarded_find_client(
		&conn->peer, conn->io.tls != NULL, req, &conn->shared->trusted, &conn->origin);
	(void)client_addr_format(&conn->origin.addr, conn->caller.address);
	guard_ask = make_guard_ask(conn, req, &aim);
	if (!pass_limit_of_address(conn, &guard_ask, &aim) ||
		!pass_guard(conn, &guard_ask, aim.route) || !pass_limit_of_key(conn, req, &aim) ||
		is_refused(conn, req, &aim))
		return false;
	ret_ask->request = req;
	ret_ask->prefix = aim.prefix;
	ret_ask->origin = &conn->origin;
	ret_ask->domain = aim.domain;
	*ret_route = aim.route;
	return aim.route->head(aim.route->arg, conn, ret_ask);
}
