/* See http.h. libcurl's callbacks only gather: what they start would have to start from inside libcurl,
 * which it forbids. http_turn() gives out what was gathered. */
#include "workers/common/http.h"

#include <errno.h>
#include <stdio.h>
#include <sys/queue.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "workers/common/easy.h"
#include "workers/common/http_head.h"

enum {
	KEEP_CONNECTIONS = 16,
	KEEPALIVE_S =
		30, /* TCP's: a stream may be silent for hours, a dead peer is to be noticed */
};

struct exchange {
	TAILQ_ENTRY(exchange) next;
	const struct http *http;
	struct exchange_spec spec;
	CURL *easy;
	struct target target; /* at first that of the spec, then where redirects lead */
	unsigned n_redirects;
	int64_t since_ms;
	size_t sent; /* of the body */
	char error[CURL_ERROR_SIZE];
	/* The answer */
	struct http_head head;
	int status;
	struct strbuf body;  /* of an event stream: what was not looked at yet */
	bool is_cut;         /* enough of an error's body */
	const char *refused; /* why it is not taken */
	struct events events;
	/* The end */
	bool is_done;    /* `result` is set */
	bool is_dropped; /* nobody is called any more, and it is freed soon */
	CURLcode result;
	enum http_end end;
	char cause[CURL_ERROR_SIZE + 64];
};

struct http {
	CURLM *multi;
	const struct http_settings *settings;
	TAILQ_HEAD(, exchange) exchanges;
};

/* --- libcurl's callbacks ---------------------------------------------------------------------- */

static void forget_answer(struct exchange *x)
{
	x->status = 0;
	x->is_cut = false;
	x->refused = NULL;
	http_head_done(&x->head);
	strbuf_cut(&x->body, 0);
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;

	if (http_head_add_line(&x->head, line, size * n))
		return size * n;
	x->refused = "its headers are over 64 KiB";
	return 0;
}

static int ask_status(const struct exchange *x)
{
	long status = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

/* Of all answers that are under way. */
static size_t held_bytes(const struct http *http)
{
	const struct exchange *x;
	size_t sum = 0;

	TAILQ_FOREACH(x, &http->exchanges, next)
		if (!x->is_dropped)
			sum += x->body.len + x->events.line.len + x->events.data.len;
	return sum;
}

static size_t max_bytes_of(const struct exchange *x)
{
	return x->spec.max_bytes ? x->spec.max_bytes : x->http->settings->max_bytes;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	size_t len = size * n;
	size_t held = HTTP_HELD_MESSAGES * x->http->settings->max_bytes;
	size_t max = max_bytes_of(x);

	x->status = ask_status(x);
	if (x->is_dropped || x->refused)
		return 0;
	if (x->head.is_encoded) {
		x->refused = "its answer is compressed, which was not asked for";
		return 0;
	}
	if (len > held || held_bytes(x->http) > held - len) {
		x->refused = "its answers under way are too big together";
		return 0;
	}
	if (exchange_is_events(x)) {
		strbuf_add(&x->body, bytes, len); /* looked at in this turn */
		return len;
	}
	if (!exchange_is_ok(x) && max > HTTP_MAX_ERROR_BYTES)
		max = HTTP_MAX_ERROR_BYTES;
	if (len <= max - x->body.len) {
		strbuf_add(&x->body, bytes, len);
		return len;
	}
	if (exchange_is_ok(x) && !x->spec.may_cut)
		x->refused = "its answer is over the limit of a message";
	else
		x->is_cut = true;
	return 0;
}

static size_t on_read(char *room, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	size_t left = x->spec.body_bytes - x->sent;
	size_t len = size * n < left ? size * n : left;

	memcpy(room, x->spec.body + x->sent, len);
	x->sent += len;
	return len;
}

/* A kept connection was dead: may the request be sent once more? */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct exchange *x = arg;

	if (!x->spec.may_resend || origin != SEEK_SET || offset != 0)
		return CURL_SEEKFUNC_FAIL;
	x->sent = 0;
	return CURL_SEEKFUNC_OK;
}

/* --- setting up --------------------------------------------------------------------------------- */

#define SET(x, option, value) EASY_SET((x)->easy, option, value)

