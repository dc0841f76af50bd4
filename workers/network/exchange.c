/* See exchange.h. */
#include "workers/network/exchange.h"

#include <assert.h>
#include <errno.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/quote.h"
#include "workers/network/robots_cache.h"

static const char agent[] = "mcp-fleet";

enum exchange_state {
	EXCHANGE_WAITING, /* for its turn, and for its host */
	EXCHANGE_ROBOTS,  /* an exchange of its own is under way */
	EXCHANGE_ASKING,
	EXCHANGE_DONE,
};

struct exchange {
	const struct exchange_spec *spec;
	enum exchange_state state;
	struct url url;
	bool started;
	bool answered; /* a server has, be it with a redirect */
	int64_t started_ms;
	int64_t elapsed_ms;
	struct request_spec request_spec;
	struct request *request;
	struct exchange_spec robots_spec;
	struct exchange *robots_exchange;
	enum exchange_robots robots;
	json_t *redirects;
	int n_redirects;
	struct response response;
	struct failure failure; /* code NULL: none */
};

static void end(struct exchange *exchange)
{
	request_free(exchange->request);
	exchange->request = NULL;
	exchange_free(exchange->robots_exchange);
	exchange->robots_exchange = NULL;
	if (exchange->started)
		exchange->elapsed_ms = clock_now_ms() - exchange->started_ms;
	exchange->state = EXCHANGE_DONE;
}

/* With a failure that is set. */
static void give_up(struct exchange *exchange)
{
	int n = exchange->n_redirects;

	if (n > 0)
		(void)failure_prefix(
			&exchange->failure, "after %d redirect%s: ", n, n > 1 ? "s" : "");
	end(exchange);
}

static void ask(struct exchange *exchange)
{
	const struct exchange_spec *spec = exchange->spec;

	exchange->request_spec = (struct request_spec){
		.url = &exchange->url,
		.method = spec->method,
		.headers = spec->headers,
		.body = spec->body,
		.body_bytes = spec->body_bytes,
		.max_body_bytes = spec->max_body_bytes,
		.cut_body = spec->cut_body,
		.skip_redirect_body = spec->follow,
		.deadline_ms = exchange->started_ms + spec->timeout_ms,
	};
	exchange->request = request_new(&exchange->request_spec);
	exchange->state = EXCHANGE_ASKING;
}

/* robots.txt */

static char *origin_of(const struct url *url)
{
	return alloc_printf(strchr(url->host, ':') ? "%s://[%s]:%d" : "%s://%s:%d", url->scheme,
		url->host, url->port);
}

static bool path_is_allowed(const struct exchange *exchange, const struct robots *robots)
{
	char *path = url_part(&exchange->url, CURLUPART_PATH, 0);
	char *query = url_part(&exchange->url, CURLUPART_QUERY, 0);
	auto_free char *whole =
		alloc_printf("%s%s%s", path ? path : "/", query ? "?" : "", query ? query : "");

	curl_free(path);
	curl_free(query);
	return robots_allow(robots, whole);
}

static void refuse_by_robots(struct exchange *exchange, const char *why)
{
	(void)failure_set(&exchange->failure, "robots_refused",
		"%s (robots.txt of %s). Ask for another page; an operator can set "
		"domains.network.robots to false.",
		why, exchange->url.host);
	give_up(exchange);
}

static void obey(struct exchange *exchange, const struct robots_entry *entry)
{
	switch (entry->kind) {
	case ROBOTS_NONE:
		exchange->robots = EXCHANGE_ROBOTS_NONE;
		ask(exchange);
		return;
	case ROBOTS_RULES:
		exchange->robots = EXCHANGE_ROBOTS_ALLOWED;
		if (path_is_allowed(exchange, entry->robots))
			ask(exchange);
		else
			refuse_by_robots(
				exchange, "the site does not want robots to read this page");
		return;
	case ROBOTS_CLOSED:
		refuse_by_robots(exchange, "the site does not want robots to read anything");
		return;
	case ROBOTS_BROKEN:
		refuse_by_robots(exchange, "the site cannot say what robots may read, for now");
		return;
	}
}

static enum robots_kind kind_of(int status)
{
	if (status >= 200 && status < 300)
		return ROBOTS_RULES;
	if (status == 401 || status == 403)
		return ROBOTS_CLOSED;

	return status >= 500 ? ROBOTS_BROKEN : ROBOTS_NONE;
}

