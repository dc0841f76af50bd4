/* net_parse_url: the parts of a URL, and whether it would be fetched. Nothing is looked up. */
#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/jx.h"
#include "workers/network/answer.h"
#include "workers/network/tools.h"
#include "workers/network/url.h"

struct net_parse_url_args {
	const char *url;
};

static const struct param net_parse_url_params[] = {
	PARAM(net_parse_url_args, url, .required = true, RANGE(1, URL_MAX_BYTES), .doc = "URL."),
	{ 0 },
};

/* As forms encode: + is a blank. A NUL, which no key may have, becomes U+FFFD. */
static void decode(struct strbuf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = text[i] == '%' && len - i > 2 ? ascii_hex_value(text[i + 1]) : -1;
		int low = high >= 0 ? ascii_hex_value(text[i + 2]) : -1;

		if (low < 0) {
			strbuf_add(out, text[i] == '+' ? " " : &text[i], 1);
			continue;
		}
		if (high + low == 0)
			strbuf_adds(out, "\xef\xbf\xbd");
		else
			strbuf_addc(out, (char)(high * 16 + low));
		i += 2;
	}
}

static json_t *decoded(const char *text, size_t len)
{
	auto_strbuf out = { 0 };

	decode(&out, text, len);
	return answer_text(strbuf_get(&out), out.len);
}

static void add_parameter(json_t *query, const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals ? (size_t)(equals - text) : len;
	json_auto_t *name = decoded(text, name_len);
	json_t *values = json_object_get(query, json_string_value(name));

	if (!values) {
		values = json_array();
		(void)json_object_set_new(query, json_string_value(name), values);
	}
	(void)json_array_append_new(
		values, equals ? decoded(equals + 1, len - name_len - 1) : json_string(""));
}

static json_t *read_query(const char *text)
{
	json_t *query = json_object();

	while (text && *text) {
		size_t len = strcspn(text, "&");

		if (len > 0)
			add_parameter(query, text, len);
		text += len + (text[len] == '&');
	}

	return query;
}

static json_t *describe(const struct url *url)
{
	char *path = url_part(url, CURLUPART_PATH, 0);
	char *query = url_part(url, CURLUPART_QUERY, 0);
	auto_free char *normal = alloc_printf(
		"%s%s%s", url->text, url->fragment ? "#" : "", url->fragment ? url->fragment : "");
	json_t *ret = json_pack("{s:s, s:s, s:o, s:o, s:b}", "scheme", url->scheme, "host",
		url->host, "path", answer_text(path ? path : "/", strlen(path ? path : "/")),
		"query", read_query(query), "has_userinfo", url->has_user);

	curl_free(path);
	curl_free(query);
	if (url->port > 0)
		(void)json_object_set_new(ret, "port", json_integer(url->port));
	answer_set_text(ret, "fragment", url->fragment);
	answer_set_text(ret, "normalized", normal);
	return ret;
}

static void judge(const struct url *url, json_t *ret)
{
	struct failure why;
	auto_free char *text = NULL;
	bool allowed = url_check(url, &why) == 0;

	(void)json_object_set_new(ret, "fetch_allowed", json_boolean(allowed));
	if (allowed)
		return;

	text = alloc_printf("%s: %s", why.code, why.text);
	answer_set_text(ret, "refusal", text);
}

/* One field a line; what may hold a line break itself is JSON. */
static void write_text(struct strbuf *text, json_t *fields)
{
	const char *key;
	json_t *value;

	json_object_foreach(fields, key, value) {
		strbuf_addf(text, "%s: ", key);
		if (json_is_string(value))
			strbuf_adds(text, json_string_value(value));
		else
			jx_dump(text, value);
		strbuf_addc(text, '\n');
	}
}

static int net_parse_url(struct call *call, const void *args)
{
	const struct net_parse_url_args *a = args;
	auto_url url = { 0 };
	auto_strbuf text = { 0 };
	struct failure why;
	json_t *ret;

	if (url_parse(a->url, &url, &why) < 0)
		return call_fail(call, "invalid_url", "%s", why.text);

	ret = describe(&url);
	judge(&url, ret);
	write_text(&text, ret);
	return call_result(call, ret, strbuf_get(&text), text.len);
}

const struct tool network_parse_url_tools[] = {
	TOOL(net_parse_url, "Split a URL", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Split a URL and say whether this server would fetch it.",
		.out = "scheme string, host string, port? integer, path string, query object, "
		       "fragment? string, has_userinfo boolean, normalized string, "
		       "fetch_allowed boolean, refusal? string"),
	{ 0 },
};
