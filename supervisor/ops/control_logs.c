/* The log for a connection of the control socket: the lines in memory, and those that come. A connection
 * that does not read loses lines, and is told how many. */
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "supervisor/ops/control_private.h"

enum {
	DEFAULT_LINES = 100,
	RETRY_MS = 1000, /* to tell of dropped lines when none come after them */
};

struct control_follow {
	struct control_conn *conn;
	struct timer *timer;
	char *domain; /* NULL: all */
	enum log_level max_level;
	uint64_t cursor;
	uint64_t n_dropped;
};

void control_follow_free(struct control_follow *follow)
{
	if (!follow)
		return;
	timer_free(follow->timer);
	free(follow->domain);
	free(follow);
}

static bool find_level(const char *name, enum log_level *ret)
{
	static const enum log_level levels[] = { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_NOTICE,
		LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

	for (size_t i = 0; i < N_ELEMENTS(levels); i++) {
		if (!streq(log_level_name(levels[i]), name))
			continue;
		*ret = levels[i];
		return true;
	}
	return false;
}

static void add_text(json_t *json, const char *name, const char *text)
{
	if (text)
		(void)json_object_set_new(json, name, json_string(text));
}

static json_t *describe(const struct control_conn *conn, const struct log_line *line)
{
	char time[CLOCK_TEXT_SIZE];
	json_t *json;

	clock_ms_text(line->wall_ms, time);
	json = json_pack("{s:I, s:s, s:s}", "seq", (json_int_t)line->no, "time", time, "level",
		log_level_name(line->level));
	add_text(json, "domain", line->about.domain);
	add_text(json, "worker", line->about.worker);
	add_text(json, "session", line->about.session);
	if (line->about.session && !conn->may_change)
		(void)json_object_set_new(json, "session",
			json_stringn(line->about.session,
				strnlen(line->about.session, CONTROL_SHOWN_ID)));
	add_text(json, "tool", line->about.tool);
	add_text(json, "client_ip", line->about.client);
	add_text(json, "key", line->about.key);
	add_text(json, "trace_id", line->about.trace);
	add_text(json, "text", line->text);
	return json;
}

static struct log_filter filter_of(const struct control_follow *follow)
{
	return (struct log_filter){ .domain = follow->domain, .max_level = follow->max_level };
}

/* Lines that left the memory before they were told. */
static void note_missed(struct control_follow *follow, const struct log_ring *ring)
{
	uint64_t first = log_ring_first(ring);

	if (follow->cursor < first)
		follow->n_dropped += first - follow->cursor;
}

static bool has_room(const struct control_follow *follow)
{
	return link_get_unsent(follow->conn->link) <= CONTROL_MAX_UNSENT_NEWS;
}

static void tell_dropped(struct control_follow *follow)
{
	if (follow->n_dropped > 0)
		control_tell(follow->conn, "log",
			json_pack("{s:I}", "dropped", (json_int_t)follow->n_dropped));
	follow->n_dropped = 0;
}

static void on_retry(void *arg)
{
	struct control_follow *follow = arg;

	if (follow->conn->is_closing)
		return;
	if (has_room(follow))
		tell_dropped(follow);
	else
		timer_start(follow->timer, RETRY_MS);
}

static void tell_lines(struct control_follow *follow, const struct log_ring *ring)
{
	const struct log_filter filter = filter_of(follow);
	struct log_line line;

	note_missed(follow, ring);
	while (!follow->conn->is_closing && log_ring_next(ring, &filter, &follow->cursor, &line)) {
		if (!has_room(follow)) {
			follow->n_dropped++;
			continue;
		}
		json_t *json =
			describe(follow->conn, &line); /* before what is told makes lines itself */

		tell_dropped(follow);
		control_tell(follow->conn, "log", json);
	}
	if (follow->n_dropped > 0)
		timer_start(follow->timer, RETRY_MS);
}

void control_note_log(void *arg)
{
	struct control *control = arg;
	struct control_conn *conn;

	TAILQ_FOREACH(conn, &control->conns, next)
		if (conn->follow && !conn->is_closing)
			tell_lines(conn->follow, control->parts.log);
}

struct wanted {
	const char *domain; /* NULL: all */
	enum log_level max_level;
	unsigned n_lines;
	bool follow;
};

/* False: refused. */
static bool read_params(struct control_ask *ask, json_t *params, struct wanted *ret)
{
	const char *level = NULL;
	json_int_t n = DEFAULT_LINES;

	*ret = (struct wanted){ .max_level = LOG_LEVEL_DEBUG };
	if (!control_may_text(ask, params, "domain", &ret->domain) ||
		!control_may_text(ask, params, "level", &level) ||
		!control_may_integer(ask, params, "lines", &n))
		return false;
	if (level && !find_level(level, &ret->max_level)) {
		control_refuse(ask, RPC_INVALID_PARAMS, NULL,
			"params.level: allowed are debug, info, notice, warning and error");
		return false;
	}
	ret->n_lines = n < 0 ? 0 : n > LOG_RING_LINES ? LOG_RING_LINES : (unsigned)n;
	ret->follow = json_is_true(json_object_get(params, "follow"));
	return true;
}

static void follow_from(struct control_conn *conn, const struct wanted *wanted, uint64_t cursor)
{
	struct control_follow *follow = alloc_zero(sizeof(*follow));

	follow->conn = conn;
	follow->timer = timer_new(conn->control->parts.loop, on_retry, follow);
	follow->domain = wanted->domain ? alloc_str(wanted->domain) : NULL;
	follow->max_level = wanted->max_level;
	follow->cursor = cursor;
	conn->follow = follow;
}

/* A second request takes the place of the first: without `follow` no more lines are told. */
void control_read_log(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	const struct log_ring *ring = conn->control->parts.log;
	struct log_filter filter;
	struct wanted wanted;
	struct log_line line;
	uint64_t cursor;
	json_t *list;

	if (!read_params(ask, params, &wanted))
		return;
	filter = (struct log_filter){ .domain = wanted.domain, .max_level = wanted.max_level };
	list = json_array();
	cursor = log_ring_find_last(ring, &filter, wanted.n_lines);
	while (log_ring_next(ring, &filter, &cursor, &line))
		(void)json_array_append_new(list, describe(conn, &line));
	control_answer(ask, json_pack("{s:o}", "lines", list));
	control_follow_free(TAKE(conn->follow));
	if (wanted.follow)
		follow_from(conn, &wanted, cursor);
}
