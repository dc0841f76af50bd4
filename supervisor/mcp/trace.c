/* See trace.h. */
#include "supervisor/mcp/trace.h"

#include "shared/alloc.h"
#include "shared/ascii.h"

enum {
	PARENT_LEN = 55, /* 00-<32 digits>-<16 digits>-00 */
	TRACE_ID_AT = 3,
	TRACE_ID_LEN = TRACE_ID_SIZE - 1,
	PARENT_ID_AT = 36,
	PARENT_ID_LEN = 16,
	FLAGS_AT = 53,
	FLAG_SAMPLED = 1,
	MAX_ESCAPE = 6, /* bytes of JSON for one of the text */
};

void trace_done(struct trace *trace)
{
	free(trace->parent);
	free(trace->state);
	free(trace->baggage);
	*trace = (struct trace){ 0 };
}

static bool is_lower_hex(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (ascii_hex_value(at[i]) < 0 || (at[i] >= 'A' && at[i] <= 'F'))
			return false;
	return true;
}

static bool is_zero(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != '0')
			return false;
	return true;
}

/* A version yet to come may have more behind the parts that we know. */
static bool has_parent_form(struct span text)
{
	bool is_first = text.len >= 2 && is_zero(text.at, 2);

	if (text.len < PARENT_LEN || text.len > TRACE_MAX_BYTES ||
		(is_first && text.len > PARENT_LEN))
		return false;
	if (memcmp(text.at, "ff", 2) == 0 || (text.len > PARENT_LEN && text.at[PARENT_LEN] != '-'))
		return false;
	return text.at[TRACE_ID_AT - 1] == '-' && text.at[PARENT_ID_AT - 1] == '-' &&
	       text.at[FLAGS_AT - 1] == '-';
}

static bool is_visible(struct span text, bool with_blanks)
{
	for (size_t i = 0; i < text.len; i++) {
		bool is_blank = text.at[i] == ' ' || text.at[i] == '\t';

		if (is_blank ? !with_blanks : text.at[i] < 0x21 || text.at[i] > 0x7e)
			return false;
	}
	return true;
}

bool trace_is_parent(struct span text)
{
	return text.at && has_parent_form(text) && is_lower_hex(text.at, 2) &&
	       is_lower_hex(text.at + TRACE_ID_AT, TRACE_ID_LEN) &&
	       !is_zero(text.at + TRACE_ID_AT, TRACE_ID_LEN) &&
	       is_lower_hex(text.at + PARENT_ID_AT, PARENT_ID_LEN) &&
	       !is_zero(text.at + PARENT_ID_AT, PARENT_ID_LEN) &&
	       is_lower_hex(text.at + FLAGS_AT, 2) && is_visible(text, false);
}

static bool is_list(struct span text)
{
	return text.at && text.len > 0 && text.len <= TRACE_MAX_BYTES && is_visible(text, true);
}

bool trace_is_state(struct span text)
{
	return is_list(text) && memchr(text.at, '=', text.len);
}

bool trace_is_baggage(struct span text)
{
	return is_list(text) && memchr(text.at, '=', text.len);
}

typedef bool valid_fn(struct span text);

/* The characters of a member of `_meta`; NULL: absent or not valid. */
static char *take_member(struct jspan member, valid_fn *is_valid)
{
	auto_strbuf chars = { 0 };

	if (member.len > (size_t)TRACE_MAX_BYTES * MAX_ESCAPE + 2 ||
		!jspan_get_str(member, &chars) ||
		!is_valid((struct span){ .at = strbuf_get(&chars), .len = chars.len }))
		return NULL;
	return strbuf_take(&chars);
}

static char *take_header(struct span header, valid_fn *is_valid)
{
	return is_valid(header) ? alloc_mem(header.at, header.len) : NULL;
}

static void read_context(
	const struct envelope *e, const struct mcp_headers *headers, struct trace *ret)
{
	if (e->traceparent.at || e->tracestate.at) {
		ret->parent = take_member(e->traceparent, trace_is_parent);
		if (ret->parent)
			ret->state = take_member(e->tracestate, trace_is_state);
	} else if (headers) {
		ret->parent = take_header(headers->traceparent, trace_is_parent);
		if (ret->parent)
			ret->state = take_header(headers->tracestate, trace_is_state);
	}
}

void trace_read(
	const struct envelope *envelope, const struct mcp_headers *headers, struct trace *ret)
{
	const struct mcp_headers *http = headers && headers->is_http ? headers : NULL;

	*ret = (struct trace){ 0 };
	if (envelope->is_twice)
		return;
	read_context(envelope, http, ret);
	if (envelope->baggage.at)
		ret->baggage = take_member(envelope->baggage, trace_is_baggage);
	else if (http)
		ret->baggage = take_header(http->baggage, trace_is_baggage);
}

bool trace_get_id(const struct trace *trace, char ret[TRACE_ID_SIZE])
{
	if (!trace->parent)
		return false;
	memcpy(ret, trace->parent + TRACE_ID_AT, TRACE_ID_LEN);
	ret[TRACE_ID_LEN] = '\0';
	return true;
}

bool trace_is_sampled(const struct trace *trace)
{
	return trace->parent && (ascii_hex_value(trace->parent[FLAGS_AT + 1]) & FLAG_SAMPLED);
}

void trace_get_parent_id(const struct trace *trace, char ret[PARENT_ID_LEN + 1])
{
	memcpy(ret, trace->parent + PARENT_ID_AT, PARENT_ID_LEN);
	ret[PARENT_ID_LEN] = '\0';
}