static void set_safety(struct exchange *x)
{
	const struct http_settings *settings = x->http->settings;

	easy_set_safety(x->easy, x->spec.ca_file ? x->spec.ca_file : settings->ca_file);
	if (!settings->uses_proxy)
		SET(x, CURLOPT_PROXY, "");
	SET(x, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(x, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
	SET(x, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_S);
	SET(x, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_MS);
}

static void set_callbacks(struct exchange *x)
{
	SET(x, CURLOPT_PRIVATE, x);
	SET(x, CURLOPT_ERRORBUFFER, x->error);
	SET(x, CURLOPT_HEADERFUNCTION, on_header);
	SET(x, CURLOPT_HEADERDATA, x);
	SET(x, CURLOPT_WRITEFUNCTION, on_body);
	SET(x, CURLOPT_WRITEDATA, x);
	SET(x, CURLOPT_READFUNCTION, on_read);
	SET(x, CURLOPT_READDATA, x);
	SET(x, CURLOPT_SEEKFUNCTION, on_seek);
	SET(x, CURLOPT_SEEKDATA, x);
}

/* Redirects are part of the exchange, and of its time. */
static long left_ms(const struct exchange *x)
{
	int64_t left = x->since_ms + x->spec.timeout_ms - clock_now_ms();

	return left > 0 ? (long)left : 1;
}

static void set_request(struct exchange *x)
{
	const char *method = x->spec.method;

	SET(x, CURLOPT_URL, x->target.url);
	SET(x, CURLOPT_HTTPHEADER, x->spec.headers);
	if (x->spec.timeout_ms > 0)
		SET(x, CURLOPT_TIMEOUT_MS, left_ms(x));
	if (streq(method, "POST")) {
		SET(x, CURLOPT_POST, 1L);
		SET(x, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->spec.body_bytes);
	} else if (streq(method, "GET")) {
		SET(x, CURLOPT_HTTPGET, 1L);
	} else {
		SET(x, CURLOPT_CUSTOMREQUEST, method);
	}
}

static void begin(struct http *http, struct exchange *x)
{
	curl_easy_reset(x->easy);
	x->error[0] = '\0';
	x->sent = 0;
	x->is_done = false;
	forget_answer(x);
	set_safety(x);
	set_callbacks(x);
	set_request(x);
	if (curl_multi_add_handle(http->multi, x->easy) != CURLM_OK)
		abort(); /* out of memory */
}

struct exchange *http_start(struct http *http, const struct exchange_spec *spec)
{
	struct exchange *x = alloc_zero(sizeof(*x));

	x->http = http;
	x->since_ms = clock_now_ms();
	x->spec = *spec;
	target_copy(spec->target, &x->target);
	x->events.max_bytes = max_bytes_of(x);
	x->easy = curl_easy_init();
	if (!x->easy)
		abort();                              /* out of memory */
	easy_add_header(&x->spec.headers, "Expect:"); /* do not wait for a 100 */
	TAILQ_INSERT_TAIL(&http->exchanges, x, next);
	begin(http, x);
	return x;
}

/* The answer that is there stays what it is, for whoever looks at it now. */
void http_drop(struct http *http, struct exchange *x)
{
	if (!x || x->is_dropped)
		return;
	x->is_dropped = true;
	(void)curl_multi_remove_handle(http->multi, x->easy);
}

static void free_exchange(struct exchange *x)
{
	curl_easy_cleanup(x->easy);
	easy_free_headers(x->spec.headers);
	target_done(&x->target);
	http_head_done(&x->head);
	strbuf_done(&x->body);
	events_done(&x->events);
	free(x);
}

/* --- a turn ------------------------------------------------------------------------------------- */

static bool give_event(void *arg, struct event *event)
{
	struct exchange *x = arg;

	x->spec.event(x->spec.arg, x, event);
	return !x->is_dropped;
}

static void refuse(struct http *http, struct exchange *x, const char *why);

/* Gives out the events that have come. */
static void look_at_events(struct http *http, struct exchange *x)
{
	auto_strbuf bytes = { 0 };

	if (x->is_dropped || !exchange_is_events(x) || x->body.len == 0)
		return;
	bytes = x->body; /* a hook may start what adds more */
	x->body = (struct strbuf){ 0 };
	if (events_feed(&x->events, bytes.data, bytes.len, give_event, x) < 0)
		refuse(http, x, "an event of its is over the limit of a message");
}

/* From here on there is no more of it; `end` and `cause` are set. */
static void finish(struct http *http, struct exchange *x)
{
	(void)curl_multi_remove_handle(http->multi, x->easy);
	x->spec.ended(x->spec.arg, x);
	x->is_dropped = true;
}

static void refuse(struct http *http, struct exchange *x, const char *why)
{
	if (x->is_dropped)
		return;
	x->end = HTTP_REFUSED;
	(void)snprintf(x->cause, sizeof(x->cause), "%s", why);
	finish(http, x);
}

static bool was_sent(const struct exchange *x)
{
	long bytes = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &bytes);
	return bytes > 0;
}

static bool is_redirect(const struct exchange *x)
{
	return x->spec.redirects != HTTP_NO_REDIRECTS && x->head.location &&
	       (x->status == 301 || x->status == 302 || x->status == 303 || x->status == 307 ||
		       x->status == 308);
}

/* 301 to 303 would make a GET of a POST. */
static bool may_follow(const struct exchange *x)
{
	return streq(x->spec.method, "GET") || x->status == 307 || x->status == 308;
}

static int resolve(const struct exchange *x, struct target *ret, struct fail *fail)
{
	const char *location = x->head.location;

	return x->spec.redirects == HTTP_SAME_SCHEME
		       ? target_resolve_any(&x->target, location, ret, fail)
		       : target_resolve(&x->target, location, ret, fail);
}

/* False: it is not followed, and over. */
static bool follow(struct http *http, struct exchange *x)
{
	auto_target to = { 0 };
	struct fail fail = { 0 };

	if (x->n_redirects == HTTP_MAX_REDIRECTS) {
		refuse(http, x, "it redirects more than 3 times");
		return false;
	}
	if (!may_follow(x)) {
		refuse(http, x, "it redirects in a way that would make a GET of a POST");
		return false;
	}
	if (resolve(x, &to, &fail) < 0) {
		auto_free char *why =
			alloc_printf("a redirect of it is not followed: %s", fail.text);

		refuse(http, x, why);
		return false;
	}
	x->n_redirects++;
	target_done(&x->target);
	x->target = to;
	to = (struct target){ 0 };
	(void)curl_multi_remove_handle(http->multi, x->easy);
	begin(http, x);
	return true;
}

static void judge(struct exchange *x)
{
	const char *words = easy_words(x->easy, x->result, x->error);

	if (x->result == CURLE_OK || x->is_cut) {
		x->end = HTTP_ANSWERED;
		return;
	}
	x->end = was_sent(x) ? HTTP_BROKEN : HTTP_UNREACHED;
	if (x->refused) {
		x->end = HTTP_REFUSED;
		words = x->refused;
	}
	(void)snprintf(x->cause, sizeof(x->cause), "%s", words);
}

static void take_result(struct http *http, struct exchange *x, CURLcode result)
{
	x->status = ask_status(x);
	look_at_events(http, x);
	if (x->is_dropped)
		return;
	x->result = result;
	x->is_done = true;
	judge(x);
	if (x->end == HTTP_ANSWERED && is_redirect(x))
		(void)follow(http, x);
	else
		finish(http, x);
}

static void take_results(struct http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		struct exchange *x = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &x);
		if (!x->is_dropped)
			take_result(http, x, message->data.result);
	}
}

