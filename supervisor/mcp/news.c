/* See news.h. */
#include "supervisor/mcp/news.h"

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/mcp/bridge.h"
#include "supervisor/mcp/rewrite.h"
#include "supervisor/mcp/tasks.h"
#include "supervisor/mcp/watches.h"

#define SUBSCRIPTION_ID "\"io.modelcontextprotocol/subscriptionId\":"

enum {
	MAX_LOG_CHARS = 500,
	LOG_BURST = 20,
};

/* A subscriptions/listen request that is open. */
struct listen {
	LIST_ENTRY(listen) in_all;
	LIST_ENTRY(listen) in_session;
	struct session *session;
	uint64_t via;
	char *id; /* JSON, as the client wrote it */
	bool lists[CATALOG_LISTS];
};

struct news {
	struct sessions *sessions;
	struct catalog *catalog;
	struct router *router;
	struct fleet *fleet;
	struct watches *watches;
	struct listen_list listens;
	struct log_limit log;
};

static const struct {
	const char *notification;
	const char *filter;  /* of subscriptions/listen */
	unsigned capability; /* without it the filter is not served; 0: always */
} lists[CATALOG_LISTS] = {
	[CATALOG_TOOLS] = { "tools", "toolsListChanged", 0 },
	[CATALOG_RESOURCES] = { "resources", "resourcesListChanged", CATALOG_HAS_RESOURCES },
	[CATALOG_TEMPLATES] = { "resources", "resourcesListChanged", CATALOG_HAS_RESOURCES },
	[CATALOG_PROMPTS] = { "prompts", "promptsListChanged", CATALOG_HAS_PROMPTS },
};

/* --- watches ------------------------------------------------------------------------------------ */

static void each_domain_forget(void *arg, struct domain *domain)
{
	const uint64_t *number = arg;

	domain_forget_session(domain, *number);
}

/* The domain hears of it when nothing else of the session wants the same. */
static void remove_watch(struct news *news, struct watch *watch)
{
	struct domain *domain = fleet_get(news->fleet, watch->domain);

	if (domain && !watches_has_other(watch))
		domain_unsubscribe(domain, session_get_number(watch->session), watch->uri);
	watches_remove(news->watches, watch);
}

static const char *uri_of(const struct catalog_target *resource)
{
	return resource->worker_name ? resource->worker_name : resource->name;
}

static bool add_watch(struct news *news, struct session *session, struct listen *listen,
	const struct catalog_target *resource)
{
	uint32_t id = fleet_find(news->fleet, resource->domain);
	struct domain *domain = fleet_get(news->fleet, id);
	struct watch *watch;

	if (!domain)
		return false;
	watch = watches_add(news->watches, session, listen, id, uri_of(resource));
	if (!watch)
		return false;
	session_get_info(session)->is_known_below = true;
	domain_subscribe(domain, session_get_number(session), watch->uri);
	return true;
}

bool news_subscribe(
	struct news *news, struct session *session, const struct catalog_target *resource)
{
	uint32_t id = fleet_find(news->fleet, resource->domain);

	return watches_find(session, id, uri_of(resource)) ||
	       add_watch(news, session, NULL, resource);
}

void news_unsubscribe(
	struct news *news, struct session *session, const struct catalog_target *resource)
{
	uint32_t id = fleet_find(news->fleet, resource->domain);
	struct watch *watch = watches_find(session, id, uri_of(resource));

	if (watch)
		remove_watch(news, watch);
}

/* --- listen requests ------------------------------------------------------------------------------- */

static void free_listen(struct news *news, struct listen *listen)
{
	struct session_info *info = session_get_info(listen->session);
	struct watch *watch;
	struct watch *after;

	for (watch = LIST_FIRST(&info->watches); watch; watch = after) {
		after = LIST_NEXT(watch, in_session);
		if (watch->listen == listen)
			remove_watch(news, watch);
	}
	LIST_REMOVE(listen, in_all);
	LIST_REMOVE(listen, in_session);
	info->n_listens--;
	free(listen->id);
	free(listen);
}

static struct listen *new_listen(struct news *news, const struct origin *origin)
{
	struct session_info *info = session_get_info(origin->session);
	struct listen *listen = alloc_zero(sizeof(*listen));

