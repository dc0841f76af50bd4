/* fetch_url. See also fetch.h. */
#include "workers/network/fetch.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/utf8.h"
#include "workers/network/answer.h"
#include "workers/network/tools.h"

enum { EXCERPT_CHARS = 300 };

struct fetch_url_args {
	const char *url;
	const char *format;
	bool raw;
	int64_t max_length;
	int64_t start_index;
	double timeout_seconds;
};

static const struct param fetch_url_params[] = {
	PARAM(fetch_url_args, url, .required = true, RANGE(1, URL_MAX_BYTES),
		.doc = "http or https URL."),
	PARAM(fetch_url_args, format, .choices = content_formats, .def_str = "markdown",
		.doc = "markdown and text convert HTML; raw returns the body as it is; json checks "
		       "and re-indents."),
	PARAM(fetch_url_args, raw, .doc = "Same as format raw."),
	PARAM(fetch_url_args, max_length, RANGE(1, 1000000), .def_int = 5000,
		.doc = "Most characters to return."),
	PARAM(fetch_url_args, start_index, RANGE(0, 100000000), .def_int = 0,
		.doc = "Start at this character."),
	PARAM(fetch_url_args, timeout_seconds, RANGE_NUM(0.1, 120), .def_num = 20,
		.doc = "Whole request."),
	{ 0 },
};

int fetch_cut(const struct call *call, const struct content *content,
	const struct fetch_window *window, struct fetch_part *ret, struct failure *fail)
{
	const char *text = strbuf_get(&content->text);
	size_t len = content->text.len;
	size_t total = utf8_count(text, len);
	size_t skip;

	if (window->start > 0 && (uint64_t)window->start >= total)
		return failure_set(fail, "invalid_argument",
			"'start_index' is %lld, and the content has %zu characters.",
			(long long)window->start, total);

	skip = utf8_cut(text, len, (size_t)window->start);
	*ret = (struct fetch_part){
		.text = text + skip,
		.len = utf8_cut(text + skip, len - skip, (size_t)window->max),
		.from = (size_t)window->start,
		.total = total,
	};
	ret->len = answer_fit(call, ret->text, ret->len, window->n);
	ret->to = ret->from + utf8_count(ret->text, ret->len);
	return 0;
}

/* What the server says about its error, on one line. */
static void add_excerpt(struct call *call, const struct exchange *exchange, struct failure *fail)
{
	auto_content content = { 0 };
	struct failure ignored;
	auto_strbuf line = { 0 };
	const char *text;
	size_t len;
	size_t used = strlen(fail->text);

	if (content_read(call, exchange, CONTENT_TEXT, &content, &ignored) < 0)
		return;
	text = strbuf_get(&content.text);
	len = utf8_cut(text, content.text.len, EXCERPT_CHARS);
	for (size_t i = 0; i < len; i++) {
		bool is_blank = (unsigned char)text[i] <= ' ';

		if (!is_blank)
			strbuf_addc(&line, text[i]);
		else if (line.len > 0 && line.data[line.len - 1] != ' ')
			strbuf_addc(&line, ' ');
	}
	if (line.len > 0)
		(void)snprintf(fail->text + used, sizeof(fail->text) - used, " It says: %s%s",
			line.data, len < content.text.len ? "…" : "");
}

static int refuse_status(struct call *call, const struct exchange *exchange, struct failure *fail)
{
	const struct response *response = exchange_response(exchange);

	(void)failure_set(fail, "http_status", "%s answered %d%s%.60s.",
		exchange_url(exchange)->host, response->status,
		*response_reason(response) ? " " : "", response_reason(response));
	add_excerpt(call, exchange, fail);
	return -EINVAL;
}

int fetch_content(struct call *call, const struct exchange *exchange, enum content_format format,
	struct content *ret, struct failure *fail)
{
	const struct failure *failure = exchange_failure(exchange);

	if (failure) {
		*fail = *failure;
		return -EINVAL;
	}
	if (exchange_response(exchange)->status >= 300)
		return refuse_status(call, exchange, fail);

	return content_read(call, exchange, format, ret, fail);
}

static const char *robots_word(const struct exchange *exchange)
{
	switch (exchange_robots(exchange)) {
	case EXCHANGE_ROBOTS_IGNORED:
		return "ignored";
	case EXCHANGE_ROBOTS_NONE:
		return "none";
	case EXCHANGE_ROBOTS_ALLOWED:
		return "allowed";
	}
	return "";
}

