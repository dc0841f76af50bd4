/* What is said on a worker's link: the supervisor as the worker's MCP client.
 *
 * Ids: a call's is its number, an integer; our own requests have the texts below. Every byte from the
 * worker is foreign: what is no JSON-RPC message breaks the link, but for noise that a careless server
 * prints on its standard output, which is logged and skipped (external workers only).
 *
 * Source: MCP 2025-11-25 basic/lifecycle, server/tools, basic/utilities/{ping,cancellation,progress}. */
#include <errno.h>
#include <stdio.h>

#include "config.h"

#include "shared/alloc.h"
#include "shared/limits.h"
#include "supervisor/fleet/worker_private.h"

#define ID_INITIALIZE "initialize"
#define ID_TOOLS "tools"
#define ID_PING "ping"
#define ID_PROBE "probe-" /* and the call's number: answered when a cancelled call has ended */

enum {
	MAX_PAGES = 100,
	NOISE_BURST = 20,
	MAX_UNREAD = MIB, /* of answers to its own requests */
};

static int say(struct worker *w, const char *text, size_t len)
{
	const struct iovec piece = { .iov_base = (void *)(uintptr_t)text, .iov_len = len };

	return w->link ? link_send(w->link, &piece, 1) : -EPIPE;
}

static void sayf(struct worker *w, const char *fmt, ...) printf_like(2, 3);

static void sayf(struct worker *w, const char *fmt, ...)
{
	auto_strbuf text = { 0 };
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&text, fmt, args);
	va_end(args);
	(void)say(w, text.data, text.len);
}

void worker_say_initialize(struct worker *w)
{
	sayf(w, "{\"jsonrpc\":\"2.0\",\"id\":\"" ID_INITIALIZE
		"\",\"method\":\"initialize\",\"params\":{"
		"\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"
		"\"clientInfo\":{\"name\":\"mcp-fleet\",\"version\":\"" PACKAGE_VERSION "\"}}}");
}

void worker_ask_tools(struct worker *w)
{
	json_decref(w->offering.tools);
	w->offering.tools = json_array();
	w->is_listing = true;
	w->list_again = false;
	w->n_pages = 0;
	sayf(w, "{\"jsonrpc\":\"2.0\",\"id\":\"" ID_TOOLS "\",\"method\":\"tools/list\"}");
}

void worker_say_ping(struct worker *w)
{
	sayf(w, "{\"jsonrpc\":\"2.0\",\"id\":\"" ID_PING "\",\"method\":\"ping\"}");
}

void worker_say_cancelled(struct worker *w, uint64_t no, const char *reason)
{
	auto_strbuf text = { 0 };

	strbuf_addf(&text,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
		"\"requestId\":%llu,\"reason\":",
		(unsigned long long)no);
	strbuf_add_json(&text, reason, strlen(reason));
	strbuf_adds(&text, "}}");
	(void)say(w, text.data, text.len);
	sayf(w, "{\"jsonrpc\":\"2.0\",\"id\":\"" ID_PROBE "%llu\",\"method\":\"ping\"}",
		(unsigned long long)no);
}

/* A call that has not begun: no probe, because nobody waits for its place. */
void worker_say_forget(struct worker *w, uint64_t no)
{
	sayf(w, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%llu}}",
		(unsigned long long)no);
}

void worker_notify(struct worker *w, const char *method, const char *params)
{
	if (w->state == WORKER_READY && w->setup->native)
		sayf(w, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":%s}", method, params);
}

int worker_call(struct worker *w, struct request *request)
{
	const struct iovec piece = { .iov_base = request->line, .iov_len = request->len };
	bool ahead = w->n_calls >= w->setup->concurrency;
	int r = -EPIPE;

	if (w->link)
		r = ahead ? link_send_soon(w->link, &piece, 1) : link_send(w->link, &piece, 1);
	if (r < 0)
		return r;
	request->ahead = ahead;
	if (w->n_calls == 0)
		w->head_since_us = clock_now_us();
	TAILQ_INSERT_TAIL(&w->calls, request, next);
	w->n_calls++;
	return 0;
}

/* --- what it says to us ------------------------------------------------------------------------ */

static void break_link(struct worker *w, const char *trouble)
{
	w->trouble = trouble;
	worker_event(w, WORKER_EV_BROKEN);
}

