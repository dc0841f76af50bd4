/* See limits.h.
 *
 * Memory is bounded by RLIMIT_DATA, what is writable and private: run-times reserve far more addresses
 * than they use. A native worker has a bound on addresses as well, wide enough for the files that it
 * maps. Where the supervisor has a cgroup, memory.max counts for the whole family of processes. */
#include "workers/exec/limits.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "shared/limits.h"

#include "config.h"

enum { ADDRESSES_PER_BYTE = 4 };

static int set_limit(int resource, const char *name, int64_t value, struct fail *fail)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return fail_set(fail, -errno, "cannot read the limit of %s", name);
	if (limit.rlim_max == RLIM_INFINITY || (rlim_t)value < limit.rlim_max)
		limit.rlim_max = (rlim_t)value;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(resource, &limit) < 0)
		return fail_set(fail, -errno, "cannot set the limit of %s", name);
	return 0;
}

static int limit_memory(const struct plan *plan, const struct profile *profile, struct fail *fail)
{
	int r;

#ifdef WITH_SANITIZERS
	return 0; /* their shadow memory is larger than any bound */
#endif
	if (plan->memory == 0)
		return 0;
	r = set_limit(RLIMIT_DATA, "memory", plan->memory, fail);
	if (r == 0 && profile->is_native && plan->memory < INT64_MAX / ADDRESSES_PER_BYTE - GIB)
		r = set_limit(
			RLIMIT_AS, "address space", plan->memory * ADDRESSES_PER_BYTE + GIB, fail);
	return r;
}

int limits_set(const struct plan *plan, const struct profile *profile, struct fail *fail)
{
	int r = limit_memory(plan, profile, fail);

	(void)umask(022);
	if (r == 0 && plan->files > 0)
		r = set_limit(RLIMIT_NOFILE, "open files", plan->files, fail);
	if (r == 0 && plan->processes > 0)
		r = set_limit(RLIMIT_NPROC, "processes", plan->processes, fail);
	if (r == 0 && profile->is_confined)
		r = set_limit(RLIMIT_CORE, "core files", 0, fail);
	return r;
}
