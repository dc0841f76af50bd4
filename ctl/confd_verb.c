/* See confd_verb.h. */
#include "ctl/confd_verb.h"

#include "ctl/args.h"
#include "ctl/output.h"
#include "ctl/settle.h"
#include "shared/alloc.h"
#include "shared/clock.h"

/* Line by line, since out_line() is for one. */
static void show_text(const struct ctl *ctl, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		auto_free char *line = alloc_mem(text, len);
		auto_strbuf clean = { 0 };

		out_clean(&clean, line);
		out_line(ctl, COLOR_NONE, "    %s", strbuf_get(&clean));
		text += len;
		text += *text == '\n';
	}
}

static json_t *secrets_of(const struct server *server)
{
	return server->url ? server->headers : server->secrets;
}

static void show_path(const struct ctl *ctl, const struct place *place, const struct server *server,
	const char *ending, bool is_closed)
{
	auto_strbuf path = { 0 };

	out_clean(&path, place->dir);
	strbuf_addf(&path, "/%s.%s", server->name, ending);
	out_line(ctl, COLOR_DIM, "  %s%s", strbuf_get(&path),
		is_closed ? " (not readable for others)" : "");
}

void confd_verb_show(const struct ctl *ctl, const struct place *place, const struct server *server,
	const char *origin)
{
	auto_strbuf text = { 0 };
	auto_strbuf names = { 0 };
	const char *name;
	json_t *value;

	server_print(server, place->dir, origin, true, &text);
	show_path(ctl, place, server, "yaml", server->is_private);
	show_text(ctl, strbuf_get(&text));
	json_object_foreach(secrets_of(server), name, value)
		strbuf_addf(&names, "%s%s********\n", name, server->url ? ": " : "=");
	if (!names.len)
		return;
	show_path(ctl, place, server, server->url ? "headers" : "env", true);
	show_text(ctl, strbuf_get(&names));
}

json_t *confd_verb_json(const struct place *place, const struct server *server, const char *origin)
{
	json_t *names = json_array();
	auto_strbuf text = { 0 };
	const char *name;
	json_t *value;
	json_t *path = json_null();
	auto_free char *yaml_path = alloc_printf("%s/%s.yaml", place->dir, server->name);
	auto_free char *secrets_path =
		alloc_printf("%s/%s.%s", place->dir, server->name, server->url ? "headers" : "env");

	json_object_foreach(secrets_of(server), name, value)
		(void)json_array_append_new(names, json_string(name));
	if (json_array_size(names))
		path = json_sprintf(
			"%s/%s.%s", place->dir, server->name, server->url ? "headers" : "env");
	server_print(server, place->dir, origin, true, &text);
	return json_pack("{s:o, s:s, s:o, s:o}", "settings", out_text(yaml_path), "settings_text",
		strbuf_get(&text), "secrets_file", path, "secrets", names);
}

int confd_verb_check(const struct ctl_args *args)
{
	if (!args_has(args, "wait") || args_has(args, "reload"))
		return CTL_DONE;
	return ctl_usage(args->verb, "--wait: without --reload there is nothing to wait for");
}

static int reload(const struct ctl *ctl, bool waits, json_t *result)
{
	auto_(client_freep) struct client *client = NULL;
	json_auto_t *answer = NULL;
	int64_t asked_ms = clock_now_ms();
	struct fail fail = { 0 };

	if (client_open(ctl, &client, &fail) < 0)
		return ctl_fail(ctl, &fail);
	answer = client_call_long(client, "reload", NULL, ctl->limit_ms, NULL, NULL, &fail);
	if (!answer)
		return ctl_fail(ctl, &fail);
	(void)json_object_set_new(result, "reloaded", json_true());
	if (!ctl->is_json)
		out_line(ctl, COLOR_GOOD, "The daemon has read its settings again.");
	return waits ? settle_wait(ctl, client, answer, asked_ms, result) : CTL_DONE;
}

int confd_verb_reload(const struct ctl *ctl, const struct ctl_args *args, json_t *result)
{
	(void)json_object_set_new(result, "reloaded", json_false());
	if (args_has(args, "reload"))
		return reload(ctl, args_has(args, "wait"), result);
	if (!ctl->is_json)
		out_line(ctl, COLOR_NONE, "A running daemon takes it with: mcp-fleetctl reload");
	return CTL_DONE;
}
