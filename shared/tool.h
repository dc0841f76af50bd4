/* A tool as a worker offers it: its descriptor, its parameters, its handler. */
#pragma once

#include "shared/schema.h"

struct call; /* workers/common/call.h */

/* The promises of MCP's annotations. All four hints are always sent. */
enum tool_hints {
	TOOL_WRITES = 0, /* changes something, destroys nothing, not idempotent */
	TOOL_READ_ONLY = 1 << 0,
	TOOL_IDEMPOTENT = 1 << 1,
	TOOL_DESTRUCTIVE = 1 << 2,
	TOOL_OPEN_WORLD = 1 << 3,
};

/* 0: answered (call_result and its like, call_fail). -errno: our own trouble: the asker hears
 * -32603, the log has the rest. */
typedef int tool_fn(struct call *call, const void *args);

struct tool {
	const char *name;
	const char *title;
	const char *doc;
	tool_fn *run;
	const struct param *params; /* NULL: none */
	size_t args_size;
	const char *out; /* schema_of_result()'s notation */
	unsigned hints;  /* enum tool_hints */
	int timeout_s;   /* 0: the domain's call_timeout */
	/* Whether it is there with these settings (the worker's own struct); NULL: always. A tool that
	 * is not there is not listed, and nobody knows it, nor its aliases. */
	bool (*is_offered)(const void *settings);
};

/* TOOL(git_log, "Commit history", …): run = git_log, params = git_log_params, struct git_log_args. */
#define TOOL(fn, title_text, ...)                                                                  \
	{                                                                                          \
		.name = #fn, .title = (title_text), .run = (fn), .params = fn##_params,            \
		.args_size = sizeof(struct fn##_args), __VA_ARGS__                                 \
	}

/* A tool without parameters. */
#define TOOL_PLAIN(fn, title_text, ...)                                                            \
	{                                                                                          \
		.name = #fn, .title = (title_text), .run = (fn), __VA_ARGS__                       \
	}

/* Another name under which users of other servers know a tool (tools.md section 10). */
struct tool_alias {
	const char *name;
	const char *tool;
	const char *const *renames;  /* pairs: the alias's argument, ours; NULL at the end */
	const char *fixed;           /* JSON object of arguments that are always so */
	const char *const *required; /* that only the alias needs; NULL at the end */
	bool text_only; /* structuredContent is {"content": the text}, as reference servers have it */
	const char *out; /* the outputSchema where it is neither that nor the tool's own */
};

/* The outputSchema of an alias that is text_only. */
#define TOOL_OUT_TEXT "content string"
