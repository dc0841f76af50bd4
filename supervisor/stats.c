/* See stats.h. */
#include "supervisor/stats.h"

#include <string.h>

static struct {
	uint64_t limits[STATS_LIMITS];
	uint64_t refusals[STATS_REFUSALS];
	uint64_t http[STATS_MAX_STATUS];
	uint64_t http_refusals[STATS_MAX_STATUS];
	unsigned n_connections;
	uint64_t audit_lost;
} stats;

static const char *const limit_names[STATS_LIMITS] = {
	[STATS_LIMIT_CONNECTIONS] = "limits.connections",
	[STATS_LIMIT_UNAUTHENTICATED] = "limits.unauthenticated",
	[STATS_LIMIT_SESSIONS] = "limits.sessions",
	[STATS_LIMIT_STREAMS] = "limits.streams",
	[STATS_LIMIT_CALLS] = "limits.calls",
	[STATS_LIMIT_CALLS_PER_SESSION] = "limits.calls_per_session",
	[STATS_LIMIT_SESSION_QUEUE] = "limits.session_queue_bytes",
	[STATS_LIMIT_REQUEST_BYTES] = "limits.request_bytes",
	[STATS_LIMIT_HEADER_BYTES] = "limits.header_bytes",
	[STATS_LIMIT_HEADER_TIMEOUT] = "limits.header_timeout",
	[STATS_LIMIT_BODY_TIMEOUT] = "limits.body_timeout",
	[STATS_LIMIT_MIN_RATE] = "limits.min_rate",
	[STATS_LIMIT_KEY_RATE] = "limits.per_key.rate",
	[STATS_LIMIT_KEY_SESSIONS] = "limits.per_key.sessions",
	[STATS_LIMIT_KEY_STREAMS] = "limits.per_key.streams",
	[STATS_LIMIT_KEY_CALLS] = "limits.per_key.calls",
	[STATS_LIMIT_KEY_BYTES] = "limits.per_key.bytes_rate",
	[STATS_LIMIT_ADDRESS_RATE] = "limits.per_address.rate",
	[STATS_LIMIT_ADDRESS_CONNECTIONS] = "limits.per_address.connections",
	[STATS_LIMIT_ADDRESS_SESSIONS] = "limits.per_address.sessions",
	[STATS_LIMIT_ADDRESS_STREAMS] = "limits.per_address.streams",
	[STATS_LIMIT_ADDRESS_CALLS] = "limits.per_address.calls",
	[STATS_LIMIT_ADDRESS_BYTES] = "limits.per_address.bytes_rate",
	[STATS_LIMIT_DOMAIN_QUEUE] = "domains.*.queue",
	[STATS_LIMIT_RESULT_BYTES] = "tools.max_result_bytes",
};

static const char *const refusal_names[STATS_REFUSALS] = {
	[STATS_REFUSED_NO_CREDENTIAL] = "no_credential",
	[STATS_REFUSED_BAD_CREDENTIAL] = "bad_credential",
	[STATS_REFUSED_EXPIRED] = "expired",
	[STATS_REFUSED_FORBIDDEN] = "forbidden",
	[STATS_REFUSED_HOST] = "host",
	[STATS_REFUSED_ORIGIN] = "origin",
	[STATS_REFUSED_FOREIGN_SESSION] = "foreign_session",
	[STATS_REFUSED_BAD_REQUEST] = "bad_request",
	[STATS_REFUSED_TLS] = "tls",
};

void stats_limit_reached(enum stats_limit limit)
{
	stats.limits[limit]++;
}

uint64_t stats_get_limit(enum stats_limit limit)
{
	return stats.limits[limit];
}

const char *stats_limit_name(enum stats_limit limit)
{
	return limit_names[limit];
}

void stats_refused(enum stats_refusal refusal)
{
	stats.refusals[refusal]++;
}

uint64_t stats_get_refusal(enum stats_refusal refusal)
{
	return stats.refusals[refusal];
}

const char *stats_refusal_name(enum stats_refusal refusal)
{
	return refusal_names[refusal];
}

void stats_http_answered(unsigned status)
{
	if (status < STATS_MAX_STATUS)
		stats.http[status]++;
}

void stats_http_refused(unsigned status)
{
	if (status < STATS_MAX_STATUS)
		stats.http_refusals[status]++;
}

uint64_t stats_get_http(unsigned status)
{
	return status < STATS_MAX_STATUS ? stats.http[status] : 0;
}

uint64_t stats_get_http_refusals(unsigned status)
{
	return status < STATS_MAX_STATUS ? stats.http_refusals[status] : 0;
}

void stats_connection_opened(void)
{
	stats.n_connections++;
}

void stats_connection_closed(void)
{
	stats.n_connections--;
}

unsigned stats_get_connections(void)
{
	return stats.n_connections;
}

void stats_audit_lost(void)
{
	stats.audit_lost++;
}

uint64_t stats_get_audit_lost(void)
{
	return stats.audit_lost;
}

void stats_reset(void)
{
	memset(&stats, 0, sizeof(stats));
}