	listen->session = origin->session;
	listen->via = origin->via;
	listen->id = alloc_mem(origin->id.at, origin->id.len);
	LIST_INSERT_HEAD(&news->listens, listen, in_all);
	LIST_INSERT_HEAD(&info->listens, listen, in_session);
	info->n_listens++;
	return listen;
}

static bool wants(struct jspan filter, const char *name)
{
	bool on = false;

	return jspan_get_bool(jspan_member(filter, name, NULL), &on) && on;
}

/* Takes what can be served, and notes it in `ack`. */
static void take_filter(
	struct news *news, struct listen *listen, struct jspan filter, struct strbuf *ack)
{
	const struct endpoint *endpoint = session_get_endpoint(listen->session);
	unsigned capabilities =
		endpoint_get_capabilities(endpoint, session_get_restriction(listen->session));

	for (int i = 0; i < CATALOG_LISTS; i++) {
		if (!wants(filter, lists[i].filter) ||
			(lists[i].capability & capabilities) != lists[i].capability)
			continue;
		listen->lists[i] = true;
		if (i != CATALOG_TEMPLATES) /* the same filter as that of resources */
			strbuf_addf(ack, "%s\"%s\":true", ack->len ? "," : "", lists[i].filter);
	}
}

static void take_resources(
	struct news *news, struct listen *listen, struct jspan uris, struct strbuf *ack)
{
	const struct endpoint *endpoint = session_get_endpoint(listen->session);
	const struct principal *viewer = session_get_restriction(listen->session);
	const char *comma = "";
	struct jspan uri;
	size_t cursor = 0;

	if (jspan_type(uris) != JSPAN_ARRAY ||
		!(endpoint_get_capabilities(endpoint, viewer) & CATALOG_HAS_SUBSCRIBE))
		return;
	strbuf_addf(ack, "%s\"resourceSubscriptions\":[", ack->len ? "," : "");
	while (jspan_next(uris, &cursor, NULL, &uri)) {
		struct catalog_target target;
		auto_strbuf text = { 0 };

		if (!jspan_get_str(uri, &text) || strlen(strbuf_get(&text)) != text.len ||
			!endpoint_find_resource(endpoint, viewer, strbuf_get(&text), &target) ||
			!add_watch(news, listen->session, listen, &target))
			continue;
		strbuf_adds(ack, comma);
		strbuf_add(ack, uri.at, uri.len);
		comma = ",";
	}
	strbuf_addc(ack, ']');
}

void news_listen(struct news *news, const struct origin *origin, struct jspan params)
{
	struct jspan filter = jspan_member(params, "notifications", NULL);
	struct listen *listen;
	auto_strbuf ack = { 0 };
	auto_free char *text = NULL;

	if (jspan_type(filter) != JSPAN_OBJECT) {
		answer_error(origin, RPC_INVALID_PARAMS,
			"subscriptions/listen needs params.notifications, an object", NULL);
		return;
	}
	listen = new_listen(news, origin);
	take_filter(news, listen, filter, &ack);
	take_resources(news, listen, jspan_member(filter, "resourceSubscriptions", NULL), &ack);
	text = alloc_printf(
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/"
		"acknowledged\",\"params\":{\"notifications\":{%s},\"_meta\":{" SUBSCRIPTION_ID
		"%s}}}",
		strbuf_get(&ack), listen->id);
	session_tell(origin->session, origin->via, text, strlen(text));
}

static struct listen *find_listen(struct session *session, struct jspan id)
{
	struct listen *listen;

	LIST_FOREACH(listen, &session_get_info(session)->listens, in_session) {
		const struct jspan own = { listen->id, strlen(listen->id) };

		if (jspan_same(own, id))
			return listen;
	}
	return NULL;
}

bool news_has_listen(struct session *session, struct jspan id)
{
	return find_listen(session, id) != NULL;
}

bool news_cancel_listen(struct news *news, struct session *session, struct jspan id)
{
	struct listen *listen = id.at ? find_listen(session, id) : NULL;

	if (listen)
		free_listen(news, listen);
	return listen != NULL;
}