/* As it was asked, without a user. */
static json_t *asked_url(const char *text)
{
	auto_url url = { 0 };
	struct failure ignored;

	if (url_parse(text, &url, &ignored) < 0)
		return json_string("");
	return answer_text(url.text, strlen(url.text));
}

json_t *fetch_result(const char *url, const struct exchange *exchange,
	const struct content *content, const struct fetch_part *part)
{
	bool truncated = part->to < part->total;
	const char *type = content->type ? content->type : "";
	json_t *ret = json_pack("{s:o, s:s, s:i, s:o}", "url", asked_url(url), "final_url",
		exchange_url(exchange)->text, "status", exchange_response(exchange)->status,
		"content_type", answer_text(type, strlen(type)));

	if (!ret)
		return NULL;
	if (*content->charset)
		answer_set_text(ret, "charset", content->charset);
	answer_set_text(ret, "title", content->title);
	(void)json_object_set_new(ret, "content", answer_text(part->text, part->len));
	(void)json_object_set_new(ret, "total_length", json_integer((json_int_t)part->total));
	(void)json_object_set_new(ret, "start_index", json_integer((json_int_t)part->from));
	if (truncated)
		(void)json_object_set_new(ret, "next_index", json_integer((json_int_t)part->to));
	(void)json_object_set_new(ret, "truncated", json_boolean(truncated));
	(void)json_object_set_new(
		ret, "bytes", json_integer((json_int_t)exchange_response(exchange)->body.len));
	(void)json_object_set(ret, "redirects", exchange_redirects(exchange));
	(void)json_object_set_new(
		ret, "elapsed_ms", json_integer((json_int_t)exchange_elapsed_ms(exchange)));
	(void)json_object_set_new(ret, "robots", json_string(robots_word(exchange)));
	return ret;
}

struct exchange_spec fetch_spec(struct call *call, double timeout_seconds)
{
	const struct network_settings *settings = call_settings(call);

	return (struct exchange_spec){
		.max_body_bytes = settings->max_response_bytes,
		.follow = true,
		.ask_robots = settings->robots,
		.timeout_ms = (int64_t)(timeout_seconds * CLOCK_SECOND_MS),
	};
}

static int answer(struct call *call, const char *url, const struct exchange *exchange,
	const struct content *content, const struct fetch_part *part)
{
	json_t *blocks = json_array();

	(void)json_array_append_new(blocks, call_text_block(part->text, part->len));
	if (part->to < part->total) {
		auto_free char *more =
			alloc_printf("Content truncated: characters %zu to %zu of %zu. "
				     "Call again with start_index=%zu.",
				part->from, part->to, part->total, part->to);

		(void)json_array_append_new(blocks, call_text_block(more, strlen(more)));
	}
	return call_result_blocks(call, fetch_result(url, exchange, content, part), blocks);
}

static int fetch_url(struct call *call, const void *args)
{
	const struct fetch_url_args *a = args;
	enum content_format format = a->raw ? CONTENT_RAW : content_format(a->format);
	struct exchange_spec spec = fetch_spec(call, a->timeout_seconds);
	struct fetch_window window = { a->start_index, a->max_length, 1 };
	auto_(exchange_freep) struct exchange *exchange = exchange_new(&spec, a->url);
	auto_content content = { 0 };
	struct fetch_part part = { 0 };
	struct failure why;
	int r = exchange_run(call, exchange);

	if (r == 0)
		r = fetch_content(call, exchange, format, &content, &why);
	if (r == 0)
		r = fetch_cut(call, &content, &window, &part, &why);
	if (r == -ECANCELED)
		return call_fail_stopped(call, "the page was not read to its end");

	return r < 0 ? answer_failure(call, &why) : answer(call, a->url, exchange, &content, &part);
}

const struct tool network_fetch_tools[] = {
	TOOL(fetch_url, "Fetch a URL", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT | TOOL_OPEN_WORLD,
		.timeout_s = 125, .doc = "Fetch a URL with GET; HTML comes back as Markdown.",
		.out = "url string, final_url string, status integer, content_type string, "
		       "charset? string, title? string, content string, total_length integer, "
		       "start_index integer, next_index? integer, truncated boolean, "
		       "bytes integer, redirects string[], elapsed_ms integer, robots string"),
	{ 0 },
};
