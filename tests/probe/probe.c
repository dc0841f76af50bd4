/* See probe.h. */
#include "tests/probe/probe.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "shared/alloc.h"
#include "shared/cleanup.h"
#include "workers/common/call.h"

struct probe_echo_args {
	const char *text;
	int64_t times;
	json_t *items;
};

static const struct param probe_echo_items[] = {
	{ .name = "key_name", .doc = "A key.", .type = PARAM_STR, .required = true },
	{ 0 },
};

static const struct param probe_echo_params[] = {
	PARAM(probe_echo_args, text, .required = true, .doc = "Text to return."),
	PARAM(probe_echo_args, times, RANGE(1, 10000000), .def_int = 1, .doc = "How often."),
	PARAM(probe_echo_args, items, .items = probe_echo_items, .doc = "Keys to return."),
	{ 0 },
};

static json_t *keys_of(json_t *items)
{
	json_t *keys = json_array();

	for (size_t i = 0; i < json_array_size(items); i++)
		(void)json_array_append(
			keys, json_object_get(json_array_get(items, i), "key_name"));
	return keys;
}

static int probe_echo(struct call *call, const void *args)
{
	const struct probe_echo_args *a = args;
	const size_t len = strlen(a->text);
	auto_strbuf text = { 0 };
	json_t *structured;

	for (int64_t i = 0; i < a->times; i++)
		strbuf_add(&text, a->text, len);
	structured = json_pack(
		"{s:s#, s:o}", "text", strbuf_get(&text), (int)text.len, "keys", keys_of(a->items));
	return call_result(call, structured, strbuf_get(&text), text.len);
}

struct probe_wait_args {
	int64_t ms;
	bool deaf;
};

static const struct param probe_wait_params[] = {
	PARAM(probe_wait_args, ms, RANGE(0, 3600000), .required = true, .doc = "How long."),
	PARAM(probe_wait_args, deaf, .doc = "Take no notice of a cancellation."),
	{ 0 },
};

/* Waits by turning: call_stopped() is what is tested. */
static int probe_wait(struct call *call, const void *args)
{
	const struct probe_wait_args *a = args;
	const int64_t begin = call_time_left_ms(call);
	int64_t done = 0;

	while (done < a->ms) {
		if (!a->deaf && call_stopped(call))
			return call_fail_stopped(call, "waited in vain");
		(void)usleep(1000);
		done = a->deaf ? done + 1 : begin - call_time_left_ms(call);
		call_progress(call, (double)done, (double)a->ms, "waiting");
	}
	return call_json(call, json_pack("{s:I}", "ms", (json_int_t)a->ms));
}

struct probe_fail_args {
	const char *how;
};

static const char *const ways[] = { "fail", "errno", "silent", "abort", "kill", "exit", "garbage",
	"bad_text", "no_json", NULL };

static const struct param probe_fail_params[] = {
	PARAM(probe_fail_args, how, .required = true, .choices = ways, .doc = "The way."),
	{ 0 },
};

static int probe_fail(struct call *call, const void *args)
{
	const struct probe_fail_args *a = args;

	if (streq(a->how, "fail"))
		return call_fail(call, "not_found", "nothing is there. Look elsewhere.");
	if (streq(a->how, "errno"))
		return -EIO;
	if (streq(a->how, "abort"))
		abort();
	if (streq(a->how, "kill"))
		(void)raise(SIGKILL);
	if (streq(a->how, "exit"))
		_exit(3);
	if (streq(a->how, "garbage"))
		return call_fail(call, "internal", "%s", "\xff\xfe\n\x01");
	if (streq(a->how, "bad_text"))
		return call_result(call, json_object(), "a\0\x80z", 4);
	if (streq(a->how, "no_json"))
		return call_json(call, json_pack("{s:s}", "text", "\xff"));
	return 0;
}

/* What the worker was told: its settings and the fleet. */
static int probe_told(struct call *call, const void *args)
{
	const struct probe_settings *s = call_settings(call);
	json_t *fleet = worker_get_fleet();
	json_t *structured = json_pack("{s:s, s:I, s:O?}", "greeting", s->greeting, "n_names",
		(json_int_t)s->names.n, "fleet", fleet);

	(void)args;
	return call_json(call, structured);
}

static const struct tool tools[] = {
	TOOL(probe_echo, "Echo", .doc = "Return the text.",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT, .out = "text string, keys string[]"),
	TOOL(probe_wait, "Wait", .doc = "Wait.", .hints = TOOL_READ_ONLY, .out = "ms integer",
		.timeout_s = 3),
	TOOL(probe_fail, "Fail", .doc = "Fail.", .hints = TOOL_DESTRUCTIVE | TOOL_OPEN_WORLD,
		.out = ""),
	TOOL_PLAIN(probe_told, "Told", .doc = "Return what the worker was told.",
		.hints = TOOL_READ_ONLY, .out = "greeting string, n_names integer, fleet any"),
	{ 0 },
};

static const struct tool *const tables[] = { tools, NULL };

static const char *const say_renames[] = { "message", "text", "items[].keyName", "items[].key_name",
	NULL };

static const char *const say_often_required[] = { "times", NULL };

static const struct tool_alias aliases[] = {
	{ .name = "say", .tool = "probe_echo", .renames = say_renames },
	{ .name = "say_twice", .tool = "probe_echo", .fixed = "{\"times\":2}" },
	{ .name = "say_often", .tool = "probe_echo", .required = say_often_required },
	{ 0 },
};

static const struct param settings_params[] = {
	PARAM(probe_settings, greeting, .def_str = "hello", .doc = "A text."),
	PARAM(probe_settings, names, .doc = "Some names."),
	{ 0 },
};

const struct worker_desc probe_worker = {
	.name = "probe",
	.title = "Probe",
	.summary = "Tools for tests.",
	.tools = tables,
	.aliases = aliases,
	.settings = settings_params,
	.settings_size = sizeof(struct probe_settings),
};
