/* The opening of a worker, in the way of its revision.
 *
 * The servers of both SDKs settle on one era with the first request that they get. The older one comes
 * first, because a server from before 2026-07-28 may do anything when it hears of something else than
 * initialize (those of the Rust SDK end), and because a worker of that era can do more: the Python SDK's asks
 * nothing of a client in the new one. A worker that answered with the newest revision of the older era is
 * asked once whether it takes requests of the new one too, beside its lists (and its like are not asked again
 * when it does not: version 1 of the Python SDK logs a hundred lines about it); one that refuses initialize is
 * asked whether it takes only those. A process that has settled on the wrong era by then refuses both: the
 * next one is opened the other way round. domains.*.protocol fixes all this.
 *
 * Source: MCP basic/lifecycle, all revisions; 2026-07-28 server/discover, basic/versioning. */
#include <stdio.h>

#include "config.h"

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "supervisor/fleet/worker_private.h"

enum {
	DISCOVER_MS = 2000, /* for an answer that may be missing */
	MAX_INFO_BYTES = MIB,
};

#define NEWEST_LEGACY "2025-11-25"

static const char *const revisions[] = { "2024-11-05", "2025-03-26", "2025-06-18", NEWEST_LEGACY,
	MODERN_REVISION };

/* What it asks goes on to the client that it is about: the client's side of it is everything that there is.
 * Roots are for a process that serves one session only: servers ask for them when they start, and take those
 * of one client for those of all. */
#define SHARED_CAPABILITIES "\"sampling\":{},\"elicitation\":{\"form\":{},\"url\":{}}"

static const char *capabilities_for(const struct worker *w)
{
	if (w->setup->native)
		return "{}";
	return w->setup->is_isolated ? "{\"roots\":{\"listChanged\":true}," SHARED_CAPABILITIES "}"
				     : "{" SHARED_CAPABILITIES "}";
}

static void say_initialize(struct worker *w)
{
	worker_sayf(w,
		"{\"jsonrpc\":\"2.0\",\"id\":\"" ID_INITIALIZE
		"\",\"method\":\"initialize\",\"params\":{"
		"\"protocolVersion\":\"" NEWEST_LEGACY "\",\"capabilities\":%s,"
		"\"clientInfo\":{\"name\":\"mcp-fleet\",\"version\":\"" PACKAGE_VERSION "\"}}}",
		capabilities_for(w));
}

static void say_discover(struct worker *w)
{
	worker_say_request(w, true, ID_DISCOVER, "server/discover", "");
}

static bool is_discover_first(const struct worker *w)
{
	if (w->setup->native || w->setup->protocol == CONF_PROTOCOL_LEGACY)
		return false;
	return w->setup->is_modern_first || w->setup->protocol == CONF_PROTOCOL_MODERN;
}

void worker_say_hello(struct worker *w)
{
	w->is_modern_first = is_discover_first(w);
	if (w->is_modern_first)
		say_discover(w);
	else
		say_initialize(w);
}

/* The tree of what it says of itself; NULL: it is none. */
static json_t *read_info(const struct rpc *rpc)
{
	json_t *info = NULL;

	if (rpc->kind == RPC_RESULT && jspan_type(rpc->result) == JSPAN_OBJECT &&
		rpc->result.len <= MAX_INFO_BYTES)
		info = json_loadb(rpc->result.at, rpc->result.len, JSON_ALLOW_NUL, NULL);
	return info;
}

static void take_info(struct worker *w, json_t *info)
{
	json_decref(w->offering.info);
	w->offering.info = info;
}

static bool may_try_other(const struct worker *w)
{
	return !w->setup->native && w->setup->protocol == CONF_PROTOCOL_AUTO;
}

