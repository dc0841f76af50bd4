/* The audit log: who called which tool, with which arguments (their names and sizes), what became of it and how long it
 * took. One record a call, when it ends, refused ones too. And who was turned away at the door: where from, why.
 *
 * A record is a JSON object on one line: in the log, as the field AUDIT, at every log.level; or behind each other in a
 * file, which is opened again at each reload (log rotation). Records that cannot be written are counted
 * (stats_get_audit_lost()) and said in the log; calls go on. All that a client chose is bounded: doc/logging.md. */
#pragma once

#include "shared/log.h"
#include "supervisor/mcp/session.h"

struct audit;
struct audit_call; /* what is known when a call begins */

struct audit *audit_new(const struct conf *conf);
void audit_free(struct audit *audit);

/* Opens the file anew. */
void audit_set_conf(struct audit *audit, const struct conf *conf);

/* What is asked for. All is borrowed. */
struct audit_ask {
	const char *domain; /* NULL: none serves it */
	const char *tool;   /* as it is listed; of an unknown one: what was asked for */
	struct jspan arguments;
	const char *trace; /* NULL: none */
	uint64_t call;     /* 0: it was refused before it was one */
};

/* NULL: nothing is recorded. */
struct audit_call *audit_begin(
	const struct audit *audit, const struct session *session, const struct audit_ask *ask);

/* Records and frees it; NULL is fine. `about` is what the log says of it: of that the record takes the worker and the
 * duration. `outcome` is "ok" or what went wrong, `code` that of a JSON-RPC error or 0. */
void audit_end(struct audit *audit, struct audit_call *call, const struct log_about *about,
	const char *outcome, int code);

/* Somebody was turned away before there was a call. All is borrowed; what is NULL or 0 is not known. Never what was shown. */
struct audit_refusal {
	const char *reason; /* one of a few names: of stats_refusal_name(), or of the limit */
	const char *why;    /* for people */
	const char *detail; /* more of it */
	int status;         /* of HTTP; 0: it was no request yet */
	const char *method;
	const char *endpoint; /* the path of the route, without its domain */
	const char *domain;
	const char *address;               /* of the client */
	const struct principal *principal; /* for whom it was known, */
	const char *owner;                 /* and whose the session is that it named */
	long long pid;                     /* of the process at the local socket, with its */
	long long uid;
};

/* Recorded by the audit of this process, if there is one: there is no more than one, as there is one log. How many a peer
 * can cause is bounded: audit_flood.h. */
void audit_refused(const struct audit_refusal *refusal);
