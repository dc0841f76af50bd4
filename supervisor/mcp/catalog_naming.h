/* How names and URIs of a domain's worker become those that clients see, unique over the fleet.
 *
 * prefix: name_tool, name+scheme:…; dotted: name.tool, name.scheme:…; plain: as they are. Pure.
 * Source: RFC 3986 3.1 (a scheme may hold "+" and "."); MCP server/tools, "Tool Names". */
#pragma once

#include "shared/strbuf.h"
#include "supervisor/conf.h"

struct catalog_naming {
	enum conf_names names;
	bool is_native; /* its names carry the prefix already */
	char *domain;
};

/* The name of a tool or prompt as it is listed. The caller frees it. */
char *catalog_make_name(const struct catalog_naming *naming, const char *worker_name);

/* Appends a URI of this domain's worker as clients see it. */
void catalog_add_client_uri(
	const struct catalog_naming *naming, const char *worker_uri, struct strbuf *out);

/* The other way round; false: it is not one of this domain's. */
bool catalog_get_worker_uri(
	const struct catalog_naming *naming, const char *client_uri, struct strbuf *out);

/* Whether clients see other URIs than the worker tells. */
bool catalog_renames_uris(const struct catalog_naming *naming);
