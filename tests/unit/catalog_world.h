/* What the tests of the catalog share: domains, what they offer, and what is logged. */
#pragma once

#include "shared/strbuf.h"
#include "supervisor/mcp/catalog.h"

/* Without a federation prefix: all of a list in one page. */
extern struct conf_tools world_tools;

/* The settings of a domain with all its tools; nothing to free. */
struct conf_domain world_domain(const char *name, bool is_native);

/* An offering of these members: "\"tools\":[…],\"prompts\":[]". `info` may be NULL. offering_done()
 * afterwards. */
struct offering world_offering(const char *members, const char *info);

/* The domain offers that from now on. */
void world_set(struct catalog *catalog, const struct conf_domain *conf, const char *members,
	const char *info);

/* The values of `key` in a list's first page (or that of the cursor), with blanks between; "-": no such
 * page. Borrowed until the next call. */
const char *world_names(
	const struct endpoint *endpoint, enum catalog_list list, const char *cursor);

/* Lines of the log with a level of at least warning, each with a line break behind, are kept from here
 * on; world_take_log() returns and forgets them. Borrowed until the next call. */
void world_keep_log(void);
const char *world_take_log(void);
