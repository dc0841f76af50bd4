/* UUIDs: bits in their places, order in time, reading and refusing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/fake_call.h"
#include "workers/utils/tools.h"
#include "workers/utils/uuid.h"

static const uint8_t ones[UUID_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t zeros[UUID_BYTES];

static void expect_text(struct uuid uuid, const char *want)
{
	char text[UUID_TEXT_SIZE];

	uuid_format(&uuid, text);
	assert_string_equal(text, want);
}

static void test_version_4(void **state)
{
	expect_text(uuid_make_v4(zeros), "00000000-0000-4000-8000-000000000000");
	expect_text(uuid_make_v4(ones), "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

/* The time of RFC 9562, A.1: 2022-02-22T19:22:22Z. */
static void test_version_1(void **state)
{
	const uint8_t random[8] = { 0x9e, 0x6b, 0xde, 0xce, 0xd8, 0x46, 0x33, 0xc8 };
	struct uuid_state s = { 0 };

	expect_text(uuid_make_v1(&s, INT64_C(1645557742000000000), random),
		"c232ab00-9414-11ec-b3c8-9f6bdeced846");
	/* within the same tick, and with a clock put back: rises by one; the node stays */
	expect_text(uuid_make_v1(&s, INT64_C(1645557742000000050), ones),
		"c232ab01-9414-11ec-b3c8-9f6bdeced846");
	expect_text(uuid_make_v1(&s, 0, ones), "c232ab02-9414-11ec-b3c8-9f6bdeced846");
}

/* The time of RFC 9562, A.6. */
static void test_version_7(void **state)
{
	struct uuid_state s = { 0 };

	expect_text(
		uuid_make_v7(&s, 0x017f22e279b0, zeros), "017f22e2-79b0-7000-8000-000000000000");
	expect_text(uuid_make_v7(&s, 0x017f22e279b0, ones), "017f22e2-79b0-7001-bfff-ffffffffffff");
	expect_text(uuid_make_v7(&s, 0x017f22e279b1, ones), "017f22e2-79b1-77ff-bfff-ffffffffffff");
	expect_text(uuid_make_v7(&s, 5, zeros), "017f22e2-79b1-7800-8000-000000000000");
}

static void test_version_7_rises(void **state)
{
	struct uuid_state s = { 0 };
	struct uuid last = uuid_make_v7(&s, 1000, ones);

	for (int i = 0; i < 10000; i++) {
		struct uuid next = uuid_make_v7(&s, 1000 + i / 5000, i % 2 ? ones : zeros);

		assert_true(memcmp(last.bytes, next.bytes, 8) < 0);
		assert_int_equal(uuid_version(&next), 7);
		assert_true(uuid_is_rfc(&next));
		last = next;
	}
}

static const struct {
	const char *space;
	const char *name;
	const char *want;
} named[] = {
	{ "dns", "python.org", "886313e1-3b8a-5372-9b90-0c9aee199e5d" },
	{ "dns", "www.example.com", "2ed6657d-e927-568b-95e1-2665a8aea6a2" },
	{ "x500", "", "b4bdf874-8c03-5bd8-8fd7-5e409dfd82c0" },
	{ "url", "http://x/\xc3\xa4", "a1d71c65-73f7-5bff-8921-b34b4fe628d4" },
	{ "oid", "1.3", "7c3f19ce-da43-52bf-99db-9f3349f15d5e" },
};

static void test_version_5(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(named); i++) {
		struct uuid space;
		struct uuid uuid;

		assert_true(uuid_namespace(named[i].space, &space));
		assert_int_equal(uuid_make_v5(&space, named[i].name, &uuid), 0);
		expect_text(uuid, named[i].want);
	}
	assert_false(uuid_namespace("DNS", &(struct uuid){ { 0 } }));
	assert_false(uuid_namespace("", &(struct uuid){ { 0 } }));
}

static const struct {
	const char *text;
	const char *want; /* NULL: refused */
} readings[] = {
	{ "c232ab00-9414-11ec-b3c8-9f6bdeced846", "c232ab00-9414-11ec-b3c8-9f6bdeced846" },
	{ "C232AB00-9414-11EC-B3C8-9F6BDECED846", "c232ab00-9414-11ec-b3c8-9f6bdeced846" },
	{ "c232ab00941411ecb3c89f6bdeced846", "c232ab00-9414-11ec-b3c8-9f6bdeced846" },
	{ "c232ab00-941411ecb3c8-9f6bdeced846", "c232ab00-9414-11ec-b3c8-9f6bdeced846" },
	{ "{c232ab00-9414-11ec-b3c8-9f6bdeced846}", "c232ab00-9414-11ec-b3c8-9f6bdeced846" },
	{ "URN:uuid:c232ab00-9414-11ec-b3c8-9f6bdeced846", "c232ab00-9414-11ec-b3c8-9f6bdeced846" },
	{ "", NULL },
	{ "{}", NULL },
	{ "urn:uuid:", NULL },
	{ "c232ab00-9414-11ec-b3c8-9f6bdeced84", NULL },
	{ "c232ab00-9414-11ec-b3c8-9f6bdeced8466", NULL },
	{ "c232ab00-9414-11ec-b3c8-9f6bdeced846 ", NULL },
	{ " c232ab00-9414-11ec-b3c8-9f6bdeced846", NULL },
	{ "c232ab0-09414-11ec-b3c8-9f6bdeced846", NULL },
	{ "c232ab00--9414-11ec-b3c8-9f6bdeced846", NULL },
	{ "g232ab00-9414-11ec-b3c8-9f6bdeced846", NULL },
	{ "{c232ab00-9414-11ec-b3c8-9f6bdeced846", NULL },
	{ "c232ab00-9414-11ec-b3c8-9f6bdeced846}", NULL },
	{ "{c232ab00-9414-11ec-b3c8-9f6bdeced846}}", NULL },
	{ "{c232ab00-9414-11ec-b3c8-9f6bdeced84}", NULL },
};

