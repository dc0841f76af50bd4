/* See session.h. Ids are 128 random bits written as a UUID (RFC 9562, version 4); their first bits
 * serve as the hash, as nobody but us chooses them. */
#include "supervisor/mcp/session.h"

#include <errno.h>
#include <sys/random.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/log.h"
#include "supervisor/mcp/catalog.h"
#include "supervisor/mcp/session_private.h"
#include "supervisor/stats.h"

enum {
	FIRST_BUCKETS = 64,
	SLOW_LOG_BURST = 20,
	END_LOG_BURST = 100,
};

LIST_HEAD(bucket, session);

struct sessions {
	struct loop *loop;
	struct conf_limits limits;
	void (*on_closed)(void *arg, struct session *session);
	void (*on_rights)(void *arg, struct session *session, const struct principal *old);
	void *arg;
	struct timer *sweep_timer;
	TAILQ_HEAD(, session) all;
	struct bucket *ids;
	struct bucket *numbers;
	size_t n_buckets;    /* of each; a power of two */
	unsigned n_all;      /* those for one request, too */
	unsigned n_sessions; /* without them */
	uint64_t last_number;
	struct sessions_totals totals;
	size_t queued_bytes; /* of all */
	struct log_limit slow_log;
	struct log_limit full_log;
	struct log_limit end_log;
};

/* --- the maps ---------------------------------------------------------------------------------- */

static struct bucket *bucket_of_id(
	const struct sessions *sessions, const uint8_t id[SESSION_ID_BYTES])
{
	uint32_t hash;

	memcpy(&hash, id, sizeof(hash));
	return &sessions->ids[hash & (sessions->n_buckets - 1)];
}

static struct bucket *bucket_of_number(const struct sessions *sessions, uint64_t number)
{
	return &sessions->numbers[number & (sessions->n_buckets - 1)];
}

static void enter_maps(struct session *session)
{
	struct sessions *sessions = session->owner;

	LIST_INSERT_HEAD(bucket_of_number(sessions, session->number), session, in_numbers);
	if (!session->ops->is_once)
		LIST_INSERT_HEAD(bucket_of_id(sessions, session->id), session, in_ids);
}

static void set_buckets(struct sessions *sessions, size_t n_buckets)
{
	struct session *session;

	free(sessions->ids);
	free(sessions->numbers);
	sessions->n_buckets = n_buckets;
	sessions->ids = alloc_zero(n_buckets * sizeof(*sessions->ids));
	sessions->numbers = alloc_zero(n_buckets * sizeof(*sessions->numbers));
	TAILQ_FOREACH(session, &sessions->all, in_all)
		enter_maps(session);
}

static void make_id(uint8_t id[SESSION_ID_BYTES])
{
	if (getrandom(id, SESSION_ID_BYTES, 0) != SESSION_ID_BYTES)
		abort(); /* an id that can be guessed would be worse */
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
}

