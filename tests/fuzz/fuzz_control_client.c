/* What a daemon may send to mcp-fleetctl: the same messages whatever the pieces are, no more kept than is allowed,
 * and each answer of the client is a result, a notice, or an error with words. The first byte of the input says how long
 * the pieces are. Then the texts go through what makes them harmless for a terminal. */
#include <errno.h>
#include <sys/socket.h>

#include "ctl/client.h"
#include "ctl/latency.h"
#include "ctl/load.h"
#include "ctl/output.h"
#include "ctl/wire.h"
#include "shared/fd.h"
#include "tests/fuzz/fuzz.h"

enum { MAX_LINE = 512 };

/* All lines of the input, each behind its length; the other end is closed at the end. */
static int read_lines(const char *bytes, size_t len, size_t piece, struct strbuf *seen)
{
	struct wire wire = { .fd = -1, .max_bytes = MAX_LINE };
	int fds[2];
	int r = 0;

	CHECK(fd_socketpair(fds) == 0);
	wire.fd = fds[0];
	for (size_t at = 0; r == 0 || r == -ETIMEDOUT;) {
		size_t n = len - at < piece ? len - at : piece;
		const char *line;
		size_t line_len;

		if (n)
			CHECK(send(fds[1], bytes + at, n, MSG_NOSIGNAL) == (ssize_t)n);
		at += n;
		if (at == len && fds[1] >= 0)
			fds[1] = fd_close(fds[1]);
		while ((r = wire_read(&wire, 0, &line, &line_len)) == 0) {
			CHECK(line_len > 0 && line_len <= MAX_LINE &&
				!memchr(line, '\n', line_len));
			strbuf_addf(seen, "%zu:", line_len);
			strbuf_add(seen, line, line_len);
		}
		CHECK(r == -ETIMEDOUT || r == -EPIPE || r == -EMSGSIZE);
		CHECK(wire.in.len <= MAX_LINE + 2 * 65536);
	}
	(void)fd_close(fds[1]);
	wire_done(&wire);
	return r;
}

static void check_clean(const char *text, size_t len)
{
	auto_strbuf out = { 0 };

	out_clean_lines(&out, text, len);
	for (size_t i = 0; i < out.len; i++) {
		unsigned char c = (unsigned char)out.data[i];

		CHECK(c >= 0x20 || c == '\n' || c == '\t');
		CHECK(c != 0x7f);
	}
	CHECK(out_cut(strbuf_get(&out), 10) <= out.len);
	(void)out_width(strbuf_get(&out));
}

/* Any JSON as a status. */
static void check_load(const char *bytes, size_t len)
{
	json_auto_t *status = json_loadb(bytes, len, JSON_ALLOW_NUL, NULL);
	struct load_view view;

	if (!status)
		return;
	auto_(load_sample_freep) struct load_sample *sample = load_sample_new(status);

	load_view_make(sample, sample, LOAD_BY_LATENCY, &view);
	CHECK(view.n_domains <= json_array_size(json_object_get(status, "domains")));
	load_view_done(&view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size ? (size_t)data[0] % 64 + 1 : 1;
	size_t len = size ? size - 1 : 0;
	auto_free char *bytes = fuzz_copy(size ? (const char *)data + 1 : "", len);
	auto_strbuf whole = { 0 };
	auto_strbuf parts = { 0 };

	/* What fits into the buffer of a socket. */
	if (len > 65536)
		return 0;
	CHECK(read_lines(bytes, len, len + 1, &whole) == read_lines(bytes, len, piece, &parts));
	CHECK(whole.len == parts.len);
	CHECK(!whole.len || memcmp(whole.data, parts.data, whole.len) == 0);
	check_clean(bytes, len);
	check_load(bytes, len);
	return 0;
}
