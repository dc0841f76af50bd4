/* The virtual server that bundles the tools of all domains under one address; see registrar.h.
 *
 * Its id is made from our instance and so the same after a wiped database: clients keep their URL. What it
 * shows are only tools that are switched on, so the list is always built from the gateways' own tools. */
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "workers/registrar/registrar.h"
#include "workers/registrar/toolset.h"

static const char remedy_foreign[] =
	"choose another name for the virtual server, or delete that one";
static const char remedy_disabled[] = "switch it on again at the gateway";
static const char remedy_token[] =
	"give the token the permissions servers.read, servers.create and servers.update";
static const char description[] = "All tools of mcp-fleet";

enum { ID_CHARS = 32 };

/* A token that may not do this may do all else: that is told here, and nothing is stopped. */
static bool is_global(const struct answer *answer)
{
	return answer_is_global(answer) && answer->kind != ANSWER_AUTH;
}

static void set_state(struct virtual_server *server, enum domain_state state, const char *error,
	const char *remedy)
{
	if (error && (!server->error || !streq(server->error, error)))
		log_warn("the virtual server: %s%s%s", error, remedy ? ". Remedy: " : "",
			remedy ? remedy : "");
	char *new_error = alloc_str(error);
	char *new_remedy = alloc_str(remedy);

	server->state = state;
	free(server->error);
	free(server->remedy);
	server->error = new_error;
	server->remedy = new_remedy;
}

/* --- what is there -------------------------------------------------------------------------------- */

static bool has_tag(json_t *entry, const char *wanted)
{
	json_t *tag;
	size_t i;

	json_array_foreach(json_object_get(entry, "tags"), i, tag) {
		const char *text =
			json_string_value(json_is_object(tag) ? json_object_get(tag, "id") : tag);

		if (text && streq(text, wanted))
			return true;
	}
	return false;
}

static bool has_text(json_t *entry, const char *name, const char *wanted)
{
	const char *text = json_string_value(json_object_get(entry, name));

	return text && streq(text, wanted);
}

static bool is_ours(const struct registrar *registrar, json_t *entry)
{
	return has_tag(entry, registrar->instance_tag) ||
	       (*registrar->former_tag && has_tag(entry, registrar->former_tag)) ||
	       (*registrar->keep.server_id && has_text(entry, "id", registrar->keep.server_id));
}

static bool is_id(const char *id)
{
	return id && *id && strlen(id) < KEEP_ID_SIZE &&
	       strspn(id, "0123456789abcdef") == strlen(id);
}

/* Ours by tag: that of our id, else any. */
static json_t *find_ours(const struct registrar *registrar, json_t *list)
{
	json_t *found = NULL;
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		if (!is_ours(registrar, entry) ||
			!is_id(json_string_value(json_object_get(entry, "id"))))
			continue;
		if (!found || has_text(entry, "id", registrar->keep.server_id))
			found = entry;
	}
	return found;
}

/* Somebody else's of our name. */
static bool is_taken(const struct registrar *registrar, json_t *list)
{
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		if (!is_ours(registrar, entry) && has_text(entry, "name", registrar->server_name))
			return true;
	return false;
}

/* --- what is wanted ------------------------------------------------------------------------------- */

/* The tools of each domain that is there; `anew`: asked for again. False: they could not be had. */
static bool gather(struct registrar *registrar, bool anew, struct answer *ret)
{
	struct domain *domain;

	TAILQ_FOREACH(domain, &registrar->domains, next) {
		if (!domain->id || (domain->tool_ids && !anew))
			continue;
		answer_done(ret);
		gateway_tools(&registrar->gateway, domain->id, ret);
		if (ret->kind != ANSWER_OK)
			return false;
		json_decref(domain->tool_ids);
		domain->tool_ids = toolset_ids(ret->json);
	}
	return true;
}

/* Ids as the keys of an object: to those that are on, or to all of them. */
static json_t *wanted_ids(const struct registrar *registrar, bool all)
{
	json_t *ids = json_object();
	const struct domain *domain;
	json_t *tool;
	size_t i;

	TAILQ_FOREACH(domain, &registrar->domains, next)
		json_array_foreach(domain->id ? domain->tool_ids : NULL, i, tool)
			if (all || json_is_true(json_object_get(tool, "enabled")))
				(void)json_object_set_new(ids,
					json_string_value(json_object_get(tool, "id")),
					json_true());
	return ids;
}

static json_t *keys_of(json_t *object)
{
	json_t *keys = json_array();
	const char *key;
	json_t *unused;

	json_object_foreach(object, key, unused)
		(void)json_array_append_new(keys, json_string(key));
	return keys;
}

