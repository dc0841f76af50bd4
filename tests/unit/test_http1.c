/* http1: every request is read whole and byte by byte, from a copy without anything behind it, and
 * both readings must agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "supervisor/front/http1.h"

#define TEXT(literal) (literal), sizeof(literal) - 1
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST /m HTTP/1.1\r\nHost: h\r\n"
#define HOST "Host: h\r\n"
#define END "\r\n"

static const struct http1_limits limits = {
	.request_line = 100,
	.header_bytes = 400,
	.headers = 8,
	.body_bytes = 1000,
};

/* One head: its length, 0 (not complete) or -status. */
static ssize_t parse(const char *text, size_t len, struct http1_request *ret)
{
	struct http1_scan scan = { 0 };

	return http1_parse_head(&scan, text, len, &limits, ret);
}

/* The same in a new piece of memory for each byte; a refusal may come before the end. */
static ssize_t parse_bytewise(const char *text, size_t len, struct http1_request *ret)
{
	struct http1_scan scan = { 0 };
	ssize_t r = 0;

	for (size_t n = 0; n <= len && r == 0; n++) {
		auto_free char *copy = alloc_try(n + 1);

		memcpy(copy + 1, text, n); /* the end of the block is the end of the text */
		r = http1_parse_head(&scan, copy + 1, n, &limits, ret);
	}
	return r;
}

static ssize_t parse_both(const char *text, size_t len, struct http1_request *ret)
{
	struct http1_request whole = { 0 };
	ssize_t r = parse_bytewise(text, len, ret);
	ssize_t r_whole = parse(text, len, &whole);
	const char *why = ret->why;

	if (r != r_whole)
		fail_msg("%s: %zd bytewise, %zd at once", text, r, r_whole);
	if (why != whole.why)
		fail_msg("%s: '%s' bytewise, '%s' at once", text, why ? why : "", whole.why);
	*ret = whole;
	return r;
}

