/* See trace_span.h. */
#include "supervisor/mcp/trace_span.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/utf8.h"

enum {
	TRACE_ID_BYTES = 16,
	SPAN_ID_BYTES = 8,
	SAMPLED_DIGITS = 14, /* the last ones of a trace id, which level 2 wants to be random */
	PERCENT = 100,
	US_NS = 1000,
	SECOND_NS = 1000000000,
	MAX_TEXT_BYTES = 4 * SPAN_MAX_TEXT_CHARS, /* no character has more than 4 */
};

static int64_t wall_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * SECOND_NS + ts.tv_nsec;
}

/* `ret` has 2 * n characters and a NUL; never all zero, which would be no id. */
static void make_id(char *ret, size_t n)
{
	unsigned char bytes[TRACE_ID_BYTES] = { 0 };

	while (getrandom(bytes, n, 0) !=
		(ssize_t)n) /* so few bytes come at once, but for a signal */
		continue;
	bytes[0] |= 1;
	for (size_t i = 0; i < n; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

/* An id of level 1 need not be random all over: the part that is compared is the one where it is likely. */
bool trace_span_samples(const char *trace_id, unsigned percent)
{
	const uint64_t all = UINT64_C(1) << (4 * SAMPLED_DIGITS);
	uint64_t value = strtoull(trace_id + TRACE_ID_SIZE - 1 - SAMPLED_DIGITS, NULL, 16);

	return percent >= PERCENT || value < all / PERCENT * percent;
}

struct trace_span *trace_span_new(const struct tracer *tracer, const struct trace *trace)
{
	auto_(trace_span_freep) struct trace_span *span = NULL;

	if (!tracer->is_on || (trace->parent && !trace_is_sampled(trace)))
		return NULL;
	span = alloc_zero(sizeof(*span));
	if (trace_get_id(trace, span->trace_id)) {
		trace_get_parent_id(trace, span->parent_id);
		span->state = alloc_str(trace->state);
	} else {
		make_id(span->trace_id, TRACE_ID_BYTES);
		if (!trace_span_samples(span->trace_id, tracer->sample))
			return NULL;
	}
	make_id(span->id, SPAN_ID_BYTES);
	span->start_ns = wall_ns();
	span->start_us = clock_now_us();
	return TAKE(span);
}

void trace_span_free(struct trace_span *span)
{
	if (!span)
		return;
	free(span->state);
	free(span->target);
	free(span->uri);
	free(span->request_id);
	free(span->address);
	free(span->domain);
	free(span->message);
	free(span);
}

void trace_span_end(struct trace_span *span)
{
	span->end_ns = span->start_ns + (clock_now_us() - span->start_us) * US_NS;
}

void trace_span_get_parent(const struct trace_span *span, char ret[SPAN_PARENT_SIZE])
{
	(void)snprintf(ret, SPAN_PARENT_SIZE, "00-%s-%s-01", span->trace_id, span->id);
}

char *trace_span_text(const char *text, size_t len)
{
	auto_strbuf clean = { 0 };

	if (len > MAX_TEXT_BYTES)
		len = MAX_TEXT_BYTES;
	utf8_repair(&clean, text, len);
	strbuf_cut(&clean, utf8_cut(strbuf_get(&clean), clean.len, SPAN_MAX_TEXT_CHARS));
	return strbuf_take(&clean);
}
