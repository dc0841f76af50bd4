/* worker-network: pages, sites and names of the public network, as an MCP server on standard input and
 * output.
 *
 * No tool reaches an address that policy.h refuses: names are resolved here, every address is judged,
 * and just those that were judged are connected to. */
#include "workers/common/worker.h"
#include "workers/network/policy.h"
#include "workers/network/request.h"
#include "workers/network/resolve.h"
#include "workers/network/robots_cache.h"
#include "workers/network/settings.h"
#include "workers/network/tools.h"

/* In the order in which tools/list shows them. */
static const struct tool *const tables[] = {
	network_fetch_tools,
	network_check_site_tools,
	network_dns_lookup_tools,
	network_tcp_check_tools,
	network_tls_check_tools,
	network_parse_url_tools,
	network_fetch_many_tools,
	network_http_request_tools,
	NULL,
};

static const struct tool_alias aliases[] = {
	{ .name = "fetch", .tool = "fetch_url" },
	{ 0 },
};

static int start(const void *settings, struct fail *fail)
{
	int r = network_settings_check(settings, fail);

	if (r == 0)
		r = policy_start(settings, fail);
	if (r == 0)
		r = resolve_start(settings, fail);
	return r < 0 ? r : request_start(fail);
}

static void stop(void)
{
	robots_cache_clear();
	request_stop();
	resolve_stop();
	policy_stop();
}

static const struct worker_desc desc = {
	.name = "network",
	.title = "Network",
	.tool_prefix = "net_",
	.summary = "Fetch pages, check sites, look up names, on public addresses only.",
	.tools = tables,
	.aliases = aliases,
	.settings = network_settings_params,
	.settings_size = sizeof(struct network_settings),
	.init = start,
	.done = stop,
};

int main(int argc, char **argv)
{
	return worker_main(&desc, argc, argv);
}
