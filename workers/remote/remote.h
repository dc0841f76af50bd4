/* A remote MCP server, as a worker: what comes as a line is POSTed, what comes back is written as a line.
 *
 * Messages pass through unchanged and in all revisions; what is ours is the HTTP around them, and that the
 * session lives on: when the server forgot it or was away, it is initialised again with the bytes of the
 * client's own initialize, and the client is told that the lists may have changed. A request is sent
 * again only when the server said that it did not take it.
 *
 * This header is shared by the parts of the bridge and by nobody else:
 *   remote.c   the loop, and messages from the server
 *   session.c  opening, losing and opening again
 *   client.c   lines of the client
 *   post.c     messages of the client, each with its POST, until each request has its answer
 *   listen.c   the stream of what the server sends by itself: GET, or all of HTTP+SSE
 *   request.c  the headers of a request
 *   patience.c what a setting for people changes in how long, and how often, is tried again
 *
 * Source: MCP basic/transports of 2024-11-05 to 2025-11-25; 2026-07-28 basic/transports/streamable-http. */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "shared/lines.h"
#include "shared/log.h"
#include "shared/rpc.h"
#include "workers/common/headers.h"
#include "workers/common/http.h"
#include "workers/common/target.h"
#include "workers/remote/mirrors.h"
#include "workers/remote/settings.h"

enum {
	MAX_POSTS = 64,      /* at one time */
	MAX_REQUESTS = 1024, /* that have no answer yet, waiting ones included */
	MAX_NOTES = 64,      /* notifications and responses on their way; beyond, no line is read */
	MAX_HELD_BYTES = 64 * 1024 * 1024, /* of all of them; the same */
	BACKOFF_FIRST_MS = 100,
	BACKOFF_CAP_MS = 30000,
	STABLE_MS = 10000, /* a session that lived so long is opened again at once */
	HOLD_MS =
		3000, /* requests wait so long for a session that is being opened again, unless set */
	MAX_RETRY_AFTER_MS = 30000, /* whatever the server says */
	HURRY_MS = 3000, /* a request makes the next attempt come at once, but not more often */
	OPEN_MS = 30000, /* for one attempt to open it */
	ENDPOINT_MS = 10000,
	CANCELLED_MS = 5000, /* a cancelled request's POST is closed after so long */
	MAX_RESUMES = 10,    /* of one stream in a row, without an event in between */
	RESUME_MS = 1000,    /* before it, unless the server says how long */
	RESUME_MIN_MS = 100, /* whatever it says */
	NOTE_MS = 10000,     /* for a notification or a response to be taken */
	FAREWELL_MS = 5000,  /* after the end of input, for the answers that are under way */
	GOODBYE_MS = 800,    /* for DELETE; the supervisor kills a second after SIGTERM */
};

enum session_state {
	SESSION_NONE,     /* no initialize was seen */
	SESSION_OPENING,  /* initialize is under way */
	SESSION_ANSWERED, /* the client has the answer; its notifications/initialized is awaited */
	SESSION_CONFIRMING, /* notifications/initialized is under way */
	SESSION_OPEN,
	SESSION_WAITING, /* could not be opened: is tried again at retry_at_ms */
};

enum post_state {
	POST_HELD,      /* not sent: no place, or no session yet */
	POST_SENT,      /* its exchange is under way */
	POST_RESUMING,  /* its stream broke: waits for its turn to be resumed */
	POST_ELSEWHERE, /* HTTP+SSE: accepted, the answer comes on the stream */
};

struct remote;

