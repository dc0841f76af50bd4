/* What happened, counted: for /metrics and the status. All layers of the supervisor count into this one place, as
 * they log into one log; nothing is ever read back to decide by. One process, one thread: no locks. */
#pragma once

#include <stdint.h>

#include "shared/cleanup.h"

/* A limit that turned something away, closed or evicted it. */
enum stats_limit {
	STATS_LIMIT_CONNECTIONS,
	STATS_LIMIT_UNAUTHENTICATED,
	STATS_LIMIT_SESSIONS,
	STATS_LIMIT_STREAMS,
	STATS_LIMIT_CALLS,
	STATS_LIMIT_CALLS_PER_SESSION,
	STATS_LIMIT_SESSION_QUEUE,
	STATS_LIMIT_REQUEST_BYTES,
	STATS_LIMIT_HEADER_BYTES,
	STATS_LIMIT_HEADER_TIMEOUT,
	STATS_LIMIT_BODY_TIMEOUT,
	STATS_LIMIT_MIN_RATE,
	STATS_LIMIT_KEY_RATE,
	STATS_LIMIT_KEY_SESSIONS,
	STATS_LIMIT_KEY_STREAMS,
	STATS_LIMIT_KEY_CALLS,
	STATS_LIMIT_KEY_BYTES,
	STATS_LIMIT_ADDRESS_RATE,
	STATS_LIMIT_ADDRESS_CONNECTIONS,
	STATS_LIMIT_ADDRESS_SESSIONS,
	STATS_LIMIT_ADDRESS_STREAMS,
	STATS_LIMIT_ADDRESS_CALLS,
	STATS_LIMIT_ADDRESS_BYTES,
	STATS_LIMIT_DOMAIN_QUEUE,
	STATS_LIMIT_RESULT_BYTES,
	STATS_LIMITS,
};

void stats_limit_reached(enum stats_limit limit);
uint64_t stats_get_limit(enum stats_limit limit);

/* As the setting is written: "limits.sessions". */
const char *stats_limit_name(enum stats_limit limit);

/* Why a request was refused at the door, before it was a message. */
enum stats_refusal {
	STATS_REFUSED_NO_CREDENTIAL,
	STATS_REFUSED_BAD_CREDENTIAL,
	STATS_REFUSED_EXPIRED,
	STATS_REFUSED_FORBIDDEN,
	STATS_REFUSED_HOST,
	STATS_REFUSED_ORIGIN,
	STATS_REFUSED_FOREIGN_SESSION,
	STATS_REFUSED_BAD_REQUEST,
	STATS_REFUSED_TLS,
	STATS_REFUSALS,
};

void stats_refused(enum stats_refusal refusal);
uint64_t stats_get_refusal(enum stats_refusal refusal);
const char *stats_refusal_name(enum stats_refusal refusal);

/* An answer over HTTP with this status, below STATS_MAX_STATUS. A refusal is counted as one too when no message was
 * looked at: what a message is answered is counted by mcp/. */
enum { STATS_MAX_STATUS = 600 };
void stats_http_answered(unsigned status);
void stats_http_refused(unsigned status);
uint64_t stats_get_http(unsigned status);
uint64_t stats_get_http_refusals(unsigned status);

/* Connections to HTTP listeners, those of admin.listen too. */
void stats_connection_opened(void);
void stats_connection_closed(void);
unsigned stats_get_connections(void);

/* Records of the audit that could not be written (mcp/audit.h). */
void stats_audit_lost(void);
uint64_t stats_get_audit_lost(void);

/* All is 0 again; for tests. */
void stats_reset(void);
