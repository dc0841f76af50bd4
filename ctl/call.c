/* mcp-fleetctl call: one call of a tool, as an MCP client of the daemon's local socket. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "ctl/args.h"
#include "ctl/call_value.h"
#include "ctl/client.h"
#include "ctl/mcp.h"
#include "ctl/member.h"
#include "ctl/nearest.h"
#include "ctl/output.h"
#include "ctl/signals.h"
#include "shared/alloc.h"

const struct verb verb_call;

/* --- progress ---------------------------------------------------------------------------------- */

/* A line on the terminal of standard error that is written over and over. */
struct progress_line {
	bool is_shown; /* standard error is a terminal */
	bool is_there;
};

static void show_progress(void *arg, double progress, double total, const char *message)
{
	struct progress_line *line = arg;
	auto_strbuf text = { 0 };
	size_t columns = out_columns();

	if (!line->is_shown)
		return;
	if (total > 0)
		strbuf_addf(&text, "%.0f%%", 100 * progress / total);
	else
		strbuf_addf(&text, "%g", progress);
	strbuf_addc(&text, ' ');
	out_clean(&text, message);
	strbuf_cut(&text, out_cut(strbuf_get(&text), columns > 1 ? columns - 1 : 79));
	(void)fprintf(stderr, "\r\033[K%s", strbuf_get(&text));
	(void)fflush(stderr);
	line->is_there = true;
}

static void wipe_progress(struct progress_line *line)
{
	if (line->is_there)
		(void)fputs("\r\033[K", stderr);
	line->is_there = false;
}

/* --- the result -------------------------------------------------------------------------------- */

/* Raw for a program; without what could steer the terminal for a person. */
static void print_text(FILE *stream, const json_t *text)
{
	const char *bytes = json_string_value(text);
	size_t len = json_string_length(text);
	auto_strbuf shown = { 0 };

	if (isatty(fileno(stream)))
		out_clean_lines(&shown, bytes, len);
	else
		strbuf_add(&shown, bytes, len);
	(void)fwrite(strbuf_get(&shown), 1, shown.len, stream);
	if (shown.len == 0 || shown.data[shown.len - 1] != '\n')
		(void)putc('\n', stream);
}

static void print_content(FILE *stream, json_t *item)
{
	const json_t *text = json_object_get(item, "text");

	if (streq(member_text(item, "type"), "text") && json_is_string(text)) {
		print_text(stream, text);
		return;
	}
	out_print_json(stream, item);
}

/* A server that structures its answer gives the same as text; where it does not, the structure is shown. */
static void print_result(json_t *result, FILE *stream)
{
	const json_t *content = json_object_get(result, "content");
	json_t *structured = json_object_get(result, "structuredContent");
	size_t i;
	json_t *item;

	json_array_foreach(content, i, item)
		print_content(stream, item);
	if (structured && !member_find(content, "type", "text"))
		out_print_json(stream, structured);
}

static int show_result(const struct ctl *ctl, json_t *result)
{
	bool is_error = json_is_true(json_object_get(result, "isError"));

	if (ctl->is_json)
		out_json(json_incref(result));
	else
		print_result(result, is_error ? stderr : stdout);
	return is_error ? CTL_FAILED : CTL_DONE;
}

/* --- the arguments ----------------------------------------------------------------------------- */

/* A word that is wrong is a matter of usage, a file that cannot be read is not. */
static int fail_arguments(const struct ctl *ctl, const struct fail *fail)
{
	return fail->code == -EINVAL ? ctl_usage(&verb_call, "%s", fail->text)
				     : ctl_fail(ctl, fail);
}

/* 0, or -errno with words. */
static int make_arguments(
	const struct ctl_args *args, json_t *schema, json_t **ret, struct fail *fail)
{
	const char *whole = args_get(args, "json-args");
	json_auto_t *named = json_object();
	json_auto_t *base = NULL;

	for (size_t i = 1; i < args_count(args); i++) {
		int r = call_value_add(named, schema, args_at(args, i), fail);

		if (r < 0)
			return r;
	}
	base = whole ? call_value_read(whole, fail) : json_object();
	if (!base)
		return fail->code;
	(void)json_object_update(base, named);
	*ret = TAKE(base);
	return 0;
}

