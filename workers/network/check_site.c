/* check_site_status: whether a site answers over HTTP. Whatever it answers, it is up; that nobody
 * answers is a result as well, and no failure. */
#include "shared/clock.h"
#include "workers/network/answer.h"
#include "workers/network/exchange.h"
#include "workers/network/tools.h"

struct check_site_status_args {
	const char *url;
	const char *method;
	double timeout_seconds;
	bool follow_redirects;
};

static const char *const methods[] = { "HEAD", "GET", NULL };

static const struct param check_site_status_params[] = {
	PARAM(check_site_status_args, url, .required = true, RANGE(1, URL_MAX_BYTES),
		.doc = "http or https URL."),
	PARAM(check_site_status_args, method, .choices = methods, .def_str = "HEAD",
		.doc = "Request to send; HEAD falls back to GET on 405 and 501."),
	PARAM(check_site_status_args, timeout_seconds, RANGE_NUM(0.1, 60), .def_num = 5,
		.doc = "Whole request."),
	PARAM(check_site_status_args, follow_redirects, .doc = "Follow redirects."),
	{ 0 },
};

/* What cannot be asked at all, as opposed to a site that does not answer. */
static const char *const refusals[] = { "invalid_url", "scheme_refused", "address_refused", NULL };

/* Failures of an answer, which there was. */
static const char *const answered[] = { "too_many_redirects", "response_too_large",
	"unsupported_content", NULL };

static bool is_among(const struct failure *failure, const char *const *codes)
{
	for (; *codes; codes++)
		if (streq(failure->code, *codes))
			return true;

	return false;
}

static int answer_failed(
	struct call *call, const struct exchange *exchange, const struct failure *failure)
{
	const char *url = exchange_url(exchange)->text;
	bool up = is_among(failure, answered);
	json_t *ret = json_pack("{s:s, s:b, s:b, s:I}", "url", url, "up", up, "ok", 0, "elapsed_ms",
		(json_int_t)exchange_elapsed_ms(exchange));
	auto_strbuf error = { 0 };

	strbuf_addf(&error, "%s: %s", failure->code, failure->text);
	answer_set_text(ret, "error", strbuf_get(&error));
	return call_resultf(
		call, ret, "%s is %s (%s)", url, up ? "UP" : "DOWN", strbuf_get(&error));
}

static void set_location(json_t *ret, const struct exchange *exchange)
{
	const char *location = response_header(exchange_response(exchange), "Location");
	auto_url url = { 0 };
	struct failure ignored;

	if (location && url_resolve(exchange_url(exchange), location, &url, &ignored) == 0)
		answer_set_text(ret, "location", url.text);
}

static int answer_up(struct call *call, const struct exchange *exchange)
{
	const struct response *response = exchange_response(exchange);
	const char *url = exchange_url(exchange)->text;
	json_t *ret = json_pack("{s:s, s:b, s:b, s:i, s:s, s:I}", "url", url, "up", 1, "ok",
		response->status < 400, "status", response->status, "remote_address",
		response->address, "elapsed_ms", (json_int_t)exchange_elapsed_ms(exchange));

	if (*response_reason(response))
		answer_set_text(ret, "reason", response_reason(response));
	set_location(ret, exchange);
	return call_resultf(call, ret, "%s is UP (Status: %d)", url, response->status);
}

static bool wants_get(const struct exchange *exchange)
{
	int status = exchange_response(exchange)->status;

	return !exchange_failure(exchange) && (status == 405 || status == 501);
}

/* The same with GET in the time that is left. When nothing comes of it, the answer to HEAD remains: the
 * site has answered. -ECANCELED, or 0. */
static int ask_again(struct call *call, const char *url, const struct exchange_spec *spec,
	struct exchange **exchange)
{
	struct exchange_spec get = *spec;
	auto_(exchange_freep) struct exchange *second = NULL;
	int r;

	get.method = "GET";
	get.timeout_ms -= exchange_elapsed_ms(*exchange);
	if (get.timeout_ms <= 0)
		return 0;

	second = exchange_new(&get, url);
	r = exchange_run(call, second);
	if (r == 0 && !exchange_failure(second)) {
		exchange_free(*exchange);
		*exchange = TAKE(second);
	}
	return r;
}

static int check_site_status(struct call *call, const void *args)
{
	const struct check_site_status_args *a = args;
	struct exchange_spec spec = {
		.method = a->method,
		.cut_body = true, /* at once: only the header counts */
		.follow = a->follow_redirects,
		.timeout_ms = (int64_t)(a->timeout_seconds * CLOCK_SECOND_MS),
	};
	auto_(exchange_freep) struct exchange *exchange = exchange_new(&spec, a->url);
	const struct failure *failure;
	int r = exchange_run(call, exchange);

	if (r == 0 && streq(a->method, "HEAD") && wants_get(exchange))
		r = ask_again(call, a->url, &spec, &exchange);
	if (r < 0)
		return call_fail_stopped(call, "the site had not answered yet");

	failure = exchange_failure(exchange);
	if (failure && is_among(failure, refusals))
		return answer_failure(call, failure);

	return failure ? answer_failed(call, exchange, failure) : answer_up(call, exchange);
}

const struct tool network_check_site_tools[] = {
	TOOL(check_site_status, "Check a site",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT | TOOL_OPEN_WORLD, .timeout_s = 65,
		.doc = "Whether a site answers over HTTP.",
		.out = "url string, up boolean, ok boolean, status? integer, reason? string, "
		       "location? string, remote_address? string, elapsed_ms integer, "
		       "error? string"),
	{ 0 },
};
