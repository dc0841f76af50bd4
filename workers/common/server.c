/* See server.h.
 *
 * The main loop takes lines; while a tool runs, call_stopped() lets us look at the lines that arrived
 * meanwhile: a ping is answered, a cancellation is noted, the rest waits in the link's buffer. */
#include "workers/common/server.h"

#include <assert.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/jx.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "shared/quote.h"
#include "shared/rpc.h"
#include "workers/common/call_run.h"
#include "workers/common/link.h"

#include "config.h"

enum {
	KEEP_BYTES = 64 * KIB,       /* a bigger buffer is given back */
	TRIM_HEAP_BYTES = 256 * KIB, /* after such a message the heap is given back too */
};

struct server {
	const struct worker_desc *desc;
	const struct settings *settings;
	struct registry *registry;
	struct link link;
	struct strbuf out;  /* the answer that is being built */
	struct call call;   /* the running one, or the last */
	struct strbuf name; /* of the called tool */
	void *args;         /* room for the arguments of the tool with the most */
	bool cancelled;     /* no answer to the present request */
};

struct method {
	const char *name;
	enum rpc_kind kind;
	void (*run)(struct server *server, const struct rpc *rpc);
};

/* Newest last. */
static const char *const revisions[] = { "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25" };

/* What the supervisor told last; there is one fleet. And what the client of this call may know of it, a copy with
 * the numbers of tools that it has; NULL: everything. */
static json_t *fleet;
static json_t *known_fleet;

#define DOMAINS_META "mcp-fleet/domains"

static struct {
	volatile sig_atomic_t is_waiting; /* for a message: nothing is lost by ending now */
	volatile sig_atomic_t is_requested;
} stop;

json_t *worker_get_fleet(void)
{
	return known_fleet ? known_fleet : fleet;
}

/* `meta` is params._meta of the call: absent where there is none. */
static void limit_fleet(struct jspan meta)
{
	struct jspan span = jspan_member(meta, DOMAINS_META, NULL);
	json_t *known =
		jspan_type(span) == JSPAN_OBJECT ? json_loadb(span.at, span.len, 0, NULL) : NULL;
	const char *name;
	json_t *n_tools;

	json_decref(known_fleet);
	known_fleet = span.at ? json_object() : NULL;
	json_object_foreach(known, name, n_tools) {
		json_t *cluster = json_deep_copy(json_object_get(fleet, name));

		if (!cluster)
			continue;
		(void)json_object_set(cluster, "tools", n_tools);
		(void)json_object_set_new(known_fleet, name, cluster);
	}
	json_decref(known);
}

/* Answering. */

static void answer_error(struct server *server, struct jspan id, int code, const char *message)
{
	strbuf_cut(&server->out, 0);
	rpc_add_error(&server->out, id, code, message);
}

static void answer_json(struct server *server, struct jspan id, json_t *result)
{
	auto_strbuf text = { 0 };

	jx_dump(&text, result);
	json_decref(result);
	strbuf_cut(&server->out, 0);
	rpc_add_result(&server->out, id, text.data, text.len);
}

static void send_line(struct server *server, struct strbuf *line)
{
	strbuf_addc(line, '\n');
	(void)link_write(&server->link, line->data, line->len);
}

/* Methods: initialize, ping, tools/list. */

static const char *negotiate(const char *asked)
{
	for (size_t i = 0; i < N_ELEMENTS(revisions); i++)
		if (streq(revisions[i], asked))
			return revisions[i];
	return revisions[N_ELEMENTS(revisions) - 1];
}

/* For the supervisor: what tools/list cannot say. */
static json_t *describe_domain(const struct server *server)
{
	return json_pack("{s:s, s:s*, s:s*, s:o, s:o}", "domain", server->desc->name, "title",
		server->desc->title, "summary", server->desc->summary, "aliases",
		registry_alias_map(server->registry), "timeouts_ms",
		registry_timeouts(server->registry));
}

static void on_initialize(struct server *server, const struct rpc *rpc)
{
	auto_strbuf asked = { 0 };
	auto_strbuf name = { 0 };
	json_t *info;
	json_t *result;

	if (!jspan_get_str(jspan_member(rpc->params, "protocolVersion", NULL), &asked)) {
		answer_error(
			server, rpc->id, RPC_INVALID_PARAMS, "protocolVersion must be a string");
		return;
	}
	strbuf_addf(&name, "mcp-fleet-%s", server->desc->name);
	info = json_pack("{s:s, s:s*, s:s}", "name", name.data, "title", server->desc->title,
		"version", PACKAGE_VERSION);
	result = json_pack("{s:s, s:{s:{s:b}, s:{s:o}}, s:o, s:s*}", "protocolVersion",
		negotiate(strbuf_get(&asked)), "capabilities", "tools", "listChanged", 0,
		"experimental", "mcp-fleet", describe_domain(server), "serverInfo", info,
		"instructions", server->desc->summary);
	answer_json(server, rpc->id, result);
}

