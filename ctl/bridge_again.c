/* What the client's session consists of, and how it is opened again on a next connection; see
 * bridge_private.h. What is said again is what the client said, with an id of ours. */
#include <errno.h>

#include "ctl/bridge_private.h"
#include "shared/alloc.h"

#define ID_PREFIX "mcp-fleetctl-"

/* Lists whose changes a client may have been promised. */
static const char *const list_names[] = { "tools", "resources", "prompts" };

/* --- our own requests --------------------------------------------------------------------------- */

char *again_make_id(struct bridge *bridge)
{
	return alloc_printf("\"" ID_PREFIX "%s-%llu\"", bridge->settings.tag,
		(unsigned long long)++bridge->last_no);
}

/* False: the id is not one of ours. */
static bool read_id(const struct bridge *bridge, struct jspan id, uint64_t *ret)
{
	auto_free char *prefix = alloc_printf("\"" ID_PREFIX "%s-", bridge->settings.tag);
	size_t len = strlen(prefix);

	if (id.len <= len + 1 || memcmp(id.at, prefix, len) != 0)
		return false;
	return jspan_get_u64((struct jspan){ id.at + len, id.len - len - 1 }, ret);
}

static uint64_t ask_again(struct bridge *bridge, const char *line, size_t len, struct jspan old)
{
	auto_free char *id = again_make_id(bridge);

	bridge_add_with_id(&bridge->own, line, len, old, (struct jspan){ id, strlen(id) });
	strbuf_addc(&bridge->own, '\n');
	return bridge->last_no;
}

static struct jspan watched_uri(const struct rpc *rpc)
{
	return jspan_member(rpc->params, "uri", NULL);
}

static void watch_again(struct bridge *bridge, struct watch *watch)
{
	watch->is_lost = false;
	watch->no = ask_again(bridge, watch->line, watch->len, watch->rpc.id);
}

void again_watch_lost(struct bridge *bridge)
{
	struct watch *watch;

	TAILQ_FOREACH(watch, &bridge->watches, next)
		if (watch->is_lost)
			watch_again(bridge, watch);
}

/* --- opening ------------------------------------------------------------------------------------ */

static void open_queue(struct bridge *bridge)
{
	struct item *item;

	bridge->link = LINK_UP;
	bridge->open_until_ms = 0;
	TAILQ_FOREACH(item, &bridge->queue, next)
		item->is_waiting = false;
}

void again_connected(struct bridge *bridge, int64_t now_ms)
{
	struct item *item = item_find_kind(&bridge->queue, ITEM_INITIALIZE);

	if (bridge->initialize &&
		item) { /* a new session: what was asked in the old one goes with it */
		TAILQ_REMOVE(&bridge->queue, item, next);
		TAILQ_INSERT_HEAD(&bridge->queue, item, next);
	}
	if (!bridge->initialize || item) {
		open_queue(bridge);
		return;
	}
	bridge_set_cause(bridge, "it does not answer initialize");
	bridge->link = LINK_OPENING;
	bridge->open_until_ms = now_ms + BRIDGE_OPENING_MS;
	bridge->open_no = ask_again(
		bridge, bridge->initialize, bridge->initialize_len, bridge->initialize_rpc.id);
}

static void tell_changes(struct bridge *bridge)
{
	for (size_t i = 0; i < N_ELEMENTS(list_names); i++) {
		auto_strbuf line = { 0 };

		if (!(bridge->lists & (1U << i)))
			continue;
		strbuf_addf(&line,
			"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/%s/list_changed\"}",
			list_names[i]);
		bridge_say(bridge, &line);
	}
}

/* What the client has set holds for its session, however often that is opened. */
static void set_again(struct bridge *bridge)
{
	struct watch *watch;

	bridge->has_session = true;
	if (bridge->level)
		(void)ask_again(bridge, bridge->level, bridge->level_len, bridge->level_rpc.id);
	TAILQ_FOREACH(watch, &bridge->watches, next)
		watch_again(bridge, watch);
}

