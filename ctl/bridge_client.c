/* Lines of the client: what waits for an answer, what is said only to the daemon of now; see
 * bridge_private.h. */
#include "ctl/bridge_private.h"

/* --- what a message is -------------------------------------------------------------------------- */

static bool is_modern(const struct rpc *rpc)
{
	struct jspan meta = jspan_member(rpc->params, "_meta", NULL);

	return jspan_type(jspan_member(meta, "io.modelcontextprotocol/protocolVersion", NULL)) ==
	       JSPAN_STRING;
}

static enum item_kind kind_of(const struct rpc *rpc)
{
	static const struct {
		const char *method;
		enum item_kind kind;
		bool in_modern;
	} kinds[] = {
		{ "initialize", ITEM_INITIALIZE, false },
		{ "logging/setLevel", ITEM_LEVEL, false },
		{ "resources/subscribe", ITEM_SUBSCRIBE, false },
		{ "resources/unsubscribe", ITEM_UNSUBSCRIBE, false },
		{ "subscriptions/listen", ITEM_LISTEN, true },
	};

	for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
		if (jspan_is(rpc->method, kinds[i].method) && is_modern(rpc) == kinds[i].in_modern)
			return kinds[i].kind;
	return ITEM_REQUEST;
}

/* The client talked to a daemon before: what it says to that one means nothing to the next. */
static bool had_session(const struct bridge *bridge)
{
	return bridge->initialize != NULL;
}

/* --- requests ----------------------------------------------------------------------------------- */

/* Words when no more can be taken; NULL: it can. */
static const char *check_room(const struct bridge *bridge, size_t len)
{
	if (bridge->n_requests >= BRIDGE_MAX_REQUESTS)
		return "too many requests wait for an answer; try again later";
	if (bridge->link != LINK_UP && bridge->queue_bytes + len > BRIDGE_MAX_QUEUE)
		return "too much waits for mcp-fleetd, which is not reachable; try again later";
	return NULL;
}

static void take_request(
	struct bridge *bridge, const char *line, size_t len, const struct rpc *rpc, int64_t now_ms)
{
	const char *why = check_room(bridge, len);
	struct item *item;

	if (why) {
		bridge_say_error(bridge, rpc->id, RPC_OVERLOADED, "%s", why);
		return;
	}
	item = item_new(kind_of(rpc), line, len, rpc->id);
	item->may_repeat = rpc_may_repeat(rpc);
	if (item->kind == ITEM_INITIALIZE)
		bridge->is_next_confirmed = false;
	if (bridge->link != LINK_UP) {
		item->is_waiting = true;
		item->wait_until_ms = now_ms + bridge->settings.wait_ms;
	}
	item_queue(bridge, item);
}

/* --- notifications and answers ------------------------------------------------------------------ */

static void pass_note(struct bridge *bridge, enum item_kind kind, const char *line, size_t len)
{
	if (bridge->link != LINK_UP && had_session(bridge))
		return;
	if (bridge->link != LINK_UP && bridge->queue_bytes > BRIDGE_FULL_QUEUE)
		return; /* nobody was promised that it arrives */
	item_queue(bridge, item_new(kind, line, len, (struct jspan){ 0 }));
}

/* One that is not written yet is as if it had not been said; one that is half written is finished first. */
static bool cancel_waiting(struct bridge *bridge, struct item *item)
{
	if (item->kind == ITEM_INITIALIZE)
		return false;
	if (item == TAILQ_FIRST(&bridge->queue) && bridge->head_at > 0) {
		item->is_cancelled = true;
		return false;
	}
	item_drop(bridge, &bridge->queue, item);
	return true;
}

/* Nobody waits for the answer any more, nor is there always one. True: the daemon does not have to hear of
 * it. */
static bool cancel(struct bridge *bridge, const struct rpc *rpc)
{
	struct jspan id = jspan_member(rpc->params, "requestId", NULL);
	struct item *item = id.at ? item_find(&bridge->queue, id) : NULL;

	if (item)
		return cancel_waiting(bridge, item);
	item = id.at ? item_find(&bridge->sent, id) : NULL;
	if (item && item->kind != ITEM_INITIALIZE)
		item_drop(bridge, &bridge->sent, item);
	return false;
}

/* It goes with the initialize that it follows, be that answered or not. */
static void confirm(struct bridge *bridge, const char *line, size_t len)
{
	if (item_find_kind(&bridge->queue, ITEM_INITIALIZE) ||
		item_find_kind(&bridge->sent, ITEM_INITIALIZE)) {
		bridge->is_next_confirmed = true;
		item_queue(bridge, item_new(ITEM_INITIALIZED, line, len, (struct jspan){ 0 }));
		return;
	}
	bridge->is_confirmed = true;
	pass_note(bridge, ITEM_INITIALIZED, line, len);
}

