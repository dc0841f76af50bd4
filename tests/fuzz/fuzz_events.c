/* Event streams of a remote server: the same events whatever the pieces are, and the bounds hold. The first
 * byte of the input says how long the pieces are. */
#include <errno.h>

#include "tests/fuzz/fuzz.h"
#include "workers/common/events.h"

enum { MAX_BYTES = 256 };

static bool note(void *arg, struct event *event)
{
	CHECK(event->len > 0 && event->len <= MAX_BYTES && event->data[event->len] == '\0');
	CHECK(strlen(event->name) <= EVENTS_MAX_NAME);
	strbuf_addf(arg, "%s:%zu:", event->name, event->len);
	strbuf_add(arg, event->data, event->len);
	return true;
}

static int read_stream(
	struct events *events, const char *bytes, size_t len, size_t piece, struct strbuf *seen)
{
	int r = 0;

	for (size_t at = 0; r == 0 && at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		auto_free char *copy = fuzz_copy(bytes + at, n);

		r = events_feed(events, copy, n, note, seen);
		CHECK(r == 0 || r == -EMSGSIZE);
		CHECK(events->line.len <= MAX_BYTES && events->data.len <= MAX_BYTES);
		CHECK(events->id.len <= EVENTS_MAX_ID);
		CHECK(events->retry_ms >= 0 && events->retry_ms <= EVENTS_MAX_RETRY_MS);
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size ? (size_t)data[0] % 64 + 1 : 1;
	const char *bytes = size ? (const char *)data + 1 : "";
	size_t len = size ? size - 1 : 0;
	struct events whole = { .max_bytes = MAX_BYTES };
	struct events parts = { .max_bytes = MAX_BYTES };
	auto_strbuf seen_whole = { 0 };
	auto_strbuf seen_parts = { 0 };

	CHECK(read_stream(&whole, bytes, len, len + 1, &seen_whole) ==
		read_stream(&parts, bytes, len, piece, &seen_parts));
	CHECK(seen_whole.len == seen_parts.len);
	CHECK(!seen_whole.len || memcmp(seen_whole.data, seen_parts.data, seen_whole.len) == 0);
	CHECK(streq(strbuf_get(&whole.id), strbuf_get(&parts.id)));
	CHECK(whole.retry_ms == parts.retry_ms);
	events_done(&whole);
	events_done(&parts);
	return 0;
}
