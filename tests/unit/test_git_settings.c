/* The keys of domains.git, which are the supervisor's, and the settings of worker-git, which come from
 * them, are two tables in two programs: here they are compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/cleanup.h"
#include "supervisor/conf.h"
#include "workers/git/settings.h"

static bool is_worker_setting(const char *name)
{
	for (const struct param *p = git_settings_params; p->name; p++)
		if (streq(p->name, name))
			return true;
	return false;
}

static void test_every_key_of_the_supervisor_reaches_the_worker(void **unused)
{
	static const char prefix[] = "domains.git.";
	unsigned n_compared = 0;

	for (const struct conf_key *key = conf_table(); key->path; key++) {
		const char *name = key->path + sizeof(prefix) - 1;

		if (strncmp(key->path, prefix, sizeof(prefix) - 1) != 0 || streq(name, "roots"))
			continue;
		if (!is_worker_setting(name))
			fail_msg("%s is not known to worker-git", key->path);
		n_compared++;
	}
	assert_true(n_compared > 0);
	for (const struct param *p = git_settings_params; p->name; p++)
		n_compared--;
	assert_int_equal(n_compared, 0); /* nor has the worker one that cannot be set */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_of_the_supervisor_reaches_the_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
