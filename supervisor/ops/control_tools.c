/* The tools that clients see, for the control socket. */
#include "supervisor/ops/control_private.h"

struct tool_listing {
	struct control *control;
	const char *domain; /* NULL: all */
	json_t *items;
};

static void add_page(void *arg, const char *page)
{
	json_auto_t *json = json_loads(page, 0, NULL);

	(void)json_array_extend(arg, json_object_get(json, "tools"));
}

static void add_tools(void *arg, struct domain *domain)
{
	const struct tool_listing *list = arg;
	const char *name = domain_get_name(domain);
	const struct endpoint *endpoint;
	json_auto_t *tools = json_array();
	size_t i;
	json_t *tool;

	if (list->domain && !streq(list->domain, name))
		return;
	endpoint = catalog_endpoint(mcp_get_catalog(list->control->parts.mcp), name);
	if (endpoint)
		endpoint_each_page(endpoint, CATALOG_TOOLS, add_page, tools);
	json_array_foreach(tools, i, tool)
		(void)json_object_set_new(tool, "domain", json_string(name));
	(void)json_array_extend(list->items, tools);
}

void control_list_tools(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	struct tool_listing list = { conn->control,
		json_string_value(json_object_get(params, "domain")), json_array() };

	if (list.domain && !conf_find_domain(conn->control->parts.conf, list.domain)) {
		json_decref(list.items);
		control_refuse(ask, CONTROL_NOT_FOUND, "mcp-fleetctl status lists them",
			"there is no domain '%.64s'", list.domain);
		return;
	}
	fleet_each(mcp_get_fleet(conn->control->parts.mcp), add_tools, &list);
	control_answer(ask, json_pack("{s:o}", "tools", list.items));
}
