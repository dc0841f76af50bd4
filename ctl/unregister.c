/* mcp-fleetctl unregister: what we registered leaves the gateway. */
#include <limits.h>

#include "ctl/client.h"
#include "ctl/live.h"
#include "ctl/output.h"
#include "ctl/report.h"
#include "shared/alloc.h"

static const struct ctl_option options[] = {
	{ "domain", 'd', "DOMAIN", CTL_WORD_DOMAIN, NULL, true,
		"only this domain; may be repeated (default: all)" },
	{ 0 },
};

struct unregistering {
	const char **names; /* NULL: all */
	struct live live;
};

static void on_notice(void *arg, const char *method, json_t *params)
{
	struct unregistering *u = arg;
	auto_strbuf lines = { 0 };

	if (!streq(method, "gateway"))
		return;
	report_add_lines(&lines, params, u->names);
	live_draw(&u->live, strbuf_get(&lines));
}

static int tell(const struct ctl *ctl, json_t *report, const char *const *names)
{
	struct report_count count = report_count(report, names, "unregistered");
	enum ctl_exit status = report_judge(&count);

	if (ctl->is_json) {
		out_json(json_incref(report));
		return (int)status;
	}
	report_print(ctl, report, names);
	out_line(ctl, status == CTL_DONE ? COLOR_GOOD : COLOR_BAD, "%zu of %zu unregistered",
		count.n_good, count.n);
	return (int)status;
}

static int run_unregister(const struct ctl *ctl, const struct ctl_args *args)
{
	struct unregistering u = { .live = live_begin(ctl) };
	auto_(client_freep) struct client *client = NULL;
	json_auto_t *report = NULL;
	json_auto_t *params = json_object();
	auto_free const char **names = NULL;
	struct fail fail = { 0 };
	size_t n = 0;

	while (args_get_nth(args, "domain", n))
		n++;
	if (n > 0) {
		json_t *domains = json_array();

		names = alloc_zero((n + 1) * sizeof(*names));
		for (size_t i = 0; i < n; i++) {
			names[i] = args_get_nth(args, "domain", i);
			(void)json_array_append_new(domains, json_string(names[i]));
		}
		(void)json_object_set_new(params, "domains", domains);
	}
	u.names = names;
	if (client_open(ctl, &client, &fail) < 0)
		return ctl_fail(ctl, &fail);
	report = client_call_long(
		client, "gateway/unregister", json_incref(params), on_notice, &u, &fail);
	live_end(&u.live);
	return report ? tell(ctl, report, names) : ctl_fail(ctl, &fail);
}

const struct verb verb_unregister = {
	.name = "unregister",
	.args = "",
	.summary = "take the domains out of the gateway again",
	.help = "Only what this fleet has registered; what others made is not touched. Exit status: 0 all is out,\n"
		"4 some of it, 1 none.",
	.options = options,
	.run = run_unregister,
};