/* On a line transport the end is said in two ways, as the specification's pages do. */
static void end_listen(struct news *news, struct listen *listen)
{
	const struct origin origin = { .session = listen->session,
		.via = listen->via,
		.id = { listen->id, strlen(listen->id) },
		.is_modern = true };
	auto_free char *result = alloc_printf("{\"_meta\":{" SUBSCRIPTION_ID "%s}}", listen->id);
	auto_free char *cancelled = NULL;

	if (session_is_stdio(listen->session)) {
		cancelled = alloc_printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
					 "cancelled\",\"params\":{\"requestId\":%s}}",
			listen->id);
		session_tell(listen->session, listen->via, cancelled, strlen(cancelled));
	}
	answer_text(&origin, result, 0);
	free_listen(news, listen);
}

void news_end(struct news *news)
{
	struct listen *listen;
	struct listen *after;

	for (listen = LIST_FIRST(&news->listens); listen; listen = after) {
		after = LIST_NEXT(listen, in_all);
		if (session_is_open(listen->session))
			end_listen(news, listen);
	}
}

/* --- lists ------------------------------------------------------------------------------------------- */

struct change {
	const struct endpoint *endpoint;
	enum catalog_list list;
	const char *text;
	size_t len;
};

/* That something has changed in a domain that it may not reach is not for it to know. */
static bool is_concerned(const struct change *change, const struct session *session)
{
	const struct principal *viewer = session_get_restriction(session);

	return session_get_endpoint(session) == change->endpoint &&
	       (!viewer || endpoint_has_changed_for(change->endpoint, viewer, change->list));
}

static void tell_legacy(void *arg, struct session *session)
{
	const struct change *change = arg;

	if (session_get_info(session)->initialized && is_concerned(change, session))
		session_tell(session, 0, change->text, change->len);
}

static void tell_listen(const struct listen *listen, enum catalog_list list)
{
	auto_free char *text =
		alloc_printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/%s/"
			     "list_changed\",\"params\":{\"_meta\":{" SUBSCRIPTION_ID "%s}}}",
			lists[list].notification, listen->id);

	session_tell(listen->session, listen->via, text, strlen(text));
}

static void tell_listens(struct news *news, const struct change *change)
{
	struct listen *listen;
	struct listen *after;

	for (listen = LIST_FIRST(&news->listens); listen; listen = after) {
		after = LIST_NEXT(listen, in_all);
		if (listen->lists[change->list] && is_concerned(change, listen->session))
			tell_listen(listen, change->list);
	}
}

static char *make_changed(enum catalog_list list)
{
	return alloc_printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/%s/list_changed\"}",
		lists[list].notification);
}

/* What it could see or can see now; resources and their templates have one notification. */
void news_rights_changed(struct news *news, struct session *session, const struct principal *old)
{
	const struct endpoint *endpoint = session_get_endpoint(session);
	unsigned capabilities = endpoint_get_capabilities(endpoint, old) |
				endpoint_get_capabilities(endpoint, session_get_principal(session));
	const struct listen *listen;

	for (int i = 0; i < CATALOG_LISTS; i++) {
		auto_free char *text = make_changed((enum catalog_list)i);

		if (i == CATALOG_TEMPLATES ||
			(lists[i].capability & capabilities) != lists[i].capability)
			continue;
		if (session_get_info(session)->initialized)
			session_tell(session, 0, text, strlen(text));
		LIST_FOREACH(listen, &session_get_info(session)->listens, in_session)
			if (listen->lists[i])
				tell_listen(listen, (enum catalog_list)i);
	}
}

void news_list_changed(struct news *news, const struct endpoint *endpoint, enum catalog_list list)
{
	auto_free char *text = make_changed(list);
	struct change change = { endpoint, list, text, strlen(text) };

	sessions_each(news->sessions, tell_legacy, &change);
	tell_listens(news, &change);
}

/* --- what workers tell ------------------------------------------------------------------------------- */

