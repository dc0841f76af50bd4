/* See clients.h. Sources: the documentation of each program. */
#include "ctl/clients.h"

#include <errno.h>

#include "shared/alloc.h"

static const char *const settings_members[] = { "mcp", "servers", NULL };

static const struct client_app apps[] = {
	{ .name = "claude-desktop",
		.title = "Claude Desktop",
		.members = { "mcpServers" },
		.then = "quit Claude Desktop and start it again" },
	{ .name = "claude-code",
		.title = "Claude Code",
		.members = { "mcpServers" },
		.has_type = true,
		.then = "new sessions have it; see it with /mcp" },
	{ .name = "cursor",
		.title = "Cursor",
		.members = { "mcpServers" },
		.then = "switch it on in Cursor's settings, MCP" },
	{ .name = "vscode",
		.title = "Visual Studio Code",
		.members = { "servers" },
		.has_type = true,
		.then = "start it with the command 'MCP: List Servers'" },
};

const struct client_app *clients_find(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(apps); i++) {
		if (streq(apps[i].name, name))
			return &apps[i];
	}
	return NULL;
}

/* $XDG_CONFIG_HOME, or ~/.config: yours. */
static char *config_home(const char *home)
{
#ifdef __APPLE__
	return alloc_printf("%s/Library/Application Support", home);
#else
	const char *folder = getenv("XDG_CONFIG_HOME");

	return folder && *folder == '/' ? alloc_str(folder) : alloc_printf("%s/.config", home);
#endif
}

int clients_get_file(const struct client_app *app, char **ret, struct fail *fail)
{
	const char *home = getenv("HOME");
	const char *own = getenv("CLAUDE_CONFIG_DIR");
	auto_free char *config = NULL;

	if (!home || *home != '/')
		return fail_set(fail, -ENOENT,
			"HOME is not set: say with --file where the configuration of %s is",
			app->title);
	config = config_home(home);
	if (streq(app->name, "claude-desktop"))
		*ret = alloc_printf("%s/Claude/claude_desktop_config.json", config);
	else if (streq(app->name, "claude-code"))
		*ret = alloc_printf("%s/.claude.json", own && *own == '/' ? own : home);
	else if (streq(app->name, "cursor"))
		*ret = alloc_printf("%s/.cursor/mcp.json", home);
	else
		*ret = alloc_printf("%s/Code/User/mcp.json", config);
	return 0;
}

const char *const *clients_get_members(const struct client_app *app, const char *file)
{
	const char *slash = strrchr(file, '/');

	if (streq(app->name, "vscode") && streq(slash ? slash + 1 : file, "settings.json"))
		return settings_members;
	return app->members;
}

json_t *clients_make_entry(const struct client_app *app, const char *program, json_t *args)
{
	json_t *entry = json_object();

	if (app->has_type)
		(void)json_object_set_new(entry, "type", json_string("stdio"));
	(void)json_object_set_new_nocheck(entry, "command", json_string_nocheck(program));
	(void)json_object_set(entry, "args", args);
	return entry;
}

bool clients_is_ours(json_t *entry)
{
	const char *program = json_string_value(json_object_get(entry, "command"));
	const char *slash = program ? strrchr(program, '/') : NULL;
	size_t i;
	json_t *arg;

	if (!program || !streq(slash ? slash + 1 : program, "mcp-fleetctl"))
		return false;
	json_array_foreach(json_object_get(entry, "args"), i, arg) {
		const char *text = json_string_value(arg);

		if (text && streq(text, "stdio"))
			return true;
	}
	return false;
}
