/* What is said on a worker's link when it serves: calls and their answers, progress, cancellation; and what
 * becomes of every line that comes from it.
 *
 * Ids: a call's is its number, an integer; our own requests have texts (worker_private.h). Every byte from
 * the worker is foreign. What a careless server prints on its standard output is logged and skipped
 * (external workers only): any line that does not look like a message. One that does and is none breaks the
 * link, because an answer may have been lost in it; so does whatever else breaks the protocol.
 *
 * Source: MCP basic/index, basic/transports "stdio", basic/utilities/{ping,cancellation,progress}, all
 * revisions; 2025-03-26 and before: batches. */
#include <errno.h>
#include <stdio.h>

#include "config.h"

#include "shared/alloc.h"
#include "shared/quote.h"
#include "supervisor/fleet/worker_private.h"

#define MODERN_CAPABILITIES                                                                        \
	"{\"roots\":{},\"sampling\":{},\"elicitation\":{\"form\":{},\"url\":{}}}"

/* The stateless revision's part of each request. What is asked on the way goes on to the client, so all that
 * there is can be had: no list is to leave anything out for us. */
#define MODERN_META                                                                                        \
	"\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"" MODERN_REVISION                        \
	"\",\"io.modelcontextprotocol/clientInfo\":{\"name\":\"mcp-fleet\",\"version\":\"" PACKAGE_VERSION \
	"\"},\"io.modelcontextprotocol/clientCapabilities\":" MODERN_CAPABILITIES "}"

int worker_say(struct worker *w, const char *text, size_t len)
{
	const struct iovec piece = { .iov_base = (void *)(uintptr_t)text, .iov_len = len };

	return w->link ? link_send(w->link, &piece, 1) : -EPIPE;
}

void worker_sayf(struct worker *w, const char *fmt, ...)
{
	auto_strbuf text = { 0 };
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&text, fmt, args);
	va_end(args);
	(void)worker_say(w, text.data, text.len);
}

void worker_say_request(
	struct worker *w, bool modern, const char *id, const char *method, const char *params)
{
	auto_strbuf text = { 0 };

	strbuf_addf(&text, "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"method\":\"%s\"", id, method);
	if (modern)
		strbuf_addf(&text, ",\"params\":{" MODERN_META "%s%s}", *params ? "," : "", params);
	else if (*params)
		strbuf_addf(&text, ",\"params\":{%s}", params);
	strbuf_addc(&text, '}');
	(void)worker_say(w, text.data, text.len);
}

/* The cheapest request that every server of its revision answers. */
static void say_ping(struct worker *w, const char *id)
{
	bool modern = offering_is_modern_only(&w->offering);

	worker_say_request(w, modern, id, modern ? "server/discover" : "ping", "");
}

void worker_say_ping(struct worker *w)
{
	say_ping(w, ID_PING);
}

void worker_say_cancelled(struct worker *w, uint64_t no, const char *reason)
{
	auto_strbuf text = { 0 };
	char probe[40];

	strbuf_addf(&text,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
		"\"requestId\":%llu,\"reason\":",
		(unsigned long long)no);
	strbuf_add_json(&text, reason, strlen(reason));
	strbuf_adds(&text, "}}");
	(void)worker_say(w, text.data, text.len);
	(void)snprintf(probe, sizeof(probe), ID_PROBE "%llu", (unsigned long long)no);
	say_ping(w, probe);
}

/* A call that has not begun: no probe, because nobody waits for its place. */
void worker_say_forget(struct worker *w, uint64_t no)
{
	worker_sayf(w,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%llu}}",
		(unsigned long long)no);
}

void worker_notify(struct worker *w, const char *method, const char *params)
{
	if (w->state == WORKER_READY && w->setup->native)
		worker_sayf(
			w, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":%s}", method, params);
}

/* The line, with the envelope in it where that makes it a request of the worker's revision. */
static int make_pieces(const struct worker *w, const struct request *request, struct iovec ret[3])
{
	bool modern = w->offering.takes_modern && (request->is_modern || !w->offering.takes_legacy);

	if (!modern || !request->envelope || request->meta_at > request->len) {
		ret[0] = (struct iovec){ request->line, request->len };
		return 1;
	}
	ret[0] = (struct iovec){ request->line, request->meta_at };
	ret[1] = (struct iovec){ request->envelope, strlen(request->envelope) };
	ret[2] =
		(struct iovec){ request->line + request->meta_at, request->len - request->meta_at };
	return 3;
}

