/* See http1.h. The head is read in two steps. The scan looks at each byte once, in whatever pieces
 * they come, and refuses at once what no header can hold. When the empty line was found, the fields
 * are cut out and judged. Only the request line is read twice: as soon as it is complete, so that a
 * client that speaks something else hears so without a time-out, and with the fields.
 *
 * Each rule that refuses something here closes a door for request smuggling, where a proxy before us
 * reads a request in one way and we in another. */
#include "supervisor/front/http1.h"

#include "shared/ascii.h"

enum {
	BAD_REQUEST = -400,
	BODY_TOO_LARGE = -413,
	TARGET_TOO_LONG = -414,
	EXPECTATION_FAILED = -417,
	HEAD_TOO_LARGE = -431,
	METHOD_UNKNOWN = -501,
	VERSION_UNKNOWN = -505,
};

static const char *const methods[] = {
	[HTTP1_GET] = "GET",
	[HTTP1_HEAD] = "HEAD",
	[HTTP1_POST] = "POST",
	[HTTP1_DELETE] = "DELETE",
	[HTTP1_OPTIONS] = "OPTIONS",
	[HTTP1_PUT] = "PUT",
	[HTTP1_PATCH] = "PATCH",
};

static int refuse(struct http1_request *req, int status, const char *why)
{
	req->why = why;
	return status;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_token(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_token(text.at[i]))
			return false;
	return text.len > 0;
}

static struct span trim(const char *at, const char *end)
{
	while (at < end && is_blank(*at))
		at++;
	while (end > at && is_blank(end[-1]))
		end--;
	return (struct span){ .at = at, .len = (size_t)(end - at) };
}

/* Up to `stop`, which has to be there; *at moves behind it. Absent when it is not. */
static struct span cut(const char **at, const char *end, char stop)
{
	const char *found = *at < end ? memchr(*at, stop, (size_t)(end - *at)) : NULL;
	struct span piece = { .at = *at };

	if (!found)
		return (struct span){ 0 };
	piece.len = (size_t)(found - *at);
	*at = found + 1;
	return piece;
}

static int read_method(struct span name, struct http1_request *ret)
{
	ret->method = HTTP1_OTHER;
	ret->method_name = name;
	if (!is_token(name))
		return refuse(ret, BAD_REQUEST, "the request line has no method");
	for (size_t i = 0; i < N_ELEMENTS(methods); i++)
		if (span_is(name, methods[i]))
			ret->method = (enum http1_method)i;
	return 0;
}

static int read_target(struct span target, struct http1_request *ret)
{
	ret->target = target;
	if (ret->method == HTTP1_OPTIONS && span_is(target, "*"))
		return 0;
	if (span_is(ret->method_name, "CONNECT"))
		return refuse(ret, METHOD_UNKNOWN, "CONNECT is for proxies");
	if (uri_split(target.at, target.len, &ret->uri) < 0)
		return refuse(ret, BAD_REQUEST, "the request line has no valid target");
	return 0;
}

static int read_version(struct span version, struct http1_request *ret)
{
	if (version.len != strlen("HTTP/1.1") || memcmp(version.at, "HTTP/", 5) != 0 ||
		!ascii_is_digit(version.at[5]) || version.at[6] != '.' ||
		!ascii_is_digit(version.at[7]))
		return refuse(ret, BAD_REQUEST, "the request line has no HTTP version");
	if (version.at[5] != '1' || version.at[7] > '1')
		return refuse(ret, VERSION_UNKNOWN, "only HTTP/1.0 and HTTP/1.1 are spoken here");
	ret->minor = version.at[7] - '0';
	return 0;
}

static int read_request_line(const char *at, const char *end, struct http1_request *ret)
{
	struct span method = cut(&at, end, ' ');
	struct span target = cut(&at, end, ' ');
	int r;

	r = read_method(method, ret);
	if (r < 0)
		return r;
	if (!target.at)
		return refuse(ret, BAD_REQUEST, "the request line has no HTTP version");
	r = read_target(target, ret);
	if (r < 0)
		return r;
	return read_version((struct span){ .at = at, .len = (size_t)(end - at) }, ret);
}

