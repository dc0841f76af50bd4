/* mcp-fleetctl disable: the processes of domains end, and their tools leave the lists. */
#include <limits.h>

#include "ctl/domains.h"

static int run_disable(const struct ctl *ctl, const struct ctl_args *args)
{
	static const struct domains_job job = {
		.method = "domain/disable",
		.doing = "disabling",
		.done = "disabled",
		.tells_persists = true,
	};

	return domains_run(ctl, args, &job);
}

const struct verb verb_disable = {
	.name = "disable",
	.args = "DOMAIN...",
	.summary = "end the processes of domains, and take their tools out of the lists",
	.help = "Calls in flight may end first. The settings stay as they are; 'enable' undoes it. Whether it\n"
		"outlasts a restart of the daemon (it does where there is a state folder) is told.",
	.word = CTL_WORD_DOMAIN,
	.min_args = 1,
	.max_args = UINT_MAX,
	.run = run_disable,
};