/* The first call is done; the one behind it, if it was sent ahead, runs now. */
static void next_head(struct worker *w)
{
	enum { WEIGHT = 8 };
	struct request *head = TAILQ_FIRST(&w->calls);
	int64_t now_us = clock_now_us();

	w->usual_us += (now_us - w->head_since_us - w->usual_us) / WEIGHT;
	w->head_since_us = now_us;
	if (head)
		head->ahead = false;
}

/* Takes the call out of the worker; NULL: it has none of this number. */
static struct request *take_call(struct worker *w, uint64_t no)
{
	struct request *request;

	TAILQ_FOREACH(request, &w->calls, next)
		if (request->no == no)
			break;
	if (!request)
		return NULL;
	bool was_head = request == TAILQ_FIRST(&w->calls);
	TAILQ_REMOVE(&w->calls, request, next);
	w->n_calls--;
	if (was_head)
		next_head(w);
	if (w->n_calls == 0)
		w->idle_since_ms = loop_now_ms(w->loop);
	return request;
}

/* A place became free; tell the domain, or go on draining. */
static void after_call(struct worker *w)
{
	if (w->state == WORKER_DRAINING && w->n_calls == 0)
		worker_event(w, WORKER_EV_DRAINED);
	else
		w->hooks->freed(w->arg, w);
}

static void on_call_answer(struct worker *w, uint64_t no, const struct rpc *rpc)
{
	struct request *request = take_call(w, no);

	if (!request) {
		log_debug_about(&w->about, "%s: answer to call %llu, which nobody waits for",
			w->name, (unsigned long long)no);
		return;
	}
	w->n_answers++;
	if (!request->cancelled)
		w->hooks->answered(w->arg, no, rpc);
	request_free(request);
	after_call(w);
}

static void on_probe_answer(struct worker *w, const char *number)
{
	uint64_t no = strtoull(number, NULL, 10);
	struct request *request = take_call(w, no);

	if (!request)
		return;
	request_free(request);
	after_call(w);
}

