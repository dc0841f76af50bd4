/* Resource limits of a worker. */
#pragma once

#include "workers/exec/plan.h"
#include "workers/exec/profile.h"

/* Memory, files, processes, no core files, umask 022. 0 or -errno with words. */
int limits_set(const struct plan *plan, const struct profile *profile, struct fail *fail)
	must_check;
