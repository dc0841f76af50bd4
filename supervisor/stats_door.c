/* See stats_door.h. */
#include "supervisor/stats_door.h"

#include <string.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/keyed_hash.h"
#include "shared/rpc.h"

enum { BUCKETS = 256 }; /* of doors, and of series with a tool; a power of two */

static const char OTHER[] = "other";

static struct {
	struct stats_door *doors;
	struct stats_door *door_buckets[BUCKETS];
	struct stats_series *buckets[BUCKETS];
	unsigned n_tools; /* series that count for STATS_TOOLS */
	uint64_t closed[STATS_TRANSPORTS][STATS_ENDS];
	struct histogram durations[STATS_TRANSPORTS];
} state;

/* --- names -------------------------------------------------------------------------------------- */

static const char *const transport_names[STATS_TRANSPORTS] = {
	[STATS_SSE] = "sse",
	[STATS_STREAMABLE] = "streamable",
	[STATS_STDIO] = "stdio",
	[STATS_LOCAL] = "local",
	[STATS_OTHER_TRANSPORT] = OTHER,
};

static const struct {
	int code; /* 0: it has none */
	const char *name;
} errors[STATS_ERRORS] = {
	[STATS_PARSE_ERROR] = { RPC_PARSE_ERROR, "parse_error" },
	[STATS_INVALID_REQUEST] = { RPC_INVALID_REQUEST, "invalid_request" },
	[STATS_METHOD_NOT_FOUND] = { RPC_METHOD_NOT_FOUND, "method_not_found" },
	[STATS_INVALID_PARAMS] = { RPC_INVALID_PARAMS, "invalid_params" },
	[STATS_INTERNAL_ERROR] = { RPC_INTERNAL_ERROR, "internal_error" },
	[STATS_RESOURCE_NOT_FOUND] = { RPC_RESOURCE_NOT_FOUND, "resource_not_found" },
	[STATS_HEADER_MISMATCH] = { RPC_HEADER_MISMATCH, "header_mismatch" },
	[STATS_MISSING_CAPABILITY] = { RPC_MISSING_CAPABILITY, "missing_capability" },
	[STATS_UNSUPPORTED_VERSION] = { RPC_UNSUPPORTED_VERSION, "unsupported_version" },
	[STATS_WORKER_DIED] = { RPC_WORKER_DIED, "worker_died" },
	[STATS_DEADLINE] = { RPC_DEADLINE, "deadline" },
	[STATS_OVERLOADED] = { RPC_OVERLOADED, "overloaded" },
	[STATS_UNAVAILABLE] = { RPC_UNAVAILABLE, "unavailable" },
	[STATS_CANCELLED] = { RPC_CANCELLED, "cancelled" },
	[STATS_OTHER_ERROR] = { 0, OTHER },
	[STATS_TOOL_ERROR] = { 0, "tool_error" },
	[STATS_SLOW_CLIENT] = { 0, "slow_client" },
};

static const char *const end_names[STATS_ENDS] = {
	[STATS_END_CLIENT] = "client",
	[STATS_END_IDLE] = "idle",
	[STATS_END_SLOW] = "slow_client",
	[STATS_END_CREDENTIAL] = "credential",
	[STATS_END_OPERATOR] = "operator",
	[STATS_END_STOPPING] = "stopping",
	[STATS_END_OTHER] = OTHER,
};

/* The words with which sessions are closed. */
static const struct {
	const char *reason;
	enum stats_end end;
} ends[] = {
	{ "its client has ended it", STATS_END_CLIENT },
	{ "the client is gone", STATS_END_CLIENT },
	{ "its client has left", STATS_END_CLIENT },
	{ "idle for limits.session_idle", STATS_END_IDLE },
	{ "slow client", STATS_END_SLOW },
	{ "its key was revoked, or its key or token has expired", STATS_END_CREDENTIAL },
	{ "closed by an operator", STATS_END_OPERATOR },
	{ "the fleet is stopping", STATS_END_STOPPING },
	{ "the supervisor ends", STATS_END_STOPPING },
};

const char *stats_transport_name(enum stats_transport transport)
{
	return transport_names[transport];
}

