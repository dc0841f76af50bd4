/* Catalog: what each endpoint offers (tools, resources and their templates, prompts), which domain serves
 * a name, and the ready-made answers to the list methods.
 *
 * Built when a domain's lists change, so that a list costs a client one copy of bytes. A name is unique over
 * the fleet: see catalog_each_clash(). Names are looked up in this order: canonical or alias, federation prefix,
 * and with '-', '.' and '_' read as one where that leaves no doubt. What `tools.allow`, `tools.deny` and
 * `tools.read_only` remove is neither listed nor callable, by whichever name. Sorted by domain, then as the
 * worker lists them; a domain's own endpoint lists the same names as the whole fleet.
 *
 * Who looks may be restricted to some domains and tools (`viewer`; NULL: to nothing): then what is not for them is
 * as if it were not there, in lists, look-ups, capabilities and instructions; see doc/adr/0016. Their lists are made
 * for each request. */
#pragma once

#include <jansson.h>

#include "shared/strbuf.h"
#include "supervisor/conf.h"
#include "supervisor/fleet/offering.h"
#include "supervisor/mcp/catalog_naming.h"

struct catalog;
struct principal; /* mcp/principal.h */
struct endpoint; /* what a client connects to: the whole fleet, or one domain; lives as the catalog */

enum catalog_list {
	CATALOG_TOOLS,
	CATALOG_RESOURCES,
	CATALOG_TEMPLATES,
	CATALOG_PROMPTS,
	CATALOG_LISTS
};

enum {
	CATALOG_MAX_NAME = 1024, /* bytes of a tool's or prompt's name; longer ones are left out */
	CATALOG_MAX_URI = 8192,  /* of a URI or a template that is listed, the same */
};

/* What the domains of an endpoint can do beside tools, as bits. */
enum {
	CATALOG_HAS_RESOURCES = 1 << 0,
	CATALOG_HAS_SUBSCRIBE = 1 << 1, /* to changes of a resource */
	CATALOG_HAS_PROMPTS = 1 << 2,
	CATALOG_HAS_COMPLETIONS = 1 << 3,
	CATALOG_HAS_LOGGING = 1 << 4,
	CATALOG_HAS_TASKS = 1 << 5, /* made by tools/call */
	CATALOG_HAS_TASK_CANCEL = 1 << 6,
};

/* Who serves a tool, prompt or resource, and under which name. */
struct catalog_target {
	const char *domain;
	const char *name;        /* as it is listed; a resource: as the client gave it */
	const char *worker_name; /* what the worker calls it; NULL: as the client gave it */
	const char *text;        /* its JSON as listed; NULL for a resource that is not listed */
	bool may_rerun;          /* read-only or idempotent */
	bool native;
	bool has_headers; /* a tool that mirrors arguments in HTTP headers */
	bool takes_legacy, takes_modern;
	bool takes_tasks; /* a tool: params.task means something to its worker */
	int64_t timeout_ms;
};

struct catalog *catalog_new(const struct conf_tools *conf);
void catalog_free(struct catalog *catalog);

/* New common settings; the lists are built anew. */
void catalog_set_conf(struct catalog *catalog, const struct conf_tools *conf);

/* What a domain offers is this now (NULL: nothing). All is copied. */
void catalog_set_domain(
	struct catalog *catalog, const struct conf_domain *conf, const struct offering *offering);
void catalog_remove_domain(struct catalog *catalog, const char *name);

/* The whole fleet (NULL), or a domain that has been set; NULL: there is none. */
struct endpoint *catalog_endpoint(struct catalog *catalog, const char *domain);

/* NULL for the whole fleet. */
const char *endpoint_get_domain(const struct endpoint *endpoint);

/* Grows with each change of what the endpoint lists. */
uint64_t endpoint_get_version(const struct endpoint *endpoint, enum catalog_list list);
size_t endpoint_count_tools(const struct endpoint *endpoint);
/* All pages, in their order: what `each` gets is borrowed. */
void endpoint_each_page(const struct endpoint *endpoint, enum catalog_list list,
	void (*each)(void *arg, const char *page), void *arg);
unsigned endpoint_get_capabilities(const struct endpoint *endpoint, const struct principal *viewer);

/* What the workers tell a model about themselves, NULL: nothing. Borrowed until the next change. */
const char *endpoint_get_instructions(const struct endpoint *endpoint);

/* The same of what a viewer sees, appended; nothing: there are none. */
void endpoint_add_instructions(
	const struct endpoint *endpoint, const struct principal *viewer, struct strbuf *out);

/* The result of the list's method for a cursor (NULL: none was sent): borrowed until the next change.
 * NULL: no such cursor: one of another list, or of a page that is not there any more. */
const char *endpoint_get_page(const struct endpoint *endpoint, enum catalog_list list,
	const char *cursor, size_t *ret_len);

/* The same of what a viewer sees, appended. Its cursors count what the viewer sees, and nothing else. False, nothing
 * appended: no such cursor. */
bool endpoint_add_page(const struct endpoint *endpoint, const struct principal *viewer,
	enum catalog_list list, const char *cursor, struct strbuf *out);

/* {"git":12,…}: the domains of the whole fleet that a viewer sees, with the number of tools in each; appended. */
void endpoint_add_domains(
	const struct endpoint *endpoint, const struct principal *viewer, struct strbuf *out);

/* Whether the last change was one of this list for the viewer: in a domain that the viewer may reach. */
bool endpoint_has_changed_for(
	const struct endpoint *endpoint, const struct principal *viewer, enum catalog_list list);

/* False: nothing of this name here. *ret is borrowed until the next change or look-up. Resources are found
 * by their URI, listed or not, as long as it can only be one domain's. */
bool endpoint_find_tool(const struct endpoint *endpoint, const struct principal *viewer,
	const char *name, struct catalog_target *ret);
bool endpoint_find_prompt(const struct endpoint *endpoint, const struct principal *viewer,
	const char *name, struct catalog_target *ret);
bool endpoint_find_resource(const struct endpoint *endpoint, const struct principal *viewer,
	const char *uri, struct catalog_target *ret);
bool endpoint_find_template(const struct endpoint *endpoint, const struct principal *viewer,
	const char *uri_template, struct catalog_target *ret);

/* How the URIs of a domain are made; NULL: they stay as they are. Borrowed until the next change. */
const struct catalog_naming *catalog_get_naming(const struct catalog *catalog, const char *domain);

/* Calls `each` for all names that a domain does not get, since a domain before it has them. `text` says
 * which, who has them and what to change. */
typedef void catalog_clash_fn(void *arg, const char *domain, const char *text);
void catalog_each_clash(const struct catalog *catalog, catalog_clash_fn *each, void *arg);

/* The version that the domain's worker told, or "". */
const char *catalog_get_version(const struct catalog *catalog, const char *domain);

/* What the domain's worker says it is for, or "". */
const char *catalog_get_summary(const struct catalog *catalog, const char *domain);
