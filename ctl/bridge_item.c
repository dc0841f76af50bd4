/* Messages of the client's on their way: written, answered, or lost; see bridge_private.h. */
#include <errno.h>

#include "ctl/bridge_private.h"
#include "shared/alloc.h"

struct item *item_new(enum item_kind kind, const char *line, size_t len, struct jspan id)
{
	struct item *item = alloc_zero(sizeof(*item));

	item->kind = kind;
	item->line = alloc_resize(NULL, len + 1, 1);
	memcpy(item->line, line, len);
	item->line[len] = '\n';
	item->len = len + 1;
	if (id.at)
		item->id = id_copy(id);
	return item;
}

static void item_free(struct item *item)
{
	free(item->id.text);
	free(item->line);
	free(item);
}

bool item_is_request(const struct item *item)
{
	return item->kind >= ITEM_REQUEST;
}

bool item_is_awaited(const struct item *item)
{
	return item_is_request(item) && !item->is_cancelled && !item->is_answered;
}

struct item *item_find(struct item_list *list, struct jspan id)
{
	struct item *item;

	TAILQ_FOREACH(item, list, next)
		if (id_is(&item->id, id))
			return item;
	return NULL;
}

struct item *item_find_kind(const struct item_list *list, enum item_kind kind)
{
	struct item *item;

	TAILQ_FOREACH(item, list, next)
		if (item->kind == kind)
			break;
	return item;
}

static void take_out(struct bridge *bridge, struct item_list *list, struct item *item)
{
	TAILQ_REMOVE(list, item, next);
	if (list == &bridge->queue)
		bridge->queue_bytes -= item->len;
	else if (item->line)
		bridge->sent_bytes -= item->len;
}

void item_drop(struct bridge *bridge, struct item_list *list, struct item *item)
{
	take_out(bridge, list, item);
	bridge->n_requests -= item_is_request(item);
	item_free(item);
}

void item_queue(struct bridge *bridge, struct item *item)
{
	TAILQ_INSERT_TAIL(&bridge->queue, item, next);
	bridge->queue_bytes += item->len;
	bridge->n_requests += item_is_request(item);
}

/* Its line is kept, as far as there is room, for the case that it may be sent again. */
void item_sent(struct bridge *bridge, struct item *item)
{
	if (!item_is_awaited(item)) {
		item_drop(bridge, &bridge->queue, item);
		return;
	}
	take_out(bridge, &bridge->queue, item);
	TAILQ_INSERT_TAIL(&bridge->sent, item, next);
	item->n_attempts++;
	if (item->len <= BRIDGE_MAX_QUEUE - bridge->sent_bytes) {
		bridge->sent_bytes += item->len;
		return;
	}
	free(item->line);
	item->line = NULL;
}

/* --- errors in the place of answers ------------------------------------------------------------- */

void item_fail(struct bridge *bridge, struct item_list *list, struct item *item, int code,
	const char *words)
{
	if (item_is_awaited(item))
		bridge_say_error(bridge, id_span(&item->id), code, "%s", words);
	item_drop(bridge, list, item);
}

void item_fail_waiting(struct bridge *bridge, int64_t until_ms)
{
	auto_free char *words = NULL;
	struct item *item;
	struct item *after;

	for (item = TAILQ_FIRST(&bridge->queue); item; item = after) {
		after = TAILQ_NEXT(item, next);
		if (!item->is_waiting || item->wait_until_ms > until_ms)
			continue;
		if (!words)
			words = alloc_printf(
				"mcp-fleetd is not reachable at %s%s%s: is it running?",
				bridge->settings.place, bridge->cause ? ": " : "",
				bridge_get_cause(bridge));
		item_fail(bridge, &bridge->queue, item, RPC_UNAVAILABLE, words);
	}
}

void item_fail_refused(struct bridge *bridge, int64_t now_ms)
{
	struct item *item;
	struct item *after;

	if (!bridge->has_refused)
		return;
	bridge->has_refused = false;
	for (item = TAILQ_FIRST(&bridge->sent); item; item = after) {
		after = TAILQ_NEXT(item, next);
		if (!item->is_refused)
			continue;
		if (item->wait_until_ms == 0)
			item->wait_until_ms = now_ms + bridge->settings.wait_ms;
		if (now_ms >= item->wait_until_ms)
			item_fail(bridge, &bridge->sent, item, RPC_UNAVAILABLE,
				"mcp-fleetd is stopping, and there is no other one yet: try again "
				"later");
		else
			bridge->has_refused = true;
	}
}