/* How many of the wanted ones it shows; *ret_is_same: just those, but for some that are switched off. */
static size_t count_shown(json_t *entry, json_t *on, json_t *all, bool *ret_is_same)
{
	size_t n = 0;
	size_t i;
	json_t *id;

	*ret_is_same = true;
	json_array_foreach(json_object_get(entry, "associatedToolIds"), i, id) {
		const char *text = json_is_string(id) ? json_string_value(id) : "";

		n += json_object_get(on, text) != NULL;
		*ret_is_same = *ret_is_same && json_object_get(all, text);
	}
	*ret_is_same = *ret_is_same && n == json_object_size(on);
	return n;
}

static bool has_all_tags(json_t *entry, json_t *tags)
{
	json_t *tag;
	size_t i;

	json_array_foreach(tags, i, tag)
		if (!has_tag(entry, json_string_value(tag)))
			return false;
	return true;
}

static bool is_right(const struct registrar *registrar, json_t *entry, json_t *tags)
{
	return has_text(entry, "name", registrar->server_name) &&
	       has_text(entry, "visibility", registrar->settings.visibility) &&
	       has_all_tags(entry, tags);
}

static json_t *make_tags(const struct registrar *registrar)
{
	return json_pack("[s, s]", PLAN_TAG, registrar->instance_tag);
}

static json_t *make_body(const struct registrar *registrar, json_t *tags, json_t *all)
{
	return json_pack("{s:s, s:s, s:O, s:o}", "name", registrar->server_name, "description",
		description, "tags", tags, "associated_tools", keys_of(all));
}

/* --- putting it right ----------------------------------------------------------------------------- */

/* Once chosen it stays, whatever our address becomes. */
static void choose_id(struct registrar *registrar)
{
	char mark[SECRET_MARK_SIZE];

	if (*registrar->keep.server_id)
		return;
	secret_mark("server", registrar->instance_tag, mark);
	memcpy(registrar->keep.server_id, mark, ID_CHARS);
	registrar->keep.server_id[ID_CHARS] = '\0';
}

static void mark_tools(json_t *all, char ret[SECRET_MARK_SIZE])
{
	json_auto_t *ids = keys_of(all);
	auto_free char *text = json_dumps(ids, JSON_COMPACT);

	secret_mark("tools", text, ret);
}

static void take_refusal(struct virtual_server *server, const struct answer *answer)
{
	bool is_token = answer->kind == ANSWER_AUTH;

	set_state(server, is_token ? DOMAIN_REFUSED : DOMAIN_DEGRADED,
		answer->error ? answer->error : "the gateway's list of servers is no list",
		is_token ? remedy_token : answer->remedy);
}

static void note_failure(struct virtual_server *server, json_t *all, const char *error,
	const char *remedy, int64_t ms)
{
	mark_tools(all, server->tried);
	server->retry_at_ms = clock_now_ms() + ms;
	set_state(server, DOMAIN_DEGRADED, error, remedy);
}

/* The answer to POST or PUT. */
static bool take_written(
	struct registrar *registrar, json_t *on, json_t *all, const struct answer *answer)
{
	struct virtual_server *server = &registrar->server;
	bool is_same;

	if (is_global(answer))
		return true;
	if (answer->kind == ANSWER_CONFLICT) {
		set_state(server, DOMAIN_FOREIGN, answer->error, remedy_foreign);
	} else if (answer->kind != ANSWER_OK) {
		note_failure(server, all, answer->error, answer->remedy, PACE_CAP_MS);
		take_refusal(server, answer);
	} else {
		server->n_found = count_shown(answer->json, on, all, &is_same);
		if (is_same)
			set_state(server, DOMAIN_REGISTERED, NULL, NULL);
		else
			note_failure(server, all, "the gateway did not take all tools into it",
				NULL, SLOW_MS);
	}
	return false;
}

static bool create(struct registrar *registrar, json_t *on, json_t *all, struct answer *ret)
{
	json_auto_t *tags = make_tags(registrar);
	json_t *inner = make_body(registrar, tags, all);
	json_auto_t *body = NULL;

	choose_id(registrar);
	(void)json_object_set_new(inner, "id", json_string(registrar->keep.server_id));
	body = json_pack(
		"{s:o, s:s}", "server", inner, "visibility", registrar->settings.visibility);
	answer_done(ret);
	gateway_create_server(&registrar->gateway, body, ret);
	free(registrar->server.id);
	registrar->server.id = alloc_str(registrar->keep.server_id);
	return take_written(registrar, on, all, ret);
}

static bool update(struct registrar *registrar, json_t *on, json_t *all, struct answer *ret)
{
	json_auto_t *tags = make_tags(registrar);
	json_auto_t *body = make_body(registrar, tags, all);

	(void)json_object_set_new(body, "visibility", json_string(registrar->settings.visibility));
	answer_done(ret);
	gateway_update_server(&registrar->gateway, registrar->server.id, body, ret);
	return take_written(registrar, on, all, ret);
}