/* A message of the client's on its way. A request lives until it has its answer. */
struct post {
	TAILQ_ENTRY(post) next;
	struct remote *remote;
	enum post_state state;
	char *line;
	size_t len;
	struct rpc rpc; /* points into `line` */
	bool is_modern;
	bool is_discover; /* server/discover: as initialize it is asked until there is an answer */
	bool is_confirmation; /* notifications/initialized */
	bool is_resumed;      /* `x` is not its POST but a GET for the rest */
	bool has_session;     /* it was sent with a session id */
	bool was_repeated;    /* after a 404 */
	bool is_cancelled;    /* nobody waits for its answer */
	unsigned session_no;  /* in which it was sent */
	struct exchange *x;
	char *last_id; /* of its stream's events; NULL: it cannot be resumed */
	int64_t retry_ms;
	unsigned n_resumes;
	int64_t at_ms;      /* when to resume, to send again, or to close; 0: never */
	unsigned n_lost;    /* patience.c: so often its answer was lost */
	int64_t give_up_ms; /* patience.c: it is not sent again after this; 0: it was not yet */
};

TAILQ_HEAD(post_list, post);

struct remote {
	const struct settings *settings;
	struct target target;
	struct http_settings http_settings;
	struct http *http;
	struct lines lines;
	struct headers_file headers;
	struct headers_file key;
	bool must_leave; /* to be started again, when nothing is under way */
	int signals;     /* a signalfd: of SIGTERM and SIGINT */
	bool is_stopped; /* by one of them */
	int64_t end_ms;  /* the input ended: not later than this; 0: it did not */
	struct mirrors mirrors;
	bool was_modern; /* a modern request was seen */
	char *modern_version;
	char *told; /* the last trouble that was written to standard error */
	struct log_limit tellings;

	/* session.c */
	enum session_state state;
	unsigned session_no; /* another one as soon as it is lost */
	bool was_open;
	char *initialize; /* the client's line */
	size_t initialize_len;
	struct rpc initialize_rpc; /* points into it */
	bool is_first;             /* the client has no answer to it yet */
	int64_t first_until_ms;    /* it is waited for that answer; 0: as long as it takes */
	enum transport transport;  /* of this attempt; AUTO: as STREAMABLE, until it is refused */
	char *fallback_cause;      /* why it is SSE now */
	char *session_id;
	char *version;          /* negotiated */
	char *told_version;     /* that the client knows */
	unsigned lists;         /* bits of the lists that the server has */
	struct target endpoint; /* HTTP+SSE: where to POST */
	struct exchange *opening;
	int64_t open_until_ms; /* this attempt; 0: as long as it takes */
	int64_t opened_ms;
	int64_t retry_at_ms;
	int64_t tried_ms;      /* the last attempt's beginning */
	int64_t not_before_ms; /* the server's own word (Retry-After) */
	int64_t hold_until_ms;
	unsigned n_failures;
	char *cause; /* why it is not open */

	/* listen.c */
	struct exchange *stream;
	char *stream_last_id;
	int64_t stream_retry_ms;
	int64_t stream_since_ms;
	int64_t stream_at_ms;      /* when to open it again; 0: not */
	int64_t endpoint_until_ms; /* 0: it is there, or not awaited */
	unsigned n_stream_failures;

	/* post.c */
	struct post_list posts;
	size_t n_requests;
	size_t n_notes;
	size_t n_sent;
	size_t held_bytes;
};

/* --- remote.c --- */

/* Runs until its input ends, or nobody reads its output. 0, or -errno with words: it could not begin. */
int remote_run(const struct settings *settings, struct fail *fail) must_check;

/* Tells the operator, unless it is what was told last. */
void remote_tell(struct remote *remote, const char *fmt, ...) printf_like(2, 3);

/* A message from the server; it is made one line. `from` is whose answer it came in; NULL: the stream of
 * what the server sends by itself. A request is answered in its own answer, and on that stream only where
 * MCP has it so: everything else is nobody's. A post that it answers is gone afterwards. False: it is no
 * message. */
bool remote_deliver(struct remote *remote, struct post *from, char *text, size_t len);

/* Between half of it and all of it, for the n-th failure in a row. */
int64_t remote_backoff_ms(unsigned n_failures);

/* What stands in for an answer. */
void remote_answer_error(struct remote *remote, struct jspan id, int code, const char *fmt, ...)
	printf_like(4, 5);

