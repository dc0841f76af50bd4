/* See otlp.h.
 *
 * There is one queue. The spans at its head that a request under way carries are counted (n_under_way) and stay
 * until it has ended: then they are sent, or are the oldest of those that wait again. */
#include "supervisor/ops/otlp.h"

#include <errno.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/fleet/backoff.h"

enum {
	POST_MS = 10000,
	STOP_MS = 1000,
	INSTANCE_SIZE = 37,
	MAX_RETRY_AFTER_S = 3600,
};

static const struct backoff_rules retry_rules = {
	.first_ms = 1000, .cap_ms = 60000, .park_after = UINT32_MAX
};

struct item {
	TAILQ_ENTRY(item) next;
	size_t len;
	char json[];
};

struct otlp {
	struct loop *loop;
	struct courier *courier;
	char *url; /* "": no spans are wanted */
	char *headers_file;
	char *ca_file;
	unsigned sample;
	int64_t interval_ms;
	char instance[INSTANCE_SIZE];
	TAILQ_HEAD(, item) items;
	unsigned n_under_way; /* at the head */
	bool is_posting;
	struct timer *timer; /* to send what waits */
	struct timer *stop_timer;
	bool is_waiting; /* for a collector that is not to be asked before the timer */
	struct backoff backoff;
	struct log_limit refused;
	bool is_failing; /* that was logged */
	struct otlp_stats stats;
	bool is_stopping;
	void (*on_stopped)(void *arg);
	void *on_stopped_arg;
};

/* --- the queue ---------------------------------------------------------------------------------- */

static void free_item(struct otlp *otlp, struct item *item)
{
	otlp->stats.n_waiting--;
	otlp->stats.waiting_bytes -= item->len;
	free(item);
}

static void remove_first(struct otlp *otlp)
{
	struct item *item = TAILQ_FIRST(&otlp->items);

	TAILQ_REMOVE(&otlp->items, item, next);
	free_item(otlp, item);
}

static void drop_all(struct otlp *otlp)
{
	otlp->stats.n_dropped += otlp->stats.n_waiting;
	while (!TAILQ_EMPTY(&otlp->items))
		remove_first(otlp);
	otlp->n_under_way = 0;
}

/* Of those that are not under way. */
static void drop_oldest(struct otlp *otlp)
{
	struct item *item = TAILQ_FIRST(&otlp->items);

	for (unsigned i = 0; i < otlp->n_under_way; i++)
		item = TAILQ_NEXT(item, next);
	TAILQ_REMOVE(&otlp->items, item, next);
	free_item(otlp, item);
	otlp->stats.n_dropped++;
}

static void add_item(struct otlp *otlp, const struct strbuf *json)
{
	struct item *item = alloc_zero(sizeof(*item) + json->len);

	item->len = json->len;
	memcpy(item->json, json->data, json->len);
	TAILQ_INSERT_TAIL(&otlp->items, item, next);
	otlp->stats.n_waiting++;
	otlp->stats.waiting_bytes += item->len;
	while (otlp->stats.n_waiting > OTLP_MAX_SPANS || otlp->stats.waiting_bytes > OTLP_MAX_BYTES)
		drop_oldest(otlp);
}

/* --- sending ------------------------------------------------------------------------------------ */

static void send_batch(struct otlp *otlp);

static void tell_stopped(struct otlp *otlp)
{
	void (*fn)(void *arg) = otlp->on_stopped;

	timer_stop(otlp->stop_timer);
	otlp->on_stopped = NULL;
	if (fn)
		loop_defer(otlp->loop, fn, otlp->on_stopped_arg);
}

static bool is_batch_full(const struct otlp *otlp)
{
	return otlp->stats.n_waiting >= OTLP_BATCH_SPANS ||
	       otlp->stats.waiting_bytes >= OTLP_BATCH_BYTES;
}

/* Nothing is under way any more. */
static void go_on(struct otlp *otlp)
{
	if (otlp->is_stopping && (otlp->stats.n_waiting == 0 || otlp->is_waiting))
		tell_stopped(otlp);
	else if (otlp->is_waiting)
		return;
	else if (otlp->is_stopping || is_batch_full(otlp))
		send_batch(otlp);
	else if (otlp->stats.n_waiting > 0 && !timer_is_running(otlp->timer))
		timer_start(otlp->timer, otlp->interval_ms);
}