static void test_reading(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(readings); i++) {
		struct uuid uuid;
		const char *why = NULL;
		int r = uuid_parse(readings[i].text, &uuid, &why);

		if (r != (readings[i].want ? 0 : -EINVAL))
			fail_msg("'%s' gave %d", readings[i].text, r);
		if (r == 0)
			expect_text(uuid, readings[i].want);
		else
			assert_non_null(why);
	}
}

static void test_variants(void **state)
{
	static const struct {
		const char *text;
		const char *variant;
	} cases[] = {
		{ "00000000000000000000000000000000", "NCS" },
		{ "00000000000000007f00000000000000", "NCS" },
		{ "00000000000000008000000000000000", "RFC 9562" },
		{ "0000000000000000bf00000000000000", "RFC 9562" },
		{ "0000000000000000c000000000000000", "Microsoft" },
		{ "0000000000000000e000000000000000", "reserved" },
		{ "ffffffffffffffffffffffffffffffff", "reserved" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct uuid uuid;
		const char *why;

		assert_int_equal(uuid_parse(cases[i].text, &uuid, &why), 0);
		assert_string_equal(uuid_variant(&uuid), cases[i].variant);
	}
}

static int64_t version_of_answer(const struct fake_answer *a)
{
	const char *why;
	struct uuid uuid;

	assert_non_null(a->result);
	assert_int_equal(uuid_parse(fake_text("uuid"), &uuid, &why), 0);
	assert_int_equal(
		uuid_version(&uuid), json_integer_value(json_object_get(a->result, "version")));
	return uuid_version(&uuid);
}

static void test_generating_tools(void **state)
{
	const struct fake_answer *a = fake_run(uuid_tools, "uuid_generate_uuid4", "{}");
	const char *first;

	assert_int_equal(version_of_answer(a), 4);
	assert_null(json_object_get(a->result, "uuids"));
	a = fake_run(uuid_tools, "uuid_generate_uuid4", "{\"count\":100}");
	assert_int_equal(json_array_size(json_object_get(a->result, "uuids")), 100);
	first = json_string_value(json_array_get(json_object_get(a->result, "uuids"), 0));
	assert_string_equal(first, fake_text("uuid"));
	assert_string_not_equal(
		first, json_string_value(json_array_get(json_object_get(a->result, "uuids"), 99)));
	a = fake_run(uuid_tools, "uuid_generate_uuid4", "{\"count\":101}");
	assert_string_equal(a->code, "invalid_argument");
	assert_int_equal(version_of_answer(fake_run(uuid_tools, "uuid_generate_uuid1", "{}")), 1);
	assert_int_equal(version_of_answer(fake_run(uuid_tools, "uuid_generate_uuid7", "{}")), 7);
}

static void test_uuid5_tool(void **state)
{
	const struct fake_answer *a = fake_run(uuid_tools, "uuid_generate_uuid5",
		"{\"namespace\":\"{6BA7B8109DAD11D180B400C04FD430C8}\",\"name\":\"python.org\"}");

	assert_int_equal(version_of_answer(a), 5);
	assert_string_equal(fake_text("uuid"), "886313e1-3b8a-5372-9b90-0c9aee199e5d");
	a = fake_run(uuid_tools, "uuid_generate_uuid5", "{\"namespace\":\"web\",\"name\":\"x\"}");
	assert_string_equal(a->code, "invalid_argument");
}

static void test_validating_tool(void **state)
{
	const struct fake_answer *a = fake_run(uuid_tools, "uuid_validate_uuid",
		"{\"uuid_string\":\"urn:uuid:{C232AB00941411ECB3C89F6BDECED846}\"}");

	assert_true(json_is_true(json_object_get(a->result, "valid")));
	assert_string_equal(fake_text("uuid"), "c232ab00-9414-11ec-b3c8-9f6bdeced846");
	assert_int_equal(json_integer_value(json_object_get(a->result, "version")), 1);
	a = fake_run(uuid_tools, "uuid_validate_uuid",
		"{\"uuid_string\":\"00000000-0000-0000-0000-000000000000\"}");
	assert_string_equal(fake_text("variant"), "NCS");
	assert_null(json_object_get(a->result, "version"));
	a = fake_run(uuid_tools, "uuid_validate_uuid", "{\"uuid_string\":\"nonsense\"}");
	assert_true(json_is_false(json_object_get(a->result, "valid")));
	assert_null(json_object_get(a->result, "uuid"));
	assert_string_equal(fake_text("error"), "a character is no hexadecimal digit");
}

static int tear_down(void **state)
{
	fake_done();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_4),
		cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_version_7),
		cmocka_unit_test(test_version_7_rises),
		cmocka_unit_test(test_version_5),
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_variants),
		cmocka_unit_test(test_generating_tools),
		cmocka_unit_test(test_uuid5_tool),
		cmocka_unit_test(test_validating_tool),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
