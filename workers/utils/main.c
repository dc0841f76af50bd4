/* worker-utils: tools that need nothing but their arguments.
 *
 * They read no file but the system's time zone data, open no socket and start no program. */
#include "workers/common/worker.h"

#include "workers/utils/tools.h"
#include "workers/utils/zone.h"

/* In the order in which clients see them. */
static const struct tool *const tables[] = {
	gateway_tools,
	time_tools,
	calculator_tools,
	uuid_tools,
	string_tools,
	diff_tools,
	hash_tools,
	encoding_tools,
	json_tools,
	yaml_tools,
	regex_tools,
	random_tools,
	number_tools,
	ip_tools,
	jwt_tools,
	NULL,
};

static const char *const current_time_renames[] = { "timezone", "timezone_name", NULL };

static const char *const current_time_required[] = { "timezone", NULL };

static const struct tool_alias aliases[] = {
	{ .name = "get_current_time",
		.tool = "time_get_current_time",
		.renames = current_time_renames,
		.required = current_time_required },
	{ .name = "convert_time", .tool = "time_convert" },
	{ 0 },
};

int main(int argc, char **argv)
{
	static const struct worker_desc desc = {
		.name = "utils",
		.title = "Utilities",
		.summary = "Time zones, arithmetic, text, UUIDs, hashes, encodings, JSON, YAML and "
			   "regular expressions.",
		.tools = tables,
		.aliases = aliases,
		.fails_as_json = true,
		.done = zone_done,
	};

	return worker_main(&desc, argc, argv);
}