/* Where no server has answered, the page itself would have failed in the same way. */
static void fail_by_robots(struct exchange *exchange)
{
	const struct exchange *asked = exchange->robots_exchange;

	if (asked->answered) {
		refuse_by_robots(exchange, "the site's rules for robots cannot be read");
		return;
	}
	exchange->failure = asked->failure;
	(void)failure_prefix(&exchange->failure, "cannot read robots.txt: ");
	give_up(exchange);
}

static void take_robots(struct exchange *exchange)
{
	const struct exchange *asked = exchange->robots_exchange;
	auto_free char *origin = origin_of(&exchange->url);
	const struct response *response = &asked->response;
	enum robots_kind kind;
	struct robots *robots = NULL;

	if (asked->failure.code) {
		fail_by_robots(exchange);
		return;
	}
	kind = kind_of(response->status);
	if (kind == ROBOTS_RULES)
		robots = robots_parse(strbuf_get(&response->body), response->body.len, agent);
	exchange_free(exchange->robots_exchange);
	exchange->robots_exchange = NULL;
	obey(exchange, robots_cache_add(origin, kind, robots));
}

static void begin_asking(struct exchange *exchange);

static void ask_robots(struct exchange *exchange)
{
	auto_free char *origin = origin_of(&exchange->url);
	auto_free char *url = alloc_printf("%s/robots.txt", origin);
	const struct robots_entry *entry = robots_cache_find(origin);

	if (entry) {
		obey(exchange, entry);
		return;
	}
	exchange->robots_spec = (struct exchange_spec){
		.max_body_bytes = ROBOTS_MAX_BYTES,
		.cut_body = true,
		.follow = true,
		.timeout_ms = exchange->started_ms + exchange->spec->timeout_ms - clock_now_ms(),
	};
	exchange->robots_exchange = exchange_new(&exchange->robots_spec, url);
	begin_asking(exchange->robots_exchange);
	exchange->state = EXCHANGE_ROBOTS;
}

/* Its turn has come. */
static void begin_asking(struct exchange *exchange)
{
	if (exchange->state != EXCHANGE_WAITING)
		return;
	if (!exchange->started) {
		exchange->started = true;
		exchange->started_ms = clock_now_ms();
	}
	if (exchange->spec->ask_robots)
		ask_robots(exchange);
	else
		ask(exchange);
}

/* Redirects */

static int follow(struct exchange *exchange, const char *location)
{
	auto_url next = { 0 };
	struct failure *fail = &exchange->failure;

	if (exchange->n_redirects == EXCHANGE_MAX_REDIRECTS)
		return failure_set(fail, "too_many_redirects",
			"there are more than %d. Ask for the final URL.", EXCHANGE_MAX_REDIRECTS);
	if (url_resolve(&exchange->url, location, &next, fail) < 0 || url_check(&next, fail) < 0)
		return failure_prefix(
			fail, "a redirect of %s was not followed: ", exchange->url.host);
	if (streq(exchange->url.scheme, "https") && !streq(next.scheme, "https"))
		return failure_set(fail, "scheme_refused",
			"a redirect of %s leads from https to http, which is not followed.",
			exchange->url.host);

	exchange->n_redirects++;
	(void)json_array_append_new(exchange->redirects, json_string(next.text));
	url_done(&exchange->url);
	exchange->url = next;
	next = (struct url){ 0 };
	return 0;
}

static void take_response(struct exchange *exchange)
{
	const char *location;
	int r = request_finish(exchange->request, &exchange->response, &exchange->failure);

	request_free(exchange->request);
	exchange->request = NULL;
	if (r < 0) {
		give_up(exchange);
		return;
	}
	exchange->answered = true;
	location = response_header(&exchange->response, "Location");
	if (!exchange->spec->follow || !location ||
		!response_is_redirect(exchange->response.status)) {
		end(exchange);
		return;
	}
	if (follow(exchange, location) < 0) {
		give_up(exchange);
		return;
	}
	response_done(&exchange->response);
	exchange->response = (struct response){ 0 };
	exchange->state = EXCHANGE_WAITING;
}

struct exchange *exchange_new(const struct exchange_spec *spec, const char *url)
{
	struct exchange *exchange = alloc_zero(sizeof(*exchange));

	exchange->spec = spec;
	exchange->redirects = json_array();
	if (url_parse(url, &exchange->url, &exchange->failure) < 0 ||
		url_check(&exchange->url, &exchange->failure) < 0)
		end(exchange);
	return exchange;
}

void exchange_free(struct exchange *exchange)
{
	if (!exchange)
		return;

	end(exchange);
	url_done(&exchange->url);
	json_decref(exchange->redirects);
	response_done(&exchange->response);
	free(exchange);
}

