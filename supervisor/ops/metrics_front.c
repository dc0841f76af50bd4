/* /metrics: what clients do, and what they are refused. */
#include "supervisor/ops/metrics_private.h"

#include <stdio.h>

#include "supervisor/mcp/method.h"
#include "supervisor/stats.h"

static void add_streams(struct metrics_text *text)
{
	metrics_begin(text, METRIC_SSE_CONNECTIONS);
	for (const struct stats_door *door = stats_first_door(); door; door = door->next)
		if (door->n_streamed > 0)
			metrics_add(text, door->n_streams,
				(const char *[]){
					stats_transport_name(door->transport), door->domain });
}

static void add_messages(struct metrics_text *text)
{
	metrics_begin(text, METRIC_MESSAGES);
	for (const struct stats_door *door = stats_first_door(); door; door = door->next)
		for (unsigned i = 0; i < STATS_METHODS; i++)
			if (door->received[i] > 0)
				metrics_add(text, (int64_t)door->received[i],
					(const char *[]){ stats_transport_name(door->transport),
						method_name(i), door->domain });
}

static void add_durations(struct metrics_text *text)
{
	const struct stats_series *series;

	metrics_begin(text, METRIC_REQUEST_DURATION);
	for (const struct stats_door *door = stats_first_door(); door; door = door->next)
		for (series = door->series; series; series = series->next)
			if (series->took.n > 0)
				metrics_add_histogram(text, &series->took,
					(const char *[]){ stats_transport_name(door->transport),
						method_name(series->method), door->domain,
						series->tool ? series->tool : "" });
}

/* Refusals of HTTP come before anything is known of transport and domain. */
static void add_errors(struct metrics_text *text)
{
	char kind[24];

	metrics_begin(text, METRIC_ERRORS);
	for (const struct stats_door *door = stats_first_door(); door; door = door->next)
		for (unsigned i = 0; i < STATS_ERRORS; i++)
			if (door->errors[i] > 0)
				metrics_add(text, (int64_t)door->errors[i],
					(const char *[]){ stats_error_name((enum stats_error)i),
						stats_transport_name(door->transport),
						door->domain });
	for (unsigned status = 0; status < STATS_MAX_STATUS; status++) {
		if (stats_get_http_refusals(status) == 0)
			continue;
		(void)snprintf(kind, sizeof(kind), "http_%u", status);
		metrics_add(text, (int64_t)stats_get_http_refusals(status),
			(const char *[]){ kind, "http", "" });
	}
}

static void add_session_durations(struct metrics_text *text)
{
	metrics_begin(text, METRIC_SESSION_DURATION);
	for (unsigned i = 0; i < STATS_TRANSPORTS; i++) {
		const struct histogram *durations = stats_get_durations((enum stats_transport)i);
		const char *name = stats_transport_name((enum stats_transport)i);

		if (durations->n > 0)
			metrics_add_histogram(text, durations, &name);
	}
}

void metrics_add_front(const struct metrics *metrics, struct metrics_text *text)
{
	add_streams(text);
	add_messages(text);
	add_durations(text);
	add_errors(text);
	add_session_durations(text);
}

static void add_open_sessions(struct metrics_text *text)
{
	const struct stats_door *door;

	metrics_begin(text, METRIC_SESSIONS);
	for (door = stats_first_door(); door; door = door->next)
		if (door->n_opened > 0)
			metrics_add(text, door->n_sessions,
				(const char *[]){
					stats_transport_name(door->transport), door->domain });
	metrics_begin(text, METRIC_SESSIONS_OPENED);
	for (door = stats_first_door(); door; door = door->next)
		if (door->n_opened > 0)
			metrics_add(text, (int64_t)door->n_opened,
				(const char *[]){
					stats_transport_name(door->transport), door->domain });
}

static void add_closed_sessions(struct metrics_text *text)
{
	metrics_begin(text, METRIC_SESSIONS_CLOSED);
	for (unsigned i = 0; i < STATS_TRANSPORTS; i++)
		for (unsigned j = 0; j < STATS_ENDS; j++) {
			enum stats_transport transport = (enum stats_transport)i;
			uint64_t n = stats_get_closed(transport, (enum stats_end)j);

			if (n > 0)
				metrics_add(text, (int64_t)n,
					(const char *[]){ stats_transport_name(transport),
						stats_end_name((enum stats_end)j) });
		}
}

static void add_sessions(const struct metrics *metrics, struct metrics_text *text)
{
	const struct sessions *sessions = mcp_get_sessions(metrics->parts.mcp);
	struct sessions_totals totals;

	sessions_get_totals(sessions, &totals);
	add_open_sessions(text);
	add_closed_sessions(text);
	metrics_add_one(text, METRIC_SESSIONS_REFUSED, (int64_t)totals.n_refused);
	metrics_add_one(text, METRIC_SESSIONS_LIMIT, metrics->parts.conf->limits.sessions);
	metrics_add_one(text, METRIC_STATELESS, (int64_t)totals.n_once);
	metrics_add_one(text, METRIC_SESSION_QUEUE_BYTES, (int64_t)sessions_get_queued(sessions));
}

static void add_http(const struct metrics *metrics, struct metrics_text *text)
{
	char code[16];
	const char *value = code;

	metrics_add_one(text, METRIC_HTTP_CONNECTIONS, stats_get_connections());
	metrics_add_one(
		text, METRIC_HTTP_CONNECTIONS_LIMIT, metrics->parts.conf->limits.connections);
	metrics_begin(text, METRIC_HTTP_RESPONSES);
	for (unsigned status = 0; status < STATS_MAX_STATUS; status++) {
		if (stats_get_http(status) == 0)
			continue;
		(void)snprintf(code, sizeof(code), "%u", status);
		metrics_add(text, (int64_t)stats_get_http(status), &value);
	}
}

/* All of them, also those that were never reached: an alert can tell a zero from what is not there. */
void metrics_add_limits(const struct metrics *metrics, struct metrics_text *text)
{
	add_sessions(metrics, text);
	add_http(metrics, text);
	metrics_begin(text, METRIC_REFUSALS);
	for (unsigned i = 0; i < STATS_REFUSALS; i++) {
		const char *name = stats_refusal_name((enum stats_refusal)i);

		metrics_add(text, (int64_t)stats_get_refusal((enum stats_refusal)i), &name);
	}
	metrics_begin(text, METRIC_LIMITS);
	for (unsigned i = 0; i < STATS_LIMITS; i++) {
		const char *name = stats_limit_name((enum stats_limit)i);

		metrics_add(text, (int64_t)stats_get_limit((enum stats_limit)i), &name);
	}
}