/* The notification with the URI as clients know it; for a listen request with its id. */
static void tell_updated(
	const struct watch *watch, const struct catalog_naming *naming, struct jspan params)
{
	struct jspan meta = jspan_member(params, "_meta", NULL);
	auto_splices splices = { 0 };
	auto_strbuf text = { 0 };
	auto_free char *id = NULL;

	if (naming)
		rewrite_uri(&splices, naming, params);
	if (watch->listen && jspan_type(meta) == JSPAN_OBJECT)
		id = alloc_printf(SUBSCRIPTION_ID "%s", watch->listen->id);
	else if (watch->listen)
		id = alloc_printf("\"_meta\":{" SUBSCRIPTION_ID "%s}", watch->listen->id);
	if (id)
		splice_members(&splices, jspan_type(meta) == JSPAN_OBJECT ? meta : params, id);
	strbuf_adds(&text,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":");
	splices_apply(&splices, params, &text);
	strbuf_addc(&text, '}');
	jspan_one_line(text.data, text.len);
	session_tell(watch->session, watch->listen ? watch->listen->via : 0, text.data, text.len);
}

/* What it may reach may have become less since it asked. */
static bool may_hear(const struct session *session, const struct domain *domain)
{
	return principal_allows_domain(session_get_principal(session), domain_get_name(domain));
}

static void on_updated(struct news *news, struct domain *domain, const struct domain_speaker *who,
	const struct rpc *rpc)
{
	const char *name = domain_get_name(domain);
	const struct catalog_naming *naming = catalog_get_naming(news->catalog, name);
	uint32_t id = fleet_find(news->fleet, name);
	struct watch *watch = NULL;
	auto_strbuf uri = { 0 };

	if (!jspan_get_str(jspan_member(rpc->params, "uri", NULL), &uri) ||
		strlen(strbuf_get(&uri)) != uri.len)
		return;
	while ((watch = watches_next(news->watches, id, strbuf_get(&uri), watch)))
		if (session_has_room(watch->session, rpc->params.len) &&
			may_hear(watch->session, domain) &&
			(!who->session || session_get_number(watch->session) == who->session))
			tell_updated(watch, naming, rpc->params);
}

/* A message that is about no session in particular is for the operator. */
static void log_message(
	struct news *news, struct domain *domain, enum level level, struct jspan params)
{
	const struct log_about about = { .domain = domain_get_name(domain) };
	struct jspan data = jspan_member(params, "data", NULL);
	enum log_level at = level >= LEVEL_ERROR    ? LOG_LEVEL_WARNING
			    : level >= LEVEL_NOTICE ? LOG_LEVEL_INFO
						    : LOG_LEVEL_DEBUG;

	if (log_is_on(at) && log_limit_ok(&news->log, LOG_BURST, "messages of workers"))
		log_write(at, &about, 0, "%s says (%s): %.*s", about.domain, level_name(level),
			(int)(data.len < MAX_LOG_CHARS ? data.len : MAX_LOG_CHARS), data.at);
}

static void on_message(struct news *news, struct domain *domain, const struct domain_speaker *who,
	const struct rpc *rpc)
{
	struct session *session = NULL;
	enum level wanted = LEVEL_NONE;
	enum level level;
	uint64_t via = 0;
	struct task *task;
	auto_splices splices = { 0 };
	auto_strbuf text = { 0 };

	if (!level_read(jspan_member(rpc->params, "level", NULL), &level))
		return;
	if (tasks_read_related(news->router, domain, who->worker, rpc->params, &task)) {
		session = task ? task_get_session(task) : NULL;
		wanted = session ? session_get_info(session)->level : LEVEL_NONE;
		if (task)
			tasks_map_to_client(task, rpc->params, &splices);
	} else if (!router_attribute(news->router, who, &session, &via, &wanted) && who->session) {
		session = session_find_number(news->sessions, who->session);
		wanted = session ? session_get_info(session)->level : LEVEL_NONE;
	}
	if (!session || !may_hear(session, domain) || !session_has_room(session, rpc->params.len)) {
		log_message(news, domain, level, rpc->params);
		return;
	}
	if (level < wanted || (session_is_once(session) && !via))
		return;
	strbuf_adds(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":");
	splices_apply(&splices, rpc->params, &text);
	strbuf_addc(&text, '}');
	jspan_one_line(text.data, text.len);
	session_tell(session, via, text.data, text.len);
}