static void on_initialized(struct worker *w, const struct rpc *rpc)
{
	if (rpc->kind == RPC_ERROR || jspan_type(rpc->result) != JSPAN_OBJECT) {
		break_link(w, "it refused to initialize");
		return;
	}
	json_decref(w->offering.info);
	w->offering.info = json_loadb(rpc->result.at, rpc->result.len, JSON_ALLOW_NUL, NULL);
	w->offering.takes_legacy = true;
	sayf(w, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
	worker_event(w, WORKER_EV_INITIALIZED);
}

static void ask_next_page(struct worker *w, const char *cursor)
{
	auto_strbuf text = { 0 };

	strbuf_adds(&text, "{\"jsonrpc\":\"2.0\",\"id\":\"" ID_TOOLS
			   "\",\"method\":\"tools/list\",\"params\":{\"cursor\":");
	strbuf_add_json(&text, cursor, strlen(cursor));
	strbuf_adds(&text, "}}");
	(void)say(w, text.data, text.len);
}

/* What changed while the list was read may be missing in it. */
static void end_listing(struct worker *w)
{
	bool again = w->list_again;

	worker_event(w, WORKER_EV_LISTED);
	if (again && w->state == WORKER_READY)
		worker_ask_tools(w);
}

/* One at a time: a worker that tells of changes without end is asked when it has answered. */
static void on_tools_changed(struct worker *w)
{
	if (w->is_listing)
		w->list_again = true;
	else
		worker_ask_tools(w);
}

static void on_tools(struct worker *w, const struct rpc *rpc)
{
	json_auto_t *result = NULL;
	const char *cursor;
	json_t *tools;

	if (!w->is_listing)
		return; /* not asked for */
	if (rpc->kind == RPC_RESULT)
		result = json_loadb(rpc->result.at, rpc->result.len, JSON_ALLOW_NUL, NULL);
	tools = json_object_get(result, "tools");
	if (!json_is_array(tools)) {
		break_link(w, "it answered tools/list without a list of tools");
		return;
	}
	(void)json_array_extend(w->offering.tools, tools);
	cursor = json_string_value(json_object_get(result, "nextCursor"));
	if (!cursor)
		end_listing(w);
	else if (++w->n_pages < MAX_PAGES)
		ask_next_page(w, cursor);
	else
		break_link(w, "its list of tools does not end");
}

static void on_own_answer(struct worker *w, const char *id, const struct rpc *rpc)
{
	if (streq(id, ID_PING))
		w->pinged = false;
	else if (streq(id, ID_INITIALIZE) && w->state == WORKER_STARTING)
		on_initialized(w, rpc);
	else if (streq(id, ID_TOOLS))
		on_tools(w, rpc);
	else if (strncmp(id, ID_PROBE, strlen(ID_PROBE)) == 0)
		on_probe_answer(w, id + strlen(ID_PROBE));
}

static void on_answer(struct worker *w, const struct rpc *rpc)
{
	auto_strbuf id = { 0 };
	uint64_t no;

	if (jspan_get_u64(rpc->id, &no))
		on_call_answer(w, no, rpc);
	else if (jspan_get_str(rpc->id, &id))
		on_own_answer(w, strbuf_get(&id), rpc);
}

static void on_progress(struct worker *w, const struct rpc *rpc)
{
	struct request *request;
	uint64_t no;

	if (!jspan_get_u64(jspan_member(rpc->params, "progressToken", NULL), &no))
		return;
	TAILQ_FOREACH(request, &w->calls, next)
		if (request->no == no && !request->cancelled)
			w->hooks->progress(w->arg, no, rpc);
}

static void on_notification(struct worker *w, const struct rpc *rpc)
{
	if (jspan_is(rpc->method, "notifications/progress"))
		on_progress(w, rpc);
	else if (jspan_is(rpc->method, "notifications/tools/list_changed") &&
		 w->state == WORKER_READY)
		on_tools_changed(w);
	else if (w->state == WORKER_READY || w->state == WORKER_DRAINING)
		w->hooks->told(w->arg, w, rpc);
}

void worker_reply(struct worker *w, const char *line, size_t len)
{
	(void)say(w, line, len);
}

/* A native worker may make no request but ping. */
static void on_request(struct worker *w, const struct rpc *rpc)
{
	auto_strbuf answer = { 0 };

	if (link_get_unsent(w->link) > MAX_UNREAD) {
		break_link(w, "it asks, but does not read the answers");
		return;
	}
	if (!w->setup->native && !jspan_is(rpc->method, "ping") &&
		(w->state == WORKER_READY || w->state == WORKER_DRAINING)) {
		w->hooks->asked(w->arg, w, rpc);
		return;
	}
	if (jspan_is(rpc->method, "ping"))
		rpc_add_result(&answer, rpc->id, "{}", 2);
	else
		rpc_add_error(&answer, rpc->id, RPC_METHOD_NOT_FOUND,
			"the client of this worker is mcp-fleet, which offers no such method");
	(void)say(w, answer.data, answer.len);
}

/* A banner or a stray print: a line of text that does not even begin like a message. */
static bool is_noise(const struct worker *w, const char *line, size_t len)
{
	if (w->setup->native || line[0] == '{' || line[0] == '[')
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 && line[i] != '\t' && line[i] != '\033')
			return false;
	return true;
}

static void on_line(void *arg, char *line, size_t len)
{
	struct worker *w = arg;
	const char *why = NULL;
	struct rpc rpc;
	int r;

	if (!w->link)
		return; /* given up earlier in this loop turn */
	w->heard_ms = loop_now_ms(w->loop);
	r = rpc_parse(line, len, &rpc, &why);
	if (r != 0 && is_noise(w, line, len)) {
		if (log_limit_ok(&w->noise, NOISE_BURST, w->name))
			log_warn_about(&w->about,
				"%s: not a message on its standard output, skipped: %.*s", w->name,
				(int)(len < 200 ? len : 200), line);
		return;
	}
	if (r != 0) {
		log_warn_about(
			&w->about, "%s: garbage on its link: %s", w->name, why ? why : "no JSON");
		break_link(w, "garbage on its link");
		return;
	}
	switch (rpc.kind) {
	case RPC_RESULT:
	case RPC_ERROR:
		on_answer(w, &rpc);
		break;
	case RPC_NOTIFICATION:
		on_notification(w, &rpc);
		break;
	case RPC_REQUEST:
		on_request(w, &rpc);
		break;
	}
}

static void on_broken(void *arg, int err)
{
	struct worker *w = arg;

	if (!w->link)
		return;
	if (err == -EMSGSIZE)
		w->trouble = "a line over the limit on its link";
	worker_event(w, WORKER_EV_BROKEN);
}

const struct link_hooks worker_link_hooks = { .line = on_line, .broken = on_broken };
