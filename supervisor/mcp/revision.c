/* See revision.h. */
#include "supervisor/mcp/revision.h"

static const struct {
	const char *name;
	bool batches_on_stdio;
	bool batches_on_http;
	bool omits_null_id;
} revisions[REVISIONS] = {
	[REV_2024_11_05] = { .name = "2024-11-05", .batches_on_stdio = true },
	[REV_2025_03_26] = { .name = "2025-03-26",
		.batches_on_stdio = true,
		.batches_on_http = true },
	[REV_2025_06_18] = { .name = "2025-06-18" },
	[REV_2025_11_25] = { .name = "2025-11-25", .omits_null_id = true },
};

const char *revision_name(enum revision revision)
{
	return revisions[revision].name;
}

enum revision revision_negotiate(struct jspan asked)
{
	for (int i = 0; i < REVISIONS; i++)
		if (jspan_is(asked, revisions[i].name))
			return (enum revision)i;
	return REV_LATEST;
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