int worker_call(struct worker *w, struct request *request)
{
	struct iovec pieces[3];
	int n = make_pieces(w, request, pieces);
	bool ahead = !request->is_beside && worker_count_places(w) >= w->setup->concurrency;
	int r = -EPIPE;

	if (w->link)
		r = ahead ? link_send_soon(w->link, pieces, n) : link_send(w->link, pieces, n);
	if (r < 0)
		return r;
	request->ahead = ahead;
	if (w->n_calls == 0)
		w->head_since_us = clock_now_us();
	TAILQ_INSERT_TAIL(&w->calls, request, next);
	w->n_calls++;
	w->n_beside += request->is_beside;
	return 0;
}

/* --- what it says to us ------------------------------------------------------------------------ */

void worker_break(struct worker *w, const char *fmt, ...)
{
	auto_strbuf words = { 0 };
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&words, fmt, args);
	va_end(args);
	worker_set_trouble(w, WORKER_CAUSE_PROTOCOL, "%s", strbuf_get(&words));
	worker_event(w, WORKER_EV_BROKEN);
}

void worker_add_error_text(struct strbuf *out, const struct rpc *rpc)
{
	auto_strbuf words = { 0 };

	(void)jspan_get_str(jspan_member(rpc->error, "message", NULL), &words);
	quote_add(out, strbuf_get(&words), words.len);
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

static struct request *find_call(const struct worker *w, uint64_t no)
{
	struct request *request;

	TAILQ_FOREACH(request, &w->calls, next)
		if (request->no == no)
			break;
	return request;
}

/* Takes the call out of the worker. */
static void take_call(struct worker *w, struct request *request)
{
	bool was_head = request == TAILQ_FIRST(&w->calls);

	TAILQ_REMOVE(&w->calls, request, next);
	w->n_calls--;
	w->n_beside -= request->is_beside;
	if (was_head)
		next_head(w);
	if (w->n_calls == 0)
		w->idle_since_ms = loop_now_ms(w->loop);
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
	struct request *request = find_call(w, no);

	if (!request) {
		worker_end_stray(w, no);
		log_debug_about(&w->about, "%s: answer to call %llu, which nobody waits for",
			w->name, (unsigned long long)no);
		return;
	}
	take_call(w, request);
	w->n_answers++;
	if (!request->cancelled)
		w->hooks->answered(w->arg, request, rpc);
	request_free(request);
	after_call(w);
}

/* Foreign too: only a call that was cancelled has a probe behind it. */
static void on_probe_answer(struct worker *w, const char *number)
{
	struct request *request = NULL;
	uint64_t no;

	if (jspan_get_u64((struct jspan){ number, strlen(number) }, &no))
		request = find_call(w, no);
	if (!request || !request->cancelled)
		return;
	take_call(w, request);
	worker_add_stray(w, request);
	request_free(request);
	after_call(w);
}

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void on_own_answer(struct worker *w, const char *id, const struct rpc *rpc)
{
	enum worker_list list = worker_find_list(id);

	if (list < WORKER_LISTS)
		worker_on_list(w, list, rpc);
	else if (streq(id, ID_PING))
		w->pinged = false;
	else if (streq(id, ID_INITIALIZE))
		worker_on_initialize(w, rpc);
	else if (streq(id, ID_DISCOVER))
		worker_on_discover(w, rpc);
	else if (streq(id, ID_LEVEL))
		worker_on_levelled(w, rpc);
	else if (has_prefix(id, ID_PROBE))
		on_probe_answer(w, id + strlen(ID_PROBE));
	else if (has_prefix(id, ID_SUBSCRIBE))
		worker_on_subscribed(w, rpc);
	else if (has_prefix(id, ID_LISTEN))
		worker_on_listen_end(w, id, rpc);
}

/* A number of ours; some servers make a text of it. */
static bool get_number(struct jspan id, uint64_t *ret)
{
	struct jspan inside;

	if (jspan_type(id) != JSPAN_STRING || id.len <= 2)
		return jspan_get_u64(id, ret);
	inside = (struct jspan){ id.at + 1, id.len - 2 };
	for (size_t i = 0; i < inside.len; i++)
		if (inside.at[i] < '0' || inside.at[i] > '9')
			return false;
	return jspan_get_u64(inside, ret);
}

static void on_answer(struct worker *w, const struct rpc *rpc)
{
	auto_strbuf text = { 0 };
	uint64_t no;

	if (get_number(rpc->id, &no)) {
		on_call_answer(w, no, rpc);
	} else if (jspan_get_str(rpc->id, &text)) {
		on_own_answer(w, strbuf_get(&text), rpc);
	} else if (log_limit_ok(&w->noise, WORKER_NOISE_BURST, w->name)) {
		worker_add_error_text(&text, rpc);
		log_warn_about(&w->about, "%s: an error that names no request: %s", w->name,
			strbuf_get(&text));
	}
}

static void on_progress(struct worker *w, const struct rpc *rpc)
{
	const struct request *request;
	uint64_t no;

	if (!get_number(jspan_member(rpc->params, "progressToken", NULL), &no))
		return;
	request = find_call(w, no);
	if (request && !request->cancelled)
		w->hooks->progress(w->arg, no, rpc);
	else if (!request && !w->setup->native) /* a task outlasts the call that made it */
		w->hooks->told(w->arg, w, rpc);
}

/* Nobody is there to hear it yet; who looks for the cause of a slow start finds it. */
static void log_early_message(const struct worker *w, const struct rpc *rpc)
{
	struct jspan data = jspan_member(rpc->params, "data", NULL);
	char words[QUOTE_SIZE];
	auto_strbuf text = { 0 };

	if (!jspan_get_str(data, &text) && data.at)
		strbuf_add(&text, data.at, data.len);
	log_debug_about(&w->about, "%s: says %s", w->name, quote(words, strbuf_get(&text)));
}

/* Upwards only the resource counts: the subscription in _meta is between the worker and us. */
static void tell_updated(struct worker *w, const struct rpc *rpc)
{
	struct jspan uri = jspan_member(rpc->params, "uri", NULL);
	auto_strbuf line = { 0 };
	const char *why;
	struct rpc plain;

	if (jspan_type(uri) != JSPAN_STRING)
		return;
	strbuf_adds(&line,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":");
	strbuf_add(&line, uri.at, uri.len);
	strbuf_adds(&line, "}}");
	if (rpc_parse(line.data, line.len, &plain, &why) == 0)
		w->hooks->told(w->arg, w, &plain);
}

static void tell(struct worker *w, const struct rpc *rpc)
{
	if (w->offering.takes_modern && jspan_is(rpc->method, "notifications/resources/updated"))
		tell_updated(w, rpc);
	else
		w->hooks->told(w->arg, w, rpc);
}

static bool is_list_changed(const struct rpc *rpc)
{
	return jspan_is(rpc->method, "notifications/tools/list_changed") ||
	       jspan_is(rpc->method, "notifications/resources/list_changed") ||
	       jspan_is(rpc->method, "notifications/prompts/list_changed");
}

static void on_notification(struct worker *w, const struct rpc *rpc)
{
	if (jspan_is(rpc->method, "notifications/progress"))
		on_progress(w, rpc);
	else if (is_list_changed(rpc))
		worker_on_list_changed(w);
	else if (jspan_is(rpc->method, "notifications/cancelled"))
		worker_on_cancelled(w, rpc);
	else if (jspan_is(rpc->method, "notifications/subscriptions/acknowledged"))
		worker_on_acknowledged(w, rpc);
	else if (w->state == WORKER_READY || w->state == WORKER_DRAINING)
		tell(w, rpc);
	else if (jspan_is(rpc->method, "notifications/message"))
		log_early_message(w, rpc);
}

static void on_message(struct worker *w, const struct rpc *rpc)
{
	switch (rpc->kind) {
	case RPC_RESULT:
	case RPC_ERROR:
		on_answer(w, rpc);
		break;
	case RPC_NOTIFICATION:
		on_notification(w, rpc);
		break;
	case RPC_REQUEST:
		worker_on_request(w, rpc);
		break;
	}
}

/* --- lines that are no message, or not quite one ------------------------------------------------ */

/* Text for a person: a banner, a stray print, a line of a log, also one in JSON. It does not begin like a
 * message, or does not name the protocol as each message does. */
static bool is_noise(const char *line, size_t len)
{
	size_t start = 0;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 &&
			!strchr("\a\b\t\v\f\r\033", line[i] ? line[i] : 'x'))
			return false;
	while (start < len && (line[start] == ' ' || line[start] == '\t'))
		start++;
	if (start < len && line[start] != '{' && line[start] != '[')
		return true;
	return !memmem(line, len, "\"jsonrpc\"", strlen("\"jsonrpc\""));
}