static uint32_t random_bits(void)
{
	uint32_t bits = 0;

	(void)!getrandom(&bits, sizeof(bits), 0);
	return bits;
}

static void note_failure(struct otlp *otlp, int64_t retry_after_s, const char *words)
{
	bool is_parked;
	int64_t ms = backoff_next(&otlp->backoff, &retry_rules, random_bits(), &is_parked);

	if (retry_after_s > MAX_RETRY_AFTER_S)
		retry_after_s = MAX_RETRY_AFTER_S;
	if (retry_after_s * CLOCK_SECOND_MS > ms)
		ms = retry_after_s * CLOCK_SECOND_MS;
	if (!otlp->is_failing)
		log_warn(
			"spans cannot be delivered: %s; they wait, at most %d of them, and are tried "
			"again",
			words, OTLP_MAX_SPANS);
	otlp->is_failing = true;
	otlp->is_waiting = true;
	otlp->n_under_way = 0;
	timer_start(otlp->timer, ms);
}

static void take_away(struct otlp *otlp, uint64_t *counter)
{
	*counter += otlp->n_under_way;
	while (otlp->n_under_way > 0) {
		otlp->n_under_way--;
		remove_first(otlp);
	}
}

/* A part of the batch; the others were taken. */
static void note_rejected(struct otlp *otlp, const struct courier_answer *answer)
{
	auto_strbuf words = { 0 };
	uint64_t n = otlp_read_rejected(answer->body, answer->body_len, &words);

	if (n > otlp->n_under_way)
		n = otlp->n_under_way;
	otlp->stats.n_dropped += n;
	otlp->stats.n_sent -= n; /* take_away() counts all of them */
	if (n > 0 && log_limit_ok(&otlp->refused, 1, "refusals of spans"))
		log_warn("the collector refuses %llu of %u spans, they are lost: %s",
			(unsigned long long)n, otlp->n_under_way, strbuf_get(&words));
}

static void note_success(struct otlp *otlp, const struct courier_answer *answer)
{
	if (otlp->is_failing)
		log_info("spans are delivered again; %llu were lost since the start",
			(unsigned long long)otlp->stats.n_dropped);
	otlp->is_failing = false;
	backoff_reset(&otlp->backoff);
	note_rejected(otlp, answer);
	take_away(otlp, &otlp->stats.n_sent);
}

static void note_refusal(struct otlp *otlp, int status)
{
	if (log_limit_ok(&otlp->refused, 1, "refusals of spans"))
		log_warn("the collector refuses spans with HTTP status %d, they are lost: %s",
			status,
			status == 401 || status == 403
				? "look at otlp.headers_file"
				: "look at otlp.url (it is to end in /v1/traces as a rule)");
	take_away(otlp, &otlp->stats.n_dropped);
}

