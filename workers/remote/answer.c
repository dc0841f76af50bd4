/* See answer.h. */
#include "workers/remote/answer.h"

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/clock.h"
#include "shared/span.h"

static struct span trim(const char *at, size_t len)
{
	while (len > 0 && strchr(" \t\r\n", at[len - 1]))
		len--;
	while (len > 0 && strchr(" \t", *at)) {
		at++;
		len--;
	}
	return (struct span){ at, len };
}

static bool is_event_stream(struct span value)
{
	const char *end = memchr(value.at, ';', value.len);
	size_t len = end ? (size_t)(end - value.at) : value.len;

	return span_is_nocase(trim(value.at, len), "text/event-stream");
}

/* Visible ASCII, as MCP demands of it; another one is as none. */
static bool is_session_id(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] < 0x21 || value.at[i] > 0x7e)
			return false;
	return value.len > 0 && value.len <= ANSWER_MAX_SESSION_ID;
}

static int64_t retry_after_ms(struct span value)
{
	int64_t seconds = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (!ascii_is_digit(value.at[i]))
			return 0; /* a date */
		seconds = seconds * 10 + (value.at[i] - '0');
		if (seconds > ANSWER_MAX_RETRY_S)
			return ANSWER_MAX_RETRY_S * CLOCK_SECOND_MS;
	}
	return seconds * CLOCK_SECOND_MS;
}

static void replace(char **text, struct span value)
{
	free(*text);
	*text = alloc_mem(value.at, value.len);
}

static void take_header(struct answer *answer, struct span name, struct span value)
{
	if (span_is_nocase(name, "Content-Type"))
		answer->is_events = is_event_stream(value);
	else if (span_is_nocase(name, "Content-Encoding"))
		answer->is_encoded |= !span_is_nocase(value, "identity");
	else if (span_is_nocase(name, "Transfer-Encoding"))
		answer->is_encoded |= !span_is_nocase(value, "chunked");
	else if (span_is_nocase(name, "Mcp-Session-Id") && is_session_id(value))
		replace(&answer->session, value);
	else if (span_is_nocase(name, "Location") && value.len <= ANSWER_MAX_LOCATION)
		replace(&answer->location, value);
	else if (span_is_nocase(name, "Retry-After"))
		answer->retry_after_ms = retry_after_ms(value);
}

void answer_done(struct answer *answer)
{
	free(answer->session);
	free(answer->location);
	*answer = (struct answer){ 0 };
}

bool answer_add_line(struct answer *answer, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t before = answer->bytes;

	if (len > ANSWER_MAX_BYTES - before)
		return false;
	if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
		answer_done(answer); /* what was there belongs to an interim answer (1xx) */
	else if (colon)
		take_header(answer, (struct span){ line, (size_t)(colon - line) },
			trim(colon + 1, len - (size_t)(colon + 1 - line)));
	answer->bytes = before + len;
	return true;
}