static void on_elicitation_complete(struct news *news, struct domain *domain,
	const struct domain_speaker *who, const struct rpc *rpc)
{
	struct session *session = bridge_find_elicitation(
		news->router, domain, who, jspan_member(rpc->params, "elicitationId", NULL));
	auto_strbuf text = { 0 };

	if (!session || !session_has_room(session, rpc->params.len))
		return;
	strbuf_adds(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/elicitation/"
			   "complete\",\"params\":");
	strbuf_add(&text, rpc->params.at, rpc->params.len);
	strbuf_addc(&text, '}');
	jspan_one_line(text.data, text.len);
	session_tell(session, 0, text.data, text.len);
}

void news_told(struct news *news, struct domain *domain, const struct domain_speaker *who,
	const struct rpc *rpc)
{
	if (!rpc->params.at)
		return;
	if (jspan_is(rpc->method, "notifications/message"))
		on_message(news, domain, who, rpc);
	else if (jspan_is(rpc->method, "notifications/resources/updated"))
		on_updated(news, domain, who, rpc);
	else if (jspan_is(rpc->method, "notifications/elicitation/complete"))
		on_elicitation_complete(news, domain, who, rpc);
	else if (jspan_is(rpc->method, "notifications/tasks/status") ||
		 jspan_is(rpc->method, "notifications/progress"))
		(void)tasks_told(news->router, domain, who->worker, rpc);
	else if (jspan_is(rpc->method, "notifications/cancelled"))
		bridge_withdrawn(news->router, domain, who->worker, rpc);
}

/* --- levels, ends -------------------------------------------------------------------------------------- */

struct level_of {
	uint64_t session;
	const struct principal *principal;
	const char *level;
	const char *domain; /* NULL: all */
};

static void set_level_of(void *arg, struct domain *domain)
{
	const struct level_of *to = arg;

	const char *name = domain_get_name(domain);

	if ((!to->domain || streq(to->domain, name)) &&
		principal_allows_domain(to->principal, name))
		domain_set_level(domain, to->session, to->level);
}

void news_set_level(
	struct news *news, struct session *session, const char *domain, enum level level)
{
	struct level_of to = { session_get_number(session), session_get_principal(session),
		level_name(level),
		domain ? domain : endpoint_get_domain(session_get_endpoint(session)) };

	session_get_info(session)->is_known_below = true;
	fleet_each(news->fleet, set_level_of, &to);
}

static void tell_roots_changed(void *arg, struct domain *domain)
{
	static const char text[] =
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}";

	domain_tell(domain, *(const uint64_t *)arg, text, sizeof(text) - 1);
}

void news_roots_changed(struct news *news, struct session *session)
{
	uint64_t number = session_get_number(session);

	fleet_each(news->fleet, tell_roots_changed, &number);
}

void news_forget_session(struct news *news, struct session *session)
{
	struct session_info *info = session_get_info(session);
	uint64_t number = session_get_number(session);
	struct listen *listen;
	struct watch *watch;

	/* NOLINTBEGIN(clang-analyzer-unix.Malloc): it loses LIST_REMOVE */
	while ((listen = LIST_FIRST(&info->listens)))
		free_listen(news, listen);
	while ((watch = LIST_FIRST(&info->watches)))
		remove_watch(news, watch);
	/* NOLINTEND(clang-analyzer-unix.Malloc) */
	if (info->is_known_below && !bridge_holds(news->router, number))
		fleet_each(news->fleet, each_domain_forget, &number);
}

struct news *news_new(struct sessions *sessions, struct catalog *catalog, struct router *router)
{
	struct news *news = alloc_zero(sizeof(*news));

	news->sessions = sessions;
	news->catalog = catalog;
	news->router = router;
	news->watches = watches_new();
	LIST_INIT(&news->listens);
	return news;
}

void news_free(struct news *news)
{
	if (!news)
		return;
	watches_free(news->watches); /* its sessions have ended, and taken all with them */
	free(news);
}

void news_set_fleet(struct news *news, struct fleet *fleet)
{
	news->fleet = fleet;
}