/* OTLP names these; what was sent then may be sent again. */
static bool is_for_later(int status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

static void on_posted(void *arg, const struct courier_answer *answer, const struct fail *fail)
{
	struct otlp *otlp = arg;
	auto_free char *words = NULL;

	otlp->is_posting = false;
	if (fail &&
		fail->code == -ESHUTDOWN) { /* not the collector's fault, and no time for more */
		otlp->n_under_way = 0;
		tell_stopped(otlp);
		return;
	}
	if (!answer || answer->status / 100 != 2)
		otlp->stats.n_failures++;
	if (!answer) {
		note_failure(otlp, 0, fail->text);
	} else if (answer->status / 100 == 2) {
		note_success(otlp, answer);
	} else if (is_for_later(answer->status)) {
		words = alloc_printf("the collector answers with HTTP status %d", answer->status);
		note_failure(otlp, answer->retry_after_s, words);
	} else {
		note_refusal(otlp, answer->status);
	}
	go_on(otlp);
}

static void send_batch(struct otlp *otlp)
{
	struct courier_post post = {
		.url = otlp->url,
		.ca_file = otlp->ca_file,
		.headers_file = otlp->headers_file,
		.content_type = "application/json",
		.timeout_ms = otlp->is_stopping ? STOP_MS : POST_MS,
	};
	const struct item *item;
	auto_strbuf body = { 0 };

	timer_stop(otlp->timer);
	otlp->is_waiting = false;
	otlp_add_head(&body, otlp->instance);
	TAILQ_FOREACH(item, &otlp->items, next) {
		if (otlp->n_under_way == OTLP_BATCH_SPANS ||
			(otlp->n_under_way > 0 && body.len > OTLP_BATCH_BYTES - item->len))
			break;
		if (otlp->n_under_way++ > 0)
			strbuf_addc(&body, ',');
		strbuf_add(&body, item->json, item->len);
	}
	otlp_add_tail(&body);
	post.body = body.data;
	post.body_len = body.len;
	otlp->is_posting = true;
	courier_post(otlp->courier, &post, on_posted, otlp);
}

static void on_timer(void *arg)
{
	struct otlp *otlp = arg;

	otlp->is_waiting = false;
	if (!otlp->is_posting && otlp->stats.n_waiting > 0)
		send_batch(otlp);
}

static void on_span(void *arg, const struct trace_span *span)
{
	struct otlp *otlp = arg;
	auto_strbuf json = { 0 };

	if (!*otlp->url)
		return;
	otlp->stats.n_made++;
	otlp_add_span(&json, span);
	add_item(otlp, &json);
	if (!otlp->is_posting)
		go_on(otlp);
}

/* --- public ------------------------------------------------------------------------------------- */

/* RFC 9562 section 5.4. */
static void make_instance(char ret[INSTANCE_SIZE])
{
	unsigned char b[16] = { 0 };

	(void)!getrandom(b, sizeof(b), 0);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	(void)snprintf(ret, INSTANCE_SIZE,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
}

static void on_stop_timer(void *arg)
{
	tell_stopped(arg);
}

struct otlp *otlp_new(struct loop *loop, struct courier *courier)
{
	struct otlp *otlp = alloc_zero(sizeof(*otlp));

	otlp->loop = loop;
	otlp->courier = courier;
	otlp->url = alloc_str("");
	TAILQ_INIT(&otlp->items);
	otlp->timer = timer_new(loop, on_timer, otlp);
	otlp->stop_timer = timer_new(loop, on_stop_timer, otlp);
	make_instance(otlp->instance);
	return otlp;
}

void otlp_free(struct otlp *otlp)
{
	if (!otlp)
		return;
	drop_all(otlp);
	timer_free(otlp->timer);
	timer_free(otlp->stop_timer);
	free(otlp->url);
	free(otlp->headers_file);
	free(otlp->ca_file);
	free(otlp);
}

static void replace(char **text, char *other)
{
	free(*text);
	*text = other;
}

/* A collector has its traces there; whoever writes no path means that. */
static char *make_url(const char *url)
{
	const char *host = strstr(url, "://");

	if (host && !strchr(host + 3, '/'))
		return alloc_printf("%s/v1/traces", url);
	return alloc_str(url);
}

void otlp_set_conf(struct otlp *otlp, const struct conf_otlp *conf)
{
	replace(&otlp->url, make_url(conf->url));
	replace(&otlp->headers_file, alloc_str(conf->headers_file));
	replace(&otlp->ca_file, alloc_str(conf->ca_file));
	otlp->sample = conf->sample;
	otlp->interval_ms = conf->interval_ms;
	if (!*otlp->url)
		drop_all(otlp);
	timer_stop(otlp->timer); /* the new ones are tried at once */
	otlp->is_waiting = false;
	otlp->is_failing = false;
	backoff_reset(&otlp->backoff);
	if (!otlp->is_posting)
		go_on(otlp);
}

void otlp_get_tracer(struct otlp *otlp, struct tracer *ret)
{
	*ret = (struct tracer){
		.is_on = *otlp->url != '\0',
		.sample = otlp->sample,
		.ended = on_span,
		.arg = otlp,
	};
}

void otlp_stop(struct otlp *otlp, void (*fn)(void *arg), void *arg)
{
	otlp->is_stopping = true;
	otlp->on_stopped = fn;
	otlp->on_stopped_arg = arg;
	timer_start(otlp->stop_timer, STOP_MS);
	if (!otlp->is_posting)
		go_on(otlp);
}

void otlp_get_stats(const struct otlp *otlp, struct otlp_stats *ret)
{
	*ret = otlp->stats;
}
