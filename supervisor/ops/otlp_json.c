/* Spans as OTLP has them in JSON (an ExportTraceServiceRequest); see otlp.h. Written as text: a tree of a batch would
 * hold up the loop.
 *
 * Source: opentelemetry-proto, trace/v1/trace.proto; OpenTelemetry, semantic conventions for MCP, for errors and for
 * services. Names under mcp_fleet. are our own. */
#include <inttypes.h>

#include "shared/quote.h"
#include "supervisor/ops/otlp.h"

#include "config.h"

enum {
	KIND_SERVER = 2,
	STATUS_ERROR = 2,
	FLAG_SAMPLED = 0x001,
	FLAG_HAS_IS_REMOTE = 0x100,
	FLAG_IS_REMOTE = 0x200,
};

static void add_text(struct strbuf *out, const char *text)
{
	strbuf_add_json(out, text, strlen(text));
}

/* Behind a [ no comma is wanted. NULL and "" are left out. */
static void add_attribute(struct strbuf *out, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	strbuf_addf(out, "%s{\"key\":\"%s\",\"value\":{\"stringValue\":",
		out->data[out->len - 1] == '[' ? "" : ",", key);
	add_text(out, value);
	strbuf_adds(out, "}}");
}

static void add_number(struct strbuf *out, const char *key, int64_t value)
{
	auto_strbuf text = { 0 };

	strbuf_addf(&text, "%" PRId64, value);
	add_attribute(out, key, text.data);
}

static bool is_http(const struct trace_span *span)
{
	return streq(span->transport, "sse") || streq(span->transport, "streamable");
}

static const char *network_of(const struct trace_span *span)
{
	if (is_http(span))
		return "tcp";
	return streq(span->transport, "local") ? "unix" : "pipe";
}

static void add_target(struct strbuf *out, const struct trace_span *span)
{
	bool is_tool = streq(span->method, "tools/call");

	if (is_tool)
		add_attribute(out, "gen_ai.operation.name", "execute_tool");
	add_attribute(out, is_tool ? "gen_ai.tool.name" : "gen_ai.prompt.name", span->target);
	add_attribute(out, "mcp.resource.uri", span->uri);
}

static void add_worker(struct strbuf *out, const struct trace_span *span)
{
	auto_strbuf name = { 0 };

	add_attribute(out, "mcp_fleet.domain", span->domain);
	if (span->worker == 0)
		return;
	strbuf_addf(&name, "%s/%u", span->domain, span->worker);
	add_attribute(out, "mcp_fleet.worker", name.data);
}

static void add_end(struct strbuf *out, const struct trace_span *span)
{
	switch (span->end) {
	case SPAN_ANSWERED:
		break;
	case SPAN_CANCELLED:
		add_attribute(out, "error.type", "cancelled");
		break;
	case SPAN_TOOL_ERROR:
		add_attribute(out, "error.type", "tool_error");
		break;
	case SPAN_ERROR:
		add_number(out, "error.type", span->code);
		add_number(out, "rpc.response.status_code", span->code);
		break;
	}
}

static void add_attributes(struct strbuf *out, const struct trace_span *span)
{
	add_attribute(out, "mcp.method.name", span->method);
	add_attribute(out, "mcp.protocol.version", span->revision);
	add_attribute(out, "mcp.session.id", span->session);
	add_attribute(out, "jsonrpc.request.id", span->request_id);
	add_target(out, span);
	add_attribute(out, "network.transport", network_of(span));
	add_attribute(out, "network.protocol.name", is_http(span) ? "http" : NULL);
	add_attribute(out, "client.address", span->address);
	add_attribute(out, "mcp_fleet.transport", span->transport);
	add_worker(out, span);
	add_end(out, span);
}

static void add_status(struct strbuf *out, const struct trace_span *span)
{
	if (span->end == SPAN_ANSWERED)
		return;
	strbuf_addf(out, ",\"status\":{\"code\":%d", STATUS_ERROR);
	if (span->message) {
		strbuf_adds(out, ",\"message\":");
		add_text(out, span->message);
	}
	strbuf_addc(out, '}');
}

static void add_ids(struct strbuf *out, const struct trace_span *span)
{
	int flags = FLAG_SAMPLED | FLAG_HAS_IS_REMOTE;

	strbuf_addf(out, "{\"traceId\":\"%s\",\"spanId\":\"%s\"", span->trace_id, span->id);
	if (*span->parent_id) {
		flags |= FLAG_IS_REMOTE;
		strbuf_addf(out, ",\"parentSpanId\":\"%s\"", span->parent_id);
	}
	if (span->state) {
		strbuf_adds(out, ",\"traceState\":");
		add_text(out, span->state);
	}
	strbuf_addf(out, ",\"flags\":%d", flags);
}

void otlp_add_span(struct strbuf *out, const struct trace_span *span)
{
	auto_strbuf name = { 0 };

	strbuf_adds(&name, span->method);
	if (span->target && *span->target)
		strbuf_addf(&name, " %s", span->target);
	add_ids(out, span);
	strbuf_adds(out, ",\"name\":");
	add_text(out, name.data);
	strbuf_addf(out,
		",\"kind\":%d,\"startTimeUnixNano\":\"%" PRId64 "\",\"endTimeUnixNano\":\"%" PRId64
		"\",\"attributes\":[",
		KIND_SERVER, span->start_ns, span->end_ns);
	add_attributes(out, span);
	strbuf_addc(out, ']');
	add_status(out, span);
	strbuf_addc(out, '}');
}

void otlp_add_head(struct strbuf *out, const char *instance)
{
	strbuf_adds(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
	add_attribute(out, "service.name", "mcp-fleet");
	add_attribute(out, "service.version", PACKAGE_VERSION);
	add_attribute(out, "service.instance.id", instance);
	strbuf_adds(out,
		"]},\"scopeSpans\":[{\"scope\":{\"name\":\"mcp-fleet\",\"version\":\"" PACKAGE_VERSION
		"\"},\"spans\":[");
}

void otlp_add_tail(struct strbuf *out)
{
	strbuf_adds(out, "]}]}]}");
}

/* A whole number of 64 bits is a text in that JSON; a number is taken, too. */
static uint64_t read_count(struct jspan value)
{
	auto_strbuf digits = { 0 };
	uint64_t n = 0;

	if (jspan_get_str(value, &digits))
		value = (struct jspan){ strbuf_get(&digits), digits.len };
	return jspan_get_u64(value, &n) ? n : 0;
}

uint64_t otlp_read_rejected(const char *body, size_t len, struct strbuf *words)
{
	auto_strbuf message = { 0 };
	struct jspan partial;
	struct jspan answer;
	uint64_t n;

	if (jspan_check(body, len, &answer, NULL) < 0)
		return 0;
	partial = jspan_member(answer, "partialSuccess", NULL);
	n = read_count(jspan_member(partial, "rejectedSpans", NULL));
	if (n > 0 && jspan_get_str(jspan_member(partial, "errorMessage", NULL), &message))
		quote_add(words, strbuf_get(&message), message.len);
	return n;
}
