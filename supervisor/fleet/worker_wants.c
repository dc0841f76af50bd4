/* What a worker is to tell of: changes of its lists and resources, and the level of its log messages.
 *
 * What is wanted is kept here for the processes to come, and what the present one knows of it beside
 * that; only the difference is said, and only when it has answered what was said before: however often the
 * wishes change, at most one round is under way.
 *
 * A worker of the modern revision gets one long request (subscriptions/listen). When the resources in it
 * change, a new one is sent, and the old one is cancelled once the new one is acknowledged, so that
 * nothing is missed between them.
 *
 * Source: MCP server/resources "Subscriptions", server/utilities/logging; 2026-07-28
 * basic/patterns/subscriptions. */
#include <stdio.h>

#include "shared/alloc.h"
#include "supervisor/fleet/worker_private.h"

enum { LISTEN_AGAIN_MS = 5000 };

/* --- sets of texts ----------------------------------------------------------------------------- */

static void empty_set(struct text_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		free(set->items[i]);
	free(set->items);
	*set = (struct text_set){ 0 };
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void fill_set(struct text_set *set, const char *const *texts, size_t n)
{
	empty_set(set);
	if (n == 0)
		return;
	auto_free const char **sorted = alloc_zero(n * sizeof(*sorted));

	memcpy(sorted, texts, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_texts);
	set->items = alloc_zero(n * sizeof(*set->items));
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !streq(sorted[i], sorted[i - 1]))
			set->items[set->n++] = alloc_str(sorted[i]);
}

static bool is_same_set(const struct text_set *a, const struct text_set *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!streq(a->items[i], b->items[i]))
			return false;
	return true;
}

static void take_as_told(struct worker *w)
{
	fill_set(&w->told, (const char *const *)w->wanted.items, w->wanted.n);
}

/* --- what it can do ---------------------------------------------------------------------------- */

static bool can(const struct worker *w, const char *capability, const char *detail)
{
	return json_is_true(
		json_object_get(offering_get_capability(&w->offering, capability), detail));
}

static bool can_subscribe(const struct worker *w)
{
	return can(w, "resources", "subscribe");
}

/* --- revisions with initialize ----------------------------------------------------------------- */

static void say_subscription(struct worker *w, const char *method, const char *uri)
{
	auto_strbuf params = { 0 };
	char id[40];

	strbuf_adds(&params, "\"uri\":");
	strbuf_add_json(&params, uri, strlen(uri));
	(void)snprintf(id, sizeof(id), ID_SUBSCRIBE "%llu", (unsigned long long)++w->n_subscribed);
	worker_say_request(w, false, id, method, params.data);
	w->n_subscribing++;
}

/* Both sets are sorted. */
static void say_difference(struct worker *w)
{
	size_t i = 0;
	size_t k = 0;

	while (i < w->wanted.n || k < w->told.n) {
		int order = i == w->wanted.n ? 1
			    : k == w->told.n ? -1
					     : strcmp(w->wanted.items[i], w->told.items[k]);

		if (order < 0)
			say_subscription(w, "resources/subscribe", w->wanted.items[i]);
		else if (order > 0)
			say_subscription(w, "resources/unsubscribe", w->told.items[k]);
		i += order <= 0;
		k += order >= 0;
	}
	take_as_told(w);
}

static void log_refusal(struct worker *w, const char *what, const struct rpc *rpc)
{
	auto_strbuf words = { 0 };

	if (rpc->kind != RPC_ERROR || !log_limit_ok(&w->noise, WORKER_NOISE_BURST, w->name))
		return;
	worker_add_error_text(&words, rpc);
	log_info_about(&w->about, "%s: it refused %s: %s", w->name, what, strbuf_get(&words));
}

void worker_on_subscribed(struct worker *w, const struct rpc *rpc)
{
	log_refusal(w, "a subscription", rpc);
	if (w->n_subscribing > 0 && --w->n_subscribing == 0)
		worker_tell_wants(w);
}

static void tell_level(struct worker *w)
{
	auto_strbuf params = { 0 };

	if (!w->wanted_level || w->is_levelling ||
		!offering_get_capability(&w->offering, "logging") ||
		(w->told_level && streq(w->told_level, w->wanted_level)))
		return;
	free(w->told_level);
	w->told_level = alloc_str(w->wanted_level);
	w->is_levelling = true;
	strbuf_adds(&params, "\"level\":");
	strbuf_add_json(&params, w->told_level, strlen(w->told_level));
	worker_say_request(w, false, ID_LEVEL, "logging/setLevel", params.data);
}

void worker_on_levelled(struct worker *w, const struct rpc *rpc)
{
	log_refusal(w, "logging/setLevel", rpc);
	w->is_levelling = false;
	worker_tell_wants(w);
}

/* --- the modern revision ----------------------------------------------------------------------- */

static void add_type(
	const struct worker *w, struct strbuf *out, const char *capability, const char *type)
{
	if (can(w, capability, "listChanged"))
		strbuf_addf(out, "%s\"%s\":true", out->len ? "," : "", type);
}

