/* mcp-fleetctl tools: what clients of the fleet are offered. */
#include <stdio.h>

#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/member.h"
#include "ctl/output.h"

/* The first line that says something. */
static void add_first_line(struct strbuf *out, const char *text)
{
	text += strspn(text, " \t\r\n");
	strbuf_add(out, text, strcspn(text, "\r\n"));
}

static void print_table(const struct ctl *ctl, const json_t *tools)
{
	static const struct column columns[] = { { "TOOL", false }, { "DOMAIN", false },
		{ "DESCRIPTION", false } };
	auto_(table_freep) struct table *table = table_new(columns, N_ELEMENTS(columns));
	size_t i;
	json_t *tool;

	json_array_foreach(tools, i, tool) {
		auto_strbuf line = { 0 };

		add_first_line(&line, member_text(tool, "description"));
		table_add(table, COLOR_NONE, member_text(tool, "name"));
		table_add(table, COLOR_DIM, member_text(tool, "domain"));
		table_add(table, COLOR_NONE, strbuf_get(&line));
	}
	table_print(ctl, table, out_columns());
}

/* "string", "string|null"; "any" where the schema does not say. */
static void add_type(struct strbuf *out, const json_t *schema)
{
	const json_t *type = json_object_get(schema, "type");
	size_t i;
	json_t *item;

	if (json_is_string(type))
		out_clean(out, json_string_value(type));
	json_array_foreach(type, i, item) {
		if (i)
			strbuf_addc(out, '|');
		out_clean(out, json_is_string(item) ? json_string_value(item) : "?");
	}
	if (!type)
		strbuf_adds(out, "any");
}

static bool is_required(const json_t *schema, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(schema, "required"), i, item) {
		if (json_is_string(item) && streq(json_string_value(item), name))
			return true;
	}
	return false;
}

static void add_argument(
	struct strbuf *out, const json_t *schema, const char *name, const json_t *property)
{
	strbuf_adds(out, "    ");
	out_clean(out, name);
	strbuf_adds(out, ": ");
	add_type(out, property);
	if (is_required(schema, name))
		strbuf_adds(out, ", required");
	if (*member_text(property, "description")) {
		strbuf_adds(out, ": ");
		out_clean(out, member_text(property, "description"));
	}
	strbuf_addc(out, '\n');
}

/* Line by line, behind blanks. */
static void add_indented(struct strbuf *out, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		auto_strbuf line = { 0 };

		out_clean_lines(&line, text, len);
		if (line.len)
			strbuf_addf(out, "    %s", strbuf_get(&line));
		strbuf_addc(out, '\n');
		text += len + (text[len] == '\n');
	}
}

static void add_flag(
	struct strbuf *out, const json_t *annotations, const char *name, const char *words)
{
	if (json_is_true(json_object_get(annotations, name)))
		strbuf_addf(out, ", %s", words);
}

static void print_long(const struct ctl *ctl, const json_t *tool)
{
	const json_t *schema = json_object_get(tool, "inputSchema");
	const json_t *annotations = json_object_get(tool, "annotations");
	json_t *properties = json_object_get(schema, "properties");
	auto_strbuf heading = { 0 };
	auto_strbuf body = { 0 };
	const char *name;
	json_t *property;

	out_clean(&heading, member_text(tool, "name"));
	strbuf_adds(&heading, " (");
	out_clean(&heading, member_text(tool, "domain"));
	add_flag(&heading, annotations, "readOnlyHint", "only reads");
	add_flag(&heading, annotations, "destructiveHint", "may destroy");
	strbuf_addc(&heading, ')');
	out_line(ctl, COLOR_BOLD, "%s", strbuf_get(&heading));
	add_indented(&body, member_text(tool, "description"));
	json_object_foreach(properties, name, property)
		add_argument(&body, schema, name, property);
	(void)printf("%s\n", strbuf_get(&body));
}

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	const char *domain = args_at(args, 0);
	int status = CTL_DONE;
	json_auto_t *result = client_ask(
		ctl, "tools", domain ? json_pack("{s:s}", "domain", domain) : NULL, &status);
	json_t *tools = json_object_get(result, "tools");
	size_t i;
	json_t *tool;

	if (!result)
		return status;
	if (ctl->is_json)
		out_json(json_incref(result));
	else if (args_has(args, "long"))
		json_array_foreach(tools, i, tool)
			print_long(ctl, tool);
	else
		print_table(ctl, tools);
	return CTL_DONE;
}

static const struct ctl_option options[] = {
	{ "long", 'l', NULL, CTL_WORD_NONE, NULL, false, "whole descriptions, and the arguments" },
	{ 0 },
};

const struct verb verb_tools = {
	.name = "tools",
	.args = "[DOMAIN]",
	.summary = "list the tools that clients are offered",
	.help = "With --json all is shown that a client sees, with the domain of each tool.",
	.options = options,
	.word = CTL_WORD_DOMAIN,
	.max_args = 1,
	.run = run,
};
