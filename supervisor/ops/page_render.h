/* The page for people as HTML: one look at the status (status_make()) becomes one text. Pure: it reads the
 * JSON and nothing else, and every word of it comes out escaped.
 *
 * page_render.c has the frame and what is first seen; page_fleet.c domains and processes; page_facts.c sessions,
 * limits, the gateway, the daemon. Without scripts it is a whole page; with them status.js exchanges what is in
 * <main>. */
#pragma once

#include <jansson.h>

#include "shared/strbuf.h"

/* What stands in <main>. `as_of` is the time of the status, in RFC 3339. */
void page_render_fleet(struct strbuf *out, const json_t *status, const char *as_of);

/* The whole document. */
void page_render(struct strbuf *out, const json_t *status, const char *as_of);
