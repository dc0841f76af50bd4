/* What mcp-fleetd is told: every field is there, whatever is known, and nothing secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/jx.h"
#include "workers/registrar/registrar.h"

static void begin(struct registrar *registrar)
{
	*registrar = (struct registrar){ .contact = CONTACT_UNKNOWN, .drift = json_array() };
	TAILQ_INIT(&registrar->domains);
	TAILQ_INIT(&registrar->waiters);
	registrar->server.state = DOMAIN_UNREGISTERED;
}

static void end(struct registrar *registrar)
{
	domains_done(&registrar->domains);
	target_done(registrar);
	json_decref(registrar->drift);
	free(registrar->error);
	free(registrar->server.id);
}

static void test_nothing_is_known(void **unused)
{
	struct registrar registrar;
	json_t *report;
	auto_strbuf text = { 0 };

	begin(&registrar);
	report = report_make(&registrar);
	jx_dump(&text, report);
	assert_string_equal(text.data,
		"{\"gateway\":{\"url\":null,\"state\":\"off\",\"error\":null,\"remedy\":null,"
		"\"last_contact\":null,\"next_try_ms\":null,\"token\":{\"source\":\"none\","
		"\"expires\":null,\"days_left\":null}},\"domains\":[],\"server\":null,\"drift\":[],"
		"\"counters\":{\"requests\":0,\"creates\":0,\"updates\":0,\"deletes\":0,\"errors\":0,"
		"\"rounds\":0}}");
	json_decref(report);
	end(&registrar);
}

static void test_all_is_known(void **unused)
{
	struct registrar registrar;
	struct domain *domain;
	json_t *report;
	json_t *each;

	begin(&registrar);
	registrar.url = alloc_str("http://gateway");
	registrar.public_url = alloc_str("http://fleet");
	registrar.server_name = alloc_str("all");
	registrar.server.id = alloc_str("abc");
	registrar.token.text = alloc_str("hush-hush");
	registrar.token.expires = 1;
	registrar.error = alloc_str("cut in the middle of a character: \xc3");
	domain = domains_get(&registrar.domains, "git");
	domain->is_configured = true;
	domain->tools = json_pack("[{s:s}]", "name", "t");
	domain_set(domain, DOMAIN_FOREIGN, "why", "what to do");
	(void)domains_get(&registrar.domains, "gone");
	report = report_make(&registrar);
	assert_non_null(report);
	each = json_object_get(report, "gateway");
	assert_string_equal(json_string_value(json_object_get(each, "state")), "unknown");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(each, "token"), "expires")),
		"1970-01-01T00:00:01Z");
	assert_true(json_integer_value(
			    json_object_get(json_object_get(each, "token"), "days_left")) < 0);
	assert_int_equal(json_array_size(json_object_get(report, "domains")), 1);
	each = json_array_get(json_object_get(report, "domains"), 0);
	assert_string_equal(json_string_value(json_object_get(each, "state")), "foreign");
	assert_string_equal(
		json_string_value(json_object_get(each, "url")), "http://fleet/git/sse");
	assert_string_equal(json_string_value(json_object_get(each, "error")), "why");
	assert_string_equal(json_string_value(json_object_get(each, "remedy")), "what to do");
	assert_int_equal(json_integer_value(json_object_get(each, "tools_wanted")), 1);
	each = json_object_get(report, "server");
	assert_string_equal(
		json_string_value(json_object_get(each, "url")), "http://gateway/servers/abc/mcp");
	auto_free char *text = json_dumps(report, 0);

	assert_null(strstr(text, "hush-hush"));
	json_decref(report);
	end(&registrar);
}

static void test_names(void **unused)
{
	for (int i = 0; i < DOMAIN_STATES; i++)
		assert_non_null(domain_state_name((enum domain_state)i));
	assert_string_equal(contact_name(CONTACT_LIMITED), "rate_limited");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_known),
		cmocka_unit_test(test_all_is_known),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
