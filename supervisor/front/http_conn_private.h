/* The inside of a connection: shared by http_conn.c (its life), http_conn_read.c (requests), http_conn_judge.c (what is
 * decided by a request's head) and http_conn_write.c (answers and streams). */
#pragma once

#include "shared/limits.h"
#include "supervisor/front/httpd.h"
#include "supervisor/front/shares.h"
#include "supervisor/mcp/principal.h"

enum conn_state {
	CONN_HEAD,   /* between two requests, or in the middle of a head */
	CONN_BODY,   /* the head is done, the body is coming */
	CONN_HELD,   /* the request is there, its answer comes later */
	CONN_STREAM, /* carries events */
	CONN_LINGER, /* answered and shut; what comes in is dropped until the client closes */
	CONN_DEAD,   /* to be freed at the end of this turn */
};

/* A request whose body is not all there. */
struct pending {
	const struct http_route *route;
	struct http1_body body;
	struct strbuf data;
	void *note; /* the route's */
	int64_t began_ms;
	bool is_chunked;
};

struct http_conn {
	TAILQ_ENTRY(http_conn) next;
	struct http_shared *shared;
	const char *domain;    /* of the listener */
	struct caller caller;  /* of the request; its principal and usages are references of ours */
	struct usage *address; /* of the peer; NULL: not limited */
	struct share_entry share;
	struct strbuf grants; /* lines for the head of each answer to it (CORS) */
	struct event *readable;
	struct event *writable; /* only while something is kept */
	struct strbuf in;
	struct strbuf out;
	size_t out_at;
	struct http1_scan scan;
	struct pending *pending;
	const struct http_stream_hooks *hooks;
	void *arg;
	struct expiry *expiry; /* the queue that `deadline` is in */
	struct expiry_entry deadline;
	size_t lingered;
	struct http_io io;
	struct client_addr peer;
	struct client_origin origin; /* of the last request, */
	const char *endpoint;        /* and the path of its route; NULL: none */
	enum conn_state state;
	bool is_loopback : 1;
	bool keep_alive : 1; /* of the request being answered */
	bool is_http10 : 1;
	bool is_head : 1;
	bool close_when_written : 1;
	bool is_chunked : 1; /* the stream */
	bool fin_leaves : 1; /* while held, or a stream: that the client sends no more is its leaving */
	bool has_fin : 1; /* it sends no more, and still wants its answers */
	bool is_stream_counted : 1;
	bool has_asked : 1; /* a request was answered, or is being */
	bool has_more : 1;  /* `in` has more than one turn's share of requests */
	bool is_taking : 1; /* take() is at work, and goes on when a handler returns */
};

/* What was known of the caller of the last request is not known of the next one. */
void http_conn_forget_caller(struct http_conn *conn);

/* The stream that it carries, if any, counts no more. */
void http_conn_uncount_stream(struct http_conn *conn);

/* Moves the connection to another queue of deadlines; NULL: to none. */
void http_conn_set_deadline(struct http_conn *conn, struct expiry *expiry);

/* Ends the connection at once; hooks->closed() runs, and it is freed, when this turn ends. */
void http_conn_kill(struct http_conn *conn);

/* All is written: a connection that is to end now ends, after the client has seen the answer. */
void http_conn_linger(struct http_conn *conn);

/* Writes now what the socket takes, and keeps the rest. 0, or -EPIPE. */
int http_conn_write(struct http_conn *conn, const struct iovec *iov, int n);

/* A record in the audit: who this connection speaks for was turned away. `status` 0: it was no request. */
void http_conn_audit(const struct http_conn *conn, const char *reason, const char *why, int status);

/* Refuses what leaves no way to know where the next request begins. */
void http_conn_refuse_and_close(struct http_conn *conn, int status, const char *message);

/* 204 with Allow: OPTIONS. */
void http_conn_tell_methods(struct http_conn *conn, unsigned allowed);

/* Handles what has been read and was not handled yet; `arg` is a connection. */
void http_conn_process(void *arg);

/* Of the event `readable`. */
void http_conn_on_readable(evutil_socket_t fd, short what, void *arg);

/* Waits until something can be written: for what is kept, or for what reading waits for (TLS). */
void http_conn_await_writing(struct http_conn *conn);

/* Goes on with what is kept. */
void http_conn_write_on(struct http_conn *conn);

/* Reads again, in the next turn at the latest when the connection holds bytes that the descriptor does not tell
 * of. */
void http_conn_resume_reading(struct http_conn *conn);

/* Everything that is decided by the head alone. True: the body is wanted, *ret_route takes it, and *ret_ask has what it
 * has left. False: it was answered; ret_ask->note, where it is set, is *ret_route's. */
bool http_conn_decide(struct http_conn *conn, const struct http1_request *req,
	const struct http_route **ret_route, struct http_ask *ret_ask);

/* Its caller's usages pay for so many bytes. */
void http_conn_pay(struct http_conn *conn, size_t n_bytes);

/* The body may have been long under way, and the key revoked meanwhile. False: that was answered. */
bool http_conn_is_still_let_in(struct http_conn *conn, const struct http_route *route);

/* Frees a request whose body was not all there, with what its head handler left. NULL is fine. */
void http_conn_free_pending(struct pending *pending);

/* Requests that come now are ahead of an answer that is still due. */
static inline bool http_conn_is_ahead(const struct http_conn *conn)
{
	return conn->state == CONN_HELD ||
	       (conn->state == CONN_STREAM && conn->is_chunked && conn->keep_alive);
}

static inline struct iovec http_conn_piece(const char *text, size_t len)
{
	return (struct iovec){ .iov_base = (void *)(uintptr_t)text, .iov_len = len };
}