const char *stats_error_name(enum stats_error error)
{
	return errors[error].name;
}

const char *stats_end_name(enum stats_end end)
{
	return end_names[end];
}

enum stats_error stats_error_of(int code)
{
	for (unsigned i = 0; i < STATS_ERRORS; i++)
		if (errors[i].code != 0 && errors[i].code == code)
			return (enum stats_error)i;
	return STATS_OTHER_ERROR;
}

static enum stats_transport transport_of(const char *name)
{
	for (unsigned i = 0; name && i < STATS_OTHER_TRANSPORT; i++)
		if (streq(transport_names[i], name))
			return (enum stats_transport)i;
	return STATS_OTHER_TRANSPORT;
}

static enum stats_end end_of(const char *reason)
{
	if (!reason)
		return STATS_END_CLIENT;
	for (size_t i = 0; i < N_ELEMENTS(ends); i++)
		if (streq(ends[i].reason, reason))
			return ends[i].end;
	return STATS_END_OTHER;
}

static unsigned hash_of(enum stats_transport transport, const char *domain, const char *tool)
{
	return (unsigned)(keyed_hash_text(keyed_hash_text(transport, domain), tool) % BUCKETS);
}

/* --- doors -------------------------------------------------------------------------------------- */

static struct stats_door *find_door(enum stats_transport transport, const char *domain)
{
	struct stats_door **bucket = &state.door_buckets[hash_of(transport, domain, "")];
	struct stats_door *door;

	for (door = *bucket; door; door = door->in_bucket)
		if (door->transport == transport && streq(door->domain, domain))
			return door;
	door = alloc_zero(sizeof(*door));
	door->in_bucket = *bucket;
	*bucket = door;
	door->transport = transport;
	door->domain = alloc_str(domain);
	door->next = state.doors;
	state.doors = door;
	return door;
}

struct stats_door *stats_door_get(const char *transport, const char *domain)
{
	struct stats_door *door = find_door(transport_of(transport), domain ? domain : "");

	door->is_gone = false;
	door->n_refs++;
	return door;
}

void stats_door_unref(struct stats_door *door)
{
	if (door)
		door->n_refs--;
}

struct stats_door *stats_door_beside(const struct stats_door *door, const char *domain)
{
	struct stats_door *beside = find_door(door->transport, domain);

	beside->is_gone = false;
	return beside;
}

/* --- series ------------------------------------------------------------------------------------- */

static struct stats_series *add_series(struct stats_door *door, unsigned method, const char *tool)
{
	struct stats_series *series = alloc_zero(sizeof(*series));

	series->door = door;
	series->method = method;
	series->tool = alloc_str(tool);
	series->next = door->series;
	door->series = series;
	return series;
}

/* A label that nobody would call a name: too long, or with characters that spoil a line. */
static bool is_odd(const char *tool)
{
	size_t len = 0;

	for (; tool[len]; len++)
		if (len >= STATS_TOOL_BYTES || (unsigned char)tool[len] < 0x20 || tool[len] == 0x7f)
			return true;
	return len == 0;
}

static struct stats_series **bucket_of(const struct stats_door *door, const char *tool)
{
	return &state.buckets[hash_of(door->transport, door->domain, tool)];
}

static struct stats_series *find_tool(struct stats_door *door, unsigned method, const char *tool)
{
	struct stats_series **bucket = bucket_of(door, tool);
	bool is_other = streq(tool, OTHER);
	struct stats_series *series;

	for (series = *bucket; series; series = series->in_bucket)
		if (series->door == door && streq(series->tool, tool)) {
			series->is_gone = false;
			return series;
		}
	if (!is_other && (state.n_tools >= STATS_TOOLS || is_odd(tool)))
		return find_tool(door, method, OTHER);
	series = add_series(door, method, tool);
	series->in_bucket = *bucket;
	*bucket = series;
	state.n_tools += !is_other;
	return series;
}

struct stats_series *stats_find_series(struct stats_door *door, unsigned method, const char *tool)
{
	if (tool)
		return find_tool(door, method, tool);
	if (!door->plain[method])
		door->plain[method] = add_series(door, method, NULL);
	return door->plain[method];
}

