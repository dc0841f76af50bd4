/* What a worker asks of us: ping is answered here, the rest goes up, and the reply comes back later.
 *
 * Its requests that wait for their reply are kept by their ids, so many at a time: a reply goes only to a
 * request that waits, never to one that was withdrawn, or to another process than the one that asked.
 *
 * Source: MCP client/{sampling,elicitation,roots}, basic/utilities/{ping,cancellation}, all revisions with
 * initialize; since 2026-07-28 a server makes no requests. */
#include "shared/alloc.h"
#include "shared/limits.h"
#include "supervisor/fleet/worker_private.h"

/* Where the request with this id waits; with an absent id: a place that is free. NULL: none. */
static char **find_ask(struct worker *w, struct jspan id)
{
	for (size_t i = 0; i < N_ELEMENTS(w->asks); i++) {
		char *ask = w->asks[i];

		if (!id.at ? !ask : ask && jspan_same((struct jspan){ ask, strlen(ask) }, id))
			return &w->asks[i];
	}
	return NULL;
}

static void say_answer(struct worker *w, const char *text, size_t len)
{
	if (!w->link)
		return;
	if (link_get_unsent(w->link) == 0)
		w->unread = 0;
	w->unread += len;
	(void)worker_say(w, text, len);
}

/* Without a bound it could fill our memory by asking. */
static bool reads_answers(struct worker *w)
{
	return w->unread <= WORKER_MAX_UNREAD || link_get_unsent(w->link) == 0;
}

static void answer_error(struct worker *w, struct jspan id, int code, const char *message)
{
	auto_strbuf answer = { 0 };

	rpc_add_error(&answer, id, code, message);
	say_answer(w, answer.data, answer.len);
}

static bool may_ask(const struct worker *w)
{
	return !w->setup->native && w->offering.takes_legacy &&
	       (w->state == WORKER_LISTING || w->state == WORKER_READY ||
		       w->state == WORKER_DRAINING);
}

void worker_on_request(struct worker *w, const struct rpc *rpc)
{
	char **place;

	if (!reads_answers(w)) {
		worker_break(w, "it asks, but does not read the answers");
		return;
	}
	if (jspan_is(rpc->method, "ping")) {
		auto_strbuf answer = { 0 };

		rpc_add_result(&answer, rpc->id, "{}", 2);
		say_answer(w, answer.data, answer.len);
		return;
	}
	place = find_ask(w, (struct jspan){ 0 });
	if (!may_ask(w)) {
		answer_error(w, rpc->id, RPC_METHOD_NOT_FOUND,
			"the client of this worker is mcp-fleet, which offers no such method");
	} else if (find_ask(w, rpc->id)) {
		answer_error(w, rpc->id, RPC_INVALID_REQUEST,
			"a request with this id waits for its answer already");
	} else if (!place) {
		answer_error(w, rpc->id, RPC_OVERLOADED,
			"too many requests of this worker wait for their answers; try again "
			"later");
	} else {
		*place = alloc_mem(rpc->id.at, rpc->id.len);
		w->hooks->asked(w->arg, w, rpc);
	}
}

/* An end of what we asked it is its answer; this is about what it asked, or a listen of ours. */
void worker_on_cancelled(struct worker *w, const struct rpc *rpc)
{
	struct jspan id = jspan_member(rpc->params, "requestId", NULL);
	char **ask = id.at ? find_ask(w, id) : NULL;
	auto_strbuf text = { 0 };

	if (ask) {
		free(TAKE(*ask));
		w->hooks->told(w->arg, w, rpc);
	} else if (jspan_get_str(id, &text)) {
		worker_on_listen_end(w, strbuf_get(&text), NULL);
	}
}

/* The id of a message of ours, which is checked; without looking further than it stands. */
static struct jspan find_id(const char *line, size_t len)
{
	const struct jspan message = { line, len };
	struct jspan name = { 0 };
	struct jspan value = { 0 };
	size_t cursor = 0;

	while (jspan_next(message, &cursor, &name, &value))
		if (jspan_is(name, "id"))
			return value;
	return (struct jspan){ 0 };
}

void worker_reply(struct worker *w, const char *line, size_t len)
{
	struct jspan id = find_id(line, len);
	char **ask = id.at ? find_ask(w, id) : NULL;

	if (!ask) {
		log_debug_about(&w->about, "%s: a reply that nobody waits for", w->name);
		return;
	}
	free(TAKE(*ask));
	say_answer(w, line, len);
}

void worker_tell(struct worker *w, const char *line, size_t len)
{
	if (w->state != WORKER_READY || w->setup->native || !w->offering.takes_legacy)
		return;
	/* To be missed is better than to pile up. */
	if (link_get_unsent(w->link) <= WORKER_MAX_UNREAD)
		(void)worker_say(w, line, len);
}

void worker_forget_asks(struct worker *w)
{
	for (size_t i = 0; i < N_ELEMENTS(w->asks); i++)
		free(TAKE(w->asks[i]));
	w->unread = 0;
}
