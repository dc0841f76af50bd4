/* Addresses that a page names, made absolute.
 *
 * Only schemes that a reader may follow come out: http, https, ftp, mailto, tel. */
#pragma once

#include <stdbool.h>

#include "shared/strbuf.h"

struct href;

/* `url`: where the page came from, absolute. NULL: it is no URL. */
struct href *href_new(const char *url);
void href_free(struct href *href);
DEFINE_FREEP(struct href, href_free)

/* What <base> says, taken as relative to what was given before. Nonsense is left out. */
void href_set_base(struct href *href, const char *base);

/* Appends what `link` leads to, fit as the target of a Markdown link. False: nothing to follow
 * (javascript:, data:, no URL at all, longer than HREF_MAX_BYTES). `href` may be NULL: then only what is
 * absolute can be followed. */
enum { HREF_MAX_BYTES = 4096 };
bool href_resolve(const struct href *href, const char *link, struct strbuf *out) must_check;
