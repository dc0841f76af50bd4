/* Programs that start MCP servers of their user: where each keeps its configuration, and how a server stands in
 * it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "shared/fail.h"

enum { CLIENTS_PATH = 3 };

struct client_app {
	const char *name;                  /* as on the command line */
	const char *title;                 /* as people call it */
	const char *members[CLIENTS_PATH]; /* the way to its servers; ends with NULL */
	bool has_type;                     /* an entry says "type": "stdio" */
	const char *then;                  /* what makes it read the file again */
};

/* NULL: not known. */
const struct client_app *clients_find(const char *name);

/* The file of this user, yours. -ENOENT with words: HOME is not set. */
int clients_get_file(const struct client_app *app, char **ret, struct fail *fail) must_check;

/* The way to the servers in that file, which may be another one of the program: settings.json of Visual Studio Code
 * has them elsewhere than mcp.json. */
const char *const *clients_get_members(const struct client_app *app, const char *file);

/* The entry of this fleet: `program` is mcp-fleetctl, `args` its arguments. A new reference. */
json_t *clients_make_entry(const struct client_app *app, const char *program, json_t *args)
	must_check;

/* Whether connect made an entry: it starts mcp-fleetctl's bridge. */
bool clients_is_ours(json_t *entry);