/* --- request.c --- */

/* For a POST of this message; `post` NULL: initialize. */
struct curl_slist *request_headers(struct remote *remote, const struct post *post);
struct curl_slist *request_stream_headers(struct remote *remote, const char *last_id);

/* The version in a request's _meta; false: it is of the older kind. */
/* How long the server asks to be left alone, as far as it is obeyed; 0: it does not. */
int64_t remote_retry_after_ms(const struct exchange *x);

bool request_modern_version(const struct rpc *rpc, struct strbuf *ret);

/* --- patience.c --- */
bool patience_is_set(const struct remote *remote);
int64_t patience_hold_ms(const struct remote *remote);
int64_t patience_stable_ms(const struct remote *remote);
int64_t patience_pause_ms(const struct remote *remote, unsigned n_failures);

/* Each is false when it is not to be sent again, else done: a request that the server did not get; one whose
 * answer was lost; one that a server refused unseen, because it is stopping. */
bool patience_hold(struct post *post);
bool patience_hold_lost(struct post *post);
bool patience_hold_refused(struct post *post, const struct rpc *answer);

/* --- session.c --- */
void session_begin(struct remote *remote, const char *line, size_t len);

/* Answers the client's initialize, if it has no answer yet: nobody is there to do it. */
void session_give_up(struct remote *remote);

/* The session's POST is there, or the endpoint of HTTP+SSE. */
void session_ask(struct remote *remote);

/* A response that may be the answer to initialize. False: it is not. */
bool session_take_answer(
	struct remote *remote, const struct rpc *rpc, const char *text, size_t len);

/* This attempt failed: the next follows later. `after_ms`: not before that. */
void session_fail(struct remote *remote, int64_t after_ms, const char *fmt, ...) printf_like(3, 4);

/* The server does not know the session any more, or is gone. */
void session_lost(struct remote *remote, const char *fmt, ...) printf_like(2, 3);

/* A request wants the session: it is not waited for to the end of a long pause. */
void session_hurry(struct remote *remote);

/* notifications/initialized was taken, or not. */
void session_confirmed(struct remote *remote, bool ok, const char *cause);
void session_turn(struct remote *remote, int64_t now);
int64_t session_next_ms(const struct remote *remote);
void session_end(struct remote *remote);

/* --- listen.c --- */
void listen_open(struct remote *remote);     /* the GET stream of Streamable HTTP */
void listen_open_sse(struct remote *remote); /* the stream of HTTP+SSE */
void listen_close(struct remote *remote);
void listen_turn(struct remote *remote, int64_t now);
int64_t listen_next_ms(const struct remote *remote);

/* --- client.c --- */
void client_line(struct remote *remote, const char *line, size_t len);

/* --- post.c --- */

/* Sends a message that was read by rpc_parse(), now or when there is a place and a session. */
void post_add(struct remote *remote, const char *line, size_t len, const struct rpc *rpc);
void post_turn(struct remote *remote, int64_t now);
int64_t post_next_ms(const struct remote *remote);
bool post_has_room(const struct remote *remote);

/* The request with this id; NULL: there is none. */
struct post *post_find(struct remote *remote, struct jspan id);

/* The request that a response answers when it came in the answer to `from`; see remote_deliver(). */
struct post *post_find_answered(struct remote *remote, struct post *from, struct jspan id);
void post_done(struct post *post);

/* What is under way for it is of no use any more. */
void post_drop_exchange(struct post *post);

/* Answers what waits for a session that cannot be had. */
void post_fail_held(struct remote *remote);

/* HTTP+SSE: the stream is gone on which the answers were to come. */
void post_fail_elsewhere(struct remote *remote, const char *cause);

/* Each request that has no answer gets an error in its place. */
void post_fail_all(struct remote *remote, const char *cause);
void post_free_all(struct remote *remote);

/* Words for an answer that is none: "HTTP 503: …". Yours to free. */
char *post_describe(struct exchange *x) must_check;