static void reopen(struct bridge *bridge)
{
	open_queue(bridge);
	if (bridge->is_confirmed) {
		strbuf_adds(&bridge->own, INITIALIZED_LINE "\n");
		tell_changes(bridge);
	}
	set_again(bridge);
}

static bool is_passing(const struct rpc *rpc)
{
	return rpc_has_code(rpc, RPC_OVERLOADED) || rpc_has_code(rpc, RPC_UNAVAILABLE) ||
	       rpc_has_code(rpc, RPC_DEADLINE);
}

static int take_refusal(struct bridge *bridge, const struct rpc *rpc)
{
	auto_strbuf words = { 0 };

	strbuf_adds(&words, "it does not take initialize: ");
	(void)jspan_get_str(jspan_member(rpc->error, "message", NULL), &words);
	bridge_set_cause(bridge, strbuf_get(&words));
	return is_passing(rpc) ? -EPROTO : -ECONNABORTED;
}

static int take_opening(struct bridge *bridge, const struct rpc *rpc)
{
	struct jspan version = jspan_member(rpc->result, "protocolVersion", NULL);
	auto_free char *words = NULL;

	if (rpc->kind == RPC_ERROR)
		return take_refusal(bridge, rpc);
	if (!bridge->version || jspan_is(version, bridge->version)) {
		reopen(bridge);
		return 0;
	}
	words = alloc_printf("it does not speak MCP %s, which was negotiated with the one before: "
			     "start the client anew",
		bridge->version);
	bridge_set_cause(bridge, words);
	return -ECONNABORTED;
}

/* What changed while there was no connection was told nobody. */
static void take_watch_answer(struct bridge *bridge, struct watch *watch, const struct rpc *rpc)
{
	struct jspan uri = watched_uri(&watch->rpc);
	auto_strbuf line = { 0 };

	watch->no = 0;
	watch->is_lost = rpc->kind == RPC_ERROR;
	if (watch->is_lost || !uri.at)
		return;
	strbuf_adds(&line, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\","
			   "\"params\":{\"uri\":");
	strbuf_add(&line, uri.at, uri.len);
	strbuf_adds(&line, "}}");
	bridge_say(bridge, &line);
}

int again_take_answer(struct bridge *bridge, const struct rpc *rpc)
{
	struct watch *watch;
	uint64_t no;

	if (!read_id(bridge, rpc->id, &no))
		return 1;
	if (bridge->link == LINK_OPENING && no == bridge->open_no)
		return take_opening(bridge, rpc);
	TAILQ_FOREACH(watch, &bridge->watches, next)
		if (watch->no == no)
			take_watch_answer(bridge, watch, rpc);
	return 0;
}

/* --- what is remembered ------------------------------------------------------------------------- */

static void forget_watch(struct bridge *bridge, struct watch *watch)
{
	TAILQ_REMOVE(&bridge->watches, watch, next);
	bridge->n_watches--;
	bridge->watch_bytes -= watch->len;
	free(watch->line);
	free(watch);
}

static void forget_uri(struct bridge *bridge, struct jspan uri)
{
	struct watch *watch;
	struct watch *after;

	for (watch = TAILQ_FIRST(&bridge->watches); watch; watch = after) {
		after = TAILQ_NEXT(watch, next);
		if (jspan_same(watched_uri(&watch->rpc), uri))
			forget_watch(bridge, watch);
	}
}

static void forget_level(struct bridge *bridge)
{
	free(bridge->level);
	bridge->level = NULL;
}

/* The line of a request that was answered, without its line break; `item` has it no more. */
static char *take_line(
	struct bridge *bridge, struct item *item, size_t *ret_len, struct rpc *ret_rpc)
{
	char *line = TAKE(item->line);
	const char *why;

	bridge->sent_bytes -= item->len;
	*ret_len = item->len - 1;
	(void)!rpc_parse(line, *ret_len, ret_rpc, &why);
	return line;
}

