/* See catalog_naming.h. */
#include "supervisor/mcp/catalog_naming.h"

#include "shared/alloc.h"

bool catalog_renames_uris(const struct catalog_naming *naming)
{
	return !naming->is_native && naming->names != CONF_NAMES_PLAIN;
}

char *catalog_make_name(const struct catalog_naming *naming, const char *worker_name)
{
	char separator = naming->names == CONF_NAMES_DOTTED ? '.' : '_';
	auto_free char *prefix = alloc_printf("%s%c", naming->domain, separator);

	if (naming->is_native || naming->names == CONF_NAMES_PLAIN)
		return alloc_str(worker_name);
	for (char *at = prefix; *at; at++)
		if (*at == '-')
			*at = '_';
	if (strncmp(worker_name, prefix, strlen(prefix)) == 0)
		return alloc_str(worker_name);
	return alloc_printf("%s%s", prefix, worker_name);
}

/* "my_files" as the beginning of a scheme: "my-files+". */
static char *scheme_prefix(const struct catalog_naming *naming)
{
	char separator = naming->names == CONF_NAMES_DOTTED ? '.' : '+';
	char *prefix = alloc_printf("%s%c", naming->domain, separator);

	for (char *at = prefix; *at; at++)
		if (*at == '_')
			*at = '-';
	return prefix;
}

void catalog_add_client_uri(
	const struct catalog_naming *naming, const char *worker_uri, struct strbuf *out)
{
	auto_free char *prefix = catalog_renames_uris(naming) ? scheme_prefix(naming) : NULL;

	if (prefix)
		strbuf_adds(out, prefix);
	strbuf_adds(out, worker_uri);
}

bool catalog_get_worker_uri(
	const struct catalog_naming *naming, const char *client_uri, struct strbuf *out)
{
	auto_free char *prefix = NULL;

	if (!catalog_renames_uris(naming))
		return false;
	prefix = scheme_prefix(naming);
	if (strncasecmp(client_uri, prefix, strlen(prefix)) != 0)
		return false;
	strbuf_adds(out, client_uri + strlen(prefix));
	return true;
}
