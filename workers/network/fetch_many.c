/* net_fetch_many: up to ten pages, at most four at a time and one of a host. */
#include <errno.h>

#include "shared/alloc.h"
#include "workers/network/answer.h"
#include "workers/network/fetch.h"
#include "workers/network/tools.h"

enum { MAX_URLS = 10, AT_A_TIME = 4 };

struct net_fetch_many_args {
	struct str_list urls;
	const char *format;
	int64_t max_length;
	double timeout_seconds;
};

static const struct param net_fetch_many_params[] = {
	PARAM(net_fetch_many_args, urls, .required = true, RANGE(1, MAX_URLS), .doc = "URLs."),
	PARAM(net_fetch_many_args, format, .choices = content_formats, .def_str = "markdown",
		.doc = "As fetch_url."),
	PARAM(net_fetch_many_args, max_length, RANGE(1, 100000), .def_int = 5000,
		.doc = "Most characters of each."),
	PARAM(net_fetch_many_args, timeout_seconds, RANGE_NUM(0.1, 120), .def_num = 20,
		.doc = "For each."),
	{ 0 },
};

struct many {
	struct call *call;
	const struct net_fetch_many_args *args;
	struct exchange *exchanges[MAX_URLS];
	size_t n;
	struct strbuf text;
	json_t *results;
	int n_failed;
};

static void many_done(struct many *many)
{
	for (size_t i = 0; i < many->n; i++)
		exchange_free(many->exchanges[i]);
	strbuf_done(&many->text);
	json_decref(many->results);
}

/* The URL as it may be shown. */
static const char *shown_url(const struct exchange *exchange)
{
	const struct url *url = exchange_url(exchange);

	return url ? url->text : "(not a URL that can be fetched)";
}

static void add_failure(struct many *many, size_t i, const struct failure *why)
{
	const char *url = shown_url(many->exchanges[i]);
	auto_free char *error = alloc_printf("%s: %s", why->code, why->text);
	json_t *result = json_pack("{s:i, s:b}", "index", (int)i, "ok", 0);

	answer_set_text(result, "url", url);
	answer_set_text(result, "error", error);
	(void)json_array_append_new(many->results, result);
	strbuf_addf(&many->text, "## %zu. %s\n\n%s\n\n", i + 1, url, error);
	many->n_failed++;
}

static void add_page(
	struct many *many, size_t i, const struct content *content, const struct fetch_part *part)
{
	const struct exchange *exchange = many->exchanges[i];
	json_t *result = fetch_result(many->args->urls.items[i], exchange, content, part);

	(void)json_object_set_new(result, "index", json_integer((json_int_t)i));
	(void)json_object_set_new(result, "ok", json_true());
	(void)json_array_append_new(many->results, result);
	strbuf_addf(&many->text, "## %zu. %s\n\n", i + 1, shown_url(exchange));
	strbuf_add(&many->text, part->text, part->len);
	if (part->to < part->total)
		strbuf_addf(&many->text,
			"\n\nContent truncated: characters 0 to %zu of %zu. Call fetch_url with "
			"start_index=%zu.",
			part->to, part->total, part->to);
	strbuf_adds(&many->text, "\n\n");
}

/* -ECANCELED, or 0. */
static int add_result(struct many *many, size_t i)
{
	const struct fetch_window window = { 0, many->args->max_length, many->n };
	auto_content content = { 0 };
	struct fetch_part part = { 0 };
	struct failure why;
	int r = fetch_content(
		many->call, many->exchanges[i], content_format(many->args->format), &content, &why);

	if (r == 0)
		r = fetch_cut(many->call, &content, &window, &part, &why);
	if (r == -ECANCELED)
		return r;
	if (r < 0)
		add_failure(many, i, &why);
	else
		add_page(many, i, &content, &part);
	return 0;
}

/* With the code of the first. */
static int answer_failed(struct many *many)
{
	json_t *first = json_array_get(many->results, 0);
	auto_free char *code = alloc_str(json_string_value(json_object_get(first, "error")));

	code[strcspn(code, ":")] = '\0';
	return call_fail(many->call, code, "none of the %zu URLs could be fetched.\n\n%s", many->n,
		strbuf_get(&many->text));
}

static int answer(struct many *many)
{
	if ((size_t)many->n_failed == many->n)
		return answer_failed(many);

	return call_result(many->call,
		json_pack("{s:O, s:i}", "results", many->results, "failed", many->n_failed),
		strbuf_get(&many->text), many->text.len);
}

static int net_fetch_many(struct call *call, const void *args)
{
	const struct net_fetch_many_args *a = args;
	struct exchange_spec spec = fetch_spec(call, a->timeout_seconds);
	auto_(many_done) struct many many = {
		.call = call,
		.args = a,
		.results = json_array(),
	};
	int r;

	for (; many.n < a->urls.n; many.n++)
		many.exchanges[many.n] = exchange_new(&spec, a->urls.items[many.n]);

	r = exchange_run_all(call, many.exchanges, many.n, AT_A_TIME);
	for (size_t i = 0; r == 0 && i < many.n; i++)
		r = add_result(&many, i);
	if (r < 0)
		return call_fail_stopped(call, "not all pages were read");

	return answer(&many);
}

const struct tool network_fetch_many_tools[] = {
	TOOL(net_fetch_many, "Fetch several URLs",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT | TOOL_OPEN_WORLD,
		/* Ten times the longest time, when all are of one host. */
		.timeout_s = MAX_URLS * 120 + 5, .doc = "Fetch up to ten URLs.",
		.out = "results object[], failed integer"),
	{ 0 },
};
