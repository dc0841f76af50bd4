/* mcp-fleetctl enable: domains that were switched off run again. */
#include <limits.h>

#include "ctl/domains.h"

static int run_enable(const struct ctl *ctl, const struct ctl_args *args)
{
	static const struct domains_job job = {
		.method = "domain/enable",
		.doing = "enabling",
		.done = "enabled",
		.tells_persists = true,
	};

	return domains_run(ctl, args, &job);
}

const struct verb verb_enable = {
	.name = "enable",
	.args = "DOMAIN...",
	.summary = "let domains run again that were disabled",
	.word = CTL_WORD_DOMAIN,
	.min_args = 1,
	.max_args = UINT_MAX,
	.run = run_enable,
};