static void take_note(struct bridge *bridge, const char *line, size_t len, const struct rpc *rpc)
{
	if (jspan_is(rpc->method, "notifications/initialized"))
		confirm(bridge, line, len);
	else if (!jspan_is(rpc->method, "notifications/cancelled") || !cancel(bridge, rpc))
		pass_note(bridge, ITEM_NOTE, line, len);
}

static void take_answer(struct bridge *bridge, const char *line, size_t len, const struct rpc *rpc)
{
	auto_strbuf out = { 0 };

	if (ask_answer(bridge, &out, line, len, rpc))
		item_queue(bridge, item_new(ITEM_NOTE, out.data, out.len, (struct jspan){ 0 }));
}

/* --- lines -------------------------------------------------------------------------------------- */

/* Where its id could not be read: an answer with null is none from 2025-11-25 on. */
static void refuse(struct bridge *bridge, struct jspan id, int code, const char *why)
{
	static const struct jspan null_id = { .at = "null", .len = 4 };
	bool has_null = !bridge->version || strcmp(bridge->version, "2025-11-25") < 0;

	bridge_say_error(bridge, id.at || !has_null ? id : null_id, code, "%s", why);
}

static void take_message(struct bridge *bridge, const char *line, size_t len, int64_t now_ms)
{
	const char *why;
	struct rpc rpc;
	int r = rpc_parse(line, len, &rpc, &why);

	if (r == RPC_INVALID_PARAMS && rpc.kind == RPC_NOTIFICATION)
		return;
	if (r != 0)
		refuse(bridge, rpc.id, r, why);
	else if (rpc.kind == RPC_REQUEST)
		take_request(bridge, line, len, &rpc, now_ms);
	else if (rpc.kind == RPC_NOTIFICATION)
		take_note(bridge, line, len, &rpc);
	else
		take_answer(bridge, line, len, &rpc);
}

/* A message of a batch that is refused, be it alone or with all of it. False: nothing answers it. */
static bool refuse_item(struct bridge *bridge, struct jspan item, const char *why)
{
	const char *unused;
	struct rpc rpc;
	int r = rpc_parse(item.at, item.len, &rpc, &unused);

	if (r == 0 && rpc.kind != RPC_REQUEST)
		return false;
	refuse(bridge, rpc.id, RPC_INVALID_REQUEST, why);
	return true;
}

static void refuse_batch(struct bridge *bridge, struct jspan batch, const char *why)
{
	struct jspan item;
	size_t cursor = 0;
	bool is_answered = false;

	while (jspan_next(batch, &cursor, NULL, &item))
		is_answered |= refuse_item(bridge, item, why);
	if (!is_answered)
		refuse(bridge, (struct jspan){ 0 }, RPC_INVALID_REQUEST, why);
}

/* Only until 2025-03-26 there are any. Each message of it goes as if it had come alone, and is answered so,
 * as the daemon does it. */
static void take_batch(struct bridge *bridge, struct jspan batch, int64_t now_ms)
{
	struct jspan item;
	size_t cursor = 0;
	size_t n = 0;

	if (bridge->version && strcmp(bridge->version, "2025-03-26") > 0) {
		refuse_batch(bridge, batch, "a batch, which this revision does not have");
		return;
	}
	for (; jspan_next(batch, &cursor, NULL, &item); n++)
		if (!jspan_is(jspan_member(item, "method", NULL), "initialize") ||
			!refuse_item(bridge, item, "initialize must not be part of a batch"))
			take_message(bridge, item.at, item.len, now_ms);
	if (n == 0)
		refuse_batch(bridge, batch, "an empty batch");
}

static bool is_array(const char *line, size_t len)
{
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	return len > 0 && *line == '[';
}

void bridge_hear_client(struct bridge *bridge, const char *line, size_t len, int64_t now_ms)
{
	struct jspan value;

	if (is_array(line, len) && jspan_check(line, len, &value, NULL) == 0)
		take_batch(bridge, value, now_ms);
	else
		take_message(bridge, line, len, now_ms);
}

void bridge_hear_too_long(struct bridge *bridge, const char *head, size_t len)
{
	refuse(bridge, rpc_find_request_id(head, len), RPC_INVALID_REQUEST,
		"the message is larger than 16 MiB");
}