static void on_ping(struct server *server, const struct rpc *rpc)
{
	strbuf_cut(&server->out, 0);
	rpc_add_result(&server->out, rpc->id, "{}", 2);
}

static void on_tools_list(struct server *server, const struct rpc *rpc)
{
	/* There is one page, so we never gave out a cursor. */
	if (jspan_member(rpc->params, "cursor", NULL).at) {
		answer_error(
			server, rpc->id, RPC_INVALID_PARAMS, "cursor is not one of this server");
		return;
	}
	answer_json(server, rpc->id, registry_list(server->registry));
}

/* tools/call. */

static void answer_unknown_tool(struct server *server, struct jspan id)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/";
	const char *name = strbuf_get(&server->name);
	auto_strbuf message = { 0 };

	strbuf_adds(&message, "Unknown tool: ");
	if (server->name.len <= LIMIT_TOOL_NAME && strspn(name, plain) == server->name.len)
		strbuf_adds(&message, name);
	else
		quote_add(&message, name, server->name.len);
	answer_error(server, id, RPC_INVALID_PARAMS, message.data);
}

/* The entry that is called, or NULL after an error answer. */
static const struct entry *find_called(struct server *server, const struct rpc *rpc)
{
	const struct entry *entry = NULL;

	strbuf_cut(&server->name, 0);
	if (!jspan_get_str(jspan_member(rpc->params, "name", NULL), &server->name)) {
		answer_error(server, rpc->id, RPC_INVALID_PARAMS, "name must be a string");
		return NULL;
	}
	if (strlen(strbuf_get(&server->name)) == server->name.len)
		entry = registry_find(server->registry, strbuf_get(&server->name));
	if (!entry)
		answer_unknown_tool(server, rpc->id);
	return entry;
}

static void copy_span(struct strbuf *to, struct jspan span)
{
	strbuf_cut(to, 0);
	if (span.at)
		strbuf_add(to, span.at, span.len);
}

static bool is_token(struct jspan token)
{
	return jspan_type(token) == JSPAN_STRING || jspan_is_integer(token);
}

static int64_t limit_of(const struct server *server, const struct tool *tool)
{
	int64_t asker = tool->timeout_s > 0 ? tool->timeout_s * CLOCK_SECOND_MS
					    : server->settings->call_timeout_ms;

	return call_own_limit_ms(asker);
}

static void begin_call(struct server *server, const struct rpc *rpc, const struct entry *entry)
{
	const struct tool *tool = entry->tool;
	struct call *call = &server->call;
	struct jspan token =
		jspan_member(jspan_member(rpc->params, "_meta", NULL), "progressToken", NULL);

	copy_span(&call->id, rpc->id);
	copy_span(&call->token, is_token(token) ? token : (struct jspan){ 0 });
	call->tool = tool;
	call->alias = entry->alias;
	call->started_ms = clock_now_ms();
	call->looked_ms = call->started_ms;
	call->progress_ms = 0;
	call->progress = -1;
	call->limit_ms = limit_of(server, tool);
	call->answered = false;
	call->cancelled = false;
	call->ending = false;
}

/* The arguments as a tree; false after a failure was answered. What jansson refuses here is JSON
 * all the same: integers beyond 64 bits, members that come twice, NUL in a member's name. */
