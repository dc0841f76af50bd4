/* The servers in the configuration file of a client: Claude Desktop's, Claude Code's (.mcp.json) and Cursor's
 * `mcpServers`, Visual Studio Code's `servers` (mcp.json) or `mcp.servers` (settings.json). */
#pragma once

#include "ctl/forms.h"
#include "ctl/server.h"
#include "shared/fail.h"

enum import_state {
	IMPORT_FOUND,    /* can be a domain */
	IMPORT_DISABLED, /* in the file itself */
	IMPORT_REFUSED,
};

struct import_item {
	char *name; /* in the file */
	struct server server;
	enum import_state state;
	char *why;     /* it is refused; else NULL */
	json_t *extra; /* texts: what the file says of it and the settings cannot */
};

struct import_file {
	struct import_item *items; /* in the order of the file */
	size_t n;
	json_t *inputs; /* of the file; an empty array without any */
};

/* What is chosen of them. */
struct import_choice {
	json_t *names;   /* an array of those that are wanted; empty: all */
	json_t *renames; /* name in the file → name of the domain */
};

/* Reads the text of a file; `forms` gives the values of its forms, its `inputs` are set here. -EINVAL: it is not
 * JSON (the words begin with line:column), or there are no servers in it. import_done() afterwards. */
int import_read(const char *text, size_t len, struct forms *forms,
	const struct import_choice *choice, struct import_file *ret, struct fail *fail) must_check;
void import_done(struct import_file *file);

/* The item is refused from now on. */
void import_refuse(struct import_item *item, const char *fmt, ...) printf_like(2, 3);
