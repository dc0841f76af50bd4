/* What sessions and requests are counted under: the statistics that have labels.
 *
 * A door is a transport and a domain ("": the whole fleet). A series is a door, a method and, for calls, a tool: the
 * durations of its requests. How many there are is bounded whatever clients send: transports and methods are fixed,
 * domains are those of the settings, and of tools, which must be in the catalog, at most STATS_TOOLS have a series of
 * their own; the others are "other". Doors and series are made once and then found: counting allocates nothing.
 *
 * What a domain or worker that is gone was counted under goes as soon as nobody refers to it: stats_forget_domain(),
 * stats_keep_tools(). A counter of Prometheus may end so. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/histogram.h"

enum stats_transport {
	STATS_SSE,
	STATS_STREAMABLE,
	STATS_STDIO,
	STATS_LOCAL,
	STATS_OTHER_TRANSPORT,
	STATS_TRANSPORTS,
};

const char *stats_transport_name(enum stats_transport transport);

enum {
	STATS_METHODS = 32,     /* at most; mcp/method.h gives their numbers */
	STATS_TOOLS = 500,      /* series of tools, all doors together, without those of "other" */
	STATS_TOOL_BYTES = 128, /* of a tool's name; a longer one is "other" */
};

/* What a client was told, or what it lost its session for. */
enum stats_error {
	STATS_PARSE_ERROR,
	STATS_INVALID_REQUEST,
	STATS_METHOD_NOT_FOUND,
	STATS_INVALID_PARAMS,
	STATS_INTERNAL_ERROR,
	STATS_RESOURCE_NOT_FOUND,
	STATS_HEADER_MISMATCH,
	STATS_MISSING_CAPABILITY,
	STATS_UNSUPPORTED_VERSION,
	STATS_WORKER_DIED,
	STATS_DEADLINE,
	STATS_OVERLOADED,
	STATS_UNAVAILABLE,
	STATS_CANCELLED,
	STATS_OTHER_ERROR, /* a worker's own code */
	STATS_TOOL_ERROR,  /* a result that says isError */
	STATS_SLOW_CLIENT, /* its session was closed */
	STATS_ERRORS,
};

const char *stats_error_name(enum stats_error error);

/* Of a code of JSON-RPC (shared/rpc.h). */
enum stats_error stats_error_of(int code);

/* Why a session ended. */
enum stats_end {
	STATS_END_CLIENT, /* it left, or ended it */
	STATS_END_IDLE,
	STATS_END_SLOW,
	STATS_END_CREDENTIAL, /* its key was revoked, or its key or token has expired */
	STATS_END_OPERATOR,
	STATS_END_STOPPING,
	STATS_END_OTHER,
	STATS_ENDS,
};

const char *stats_end_name(enum stats_end end);

struct stats_series {
	struct stats_series *in_bucket; /* of those with a tool */
	struct stats_series *next;      /* of the door */
	struct stats_door *door;
	unsigned method;
	char *tool; /* NULL: the method has none */
	unsigned n_refs;
	bool is_gone;
	struct histogram took;
};

struct stats_door {
	struct stats_door *in_bucket;
	struct stats_door *next;
	enum stats_transport transport;
	char *domain;
	unsigned n_refs;
	bool is_gone;
	unsigned n_sessions; /* open now */
	uint64_t n_opened;
	unsigned n_streams; /* event streams that are open now */
	uint64_t n_streamed;
	uint64_t received[STATS_METHODS];
	uint64_t errors[STATS_ERRORS];
	struct stats_series *plain[STATS_METHODS]; /* without a tool */
	struct stats_series *series;               /* all of them */
};

/* A reference; `transport` is the name of a struct sink_ops, `domain` NULL: the whole fleet. Never NULL. */
struct stats_door *stats_door_get(const char *transport, const char *domain);
void stats_door_unref(struct stats_door *door);

/* The door of the same transport for another domain: borrowed, for stats_find_series(). */
struct stats_door *stats_door_beside(const struct stats_door *door, const char *domain);

void stats_received(struct stats_door *door, unsigned method);
void stats_failed(struct stats_door *door, enum stats_error error);
void stats_session_opened(struct stats_door *door);

/* `reason` as session_close() has it; NULL: the client is gone. */
void stats_session_closed(struct stats_door *door, const char *reason, int64_t lasted_ms);
void stats_stream_opened(struct stats_door *door);
void stats_stream_closed(struct stats_door *door);

/* Borrowed until the loop turns; whoever keeps it takes a reference. `tool` NULL: none. */
struct stats_series *stats_find_series(struct stats_door *door, unsigned method, const char *tool);
struct stats_series *stats_series_ref(struct stats_series *series);
void stats_series_unref(struct stats_series *series); /* NULL is fine */

/* A request on its way to its answer; all zero: it is not counted. */
struct stats_timing {
	struct stats_series *series; /* borrowed */
	int64_t since_us;            /* clock_now_us() */
};

/* It was answered; `code`: of the JSON-RPC error, else 0. */
void stats_answered(const struct stats_timing *timing, int code);

/* The domain is not in the settings any more. */
void stats_forget_domain(const char *domain);

/* Tools of the domain that `is_there` does not know have no series of their own any more. */
void stats_keep_tools(const char *domain, bool (*is_there)(void *arg, const char *tool), void *arg);

/* What is to be told. */
const struct stats_door *stats_first_door(void);
uint64_t stats_get_closed(enum stats_transport transport, enum stats_end end);
const struct histogram *stats_get_durations(
	enum stats_transport transport); /* of sessions; in it a µs stands for a ms */

void stats_door_reset(void); /* for tests: there must be no references */
