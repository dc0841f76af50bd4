/* mcp-fleetctl __complete LINE: what the scripts of 'completion' call. Not shown in any help; what it prints is for
 * them only. Without a daemon it offers less, and says nothing. */
#include <stdio.h>

#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/complete.h"
#include "ctl/key_store.h"
#include "ctl/member.h"

/* Nobody waits longer for a Tab. */
enum { TIMEOUT_MS = 1000 };

static json_t *ask_daemon(const struct ctl *ctl, const struct complete_ask *ask, const char *method)
{
	struct ctl own = *ctl;
	auto_(client_freep) struct client *client = NULL;

	own.timeout_ms = TIMEOUT_MS;
	if (ask->socket)
		own.socket = ask->socket;
	if (client_open(&own, &client, NULL) < 0)
		return NULL;
	return client_call(client, method, NULL, NULL);
}

/* The names in a list of objects, each with the member that describes it. */
static json_t *collect(const json_t *list, const char *name, const char *doc)
{
	json_t *names = json_object();
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item) {
		if (*member_text(item, name))
			(void)json_object_set_new(names, member_text(item, name),
				json_string(member_text(item, doc)));
	}
	return names;
}

static json_t *collect_arguments(const json_t *tools, const char *tool)
{
	const json_t *schema =
		json_object_get(member_find(tools, "name", tool ? tool : ""), "inputSchema");
	json_t *names = json_object();
	const char *name;
	json_t *property;

	json_object_foreach(json_object_get(schema, "properties"), name, property) {
		auto_strbuf word = { 0 };

		strbuf_addf(&word, "%s=", name);
		(void)json_object_set_new(names, strbuf_get(&word),
			json_string(member_text(property, "description")));
	}
	return names;
}

/* A name is offered also where a new one is wanted: which there are is good to know then. */
static json_t *read_keys(const struct ctl *ctl, const struct complete_ask *ask)
{
	auto_(key_store_done) struct key_store store = { .lock = -1 };
	struct ctl own = *ctl;
	json_t *names;

	own.timeout_ms = TIMEOUT_MS;
	if (ask->socket)
		own.socket = ask->socket;
	if (key_store_open(&own, ask->file, false, &store, NULL) < 0)
		return NULL;
	names = json_object();
	for (size_t i = 0; i < store.file->n; i++)
		(void)json_object_set_new(
			names, store.file->keys[i].name, json_string(store.file->keys[i].id));
	return names;
}

static json_t *ask_names(const struct ctl *ctl, const struct complete_ask *ask)
{
	const char *method = ask->word == CTL_WORD_DOMAIN    ? "status"
			     : ask->word == CTL_WORD_SESSION ? "sessions"
							     : "tools";
	json_auto_t *result = ask_daemon(ctl, ask, method);

	if (!result)
		return NULL;
	if (ask->word == CTL_WORD_DOMAIN)
		return collect(json_object_get(result, "domains"), "name", "state");
	if (ask->word == CTL_WORD_SESSION)
		return collect(json_object_get(result, "sessions"), "id", "client");
	if (ask->word == CTL_WORD_TOOL)
		return collect(json_object_get(result, "tools"), "name", "description");
	return collect_arguments(json_object_get(result, "tools"), ask->tool);
}

static json_t *look_up(void *arg, const struct complete_ask *ask)
{
	return ask->word == CTL_WORD_KEY ? read_keys(arg, ask) : ask_names(arg, ask);
}

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	struct ctl own = *ctl;
	auto_strbuf out = { 0 };

	complete_line(args_at(args, 0), look_up, &own, &out);
	(void)fwrite(strbuf_get(&out), 1, out.len, stdout);
	return CTL_DONE;
}

const struct verb verb_complete = {
	.name = "__complete",
	.args = "LINE",
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