static void note_watch(struct bridge *bridge, struct item *item)
{
	struct watch *watch = alloc_zero(sizeof(*watch));

	watch->line = take_line(bridge, item, &watch->len, &watch->rpc);
	forget_uri(bridge, watched_uri(&watch->rpc));
	TAILQ_INSERT_TAIL(&bridge->watches, watch, next);
	bridge->n_watches++;
	bridge->watch_bytes += watch->len;
	/* The daemon has limits of its own, which are lower. */
	while (bridge->n_watches > BRIDGE_MAX_WATCHES ||
		bridge->watch_bytes > BRIDGE_MAX_WATCH_BYTES)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it loses TAILQ_REMOVE */
		forget_watch(bridge, TAILQ_FIRST(&bridge->watches));
}

static void note_unwatch(struct bridge *bridge, struct item *item)
{
	struct rpc rpc;
	const char *why;

	if (rpc_parse(item->line, item->len - 1, &rpc, &why) == 0)
		forget_uri(bridge, watched_uri(&rpc));
}

static void note_level(struct bridge *bridge, struct item *item)
{
	forget_level(bridge);
	bridge->level = take_line(bridge, item, &bridge->level_len, &bridge->level_rpc);
}

static void note_lists(struct bridge *bridge, struct jspan result)
{
	struct jspan capabilities = jspan_member(result, "capabilities", NULL);

	bridge->lists = 0;
	for (size_t i = 0; i < N_ELEMENTS(list_names); i++) {
		struct jspan list = jspan_member(capabilities, list_names[i], NULL);
		bool is_told = false;

		if (jspan_get_bool(jspan_member(list, "listChanged", NULL), &is_told) && is_told)
			bridge->lists |= 1U << i;
	}
}

static void forget_initialize(struct bridge *bridge)
{
	free(bridge->initialize);
	bridge->initialize = NULL;
	free(bridge->version);
	bridge->version = NULL;
}

/* The daemon lets the client do so at any time: the last one counts, and what was set stays. */
static void note_initialize(struct bridge *bridge, struct item *item, struct jspan result)
{
	auto_strbuf version = { 0 };

	forget_initialize(bridge);
	bridge->is_confirmed = bridge->is_next_confirmed;
	bridge->initialize =
		take_line(bridge, item, &bridge->initialize_len, &bridge->initialize_rpc);
	if (jspan_get_str(jspan_member(result, "protocolVersion", NULL), &version))
		bridge->version = strbuf_take(&version);
	note_lists(bridge, result);
	if (!bridge->has_session)
		set_again(bridge);
}

/* The session of before holds, if on a connection where it is. */
static int note_refused_initialize(struct bridge *bridge)
{
	if (!bridge->initialize || bridge->has_session)
		return 0;
	bridge_set_cause(bridge, "it refused initialize");
	return -EPROTO;
}

int again_note_answer(struct bridge *bridge, struct item *item, const struct rpc *rpc)
{
	if (item->kind == ITEM_INITIALIZE && rpc->kind == RPC_ERROR)
		return note_refused_initialize(bridge);
	if (rpc->kind == RPC_ERROR || !item->line)
		return 0;
	switch (item->kind) {
	case ITEM_INITIALIZE:
		note_initialize(bridge, item, rpc->result);
		break;
	case ITEM_LEVEL:
		note_level(bridge, item);
		break;
	case ITEM_SUBSCRIBE:
		note_watch(bridge, item);
		break;
	case ITEM_UNSUBSCRIBE:
		note_unwatch(bridge, item);
		break;
	case ITEM_NOTE:
	case ITEM_INITIALIZED:
	case ITEM_REQUEST:
	case ITEM_LISTEN:
		break;
	}
	return 0;
}

void again_done(struct bridge *bridge)
{
	struct watch *watch;

	while ((watch = TAILQ_FIRST(&bridge->watches)))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it loses TAILQ_REMOVE */
		forget_watch(bridge, watch);
	forget_level(bridge);
	forget_initialize(bridge);
}
