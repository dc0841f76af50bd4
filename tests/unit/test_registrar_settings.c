/* What the registrar is told: settings with their defaults, orders, URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "shared/alloc.h"
#include "workers/registrar/settings.h"

static void test_defaults(void **unused)
{
	json_auto_t *json = json_object();
	struct settings settings;
	struct fail fail = { 0 };

	assert_int_equal(settings_read(json, &settings, &fail), 0);
	assert_string_equal(settings.url, "");
	assert_string_equal(settings.auth_header, "Authorization");
	assert_string_equal(settings.transport, "sse");
	assert_string_equal(settings.name_prefix, "fleet-");
	assert_string_equal(settings.visibility, "public");
	assert_true(settings.verify);
	assert_int_equal(settings.interval_ms, 60000);
	assert_int_equal(settings.tags.n, 0);
	settings_done(&settings);
}

static void test_refused(void **unused)
{
	static const char *const texts[] = { "{\"url\":5}", "{\"transport\":\"both\"}",
		"{\"visibility\":\"all\"}", "{\"interval_ms\":0}", "{\"tags\":[5]}",
		"{\"verify\":\"no\"}", "{\"unknown\":1}", "[]" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		json_auto_t *json = json_loads(texts[i], 0, NULL);
		struct settings settings;
		struct fail fail = { 0 };

		if (settings_read(json, &settings, &fail) != -EINVAL)
			fail_msg("taken: %s", texts[i]);
		assert_true(*fail.text);
		settings_done(&settings);
	}
}

static void test_orders(void **unused)
{
	json_auto_t *json = json_loads("{\"domains\":[\"a\",\"b\"],\"server\":\"s\"}", 0, NULL);
	struct order order;
	struct fail fail = { 0 };

	assert_int_equal(order_read(json, &order, &fail), 0);
	assert_true(list_has(&order.domains, "b"));
	assert_false(list_has(&order.domains, "c"));
	assert_string_equal(order.gateway, "");
	assert_int_equal(order.timeout_ms, 60000);
	order_done(&order);
}

static void test_urls(void **unused)
{
	static const struct {
		const char *url, *kept; /* NULL: refused */
	} cases[] = { { "http://gateway:4444", "http://gateway:4444" },
		{ "https://gateway/base//", "https://gateway/base" },
		{ "http://[::1]:1/", "http://[::1]:1" }, { "ftp://gateway", NULL },
		{ "gateway:4444", NULL }, { "", NULL }, { "http://", NULL },
		{ "http://user:word@gateway", NULL }, { "http://user@gateway", NULL },
		{ "http://gateway/?q=1", NULL }, { "http://gateway/#f", NULL },
		{ "http://gate way/", NULL }, { "http://gateway:99999/", NULL } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_free char *kept = NULL;
		struct fail fail = { 0 };
		int r = settings_check_url(cases[i].url, &kept, &fail);

		if (r != (cases[i].kept ? 0 : -EINVAL))
			fail_msg("%s: %d %s", cases[i].url, r, fail.text);
		if (kept)
			assert_string_equal(kept, cases[i].kept);
		assert_null(strstr(fail.text, "user:word"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