static void add_subscriptions(const struct worker *w, struct strbuf *out)
{
	if (!can_subscribe(w) || w->wanted.n == 0)
		return;
	strbuf_addf(out, "%s\"resourceSubscriptions\":[", out->len ? "," : "");
	for (size_t i = 0; i < w->wanted.n; i++) {
		if (i > 0)
			strbuf_addc(out, ',');
		strbuf_add_json(out, w->wanted.items[i], strlen(w->wanted.items[i]));
	}
	strbuf_addc(out, ']');
}

static void cancel_listen(struct worker *w, uint64_t number)
{
	worker_sayf(w,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
		"\"requestId\":\"" ID_LISTEN "%llu\"}}",
		(unsigned long long)number);
}

void worker_start_listen(struct worker *w)
{
	auto_strbuf types = { 0 };
	auto_strbuf params = { 0 };
	char id[40];

	if (!offering_is_modern_only(&w->offering) || w->refuses_listen || w->new_listen ||
		timer_is_running(w->listen_timer))
		return;
	add_type(w, &types, "tools", "toolsListChanged");
	add_type(w, &types, "prompts", "promptsListChanged");
	add_type(w, &types, "resources", "resourcesListChanged");
	add_subscriptions(w, &types);
	take_as_told(w);
	if (types.len == 0) { /* nothing is left to listen for */
		if (w->listen)
			cancel_listen(w, w->listen);
		w->listen = 0;
		return;
	}
	w->new_listen = ++w->n_subscribed;
	(void)snprintf(id, sizeof(id), ID_LISTEN "%llu", (unsigned long long)w->new_listen);
	strbuf_addf(&params, "\"notifications\":{%s}", types.data);
	worker_say_request(w, true, id, "subscriptions/listen", params.data);
}

static uint64_t listen_number(const char *id)
{
	size_t skip = strlen(ID_LISTEN);

	return strncmp(id, ID_LISTEN, skip) == 0 ? strtoull(id + skip, NULL, 10) : 0;
}

void worker_on_acknowledged(struct worker *w, const struct rpc *rpc)
{
	struct jspan meta = jspan_member(rpc->params, "_meta", NULL);
	auto_strbuf id = { 0 };

	if (!jspan_get_str(
		    jspan_member(meta, "io.modelcontextprotocol/subscriptionId", NULL), &id) ||
		!w->new_listen || listen_number(strbuf_get(&id)) != w->new_listen)
		return;
	if (w->listen)
		cancel_listen(w, w->listen);
	w->listen = w->new_listen;
	w->new_listen = 0;
	worker_tell_wants(w); /* they may have changed meanwhile */
}

void worker_on_listen_end(struct worker *w, const char *id, const struct rpc *rpc)
{
	uint64_t number = listen_number(id);

	if (number == 0 || (number != w->listen && number != w->new_listen))
		return; /* one that was replaced */
	if (w->state != WORKER_LISTING && w->state != WORKER_READY)
		return; /* it ends, and so does everything */
	if (rpc)
		log_refusal(w, "subscriptions/listen", rpc);
	/* At the beginning: it has no such thing, and asking again would not help. */
	if (rpc && rpc->kind == RPC_ERROR && number == w->new_listen && !w->listen)
		w->refuses_listen = true;
	if (number == w->listen)
		w->listen = 0;
	else
		w->new_listen = 0;
	timer_start(w->listen_timer, LISTEN_AGAIN_MS);
}

/* What changed while nobody listened is found by reading. */
void worker_on_listen_timer(void *arg)
{
	struct worker *w = arg;

	if (w->state != WORKER_READY || w->refuses_listen)
		return;
	worker_start_listen(w);
	worker_on_list_changed(w);
}

/* --- both -------------------------------------------------------------------------------------- */

void worker_tell_wants(struct worker *w)
{
	if (w->state != WORKER_READY)
		return;
	if (offering_is_modern_only(&w->offering)) {
		if (can_subscribe(w) && !is_same_set(&w->wanted, &w->told))
			worker_start_listen(w);
		return;
	}
	if (w->n_subscribing == 0 && can_subscribe(w))
		say_difference(w);
	tell_level(w);
}

void worker_forget_wants(struct worker *w)
{
	empty_set(&w->told);
	w->n_subscribing = 0;
	w->listen = 0;
	w->new_listen = 0;
	w->refuses_listen = false;
	free(TAKE(w->told_level));
	w->is_levelling = false;
	timer_stop(w->listen_timer);
}

void worker_free_wants(struct worker *w)
{
	worker_forget_wants(w);
	empty_set(&w->wanted);
	free(TAKE(w->wanted_level));
}

void worker_set_subscriptions(struct worker *w, const char *const *uris, size_t n)
{
	fill_set(&w->wanted, uris, n);
	worker_tell_wants(w);
}

void worker_set_level(struct worker *w, const char *level)
{
	free(w->wanted_level);
	w->wanted_level = level ? alloc_str(level) : NULL;
	worker_tell_wants(w);
}
