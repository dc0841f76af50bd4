/* See principal.h. */
#include "supervisor/mcp/principal.h"

#include <fnmatch.h>

#include "shared/alloc.h"

static void clear_strs(struct conf_strs *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
}

struct principal *principal_new(enum principal_kind kind, const char *name, const char *identity)
{
	struct principal *principal = alloc_zero(sizeof(*principal));

	principal->n_refs = 1;
	principal->kind = kind;
	principal->name = alloc_str(name);
	principal->identity = alloc_str(identity);
	return principal;
}

struct principal *principal_ref(struct principal *principal)
{
	if (principal)
		principal->n_refs++;
	return principal;
}

void principal_unref(struct principal *principal)
{
	if (!principal || --principal->n_refs > 0)
		return;
	free(principal->name);
	free(principal->identity);
	clear_strs(&principal->domains);
	clear_strs(&principal->tools);
	free(principal);
}

const char *principal_kind_name(enum principal_kind kind)
{
	static const char *const names[] = {
		[PRINCIPAL_ANYBODY] = "anybody",
		[PRINCIPAL_LOCAL] = "local",
		[PRINCIPAL_KEY] = "key",
		[PRINCIPAL_TOKEN] = "token",
		[PRINCIPAL_CERTIFICATE] = "certificate",
	};

	return names[kind];
}

bool principal_same(const struct principal *a, const struct principal *b)
{
	return a == b || (a && b && streq(a->identity, b->identity));
}

static bool matches(const struct conf_strs *globs, const char *name)
{
	for (size_t i = 0; i < globs->n; i++)
		if (fnmatch(globs->items[i], name, FNM_NOESCAPE) == 0)
			return true;
	return globs->n == 0;
}

bool principal_allows_domain(const struct principal *principal, const char *domain)
{
	return !principal || (!principal->has_nothing && matches(&principal->domains, domain));
}

bool principal_allows_tool(const struct principal *principal, const char *domain, const char *tool)
{
	return principal_allows_domain(principal, domain) &&
	       (!principal || matches(&principal->tools, tool));
}

bool principal_allows_all(const struct principal *principal)
{
	return !principal ||
	       (!principal->has_nothing && principal->domains.n == 0 && principal->tools.n == 0);
}
