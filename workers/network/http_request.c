/* net_http_request: any HTTP method that domains.network.allow_methods names, with the same rules on
 * addresses as everything here. Redirects are not followed: the caller sees them, and decides. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/clock.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "workers/network/answer.h"
#include "workers/network/content.h"
#include "workers/network/tools.h"

enum {
	MAX_ANSWER_BYTES = MIB, /* it is in the answer twice, as JSON */
	MAX_REQUEST_BYTES = 1048576,
	MAX_FIELDS = 64,
	MAX_FIELD_BYTES = 8192,
};

struct net_http_request_args {
	const char *url;
	const char *method;
	json_t *headers;
	const char *body;
	double timeout_seconds;
};

static const struct param net_http_request_params[] = {
	PARAM(net_http_request_args, url, .required = true, RANGE(1, URL_MAX_BYTES),
		.doc = "http or https URL."),
	PARAM(net_http_request_args, method, .required = true, .choices = network_methods,
		.doc = "Method."),
	PARAM(net_http_request_args, headers, .json_type = "object",
		.doc = "Header fields; names are tokens, values without CR, LF or NUL."),
	PARAM(net_http_request_args, body, AT_MOST(MAX_REQUEST_BYTES), .doc = "Body."),
	PARAM(net_http_request_args, timeout_seconds, RANGE_NUM(0.1, 120), .def_num = 20,
		.doc = "Whole request."),
	{ 0 },
};

static void free_list(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static int check_method(
	const struct network_settings *settings, const char *method, struct failure *fail)
{
	const struct str_list *allowed = &settings->allow_methods;

	if (!allowed->items && (streq(method, "GET") || streq(method, "HEAD")))
		return 0;
	for (size_t i = 0; allowed->items && i < allowed->n; i++)
		if (streq(method, allowed->items[i]))
			return 0;

	return failure_set(fail, "policy",
		"the method %s is off on this server. An operator can add it to "
		"domains.network.allow_methods.",
		method);
}

/* Fields that say how the message is sent, or to whom: they are ours. */
static bool is_reserved(const char *name)
{
	static const char *const names[] = { "Host", "Content-Length", "Transfer-Encoding",
		"Connection", "Keep-Alive", "Upgrade", "TE", "Trailer", "Expect", "Accept-Encoding",
		"User-Agent", "Via" };

	if (strncasecmp(name, "Proxy-", strlen("Proxy-")) == 0)
		return true;
	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;

	return false;
}

static bool is_token(const char *name)
{
	for (const char *at = name; *at; at++)
		if (!ascii_is_letter(*at) && !ascii_is_digit(*at) &&
			!strchr("!#$%&'*+-.^_`|~", *at))
			return false;

	return *name != '\0';
}

/* Visible characters, blanks and tabs; what is not ASCII goes as UTF-8. */
static bool is_value(json_t *value)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (!text || len > MAX_FIELD_BYTES)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}

	return true;
}

static int bad_header(struct failure *fail, const char *name, const char *why)
{
	char quoted[QUOTE_SIZE];

	return failure_set(fail, "invalid_argument", "'headers': %s %s.", quote(quoted, name), why);
}

static void add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		abort(); /* no memory */
	*list = longer;
}

static int add_header(
	struct curl_slist **list, const char *name, json_t *value, struct failure *fail)
{
	const char *text = json_string_value(value);
	auto_free char *line = NULL;

	if (!is_token(name) || strlen(name) > MAX_FIELD_BYTES)
		return bad_header(fail, name, "is not a name of a header field");
	if (is_reserved(name))
		return bad_header(fail, name, "is set by this server itself. Leave it out");
	if (!is_value(value))
		return bad_header(fail, name,
			"must be a text without control characters, of at most 8192 bytes");

	/* libcurl's way to send a field without a value. */
	line = text[strspn(text, " \t")] ? alloc_printf("%s: %s", name, text)
					 : alloc_printf("%s;", name);
	add_line(list, line);
	return 0;
}

static int read_headers(
	json_t *headers, bool has_body, struct curl_slist **ret, struct failure *fail)
{
	bool has_type = false;
	const char *name;
	json_t *value;

	if (json_object_size(headers) > MAX_FIELDS)
		return failure_set(
			fail, "invalid_argument", "'headers' has more than %d fields.", MAX_FIELDS);
	json_object_foreach(headers, name, value) {
		if (add_header(ret, name, value, fail) < 0)
			return -EINVAL;
		has_type = has_type || strcasecmp(name, "Content-Type") == 0;
	}
	/* Else libcurl would say that it is a form, even of nothing. Without a value it is not sent. */
	if (!has_type)
		add_line(ret,
			has_body ? "Content-Type: text/plain; charset=utf-8" : "Content-Type:");

	return 0;
}

