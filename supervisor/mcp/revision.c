/* See revision.h. */
#include "supervisor/mcp/revision.h"

#include "shared/rpc.h"

static const struct {
	const char *name;
	bool is_modern;
	bool has_streamable;
	bool has_sessions;
	bool wants_version_header;
	bool wants_priming;
	bool batches_on_stdio;
	bool batches_on_http;
	bool omits_null_id;
	bool has_server_requests;
	bool has_elicitation;
	bool has_url_elicitation;
	bool has_completions;
	bool has_tasks;
} revisions[REVISIONS] = {
	[REV_2024_11_05] = { .name = "2024-11-05",
		.batches_on_stdio = true,
		.has_server_requests = true },
	[REV_2025_03_26] = { .name = "2025-03-26",
		.has_streamable = true,
		.has_sessions = true,
		.batches_on_stdio = true,
		.batches_on_http = true,
		.has_server_requests = true,
		.has_completions = true },
	[REV_2025_06_18] = { .name = "2025-06-18",
		.has_streamable = true,
		.has_sessions = true,
		.wants_version_header = true,
		.has_server_requests = true,
		.has_elicitation = true,
		.has_completions = true },
	[REV_2025_11_25] = { .name = "2025-11-25",
		.has_streamable = true,
		.has_sessions = true,
		.wants_version_header = true,
		.wants_priming = true,
		.omits_null_id = true,
		.has_server_requests = true,
		.has_elicitation = true,
		.has_url_elicitation = true,
		.has_completions = true,
		.has_tasks = true },
	[REV_2026_07_28] = { .name = "2026-07-28",
		.is_modern = true,
		.has_streamable = true,
		.wants_version_header = true,
		.omits_null_id = true,
		.has_elicitation = true,
		.has_url_elicitation = true,
		.has_completions = true },
};

const char *revision_name(enum revision revision)
{
	return revisions[revision].name;
}

enum revision revision_negotiate(struct jspan asked)
{
	for (int i = 0; i < REVISIONS; i++)
		if (!revisions[i].is_modern && jspan_is(asked, revisions[i].name))
			return (enum revision)i;
	return REV_LATEST;
}

enum revision_era revision_find(struct span name, enum revision *ret_revision)
{
	if (!name.at)
		return ERA_NONE;
	for (int i = 0; i < REVISIONS; i++) {
		if (!span_is(name, revisions[i].name))
			continue;
		if (ret_revision)
			*ret_revision = (enum revision)i;
		return revisions[i].is_modern ? ERA_MODERN : ERA_LEGACY;
	}
	return ERA_UNKNOWN;
}

bool revision_is_served(struct jspan asked)
{
	return jspan_is(asked, revisions[REV_MODERN].name);
}

bool revision_is_modern(enum revision revision)
{
	return revisions[revision].is_modern;
}

bool revision_has_streamable(enum revision revision)
{
	return revisions[revision].has_streamable;
}

bool revision_has_sessions(enum revision revision)
{
	return revisions[revision].has_sessions;
}

bool revision_wants_version_header(enum revision revision)
{
	return revisions[revision].wants_version_header;
}

bool revision_wants_priming(enum revision revision)
{
	return revisions[revision].wants_priming;
}

bool revision_omits_null_id(enum revision revision)
{
	return revisions[revision].omits_null_id;
}

bool revision_takes_batches(enum revision revision, bool on_stdio)
{
	return on_stdio ? revisions[revision].batches_on_stdio
			: revisions[revision].batches_on_http;
}

bool revision_has_server_requests(enum revision revision)
{
	return revisions[revision].has_server_requests;
}

bool revision_has_elicitation(enum revision revision)
{
	return revisions[revision].has_elicitation;
}

bool revision_has_url_elicitation(enum revision revision)
{
	return revisions[revision].has_url_elicitation;
}

bool revision_has_completions(enum revision revision)
{
	return revisions[revision].has_completions;
}

bool revision_has_tasks(enum revision revision)
{
	return revisions[revision].has_tasks;
}

int revision_no_resource_code(enum revision revision)
{
	return revision_is_modern(revision) ? RPC_INVALID_PARAMS : RPC_RESOURCE_NOT_FOUND;
}
