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

static void clear_grant(struct conf_grant *grant)
{
	free(grant->scope);
	clear_strs(&grant->domains);
	clear_strs(&grant->tools);
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
	free(principal->credential);
	clear_strs(&principal->domains);
	clear_strs(&principal->tools);
	for (size_t i = 0; i < principal->grants.n; i++)
		clear_grant(&principal->grants.items[i]);
	free(principal->grants.items);
	free(principal);
}

static struct conf_strs copy_strs(const struct conf_strs *list)
{
	struct conf_strs copy = { .n = list->n };

	if (list->n > 0)
		copy.items = alloc_zero(list->n * sizeof(*copy.items));
	for (size_t i = 0; i < list->n; i++)
		copy.items[i] = alloc_str(list->items[i]);
	return copy;
}

void principal_add_grant(struct principal *principal, const struct conf_grant *grant)
{
	struct conf_grants *grants = &principal->grants;

	grants->items = alloc_resize(grants->items, grants->n + 1, sizeof(*grants->items));
	grants->items[grants->n++] = (struct conf_grant){
		.scope = alloc_str(grant->scope),
		.domains = copy_strs(&grant->domains),
		.tools = copy_strs(&grant->tools),
	};
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

bool principal_is_granted(const struct conf_grant *grant, const char *domain, const char *tool)
{
	return matches(&grant->domains, domain) && (!tool || matches(&grant->tools, tool));
}

static bool some_grants(const struct conf_grants *grants, const char *domain, const char *tool)
{
	for (size_t i = 0; i < grants->n; i++) {
		if (principal_is_granted(&grants->items[i], domain, tool))
			return true;
	}
	return grants->n == 0;
}

bool principal_allows_domain(const struct principal *principal, const char *domain)
{
	return !principal || (!principal->has_nothing && matches(&principal->domains, domain) &&
				     some_grants(&principal->grants, domain, NULL));
}

bool principal_allows_tool(const struct principal *principal, const char *domain, const char *tool)
{
	return !principal || (!principal->has_nothing && matches(&principal->domains, domain) &&
				     matches(&principal->tools, tool) &&
				     some_grants(&principal->grants, domain, tool));
}

bool principal_allows_whole(const struct principal *principal, const char *domain)
{
	const struct conf_grants *grants = principal ? &principal->grants : NULL;

	if (!principal_allows_domain(principal, domain) || (principal && principal->tools.n > 0))
		return false;
	for (size_t i = 0; grants && i < grants->n; i++) {
		if (grants->items[i].tools.n == 0 &&
			principal_is_granted(&grants->items[i], domain, NULL))
			return true;
	}
	return !grants || grants->n == 0;
}

static bool grants_all(const struct conf_grants *grants)
{
	for (size_t i = 0; i < grants->n; i++) {
		if (grants->items[i].domains.n == 0 && grants->items[i].tools.n == 0)
			return true;
	}
	return grants->n == 0;
}

bool principal_allows_all(const struct principal *principal)
{
	return !principal || (!principal->has_nothing && principal->domains.n == 0 &&
				     principal->tools.n == 0 && grants_all(&principal->grants));
}

/* --- the same ------------------------------------------------------------------------------------ */

static bool same_globs(const struct conf_strs *a, const struct conf_strs *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		if (!streq(a->items[i], b->items[i]))
			return false;
	}
	return a->n == b->n;
}

static bool same_grants(const struct conf_grants *a, const struct conf_grants *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		if (!same_globs(&a->items[i].domains, &b->items[i].domains) ||
			!same_globs(&a->items[i].tools, &b->items[i].tools))
			return false;
	}
	return a->n == b->n;
}

bool principal_same_rights(const struct principal *a, const struct principal *b)
{
	if (!a || !b)
		return principal_allows_all(a) && principal_allows_all(b);
	return a->has_nothing == b->has_nothing && same_globs(&a->domains, &b->domains) &&
	       same_globs(&a->tools, &b->tools) && same_grants(&a->grants, &b->grants);
}

/* --- scopes -------------------------------------------------------------------------------------- */

static void add_scope(struct strbuf *out, size_t begin, const char *scope)
{
	strbuf_addf(out, "%s%s", out->len > begin ? " " : "", scope);
}

static const char *find_scope(
	const struct conf_grants *scopes, const char *domain, const char *tool)
{
	for (size_t i = 0; i < scopes->n; i++) {
		if (principal_is_granted(&scopes->items[i], domain, tool))
			return scopes->items[i].scope;
	}
	return NULL;
}

bool principal_add_needed_scopes(const struct principal *principal,
	const struct conf_grants *scopes, const char *domain, const char *tool, struct strbuf *out)
{
	const char *needed = find_scope(scopes, domain, tool);
	size_t begin = out->len;

	if (!needed || !principal || principal->kind != PRINCIPAL_TOKEN)
		return false;
	for (size_t i = 0; i < principal->grants.n; i++) {
		if (!streq(principal->grants.items[i].scope, needed))
			add_scope(out, begin, principal->grants.items[i].scope);
	}
	add_scope(out, begin, needed);
	return true;
}
