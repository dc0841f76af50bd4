/* See headers.h.
 *
 * Numbers are compared as decimal texts, digit by digit: doubles would make 2^53 and 2^53 + 1 the
 * same. */
#include "supervisor/mcp/headers.h"

#include "shared/ascii.h"
#include "shared/base64.h"

#define PARAM_PREFIX "Mcp-Param-"
#define ENCODED_PREFIX "=?base64?"
#define ENCODED_SUFFIX "?="

enum { MAX_EXPONENT_DIGITS = 15 };

static void add_once(struct span *field, struct span value, bool *is_twice)
{
	if (field->at)
		*is_twice = true;
	else
		*field = value;
}

static void add_trace(struct span *field, struct span value)
{
	if (field->at)
		value = (struct span){ .at = "" };
	*field = value;
}

static void add_param(struct mcp_headers *h, struct span name, struct span value)
{
	size_t prefix = strlen(PARAM_PREFIX);

	if (h->n_params == MCP_HEADERS_PARAMS) {
		h->is_overfull = true;
		return;
	}
	h->params[h->n_params].name =
		(struct span){ .at = name.at + prefix, .len = name.len - prefix };
	h->params[h->n_params++].value = value;
}

void mcp_headers_add(struct mcp_headers *h, struct span name, struct span value)
{
	size_t prefix = strlen(PARAM_PREFIX);

	if (!value.at)
		value.at = "";
	if (span_is_nocase(name, "mcp-protocol-version"))
		add_once(&h->version, value, &h->is_twice);
	else if (span_is_nocase(name, "mcp-method"))
		add_once(&h->method, value, &h->is_twice);
	else if (span_is_nocase(name, "mcp-name"))
		add_once(&h->name, value, &h->is_twice);
	else if (span_is_nocase(name, "mcp-session-id"))
		add_once(&h->session, value, &h->is_session_twice);
	else if (span_is_nocase(name, "traceparent"))
		add_trace(&h->traceparent, value);
	else if (span_is_nocase(name, "tracestate"))
		add_trace(&h->tracestate, value);
	else if (span_is_nocase(name, "baggage"))
		add_trace(&h->baggage, value);
	else if (name.len > prefix && strncasecmp(name.at, PARAM_PREFIX, prefix) == 0)
		add_param(h, name, value);
	h->has_session = h->session.at != NULL;
}

static bool is_plain(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] != '\t' && (text.at[i] < 0x20 || text.at[i] > 0x7e))
			return false;
	return true;
}

static bool is_encoded(struct span text)
{
	size_t prefix = strlen(ENCODED_PREFIX);
	size_t suffix = strlen(ENCODED_SUFFIX);

	return text.len >= prefix + suffix && memcmp(text.at, ENCODED_PREFIX, prefix) == 0 &&
	       memcmp(text.at + text.len - suffix, ENCODED_SUFFIX, suffix) == 0;
}

/* The characters that a header stands for; *ret points into `header` or into `buf`. */
static const char *decode(struct span header, struct strbuf *buf, struct span *ret)
{
	size_t prefix = strlen(ENCODED_PREFIX);
	size_t frame = prefix + strlen(ENCODED_SUFFIX);

	*ret = header;
	if (!is_plain(header))
		return "has characters that are no visible ASCII; encode it as "
		       "=?base64?...?=";
	if (!is_encoded(header))
		return NULL;
	if (base64_decode(BASE64_PLAIN, header.at + prefix, header.len - frame, buf, NULL) < 0)
		return "is not valid base64 between =?base64? and ?=";
	*ret = (struct span){ .at = strbuf_get(buf), .len = buf->len };
	return NULL;
}

/* A number's text, split: the digits from the first that is not 0, and where its point stands. */
struct decimal {
	bool is_negative;
	struct span digits; /* may hold a point; empty: zero */
	int64_t scale;      /* digits before the point, counted from the first of `digits` */
};

