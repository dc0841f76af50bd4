/* mcp-fleetctl restart: new processes for domains, without a call lost. */
#include <limits.h>

#include "ctl/domains.h"
#include "ctl/output.h"
#include "shared/alloc.h"

static const struct domains_job job = {
	.method = "domain/restart",
	.doing = "restarting",
	.done = "restarted",
};

static const struct ctl_option options[] = {
	{ "all", 0, NULL, CTL_WORD_NONE, NULL, false, "every domain that is not disabled" },
	{ 0 },
};

extern const struct verb verb_restart;

/* Those that run; the texts are borrowed from `status`. */
static size_t collect(const json_t *status, char ***ret)
{
	const json_t *domains = json_object_get(status, "domains");
	size_t n = 0;

	*ret = alloc_zero((json_array_size(domains) + 1) * sizeof(char *));
	for (size_t i = 0; i < json_array_size(domains); i++) {
		const json_t *domain = json_array_get(domains, i);
		const char *state = json_string_value(json_object_get(domain, "state"));
		const char *name = json_string_value(json_object_get(domain, "name"));

		if (name && state && !streq(state, "disabled"))
			(*ret)[n++] = (char *)(uintptr_t)name;
	}
	return n;
}

static int restart_all(const struct ctl *ctl)
{
	auto_(client_freep) struct client *client = NULL;
	auto_free char **names = NULL;
	json_auto_t *status = NULL;
	struct fail fail = { 0 };
	size_t n;

	if (client_open(ctl, &client, &fail) < 0)
		return ctl_fail(ctl, &fail);
	status = client_call(client, "status", NULL, &fail);
	if (!status)
		return ctl_fail(ctl, &fail);
	n = collect(status, &names);
	if (n == 0 && !ctl->is_json)
		out_line(ctl, COLOR_NONE, "there is no domain that runs");
	return domains_do(ctl, client, &job, names, n);
}

static int run_restart(const struct ctl *ctl, const struct ctl_args *args)
{
	bool is_all = args_has(args, "all");

	if (is_all && args_count(args) > 0)
		return ctl_usage(&verb_restart, "either --all or names of domains, not both");
	if (!is_all && args_count(args) == 0)
		return ctl_usage(&verb_restart, "which domains? Name them, or give --all");
	return is_all ? restart_all(ctl) : domains_run(ctl, args, &job);
}

const struct verb verb_restart = {
	.name = "restart",
	.args = "DOMAIN...|--all",
	.summary = "give domains new processes, without losing a call",
	.help = "Each new process is ready before the old one gets no more calls; calls in flight end where\n"
		"they are. One domain after the other. It takes as long as the calls do.",
	.options = options,
	.word = CTL_WORD_DOMAIN,
	.max_args = UINT_MAX,
	.run = run_restart,
};
