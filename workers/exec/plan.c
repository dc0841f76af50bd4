/* See plan.h. */
#include "workers/exec/plan.h"

#include <errno.h>

enum { MAX_PATHS = 1024, MAX_PORTS = 1024 };

static const struct param plan_params[] = {
	PARAM(plan, profile, .required = true, .doc = "What kind of program it is."),
	PARAM(plan, directory, RANGE(1, 4096), .doc = "Working directory."),
	PARAM(plan, read, AT_MOST(MAX_PATHS), .doc = "Paths to read."),
	PARAM(plan, write, AT_MOST(MAX_PATHS), .doc = "Paths to read and change."),
	PARAM(plan, programs, AT_MOST(MAX_PATHS), .doc = "Paths to read and execute."),
	PARAM(plan, connect, AT_MOST(MAX_PORTS), .doc = "TCP ports, or any."),
	PARAM(plan, memory, RANGE(0, INT64_MAX), .doc = "Bytes."),
	PARAM(plan, files, RANGE(0, 1048576), .doc = "Open files."),
	PARAM(plan, processes, RANGE(0, 1048576), .doc = "Processes of the user."),
	{ 0 },
};

int plan_read(const char *text, struct plan *ret, struct fail *fail)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	int r;

	if (!json)
		return fail_set(fail, -EINVAL, "the plan cannot be read: column %d: %s",
			error.column, error.text);
	r = schema_decode(plan_params, json, ret, fail);
	ret->json = json;
	return r < 0 ? fail_prefix(fail, "the plan: ") : 0;
}

void plan_done(struct plan *plan)
{
	schema_done(plan_params, plan);
	json_decref(plan->json);
	*plan = (struct plan){ 0 };
}
