/* The roots that a client tells (MCP client/roots), which narrow those of the settings for its call.
 *
 * The supervisor asks the client, and gives its file:// URIs with each call in
 * params._meta["mcp-fleet/roots"]. Without that member (the client did not declare the capability), or
 * without the setting use_client_roots, nothing is narrowed. tools.md section 7.1. */
#pragma once

#include "shared/jspan.h"
#include "shared/strbuf.h"

/* As worker_desc has it. `settings`: struct filesystem_settings. */
void client_roots_begin(const void *settings, struct jspan meta);
void client_roots_end(void);

/* Appends the path of a file:// URI: without an authority, or with "localhost"; no query, no fragment.
 * False: it is none, or its path is not fit as text (uri_decode_path()). Source: RFC 8089. */
bool client_roots_read_uri(const char *uri, size_t len, struct strbuf *ret) must_check;