int64_t item_next_ms(const struct bridge *bridge)
{
	const struct item *item;
	int64_t next = INT64_MAX;

	if (bridge->link != LINK_UP)
		TAILQ_FOREACH(item, &bridge->queue, next)
			if (item->is_waiting && item->wait_until_ms < next)
				next = item->wait_until_ms;
	if (bridge->has_refused)
		TAILQ_FOREACH(item, &bridge->sent, next)
			if (item->is_refused && item->wait_until_ms < next)
				next = item->wait_until_ms;
	return next;
}

/* As a server on stdio ends it: by both ways that the pages name. */
static void end_listen(struct bridge *bridge, struct item *item)
{
	const struct id *id = &item->id;
	auto_strbuf note = { 0 };
	auto_strbuf line = { 0 };
	auto_free char *result = alloc_printf(
		"{\"resultType\":\"complete\",\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":"
		"%s}}",
		id->text);

	strbuf_addf(&note,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
		"\"requestId\":%s,\"reason\":\"the connection to mcp-fleetd was lost\"}}",
		id->text);
	rpc_add_result(&line, id_span(id), result, strlen(result));
	bridge_say(bridge, &note);
	bridge_say(bridge, &line);
}

/* --- a lost connection -------------------------------------------------------------------------- */

static bool is_repeatable(const struct item *item)
{
	if (!item->line)
		return false;
	return item->is_refused || (item->may_repeat && item->n_attempts < BRIDGE_MAX_ATTEMPTS);
}

static void fail_lost(struct bridge *bridge, struct item *item)
{
	auto_free char *words =
		alloc_printf("the connection to mcp-fleetd was lost while the call ran"
			     "%s%s; it may have taken effect: look before you repeat it",
			bridge->cause ? ": " : "", bridge_get_cause(bridge));

	item_fail(bridge, &bridge->sent, item, RPC_WORKER_DIED, words);
}

static void settle_sent(struct bridge *bridge, struct item *item, struct item_list *again)
{
	if (item->kind == ITEM_LISTEN && !item->is_refused) {
		end_listen(bridge, item);
		item_drop(bridge, &bridge->sent, item);
	} else if (is_repeatable(item)) {
		take_out(bridge, &bridge->sent, item);
		TAILQ_INSERT_TAIL(again, item, next);
		bridge->queue_bytes += item->len;
	} else {
		fail_lost(bridge, item);
	}
}

/* What meant something on that connection only. */
static void drop_notes(struct bridge *bridge)
{
	struct item *item;
	struct item *after;

	for (item = TAILQ_FIRST(&bridge->queue); item; item = after) {
		after = TAILQ_NEXT(item, next);
		if (!item_is_request(item))
			item_drop(bridge, &bridge->queue, item);
	}
}

/* An initialize that is sent again is confirmed again, when the client has confirmed it already. */
static void confirm_again(struct bridge *bridge)
{
	struct item *item;

	TAILQ_FOREACH(item, &bridge->queue, next) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it loses TAILQ_REMOVE */
		if (item->kind != ITEM_INITIALIZE || !bridge->is_next_confirmed)
			continue;
		struct item *note = item_new(ITEM_INITIALIZED, INITIALIZED_LINE,
			sizeof(INITIALIZED_LINE) - 1, (struct jspan){ 0 });

		TAILQ_INSERT_AFTER(&bridge->queue, item, note, next);
		bridge->queue_bytes += note->len;
		return;
	}
}

/* Who was refused has waited on: daemons that come only to refuse are none. */
static void start_waiting(struct bridge *bridge, bool was_refused, int64_t now_ms)
{
	struct item *item;

	TAILQ_FOREACH(item, &bridge->queue, next) {
		if (!item_is_request(item) || item->is_waiting)
			continue;
		if (item->wait_until_ms == 0 || !(was_refused || item->is_refused))
			item->wait_until_ms = now_ms + bridge->settings.wait_ms;
		item->is_waiting = true;
		item->is_refused = false;
	}
	bridge->has_refused = false;
}

void item_settle_lost(struct bridge *bridge, bool was_refused, int64_t now_ms)
{
	struct item_list again = TAILQ_HEAD_INITIALIZER(again);
	struct item *item;
	struct item *after;

	if (bridge->head_at > 0) { /* a part of it may have been understood */
		bridge->head_at = 0;
		item_sent(bridge, TAILQ_FIRST(&bridge->queue));
	}
	drop_notes(bridge);
	for (item = TAILQ_FIRST(&bridge->sent); item; item = after) {
		after = TAILQ_NEXT(item, next);
		item->n_attempts -= was_refused;
		settle_sent(bridge, item, &again);
	}
	TAILQ_CONCAT(&again, &bridge->queue, next);
	TAILQ_CONCAT(&bridge->queue, &again, next);
	confirm_again(bridge);
	start_waiting(bridge, was_refused, now_ms);
}