static int fail_unknown(const struct ctl *ctl, const json_t *tools, const char *name)
{
	struct nearest nearest = nearest_begin(name, strlen(name));
	struct fail fail = { 0 };
	size_t i;
	json_t *tool;

	json_array_foreach(tools, i, tool)
		nearest_offer(&nearest, member_text(tool, "name"));
	if (nearest.best)
		(void)fail_set(&fail, -ENOENT,
			"there is no tool '%s'; did you mean '%s'? 'mcp-fleetctl tools' lists them",
			name, nearest.best);
	else
		(void)fail_set(&fail, -ENOENT,
			"there is no tool '%s': 'mcp-fleetctl tools' lists them, and 'mcp-fleetctl "
			"status' tells whether a domain is down",
			name);
	return ctl_fail(ctl, &fail);
}

/* --- the verb ---------------------------------------------------------------------------------- */

/* What must be known of the daemon. */
struct place {
	char *local_socket; /* NULL: it has none */
	json_t *tools;
};

static void place_done(struct place *place)
{
	free(place->local_socket);
	json_decref(place->tools);
}

static int look_up(const struct ctl *ctl, struct place *ret, struct fail *fail)
{
	auto_(client_freep) struct client *client = NULL;
	json_auto_t *status = NULL;
	json_auto_t *tools = NULL;
	int r = client_open(ctl, &client, fail);

	if (r < 0)
		return r;
	status = client_call(client, "status", NULL, fail);
	if (!status)
		return fail->code;
	if (!json_is_string(json_object_get(status, "local_socket")))
		return fail_set(fail, -ENODEV,
			"the daemon has no local socket, by which 'call' reaches the tools: set "
			"local.path in its settings (fleet.yaml(5)), and reload them");
	tools = client_call(client, "tools", NULL, fail);
	if (!tools)
		return fail->code;
	ret->local_socket = alloc_str(member_text(status, "local_socket"));
	ret->tools = json_incref(json_object_get(tools, "tools"));
	return 0;
}

static int call(const struct ctl *ctl, const struct ctl_args *args, const struct place *place,
	json_t *arguments)
{
	auto_(mcp_freep) struct mcp *mcp = NULL;
	struct progress_line line = { .is_shown = isatty(STDERR_FILENO) == 1 };
	struct fail fail = { 0 };
	int64_t timeout_ms = args_has(args, "timeout") ? ctl->timeout_ms : -1;
	auto_close int signals = -1;
	json_auto_t *owned = arguments;
	json_auto_t *result = NULL;

	if (mcp_open(place->local_socket, ctl->timeout_ms, &mcp, &fail) < 0)
		return ctl_fail(ctl, &fail);
	signals = signals_open(false);
	result = mcp_call_tool(mcp, args_at(args, 0), TAKE(owned), signals, timeout_ms,
		show_progress, &line, &fail);
	wipe_progress(&line);
	return result ? show_result(ctl, result) : ctl_fail(ctl, &fail);
}

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	auto_(place_done) struct place place = { 0 };
	struct fail fail = { 0 };
	json_t *tool;
	json_t *arguments = NULL;

	if (look_up(ctl, &place, &fail) < 0)
		return ctl_fail(ctl, &fail);
	tool = member_find(place.tools, "name", args_at(args, 0));
	if (!tool)
		return fail_unknown(ctl, place.tools, args_at(args, 0));
	if (make_arguments(args, json_object_get(tool, "inputSchema"), &arguments, &fail) < 0)
		return fail_arguments(ctl, &fail);
	return call(ctl, args, &place, arguments);
}

static const struct ctl_option options[] = {
	{ "json-args", 'a', "JSON", CTL_WORD_TEXT, NULL, false,
		"all arguments as one object; @FILE reads a file, - standard input" },
	{ 0 },
};

const struct verb verb_call = {
	.name = "call",
	.args = "TOOL [NAME=VALUE...]",
	.summary = "call a tool and print its answer",
	.help = "NAME=VALUE    an argument; the tool's schema says whether it is a text, a number, ...\n"
		"NAME:=JSON    an argument as JSON, whatever the schema says\n"
		"NAME=@FILE    the content of a file; NAME:=@FILE reads JSON from it\n"
		"\n"
		"Text is printed as it is, other content as JSON; with --json the whole result. When the tool\n"
		"reports an error it exits 1, with the text on standard error. Ctrl-C cancels the call. A call has\n"
		"no limit of time of its own unless --timeout is given.",
	.options = options,
	.word = CTL_WORD_TOOL,
	.more = CTL_WORD_TOOL_ARG,
	.min_args = 1,
	.max_args = UINT_MAX,
	.run = run,
};
