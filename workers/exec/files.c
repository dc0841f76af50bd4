/* See files.h. */
#include "workers/exec/files.h"

#include <errno.h>
#include <link.h>
#include <stdlib.h>

#include "shared/fd.h"
#include "shared/landlock.h"

static const char ANY[] = "any";

static bool may_connect_anywhere(const struct plan *plan)
{
	for (size_t i = 0; i < plan->connect.n; i++)
		if (streq(plan->connect.items[i], ANY))
			return true;
	return false;
}

static int create(const struct plan *plan, int *ret)
{
	unsigned refusals = LANDLOCK_NO_BIND | LANDLOCK_NO_DEVICES | LANDLOCK_NO_OTHERS;

	if (!may_connect_anywhere(plan))
		refusals |= LANDLOCK_NO_CONNECT;
	return landlock_new(refusals, ret);
}

/* Of the profile: what is not there on this system is not needed. */
static int allow_known(int ruleset, const char *const *paths, unsigned access, struct fail *fail)
{
	for (; paths && *paths; paths++) {
		int r = landlock_allow(ruleset, *paths, access);

		if (r < 0 && r != -ENOENT && r != -ENOTDIR && r != -EACCES && r != -ELOOP)
			return fail_set(fail, r, "cannot grant '%s'", *paths);
	}
	return 0;
}

/* Of the plan: somebody has written it and counts on it. */
static int allow_listed(
	int ruleset, const char *key, struct str_list paths, unsigned access, struct fail *fail)
{
	for (size_t i = 0; i < paths.n; i++) {
		int r = landlock_allow(ruleset, paths.items[i], access);

		if (r < 0)
			return fail_set(fail, r, "cannot grant %s '%s'", key, paths.items[i]);
	}
	return 0;
}

/* Files that variables name for the libraries below us. */
static int allow_from_environment(int ruleset, struct fail *fail)
{
	static const char *const names[] = { "SSL_CERT_FILE", "SSL_CERT_DIR", "TZDIR" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		const char *const path[] = { getenv(names[i]), NULL };
		int r = allow_known(ruleset, path, LANDLOCK_READ, fail);

		if (r < 0)
			return r;
	}
	return 0;
}

static int on_first_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char **ret = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_INTERP)
			/* An address in our own image. NOLINTNEXTLINE(performance-no-int-to-ptr) */
			*ret = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	return 1; /* the first one is the program itself */
}

/* The dynamic loader, which the kernel executes with the program: a native worker has the one that we
 * have. NULL: we are linked statically. */
static const char *find_loader(void)
{
	const char *loader = NULL;

	(void)dl_iterate_phdr(on_first_object, &loader);
	return loader;
}

static int allow_program(int ruleset, const struct plan *plan, const struct profile *profile,
	int fd, struct fail *fail)
{
	const char *loader = profile->is_native ? find_loader() : NULL;
	int r = landlock_allow_fd(ruleset, fd, LANDLOCK_READ | LANDLOCK_EXECUTE);

	if (r == 0 && loader)
		r = landlock_allow(ruleset, loader, LANDLOCK_READ | LANDLOCK_EXECUTE);
	if (r < 0)
		return fail_set(fail, r, "cannot grant the program itself");
	r = allow_known(ruleset, profile->programs, LANDLOCK_READ | LANDLOCK_EXECUTE, fail);
	if (r == 0 && plan->programs.n > 0)
		r = allow_known(ruleset, profile->program_reads, LANDLOCK_READ, fail);
	return r;
}

static int allow_profile(
	int ruleset, const struct plan *plan, const struct profile *profile, struct fail *fail)
{
	int r = allow_known(ruleset, profile_common_reads, LANDLOCK_READ, fail);

	if (r == 0)
		r = allow_known(
			ruleset, profile_common_writes, LANDLOCK_READ | LANDLOCK_WRITE, fail);
	if (r == 0)
		r = allow_known(ruleset, profile->reads, LANDLOCK_READ, fail);
	if (r == 0 && plan->connect.n > 0)
		r = allow_known(ruleset, profile->connected_reads, LANDLOCK_READ, fail);
	return r < 0 ? r : allow_from_environment(ruleset, fail);
}

/* Programs of others find parts of themselves, and the interpreter that runs them, in what they may
 * read; never in what they may write. */
static int allow_plan(
	int ruleset, const struct plan *plan, const struct profile *profile, struct fail *fail)
{
	const unsigned access =
		profile->is_native ? LANDLOCK_READ : LANDLOCK_READ | LANDLOCK_EXECUTE;
	int r = allow_listed(ruleset, "read", plan->read, access, fail);

	if (r == 0)
		r = allow_listed(
			ruleset, "write", plan->write, LANDLOCK_READ | LANDLOCK_WRITE, fail);
	if (r == 0)
		r = allow_listed(ruleset, "programs", plan->programs,
			LANDLOCK_READ | LANDLOCK_EXECUTE, fail);
	return r;
}

static int allow_ports(int ruleset, const struct plan *plan, struct fail *fail)
{
	if (may_connect_anywhere(plan))
		return 0;
	for (size_t i = 0; i < plan->connect.n; i++) {
		const char *text = plan->connect.items[i];
		char *end;
		unsigned long port = strtoul(text, &end, 10);
		int r;

		if (end == text || *end || port == 0 || port > UINT16_MAX)
			return fail_set(fail, -EINVAL, "connect: '%s' is not a port", text);
		r = landlock_allow_port(ruleset, (uint16_t)port);
		if (r < 0)
			return fail_set(fail, r, "cannot grant port %s", text);
	}
	return 0;
}

int files_confine(
	const struct plan *plan, const struct profile *profile, int program_fd, struct fail *fail)
{
	auto_close int ruleset = -1;
	int r = create(plan, &ruleset);

	if (r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		return fail_set(fail, r, "cannot make a Landlock ruleset");
	r = allow_program(ruleset, plan, profile, program_fd, fail);
	if (r == 0)
		r = allow_profile(ruleset, plan, profile, fail);
	if (r == 0)
		r = allow_plan(ruleset, plan, profile, fail);
	if (r == 0)
		r = allow_ports(ruleset, plan, fail);
	if (r < 0)
		return r;
	r = landlock_enter(ruleset);
	return r < 0 ? fail_set(fail, r, "cannot enforce the Landlock ruleset") : 0;
}
