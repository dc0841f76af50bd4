/* Shared by the parts of the bridge, and by nobody else:
 *   bridge.c         its life, the connection, time
 *   bridge_item.c    messages of the client's on their way
 *   bridge_client.c  lines of the client
 *   bridge_daemon.c  lines of the daemon
 *   bridge_again.c   what the client's session consists of, and how it is opened again
 *   bridge_ask.c     questions of the daemon's to the client */
#pragma once

#include <sys/queue.h>

#include "ctl/bridge.h"
#include "shared/rpc.h"

#define INITIALIZED_LINE "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"

enum item_kind {
	ITEM_NOTE, /* nothing answers it: a notification, an answer */
	ITEM_INITIALIZED,
	ITEM_REQUEST,
	ITEM_INITIALIZE,
	ITEM_LISTEN,
	ITEM_LEVEL,
	ITEM_SUBSCRIBE,
	ITEM_UNSUBSCRIBE,
};

struct id {
	char *text; /* as the client wrote it */
	size_t len;
};

/* A message of the client's. It is in one list: `queue` until all of it was written, then `sent` until it
 * was answered. */
struct item {
	TAILQ_ENTRY(item) next;
	enum item_kind kind;
	char *line; /* with its line break; NULL: it was written, and cannot be again */
	size_t len;
	struct id id; /* of a request */
	bool may_repeat;
	bool is_cancelled; /* when a part of it was written: nobody waits for it */
	bool is_answered;  /* when a part of it was written: the same */
	bool is_refused;   /* by a daemon that is stopping, which did not look at it */
	bool is_waiting;   /* for a connection */
	unsigned n_attempts;
	/* For a daemon that takes it; while is_waiting, or is_refused. 0: not known yet. */
	int64_t wait_until_ms;
};

TAILQ_HEAD(item_list, item);

/* A subscription that holds. */
struct watch {
	TAILQ_ENTRY(watch) next;
	char *line;
	struct rpc rpc; /* points into `line` */
	size_t len;
	uint64_t no;
	bool is_lost; /* the daemon of now refused it: it is asked again when its resources change */
};

TAILQ_HEAD(watch_list, watch);

/* What the daemon asked the client. */
struct question {
	TAILQ_ENTRY(question) next;
	struct id id;    /* the daemon's */
	struct id shown; /* the client's; text NULL: the same */
	unsigned connection;
};

TAILQ_HEAD(question_list, question);

enum link {
	LINK_DOWN,
	LINK_OPENING, /* our initialize is not answered yet */
	LINK_UP,
};

struct bridge {
	struct bridge_settings settings;
	enum link link;
	unsigned connection;
	bool is_fresh;    /* nothing came on this connection */
	bool has_session; /* this connection */
	char *cause;
	char *refusal; /* the line without an id with which a connection began */
	size_t refusal_len;
	int64_t open_until_ms;

	struct item_list queue;
	struct item_list sent;
	size_t queue_bytes;
	size_t sent_bytes; /* of lines that could be sent again */
	bool has_refused;  /* among the sent there may be one that is_refused */
	size_t n_requests;
	size_t head_at;    /* so much of the queue's first was written */
	struct strbuf own; /* our own lines, which go before the queue */
	size_t own_at;

	/* bridge_again.c */
	char *initialize; /* that was answered; NULL: none was */
	size_t initialize_len;
	struct rpc initialize_rpc; /* points into it */
	char *version;             /* negotiated */
	unsigned lists;            /* bits of those whose changes the client was promised */
	bool is_confirmed;         /* the client said notifications/initialized */
	bool is_next_confirmed;    /* and of an initialize that is not answered yet */
	char *level;               /* the request that set it; NULL: none did */
	size_t level_len;
	struct rpc level_rpc; /* points into it */
	struct watch_list watches;
	size_t n_watches;
	size_t watch_bytes;
	uint64_t last_no; /* in an id of ours */
	uint64_t open_no; /* of the initialize that opens this connection */

	/* bridge_ask.c */
	struct question_list questions;
	size_t n_questions;
};

/* --- bridge.c --- */
void bridge_say(struct bridge *bridge, const struct strbuf *line);
void bridge_say_error(struct bridge *bridge, struct jspan id, int code, const char *fmt, ...)
	printf_like(4, 5);
void bridge_set_cause(struct bridge *bridge, const char *cause);
/* The message with another id. */
void bridge_add_with_id(
	struct strbuf *out, const char *line, size_t len, struct jspan old, struct jspan id);

struct id id_copy(struct jspan id);
bool id_is(const struct id *id, struct jspan other);
static inline struct jspan id_span(const struct id *id)
{
	return (struct jspan){ .at = id->text, .len = id->len };
}

/* --- bridge_item.c --- */
/* `id` is absent unless it is a request. */
struct item *item_new(enum item_kind kind, const char *line, size_t len, struct jspan id);
/* At the end of the queue. */
void item_queue(struct bridge *bridge, struct item *item);
/* Takes it out of its list and frees it. */
void item_drop(struct bridge *bridge, struct item_list *list, struct item *item);
/* Answers with errors, then the same. */
void item_fail(struct bridge *bridge, struct item_list *list, struct item *item, int code,
	const char *words);
/* All that have waited for a connection to this time. */
void item_fail_waiting(struct bridge *bridge, int64_t until_ms);
/* Those that a daemon refused which was stopping, but does not end. */
void item_fail_refused(struct bridge *bridge, int64_t now_ms);
/* When the first of these, or of those, has waited long enough. */
int64_t item_next_ms(const struct bridge *bridge);
/* The queue's first was written to its end. */
void item_sent(struct bridge *bridge, struct item *item);
/* Somebody waits for its answer. */
bool item_is_awaited(const struct item *item);
/* The first that waits for this answer. */
struct item *item_find(struct item_list *list, struct jspan id);
struct item *item_find_kind(const struct item_list *list, enum item_kind kind);
bool item_is_request(const struct item *item);
/* The connection is gone with what was written to it; `was_refused`: nobody read it. */
void item_settle_lost(struct bridge *bridge, bool was_refused, int64_t now_ms);

/* --- bridge_again.c --- */
void again_connected(struct bridge *bridge, int64_t now_ms);
/* The answer to a request of the client's that makes the session what it is. 0, or -EPROTO: this connection has no
 * session now, but the client has one. */
int again_note_answer(struct bridge *bridge, struct item *item, const struct rpc *rpc);
/* An answer to one of our own requests. 1: it was none; else as bridge_hear_daemon(). */
int again_take_answer(struct bridge *bridge, const struct rpc *rpc);
/* Resources of the daemon's have changed: what it refused may be there now. */
void again_watch_lost(struct bridge *bridge);
/* Another id of ours, as JSON; yours to free. */
char *again_make_id(struct bridge *bridge) must_check;
/* Forgets all of it. */
void again_done(struct bridge *bridge);

/* --- bridge_ask.c --- */
/* A question of the daemon's: passes it on. 0, or -EPROTO: it asks and asks, and reads nothing. */
int ask_client(struct bridge *bridge, const char *line, size_t len, const struct rpc *rpc);
/* An answer of the client's. False: to nobody who still waits; else appended to `out`. */
bool ask_answer(struct bridge *bridge, struct strbuf *out, const char *line, size_t len,
	const struct rpc *rpc);
/* The daemon takes it back; appends its notification for the client. */
void ask_cancel(struct bridge *bridge, struct strbuf *out, const char *line, size_t len,
	const struct rpc *rpc);
/* The connection is gone: tells the client that nobody waits for its answers any more. */
void ask_settle_lost(struct bridge *bridge);
void ask_done(struct bridge *bridge);