void http_turn(struct http *http)
{
	struct exchange *x;
	struct exchange *after;
	int n_running;

	(void)curl_multi_perform(http->multi, &n_running);
	TAILQ_FOREACH(x, &http->exchanges, next) /* new ones come at the end */
		look_at_events(http, x);
	take_results(http);
	for (x = TAILQ_FIRST(&http->exchanges); x; x = after) {
		after = TAILQ_NEXT(x, next);
		if (!x->is_dropped)
			continue;
		TAILQ_REMOVE(&http->exchanges, x, next);
		free_exchange(x);
	}
}

void http_wait(struct http *http, struct curl_waitfd *fds, unsigned n, int64_t timeout_ms)
{
	(void)curl_multi_poll(http->multi, fds, n, (int)timeout_ms, NULL);
}

struct http *http_new(const struct http_settings *settings)
{
	struct http *http;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return NULL;
	http = alloc_zero(sizeof(*http));
	http->settings = settings;
	TAILQ_INIT(&http->exchanges);
	http->multi = curl_multi_init();
	if (!http->multi)
		abort(); /* out of memory */
	(void)curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)KEEP_CONNECTIONS);
	return http;
}

void http_free(struct http *http)
{
	struct exchange *x;

	if (!http)
		return;
	while ((x = TAILQ_FIRST(&http->exchanges))) {
		TAILQ_REMOVE(&http->exchanges, x, next);
		(void)curl_multi_remove_handle(http->multi, x->easy);
		free_exchange(x);
	}
	(void)curl_multi_cleanup(http->multi);
	curl_global_cleanup();
	free(http);
}

/* --- what is known ------------------------------------------------------------------------------ */

enum http_end exchange_end(const struct exchange *x)
{
	return x->end;
}

const char *exchange_cause(const struct exchange *x)
{
	return x->cause;
}

int exchange_status(const struct exchange *x)
{
	return x->status;
}

bool exchange_is_ok(const struct exchange *x)
{
	return x->status >= 200 && x->status < 300;
}

bool exchange_is_events(const struct exchange *x)
{
	return exchange_is_ok(x) && x->head.is_events;
}

struct strbuf *exchange_body(struct exchange *x)
{
	return &x->body;
}

const char *exchange_session(const struct exchange *x)
{
	return x->head.session;
}

const struct events *exchange_events(const struct exchange *x)
{
	return &x->events;
}

int64_t exchange_retry_after_ms(const struct exchange *x)
{
	return x->head.retry_after_ms;
}

int64_t exchange_max_age_s(const struct exchange *x)
{
	return x->head.has_max_age ? x->head.max_age_s : -1;
}