static size_t count_digits(const char *at, const char *end)
{
	const char *from = at;

	while (at < end && ascii_is_digit(*at))
		at++;
	return (size_t)(at - from);
}

static bool read_exponent(const char *at, const char *end, int64_t *ret)
{
	bool is_negative = at < end && *at == '-';
	int64_t value = 0;

	if (at < end && (*at == '-' || *at == '+'))
		at++;
	if (at == end || end - at > MAX_EXPONENT_DIGITS ||
		count_digits(at, end) != (size_t)(end - at))
		return false;
	for (; at < end; at++)
		value = value * 10 + (*at - '0');
	*ret = is_negative ? -value : value;
	return true;
}

/* Where the digits (and a fraction) end; NULL: this is no number as JSON writes it. */
static const char *skip_mantissa(const char *at, const char *end, size_t *ret_whole)
{
	size_t n = count_digits(at, end);
	size_t n_fraction;

	if (n == 0 || (n > 1 && *at == '0'))
		return NULL;
	*ret_whole = n;
	at += n;
	if (at == end || *at != '.')
		return at;
	n_fraction = count_digits(at + 1, end);
	return n_fraction ? at + 1 + n_fraction : NULL;
}

static bool read_decimal(struct span text, struct decimal *ret)
{
	const char *end = text.at + text.len;
	const char *at = text.at;
	size_t whole = 0;
	int64_t exponent = 0;
	const char *rest;

	*ret = (struct decimal){ .is_negative = text.len && *at == '-' };
	at += ret->is_negative;
	rest = skip_mantissa(at, end, &whole);
	if (!rest)
		return false;
	if (rest < end && *rest != 'e' && *rest != 'E')
		return false;
	if (rest < end && !read_exponent(rest + 1, end, &exponent))
		return false;
	ret->scale = (int64_t)whole + exponent;
	for (; at < rest && (*at == '0' || *at == '.'); at++)
		ret->scale -= *at == '0';
	ret->digits = (struct span){ .at = at, .len = (size_t)(rest - at) };
	return true;
}

/* The next digit of a span of digits with at most one point; 0 behind its end. */
static char next_digit(struct span *digits)
{
	if (digits->len && *digits->at == '.') {
		digits->at++;
		digits->len--;
	}
	if (!digits->len)
		return '0';
	digits->len--;
	return *digits->at++;
}

static bool is_same_number(struct span a_text, struct span b_text)
{
	struct decimal a;
	struct decimal b;

	if (!read_decimal(a_text, &a) || !read_decimal(b_text, &b))
		return false;
	if (a.digits.len == 0 || b.digits.len == 0)
		return a.digits.len == b.digits.len;
	if (a.is_negative != b.is_negative || a.scale != b.scale)
		return false;
	while (a.digits.len || b.digits.len)
		if (next_digit(&a.digits) != next_digit(&b.digits))
			return false;
	return true;
}

static bool is_same_string(struct span text, struct jspan value)
{
	auto_strbuf chars = { 0 };

	return jspan_get_str(value, &chars) && chars.len == text.len &&
	       (text.len == 0 || memcmp(chars.data, text.at, text.len) == 0);
}

const char *mcp_header_differs(struct span header, struct jspan value)
{
	auto_strbuf buf = { 0 };
	struct span text;
	bool is_same = false;
	const char *why = decode(header, &buf, &text);

	if (why)
		return why;
	switch (jspan_type(value)) {
	case JSPAN_STRING:
		is_same = is_same_string(text, value);
		break;
	case JSPAN_NUMBER:
		is_same = is_same_number(text, (struct span){ .at = value.at, .len = value.len });
		break;
	case JSPAN_BOOL:
		is_same = text.len == value.len && memcmp(text.at, value.at, value.len) == 0;
		break;
	case JSPAN_NONE:
	case JSPAN_NULL:
	case JSPAN_OBJECT:
	case JSPAN_ARRAY:
		break;
	}
	return is_same ? NULL : "is not what the body says";
}
