/* What is written to a worker: the client's params as they are, but for the name that the worker knows by
 * another one, our number as id and progress token, and the members of _meta that belong to one hop only.
 *
 * Source: MCP basic/index "_meta", all revisions; 2026-07-28 basic/index (the envelope); SEP-414 (trace
 * context). */
#include "shared/alloc.h"
#include "supervisor/mcp/client_roots.h"
#include "supervisor/mcp/headers.h"
#include "supervisor/mcp/router_private.h"
#include "supervisor/mcp/splice.h"
#include "supervisor/mcp/trace.h"

#define MCP_META "io.modelcontextprotocol/"

/* For our own workers, which can be asked about the fleet: the domains of which a restricted client may know, each
 * with the number of its tools. No client can say it itself. */
#define DOMAINS_META "mcp-fleet/domains"

static const char *const methods[] = {
	[FORWARD_TOOL] = "tools/call",
	[FORWARD_PROMPT] = "prompts/get",
	[FORWARD_READ] = "resources/read",
	[FORWARD_COMPLETE] = "completion/complete",
	[FORWARD_TASK_GET] = "tasks/get",
	[FORWARD_TASK_RESULT] = "tasks/result",
	[FORWARD_TASK_CANCEL] = "tasks/cancel",
	[FORWARD_TASK_LIST] = "tasks/get",
};

const char *router_method(enum forward_kind kind)
{
	return kind == FORWARD_TASK_LIST ? "tasks/list" : methods[kind];
}

/* Members of a request's _meta that are for us: the envelope, and what we write anew. */
static bool is_hop_member(struct jspan name)
{
	static const char *const names[] = { MCP_META "protocolVersion",
		MCP_META "clientCapabilities", MCP_META "clientInfo", MCP_META "logLevel",
		"progressToken", "traceparent", "tracestate", "baggage", CLIENT_ROOTS_META,
		DOMAINS_META };

	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (jspan_is(name, names[i]))
			return true;
	return false;
}

static void add_text(struct strbuf *out, const char *name, const char *text)
{
	if (!text)
		return;
	strbuf_addf(out, "%s\"%s\":", out->len ? "," : "", name);
	strbuf_add_json(out, text, strlen(text));
}

static bool has_trace(const struct envelope *e, const struct mcp_headers *h)
{
	return e->traceparent.at || e->baggage.at || (h && (h->traceparent.at || h->baggage.at));
}

/* A call with a span of ours is the parent of what the worker does. */
static void add_trace(const struct call *call, const struct envelope *e,
	const struct mcp_headers *headers, struct strbuf *out)
{
	char parent[SPAN_PARENT_SIZE];
	auto_trace trace = { 0 };

	if (e && has_trace(e, headers))
		trace_read(e, headers, &trace);
	if (call->span) {
		trace_span_get_parent(call->span, parent);
		free(trace.parent);
		trace.parent = alloc_str(parent);
	}
	add_text(out, "traceparent", trace.parent);
	add_text(out, "tracestate", trace.state);
	add_text(out, "baggage", trace.baggage);
}

static void add_member(struct strbuf *out, const char *name, struct jspan value)
{
	strbuf_addf(out, "%s\"%s\":", out->len ? "," : "", name);
	strbuf_add(out, value.at, value.len);
}

/* A task has another id there. */
static void add_value(
	struct session *session, struct jspan name, struct jspan value, struct strbuf *out)
{
	auto_splices splices = { 0 };

	if (jspan_is(name, MCP_META "related-task"))
		tasks_map_related(session, value, &splices);
	splices_apply(&splices, value, out);
}

static void add_domains(const struct call *call, const struct origin *origin, struct strbuf *out)
{
	const struct principal *viewer = session_get_restriction(origin->session);
	auto_strbuf domains = { 0 };

	if (!viewer)
		return;
	endpoint_add_domains(call->endpoint, viewer, &domains);
	add_member(out, DOMAINS_META, (struct jspan){ domains.data, domains.len });
}

/* The members of _meta for the worker. */
static void make_meta(const struct call *call, const struct forward *forward, struct strbuf *out)
{
	const struct origin *origin = forward->origin;
	const struct envelope *e = origin->envelope;
	struct jspan meta = e ? e->meta : (struct jspan){ 0 };
	struct jspan name, value;
	size_t cursor = 0;

	if (call->token_len)
		strbuf_addf(out, "\"progressToken\":%llu", (unsigned long long)call->no);
	if (forward->target->native)
		add_domains(call, origin, out);
	add_trace(call, e, origin->headers, out);
	if (jspan_type(meta) != JSPAN_OBJECT)
		return;
	while (jspan_next(meta, &cursor, &name, &value)) {
		if (is_hop_member(name))
			continue;
		strbuf_adds(out, out->len ? "," : "");
		strbuf_add(out, name.at, name.len);
		strbuf_addc(out, ':');
		add_value(origin->session, name, value, out);
	}
}