static void refuses(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		int status;
	} heads[] = {
		/* the request line */
		{ TEXT(" " GET HOST END), 400 },
		{ TEXT("GET\r\n"), 400 },
		{ TEXT("GET /\r\n"), 400 },
		{ TEXT("GET / \r\n"), 400 },
		{ TEXT("GET  / HTTP/1.1\r\n"), 400 },
		{ TEXT("GET /  HTTP/1.1\r\n"), 400 },
		{ TEXT("GET / HTTP/1.1 \r\n"), 400 },
		{ TEXT("GET /a b HTTP/1.1\r\n"), 400 },
		{ TEXT("GET\t/\tHTTP/1.1\r\n"), 400 },
		{ TEXT("GET / http/1.1\r\n"), 400 },
		{ TEXT("GET / HTTP/1\r\n"), 400 },
		{ TEXT("GET / HTTP/11\r\n"), 400 },
		{ TEXT("GET / HTTP/1.10\r\n"), 400 },
		{ TEXT("GET / HTTP/01.1\r\n"), 400 },
		{ TEXT("GET / HTTP/1,1\r\n"), 400 },
		{ TEXT("GET / HTTP/1.2\r\n"), 505 },
		{ TEXT("GET / HTTP/0.9\r\n"), 505 },
		{ TEXT("GET / HTTP/2.0\r\n"), 505 },
		{ TEXT("GET / HTTP/3.1\r\n"), 505 },
		{ TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400 },
		{ TEXT("G(T / HTTP/1.1\r\n"), 400 },
		{ TEXT("G\xc3\x89T / HTTP/1.1\r\n"), 400 },
		{ TEXT("GET: / HTTP/1.1\r\n"), 400 },
		{ TEXT("CONNECT h:443 HTTP/1.1\r\n"), 501 },
		{ TEXT("GET * HTTP/1.1\r\n"), 400 },
		{ TEXT("options * HTTP/1.1\r\n"), 400 },
		{ TEXT("GET sse HTTP/1.1\r\n"), 400 },
		{ TEXT("GET /#f HTTP/1.1\r\n"), 400 },
		{ TEXT("GET /% HTTP/1.1\r\n"), 400 },
		{ TEXT("GET /\xc3\xa9 HTTP/1.1\r\n"), 400 },
		{ TEXT("GET ftp://h/ HTTP/1.1\r\n"), 400 },
		{ TEXT("GET http://u@h/ HTTP/1.1\r\n"), 400 },
		{ TEXT("GET http:// HTTP/1.1\r\n"), 400 },
		{ TEXT("\r\n\r\n\r\n\r\n\r\n"), 400 },
		/* line ends and what a line may hold */
		{ TEXT("GET / HTTP/1.1\n"), 400 },
		{ TEXT("\n"), 400 },
		{ TEXT("\r\r\n"), 400 },
		{ TEXT(GET "Host: h\n"), 400 },
		{ TEXT(GET HOST "\n"), 400 },
		{ TEXT(GET HOST "\rX"), 400 },
		{ TEXT(GET "Host: h\rX: y\r\n"), 400 },
		{ TEXT(GET "Host: h\r\r\n"), 400 },
		{ TEXT("GET /\0 HTTP/1.1\r\n"), 400 },
		{ TEXT(GET "X: a\0b\r\n"), 400 },
		{ TEXT(GET "X: a\x01\r\n"), 400 },
		{ TEXT(GET "X: a\x1b[0m\r\n"), 400 },
		{ TEXT(GET "X: a\x7f\r\n"), 400 },
		{ TEXT(GET "X\0: a\r\n"), 400 },
		{ TEXT("\x16\x03\x01\x02"), 400 },
		/* fields */
		{ TEXT(GET HOST "X : y\r\n" END), 400 },
		{ TEXT(GET HOST "X\t: y\r\n" END), 400 },
		{ TEXT(GET HOST " X: y\r\n" END), 400 },
		{ TEXT(GET HOST "X: y\r\n z\r\n" END), 400 },
		{ TEXT(GET HOST "X: y\r\n\tz\r\n" END), 400 },
		{ TEXT(GET HOST "X: y\r\n \r\n" END), 400 },
		{ TEXT(GET HOST ": y\r\n" END), 400 },
		{ TEXT(GET HOST "X y\r\n" END), 400 },
		{ TEXT(GET HOST "X/Y: z\r\n" END), 400 },
		{ TEXT(GET HOST "(X: z\r\n" END), 400 },
		{ TEXT("(GET / HTTP/1.1\r\n"), 400 },
		{ TEXT(GET HOST "\xc3\x89: z\r\n" END), 400 },
		/* Host */
		{ TEXT(GET END), 400 },
		{ TEXT(GET HOST HOST END), 400 },
		{ TEXT(GET HOST "hOST: g\r\n" END), 400 },
		{ TEXT(GET "Host:\r\n" END), 400 },
		{ TEXT(GET "Host: a b\r\n" END), 400 },
		{ TEXT(GET "Host: a,b\r\n" END), 400 },
		{ TEXT(GET "Host: h:1:2\r\n" END), 400 },
		{ TEXT(GET "Host: h:99999\r\n" END), 400 },
		{ TEXT(GET "Host: u@h\r\n" END), 400 },
		{ TEXT(GET "Host: http://h\r\n" END), 400 },
		{ TEXT(GET "Host: [::1\r\n" END), 400 },
		{ TEXT("GET / HTTP/1.0\r\nHost: a b\r\n" END), 400 },
		{ TEXT("GET http://h/ HTTP/1.1\r\n" END), 400 },
		/* framing of the body */
		{ TEXT(POST "Content-Length: 1\r\nContent-Length: 1\r\n" END), 400 },
		{ TEXT(POST "Content-Length: 1\r\ncontent-length: 2\r\n" END), 400 },
		{ TEXT(POST "Content-Length: 1, 1\r\n" END), 400 },
		{ TEXT(POST "Content-Length: +1\r\n" END), 400 },
		{ TEXT(POST "Content-Length: -1\r\n" END), 400 },
		{ TEXT(POST "Content-Length: 1 1\r\n" END), 400 },
		{ TEXT(POST "Content-Length: 0x1\r\n" END), 400 },
		{ TEXT(POST "Content-Length: 1.0\r\n" END), 400 },
		{ TEXT(POST "Content-Length:\r\n" END), 400 },
		{ TEXT(POST "Content-Length: 18446744073709551616\r\n" END), 400 },
		{ TEXT(POST "Content-Length: 99999999999999999999999\r\n" END), 400 },
		{ TEXT(POST "Content-Length: 1001\r\n" END), 413 },
		{ TEXT(POST "Content-Length: 18446744073709551615\r\n" END), 413 },
		{ TEXT(POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n" END), 400 },
		{ TEXT(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n" END), 400 },
		{ TEXT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END),
			400 },
		{ TEXT(POST "Transfer-Encoding: identity\r\n" END), 400 },
		{ TEXT(POST "Transfer-Encoding: gzip, chunked\r\n" END), 400 },
		{ TEXT(POST "Transfer-Encoding: chunked, chunked\r\n" END), 400 },
		{ TEXT(POST "Transfer-Encoding: chunked;q=1\r\n" END), 400 },
		{ TEXT(POST "Transfer-Encoding: xchunked\r\n" END), 400 },
		{ TEXT(POST "Transfer-Encoding: \x0b"
			    "chunked\r\n" END),
			400 },
		{ TEXT(POST "Transfer-Encoding:\r\n" END), 400 },
		{ TEXT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END), 400 },
		/* expectations */
		{ TEXT(POST "Content-Length: 1\r\nExpect: 200-ok\r\n" END), 417 },
		{ TEXT(POST "Expect:\r\n" END), 417 },
		{ TEXT(POST "Expect: 100-continue\r\nExpect: 100-continue\r\n" END), 417 },
		/* number of lines */
		{ TEXT(GET "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\n"), 431 },
	};

	for (size_t i = 0; i < N_ELEMENTS(heads); i++) {
		struct http1_request req = { 0 };
		ssize_t r = parse_both(heads[i].text, heads[i].len, &req);

		if (r != -heads[i].status)
			fail_msg("%s: %zd, not %d", heads[i].text, r, -heads[i].status);
		assert_non_null(req.why);
	}
}

struct good {
	const char *text;
	enum http1_method method;
	const char *path, *query, *host;
	int minor;
	uint64_t length;
	bool has_length, chunked, keep_alive, expect;
};

static void assert_span(const char *of, struct span span, const char *expected)
{
	if (!expected && !span.at)
		return;
	if (!expected || !span_is(span, expected))
		fail_msg("%s: '%.*s', not '%s'", of, (int)span.len, span.at ? span.at : "",
			expected ? expected : "(absent)");
}

static void takes(void **state)
{
	static const struct good heads[] = {
		{ GET HOST END, HTTP1_GET, "/", NULL, "h", 1, .keep_alive = true },
		{ "\r\n\r\n\r\n\r\n" GET HOST END, HTTP1_GET, "/", NULL, "h", 1,
			.keep_alive = true },
		{ "HEAD /a%20b?c=%64 HTTP/1.1\r\nhOsT:h:80\r\n" END, HTTP1_HEAD, "/a%20b", "c=%64",
			"h:80", 1, .keep_alive = true },
		{ "DELETE /mcp HTTP/1.1\r\nHost:\t [::1]:8000 \t\r\n" END, HTTP1_DELETE, "/mcp",
			NULL, "[::1]:8000", 1, .keep_alive = true },
		{ "OPTIONS * HTTP/1.1\r\n" HOST END, HTTP1_OPTIONS, NULL, NULL, "h", 1,
			.keep_alive = true },
		{ "OPTIONS / HTTP/1.1\r\n" HOST END, HTTP1_OPTIONS, "/", NULL, "h", 1,
			.keep_alive = true },
		{ "PUT / HTTP/1.1\r\n" HOST END, HTTP1_PUT, "/", NULL, "h", 1, .keep_alive = true },
		{ "PATCH / HTTP/1.1\r\n" HOST END, HTTP1_PATCH, "/", NULL, "h", 1,
			.keep_alive = true },
		{ "get / HTTP/1.1\r\n" HOST END, HTTP1_OTHER, "/", NULL, "h", 1,
			.keep_alive = true },
		{ "M-SEARCH / HTTP/1.1\r\n" HOST END, HTTP1_OTHER, "/", NULL, "h", 1,
			.keep_alive = true },
		{ "GET http://a:1/b?c HTTP/1.1\r\nHost: other\r\n" END, HTTP1_GET, "/b", "c", "a:1",
			1, .keep_alive = true },
		{ "GET http://a HTTP/1.1\r\nHost: a\r\n" END, HTTP1_GET, "/", NULL, "a", 1,
			.keep_alive = true },
		{ GET HOST "Connection: close\r\n" END, HTTP1_GET, "/", NULL, "h", 1,
			.keep_alive = false },
		{ GET HOST "Connection: x ,\tCLOSE\r\n" END, HTTP1_GET, "/", NULL, "h", 1,
			.keep_alive = false },
		{ GET HOST "Connection: ,,\r\nconnection: keep-alive, close,\r\n" END, HTTP1_GET,
			"/", NULL, "h", 1, .keep_alive = false },
		{ GET HOST "Connection: closed, enclose\r\n" END, HTTP1_GET, "/", NULL, "h", 1,
			.keep_alive = true },
		{ GET HOST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" END, HTTP1_GET,
			"/", NULL, "h", 1, .keep_alive = true },
		{ GET "Connection: close\r\n" HOST "Connection: x\r\n" END, HTTP1_GET, "/", NULL,
			"h", 1, .keep_alive = false },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: x\r\n" END, HTTP1_GET,
			"/", NULL, NULL, 0, .keep_alive = true },
		{ "GET / HTTP/1.0\r\n" END, HTTP1_GET, "/", NULL, NULL, 0, .keep_alive = false },
		{ "GET / HTTP/1.0\r\n" HOST "Connection: Keep-Alive\r\n" END, HTTP1_GET, "/", NULL,
			"h", 0, .keep_alive = true },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n" END, HTTP1_GET, "/", NULL,
			NULL, 0, .keep_alive = false },
		{ POST "Content-Length: 0\r\n" END, HTTP1_POST, "/m", NULL, "h", 1,
			.has_length = true, .keep_alive = true },
		{ POST "Content-Length:  0012 \r\n" END, HTTP1_POST, "/m", NULL, "h", 1,
			.length = 12, .has_length = true, .keep_alive = true },
		{ POST "Content-Length: 1000\r\nExpect: 100-Continue\r\n" END, HTTP1_POST, "/m",
			NULL, "h", 1, .length = 1000, .has_length = true, .keep_alive = true,
			.expect = true },
		{ POST "Expect: 100-continue\r\n" END, HTTP1_POST, "/m", NULL, "h", 1,
			.keep_alive = true },
		{ POST "Transfer-Encoding: Chunked\r\nExpect: 100-continue\r\n" END, HTTP1_POST,
			"/m", NULL, "h", 1, .chunked = true, .keep_alive = true, .expect = true },
		{ "POST /m HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n" END,
			HTTP1_POST, "/m", NULL, NULL, 0, .length = 3, .has_length = true },
		{ GET HOST "X:\r\nY: \t \r\nZ: \xc3\xa9\ta\r\n" END, HTTP1_GET, "/", NULL, "h", 1,
			.keep_alive = true },
		{ GET HOST "2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n" END, HTTP1_GET, "/", NULL,
			"h", 1, .keep_alive = true },
	};

	for (size_t i = 0; i < N_ELEMENTS(heads); i++) {
		const struct good *g = &heads[i];
		struct http1_request req = { 0 };
		ssize_t r = parse_both(g->text, strlen(g->text), &req);

		if (r != (ssize_t)strlen(g->text))
			fail_msg("%s: %zd %s", g->text, r, req.why ? req.why : "");
		assert_int_equal(req.method, g->method);
		assert_span(g->text, req.uri.path, g->path);
		assert_span(g->text, req.uri.query, g->query);
		assert_span(g->text, req.host, g->host);
		assert_int_equal(req.minor, g->minor);
		assert_int_equal(req.content_length, g->length);
		assert_int_equal(req.has_length, g->has_length);
		assert_int_equal(req.chunked, g->chunked);
		assert_int_equal(req.keep_alive, g->keep_alive);
		assert_int_equal(req.expect_continue, g->expect);
		assert_int_equal(http1_has_body(&req), g->length > 0 || g->chunked);
	}
}

