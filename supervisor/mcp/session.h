/* Sessions: who is connected, what waits to be sent to each, and since when it is idle.
 *
 * Each session has a queue of its own, bounded in bytes and messages; nothing is shared between two.
 * A session knows its transport only as a sink. Its memory while idle is its struct alone. */
#pragma once

#include <sys/queue.h>
#include <sys/types.h>

#include "supervisor/conf.h"
#include "supervisor/loop.h"
#include "supervisor/mcp/level.h"
#include "supervisor/mcp/principal.h"
#include "supervisor/mcp/revision.h"
#include "supervisor/stats_door.h"

struct session;
struct sessions;
struct endpoint;     /* mcp/catalog.h */
struct call;         /* mcp/router.c */
struct ask;          /* mcp/bridge.c */
struct watch;        /* mcp/watches.c */
struct listen;       /* mcp/news.c */
struct task;         /* mcp/tasks.c */
struct client_roots; /* mcp/client_roots.c */

LIST_HEAD(call_list, call);
LIST_HEAD(ask_list, ask);
LIST_HEAD(watch_list, watch);
LIST_HEAD(listen_list, listen);
LIST_HEAD(task_list, task);

/* One message to a client: a JSON text without line breaks, borrowed for the time of the call. */
struct outgoing {
	const char *json;
	size_t len;
	uint64_t
		via; /* as in struct mcp_input: the way by which the request came that this is about;
	                 * 0: about none */
	bool is_answer; /* it answers that request; nothing about it follows */
	int code;       /* of a JSON-RPC error, else 0 */
};

/* The process at the other end of a local connection, as the kernel knows it. */
struct sink_peer {
	pid_t pid; /* 0: not known */
	uid_t uid;
	gid_t gid;
};

/* How a transport takes messages. */
struct sink_ops {
	const char *name; /* "sse", "streamable", "stdio", "local" */
	/* 0: taken whole (sent, or kept by the transport). -EAGAIN: not now; the transport calls
	 * session_drained() later. -EPIPE: the client is gone, session_gone() follows. */
	int (*send)(void *sink, const struct outgoing *out);
	/* The session is over (`reason` for the log); the transport must not call it any more. */
	void (*close)(void *sink, const char *reason);
	/* The transport keeps what it sends (event streams that can be resumed) and has kept more than
	 * half of what it may; NULL: it keeps nothing for long. */
	bool (*is_slow)(void *sink);
	void (*get_peer)(void *sink, struct sink_peer *ret); /* NULL: there is none */
	bool answers_each; /* somebody waits for each answer: a cancelled call is answered too */
	bool outlasts_idleness; /* limits.session_idle is not for it */
	bool is_stdio; /* one message a line: the first revision has batches there, and requests
	                         * of the stateless revision may come too */
	bool is_once;  /* for one request of the stateless revision: has no id, is in no map and
	                         * counts for no limit; the transport ends it with session_gone() */
};

enum { SESSION_ID_TEXT = 37 };

/* What the layer keeps of a session beside its queue. */
struct session_info {
	enum revision revision;
	bool initialized;    /* has sent initialize */
	bool is_known_below; /* some domain keeps something for it: it is told of the end */
	bool lacks_roots;   /* they were wanted, and it cannot be asked for them: that was logged */
	enum level level;   /* the least important log message that it wants */
	unsigned client;    /* what it can be asked for: bits of mcp/origin.h */
	char *capabilities; /* as it wrote them in initialize; NULL: none */
	char *client_info;  /* the same */
	unsigned n_calls;
	struct call_list calls; /* the router's */
	unsigned n_asks;
	struct ask_list asks; /* the bridge's: what it was asked */
	unsigned n_watches;
	size_t watch_bytes;
	struct watch_list watches; /* of mcp/watches.h */
	unsigned n_listens;
	struct listen_list listens; /* of mcp/news.h */
	unsigned n_early;           /* requests that wait for the lists: of mcp.c */
	unsigned n_tasks;
	struct task_list tasks;     /* those of mcp/tasks.h, the newest first */
	struct client_roots *roots; /* mcp/client_roots.c's; NULL: nobody asked for them */
};

/* `on_closed` runs when a session ends, for whatever reason, before it is freed. */
struct sessions *sessions_new(struct loop *loop, const struct conf_limits *limits,
	void (*on_closed)(void *arg, struct session *session), void *arg);
void sessions_free(struct sessions *sessions); /* closes all */

/* `changed` runs, with the arg of `on_closed`, when a session's principal has other rights than `old`, which it had before. */
void sessions_watch_rights(struct sessions *sessions,
	void (*changed)(void *arg, struct session *session, const struct principal *old));

/* Copied; holds from now on. */
void sessions_set_limits(struct sessions *sessions, const struct conf_limits *limits);
unsigned sessions_count(const struct sessions *sessions);
void sessions_close_all(struct sessions *sessions, const char *reason);
void sessions_each(
	struct sessions *sessions, void (*fn)(void *arg, struct session *session), void *arg);

