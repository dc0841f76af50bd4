/* Names and addresses as the gateway rewrites them, so that ours can be compared with its own.
 *
 * Source: ContextForge 1.0.7, its create_slug and normalize_url. */
#pragma once

#include "shared/strbuf.h"

/* Lower case, each run of what is no ASCII letter or digit a hyphen, none at the ends. Yours to free. */
char *slug_make(const char *name) must_check;

/* The URL with the host 127.0.0.1 as localhost; a user name in it is dropped then. Yours to free. */
char *slug_url(const char *url) must_check;
