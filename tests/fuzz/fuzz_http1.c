/* HTTP/1.1 requests: whatever comes, in whatever pieces, is read the same way, and what is taken
 * keeps its promises. The first byte of the input says how long the pieces are. */
#include "supervisor/front/http1.h"
#include "tests/fuzz/fuzz.h"

static const struct http1_limits limits = {
	.request_line = 1024,
	.header_bytes = 2048,
	.headers = 16,
	.body_bytes = 512,
};

static bool is_inside(struct span span, const char *buf, ssize_t len)
{
	return !span.at || (span.at >= buf && span.at + span.len <= buf + len);
}

static void check_field(const struct http1_field *field, const char *buf, ssize_t len)
{
	CHECK(is_inside(field->name, buf, len) && is_inside(field->value, buf, len));
	CHECK(field->name.len > 0 && field->value.at);
	CHECK(!memchr(field->name.at, ' ', field->name.len));
	for (size_t i = 0; i < field->value.len; i++)
		CHECK((unsigned char)field->value.at[i] >= 0x20 || field->value.at[i] == '\t');
}

static void check_request(const struct http1_request *req, const char *buf, ssize_t len)
{
	struct uri_authority authority;
	size_t n_hosts;

	CHECK(len >= 4 && memcmp(buf + len - 4, "\r\n\r\n", 4) == 0);
	CHECK(is_inside(req->method_name, buf, len) && req->method_name.len > 0);
	CHECK(is_inside(req->target, buf, len) && req->target.len > 0);
	CHECK(req->minor == 0 || req->minor == 1);
	CHECK(req->n_fields <= limits.headers);
	for (size_t i = 0; i < req->n_fields; i++)
		check_field(&req->fields[i], buf, len);

	(void)http1_header(req, "host", &n_hosts);
	CHECK(n_hosts == 1 || (n_hosts == 0 && req->minor == 0));
	CHECK(!req->host.at || uri_split_authority(req->host.at, req->host.len, &authority) == 0);
	CHECK(req->uri.path.at ? req->uri.path.at[0] == '/' : req->method == HTTP1_OPTIONS);
	CHECK(!(req->chunked && req->has_length));
	CHECK(req->has_length || req->content_length == 0);
	CHECK(req->content_length <= limits.body_bytes);
	CHECK(!req->expect_continue || http1_has_body(req));
}

static void check_same_span(struct span a, struct span b)
{
	CHECK(a.len == b.len && !a.at == !b.at);
	CHECK(!a.at || a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static void check_same(const struct http1_request *a, const struct http1_request *b)
{
	CHECK(a->method == b->method && a->minor == b->minor);
	CHECK(a->content_length == b->content_length && a->chunked == b->chunked);
	CHECK(a->keep_alive == b->keep_alive && a->expect_continue == b->expect_continue);
	check_same_span(a->target, b->target);
	check_same_span(a->host, b->host);
	CHECK(a->n_fields == b->n_fields);
	for (size_t i = 0; i < a->n_fields; i++) {
		check_same_span(a->fields[i].name, b->fields[i].name);
		check_same_span(a->fields[i].value, b->fields[i].value);
	}
}

/* The head at `buf`, read at once and in pieces, each time from other memory. */
static ssize_t read_head(const char *buf, size_t len, size_t piece, struct http1_request *ret)
{
	struct http1_scan scan = { 0 };
	ssize_t r = http1_parse_head(&scan, buf, len, &limits, ret);
	struct http1_scan scan_pieces = { 0 };
	struct http1_request in_pieces = { 0 };
	ssize_t r_pieces = 0;

	for (size_t n = 0; r_pieces == 0 && n < len;) {
		auto_free char *copy = NULL;

		n = len - n < piece ? len : n + piece;
		copy = fuzz_copy(buf, n);
		r_pieces = http1_parse_head(&scan_pieces, copy, n, &limits, &in_pieces);
		if (r_pieces > 0)
			check_same(ret, &in_pieces);
	}
	CHECK(r == r_pieces);
	CHECK(r >= 0 || ret->why == in_pieces.why);
	CHECK(r <= (ssize_t)len && (r >= 0 || (ret->why && r <= -400 && r > -600)));
	if (r > 0)
		check_request(ret, buf, r);
	return r;
}

/* The bytes that the body took, or -1 when it is refused or not complete. */
static ssize_t read_body(const struct http1_request *req, const char *buf, size_t len, size_t piece)
{
	auto_strbuf whole = { 0 };
	auto_strbuf in_pieces = { 0 };
	struct http1_body body;
	size_t used = 0;
	size_t used_pieces = 0;
	int r;
	int r_pieces = 0;

	http1_body_start(&body, req, limits.body_bytes);
	r = http1_body_read(&body, buf, len, &used, &whole);
	http1_body_start(&body, req, limits.body_bytes);
	do {
		size_t n = len - used_pieces < piece ? len - used_pieces : piece;
		auto_free char *copy = fuzz_copy(buf + used_pieces, n);
		size_t used_now = 0;

		r_pieces = http1_body_read(&body, copy, n, &used_now, &in_pieces);
		used_pieces += used_now;
	} while (r_pieces == 0 && used_pieces < len);

	CHECK(r == r_pieces && used == used_pieces && used <= len);
	CHECK(whole.len == in_pieces.len && whole.len <= limits.body_bytes);
	CHECK(whole.len == 0 || memcmp(whole.data, in_pieces.data, whole.len) == 0);
	CHECK(r != 0 || used == len);
	CHECK(r != 1 || req->chunked || whole.len == req->content_length);
	return r == 1 ? (ssize_t)used : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data + 1;
	size_t piece = size ? (size_t)data[0] % 64 + 1 : 1;
	size_t left = size ? size - 1 : 0;

	while (left > 0) {
		struct http1_request req;
		ssize_t r = read_head(at, left, piece, &req);

		if (r <= 0)
			break;
		at += r;
		left -= (size_t)r;
		r = read_body(&req, at, left, piece);
		if (r < 0 || !req.keep_alive)
			break;
		at += r;
		left -= (size_t)r;
	}
	return 0;
}