/* A line was completed; `line_end` is where its CR stands. 1: it was the empty one behind the head. */
static int end_line(struct http1_scan *scan, const char *buf, size_t line_end,
	const struct http1_limits *limits, struct http1_request *ret)
{
	bool is_empty = line_end == scan->line_at;

	if (is_empty && scan->n_lines > 0)
		return 1;
	if (is_empty) {
		if (++scan->n_empty > HTTP1_MAX_EMPTY_LINES)
			return refuse(ret, BAD_REQUEST, "empty lines instead of a request");
		scan->head_at = line_end + 2;
		return 0;
	}
	if (scan->n_lines++ == 0)
		return read_request_line(buf + scan->line_at, buf + line_end, ret);
	if (scan->n_lines - 1 > limits->headers || scan->n_lines - 1 > HTTP1_MAX_FIELDS)
		return refuse(ret, HEAD_TOO_LARGE, "too many headers");
	return 0;
}

/* The byte at scan->seen: 0 go on, 1 it ends the head, or -status. */
static int scan_byte(struct http1_scan *scan, const char *buf, const struct http1_limits *limits,
	struct http1_request *ret)
{
	size_t i = scan->seen;
	bool is_after_cr = i > scan->line_at && buf[i - 1] == '\r';
	int r;

	if (i - scan->head_at >= limits->header_bytes)
		return refuse(ret, HEAD_TOO_LARGE, "the head is too long");
	if (buf[i] == '\n') {
		if (!is_after_cr)
			return refuse(ret, BAD_REQUEST, "a line feed without a carriage return");
		r = end_line(scan, buf, i - 1, limits, ret);
		scan->line_at = i + 1;
		return r;
	}
	if (is_after_cr)
		return refuse(ret, BAD_REQUEST, "a carriage return without a line feed");
	if (buf[i] == '\r')
		return 0;
	if (ascii_is_control(buf[i]))
		return refuse(ret, BAD_REQUEST, "a control character in the head");
	if (scan->n_lines == 0 && i - scan->line_at >= limits->request_line)
		return refuse(ret, TARGET_TOO_LONG, "the request line is too long");
	return 0;
}

static int read_field(const char *at, const char *end, struct http1_request *ret)
{
	struct http1_field *field = &ret->fields[ret->n_fields];

	if (is_blank(*at))
		return refuse(ret, BAD_REQUEST, "a folded header");
	field->name = cut(&at, end, ':');
	if (!field->name.at)
		return refuse(ret, BAD_REQUEST, "a header without a colon");
	if (!is_token(field->name))
		return refuse(ret, BAD_REQUEST, "a header with an invalid name");
	field->value = trim(at, end);
	ret->n_fields++;
	return 0;
}

/* Cuts the scanned head [at, end) into its lines. */
static int read_lines(const char *at, const char *end, struct http1_request *ret)
{
	struct span line = cut(&at, end, '\r');
	int r = read_request_line(line.at, line.at + line.len, ret);

	while (r == 0) {
		at++; /* the line feed */
		line = cut(&at, end, '\r');
		if (line.len == 0)
			return 0;
		r = read_field(line.at, line.at + line.len, ret);
	}
	return r;
}

struct span http1_header(const struct http1_request *req, const char *name, size_t *ret_count)
{
	struct span value = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < req->n_fields; i++)
		if (span_is_nocase(req->fields[i].name, name) && n++ == 0)
			value = req->fields[i].value;
	if (ret_count)
		*ret_count = n;
	return value;
}

bool http1_has_token(struct span value, const char *token)
{
	const char *at = value.at;
	const char *end = value.at ? value.at + value.len : NULL;

	while (at && at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));

		if (!comma)
			comma = end;
		if (span_is_nocase(trim(at, comma), token))
			return true;
		at = comma < end ? comma + 1 : end;
	}
	return false;
}

