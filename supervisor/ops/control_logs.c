/* The log for a connection of the control socket: the lines in memory, and those that come. A connection
 * that does not read loses lines, and is told how many. */
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "supervisor/ops/control_private.h"

enum { DEFAULT_LINES = 100 };

struct control_follow {
	char *domain; /* NULL: all */
	enum log_level max_level;
	uint64_t cursor;
	uint64_t n_dropped;
};

void control_follow_free(struct control_follow *follow)
{
	if (!follow)
		return;
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

static json_t *describe(const struct log_line *line)
{
	char time[CLOCK_TEXT_SIZE];
	json_t *json;

	clock_ms_text(line->wall_ms, time);
	json = json_pack("{s:I, s:s, s:s}", "seq", (json_int_t)line->no, "time", time, "level",
		log_level_name(line->level));
	add_text(json, "domain", line->about.domain);
	add_text(json, "worker", line->about.worker);
	add_text(json, "session", line->about.session);
	add_text(json, "tool", line->about.tool);
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

static void tell_lines(struct control_conn *conn, const struct log_ring *ring)
{
	struct control_follow *follow = conn->follow;
	const struct log_filter filter = filter_of(follow);
	struct log_line line;

	note_missed(follow, ring);
	while (log_ring_next(ring, &filter, &follow->cursor, &line)) {
		if (link_get_unsent(conn->link) > CONTROL_MAX_UNSENT_NEWS) {
			follow->n_dropped++;
			continue;
		}
		if (follow->n_dropped > 0)
			control_tell(conn, "log",
				json_pack("{s:I}", "dropped", (json_int_t)follow->n_dropped));
		follow->n_dropped = 0;
		control_tell(conn, "log", describe(&line));
	}
}

void control_note_log(void *arg)
{
	struct control *control = arg;
	struct control_conn *conn;

	TAILQ_FOREACH(conn, &control->conns, next)
		if (conn->follow && !conn->is_closing)
			tell_lines(conn, control->parts.log);
}

/* NULL: refused. */
static struct control_follow *read_params(struct control_ask *ask, json_t *params)
{
	const char *domain = json_string_value(json_object_get(params, "domain"));
	const char *level = json_string_value(json_object_get(params, "level"));
	enum log_level max_level = LOG_LEVEL_DEBUG;
	struct control_follow *follow;

	if (level && !find_level(level, &max_level)) {
		control_refuse(ask, RPC_INVALID_PARAMS, NULL,
			"params.level: allowed are debug, info, notice, warning and error");
		return NULL;
	}
	follow = alloc_zero(sizeof(*follow));
	follow->domain = domain ? alloc_str(domain) : NULL;
	follow->max_level = max_level;
	return follow;
}

static unsigned count_wanted(json_t *params)
{
	json_t *lines = json_object_get(params, "lines");
	json_int_t n = json_is_integer(lines) ? json_integer_value(lines) : DEFAULT_LINES;

	if (n < 0)
		return 0;
	return n > LOG_RING_LINES ? LOG_RING_LINES : (unsigned)n;
}

void control_read_log(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	const struct log_ring *ring = conn->control->parts.log;
	struct control_follow *follow = read_params(ask, params);
	json_t *list = json_array();
	struct log_filter filter;
	struct log_line line;

	if (!follow) {
		json_decref(list);
		return;
	}
	filter = filter_of(follow);
	follow->cursor = log_ring_find_last(ring, &filter, count_wanted(params));
	while (log_ring_next(ring, &filter, &follow->cursor, &line))
		(void)json_array_append_new(list, describe(&line));
	control_answer(ask, json_pack("{s:o}", "lines", list));
	control_follow_free(conn->follow);
	conn->follow = json_is_true(json_object_get(params, "follow")) ? TAKE(follow) : NULL;
	control_follow_free(follow);
}
