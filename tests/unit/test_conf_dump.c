/* Settings as JSON: every key of the table is there, and nothing that may be secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/conf_dump.h"
#include "supervisor/conf_type.h"

static const char text[] = "listen: [{address: '127.0.0.1:8123', domain: ext}]\n"
			   "limits: {sessions: 7, sweep: 2m}\n"
			   "domains:\n"
			   "  ext:\n"
			   "    command: [/bin/cat, -n]\n"
			   "    env: {API_KEY: hush-hush}\n"
			   "  utils: {processes: {max: 3}}\n";

static json_t *dump(const char *state_dir)
{
	struct conf *conf = NULL;
	struct fail fail = { 0 };
	json_t *json;

	if (conf_load_text(&(struct conf_sources){ 0 }, "fleet.yaml", text, strlen(text), &conf,
		    &fail) < 0)
		fail_msg("%s", fail.text);
	json = conf_dump(conf, state_dir);
	conf_free(conf);
	return json;
}

/* What is at "a.b.c"; NULL: nothing. */
static json_t *at(json_t *json, const char *path)
{
	char copy[128];
	char *save = NULL;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (char *word = strtok_r(copy, ".", &save); word; word = strtok_r(NULL, ".", &save))
		json = json_object_get(json, word);
	return json;
}

static void test_values(void **unused)
{
	json_auto_t *json = dump("/var/lib/x");

	assert_int_equal(json_integer_value(at(json, "limits.sessions")), 7);
	assert_int_equal(json_integer_value(at(json, "limits.sweep")), 120000);
	assert_int_equal(json_integer_value(at(json, "domains.utils.processes.max")), 3);
	assert_true(json_is_true(at(json, "domains.utils.native")));
	assert_true(json_is_false(at(json, "domains.ext.native")));
	assert_string_equal(
		json_string_value(json_array_get(at(json, "domains.ext.command"), 1)), "-n");
	json_t *listener = json_array_get(at(json, "listen"), 0);

	assert_string_equal(json_string_value(at(listener, "address")), "127.0.0.1:8123");
	assert_string_equal(json_string_value(at(listener, "domain")), "ext");
	assert_string_equal(json_string_value(at(json, "state_dir")), "/var/lib/x");
	assert_string_equal(json_string_value(at(json, "transport")), "stdio");
}

static void test_nowhere_is_null(void **unused)
{
	json_auto_t *json = dump(NULL);

	assert_true(json_is_null(at(json, "state_dir")));
}

static void test_every_key(void **unused)
{
	json_auto_t *json = dump(NULL);

	for (const struct conf_key *key = conf_table(); key->path; key++) {
		char path[128];

		/* What is behind "listen." is a part of the list. */
		if (!conf_key_has_json(key) || strncmp(key->path, "listen.", 7) == 0)
			continue;
		if (strncmp(key->path, "domains.*.", 10) == 0)
			(void)snprintf(path, sizeof(path), "domains.ext.%s", key->path + 10);
		else if (strncmp(key->path, "domains.", 8) != 0 ||
			 strncmp(key->path, "domains.utils.", 14) == 0)
			(void)snprintf(path, sizeof(path), "%s", key->path);
		else
			continue; /* of a worker that these settings do not have */
		if (!at(json, path))
			fail_msg("%s is not there", path);
	}
}

static void test_no_secrets(void **unused)
{
	json_auto_t *json = dump(NULL);
	char *all = json_dumps(json, JSON_COMPACT);

	assert_non_null(all);
	assert_null(strstr(all, "hush-hush"));
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_nowhere_is_null),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_no_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