static bool is_dash_place(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

static bool parse_id(const char *text, size_t len, uint8_t id[SESSION_ID_BYTES])
{
	size_t n = 0;

	if (len != SESSION_ID_TEXT - 1)
		return false;
	for (size_t i = 0; i < len; i++) {
		int value = ascii_hex_value(text[i]);

		if (is_dash_place(i) ? text[i] != '-' : value < 0)
			return false;
		if (is_dash_place(i))
			continue;
		id[n / 2] = (uint8_t)(n % 2 ? id[n / 2] | value : value << 4);
		n++;
	}
	return true;
}

/* --- the end of a session ---------------------------------------------------------------------- */

static void free_session(void *arg)
{
	struct session *session = arg;
	struct queued *queued;

	while ((queued = STAILQ_FIRST(&session->queue))) {
		STAILQ_REMOVE_HEAD(&session->queue, next);
		free(queued);
	}
	stats_door_unref(session->door);
	principal_unref(session->caller.principal);
	for (int i = 0; i < USAGE_OFS; i++)
		usage_unref(session->caller.usages[i]);
	free(session->info.capabilities);
	free(session->info.client_info);
	free(session);
}

/* One line a session: who it was, how long, how much. Peers can make many. */
static void log_end(struct session *session, const char *reason)
{
	const struct principal *principal = session->caller.principal;
	struct sessions *sessions = session->owner;
	struct session_report report;
	char id[SESSION_SHOWN_TEXT];

	if (!log_limit_ok(&sessions->end_log, END_LOG_BURST, "ended sessions"))
		return;
	session_get_report(session, &report);
	session_get_shown_id(session, id);
	const struct log_about about = { .session = id,
		.client = session->caller.address,
		.key = principal ? principal->name : NULL,
		.domain = report.domain,
		.duration_us = (loop_now_ms(sessions->loop) - session->opened_ms) * 1000 };

	log_info_about(&about, "session ended: %s (%s, %s%s%llu messages)", reason,
		report.transport, report.client_name, *report.client_name ? ", " : "",
		(unsigned long long)session->n_received);
}

static void end_session(struct session *session, const char *reason)
{
	struct sessions *sessions = session->owner;

	if (!session->ops->is_once) {
		log_end(session, reason);
		LIST_REMOVE(session, in_ids);
		sessions->n_sessions--;
		sessions->totals.n_closed++;
		stats_session_closed(
			session->door, reason, loop_now_ms(sessions->loop) - session->opened_ms);
	}
	sessions->queued_bytes -= session->queued_bytes;
	session->queued_bytes = 0;
	for (int i = 0; i < USAGE_OFS && !session->ops->is_once; i++)
		usage_give(session->caller.usages[i], USAGE_SESSIONS);
	LIST_REMOVE(session, in_numbers);
	sessions->n_all--;
	session->ops = NULL;
	TAILQ_REMOVE(&sessions->all, session, in_all);
	sessions->on_closed(sessions->arg, session);
	loop_defer(sessions->loop, free_session, session);
}

void session_gone(struct session *session)
{
	if (session->ops)
		end_session(session, session->closes ? session->closes : "its client has left");
}

void session_close(struct session *session, const char *reason)
{
	const struct sink_ops *ops = session->ops;

	if (!ops)
		return;
	end_session(session, reason);
	ops->close(session->sink, reason);
}

static void close_now(void *arg)
{
	struct session *session = arg;

	session_close(session, session->closes);
}

void session_close_later(struct session *session, const char *reason)
{
	if (!session_is_open(session))
		return;
	session->closes = reason;
	loop_defer(session->owner->loop, close_now, session);
}

/* Idle sessions end: those without a call in flight that have sent nothing for session_idle. */
static void on_sweep(void *arg)
{
	struct sessions *sessions = arg;
	int64_t old_ms = loop_now_ms(sessions->loop) - sessions->limits.session_idle_ms;
	struct session *session;
	struct session *after;

	for (session = TAILQ_FIRST(&sessions->all); session; session = after) {
		after = TAILQ_NEXT(session, in_all);
		if (session->info.n_calls == 0 && session->active_ms <= old_ms &&
			!session->ops->outlasts_idleness && !session->ops->is_once)
			session_close(session, "idle for limits.session_idle");
	}
	timer_start(sessions->sweep_timer, sessions->limits.sweep_ms);
}

/* --- public ------------------------------------------------------------------------------------ */

struct sessions *sessions_new(struct loop *loop, const struct conf_limits *limits,
	void (*on_closed)(void *arg, struct session *session), void *arg)
{
	struct sessions *sessions = alloc_zero(sizeof(*sessions));

	sessions->loop = loop;
	sessions->on_closed = on_closed;
	sessions->arg = arg;
	TAILQ_INIT(&sessions->all);
	set_buckets(sessions, FIRST_BUCKETS);
	sessions->sweep_timer = timer_new(loop, on_sweep, sessions);
	sessions_set_limits(sessions, limits);
	return sessions;
}

void sessions_watch_rights(struct sessions *sessions,
	void (*changed)(void *arg, struct session *session, const struct principal *old))
{
	sessions->on_rights = changed;
}

void sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return;
	sessions_close_all(sessions, "the supervisor ends");
	timer_free(sessions->sweep_timer);
	free(sessions->ids);
	free(sessions->numbers);
	free(sessions);
}

void sessions_set_limits(struct sessions *sessions, const struct conf_limits *limits)
{
	sessions->limits = *limits;
	timer_start(sessions->sweep_timer, limits->sweep_ms);
}

unsigned sessions_count(const struct sessions *sessions)
{
	return sessions->n_sessions;
}

size_t sessions_get_queued(const struct sessions *sessions)
{
	return sessions->queued_bytes;
}

void sessions_get_totals(const struct sessions *sessions, struct sessions_totals *ret)
{
	*ret = sessions->totals;
}

void sessions_close_all(struct sessions *sessions, const char *reason)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&sessions->all)))
		session_close(session, reason);
}

void sessions_each(
	struct sessions *sessions, void (*fn)(void *arg, struct session *session), void *arg)
{
	struct session *session;
	struct session *after;

	for (session = TAILQ_FIRST(&sessions->all); session; session = after) {
		after = TAILQ_NEXT(session, in_all);
		fn(arg, session);
	}
}