/* Does what can be done now. The exchange for robots.txt waits for nobody: its host is ours already. */
static void step(struct exchange *exchange)
{
	struct exchange *robots = exchange->robots_exchange;

	if (exchange->state == EXCHANGE_ROBOTS) {
		begin_asking(robots);
		if (robots->state == EXCHANGE_ASKING && request_step(robots->request))
			take_response(robots);
		if (robots->state == EXCHANGE_DONE)
			take_robots(exchange);
	}
	if (exchange->state == EXCHANGE_ASKING && request_step(exchange->request))
		take_response(exchange);
}

static bool is_active(const struct exchange *exchange)
{
	return exchange->state == EXCHANGE_ROBOTS || exchange->state == EXCHANGE_ASKING;
}

struct run {
	struct exchange *const *exchanges;
	size_t n;
	size_t max_at_a_time;
};

/* A redirect has its turn already, but its new host may be in use. */
static bool may_begin(const struct run *run, const struct exchange *exchange)
{
	size_t n_begun = 0;

	if (exchange->state != EXCHANGE_WAITING)
		return false;
	for (size_t i = 0; i < run->n; i++) {
		const struct exchange *other = run->exchanges[i];

		if (is_active(other) && streq(other->url.host, exchange->url.host))
			return false;
		n_begun += other->started && other->state != EXCHANGE_DONE;
	}

	return exchange->started || n_begun < run->max_at_a_time;
}

/* Whether a deadline has passed while it waited for its host. */
static bool is_late(const struct exchange *exchange)
{
	return exchange->state == EXCHANGE_WAITING && exchange->started &&
	       clock_now_ms() >= exchange->started_ms + exchange->spec->timeout_ms;
}

/* How many are not over. */
static size_t step_all(const struct run *run)
{
	size_t n_left = 0;

	for (size_t i = 0; i < run->n; i++) {
		struct exchange *exchange = run->exchanges[i];

		if (is_late(exchange) || may_begin(run, exchange))
			begin_asking(exchange);
		if (is_active(exchange))
			step(exchange);
		n_left += exchange->state != EXCHANGE_DONE;
	}

	return n_left;
}

static void wait_for_any(const struct run *run)
{
	auto_free struct request **requests = alloc_zero((run->n + 1) * sizeof(struct request *));
	size_t n = 0;

	for (size_t i = 0; i < run->n; i++) {
		const struct exchange *exchange = run->exchanges[i];

		if (exchange->state == EXCHANGE_WAITING && may_begin(run, exchange))
			return;
		if (exchange->state == EXCHANGE_ROBOTS) {
			exchange = exchange->robots_exchange;
			if (exchange->state == EXCHANGE_WAITING)
				return; /* redirected */
		}
		if (exchange->state == EXCHANGE_ASKING)
			requests[n++] = exchange->request;
	}
	request_wait_any(requests, n);
}

static void tell_progress(struct call *call, const struct run *run)
{
	size_t bytes = 0;

	for (size_t i = 0; i < run->n; i++) {
		const struct exchange *exchange = run->exchanges[i];

		bytes += exchange->request ? request_bytes(exchange->request)
					   : exchange->response.body.len;
	}
	call_progress(call, (double)bytes, 0, "bytes read");
}

int exchange_run_all(
	struct call *call, struct exchange *const *exchanges, size_t n, size_t max_at_a_time)
{
	const struct run run = { exchanges, n, max_at_a_time };

	while (step_all(&run) > 0) {
		if (call_stopped(call))
			return -ECANCELED;
		tell_progress(call, &run);
		wait_for_any(&run);
	}

	return 0;
}

int exchange_run(struct call *call, struct exchange *exchange)
{
	return exchange_run_all(call, &exchange, 1, 1);
}

const struct failure *exchange_failure(const struct exchange *exchange)
{
	return exchange->failure.code ? &exchange->failure : NULL;
}

const struct response *exchange_response(const struct exchange *exchange)
{
	return &exchange->response;
}

const struct url *exchange_url(const struct exchange *exchange)
{
	return exchange->url.text ? &exchange->url : NULL;
}

json_t *exchange_redirects(const struct exchange *exchange)
{
	return exchange->redirects;
}

enum exchange_robots exchange_robots(const struct exchange *exchange)
{
	return exchange->robots;
}

int64_t exchange_elapsed_ms(const struct exchange *exchange)
{
	return exchange->elapsed_ms;
}
