/* See courier.h. */
#include "workers/courier/courier.h"

#include <errno.h>
#include <sys/queue.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/utf8.h"
#include "workers/common/aide_link.h"
#include "workers/common/easy.h"
#include "workers/common/headers.h"
#include "workers/common/http.h"
#include "workers/courier/order.h"

enum {
	MAX_JOBS = 32, /* at a time; mcp-fleetd keeps to less */
	IDLE_MS = 60000,
};

static const char *const requests[] = { "courier/fetch", "courier/post", NULL };
static const char *const notifications[] = { NULL };
static const struct aide_kind kind = {
	.program = "mcp-fleet-courier",
	.requests = requests,
	.notifications = notifications,
};

struct courier {
	struct aide_link link;
	struct http_settings settings;
	struct http *http;
	TAILQ_HEAD(, job) jobs;
	unsigned n_jobs;
};

/* An order under way. */
struct job {
	TAILQ_ENTRY(job) next;
	struct courier *courier;
	struct order order;
	char *id; /* JSON, of the request */
	struct target target;
};

static void free_job(struct job *job)
{
	TAILQ_REMOVE(&job->courier->jobs, job, next);
	job->courier->n_jobs--;
	order_done(&job->order);
	target_done(&job->target);
	free(job->id);
	free(job);
}

static struct jspan id_of(const struct job *job)
{
	return (struct jspan){ job->id, strlen(job->id) };
}

/* --- the answer ----------------------------------------------------------------------------------- */

/* Words may hold what a server has written. */
static void answer_failure(struct job *job, int code, const char *words)
{
	const char *shown = job->target.shown;
	auto_free char *text = alloc_printf("%s%s%s", shown ? shown : "", shown ? ": " : "", words);
	auto_strbuf clean = { 0 };

	utf8_repair(&clean, text, strlen(text));
	aide_link_answer_error(&job->courier->link, id_of(job), code, strbuf_get(&clean));
}

static void answer_fetched(struct job *job, struct exchange *x)
{
	const struct strbuf *body = exchange_body(x);
	int64_t max_age_s = exchange_max_age_s(x);
	json_t *text = json_stringn(strbuf_get(body), body->len);
	json_t *result;

	if (!text) {
		answer_failure(job, RPC_INTERNAL_ERROR, "its answer is no text in UTF-8");
		return;
	}
	result = json_pack("{s:i, s:o}", "status", exchange_status(x), "body", text);
	if (max_age_s >= 0)
		(void)json_object_set_new(result, "max_age_s", json_integer(max_age_s));
	aide_link_answer(&job->courier->link, id_of(job), result);
}

/* Its body says something where the server did part of it only: one that is no text says nothing. */
static void answer_posted(struct job *job, struct exchange *x)
{
	const struct strbuf *body = exchange_body(x);
	int64_t retry_after_ms = exchange_retry_after_ms(x);
	json_t *result = json_pack("{s:i}", "status", exchange_status(x));

	if (exchange_is_ok(x) && body->len > 0)
		(void)json_object_set_new(
			result, "body", json_stringn(strbuf_get(body), body->len));

	if (retry_after_ms > 0)
		(void)json_object_set_new(
			result, "retry_after_s", json_integer(retry_after_ms / CLOCK_SECOND_MS));
	aide_link_answer(&job->courier->link, id_of(job), result);
}

static void on_ended(void *arg, struct exchange *x)
{
	struct job *job = arg;

	if (exchange_end(x) != HTTP_ANSWERED)
		answer_failure(job, RPC_INTERNAL_ERROR, exchange_cause(x));
	else if (job->order.is_post)
		answer_posted(job, x);
	else
		answer_fetched(job, x);
	free_job(job);
}

/* Nobody asked for a stream of events: its body has no end. */
static void on_event(void *arg, struct exchange *x, struct event *event)
{
	struct job *job = arg;

	answer_failure(job, RPC_INTERNAL_ERROR, "its answer is a stream of events");
	http_drop(job->courier->http, x);
	free_job(job);
}

/* --- the request ---------------------------------------------------------------------------------- */