static struct session *make_session(struct sessions *sessions, const struct sink_ops *ops,
	void *sink, struct endpoint *endpoint)
{
	struct session *session = alloc_zero(sizeof(*session));

	session->owner = sessions;
	session->ops = ops;
	session->sink = sink;
	session->endpoint = endpoint;
	session->door = stats_door_get(ops->name, endpoint ? endpoint_get_domain(endpoint) : NULL);
	session->opened_ms = session->active_ms = loop_now_ms(sessions->loop);
	session->number = ++sessions->last_number;
	STAILQ_INIT(&session->queue);
	LIST_INIT(&session->info.calls);
	LIST_INIT(&session->info.tasks);
	LIST_INIT(&session->info.asks);
	LIST_INIT(&session->info.watches);
	LIST_INIT(&session->info.listens);
	session->info.level = LEVEL_INFO;
	return session;
}

struct session *session_open(struct sessions *sessions, const struct sink_ops *ops, void *sink,
	struct endpoint *endpoint)
{
	struct session *session;

	if (!ops->is_once && sessions->n_sessions >= sessions->limits.sessions) {
		if (log_limit_ok(&sessions->full_log, 1, "refused sessions"))
			log_warn("%u sessions are open, refusing more (limits.sessions)",
				sessions->n_sessions);
		sessions->totals.n_refused++;
		stats_limit_reached(STATS_LIMIT_SESSIONS);
		return NULL;
	}
	session = make_session(sessions, ops, sink, endpoint);
	if (!ops->is_once) {
		make_id(session->id);
		sessions->n_sessions++;
		sessions->totals.n_opened++;
		stats_session_opened(session->door);
	} else {
		sessions->totals.n_once++;
	}
	if (++sessions->n_all > sessions->n_buckets)
		set_buckets(sessions, sessions->n_buckets * 4);
	TAILQ_INSERT_TAIL(&sessions->all, session, in_all);
	enter_maps(session);
	return session;
}

struct session *session_find(struct sessions *sessions, const char *id, size_t len)
{
	uint8_t bytes[SESSION_ID_BYTES];
	struct session *session;

	if (!parse_id(id, len, bytes))
		return NULL;
	LIST_FOREACH(session, bucket_of_id(sessions, bytes), in_ids)
		if (memcmp(session->id, bytes, SESSION_ID_BYTES) == 0)
			return session;
	return NULL;
}

void session_set_caller(struct session *session, const struct caller *caller)
{
	bool is_new = !session->has_caller;

	session->has_caller = true;
	if (is_new)
		session->caller.principal = principal_ref(caller->principal);
	else
		session_set_principal(session, caller->principal);
	memcpy(session->caller.address, caller->address, sizeof(caller->address));
	for (int i = 0; i < USAGE_OFS && is_new; i++) {
		session->caller.usages[i] = usage_ref(caller->usages[i]);
		if (!session->ops->is_once)
			usage_add(caller->usages[i], USAGE_SESSIONS);
	}
}

void session_set_principal(struct session *session, struct principal *principal)
{
	struct principal *old = session->caller.principal;

	session->caller.principal = principal_ref(principal);
	if (session->owner->on_rights && !principal_same_rights(old, principal))
		session->owner->on_rights(session->owner->arg, session, old);
	principal_unref(old);
}

const struct principal *session_get_restriction(const struct session *session)
{
	const struct principal *principal = session->caller.principal;

	return principal_allows_all(principal) ? NULL : principal;
}

struct usage *session_get_usage(const struct session *session, enum usage_of of)
{
	return session->caller.usages[of];
}

void session_add_call(struct session *session)
{
	session->info.n_calls++;
	for (int i = 0; i < USAGE_OFS; i++)
		usage_add(session->caller.usages[i], USAGE_CALLS);
}

void session_remove_call(struct session *session)
{
	session->info.n_calls--;
	for (int i = 0; i < USAGE_OFS; i++)
		usage_give(session->caller.usages[i], USAGE_CALLS);
}

struct principal *session_get_principal(const struct session *session)
{
	return session->caller.principal;
}

const char *session_get_address(const struct session *session)
{
	return session->caller.address;
}

uint64_t session_get_number(const struct session *session)
{
	return session->number;
}

struct session *session_find_number(struct sessions *sessions, uint64_t number)
{
	struct session *session;

	LIST_FOREACH(session, bucket_of_number(sessions, number), in_numbers)
		if (session->number == number)
			return session;
	return NULL;
}

void session_get_id(const struct session *session, char ret[SESSION_ID_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < SESSION_ID_TEXT - 1; i++) {
		if (is_dash_place(i)) {
			ret[i] = '-';
			continue;
		}
		ret[i] = digits[n % 2 ? session->id[n / 2] & 0x0f : session->id[n / 2] >> 4];
		n++;
	}
	ret[SESSION_ID_TEXT - 1] = '\0';
}

