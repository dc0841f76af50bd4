/* Names of header fields that an operator cannot give to the requests of a remote server, because they frame a
 * message, say where it goes, or belong to MCP. Source: RFC 9110 sections 5.1 and 7.6.1. */
#pragma once

#include "shared/span.h"

bool header_name_is_reserved(struct span name);

/* RFC 9110's token, which a name must be. */
bool header_name_is_token(const char *text, size_t len);
