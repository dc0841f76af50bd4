/* See head.h. */
#include "workers/common/http_head.h"

#include <strings.h>

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
	return value.len > 0 && value.len <= HTTP_HEAD_MAX_SESSION_ID;
}

/* At most `max`; -1: it is not a number of seconds. */
static int64_t seconds_of(struct span value, int64_t max)
{
	int64_t seconds = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (!ascii_is_digit(value.at[i]))
			return -1;
		seconds = seconds * 10 + (value.at[i] - '0');
		if (seconds > max)
			seconds = max;
	}
	return value.len > 0 ? seconds : -1;
}

static int64_t retry_after_ms(struct span value)
{
	int64_t seconds = seconds_of(value, HTTP_HEAD_MAX_RETRY_S);

	return seconds < 0 ? 0 : seconds * CLOCK_SECOND_MS; /* a date */
}

static void take_directive(struct http_head *head, struct span text)
{
	static const char max_age[] = "max-age=";
	size_t len = sizeof(max_age) - 1;
	bool is_age = text.len > len && strncasecmp(text.at, max_age, len) == 0;
	int64_t seconds = -1;

	if (span_is_nocase(text, "no-store") || span_is_nocase(text, "no-cache"))
		seconds = 0;
	else if (is_age)
		seconds = seconds_of(
			(struct span){ text.at + len, text.len - len }, HTTP_HEAD_MAX_AGE_S);
	if (seconds < 0 || (head->has_max_age && head->max_age_s < seconds))
		return; /* of several the strictest holds */
	head->has_max_age = true;
	head->max_age_s = seconds;
}

static void take_cache_control(struct http_head *head, struct span value)
{
	while (value.len > 0) {
		const char *comma = memchr(value.at, ',', value.len);
		size_t len = comma ? (size_t)(comma - value.at) : value.len;

		take_directive(head, trim(value.at, len));
		len += comma ? 1 : 0;
		value = (struct span){ value.at + len, value.len - len };
	}
}

static void replace(char **text, struct span value)
{
	free(*text);
	*text = alloc_mem(value.at, value.len);
}

static void take_header(struct http_head *head, struct span name, struct span value)
{
	if (span_is_nocase(name, "Content-Type"))
		head->is_events = is_event_stream(value);
	else if (span_is_nocase(name, "Content-Encoding"))
		head->is_encoded |= !span_is_nocase(value, "identity");
	else if (span_is_nocase(name, "Transfer-Encoding"))
		head->is_encoded |= !span_is_nocase(value, "chunked");
	else if (span_is_nocase(name, "Mcp-Session-Id") && is_session_id(value))
		replace(&head->session, value);
	else if (span_is_nocase(name, "Location") && value.len <= HTTP_HEAD_MAX_LOCATION)
		replace(&head->location, value);
	else if (span_is_nocase(name, "Retry-After"))
		head->retry_after_ms = retry_after_ms(value);
	else if (span_is_nocase(name, "Cache-Control"))
		take_cache_control(head, value);
}

void http_head_done(struct http_head *head)
{
	free(head->session);
	free(head->location);
	*head = (struct http_head){ 0 };
}

bool http_head_add_line(struct http_head *head, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t before = head->bytes;

	if (len > HTTP_HEAD_MAX_BYTES - before)
		return false;
	if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
		http_head_done(head); /* what was there belongs to an interim answer (1xx) */
	else if (colon)
		take_header(head, (struct span){ line, (size_t)(colon - line) },
			trim(colon + 1, len - (size_t)(colon + 1 - line)));
	head->bytes = before + len;
	return true;
}
