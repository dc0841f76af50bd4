/* Tool gateway_get_capabilities: which domains there are, and how they are.
 *
 * The worker knows what the supervisor last told it. Started by hand it knows of no fleet. */
#include "workers/utils/gateway.h"

#include "workers/common/call.h"
#include "workers/common/worker.h"
#include "workers/utils/tools.h"

static size_t count_healthy(json_t *clusters)
{
	const char *domain;
	json_t *cluster;
	size_t n = 0;

	json_object_foreach(clusters, domain, cluster) {
		if (json_is_true(json_object_get(cluster, "healthy")))
			n++;
	}
	return n;
}

json_t *gateway_describe(json_t *clusters)
{
	size_t total = json_object_size(clusters);
	const char *status = count_healthy(clusters) == total ? "operational" : "degraded";

	if (!clusters)
		return json_pack("{s:s, s:i, s:{}, s:s}", "status", "standalone", "total_clusters",
			0, "clusters", "note",
			"This worker was started by itself, without the supervisor that knows the "
			"fleet.");
	return json_pack("{s:s, s:I, s:O}", "status", status, "total_clusters", (json_int_t)total,
		"clusters", clusters);
}

static int gateway_get_capabilities(struct call *call, const void *args)
{
	return call_json(call, gateway_describe(worker_get_fleet()));
}

const struct tool gateway_tools[] = {
	TOOL_PLAIN(gateway_get_capabilities, "Fleet overview",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Overview of the domains that this fleet serves, with the state of each.",
		.out = "status string, total_clusters integer, clusters object, note? string"),
	{ 0 },
};