static void finds_headers(void **state)
{
	static const char text[] = GET HOST "Accept: a\r\nX:\r\naccept:\t b , c \r\n" END;
	struct http1_request req;
	size_t count = 9;

	assert_int_equal(parse(TEXT(text), &req), sizeof(text) - 1);
	assert_int_equal(req.n_fields, 4);
	assert_span(text, req.fields[1].name, "Accept");
	assert_span(text, req.fields[3].value, "b , c");
	assert_span(text, http1_header(&req, "ACCEPT", &count), "a");
	assert_int_equal(count, 2);
	assert_span(text, http1_header(&req, "x", NULL), "");
	assert_null(http1_header(&req, "accep", &count).at);
	assert_int_equal(count, 0);
	assert_span(text, req.method_name, "GET");
	assert_span(text, req.target, "/");
}

static void finds_tokens(void **state)
{
	struct span list = { .at = "a, b\t,,C d,e,", .len = 13 };

	assert_true(http1_has_token(list, "a"));
	assert_true(http1_has_token(list, "B"));
	assert_true(http1_has_token(list, "c D"));
	assert_true(http1_has_token(list, "e"));
	assert_false(http1_has_token(list, "c"));
	assert_false(http1_has_token(list, "d"));
	assert_false(http1_has_token((struct span){ 0 }, "a"));
}

