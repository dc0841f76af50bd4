/* See fake_call.h. */
#include "tests/unit/fake_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "workers/common/call.h"
#include "workers/common/worker.h"

struct call {
	struct fake_answer answer;
	char code[64];
	char error[2048];
	json_t *fleet;
};

static struct call fake;

int call_json(struct call *call, json_t *structured)
{
	assert_null(call->answer.result);
	assert_null(call->answer.code);
	assert_true(json_is_object(structured));
	call->answer.result = structured;
	return 0;
}

int call_fail(struct call *call, const char *code, const char *fmt, ...)
{
	va_list args;

	assert_null(call->answer.result);
	assert_null(call->answer.code);
	(void)snprintf(call->code, sizeof(call->code), "%s", code);
	va_start(args, fmt);
	(void)vsnprintf(call->error, sizeof(call->error), fmt, args);
	va_end(args);
	call->answer.code = call->code;
	call->answer.error = call->error;
	return 0;
}

bool call_stopped(struct call *call)
{
	return false;
}

int call_fail_stopped(struct call *call, const char *how_far)
{
	return call_fail(call, "timeout", "%s", how_far);
}

int64_t call_time_left_ms(const struct call *call)
{
	return 5000;
}

json_t *worker_get_fleet(void)
{
	return fake.fleet;
}

void fake_set_fleet(json_t *fleet)
{
	fake.fleet = fleet;
}

static bool has_type(const char *type, json_t *value)
{
	static const struct {
		const char *name;
		json_type types[2];
	} known[] = {
		{ "string", { JSON_STRING, JSON_STRING } },
		{ "integer", { JSON_INTEGER, JSON_INTEGER } },
		{ "number", { JSON_INTEGER, JSON_REAL } },
		{ "boolean", { JSON_TRUE, JSON_FALSE } },
		{ "array", { JSON_ARRAY, JSON_ARRAY } },
		{ "object", { JSON_OBJECT, JSON_OBJECT } },
	};

	for (size_t i = 0; i < N_ELEMENTS(known); i++) {
		if (streq(known[i].name, type))
			return json_typeof(value) == known[i].types[0] ||
			       json_typeof(value) == known[i].types[1];
	}
	return false;
}

/* Required members are there, and each one is declared with its type; objects within as well. */
static void check_schema(json_t *schema, json_t *value)
{
	json_t *properties = json_object_get(schema, "properties");
	const char *name;
	json_t *member;
	size_t i;

	json_array_foreach(json_object_get(schema, "required"), i, member)
		assert_non_null(json_object_get(value, json_string_value(member)));
	json_object_foreach(value, name, member) {
		json_t *property = json_object_get(properties, name);
		const char *type = json_string_value(json_object_get(property, "type"));

		if (!property)
			fail_msg("the output schema has no '%s'", name);
		if (type && !has_type(type, member))
			fail_msg("'%s' is no %s", name, type);
		if (json_object_get(property, "properties"))
			check_schema(property, member);
	}
}

static void decode_and_run(const struct tool *tool, const char *args)
{
	json_t *json = json_loads(args, 0, NULL);
	struct fail fail = { 0 };
	void *decoded = calloc(1, tool->args_size + 1);
	int r;

	assert_non_null(json);
	assert_non_null(decoded);
	if (!tool->params) {
		fake.answer.r = tool->run(&fake, NULL);
	} else {
		r = schema_decode(tool->params, json, decoded, &fail);
		fake.answer.r = r < 0 ? call_fail(&fake, "invalid_argument", "%s", fail.text)
				      : tool->run(&fake, decoded);
		schema_done(tool->params, decoded);
	}
	free(decoded);
	json_decref(json);
}

const struct fake_answer *fake_run(const struct tool *table, const char *name, const char *args)
{
	const struct tool *tool = table;
	json_t *schema;

	fake_done();
	while (tool->name && !streq(tool->name, name))
		tool++;
	assert_non_null(tool->name);
	decode_and_run(tool, args);
	assert_true(fake.answer.r < 0 || !fake.answer.result != !fake.answer.code);
	if (fake.answer.result) {
		schema = schema_of_result(tool->out);
		assert_non_null(schema);
		check_schema(schema, fake.answer.result);
		json_decref(schema);
	}
	return &fake.answer;
}

const char *fake_text(const char *key)
{
	const char *text = json_string_value(json_object_get(fake.answer.result, key));

	return text ? text : "";
}

void fake_done(void)
{
	json_decref(fake.answer.result);
	fake.answer = (struct fake_answer){ 0 };
}