struct stats_series *stats_series_ref(struct stats_series *series)
{
	if (series)
		series->n_refs++;
	return series;
}

void stats_series_unref(struct stats_series *series)
{
	if (series)
		series->n_refs--;
}

/* --- what is gone ------------------------------------------------------------------------------- */

static void free_series(struct stats_series *series)
{
	struct stats_series **at;

	if (series->tool) {
		for (at = bucket_of(series->door, series->tool); *at != series;)
			at = &(*at)->in_bucket;
		*at = series->in_bucket;
		state.n_tools -= !streq(series->tool, OTHER);
	} else {
		series->door->plain[series->method] = NULL;
	}
	free(series->tool);
	free(series);
}

/* True: none is left. */
static bool sweep_series(struct stats_door *door)
{
	struct stats_series **at = &door->series;
	struct stats_series *series;

	while ((series = *at)) {
		if (series->n_refs > 0 || !(series->is_gone || door->is_gone)) {
			at = &series->next;
			continue;
		}
		*at = series->next;
		free_series(series);
	}
	return door->series == NULL;
}

static void free_door(struct stats_door *door)
{
	struct stats_door **at = &state.door_buckets[hash_of(door->transport, door->domain, "")];

	while (*at != door)
		at = &(*at)->in_bucket;
	*at = door->in_bucket;
	free(door->domain);
	free(door);
}

static void sweep(void)
{
	struct stats_door **at = &state.doors;
	struct stats_door *door;

	while ((door = *at)) {
		if (!sweep_series(door) || door->n_refs > 0 || !door->is_gone) {
			at = &door->next;
			continue;
		}
		*at = door->next;
		free_door(door);
	}
}

void stats_forget_domain(const char *domain)
{
	struct stats_door *door;

	for (door = state.doors; door; door = door->next)
		if (streq(door->domain, domain))
			door->is_gone = true;
	sweep();
}

void stats_keep_tools(const char *domain, bool (*is_there)(void *arg, const char *tool), void *arg)
{
	struct stats_door *door;
	struct stats_series *series;

	for (door = state.doors; door; door = door->next)
		for (series = streq(door->domain, domain) ? door->series : NULL; series;
			series = series->next)
			series->is_gone = series->tool && !streq(series->tool, OTHER) &&
					  !is_there(arg, series->tool);
	sweep();
}

/* --- counting ----------------------------------------------------------------------------------- */

void stats_received(struct stats_door *door, unsigned method)
{
	door->received[method]++;
}

void stats_failed(struct stats_door *door, enum stats_error error)
{
	door->errors[error]++;
}

void stats_session_opened(struct stats_door *door)
{
	door->n_sessions++;
	door->n_opened++;
}

void stats_session_closed(struct stats_door *door, const char *reason, int64_t lasted_ms)
{
	door->n_sessions--;
	state.closed[door->transport][end_of(reason)]++;
	histogram_add(&state.durations[door->transport], lasted_ms);
}

void stats_stream_opened(struct stats_door *door)
{
	door->n_streams++;
	door->n_streamed++;
}

void stats_stream_closed(struct stats_door *door)
{
	door->n_streams--;
}

void stats_answered(const struct stats_timing *timing, int code)
{
	if (!timing->series)
		return;
	histogram_add(&timing->series->took, clock_now_us() - timing->since_us);
	if (code != 0)
		stats_failed(timing->series->door, stats_error_of(code));
}

/* --- what is told ------------------------------------------------------------------------------- */

const struct stats_door *stats_first_door(void)
{
	sweep();
	return state.doors;
}

uint64_t stats_get_closed(enum stats_transport transport, enum stats_end end)
{
	return state.closed[transport][end];
}

const struct histogram *stats_get_durations(enum stats_transport transport)
{
	return &state.durations[transport];
}

void stats_door_reset(void)
{
	for (struct stats_door *door = state.doors; door; door = door->next)
		door->is_gone = true;
	sweep();
	memset(state.closed, 0, sizeof(state.closed));
	memset(state.durations, 0, sizeof(state.durations));
}