/* Every prefix of a good head is "more to come", and nothing is read behind its end. */
static void waits_for_the_rest(void **state)
{
	static const char text[] =
		"\r\nPOST /m?s=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		auto_free char *copy = alloc_try(n + 1);
		struct http1_request req;

		memcpy(copy + 1, text, n);
		assert_int_equal(parse(copy + 1, n, &req), 0);
	}
}

static void add_times(struct strbuf *buf, char c, size_t n)
{
	while (n-- > 0)
		strbuf_addc(buf, c);
}

/* The limits hold exactly, and are noticed before the line or the head is complete. */
static void bounds_lines_and_head(void **state)
{
	static const size_t around_target = sizeof("GET / HTTP/1.1") - 1;
	struct http1_request req;
	auto_strbuf text = { 0 };

	for (size_t more = 0; more < 2; more++) {
		strbuf_cut(&text, 0);
		strbuf_adds(&text, "GET /");
		add_times(&text, 'a', limits.request_line - around_target + more);
		strbuf_adds(&text, " HTTP/1.1\r\n" HOST END);
		assert_int_equal(
			parse_both(text.data, text.len, &req), more ? -414 : (ssize_t)text.len);

		strbuf_cut(&text, 0);
		strbuf_adds(&text, "\r\n" GET HOST "X: ");
		add_times(&text, 'a', limits.header_bytes + 2 - text.len - 4 + more);
		strbuf_adds(&text, "\r\n" END);
		assert_int_equal(text.len, 2 + limits.header_bytes + more);
		assert_int_equal(
			parse_both(text.data, text.len, &req), more ? -431 : (ssize_t)text.len);
	}
	strbuf_cut(&text, 0);
	add_times(&text, 'a', limits.request_line + 1);
	assert_int_equal(parse_both(text.data, text.len, &req), -414);
	strbuf_cut(&text, 0);
	strbuf_adds(&text, GET);
	add_times(&text, 'a', limits.header_bytes);
	assert_int_equal(parse_both(text.data, text.len, &req), -431);
}

