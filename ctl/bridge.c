/* See bridge.h: its life, its connection, and time. */
#include "ctl/bridge.h"

#include <errno.h>

#include "ctl/bridge_private.h"
#include "shared/alloc.h"

/* --- ids and lines ------------------------------------------------------------------------------ */

struct id id_copy(struct jspan id)
{
	return (struct id){ .text = alloc_mem(id.at, id.len), .len = id.len };
}

bool id_is(const struct id *id, struct jspan other)
{
	return id->text && jspan_same(id_span(id), other);
}

void bridge_add_with_id(
	struct strbuf *out, const char *line, size_t len, struct jspan old, struct jspan id)
{
	size_t before = (size_t)(old.at - line);

	strbuf_add(out, line, before);
	strbuf_add(out, id.at, id.len);
	strbuf_add(out, old.at + old.len, len - before - old.len);
}

void bridge_say(struct bridge *bridge, const struct strbuf *line)
{
	bridge->settings.say(bridge->settings.arg, strbuf_get(line), line->len);
}

void bridge_say_error(struct bridge *bridge, struct jspan id, int code, const char *fmt, ...)
{
	auto_strbuf words = { 0 };
	auto_strbuf line = { 0 };
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&words, fmt, args);
	va_end(args);
	rpc_add_error(&line, id, code, strbuf_get(&words));
	bridge_say(bridge, &line);
}

/* --- the connection ----------------------------------------------------------------------------- */

void bridge_set_cause(struct bridge *bridge, const char *cause)
{
	free(bridge->cause);
	bridge->cause = alloc_str(cause);
}

const char *bridge_get_cause(const struct bridge *bridge)
{
	return bridge->cause ? bridge->cause : "";
}

void bridge_connected(struct bridge *bridge, int64_t now_ms)
{
	bridge->connection++;
	bridge->is_fresh = true;
	bridge->has_session = false;
	again_connected(bridge, now_ms);
}

/* With it a daemon says why it ends a connection that has just begun. True: it would say so again. */
static bool take_refusal(struct bridge *bridge)
{
	auto_free char *line = TAKE(bridge->refusal);
	auto_strbuf words = { 0 };
	const char *why;
	struct rpc rpc;

	if (rpc_parse(line, bridge->refusal_len, &rpc, &why) != 0)
		return false;
	if (jspan_get_str(jspan_member(rpc.error, "message", NULL), &words))
		bridge_set_cause(bridge, strbuf_get(&words));
	return rpc_has_code(&rpc, RPC_INVALID_REQUEST);
}

void bridge_lost(struct bridge *bridge, const char *cause, int64_t now_ms)
{
	bool was_refused;
	bool is_final = false;

	if (bridge->link == LINK_DOWN)
		return;
	if (cause)
		bridge_set_cause(bridge, cause);
	was_refused = bridge->refusal != NULL;
	if (was_refused)
		is_final = take_refusal(bridge);
	bridge->link = LINK_DOWN;
	bridge->open_until_ms = 0;
	strbuf_cut(&bridge->own, 0);
	bridge->own_at = 0;
	ask_settle_lost(bridge);
	item_settle_lost(bridge, was_refused, now_ms);
	if (is_final)
		item_fail_waiting(bridge, INT64_MAX);
}

void bridge_unreachable(struct bridge *bridge, const char *cause, bool is_final)
{
	bridge_set_cause(bridge, cause);
	if (is_final)
		item_fail_waiting(bridge, INT64_MAX);
}

/* What was begun is finished first; our own lines go before those that wait. */
bool bridge_peek(const struct bridge *bridge, const char **ret_bytes, size_t *ret_len)
{
	const struct item *head = TAILQ_FIRST(&bridge->queue);

	if (bridge->head_at == 0 && bridge->own.len > 0) {
		*ret_bytes = bridge->own.data + bridge->own_at;
		*ret_len = bridge->own.len - bridge->own_at;
		return true;
	}
	if (bridge->link != LINK_UP || !head)
		return false;
	*ret_bytes = head->line + bridge->head_at;
	*ret_len = head->len - bridge->head_at;
	return true;
}

