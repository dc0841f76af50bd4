/* mcp-fleetctl reload: the daemon reads its settings again. */
#include <limits.h>

#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/settle.h"
#include "shared/clock.h"

static bool has(const json_t *list, const char *text)
{
	for (size_t i = 0; text && i < json_array_size(list); i++) {
		const char *item = json_string_value(json_array_get(list, i));

		if (item && streq(item, text))
			return true;
	}
	return false;
}

/* Each of the list that is not in `except` too. */
static void print_list(const struct ctl *ctl, enum color color, const json_t *list,
	const json_t *except, const char *words)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		auto_strbuf line = { 0 };

		if (has(except, text))
			continue;
		out_clean(&line, text ? text : "?");
		out_line(ctl, color, "%s%s", strbuf_get(&line), words);
	}
}

/* Those that are waited for come later, each with what became of it. */
static void print_domains(const struct ctl *ctl, const json_t *domains, bool waits)
{
	for (size_t i = 0; i < json_array_size(domains); i++) {
		const json_t *domain = json_array_get(domains, i);
		const char *name = json_string_value(json_object_get(domain, "name"));
		const char *change = json_string_value(json_object_get(domain, "change"));
		auto_strbuf line = { 0 };

		if (waits && settle_is_waited(domain))
			continue;
		strbuf_adds(&line, "domain ");
		out_clean(&line, name ? name : "?");
		strbuf_adds(&line, ": ");
		out_clean(&line, change ? change : "changed");
		out_line(ctl, COLOR_GOOD, "%s", strbuf_get(&line));
	}
}

static void print_changes(const struct ctl *ctl, const json_t *answer, bool waits)
{
	const json_t *changed = json_object_get(answer, "changed");
	const json_t *domains = json_object_get(answer, "domains");
	const json_t *later = json_object_get(answer, "needs_restart");

	if (json_array_size(changed) == 0 && json_array_size(domains) == 0)
		out_line(ctl, COLOR_NONE, "nothing has changed");
	print_list(ctl, COLOR_GOOD, changed, later, ": changed");
	print_domains(ctl, domains, waits);
	print_list(ctl, COLOR_WARN, later, NULL, ": holds only after a restart of the daemon");
}

static int run_reload(const struct ctl *ctl, const struct ctl_args *args)
{
	auto_(client_freep) struct client *client = NULL;
	json_auto_t *answer = NULL;
	bool waits = args_has(args, "wait");
	int64_t asked_ms = clock_now_ms();
	int status = CTL_DONE;
	struct fail fail = { 0 };

	if (client_open(ctl, &client, &fail) < 0)
		return ctl_fail(ctl, &fail);
	answer = client_call_long(client, "reload", NULL, ctl->limit_ms, NULL, NULL, &fail);
	if (!answer)
		return ctl_fail(ctl, &fail); /* the daemon says that the old ones stay */
	if (!ctl->is_json)
		print_changes(ctl, answer, waits);
	if (waits)
		status = settle_wait(ctl, client, answer, asked_ms, answer);
	if (ctl->is_json)
		out_json(TAKE(answer));
	return status;
}

static const struct ctl_option options[] = {
	{ .name = "wait", .doc = "until the domains that it changes serve, or cannot" },
	{ 0 },
};

const struct verb verb_reload = {
	.name = "reload",
	.args = "",
	.summary = "let the daemon read its settings again",
	.help = "What changed is printed. Settings that are wrong are refused whole, with file, line and column,\n"
		"and the old ones stay.\n\n"
		"With --wait it returns when each domain that was added, or whose processes are replaced, serves with a "
		"new one, or when that one has ended first (then the old ones serve on). It takes as long as they need, "
		"unless --timeout is given. Exit status: 0 all serve, 4 some of them, 1 none.",
	.options = options,
	.run = run_reload,
};
