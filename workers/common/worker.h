/* The MCP side of a native worker: a stdio server that serves one call at a time.
 *
 * Run by hand it is an ordinary MCP server on a terminal; under the supervisor its standard input and
 * output are one Unix socket. It knows no HTTP, no sessions and no YAML: settings come as one JSON
 * object (--settings), whose keys are the worker's own table. */
#pragma once

#include "shared/jspan.h"
#include "shared/tool.h"

struct worker_desc {
	const char *name; /* "git": also the program, worker-git */
	const char *title;
	const char *tool_prefix;          /* of its tools, "code_"; NULL: name and an underscore */
	const char *summary;              /* one sentence for --help and gateway_get_capabilities */
	const struct tool *const *tools;  /* tables that end with { 0 }; NULL at the end */
	const struct tool_alias *aliases; /* ends with { 0 }; NULL: none */
	const struct param *settings;     /* the worker's own settings; NULL: none */
	size_t settings_size;
	bool has_roots;     /* takes `roots`, --root, and opens them (roots.h) */
	bool fails_as_json; /* failures are {"success":false,"code":…,"error":…} */
	/* Called once after the settings were read; NULL: nothing to do. 0 or -errno with words. */
	int (*init)(const void *settings, struct fail *fail);
	void (*done)(void);
	/* Around each call of a tool, with its params._meta (absent: there is none); NULL: nothing to do. */
	void (*begin_call)(const void *settings, struct jspan meta);
	void (*end_call)(void);
};

/* The whole program: arguments, settings, the loop. Returns main()'s exit code. */
int worker_main(const struct worker_desc *desc, int argc, char **argv);

/* What the supervisor last told about the fleet: borrowed, NULL when run by hand. An object as in
 * gateway_get_capabilities's `clusters`. */
json_t *worker_get_fleet(void);
