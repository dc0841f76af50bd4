/* Lines of the daemon: answers to what is in flight, and what it says by itself; see bridge_private.h. */
#include <errno.h>

#include "ctl/bridge_private.h"
#include "shared/alloc.h"

static void say(struct bridge *bridge, const char *line, size_t len)
{
	bridge->settings.say(bridge->settings.arg, line, len);
}

/* To a request that is too long the daemon need not read all of it before it says so. What is left of it is
 * written all the same. */
static void take_early_answer(
	struct bridge *bridge, const char *line, size_t len, const struct rpc *rpc)
{
	struct item *head = TAILQ_FIRST(&bridge->queue);

	if (bridge->head_at == 0 || head->is_answered || !id_is(&head->id, rpc->id))
		return;
	if (!head->is_cancelled)
		say(bridge, line, len);
	head->is_answered = true;
}

/* An answer that nobody waits for goes nowhere. */
static int take_answer(struct bridge *bridge, const char *line, size_t len, const struct rpc *rpc)
{
	int r = again_take_answer(bridge, rpc);
	struct item *item;

	if (r <= 0)
		return r;
	item = item_find(&bridge->sent, rpc->id);
	if (!item) {
		take_early_answer(bridge, line, len, rpc);
		return 0;
	}
	if (item->line && rpc_is_stopping(rpc)) {
		item->is_refused = true; /* it is asked again of the next daemon */
		bridge->has_refused = true;
		return 0;
	}
	r = again_note_answer(bridge, item, rpc);
	say(bridge, line, len);
	item_drop(bridge, &bridge->sent, item);
	return r;
}

static void take_note(struct bridge *bridge, const char *line, size_t len, const struct rpc *rpc)
{
	auto_strbuf out = { 0 };

	if (jspan_is(rpc->method, "notifications/cancelled")) {
		ask_cancel(bridge, &out, line, len, rpc);
		bridge_say(bridge, &out);
		return;
	}
	if (jspan_is(rpc->method, "notifications/resources/list_changed"))
		again_watch_lost(bridge);
	say(bridge, line, len);
}

/* With it a daemon begins that ends the connection: whom it does not serve it tells in one line. */
static bool hold_refusal(struct bridge *bridge, const char *line, size_t len, const struct rpc *rpc)
{
	if (!bridge->is_fresh || bridge->refusal || rpc->kind != RPC_ERROR || rpc->id.at)
		return false;
	bridge->refusal = alloc_mem(line, len);
	bridge->refusal_len = len;
	return true;
}

/* It was no refusal: more came. */
static void release_refusal(struct bridge *bridge)
{
	bridge->is_fresh = false;
	if (!bridge->refusal)
		return;
	say(bridge, bridge->refusal, bridge->refusal_len);
	free(bridge->refusal);
	bridge->refusal = NULL;
}

static int take_message(struct bridge *bridge, const char *line, size_t len)
{
	const char *why;
	struct rpc rpc;

	if (rpc_parse(line, len, &rpc, &why) != 0) {
		bridge_set_cause(bridge, "it does not speak MCP");
		return -EPROTO;
	}
	if (hold_refusal(bridge, line, len, &rpc))
		return 0;
	release_refusal(bridge);
	switch (rpc.kind) {
	case RPC_REQUEST:
		return ask_client(bridge, line, len, &rpc);
	case RPC_NOTIFICATION:
		take_note(bridge, line, len, &rpc);
		return 0;
	case RPC_RESULT:
	case RPC_ERROR:
		break;
	}
	if (rpc.id.at)
		return take_answer(bridge, line, len, &rpc);
	say(bridge, line, len);
	return 0;
}

int bridge_hear_daemon(struct bridge *bridge, const char *line, size_t len)
{
	if (bridge->link == LINK_DOWN)
		return 0;
	return take_message(bridge, line, len);
}
