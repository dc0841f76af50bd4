/* See metrics.h. */
#include "supervisor/ops/metrics.h"

#include "config.h"

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/http_accept.h"
#include "supervisor/ops/metrics_private.h"

#define TYPE_TEXT "text/plain; version=0.0.4; charset=utf-8"
#define TYPE_OPEN "application/openmetrics-text; version=1.0.0; charset=utf-8"

enum { LAG_EVERY_MS = 1000 };

/* --- the daemon as a whole ---------------------------------------------------------------------- */

static void add_daemon(const struct metrics *metrics, struct metrics_text *text)
{
	const char *version = PACKAGE_VERSION;
	json_auto_t *reasons = health_make_reasons(metrics->parts.health);
	int64_t up_ms = loop_now_ms(metrics->parts.loop) - metrics->began_ms;

	metrics_begin(text, METRIC_BUILD);
	metrics_add(text, 1, &version);
	metrics_add_one(text, METRIC_UPTIME, up_ms / CLOCK_SECOND_MS);
	metrics_add_one(text, METRIC_READY, json_array_size(reasons) == 0);
}

static void add_loop(const struct metrics *metrics, struct metrics_text *text)
{
	metrics_begin(text, METRIC_LOOP_LAG);
	metrics_add_histogram(text, &metrics->lag, NULL);
	metrics_begin(text, METRIC_LOG_LINES);
	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		const char *name = log_level_name((enum log_level)i);

		metrics_add(text, (int64_t)log_get_count((enum log_level)i), &name);
	}
}

void metrics_write(const struct metrics *metrics, bool is_open, struct strbuf *out)
{
	struct metrics_text text = { .out = out, .is_open = is_open };

	metrics_add_front(metrics, &text);
	add_daemon(metrics, &text);
	metrics_add_limits(metrics, &text);
	metrics_add_domains(metrics, &text);
	add_loop(metrics, &text);
	metrics_add_process(metrics, &text);
	metrics_add_outward(metrics, &text);
	metrics_add_gateway(metrics, &text);
	metrics_end(&text);
}

/* --- the loop's lag ----------------------------------------------------------------------------- */

static void watch_lag(struct metrics *metrics)
{
	metrics->lag_due_us = clock_now_us() + LAG_EVERY_MS * INT64_C(1000);
	timer_start(metrics->lag_timer, LAG_EVERY_MS);
}

static void on_lag_timer(void *arg)
{
	struct metrics *metrics = arg;

	histogram_add(&metrics->lag, clock_now_us() - metrics->lag_due_us);
	watch_lag(metrics);
}

/* --- the route ---------------------------------------------------------------------------------- */

/* Whoever names no format, or any, gets the older one. */
static bool wants_open(const struct http1_request *req)
{
	struct span accept = http1_header(req, "accept", NULL);
	static const char name[] = "openmetrics-text";
	bool is_named = accept.at && memmem(accept.at, accept.len, name, sizeof(name) - 1);

	return is_named && http_accepts(req, "application/openmetrics-text");
}

static bool on_metrics(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	bool is_open = wants_open(ask->request);
	auto_strbuf out = { 0 };

	metrics_write(arg, is_open, &out);
	const struct http_reply reply = { .status = 200,
		.content_type = is_open ? TYPE_OPEN : TYPE_TEXT,
		.body = out.data,
		.body_len = out.len,
		.extra = "Cache-Control: no-store\r\nVary: Accept\r\n" };

	http_conn_answer(conn, &reply);
	return false;
}

void metrics_get_routes(struct metrics *metrics, struct http_route ret[METRICS_ROUTES])
{
	ret[0] = (struct http_route){ .path = "/metrics",
		.zone = GUARD_ZONE_ADMIN,
		.methods = HTTPD_GET,
		.head = on_metrics,
		.arg = metrics };
	if (!timer_is_running(metrics->lag_timer))
		watch_lag(metrics);
}

/* --- public ------------------------------------------------------------------------------------- */

struct metrics *metrics_new(const struct metrics_parts *parts)
{
	struct metrics *metrics = alloc_zero(sizeof(*metrics));

	metrics->parts = *parts;
	metrics->began_ms = loop_now_ms(parts->loop);
	metrics->started_us = metrics_get_start_us();
	metrics->lag_timer = timer_new(parts->loop, on_lag_timer, metrics);
	return metrics;
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	timer_free(metrics->lag_timer);
	free(metrics);
}

void metrics_set_conf(struct metrics *metrics, const struct conf *conf)
{
	metrics->parts.conf = conf;
}