/* The members that make a request one of the stateless revision. */
static void make_envelope(const struct call *call, const struct origin *origin, struct strbuf *out)
{
	static const struct jspan nothing = { .at = "{}", .len = 2 };
	const struct session_info *info = session_get_info(origin->session);
	struct jspan capabilities = info->capabilities ? (struct jspan){ info->capabilities,
		strlen(info->capabilities) }
						       : nothing;
	struct jspan client =
		info->client_info ? (struct jspan){ info->client_info, strlen(info->client_info) }
				  : (struct jspan){ 0 };

	if (origin->is_modern) {
		capabilities = origin->envelope->capabilities;
		client = origin->envelope->client_info;
	}
	strbuf_adds(out, "\"" MCP_META "protocolVersion\":\"2026-07-28\"");
	add_member(out, MCP_META "clientCapabilities", capabilities);
	if (client.at)
		add_member(out, MCP_META "clientInfo", client);
	if (call->level < LEVEL_NONE)
		strbuf_addf(out, ",\"" MCP_META "logLevel\":\"%s\"", level_name(call->level));
}

/* Where the envelope goes in, and with which commas. */
static void place_envelope(const struct call *call, const struct origin *origin, struct jspan line,
	struct domain_call *ret)
{
	struct jspan params = jspan_member(line, "params", NULL);
	struct jspan meta = jspan_member(params, "_meta", NULL);
	bool has_meta = jspan_type(meta) == JSPAN_OBJECT;
	struct jspan into = has_meta ? meta : params;
	struct jspan name, value;
	size_t cursor = 0;
	bool has_more = jspan_next(into, &cursor, &name, &value);
	auto_strbuf members = { 0 };

	make_envelope(call, origin, &members);
	ret->meta_at = (size_t)(into.at - line.at) + 1;
	if (has_meta)
		ret->envelope = alloc_printf("%s%s", members.data, has_more ? "," : "");
	else
		ret->envelope = alloc_printf("\"_meta\":{%s}%s", members.data, has_more ? "," : "");
}

static void splice_meta(const struct call *call, const struct forward *forward, struct jspan params,
	struct splices *splices)
{
	struct jspan old =
		forward->origin->envelope ? forward->origin->envelope->meta : (struct jspan){ 0 };
	auto_strbuf meta = { 0 };
	auto_strbuf text = { 0 };

	make_meta(call, forward, &meta);
	if (old.at || meta.len > 0) {
		strbuf_addf(&text, "%s{", old.at ? "" : "\"_meta\":");
		strbuf_add(&text, strbuf_get(&meta), meta.len);
		strbuf_addc(&text, '}');
	}
	if (old.at)
		splice_replace(splices, old, text.data, text.len);
	else
		splice_members(splices, params, strbuf_get(&text));
}

void router_make_line(const struct call *call, const struct forward *forward, const char *more,
	struct domain_call *ret)
{
	static const struct jspan empty = { .at = "{}", .len = 2 };
	const struct catalog_target *target = forward->target;
	struct jspan params = forward->params.at ? forward->params : empty;
	auto_splices splices = { 0 };
	auto_strbuf line = { 0 };
	auto_strbuf name = { 0 };

	if (target->worker_name && forward->where.at &&
		!jspan_is(forward->where, target->worker_name)) {
		strbuf_add_json(&name, target->worker_name, strlen(target->worker_name));
		splice_replace(&splices, forward->where, name.data, name.len);
	}
	splice_meta(call, forward, params, &splices);
	if (forward->drops_task)
		splice_remove(&splices, params, "task");
	if (more)
		splice_members(&splices, params, more);
	(void)strbuf_reserve(&line, params.len + 128);
	strbuf_addf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"%s\",\"params\":",
		(unsigned long long)call->no, methods[forward->kind]);
	splices_apply(&splices, params, &line);
	strbuf_addc(&line, '}');
	jspan_one_line(line.data, line.len);
	if (target->takes_modern)
		place_envelope(call, forward->origin, (struct jspan){ line.data, line.len }, ret);
	ret->len = line.len;
	ret->line = strbuf_take(&line);
}
