/* See events.h. */
#include "workers/common/events.h"

#include <errno.h>

#include "shared/ascii.h"
#include "shared/span.h"

static const char bom[] = "\xef\xbb\xbf";

static int set_retry(struct events *events, struct span value)
{
	int64_t ms = 0;

	if (value.len == 0)
		return 0;
	for (size_t i = 0; i < value.len; i++) {
		if (!ascii_is_digit(value.at[i]) || ms > EVENTS_MAX_RETRY_MS)
			return 0;
		ms = ms * 10 + (value.at[i] - '0');
	}
	if (ms <= EVENTS_MAX_RETRY_MS)
		events->retry_ms = ms;
	return 0;
}

static int add_data(struct events *events, struct span value)
{
	if (value.len >= events->max_bytes - events->data.len)
		return -EMSGSIZE;
	if (events->has_data)
		strbuf_addc(&events->data, '\n');
	strbuf_add(&events->data, value.at, value.len);
	events->has_data = true;
	return 0;
}

/* It goes back in a header: what could not stand there is as no id (the standard leaves out NUL only). */
static int set_id(struct events *events, struct span value)
{
	if (value.len > EVENTS_MAX_ID)
		return 0;
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.at[i] < 0x20 || value.at[i] == 0x7f)
			return 0;
	strbuf_cut(&events->next_id, 0);
	strbuf_add(&events->next_id, value.at, value.len);
	events->has_id = true;
	return 0;
}

static int set_name(struct events *events, struct span value)
{
	strbuf_cut(&events->name, 0);
	strbuf_add(&events->name, value.at,
		value.len < EVENTS_MAX_NAME ? value.len : (size_t)EVENTS_MAX_NAME);
	return 0;
}

static int take_field(struct events *events, struct span name, struct span value)
{
	if (span_is(name, "data"))
		return add_data(events, value);
	if (span_is(name, "id"))
		return set_id(events, value);
	if (span_is(name, "event"))
		return set_name(events, value);
	if (span_is(name, "retry"))
		return set_retry(events, value);
	return 0;
}

/* The blank line. 1: no more is wanted. */
static int give_out(struct events *events, events_fn *fn, void *arg)
{
	struct event event = {
		.name = events->name.len ? events->name.data : "message",
		.data = events->data.data,
		.len = events->data.len,
	};
	bool wanted = true;

	if (events->has_id) {
		strbuf_cut(&events->id, 0);
		strbuf_add(&events->id, strbuf_get(&events->next_id), events->next_id.len);
	}
	if (event.len > 0)
		wanted = fn(arg, &event);
	strbuf_cut(&events->data, 0);
	strbuf_cut(&events->name, 0);
	events->has_data = false;
	events->has_id = false;
	return wanted ? 0 : 1;
}

static int take_line(struct events *events, events_fn *fn, void *arg)
{
	const char *line = strbuf_get(&events->line);
	size_t len = events->line.len;
	const char *colon = memchr(line, ':', len);
	struct span name = { line, colon ? (size_t)(colon - line) : len };
	struct span value = { line + len, 0 };

	if (len == 0)
		return give_out(events, fn, arg);
	if (colon) {
		value = (struct span){ colon + 1, len - name.len - 1 };
		if (value.len > 0 && *value.at == ' ')
			value = (struct span){ value.at + 1, value.len - 1 };
	}
	return name.len == 0 ? 0 : take_field(events, name, value);
}

/* Skips a BOM at the very beginning, which may come byte by byte; the rest of it is what is returned. */
static struct span skip_bom(struct events *events, struct span bytes)
{
	while (bytes.len > 0 && events->n_bom < sizeof(bom) - 1 &&
		*bytes.at == bom[events->n_bom]) {
		events->n_bom++;
		bytes = (struct span){ bytes.at + 1, bytes.len - 1 };
	}
	if (bytes.len == 0 && events->n_bom < sizeof(bom) - 1)
		return bytes;
	if (events->n_bom < sizeof(bom) - 1) /* it only looked like one */
		strbuf_add(&events->line, bom, events->n_bom);
	events->has_begun = true;
	return bytes;
}

static size_t find_line_end(struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		if (bytes.at[i] == '\n' || bytes.at[i] == '\r')
			return i;
	return bytes.len;
}

int events_feed(struct events *events, const char *bytes, size_t len, events_fn *fn, void *arg)
{
	struct span rest = { bytes, len };

	if (!events->has_begun)
		rest = skip_bom(events, rest);
	while (rest.len > 0) {
		size_t n;
		int r;

		if (events->after_cr && *rest.at == '\n')
			rest = (struct span){ rest.at + 1, rest.len - 1 };
		events->after_cr = false;
		n = find_line_end(rest);
		if (n > events->max_bytes - events->line.len)
			return -EMSGSIZE;
		strbuf_add(&events->line, rest.at, n);
		if (n == rest.len)
			return 0;
		events->after_cr = rest.at[n] == '\r';
		rest = (struct span){ rest.at + n + 1, rest.len - n - 1 };
		r = take_line(events, fn, arg);
		strbuf_cut(&events->line, 0);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return 0;
}

void events_done(struct events *events)
{
	strbuf_done(&events->line);
	strbuf_done(&events->data);
	strbuf_done(&events->name);
	strbuf_done(&events->id);
	strbuf_done(&events->next_id);
}