void session_get_shown_id(const struct session *session, char ret[SESSION_SHOWN_TEXT])
{
	char id[SESSION_ID_TEXT];
	bool has_id =
		session->id[6] != 0; /* the version, where make_id() was; also after the end */

	session_get_id(session, id);
	memcpy(ret, id, SESSION_SHOWN_TEXT - 1);
	ret[has_id ? SESSION_SHOWN_TEXT - 1 : 0] = '\0';
}

struct endpoint *session_get_endpoint(const struct session *session)
{
	return session->endpoint;
}

struct stats_door *session_get_door(const struct session *session)
{
	return session->door;
}

void *session_get_sink(const struct session *session)
{
	return session->sink;
}

bool session_is_stdio(const struct session *session)
{
	return session->ops && session->ops->is_stdio;
}

bool session_is_once(const struct session *session)
{
	return session->ops && session->ops->is_once;
}

bool session_answers_each(const struct session *session)
{
	return session->ops && session->ops->answers_each;
}

bool session_has_ops(const struct session *session, const struct sink_ops *ops)
{
	return session->ops == ops;
}

struct session_info *session_get_info(struct session *session)
{
	return &session->info;
}

unsigned session_count_calls(const struct session *session)
{
	return session->info.n_calls;
}

unsigned session_count_early(const struct session *session)
{
	return session->info.n_early;
}

void session_touch(struct session *session)
{
	session->active_ms = loop_now_ms(session->owner->loop);
	session->n_received++;
}

static void close_slow(struct session *session)
{
	char id[SESSION_SHOWN_TEXT];

	session_get_shown_id(session, id);
	stats_limit_reached(STATS_LIMIT_SESSION_QUEUE);
	stats_failed(session->door, STATS_SLOW_CLIENT);
	const struct log_about about = { .session = id };
	if (log_limit_ok(&session->owner->slow_log, SLOW_LOG_BURST, "slow clients"))
		log_warn_about(&about,
			"client does not read: %u messages, %zu bytes wait; closing the session "
			"(limits.session_queue_bytes, limits.session_queue_messages)",
			session->n_queued, session->queued_bytes);
	session_close_later(session, "slow client");
}

static void enqueue(struct session *session, const struct outgoing *out)
{
	const struct conf_limits *limits = &session->owner->limits;
	struct queued *queued;

	if (session->queued_bytes > limits->session_queue_bytes ||
		out->len > limits->session_queue_bytes - session->queued_bytes ||
		session->n_queued >= limits->session_queue_messages) {
		close_slow(session);
		return;
	}
	queued = alloc_zero(sizeof(*queued) + out->len);
	queued->out = *out;
	queued->out.json = queued->json;
	memcpy(queued->json, out->json, out->len);
	STAILQ_INSERT_TAIL(&session->queue, queued, next);
	session->queued_bytes += out->len;
	session->owner->queued_bytes += out->len;
	session->n_queued++;
}

void session_send(struct session *session, const struct outgoing *out)
{
	if (!session_is_open(session))
		return;
	if (session->n_queued == 0 && session->ops->send(session->sink, out) != -EAGAIN)
		return;
	enqueue(session, out);
}

void session_answer(struct session *session, uint64_t via, const char *json, size_t len, int code)
{
	session_send(session,
		&(struct outgoing){
			.json = json, .len = len, .via = via, .is_answer = true, .code = code });
}

void session_tell(struct session *session, uint64_t via, const char *json, size_t len)
{
	session_send(session, &(struct outgoing){ .json = json, .len = len, .via = via });
}

bool session_is_slow(const struct session *session)
{
	const struct conf_limits *limits = &session->owner->limits;

	if (session->ops && session->ops->is_slow && session->ops->is_slow(session->sink))
		return true;
	return session->queued_bytes > limits->session_queue_bytes / 2 ||
	       session->n_queued > limits->session_queue_messages / 2;
}

bool session_has_room(const struct session *session, size_t len)
{
	return !session_is_slow(session) && len <= session->owner->limits.session_queue_bytes / 2;
}

bool session_is_open(const struct session *session)
{
	return session->ops && !session->closes;
}

bool session_is_pending(const struct session *session)
{
	return session->n_queued > 0;
}

void session_drained(struct session *session)
{
	struct queued *queued;

	while (session->ops && (queued = STAILQ_FIRST(&session->queue))) {
		if (session->ops->send(session->sink, &queued->out) == -EAGAIN)
			return;
		STAILQ_REMOVE_HEAD(&session->queue, next);
		session->queued_bytes -= queued->out.len;
		session->owner->queued_bytes -= queued->out.len;
		session->n_queued--;
		free(queued);
	}
}
