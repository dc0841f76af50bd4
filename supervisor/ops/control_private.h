/* The inside of the control socket: shared by control.c (who may come in), control_conn.c (a connection and
 * what it has asked), control_methods.c (the table), control_fleet.c, control_gateway.c and control_watch.c
 * (what the methods do). */
#pragma once

#include <sys/queue.h>

#include "shared/limits.h"
#include "shared/rpc.h"
#include "supervisor/fleet/link.h"
#include "supervisor/front/local_socket.h"
#include "supervisor/ops/control.h"
#include "supervisor/ops/registration.h"

enum {
	CONTROL_PROTOCOL = 1,
	CONTROL_MAX_CONNS = 64,
	CONTROL_MAX_ASKS = 16,             /* of one connection, without an answer yet */
	CONTROL_MAX_LINE = 1 * MIB,        /* from a client */
	CONTROL_MAX_UNSENT = 32 * MIB,     /* that it does not read */
	CONTROL_MAX_UNSENT_ALL = 64 * MIB, /* of all together: beyond, the one with the most goes */
	CONTROL_MAX_UNSENT_NEWS = 1 * MIB, /* beyond, log lines are left out */
};

/* Codes of ours beside those of JSON-RPC: doc/control.md. */
enum {
	CONTROL_NOT_ALLOWED = -31010,
	CONTROL_FAILED = -31011,
	CONTROL_NOT_FOUND = -31012,
	CONTROL_BUSY = -31013,
};

struct control_line;   /* control_conn.c */
struct control_watch;  /* control_watch.c */
struct control_follow; /* control_logs.c */

struct control_conn {
	TAILQ_ENTRY(control_conn) next;
	struct control *control;
	uint64_t no; /* of no other connection, ever */
	struct link *link;
	struct peer peer;
	bool is_greeted;
	bool may_change;
	bool is_closing;
	unsigned n_asks;
	unsigned n_orders;                  /* of them at the registrar */
	TAILQ_HEAD(, control_line) waiting; /* requests whose turn has not come */
	unsigned n_waiting;
	size_t waiting_bytes;
	struct control_watch *watch;   /* the status that it follows; NULL: it does not */
	struct control_follow *follow; /* the same of the log */
};

struct control {
	struct control_parts parts;
	const struct control_hooks *hooks;
	void *arg;
	struct local_socket *socket; /* NULL: listens nowhere */
	struct event *acceptable;
	struct timer *pause_timer;
	TAILQ_HEAD(control_conns, control_conn) conns;
	unsigned n_conns;
	uint64_t last_no;
	TAILQ_HEAD(, control_ask) asks; /* that were not ended yet */
	bool is_stopping;
	unsigned n_runs; /* requests in this turn of the loop */
	struct timer *work_timer;
	unsigned n_checks;  /* of the gateway, by whoever may look */
	struct strbuf news; /* the status as a notification, for all who follow it */
	int64_t news_ms;    /* when it was made */
	struct timer *news_timer;
	struct {
		uid_t *uids;
		size_t n_uids;
		gid_t *gids;
		size_t n_gids;
	} admins;
	struct log_limit refused;
	struct log_limit denied;
};

/* A question that is to be answered, now or later; its connection may be gone by then, and so may the control:
 * whoever has the answer to give is asked to end it in his own time. */
struct control_ask {
	TAILQ_ENTRY(control_ask) next;
	struct control *control; /* NULL: gone */
	uint64_t conn;
	const char *method; /* static */
	struct strbuf id;   /* JSON */
};

/* One of these ends an ask. The result is taken over. */
void control_answer(struct control_ask *ask, json_t *result);
void control_answer_text(
	struct control_ask *ask, const struct strbuf *result); /* JSON, not taken over */
/* `remedy` may be NULL. */
void control_refuse(struct control_ask *ask, int code, const char *remedy, const char *fmt, ...)
	printf_like(4, 5);

/* The connection of an ask; NULL: it is gone. */
struct control_conn *control_get_conn(const struct control_ask *ask);

/* What nobody has asked for. `params` is taken over. */
void control_tell(struct control_conn *conn, const char *method, json_t *params);
void control_say(struct control_conn *conn, const char *line, size_t len); /* a whole message */

/* control.c: sets what the connection's peer may do. */
void control_judge(const struct control *control, struct control_conn *conn);

/* control_conn.c: takes `fd` and `peer` over. */
void control_conn_open(struct control *control, int fd, struct peer *peer);
void control_conn_close(struct control_conn *conn); /* the free is deferred */
void control_on_work_timer(void *control);          /* for those who wait */

/* control_methods.c: ends the ask, now or later. `params` is an object, or NULL. */
struct control_method {
	const char *name;
	bool changes;
	void (*run)(struct control_conn *conn, struct control_ask *ask, json_t *params);
};

const struct control_method *control_find_method(struct jspan name);

/* A text among the params: NULL with the ask refused when it is missing or of another type. */
const char *control_need_text(struct control_ask *ask, json_t *params, const char *name);

/* The same of one that need not be there: NULL then. False: the ask is refused. */
bool control_may_text(struct control_ask *ask, json_t *params, const char *name, const char **ret);
bool control_may_integer(
	struct control_ask *ask, json_t *params, const char *name, json_int_t *ret);

/* control_fleet.c */
void control_restart_domain(struct control_conn *conn, struct control_ask *ask, json_t *params);
void control_enable_domain(struct control_conn *conn, struct control_ask *ask, json_t *params);
void control_disable_domain(struct control_conn *conn, struct control_ask *ask, json_t *params);
int control_code_of(int err); /* the code of an error of the fleet */
void control_log_order(const struct control_conn *conn, const char *what, const char *name);

/* control_drill.c */
void control_drill(struct control_conn *conn, struct control_ask *ask, json_t *params);

/* Who knows a session's id can speak for it where HTTP asks for nothing else: those who may not change anything
 * see so much of it. */
enum { CONTROL_SHOWN_ID = 8 };

/* control_sessions.c */
void control_list_sessions(struct control_conn *conn, struct control_ask *ask, json_t *params);
void control_close_session(struct control_conn *conn, struct control_ask *ask, json_t *params);

/* control_tools.c */
void control_list_tools(struct control_conn *conn, struct control_ask *ask, json_t *params);

/* control_gateway.c */
void control_register(struct control_conn *conn, struct control_ask *ask, json_t *params);
void control_unregister(struct control_conn *conn, struct control_ask *ask, json_t *params);
void control_check_gateway(struct control_conn *conn, struct control_ask *ask, json_t *params);
void control_reconcile(struct control_conn *conn, struct control_ask *ask, json_t *params);
void control_drill_gateway(struct control_ask *ask);

/* control_watch.c */
void control_watch_status(struct control_conn *conn, struct control_ask *ask, json_t *params);
void control_watch_free(struct control_watch *watch);
void control_on_news_timer(void *control);

/* control_logs.c */
void control_read_log(struct control_conn *conn, struct control_ask *ask, json_t *params);
void control_note_log(void *control); /* new lines have come */
void control_follow_free(struct control_follow *follow);