/* More fields than the struct has room for are refused, whatever the limits say. */
static void never_overflows_the_fields(void **state)
{
	const struct http1_limits generous = { 8192, 1048576, SIZE_MAX, 0 };
	auto_strbuf text = { 0 };

	strbuf_adds(&text, GET HOST);
	for (size_t n = 1; n < HTTP1_MAX_FIELDS; n++)
		strbuf_adds(&text, "X: y\r\n");
	for (int more = 0; more < 2; more++) {
		struct http1_scan scan = { 0 };
		struct http1_request req;
		size_t len = text.len;
		ssize_t r;

		strbuf_adds(&text, END);
		r = http1_parse_head(&scan, text.data, text.len, &generous, &req);
		assert_int_equal(r, more ? -431 : (ssize_t)text.len);
		strbuf_cut(&text, len);
		strbuf_adds(&text, "X: y\r\n");
	}
}

struct body_case {
	const char *text;
	size_t len;
	int r; /* 1, 0 or -status */
	const char *body;
	size_t n_behind; /* bytes that are left */
};

/* In pieces of `piece` bytes. */
static int read_body(const struct body_case *c, bool chunked, size_t piece, struct strbuf *ret_body,
	size_t *ret_left)
{
	struct http1_request req = { .chunked = chunked, .content_length = chunked ? 0 : 5 };
	struct http1_body body;
	size_t at = 0;
	int r = 0;

	http1_body_start(&body, &req, 20);
	while (r == 0 && at < c->len) {
		size_t n = c->len - at < piece ? c->len - at : piece;
		auto_free char *copy = alloc_try(n);
		size_t used = SIZE_MAX;

		memcpy(copy, c->text + at, n);
		r = http1_body_read(&body, copy, n, &used, ret_body);
		assert_true(used <= n);
		assert_true(r != 0 || used == n);
		at += used;
	}
	*ret_left = c->len - at;
	assert_true((r < 0) == (body.why != NULL));
	return r;
}