/* What nobody can misunderstand: a result with "error":null or the other way round, "params":null. */
static bool is_forgivable(const char *line, size_t len, int code, struct rpc *rpc)
{
	struct jspan message, result, error;

	if (code == RPC_INVALID_PARAMS)
		return jspan_check(line, len, &message, NULL) == 0 &&
		       jspan_type(jspan_member(message, "params", NULL)) == JSPAN_NULL;
	if (code != RPC_INVALID_REQUEST || !rpc->id.at ||
		jspan_check(line, len, &message, NULL) < 0 || jspan_type(message) != JSPAN_OBJECT ||
		!jspan_is(jspan_member(message, "jsonrpc", NULL), "2.0") ||
		jspan_member(message, "method", NULL).at)
		return false;
	result = jspan_member(message, "result", NULL);
	error = jspan_member(message, "error", NULL);
	if (result.at && jspan_type(result) != JSPAN_NULL && jspan_type(error) == JSPAN_NULL) {
		rpc->kind = RPC_RESULT;
		rpc->result = result;
		return true;
	}
	if (jspan_type(result) == JSPAN_NULL && jspan_type(error) == JSPAN_OBJECT) {
		rpc->kind = RPC_ERROR;
		rpc->error = error;
		return true;
	}
	return false;
}

static void on_text(struct worker *w, const char *text, size_t len);