/* `method` is refused. In the same process the other one is tried, once. */
static void on_refused(struct worker *w, const char *method, char *words)
{
	auto_free char *refusal = alloc_printf("it refused %s: %s", method, words);

	if (!may_try_other(w)) {
		worker_break(w, "%s", refusal);
	} else if (w->refusal) {
		w->setup->is_modern_first = !w->is_modern_first;
		worker_break(w, "%s; before that, %s", refusal, w->refusal);
	} else {
		w->refusal = TAKE(refusal);
		if (w->is_modern_first)
			say_initialize(w);
		else
			say_discover(w);
	}
}

static bool is_known(const char *revision)
{
	for (size_t i = 0; i < N_ELEMENTS(revisions); i++)
		if (revision && streq(revision, revisions[i]))
			return true;
	return false;
}

static bool check_revision(struct worker *w, const char *revision)
{
	char quoted[QUOTE_SIZE];

	if (is_known(revision))
		return true;
	if (revision)
		worker_break(w,
			"it answered initialize with the protocol version %s, which mcp-fleet does "
			"not speak",
			quote(quoted, revision));
	else
		worker_break(w, "it answered initialize without a protocolVersion");
	return false;
}

void worker_on_initialize(struct worker *w, const struct rpc *rpc)
{
	json_auto_t *info = NULL;
	auto_strbuf words = { 0 };
	const char *revision;

	if (w->state != WORKER_STARTING || (w->refusal && !w->is_modern_first))
		return;
	if (rpc->kind == RPC_ERROR) {
		worker_add_error_text(&words, rpc);
		on_refused(w, "initialize", words.data);
		return;
	}
	info = read_info(rpc);
	if (!info) {
		worker_break(w, "its answer to initialize is no object, or over 1 MiB");
		return;
	}
	revision = json_string_value(json_object_get(info, "protocolVersion"));
	if (!check_revision(w, revision))
		return;
	bool is_newest = streq(revision, NEWEST_LEGACY) || streq(revision, MODERN_REVISION);

	w->offering.takes_legacy = true;
	take_info(w, TAKE(info));
	worker_sayf(w, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
	if (is_newest && may_try_other(w) && !w->refusal && !w->setup->knows_no_discover) {
		say_discover(w);
		timer_start(w->discover_timer, DISCOVER_MS);
	}
	worker_event(w, WORKER_EV_INITIALIZED);
}

static bool has_modern(const json_t *info)
{
	const json_t *versions = json_object_get(info, "supportedVersions");
	const json_t *version;
	size_t i;

	json_array_foreach(versions, i, version)
		if (json_is_string(version) && streq(json_string_value(version), MODERN_REVISION))
			return true;
	return false;
}

static void on_discover_refused(struct worker *w, const struct rpc *rpc)
{
	auto_strbuf words = { 0 };

	if (rpc->kind == RPC_ERROR)
		worker_add_error_text(&words, rpc);
	else
		strbuf_adds(&words, "its supportedVersions have no " MODERN_REVISION);
	on_refused(w, "server/discover", words.data);
}

void worker_on_discover(struct worker *w, const struct rpc *rpc)
{
	json_auto_t *info = NULL;

	if (w->state != WORKER_STARTING && !timer_is_running(w->discover_timer))
		return; /* nobody asks any more */
	info = read_info(rpc);
	w->offering.takes_modern = has_modern(info);
	if (w->state != WORKER_STARTING) {
		w->setup->knows_no_discover = !w->offering.takes_modern;
		timer_stop(w->discover_timer);
		worker_end_listing(w);
		return;
	}
	if (!w->offering.takes_modern) {
		on_discover_refused(w, rpc);
		return;
	}
	take_info(w, TAKE(info));
	worker_event(w, WORKER_EV_INITIALIZED);
}

void worker_on_discover_timer(void *arg)
{
	struct worker *w = arg;

	log_debug_about(&w->about,
		"%s: no answer to server/discover; it is taken for a server of "
		"the revisions before " MODERN_REVISION,
		w->name);
	worker_end_listing(w);
}