/* Since the start. */
struct sessions_totals {
	uint64_t n_opened;
	uint64_t n_closed;  /* of them */
	uint64_t n_refused; /* limits.sessions */
	uint64_t n_once;    /* requests of the stateless revision, which are no sessions */
};

void sessions_get_totals(const struct sessions *sessions, struct sessions_totals *ret);

/* Bytes that wait to be sent to clients, of all sessions together. */
size_t sessions_get_queued(const struct sessions *sessions);

/* NULL: limits.sessions is reached. */
struct session *session_open(struct sessions *sessions, const struct sink_ops *ops, void *sink,
	struct endpoint *endpoint);

/* Whose it is: at its beginning, and again with each request of the same identity, since what a token or a key
 * allows may have changed. Copied; whose limits it counts for is decided at its beginning. */
void session_set_caller(struct session *session, const struct caller *caller);
/* What its principal allows has changed. */
void session_set_principal(struct session *session, struct principal *principal);
struct principal *session_get_principal(
	const struct session *session); /* NULL: a local process; borrowed */
/* The same where it may not see and call everything; NULL: it may. What is asked for a list, a look-up or news. */
const struct principal *session_get_restriction(const struct session *session);
struct usage *session_get_usage(
	const struct session *session, enum usage_of of);       /* NULL: none; borrowed */
const char *session_get_address(const struct session *session); /* "": none */

/* By session_get_number(); NULL: it has ended. */
struct session *session_find_number(struct sessions *sessions, uint64_t number);

/* By the text of its id (any case of the hexadecimal digits); NULL: none. */
struct session *session_find(struct sessions *sessions, const char *id, size_t len);

/* Of no other session of this process, ever; never 0. */
uint64_t session_get_number(const struct session *session);
void session_get_id(const struct session *session, char ret[SESSION_ID_TEXT]);

/* The first part of its id, for the log and the audit: enough to find it, too little to speak for it. "" for one
 * that is_once. */
enum { SESSION_SHOWN_TEXT = 9 };
void session_get_shown_id(const struct session *session, char ret[SESSION_SHOWN_TEXT]);
struct endpoint *session_get_endpoint(const struct session *session);
void *session_get_sink(const struct session *session);
struct stats_door *session_get_door(
	const struct session *session); /* what it is counted under; borrowed */
struct session_info *session_get_info(struct session *session);
unsigned session_count_calls(const struct session *session); /* in flight */
void session_add_call(struct session *session);
void session_remove_call(struct session *session);
unsigned session_count_early(const struct session *session); /* that wait for the lists */
bool session_is_stdio(const struct session *session);
bool session_is_once(const struct session *session);
bool session_answers_each(const struct session *session);

/* Of one session. Texts are borrowed for the call, but for those inside. */
struct session_report {
	char id[SESSION_ID_TEXT]; /* "" for one that is_once */
	uint64_t number;
	const char *domain; /* whose endpoint it is on; NULL: that of the whole fleet */
	const char *transport;
	const char *revision;     /* "": it has not said initialize */
	char client_name[128];    /* as it calls itself, cut, without control characters; "" */
	char client_version[64];  /* the same */
	int64_t opened_ms;        /* loop_now_ms() */
	int64_t active_ms;        /* when something came from it last */
	unsigned n_calls;         /* in flight */
	unsigned n_queued;        /* messages that it has not taken yet, */
	size_t queued_bytes;      /* and their size */
	unsigned n_subscriptions; /* to resources */
	bool is_once;             /* no session, but one request of the stateless revision */
	struct sink_peer peer;
};

void session_get_report(const struct session *session, struct session_report *ret);

/* The name of its transport; "" for one that is closed. */
const char *session_get_transport(const struct session *session);

/* Whether its transport is the one with these operations: what session_get_sink() is is known then. */
bool session_has_ops(const struct session *session, const struct sink_ops *ops);

/* Something came from the client: it is not idle. */
void session_touch(struct session *session);

/* What answers a request that came by `via` (`code`: of a JSON-RPC error, else 0), and what does not. */
void session_answer(struct session *session, uint64_t via, const char *json, size_t len, int code);
void session_tell(struct session *session, uint64_t via, const char *json, size_t len);

/* Sends now, or queues a copy. Over the bounds: session_close_later(), "slow client". */
void session_send(struct session *session, const struct outgoing *out);

/* More than half of the queue is used: no new requests, please. */
bool session_is_slow(const struct session *session);

/* Room for something of this size that the client can do without: false for a slow one, too, and for what
 * alone would make it slow. A peer that talks much must not cost a client its session. */
bool session_has_room(const struct session *session, size_t len);

/* False: it was closed, in this loop turn; nothing may be begun for it any more. */
bool session_is_open(const struct session *session);

/* Something still waits in the queue. */
bool session_is_pending(const struct session *session);

/* The sink can take messages again. */
void session_drained(struct session *session);

/* The client is gone; the sink is not called any more. */
void session_gone(struct session *session);

/* We end it. */
void session_close(struct session *session, const char *reason);

/* The same at the end of this turn of the loop: for where those who send may still be at work with what
 * the session's end takes away. `reason` is static. Nothing is sent any more. */
void session_close_later(struct session *session, const char *reason);