/* Answers in one array, as 2025-03-26 and before allow it. Our own are sent one by one, which every
 * reader of JSON-RPC takes. */
static bool take_batch(struct worker *w, const char *line, size_t len)
{
	struct jspan batch = { 0 };
	struct jspan message = { 0 };
	size_t cursor = 0;

	if (!w->offering.takes_legacy || jspan_check(line, len, &batch, NULL) < 0 ||
		jspan_type(batch) != JSPAN_ARRAY)
		return false;
	while (w->link && jspan_next(batch, &cursor, NULL, &message)) {
		if (jspan_type(message) != JSPAN_OBJECT)
			return false;
		on_text(w, message.at, message.len);
	}
	return true;
}

static void log_noise(struct worker *w, const char *line, size_t len)
{
	auto_strbuf words = { 0 };

	if (!log_limit_ok(&w->noise, WORKER_NOISE_BURST, w->name))
		return;
	quote_add(&words, line, len);
	log_warn_about(&w->about, "%s: not a message on its standard output, skipped: %s", w->name,
		strbuf_get(&words));
}

static void on_bad_line(struct worker *w, const char *line, size_t len, const char *why)
{
	bool native = w->setup->native;

	if (!native && is_noise(line, len))
		log_noise(w, line, len);
	else if (native || !take_batch(w, line, len))
		worker_break(w, "garbage on its link: %s", why ? why : "not JSON");
}

static void on_text(struct worker *w, const char *text, size_t len)
{
	const char *why = NULL;
	struct rpc rpc;
	int r = rpc_parse(text, len, &rpc, &why);

	if (r == 0 || (!w->setup->native && is_forgivable(text, len, r, &rpc)))
		on_message(w, &rpc);
	else
		on_bad_line(w, text, len, why);
}

static void on_line(void *arg, char *line, size_t len)
{
	struct worker *w = arg;

	if (!w->link)
		return; /* given up earlier in this loop turn */
	w->heard_ms = loop_now_ms(w->loop);
	on_text(w, line, len);
}

static void on_broken(void *arg, int err)
{
	struct worker *w = arg;

	if (!w->link)
		return;
	if (err == -EMSGSIZE)
		worker_set_trouble(w, WORKER_CAUSE_PROTOCOL, "a line over the limit on its link%s",
			w->setup->native ? "" : " (max_line)");
	worker_event(w, WORKER_EV_BROKEN);
}

const struct link_hooks worker_link_hooks = { .line = on_line, .broken = on_broken };