static void note_drift(struct registrar *registrar, const char *what, const char *action)
{
	(void)json_array_append_new(
		registrar->drift, json_pack("{s:s, s:s, s:s}", "domain", registrar->server_name,
					  "what", what, "action", action));
}

static bool must_wait(const struct virtual_server *server, json_t *all)
{
	char mark[SECRET_MARK_SIZE];

	mark_tools(all, mark);
	return server->retry_at_ms > clock_now_ms() && streq(mark, server->tried);
}

/* `entry` is ours, NULL: it is to be made. */
static bool settle(struct registrar *registrar, json_t *entry, bool changes, struct answer *ret)
{
	struct virtual_server *server = &registrar->server;
	json_auto_t *on = wanted_ids(registrar, false);
	json_auto_t *all = wanted_ids(registrar, true);
	json_auto_t *tags = make_tags(registrar);
	bool is_same = false;

	server->n_wanted = json_object_size(on);
	server->n_found = entry ? count_shown(entry, on, all, &is_same) : 0;
	if (entry && json_is_false(json_object_get(entry, "enabled"))) {
		set_state(server, DOMAIN_DISABLED, "it was switched off at the gateway",
			remedy_disabled);
		return false;
	}
	if (entry && is_same && is_right(registrar, entry, tags)) {
		set_state(server, DOMAIN_REGISTERED, NULL, NULL);
		return false;
	}
	if (!changes) {
		note_drift(registrar,
			entry ? "the virtual server differs" : "there is no virtual server",
			entry ? "update" : "create");
		return false;
	}
	if (must_wait(server, all))
		return false;
	return entry ? update(registrar, on, all, ret) : create(registrar, on, all, ret);
}

/* The tools' ids that are known may be old: looked at again before anything is changed. */
static bool needs_fresh_ids(const struct registrar *registrar, json_t *entry)
{
	json_auto_t *on = wanted_ids(registrar, false);
	json_auto_t *all = wanted_ids(registrar, true);
	bool is_same = false;

	(void)count_shown(entry, on, all, &is_same);
	return !is_same;
}

/* Nothing but the list was asked for; *ret has its answer. */
static bool take_list(struct registrar *registrar, json_t *list, bool changes, struct answer *ret)
{
	struct virtual_server *server = &registrar->server;
	json_t *entry = find_ours(registrar, list);

	free(server->id);
	server->id = alloc_str(json_string_value(json_object_get(entry, "id")));
	if (entry)
		(void)snprintf(registrar->keep.server_id, sizeof(registrar->keep.server_id), "%s",
			server->id);
	if (!entry && is_taken(registrar, list)) {
		set_state(server, DOMAIN_FOREIGN,
			"its name is taken by a virtual server that is not ours", remedy_foreign);
		return false;
	}
	if (!gather(registrar, needs_fresh_ids(registrar, entry), ret)) {
		if (!is_global(ret))
			take_refusal(server, ret);
		return is_global(ret);
	}
	return settle(registrar, entry, changes, ret);
}

bool server_run(struct registrar *registrar, bool changes, struct answer *ret)
{
	json_auto_t *list = NULL;

	if (!*registrar->server_name) {
		if (*registrar->keep.server_id && changes)
			return server_remove(registrar, ret);
		return false;
	}
	gateway_servers(&registrar->gateway, ret);
	if (is_global(ret))
		return true;
	list = json_incref(ret->json);
	if (ret->kind != ANSWER_OK || !json_is_array(list)) {
		take_refusal(&registrar->server, ret);
		return false;
	}
	return take_list(registrar, list, changes, ret);
}

void server_forget(struct registrar *registrar)
{
	struct virtual_server *server = &registrar->server;

	free(server->id);
	server->id = NULL;
	server->n_found = 0;
	set_state(server, DOMAIN_UNREGISTERED, NULL, NULL);
}

bool server_remove(struct registrar *registrar, struct answer *ret)
{
	if (!*registrar->keep.server_id)
		return false;
	gateway_delete_server(&registrar->gateway, registrar->keep.server_id, ret);
	if (ret->kind == ANSWER_AUTH) /* a token that may not is no reason to stop all else */
		log_warn("the virtual server stays: the token may not delete it (servers.delete)");
	else if (is_global(ret))
		return true;
	else if (ret->kind != ANSWER_OK && ret->kind != ANSWER_MISSING)
		log_warn("the virtual server cannot be deleted: %s", ret->error);
	registrar->keep.server_id[0] = '\0';
	server_forget(registrar);
	return false;
}