static bool load_args(struct server *server, struct jspan span, json_t **ret)
{
	json_error_t error;

	if (jspan_type(span) == JSPAN_NONE || jspan_type(span) == JSPAN_NULL)
		*ret = json_object();
	else
		*ret = json_loadb(span.at, span.len,
			JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
	if (*ret)
		return true;
	(void)call_fail(&server->call, "invalid_argument",
		"the arguments cannot be read: %s. Give integers of at most 64 bits, and each member once.",
		error.text);
	return false;
}

/* The handler's own trouble, or our bug: the asker learns that, the log the rest. */
static void answer_internal(struct server *server, int r)
{
	const struct call *call = &server->call;
	const struct log_about about = { .domain = server->desc->name, .tool = call->tool->name };
	const struct jspan id = { call->id.data, call->id.len };

	if (r < 0)
		(void)log_err_about(&about, r, "the tool failed");
	else
		(void)log_err_about(&about, 0, "the tool gave no answer");
	answer_error(server, id, RPC_INTERNAL_ERROR,
		"internal: the tool failed for a reason that is not the caller's; the server's log has it.");
}

static void run_tool(struct server *server, const struct entry *entry, json_t *json)
{
	const struct param *params = entry_params(entry);
	struct call *call = &server->call;
	struct fail fail = { 0 };
	int r;

	memset(server->args, 0, entry->tool->args_size);
	entry_fix_args(entry, json);
	if (schema_decode(params, json, server->args, &fail) < 0) {
		(void)call_fail(call, "invalid_argument", "%s", fail.text);
	} else {
		entry_rename_nested(entry, json);
		r = entry->tool->run(call, server->args);
		if (r < 0 || !call->answered)
			answer_internal(server, r);
	}
	schema_done(params, server->args);
	server->cancelled = call->cancelled;
}

static void on_tools_call(struct server *server, const struct rpc *rpc)
{
	struct jspan span = jspan_member(rpc->params, "arguments", NULL);
	const struct worker_desc *desc = server->desc;
	const struct entry *entry = find_called(server, rpc);
	json_auto_t *json = NULL;

	if (!entry)
		return;
	if (span.at && jspan_type(span) != JSPAN_OBJECT && jspan_type(span) != JSPAN_NULL) {
		answer_error(server, rpc->id, RPC_INVALID_PARAMS, "arguments must be an object");
		return;
	}
	begin_call(server, rpc, entry);
	if (!load_args(server, span, &json))
		return;
	if (desc->begin_call)
		desc->begin_call(server->settings->own, jspan_member(rpc->params, "_meta", NULL));
	limit_fleet(jspan_member(rpc->params, "_meta", NULL));
	/* From here on the message itself is not needed. */
	link_trim(&server->link);
	run_tool(server, entry, json);
	if (desc->end_call)
		desc->end_call();
}

/* Notifications. */

static void on_nothing(struct server *server, const struct rpc *rpc)
{
	(void)server;
	(void)rpc;
}

static void on_state(struct server *server, const struct rpc *rpc)
{
	struct jspan span = jspan_member(rpc->params, "clusters", NULL);
	json_t *clusters = NULL;

	if (jspan_type(span) == JSPAN_OBJECT)
		clusters = json_loadb(span.at, span.len, 0, NULL);
	if (!clusters) {
		log_warn("the supervisor's news of the fleet cannot be read, ignoring");
		return;
	}
	json_decref(fleet);
	fleet = clusters;
}

static const struct method methods[] = {
	{ "tools/call", RPC_REQUEST, on_tools_call },
	{ "ping", RPC_REQUEST, on_ping },
	{ "tools/list", RPC_REQUEST, on_tools_list },
	{ "initialize", RPC_REQUEST, on_initialize },
	{ "notifications/mcp-fleet/state", RPC_NOTIFICATION, on_state },
	/* A call that is to be cancelled is found in while_running(); here it is over. */
	{ "notifications/cancelled", RPC_NOTIFICATION, on_nothing },
	{ "notifications/initialized", RPC_NOTIFICATION, on_nothing },
};

static const struct method *find_method(const struct rpc *rpc)
{
	for (size_t i = 0; i < N_ELEMENTS(methods); i++)
		if (methods[i].kind == rpc->kind && jspan_is(rpc->method, methods[i].name))
			return &methods[i];
	return NULL;
}

/* While a tool runs. */

static void answer_ping(struct server *server, struct jspan id)
{
	auto_strbuf out = { 0 };

	rpc_add_result(&out, id, "{}", 2);
	send_line(server, &out);
}

/* A request that waits behind the running one is taken out of the queue. */
static void cancel_waiting(struct server *server, struct jspan id)
{
	struct line line;
	size_t cursor = 0;
	const char *why;
	struct rpc rpc;

	while (link_next_peeked(&server->link, &cursor, &line))
		if (rpc_parse(line.at, line.len, &rpc, &why) == 0 && rpc.kind == RPC_REQUEST &&
			jspan_same(rpc.id, id))
			line_blank(line);
}

static void cancel(struct server *server, struct jspan id)
{
	const struct jspan running = { server->call.id.data, server->call.id.len };

	if (!id.at)
		return;
	if (jspan_same(id, running))
		server->call.cancelled = true;
	else
		cancel_waiting(server, id);
}

static void while_running(struct server *server, struct line line)
{
	struct rpc rpc;
	const char *why;

	/* What is wrong with a message is told when its turn comes. */
	if (rpc_parse(line.at, line.len, &rpc, &why) != 0)
		return;
	/* After a cancellation a ping asks whether the call has really ended: it waits for that. */
	if (rpc.kind == RPC_REQUEST && jspan_is(rpc.method, "ping") && server->call.cancelled)
		return;
	if (rpc.kind == RPC_REQUEST && jspan_is(rpc.method, "ping"))
		answer_ping(server, rpc.id);
	else if (rpc.kind == RPC_NOTIFICATION && jspan_is(rpc.method, "notifications/cancelled"))
		cancel(server, jspan_member(rpc.params, "requestId", NULL));
	else
		return;
	line_blank(line);
}

static void look(struct call *call)
{
	struct server *server = call->owner;
	struct line line;

	link_poll(&server->link);
	while (link_peek(&server->link, &line))
		while_running(server, line);
	call->ending = server->link.gone || stop.is_requested;
}

static void send_from_call(struct call *call, const char *bytes, size_t len)
{
	auto_strbuf line = { 0 };

	strbuf_add(&line, bytes, len);
	send_line(call->owner, &line);
}

/* The loop. */

/* Leaves the answer in server->out; empty: there is none. */
static void handle(struct server *server, struct line line)
{
	const struct method *method;
	const char *why;
	struct rpc rpc;
	int code = rpc_parse(line.at, line.len, &rpc, &why);

	if (code != 0) {
		/* A notification is never answered, not even a wrong one. */
		if (code != RPC_INVALID_PARAMS || rpc.kind == RPC_REQUEST)
			answer_error(server, rpc.id, code, why);
		return;
	}
	if (rpc.kind == RPC_RESULT || rpc.kind == RPC_ERROR)
		return; /* we ask nobody anything */
	method = find_method(&rpc);
	if (method)
		method->run(server, &rpc);
	else if (rpc.kind == RPC_REQUEST)
		answer_error(server, rpc.id, RPC_METHOD_NOT_FOUND, "Method not found");
}

/* Of what a peer once made big nothing is kept. */
static void give_back(struct strbuf *buf)
{
	if (buf->size > KEEP_BYTES)
		strbuf_done(buf);
}

static void finish(struct server *server, size_t line_bytes)
{
	size_t out_bytes = server->out.len;

	if (out_bytes > 0 && !server->cancelled)
		send_line(server, &server->out);
	give_back(&server->out);
	give_back(&server->name);
	give_back(&server->call.id);
	give_back(&server->call.token);
	link_trim(&server->link);
	if (line_bytes > TRIM_HEAP_BYTES || out_bytes > TRIM_HEAP_BYTES)
		(void)malloc_trim(0);
}

void server_run(struct server *server)
{
	for (;;) {
		enum link_event event;
		struct line line = { 0 };

		stop.is_waiting = 1;
		if (stop.is_requested)
			return;
		event = link_wait(&server->link, &line);
		stop.is_waiting = 0;

		strbuf_cut(&server->out, 0);
		server->cancelled = false;
		if (event == LINK_END)
			return;
		if (event == LINK_TOO_LONG)
			answer_error(server, (struct jspan){ 0 }, RPC_INVALID_REQUEST,
				"the message is longer than this server takes");
		else
			handle(server, line);
		finish(server, line.len);
	}
}

static void on_sigterm(int signal_number)
{
	(void)signal_number;
	if (stop.is_waiting)
		_exit(EXIT_SUCCESS);
	stop.is_requested = 1;
}

void server_stop_on_sigterm(void)
{
	struct sigaction action = { .sa_handler = on_sigterm, .sa_flags = SA_RESTART };
	sigset_t signals;

	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

static size_t largest_args(const struct worker_desc *desc)
{
	size_t most = 1;

	for (const struct tool *const *table = desc->tools; *table; table++)
		for (const struct tool *tool = *table; tool->name; tool++)
			if (tool->args_size > most)
				most = tool->args_size;
	return most;
}

struct server *server_new(
	const struct worker_desc *desc, const struct settings *settings, int in_fd, int out_fd)
{
	struct server *server = alloc_zero(sizeof(*server));

	server->desc = desc;
	server->settings = settings;
	server->registry = registry_new(
		desc, settings_aliases(settings), settings->federation_prefix, settings->own);
	server->args = alloc_zero(largest_args(desc));
	link_init(&server->link, in_fd, out_fd);
	server->call = (struct call){
		.settings = settings->own,
		.fails_as_json = desc->fails_as_json,
		.max_result_bytes = (size_t)settings->max_result_bytes,
		.look = look,
		.send = send_from_call,
		.owner = server,
		.out = &server->out,
	};
	return server;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	registry_free(server->registry);
	link_done(&server->link);
	strbuf_done(&server->out);
	strbuf_done(&server->name);
	strbuf_done(&server->call.id);
	strbuf_done(&server->call.token);
	free(server->args);
	free(server);
	json_decref(known_fleet);
	known_fleet = NULL;
	json_decref(fleet);
	fleet = NULL;
}

json_t *server_list_tools(const struct worker_desc *desc, const struct settings *settings)
{
	auto_(registry_freep) struct registry *registry = registry_new(
		desc, settings_aliases(settings), settings->federation_prefix, settings->own);

	return registry_list(registry);
}