/* Names in lower case, each with the list of its values. */
static json_t *collect_headers(const struct response *response)
{
	json_t *ret = json_object();
	const char *name;
	const char *value;
	size_t cursor = 0;
	size_t len = 0;

	while (response_next_header(response, &cursor, &name, &len, &value)) {
		auto_free char *key = alloc_mem(name, len);
		json_t *values;

		if (!is_token(key))
			continue;
		for (size_t i = 0; i < len; i++)
			key[i] = ascii_to_lower(key[i]);
		values = json_object_get(ret, key);
		if (!values) {
			values = json_array();
			(void)json_object_set_new(ret, key, values);
		}
		(void)json_array_append_new(values, answer_text(value, strlen(value)));
	}

	return ret;
}

/* Several of one name are one, with commas between them (RFC 9110, 5.3). */
static json_t *describe_headers(const struct response *response)
{
	json_auto_t *collected = collect_headers(response);
	json_t *ret = json_object();
	const char *name;
	json_t *values;

	json_object_foreach(collected, name, values) {
		auto_strbuf all = { 0 };
		json_t *value;
		size_t i;

		json_array_foreach(values, i, value)
			strbuf_addf(&all, "%s%s", i > 0 ? ", " : "", json_string_value(value));
		(void)json_object_set_new(ret, name, json_stringn(strbuf_get(&all), all.len));
	}

	return ret;
}

/* The request may have taken effect: what came of it is said also when its body cannot be shown. `left_out`
 * says why; NULL: it can. */
static int answer(struct call *call, const struct exchange *exchange, const struct content *content,
	const char *left_out)
{
	const struct response *response = exchange_response(exchange);
	json_t *headers = describe_headers(response);
	const char *body = strbuf_get(&content->text);
	size_t len = answer_fit(call, body, content->text.len, 1);
	bool is_cut = response->truncated || len < content->text.len || left_out;
	auto_strbuf text = { 0 };
	const char *name;
	json_t *value;

	strbuf_addf(&text, "%d %s\n", response->status, response_reason(response));
	json_object_foreach(headers, name, value)
		strbuf_addf(&text, "%s: %s\n", name, json_string_value(value));
	strbuf_addc(&text, '\n');
	strbuf_add(&text, body, len);
	if (left_out)
		strbuf_addf(&text, "Body left out: %s", left_out);
	else if (is_cut)
		strbuf_addf(&text,
			"\n\nBody truncated: the first %zu bytes. Ask for other parts with a Range "
			"header, if the server knows it.",
			len < content->text.len ? len : response->body.len);

	return call_result(call,
		json_pack("{s:i, s:o, s:o, s:b, s:I}", "status", response->status, "headers",
			headers, "body", answer_text(body, len), "truncated", is_cut, "elapsed_ms",
			(json_int_t)exchange_elapsed_ms(exchange)),
		strbuf_get(&text), text.len);
}

static int check(struct call *call, const struct net_http_request_args *a,
	struct curl_slist **ret_headers, struct failure *fail)
{
	bool is_plain = streq(a->method, "GET") || streq(a->method, "HEAD");

	if (check_method(call_settings(call), a->method, fail) < 0)
		return -EINVAL;
	if (a->body && is_plain)
		return failure_set(
			fail, "invalid_argument", "'body' cannot be sent with %s.", a->method);
	if (a->body && strlen(a->body) > MAX_REQUEST_BYTES)
		return failure_set(fail, "invalid_argument", "'body' has more than %d bytes.",
			MAX_REQUEST_BYTES);

	return read_headers(a->headers, a->body != NULL, ret_headers, fail);
}

static int net_http_request(struct call *call, const void *args)
{
	const struct net_http_request_args *a = args;
	const struct network_settings *settings = call_settings(call);
	auto_(free_list) struct curl_slist *headers = NULL;
	auto_(exchange_freep) struct exchange *exchange = NULL;
	auto_content content = { 0 };
	struct exchange_spec spec;
	struct failure why = { 0 };
	int r;

	if (check(call, a, &headers, &why) < 0)
		return answer_failure(call, &why);

	spec = (struct exchange_spec){
		.method = a->method,
		.headers = headers,
		.body = a->body,
		.body_bytes = a->body ? strlen(a->body) : 0,
		.max_body_bytes = settings->max_response_bytes < MAX_ANSWER_BYTES
					  ? settings->max_response_bytes
					  : MAX_ANSWER_BYTES,
		.cut_body = true,
		.timeout_ms = (int64_t)(a->timeout_seconds * CLOCK_SECOND_MS),
	};
	exchange = exchange_new(&spec, a->url);
	r = exchange_run(call, exchange);
	if (r == 0 && exchange_failure(exchange))
		return answer_failure(call, exchange_failure(exchange));
	if (r == 0)
		r = content_read(call, exchange, CONTENT_RAW, &content, &why);
	if (r == -ECANCELED)
		return call_fail_stopped(call, "the request may have taken effect");

	return answer(call, exchange, &content, r < 0 ? why.text : NULL);
}

const struct tool network_http_request_tools[] = {
	TOOL(net_http_request, "HTTP request", .hints = TOOL_DESTRUCTIVE | TOOL_OPEN_WORLD,
		.timeout_s = 125,
		.doc = "Any HTTP method; off unless network.allow_methods names it. Redirects are "
		       "not followed.",
		.out = "status integer, headers object, body string, truncated boolean, "
		       "elapsed_ms integer"),
	{ 0 },
};