static void add_header(struct curl_slist **list, const char *name, const char *value)
{
	auto_free char *line = alloc_printf("%s: %s", name, value);

	easy_add_header(list, line);
}

static int make_headers(const struct order *order, struct curl_slist **ret, struct fail *fail)
{
	auto_(headers_file_done) struct headers_file file = {
		.path = order->headers_file,
		.name = "headers_file",
	};
	int r = headers_file_refresh(&file, fail);

	if (r < 0)
		return r;
	if (order->is_post)
		add_header(ret, "Content-Type", order->content_type);
	else
		add_header(ret, "Accept", order->accept);
	for (size_t i = 0; i < file.headers.n; i++)
		easy_add_header(ret, file.headers.items[i]);
	return 0;
}

static int start(struct job *job, struct fail *fail)
{
	const struct order *order = &job->order;
	struct exchange_spec spec = {
		.method = order->is_post ? "POST" : "GET",
		.target = &job->target,
		.body = order->body,
		.body_bytes = order->body ? strlen(order->body) : 0,
		.may_resend = !order->is_post,
		.timeout_ms = order->timeout_ms,
		.max_bytes = order->is_post ? HTTP_MAX_ERROR_BYTES : (size_t)order->max_bytes,
		.may_cut = order->is_post,
		.ca_file = order->ca_file,
		.redirects = order->is_post ? HTTP_NO_REDIRECTS : HTTP_SAME_SCHEME,
		.event = on_event,
		.ended = on_ended,
		.arg = job,
	};
	int r = target_parse(order->url, &job->target, fail);

	if (r == 0)
		r = make_headers(order, &spec.headers, fail);
	if (r == 0)
		(void)http_start(job->courier->http, &spec);
	return r;
}

static void take(struct courier *courier, const struct aide_note *note)
{
	struct job *job = alloc_zero(sizeof(*job));
	struct fail fail = { 0 };
	int r;

	job->courier = courier;
	job->id = alloc_mem(note->rpc.id.at, note->rpc.id.len);
	TAILQ_INSERT_TAIL(&courier->jobs, job, next);
	courier->n_jobs++;
	if (courier->n_jobs > MAX_JOBS) {
		answer_failure(job, RPC_OVERLOADED, "too many orders at a time");
		free_job(job);
		return;
	}
	r = order_read(note->rpc.method, note->rpc.params, &job->order, &fail);
	if (r == 0)
		r = start(job, &fail);
	if (r < 0) {
		answer_failure(job, RPC_INVALID_PARAMS, fail.text);
		free_job(job);
	}
}

/* --- the loop ------------------------------------------------------------------------------------- */

static void run(struct courier *courier)
{
	while (aide_link_turn(&courier->link)) {
		struct curl_waitfd fds[AIDE_LINK_FDS];
		int64_t timeout_ms = IDLE_MS;
		struct aide_note *note;
		unsigned n;

		while ((note = aide_link_take(&courier->link))) {
			take(courier, note);
			aide_note_free(note);
		}
		http_turn(courier->http);
		n = aide_link_get_fds(&courier->link, fds, &timeout_ms);
		http_wait(courier->http, fds, n, timeout_ms);
	}
}

int courier_run(int in_fd, int out_fd, struct fail *fail)
{
	struct courier courier = {
		.settings = { .max_bytes = ORDER_MAX_BYTES, .uses_proxy = true },
	};
	int r = aide_link_open(&courier.link, &kind, in_fd, out_fd);
	struct job *job;

	TAILQ_INIT(&courier.jobs);
	if (r < 0) {
		(void)fail_set(fail, r, "no signalfd: %s", strerror(-r));
	} else {
		courier.http = http_new(&courier.settings);
		if (courier.http)
			run(&courier);
		else
			r = fail_set(fail, -EINVAL, "libcurl cannot be used");
	}
	http_free(courier.http);
	while ((job = TAILQ_FIRST(&courier.jobs))) /* nobody is left to hear of it */
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the analyzer loses TAILQ_REMOVE */
		free_job(job);
	aide_link_done(&courier.link);
	return r;
}