static void wrote_own(struct bridge *bridge, size_t n)
{
	bridge->own_at += n;
	if (bridge->own_at < bridge->own.len)
		return;
	strbuf_done(&bridge->own);
	bridge->own_at = 0;
}

void bridge_wrote(struct bridge *bridge, size_t n)
{
	struct item *head = TAILQ_FIRST(&bridge->queue);

	if (bridge->head_at == 0 && bridge->own.len > 0) {
		wrote_own(bridge, n);
		return;
	}
	bridge->head_at += n;
	if (!head || bridge->head_at < head->len)
		return;
	bridge->head_at = 0;
	item_sent(bridge, head);
}

/* --- time --------------------------------------------------------------------------------------- */

int64_t bridge_next_ms(const struct bridge *bridge)
{
	int64_t next = item_next_ms(bridge);

	if (bridge->link == LINK_OPENING && bridge->open_until_ms < next)
		next = bridge->open_until_ms;
	return next;
}

int bridge_turn(struct bridge *bridge, int64_t now_ms)
{
	if (bridge->link == LINK_UP) {
		item_fail_refused(bridge, now_ms);
		return 0;
	}
	item_fail_waiting(bridge, now_ms);
	if (bridge->link != LINK_OPENING || now_ms < bridge->open_until_ms)
		return 0;
	return -ETIMEDOUT;
}

/* --- life --------------------------------------------------------------------------------------- */

struct bridge *bridge_new(const struct bridge_settings *settings)
{
	struct bridge *bridge = alloc_zero(sizeof(*bridge));

	bridge->settings = *settings;
	TAILQ_INIT(&bridge->queue);
	TAILQ_INIT(&bridge->sent);
	TAILQ_INIT(&bridge->watches);
	TAILQ_INIT(&bridge->questions);
	return bridge;
}

static void free_items(struct bridge *bridge, struct item_list *list)
{
	struct item *item;

	while ((item = TAILQ_FIRST(list)))
		item_drop(bridge, list, item);
}

void bridge_free(struct bridge *bridge)
{
	if (!bridge)
		return;
	free_items(bridge, &bridge->queue);
	free_items(bridge, &bridge->sent);
	again_done(bridge);
	ask_done(bridge);
	strbuf_done(&bridge->own);
	free(bridge->refusal);
	free(bridge->cause);
	free(bridge);
}

bool bridge_is_served(const struct bridge *bridge)
{
	return bridge->link == LINK_UP && !bridge->is_fresh;
}

bool bridge_takes_more(const struct bridge *bridge)
{
	switch (bridge->link) {
	case LINK_UP:
		return bridge->queue_bytes < BRIDGE_FULL_QUEUE;
	case LINK_OPENING: /* answers to questions are not refused */
		return bridge->queue_bytes < BRIDGE_MAX_QUEUE;
	case LINK_DOWN:
		break;
	}
	return true; /* who waits hears how it is */
}

static bool has_live(const struct item_list *list)
{
	const struct item *item;

	TAILQ_FOREACH(item, list, next)
		if (item_is_awaited(item) && item->kind != ITEM_LISTEN)
			return true;
	return false;
}

bool bridge_is_idle(const struct bridge *bridge)
{
	if (has_live(&bridge->queue) || has_live(&bridge->sent))
		return false;
	return bridge->link != LINK_UP || (TAILQ_EMPTY(&bridge->queue) && bridge->own.len == 0);
}

void bridge_give_up(struct bridge *bridge, const char *why)
{
	auto_free char *words = alloc_str(why); /* it may be the cause that is replaced now */
	struct item *item;

	bridge_lost(bridge, words, 0);
	while ((item = TAILQ_FIRST(&bridge->queue)))
		item_fail(bridge, &bridge->queue, item, RPC_UNAVAILABLE, words);
}