static void check_bodies(const struct body_case *cases, size_t n, bool chunked)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t piece = 1; piece <= cases[i].len; piece++) {
			auto_strbuf body = { 0 };
			size_t left = 0;
			int r = read_body(&cases[i], chunked, piece, &body, &left);

			if (r != cases[i].r)
				fail_msg("%s by %zu: %d, not %d", cases[i].text, piece, r,
					cases[i].r);
			if (r < 0)
				continue;
			assert_string_equal(strbuf_get(&body), cases[i].body);
			assert_int_equal(left, cases[i].n_behind);
		}
	}
}

static void reads_bodies_by_length(void **state)
{
	static const struct body_case cases[] = {
		{ TEXT("hello"), 1, "hello", 0 },
		{ TEXT("hell"), 0, "hell", 0 },
		{ TEXT("helloGET / HTTP/1.1"), 1, "hello", 14 },
	};

	check_bodies(cases, N_ELEMENTS(cases), false);
}

static void reads_chunked_bodies(void **state)
{
	static const struct body_case cases[] = {
		{ TEXT("0\r\n\r\n"), 1, "", 0 },
		{ TEXT("5\r\nhello\r\n0\r\n\r\n"), 1, "hello", 0 },
		{ TEXT("5\r\nhello\r\n0\r\n\r\nGET"), 1, "hello", 3 },
		{ TEXT("2\r\nhe\r\n3\r\nllo\r\n000\r\n\r\n"), 1, "hello", 0 },
		{ TEXT("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), 1,
			"01234567890123456789", 0 },
		{ TEXT("F\r\n0123456789abcde\r\nf\r\n"), -413, NULL, 0 },
		{ TEXT("F\r\n0123456789abcde\r\n5\r\nfghij\r\n0\r\n\r\n"), 1,
			"0123456789abcdefghij", 0 },
		{ TEXT("0000000000000005\r\n\r\n0\r\n\r\n0\r\n\r\n"), 1, "\r\n0\r\n", 0 },
		{ TEXT("5;a=b;c=\"\xc3\xa9 \t\"\r\nhello\r\n0;z\r\n\r\n"), 1, "hello", 0 },
		{ TEXT("0\r\nX: y\r\nZ-z:\r\n\r\n"), 1, "", 0 },
		{ TEXT("5\r\nhello\r\n0\r\n"), 0, "hello", 0 },
		{ TEXT("5\r\nhel"), 0, "hel", 0 },
		{ TEXT("0x5\r\n"), -400, NULL, 0 },
		{ TEXT("+5\r\n"), -400, NULL, 0 },
		{ TEXT("-5\r\n"), -400, NULL, 0 },
		{ TEXT(" 5\r\n"), -400, NULL, 0 },
		{ TEXT("5 \r\n"), -400, NULL, 0 },
		{ TEXT("5 ;a\r\n"), -400, NULL, 0 },
		{ TEXT("\r\n"), -400, NULL, 0 },
		{ TEXT(";a\r\n"), -400, NULL, 0 },
		{ TEXT("5\nhello"), -400, NULL, 0 },
		{ TEXT("5\rhello"), -400, NULL, 0 },
		{ TEXT("5\0\r\n"), -400, NULL, 0 },
		{ TEXT("g\r\n"), -400, NULL, 0 },
		{ TEXT("00000000000000005\r\n"), -400, NULL, 0 },
		{ TEXT("10000000000000000\r\n"), -400, NULL, 0 },
		{ TEXT("ffffffffffffffff\r\n"), -413, NULL, 0 },
		{ TEXT("15\r\n"), -413, NULL, 0 },
		{ TEXT("a\r\n0123456789\r\nb\r\n"), -413, NULL, 0 },
		{ TEXT("a\r\n0123456789\r\nfffffffffffffff6\r\n"), -413, NULL, 0 },
		{ TEXT("5\r\nhelloX"), -400, NULL, 0 },
		{ TEXT("5\r\nhello\n0\r\n"), -400, NULL, 0 },
		{ TEXT("5\r\nhello\rX"), -400, NULL, 0 },
		{ TEXT("5;\0\r\n"), -400, NULL, 0 },
		{ TEXT("5;a\nhello"), -400, NULL, 0 },
		{ TEXT("5;a\r\rhello"), -400, NULL, 0 },
		{ TEXT("0\r\nX y\r\n\r\n"), -400, NULL, 0 },
		{ TEXT("0\r\nX : y\r\n\r\n"), -400, NULL, 0 },
		{ TEXT("0\r\nX\r\n\r\n"), -400, NULL, 0 },
		{ TEXT("0\r\n: y\r\n\r\n"), -400, NULL, 0 },
		{ TEXT("0\r\n folded\r\n\r\n"), -400, NULL, 0 },
		{ TEXT("0\r\nX: a\0\r\n\r\n"), -400, NULL, 0 },
		{ TEXT("0\r\nX: a\n\r\n"), -400, NULL, 0 },
		{ TEXT("0\r\nX: a\rb"), -400, NULL, 0 },
		{ TEXT("0\r\n\n"), -400, NULL, 0 },
		{ TEXT("0\r\n\rX"), -400, NULL, 0 },
	};

	check_bodies(cases, N_ELEMENTS(cases), true);
}

static int read_chunked(const char *text, size_t len)
{
	struct http1_request req = { .chunked = true };
	auto_strbuf out = { 0 };
	struct http1_body body;
	size_t used;

	http1_body_start(&body, &req, 1000);
	return http1_body_read(&body, text, len, &used, &out);
}

static void bounds_extensions_and_trailers(void **state)
{
	auto_strbuf text = { 0 };

	strbuf_adds(&text, "1;");
	add_times(&text, 'a', HTTP1_MAX_EXTENSION_BYTES);
	assert_int_equal(read_chunked(text.data, text.len), 0);
	strbuf_addc(&text, 'a');
	assert_int_equal(read_chunked(text.data, text.len), -400);

	/* they add up over the chunks */
	strbuf_cut(&text, 0);
	for (int i = 0; i < HTTP1_MAX_EXTENSION_BYTES / 8 + 1; i++)
		strbuf_adds(&text, "1;12345678\r\nx\r\n");
	assert_int_equal(read_chunked(text.data, text.len), -400);

	strbuf_cut(&text, 0);
	strbuf_adds(&text, "0\r\nX:");
	add_times(&text, 'a', HTTP1_MAX_TRAILER_BYTES - 2);
	assert_int_equal(read_chunked(text.data, text.len), 0);
	strbuf_addc(&text, 'a');
	assert_int_equal(read_chunked(text.data, text.len), -431);
}

/* Requests behind each other in one buffer: each begins where the one before ended. */
static void reads_pipelined_requests(void **state)
{
	static const char text[] = "POST /1 HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"
				   "POST /2 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
				   "5\r\nhello\r\n0\r\n\r\n"
				   "\r\nGET /3 HTTP/1.1\r\n" HOST "\r\n"
				   "GET /4 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
	static const char *const paths[] = { "/1", "/2", "/3", "/4" };
	const char *at = text;
	size_t len = sizeof(text) - 1;

	for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
		struct http1_request req;
		struct http1_body body;
		auto_strbuf content = { 0 };
		size_t used = 0;
		ssize_t r = parse(at, len, &req);

		assert_true(r > 0);
		assert_span(text, req.uri.path, paths[i]);
		assert_int_equal(req.keep_alive, i < 3);
		at += r;
		len -= (size_t)r;
		http1_body_start(&body, &req, 1000);
		assert_int_equal(http1_body_read(&body, at, len, &used, &content), 1);
		assert_string_equal(strbuf_get(&content), i < 2 ? "hello" : "");
		at += used;
		len -= used;
	}
	assert_int_equal(len, 0);
}

/* After a body without framing the reader is done at once and takes nothing. */
static void reads_no_body_where_there_is_none(void **state)
{
	struct http1_request req = { 0 };
	auto_strbuf out = { 0 };
	struct http1_body body;
	size_t used = 7;

	http1_body_start(&body, &req, 1000);
	assert_int_equal(http1_body_read(&body, "GET", 3, &used, &out), 1);
	assert_int_equal(used, 0);
	assert_int_equal(http1_body_read(&body, NULL, 0, &used, &out), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(takes),
		cmocka_unit_test(finds_headers),
		cmocka_unit_test(finds_tokens),
		cmocka_unit_test(waits_for_the_rest),
		cmocka_unit_test(bounds_lines_and_head),
		cmocka_unit_test(never_overflows_the_fields),
		cmocka_unit_test(reads_bodies_by_length),
		cmocka_unit_test(reads_chunked_bodies),
		cmocka_unit_test(bounds_extensions_and_trailers),
		cmocka_unit_test(reads_pipelined_requests),
		cmocka_unit_test(reads_no_body_where_there_is_none),
	};

	return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}
