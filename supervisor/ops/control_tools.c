/* The tools that clients see, for the control socket. They are passed on as they stand in the lists: spans, no
 * trees. */
#include "shared/quote.h"
#include "supervisor/ops/control_private.h"

struct tool_listing {
	struct control *control;
	const char *domain; /* NULL: all */
	const char *name;   /* of the one at hand */
	struct strbuf *out;
};

/* As it is, with the domain behind its own members. */
static void add_tool(const struct tool_listing *list, struct jspan tool)
{
	struct strbuf *out = list->out;
	struct jspan name;
	struct jspan value;
	size_t cursor = 0;

	if (jspan_type(tool) != JSPAN_OBJECT)
		return;
	if (out->data[out->len - 1] != '[')
		strbuf_addc(out, ',');
	strbuf_add(out, tool.at, tool.len - 1);
	strbuf_adds(out, jspan_next(tool, &cursor, &name, &value) ? ",\"domain\":" : "\"domain\":");
	strbuf_add_json(out, list->name, strlen(list->name));
	strbuf_addc(out, '}');
}

static void add_page(void *arg, const char *page)
{
	size_t cursor = 0;
	struct jspan text;
	struct jspan tools;
	struct jspan tool;

	if (jspan_check(page, strlen(page), &text, NULL) < 0)
		return;
	tools = jspan_member(text, "tools", NULL);
	while (jspan_type(tools) == JSPAN_ARRAY && jspan_next(tools, &cursor, NULL, &tool))
		add_tool(arg, tool);
}

static void add_tools(void *arg, struct domain *domain)
{
	struct tool_listing *list = arg;
	const struct endpoint *endpoint;

	list->name = domain_get_name(domain);
	if (list->domain && !streq(list->domain, list->name))
		return;
	endpoint = catalog_endpoint(mcp_get_catalog(list->control->parts.mcp), list->name);
	if (endpoint)
		endpoint_each_page(endpoint, CATALOG_TOOLS, add_page, list);
}

void control_list_tools(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	auto_strbuf out = { 0 };
	struct tool_listing list = { .control = conn->control, .out = &out };
	char words[QUOTE_SIZE];

	if (!control_may_text(ask, params, "domain", &list.domain))
		return;
	if (list.domain && !conf_find_domain(conn->control->parts.conf, list.domain)) {
		control_refuse(ask, CONTROL_NOT_FOUND, "mcp-fleetctl status lists them",
			"there is no domain %s", quote(words, list.domain));
		return;
	}
	strbuf_adds(&out, "{\"tools\":[");
	fleet_each(mcp_get_fleet(conn->control->parts.mcp), add_tools, &list);
	strbuf_adds(&out, "]}");
	control_answer_text(ask, &out);
}