static int judge_host(struct http1_request *req)
{
	struct uri_authority ignored;
	size_t count;
	struct span host = http1_header(req, "host", &count);

	if (count > 1)
		return refuse(req, BAD_REQUEST, "more than one Host");
	if (count == 0 && req->minor > 0)
		return refuse(req, BAD_REQUEST, "no Host");
	if (count > 0 && uri_split_authority(host.at, host.len, &ignored) < 0)
		return refuse(req, BAD_REQUEST, "Host is not a host");
	req->host = req->uri.authority.at ? req->uri.authority : host;
	return 0;
}

/* Digits only; false also when the number does not fit. */
static bool read_number(struct span text, uint64_t *ret)
{
	uint64_t number = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint64_t digit;

		if (!ascii_is_digit(text.at[i]))
			return false;
		digit = (uint64_t)(text.at[i] - '0');
		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret = number;
	return text.len > 0;
}

static int judge_framing(struct http1_request *req, const struct http1_limits *limits)
{
	size_t n_lengths;
	size_t n_codings;
	struct span length = http1_header(req, "content-length", &n_lengths);
	struct span coding = http1_header(req, "transfer-encoding", &n_codings);

	if (n_lengths > 0 && n_codings > 0)
		return refuse(req, BAD_REQUEST, "both Content-Length and Transfer-Encoding");
	if (n_lengths > 1)
		return refuse(req, BAD_REQUEST, "more than one Content-Length");
	if (n_lengths > 0 && !read_number(length, &req->content_length))
		return refuse(req, BAD_REQUEST, "Content-Length is not a number");
	if (n_codings > 0 && req->minor == 0)
		return refuse(req, BAD_REQUEST, "Transfer-Encoding in HTTP/1.0");
	if (n_codings > 1 || (n_codings > 0 && !span_is_nocase(coding, "chunked")))
		return refuse(req, BAD_REQUEST, "a transfer coding other than chunked");
	if (req->content_length > limits->body_bytes)
		return refuse(req, BODY_TOO_LARGE, "the body is larger than limits.request_bytes");
	req->has_length = n_lengths > 0;
	req->chunked = n_codings > 0;
	return 0;
}

static int judge_connection(struct http1_request *req)
{
	bool close = false;
	bool keep = false;
	size_t n_expects;
	struct span expect = http1_header(req, "expect", &n_expects);

	for (size_t i = 0; i < req->n_fields; i++) {
		if (!span_is_nocase(req->fields[i].name, "connection"))
			continue;
		close |= http1_has_token(req->fields[i].value, "close");
		keep |= http1_has_token(req->fields[i].value, "keep-alive");
	}
	req->keep_alive = !close && (req->minor > 0 || keep);

	if (n_expects == 0 || req->minor == 0)
		return 0; /* RFC 9110 section 10.1.1: HTTP/1.0 has no expectations */
	if (n_expects > 1 || !span_is_nocase(expect, "100-continue"))
		return refuse(req, EXPECTATION_FAILED, "an expectation other than 100-continue");
	req->expect_continue = http1_has_body(req);
	return 0;
}

static int judge(struct http1_request *req, const struct http1_limits *limits)
{
	int r = judge_host(req);

	if (r == 0)
		r = judge_framing(req, limits);
	if (r == 0)
		r = judge_connection(req);
	return r;
}

ssize_t http1_parse_head(struct http1_scan *scan, const char *buf, size_t len,
	const struct http1_limits *limits, struct http1_request *ret)
{
	int r = 0;

	ret->method = HTTP1_OTHER;
	ret->why = NULL;
	while (r == 0 && scan->seen < len) {
		r = scan_byte(scan, buf, limits, ret);
		scan->seen++;
	}
	if (r <= 0)
		return r;

	*ret = (struct http1_request){ .method = HTTP1_OTHER };
	r = read_lines(buf + scan->head_at, buf + scan->seen, ret);
	if (r == 0)
		r = judge(ret, limits);
	return r < 0 ? r : (ssize_t)scan->seen;
}

bool http1_has_body(const struct http1_request *req)
{
	return req->chunked || req->content_length > 0;
}
