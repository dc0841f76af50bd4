/* One HTTP connection: reads requests, writes answers, or carries a stream of events.
 *
 * Buffers exist only while data moves: an idle stream costs this struct and an event. What the socket
 * does not take at once is kept here, and until that is written nobody may write more: the bound on
 * what waits is the session's. */
#pragma once

#include <sys/uio.h>

#include "supervisor/expiry.h"
#include "supervisor/front/door_limits.h"
#include "supervisor/front/guard.h"
#include "supervisor/front/http_io.h"
#include "supervisor/front/http_reply.h"

struct httpd;
struct http_conn;
struct http_route;

/* A request as a handler sees it; borrowed for the time of the call. */
struct http_ask {
	const struct http1_request *request;
	const char *domain;                 /* NULL: the whole fleet */
	const char *prefix;                 /* what stood before the route's path: "" or "/git" */
	const struct client_origin *origin; /* who asks, as far as trusted proxies say */
	void *note; /* what the head handler leaves for the body handler: see struct http_route */
};

struct http_stream_hooks {
	void (*drained)(void *arg); /* all is written */
	void (*closed)(
		void *arg); /* the client is gone; the connection must not be used any more */
};

/* What a listener gives to its connections; borrowed from it while one begins. */
struct http_door {
	const char *domain; /* outlives the connections */
	bool is_loopback;
	bool has_tls;
};

/* What all connections share. */
struct http_shared {
	struct loop *loop;
	struct httpd *httpd;
	struct guard *guard;
	struct http1_limits limits;
	struct expiry *head_expiry;
	struct expiry *body_expiry;
	struct expiry *idle_expiry;
	struct expiry *linger_expiry;
	TAILQ_HEAD(, http_conn) conns;
	unsigned n_conns;
	unsigned max_conns;
	struct forwarded_trust trusted; /* proxies */
	struct tls *tls;                /* for those that begin; NULL: none */
	bool is_public;                 /* see struct httpd_parts */
	struct door_limits *door_limits;
	struct shares *shares; /* whose they are */
	bool stopping;         /* each answer closes its connection */
};

/* `guard` is borrowed and judges each request. */
void http_shared_init(
	struct http_shared *shared, struct loop *loop, struct httpd *httpd, struct guard *guard);
void http_shared_set_limits(struct http_shared *shared, const struct conf_limits *limits);
void http_shared_done(struct http_shared *shared);

/* From now on each answer closes its connection; idle ones are closed at once. */
void http_shared_close_idle(struct http_shared *shared);

/* Whether somebody is connected who has not asked anything yet, or is just asking. */
bool http_shared_is_awaiting(const struct http_shared *shared);

/* Some connection still has something to write. */
bool http_shared_is_writing(const struct http_shared *shared);

/* For connections that begin from now on, by doors with TLS; takes over the reference. */
void http_shared_set_tls(struct http_shared *shared, struct tls *tls);

/* The proxies that are believed from now on: addresses and blocks, borrowed for the call. */
void http_shared_set_trusted(struct http_shared *shared, char *const *blocks, size_t n);

/* Takes over `fd`. A door with TLS, where none is set, has nobody behind it: the descriptor is closed. */
void http_conn_new(struct http_shared *shared, int fd, const struct client_addr *peer,
	const struct http_door *door);

/* Of the request that is being handled, or was last: it stays where it is while the connection does. */
const struct client_origin *http_conn_get_origin(const struct http_conn *conn);

/* Who is at the other end of the connection itself: a proxy, maybe. */
const struct client_addr *http_conn_get_peer(const struct http_conn *conn);

/* Of the certificate that the client has shown: see tls_conn_get_names(). NULL: none. */
const struct tls_names *http_conn_get_cert_names(const struct http_conn *conn);

void http_conn_answer(struct http_conn *conn, const struct http_reply *reply);

/* Appends the line for the head of a 403 to the request in work, whose token lacks scopes: guard_refuse_scopes(). */
void http_conn_add_scopes(struct http_conn *conn, struct span host, const char *path,
	const char *scopes, struct strbuf *out);

/* Who sent the request that is being handled, held, or answered by a stream; borrowed until the next. */
const struct caller *http_conn_get_caller(const struct http_conn *conn);

/* A probe (GUARD_ZONE_PROBE) may be told why, and of what there is; else no more than yes or no. */
bool http_conn_tells_all(const struct http_conn *conn);

/* What is in the way of one more session or stream of its caller, if anything. A refusal is to be answered with the
 * head of http_conn_refuse_limit(), or by that. */
struct door_refusal http_conn_check(const struct http_conn *conn, enum usage_thing thing);
void http_conn_refuse_limit(struct http_conn *conn, const struct door_refusal *refusal);

/* {"error":"message"} with this status. */
void http_conn_refuse(struct http_conn *conn, int status, const char *message);

/* 405, with the methods that are HTTPD_… bits of `allowed`. */
void http_conn_refuse_method(struct http_conn *conn, unsigned allowed);

/* What it means when the client sends no more (FIN). */
enum http_fin {
	HTTP_FIN_LEAVES, /* it has left */
	HTTP_FIN_WAITS,  /* it has nothing more to ask, and waits for its answer */
};

/* The answer comes later: from a body handler, in the place of the answer. Nothing of the next request
 * is handled before it. Then comes http_conn_answer() (or one of the refusals), or
 * http_conn_begin_stream(), after which no hook of here is called; or else hooks->closed(). There is no
 * time limit. */
void http_conn_hold(struct http_conn *conn, const struct http_stream_hooks *hooks, void *arg,
	enum http_fin fin);

/* Answers with a stream; `first` (maybe 0 bytes) is sent with the head. It lasts as long as the
 * connection, or with reply->is_chunked and HTTP/1.1 the connection goes on after it. FIN means what it
 * meant for the held request; without one the client has left. */
void http_conn_begin_stream(struct http_conn *conn, const struct http_reply *reply,
	const char *first, size_t first_len, const struct http_stream_hooks *hooks, void *arg);

/* Up to five pieces. 0: written or kept. -EAGAIN: something is kept already; hooks->drained() comes. -EPIPE: the client
 * is gone; hooks->closed() comes, later. */
int http_conn_stream(struct http_conn *conn, const struct iovec *pieces, int n_pieces);

/* Something of the stream is kept still. */
bool http_conn_is_writing(const struct http_conn *conn);

/* Who opened this stream of the zone ADMIN may see it still. Nobody but its owner asks: a stream of a session ends with
 * that. */
bool http_conn_is_admitted_still(const struct http_conn *conn);

/* Ends a stream after what is kept was written; no hook is called any more. */
void http_conn_end_stream(struct http_conn *conn);
