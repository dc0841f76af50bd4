/* HTTP server: listeners, the limit of connections, and which path is whose.
 *
 * A transport or a status page is a route: a path, its methods, a handler. Paths stand for the whole
 * fleet ("/sse") or, where the route allows it, for one domain ("/git/sse"); a listener that serves one
 * domain at its root gives that domain for the plain path. */
#pragma once

#include "supervisor/conf.h"
#include "supervisor/front/http_conn.h"
#include "supervisor/loop.h"

enum {
	HTTPD_GET = 1 << 0, /* HEAD too */
	HTTPD_POST = 1 << 1,
	HTTPD_DELETE = 1 << 2,
};

struct http_route {
	const char *path;
	unsigned methods;
	bool per_domain;      /* "/<domain><path>" too */
	bool is_prefix;       /* all paths below it, too: the handler looks at what is there */
	enum guard_zone zone; /* who may ask for it */
	/* The head is here (and for GET that is all): answer it, begin a stream, or let the body come
	 * by returning true (POST only). ask->note, where it is set, goes to body(), and to free_note()
	 * in any case, whether the body comes or not. */
	bool (*head)(void *arg, struct http_conn *conn, struct http_ask *ask);
	/* The body is complete: answer it, begin a stream, or hold the request. `note` is borrowed. */
	void (*body)(void *arg, struct http_conn *conn, const void *note, char *body, size_t len);
	void (*free_note)(void *note);
	/* How the door says that the guard refused a request; NULL: as http_conn_refuse() does. */
	void (*add_refusal)(struct strbuf *body, const char *why);
	void *arg;
};

struct httpd;

/* What a server is made of; all is borrowed and outlives it. */
struct httpd_parts {
	struct loop *loop;
	struct guard *guard;
	const struct http_route *routes;                /* ends with path NULL */
	bool (*is_domain)(void *arg, const char *name); /* tells names of domains from others */
	void *arg;
	bool is_public; /* for clients, and not only for those who look after us */
};

struct httpd *httpd_new(const struct httpd_parts *parts, const struct conf_limits *limits);
void httpd_free(struct httpd *httpd); /* closes all connections */

void httpd_set_limits(struct httpd *httpd, const struct conf_limits *limits);

/* For connections that begin from now on, to listeners with TLS; takes over the reference. NULL: none is taken
 * there. */
void httpd_set_tls(struct httpd *httpd, struct tls *tls);

/* Proxies whose X-Forwarded-For and -Proto are believed from now on: "10.0.0.0/8", "::1". */
void httpd_set_trusted(struct httpd *httpd, char *const *blocks, size_t n);

/* Listens on what is not listened on yet, and stops listening on what is no more in the list;
 * connections stay. 0, or -errno with words: then nothing has changed. */
int httpd_listen(struct httpd *httpd, const struct conf_listener *listeners, size_t n_listeners,
	struct fail *fail) must_check;

/* Takes a listening socket that somebody else opened (socket activation). `domain` (may be NULL) is
 * served at its root. */
void httpd_adopt(struct httpd *httpd, int fd, const char *domain, bool has_tls);

/* Nobody begins to connect any more, but who is about to be connected is let in until httpd_end_listening(), or would be
 * reset. Where the socket is somebody else's, they wait in it for the next who serves it. */
void httpd_stop_listening(struct httpd *httpd);
void httpd_end_listening(struct httpd *httpd);

/* Closes connections that are between two requests; the others close after their answer. */
void httpd_close_idle(struct httpd *httpd);

/* Whether somebody is connected who has not asked anything yet, or is just asking. */
bool httpd_is_awaiting(const struct httpd *httpd);

/* Connections that still have something to write. */
bool httpd_is_writing(const struct httpd *httpd);

/* "127.0.0.1:8000, https://[::1]:8443", with the port the kernel chose; appended. */
void httpd_add_addresses(const struct httpd *httpd, struct strbuf *out);

/* Appends "http://127.0.0.1:8000" (or https), how the first TCP listener for the whole fleet is reached from this
 * machine; nothing without one. */
void httpd_add_url(const struct httpd *httpd, struct strbuf *out);

/* For http_conn.c: the route of a decoded path, NULL without one. *ret_prefix is how many bytes of the
 * path stand before the route's own: "/git", whose name without the slash is then the domain, if
 * *ret_is_domain; else there is nothing there, which is told only to those whom the guard lets in. */
const struct http_route *httpd_find_route(
	const struct httpd *httpd, const char *path, size_t *ret_prefix, bool *ret_is_domain);
