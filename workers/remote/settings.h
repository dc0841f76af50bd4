/* What mcp-fleet-remote is told by the supervisor: one JSON object, in the environment and not in an
 * argument, where others could read it: a URL may hold a key. */
#pragma once

#include <jansson.h>

#include "shared/fail.h"

#define REMOTE_SETTINGS "MCP_FLEET_REMOTE"

enum transport {
	TRANSPORT_AUTO,       /* Streamable HTTP, and HTTP+SSE where that is refused */
	TRANSPORT_STREAMABLE, /* 2025-03-26 and later */
	TRANSPORT_SSE,        /* 2024-11-05 */
};

struct settings {
	const char *url;
	const char *headers_file; /* "": none */
	const char *key_file;     /* "": none; a file that holds a bearer key and nothing else */
	const char *ca_file;      /* "": those of the system */
	const char *transport;    /* "auto", "streamable", "sse" */
	int64_t max_bytes;        /* of a message */
	int64_t wait_ms;          /* requests wait so long for the server; 0: see HOLD_MS */
	/* Not in the table: */
	json_t *json;
};

/* 0, or -EINVAL with words. settings_done() in any case. */
int settings_read(const char *text, struct settings *ret, struct fail *fail) must_check;
void settings_done(struct settings *settings);

enum transport settings_transport(const struct settings *settings);
