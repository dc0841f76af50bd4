/* See http1.h: a body's framing, read byte by byte; its content is copied in pieces. */
#include "supervisor/front/http1.h"

#include "shared/ascii.h"

enum {
	BAD_REQUEST = -400,
	TOO_LARGE = -413,
	TRAILERS_TOO_LARGE = -431,
};

void http1_body_start(struct http1_body *body, const struct http1_request *req, uint64_t max_bytes)
{
	*body = (struct http1_body){ .state = HTTP1_BODY_DONE, .room = max_bytes };
	if (req->chunked) {
		body->state = HTTP1_CHUNK_SIZE;
	} else if (req->content_length > 0) {
		body->state = HTTP1_BODY_LENGTH;
		body->left = req->content_length;
	}
}

static int refuse_body(struct http1_body *body, int status, const char *why)
{
	body->why = why;
	return status;
}

static int expect(struct http1_body *body, char c, char wanted, enum http1_body_state next)
{
	if (c != wanted)
		return refuse_body(body, BAD_REQUEST, "a chunk does not end where it should");
	body->state = next;
	return 0;
}

static int step_size(struct http1_body *body, char c)
{
	int digit = ascii_hex_value(c);

	if (digit >= 0 && body->n_digits < HTTP1_MAX_SIZE_DIGITS) {
		body->n_digits++;
		body->left = body->left * 16 + (uint64_t)digit;
		return 0;
	}
	if (body->n_digits == 0 || (c != '\r' && c != ';'))
		return refuse_body(body, BAD_REQUEST, "the size of a chunk is not a number");
	body->state = c == ';' ? HTTP1_CHUNK_EXTENSION : HTTP1_CHUNK_SIZE_LF;
	return 0;
}

static int step_extension(struct http1_body *body, char c)
{
	if (c == '\r') {
		body->state = HTTP1_CHUNK_SIZE_LF;
		return 0;
	}
	if (ascii_is_control(c))
		return refuse_body(
			body, BAD_REQUEST, "a control character behind the size of a chunk");
	if (++body->n_extension > HTTP1_MAX_EXTENSION_BYTES)
		return refuse_body(body, BAD_REQUEST, "too many chunk extensions");
	return 0;
}

static int end_size(struct http1_body *body, char c)
{
	if (body->left > body->room)
		return refuse_body(body, TOO_LARGE, "the body is larger than limits.request_bytes");
	body->room -= body->left;
	body->n_digits = 0;
	return expect(body, c, '\n', body->left ? HTTP1_CHUNK_DATA : HTTP1_TRAILER_START);
}

static int step_trailer(struct http1_body *body, char c)
{
	bool is_start = body->state == HTTP1_TRAILER_START;

	if (++body->n_trailer > HTTP1_MAX_TRAILER_BYTES)
		return refuse_body(body, TRAILERS_TOO_LARGE, "the trailer section is too long");
	if (body->state == HTTP1_TRAILER_VALUE) {
		if (c == '\r')
			body->state = HTTP1_TRAILER_LF;
		else if (ascii_is_control(c))
			return refuse_body(body, BAD_REQUEST, "a control character in a trailer");
		return 0;
	}
	if (is_start && c == '\r')
		body->state = HTTP1_LAST_LF;
	else if (ascii_is_token(c))
		body->state = HTTP1_TRAILER_NAME;
	else if (!is_start && c == ':')
		body->state = HTTP1_TRAILER_VALUE;
	else
		return refuse_body(body, BAD_REQUEST, "a trailer with an invalid name");
	return 0;
}

/* One byte of the framing. */
static int step(struct http1_body *body, char c)
{
	switch (body->state) {
	case HTTP1_CHUNK_SIZE:
		return step_size(body, c);
	case HTTP1_CHUNK_EXTENSION:
		return step_extension(body, c);
	case HTTP1_CHUNK_SIZE_LF:
		return end_size(body, c);
	case HTTP1_CHUNK_DATA_CR:
		return expect(body, c, '\r', HTTP1_CHUNK_DATA_LF);
	case HTTP1_CHUNK_DATA_LF:
		return expect(body, c, '\n', HTTP1_CHUNK_SIZE);
	case HTTP1_TRAILER_START:
	case HTTP1_TRAILER_NAME:
	case HTTP1_TRAILER_VALUE:
		return step_trailer(body, c);
	case HTTP1_TRAILER_LF:
		return expect(body, c, '\n', HTTP1_TRAILER_START);
	case HTTP1_LAST_LF:
		return expect(body, c, '\n', HTTP1_BODY_DONE);
	case HTTP1_BODY_DONE:
	case HTTP1_BODY_LENGTH:
	case HTTP1_CHUNK_DATA:
		break;
	}
	return 0; /* content, which take_content() reads */
}

/* Appends what `buf` has of the content that is due; returns its length. */
static size_t take_content(struct http1_body *body, const char *buf, size_t len, struct strbuf *out)
{
	size_t n = len < body->left ? len : (size_t)body->left;

	strbuf_add(out, buf, n);
	body->left -= n;
	if (body->left == 0)
		body->state =
			body->state == HTTP1_BODY_LENGTH ? HTTP1_BODY_DONE : HTTP1_CHUNK_DATA_CR;
	return n;
}

int http1_body_read(
	struct http1_body *body, const char *buf, size_t len, size_t *ret_used, struct strbuf *out)
{
	size_t i = 0;
	int r = 0;

	while (r == 0 && i < len && body->state != HTTP1_BODY_DONE) {
		if (body->state == HTTP1_BODY_LENGTH || body->state == HTTP1_CHUNK_DATA)
			i += take_content(body, buf + i, len - i, out);
		else
			r = step(body, buf[i++]);
	}
	*ret_used = i;
	return r < 0 ? r : body->state == HTTP1_BODY_DONE;
}
