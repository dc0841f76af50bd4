/* mcp-fleetctl unregister: what we registered leaves the gateway. */
#include <limits.h>

#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/report.h"

extern const struct verb verb_unregister;

static const struct ctl_option options[] = {
	{ "domain", 'd', "DOMAIN", CTL_WORD_DOMAIN, NULL, true, "only this domain (default: all)" },
	{ 0 },
};

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
	auto_free const char **names = report_take_names(args);
	struct report_progress progress = { .names = names, .live = live_begin(ctl) };
	auto_(client_freep) struct client *client = NULL;
	json_auto_t *params = json_object();
	json_auto_t *report = NULL;
	struct fail fail = { 0 };

	if (!report_add_names(params, names))
		return ctl_usage(&verb_unregister, "no domain has such a name: it is not UTF-8");
	if (client_open(ctl, &client, &fail) < 0)
		return ctl_fail(ctl, &fail);
	live_draw(&progress.live, "asking the gateway …\n");
	report = client_call_long(client, "gateway/unregister", json_incref(params), ctl->limit_ms,
		report_on_notice, &progress, &fail);
	live_end(&progress.live);
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
