/* Tool gateway_get_capabilities: a fleet that is well, one that is not, and none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fake_call.h"
#include "workers/utils/tools.h"

static const struct {
	const char *clusters; /* NULL: no supervisor */
	const char *status;
	int total;
} cases[] = {
	{ NULL, "standalone", 0 },
	{ "{}", "operational", 0 },
	{ "{\"git\":{\"healthy\":true,\"tools\":39},\"utils\":{\"healthy\":true}}", "operational",
		2 },
	{ "{\"git\":{\"healthy\":true},\"utils\":{\"healthy\":false}}", "degraded", 2 },
	{ "{\"git\":{\"healthy\":false}}", "degraded", 1 },
	{ "{\"git\":{}}", "degraded", 1 },
};

static void test_overview(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		json_auto_t *fleet =
			cases[i].clusters ? json_loads(cases[i].clusters, 0, NULL) : NULL;
		const struct fake_answer *a;
		json_t *clusters;

		fake_set_fleet(fleet);
		a = fake_run(gateway_tools, "gateway_get_capabilities", "{}");
		clusters = json_object_get(a->result, "clusters");
		assert_string_equal(fake_text("status"), cases[i].status);
		assert_int_equal(json_integer_value(json_object_get(a->result, "total_clusters")),
			cases[i].total);
		assert_true(fleet ? json_equal(clusters, fleet) : json_object_size(clusters) == 0);
		assert_int_equal(fleet == NULL, json_object_get(a->result, "note") != NULL);
		fake_done();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overview),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
