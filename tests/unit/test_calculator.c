/* Expressions: Python's rules, exactness, limits, and the words of each failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "shared/strbuf.h"
#include "tests/unit/fake_call.h"
#include "workers/utils/expression.h"
#include "workers/utils/tools.h"

static const struct {
	const char *expression;
	const char *text;
} values[] = {
	/* precedence and signs */
	{ "-2**2", "-4" },
	{ "(-2)**2", "4" },
	{ "-7//2", "-4" },
	{ "2**3**2", "512" },
	{ "2**-1", "0.5" },
	{ "2**-3**2", "0.001953125" },
	{ "-2**-2", "-0.25" },
	{ "1 + 2 * 3 - 4", "3" },
	{ "10 - 4 - 3", "3" },
	{ "100 / 10 / 2", "5.0" },
	{ "2 * 3 % 4", "2" },
	{ "--3", "3" },
	{ "-+-+3", "3" },
	{ "3 - -2", "5" },
	{ "2 * -3", "-6" },
	{ " ( 1\t+\n2 ) * 3 ", "9" },
	/* kinds of numbers */
	{ "0x1F + 0o17 + 0b101", "51" },
	{ "0XfF", "255" },
	{ ".5 + 1.", "1.5" },
	{ "1e3", "1000.0" },
	{ "1.5E-3", "0.0015" },
	{ "007.5", "7.5" },
	{ "00", "0" },
	{ "1e-400", "0.0" },
	{ "0.1 + 0.2", "0.30000000000000004" },
	{ "1e16", "1e+16" },
	{ "1e15", "1000000000000000.0" },
	{ "123456.789", "123456.789" },
	{ "0.0001", "0.0001" },
	{ "0.00001", "1e-05" },
	{ "-0.0", "-0.0" },
	{ "5e-324", "5e-324" },
	{ "1.7976931348623157e308", "1.7976931348623157e+308" },
	/* division and remainder */
	{ "7 / 2", "3.5" },
	{ "6 / 2", "3.0" },
	{ "10**400 / 10**399", "10.0" },
	{ "1 / 3", "0.3333333333333333" },
	{ "9007199254740993 / 3", "3002399751580331.0" },
	{ "7 // -2", "-4" },
	{ "-7 // -2", "3" },
	{ "-6 // 2", "-3" },
	{ "7 % 3", "1" },
	{ "-7 % 3", "2" },
	{ "7 % -3", "-2" },
	{ "-6 % 3", "0" },
	{ "7.5 // 2", "3.0" },
	{ "-7.5 // 2", "-4.0" },
	{ "-7.5 % 2", "0.5" },
	{ "7.5 % -2", "-0.5" },
	{ "1 // 0.1", "9.0" },
	{ "6.0 % -3", "-0.0" },
	/* powers */
	{ "0**0", "1" },
	{ "0**5", "0" },
	{ "(-1)**999999999999999999999", "-1" },
	{ "(-1)**1000000000000000000000", "1" },
	{ "1**(2**4000)", "1" },
	{ "(-3)**3", "-27" },
	{ "4**0.5", "2.0" },
	{ "2.0**3", "8.0" },
	{ "pow(2, 10)", "1024" },
	/* exact integers */
	{ "2**64", "18446744073709551616" },
	{ "9223372036854775807 + 1", "9223372036854775808" },
	{ "123456789012345678901234567890 * 987654321098765432109876543210",
		"121932631137021795226185032733622923332237463801111263526900" },
	{ "-(10**30) // 7", "-142857142857142857142857142858" },
	{ "2**4095 - 2**4095 + 7", "7" },
	{ "(2**4095 - 1) % 1000", "167" },
	/* functions */
	{ "abs(-5)", "5" },
	{ "abs(-0.5)", "0.5" },
	{ "round(0.5)", "0" },
	{ "round(1.5)", "2" },
	{ "round(2.5)", "2" },
	{ "round(-2.5)", "-2" },
	{ "round(2.675, 2)", "2.67" },
	{ "round(1.25, 1)", "1.2" },
	{ "round(1.35, 1)", "1.4" },
	{ "round(1234, -2)", "1200" },
	{ "round(1250, -2)", "1200" },
	{ "round(1350, -2)", "1400" },
	{ "round(-1251, -2)", "-1300" },
	{ "round(1250.0, -2)", "1200.0" },
	{ "round(1250.5, -2)", "1300.0" },
	{ "round(5, 10**30)", "5" },
	{ "round(5, -(10**30))", "0" },
	{ "round(2.5, 99999)", "2.5" },
	{ "floor(-2.5)", "-3" },
	{ "ceil(-2.5)", "-2" },
	{ "floor(7)", "7" },
	{ "floor(1e20)", "100000000000000000000" },
	{ "min(3, 1, 2)", "1" },
	{ "max(3, 1.5, 2)", "3" },
	{ "max(2, 2.5)", "2.5" },
	{ "max(2**60, 2.0**60 + 256)", "1.1529215046068472e+18" },
	{ "min(2**53 + 1, 2.0**53)", "9007199254740992.0" },
	{ "max([1, 5, 3])", "5" },
	{ "sum([1, 2, 3.5])", "6.5" },
	{ "sum([])", "0" },
	{ "sum(1, 2, 3)", "6" },
	{ "sum([1, 2]) * min([4, (2 + 1)])", "9" },
	{ "sqrt(16)", "4.0" },
	{ "sqrt(2)", "1.4142135623730951" },
	{ "exp(0)", "1.0" },
	{ "log(e)", "1.0" },
	{ "log(8, 2)", "3.0" },
	{ "log(1000, 10)", "3.0" },
	{ "log10(10**400)", "400.0" },
	{ "log2(2**4000)", "4000.0" },
	{ "sin(0) + cos(0) + tan(0)", "1.0" },
	{ "asin(1) * 2 - pi", "0.0" },
	{ "acos(1)", "0.0" },
	{ "atan(1) * 4 - pi", "0.0" },
	{ "tau / pi", "2.0" },
};

static const struct {
	const char *expression;
	const char *code;
	const char *words; /* the text begins like this */
} failures[] = {
	{ "", "bad_expression", "column 1: the expression ends" },
	{ "   ", "bad_expression", "column 4: the expression ends" },
	{ "1 +", "bad_expression", "column 4: the expression ends" },
	{ "1 2", "bad_expression", "column 3: an operator is expected" },
	{ "* 2", "bad_expression", "column 1: a number is expected" },
	{ "1 + * 2", "bad_expression", "column 5: a number is expected" },
	{ "2 ^ 3", "bad_expression", "column 3: '^' is not an operator; use **" },
	{ "(1 + 2", "bad_expression", "column 7: a bracket is not closed" },
	{ "1 + 2)", "bad_expression", "column 6: this bracket closes none" },
	{ "(1]", "bad_expression", "column 3: this bracket" },
	{ "()", "bad_expression", "column 2: a number is expected" },
	{ "2(3)", "bad_expression", "column 2: an operator is missing" },
	{ "2pi", "bad_expression", "column 2: this does not belong" },
	{ "1.2.3", "bad_expression", "column 4: this does not belong" },
	{ "1e", "bad_expression", "column 2: this does not belong" },
	{ "0x", "bad_expression", "column 3: digits are missing" },
	{ "0xg", "bad_expression", "column 3: digits are missing" },
	{ "0b12", "bad_expression", "column 4: this does not belong" },
	{ ".", "bad_expression", "column 1: digits are missing" },
	{ "012", "bad_expression", "column 1: an integer must not begin with 0" },
	{ "1,000", "bad_expression", "column 2: a comma" },
	{ "1_000", "bad_expression", "column 2: this does not belong" },
	{ "abs", "bad_expression", "column 1: a function needs" },
	{ "abs()", "bad_expression", "column 5: a number is expected" },
	{ "abs(1, 2)", "bad_expression", "column 1: abs() takes 1 argument, not 2" },
	{ "pow(2)", "bad_expression", "column 1: pow() takes 2 arguments, not 1" },
	{ "round(1, 2, 3)", "bad_expression", "column 1: round() takes at most 2 arguments" },
	{ "round(1.5, 0.5)", "bad_expression", "column 1: round()" },
	{ "min([])", "bad_expression", "column 1: min() takes at least 1 argument, not 0" },
	{ "max(1,)", "bad_expression", "column 7: a number is expected" },
	{ "[1, 2]", "bad_expression", "column 1: a list" },
	{ "abs([1])", "bad_expression", "column 5: a list" },
	{ "sum([1], 2)", "bad_expression", "column 8: a list must be the only" },
	{ "sum([1] + 2)", "bad_expression", "column 9: a list must be the only" },
	{ "sum(1, [2])", "bad_expression", "column 8: a list" },
	{ "sum(-[1])", "bad_expression", "column 6: a list" },
	{ "sum([[1]])", "bad_expression", "column 6: a list" },
	{ "foo + 1", "bad_expression", "column 1: unknown name 'foo'" },
	{ "__import__('os')", "bad_expression", "column 1: unknown name '__import__'" },
	{ "'a'", "bad_expression", "column 1: only numbers" },
	{ "1 < 2", "bad_expression", "column 3: comparisons" },
	{ "x = 1", "bad_expression", "column 1: unknown name 'x'" },
	{ "é + 1", "bad_expression", "column 1: a number is expected" },
	{ "1 + é", "bad_expression", "column 5: a number" },
	{ "1 / 0", "division_by_zero", "column 3: the divisor is zero" },
	{ "1 // 0", "division_by_zero", "column 3: " },
	{ "1 % 0.0", "division_by_zero", "column 3: " },
	{ "1.0 / (2 - 2)", "division_by_zero", "column 5: " },
	{ "0 ** -1", "division_by_zero", "column 3: zero cannot" },
	{ "9**9**9", "overflow", "column 2: the power has more than 4096 bits" },
	{ "2**100000", "overflow", "column 2: " },
	{ "2**4096", "overflow", "column 2: " },
	{ "2**4095 * 2", "overflow", "column 9: the integer has more than 4096 bits" },
	{ "2**4095 + 2**4095", "overflow", "column 9: " },
	{ "1e308 * 10", "overflow", "column 7: the result is larger" },
	{ "1e999", "overflow", "column 1: the result is larger" },
	{ "10**400 + 0.5", "overflow", "column 9: the integer is larger than a double" },
	{ "exp(1000)", "overflow", "column 1: " },
	{ "2.0 ** 5000", "overflow", "column 5: " },
	{ "sqrt(10**400)", "overflow", "column 1: " },
	{ "sqrt(-1)", "domain_error", "column 1: sqrt()" },
	{ "1 + log(0)", "domain_error", "column 5: the logarithm" },
	{ "log(-1)", "domain_error", "column 1: " },
	{ "log(2, 1)", "domain_error", "column 1: no logarithm has the base 1" },
	{ "log(2, -3)", "domain_error", "column 1: " },
	{ "asin(2)", "domain_error", "column 1: asin()" },
	{ "acos(-1.5)", "domain_error", "column 1: acos()" },
	{ "(-8) ** 0.5", "domain_error", "column 6: the result is not a real number" },
};

static void test_values(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(values); i++) {
		auto_(number_done) struct number n = { 0 };
		auto_free char *text = NULL;
		struct failure fail = { 0 };

		if (expression_eval(values[i].expression, &n, &fail) < 0)
			fail_msg("%s: %s: %s", values[i].expression, fail.code, fail.text);
		text = number_text(&n);
		if (!streq(text, values[i].text))
			fail_msg("%s: %s, not %s", values[i].expression, text, values[i].text);
	}
}

static void test_failures(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(failures); i++) {
		auto_(number_done) struct number n = { 0 };
		struct failure fail = { 0 };
		int r = expression_eval(failures[i].expression, &n, &fail);

		if (r == 0)
			fail_msg("%s: succeeds", failures[i].expression);
		if (!streq(fail.code, failures[i].code) ||
			strncmp(fail.text, failures[i].words, strlen(failures[i].words)) != 0)
			fail_msg("%s: %s: %s", failures[i].expression, fail.code, fail.text);
	}
}

static void repeat(struct strbuf *buf, const char *text, int times)
{
	for (int i = 0; i < times; i++)
		strbuf_adds(buf, text);
}

static void test_levels(void **state)
{
	for (int levels = 200; levels <= 201; levels++) {
		auto_strbuf buf = { 0 };
		auto_(number_done) struct number n = { 0 };
		struct failure fail;
		int r;

		repeat(&buf, "(", levels);
		strbuf_adds(&buf, "1");
		repeat(&buf, ")", levels);
		r = expression_eval(strbuf_get(&buf), &n, &fail);
		assert_int_equal(r == 0, levels == 200);
		if (r < 0)
			assert_string_equal(
				fail.text, "column 201: more than 200 levels of brackets");
	}
}

static void test_length(void **state)
{
	for (int chars = 4096; chars <= 4097; chars++) {
		auto_strbuf buf = { 0 };
		auto_(number_done) struct number n = { 0 };
		struct failure fail;
		int r;

		repeat(&buf, "-", chars - 1);
		strbuf_adds(&buf, "1");
		r = expression_eval(strbuf_get(&buf), &n, &fail);
		assert_int_equal(r == 0, chars == 4096);
	}
}

/* Long chains to the right keep all operators waiting. */
static void test_waiting_operators(void **state)
{
	auto_strbuf buf = { 0 };
	auto_(number_done) struct number n = { 0 };
	auto_free char *text = NULL;
	struct failure fail;

	repeat(&buf, "1**", 400);
	strbuf_adds(&buf, "2");
	assert_int_equal(expression_eval(strbuf_get(&buf), &n, &fail), 0);
	text = number_text(&n);
	assert_string_equal(text, "1");
}

/* What costs most for its length: time runs out or the end is reached, and not much later. */
static void test_time(void **state)
{
	static const char *const units[] = { "9**1290%7**1400+", "(2**4095-1)%(3**2500)+",
		"round(1,-1400)+", "9**1290*1//7+", "sqrt(3**99)*" };
	struct failure fail;

	for (size_t i = 0; i < N_ELEMENTS(units); i++) {
		auto_strbuf buf = { 0 };
		auto_(number_done) struct number n = { 0 };
		clock_t started = clock();

		while (buf.len + strlen(units[i]) < EXPRESSION_MAX_CHARS)
			strbuf_adds(&buf, units[i]);
		strbuf_adds(&buf, "1");
		if (expression_eval(strbuf_get(&buf), &n, &fail) < 0)
			assert_true(streq(fail.code, "timeout") || streq(fail.code, "overflow"));
		assert_true((clock() - started) / (CLOCKS_PER_SEC / 1000) < 500);
	}
}

static json_t *json_of(const char *expression)
{
	auto_(number_done) struct number n = { 0 };
	struct failure fail;

	if (expression_eval(expression, &n, &fail) < 0)
		fail_msg("%s: %s", expression, fail.text);
	return number_json(&n);
}

static void test_json(void **state)
{
	static const struct {
		const char *expression;
		bool is_integer;
		json_int_t integer;
		double real;
	} cases[] = {
		{ "2**63 - 1", true, INT64_MAX, 0 },
		{ "-(2**63) + 1", true, -INT64_MAX, 0 },
		{ "2**63", false, 0, 0x1p63 },
		{ "2**64 + 1", false, 0, 0x1p64 },
		{ "2**54 + 2**2 * 2**51 + 1", true, 27021597764222977, 0 },
		{ "2**4000", false, 0, 1.7976931348623157e308 },
		{ "-(2**4000)", false, 0, -1.7976931348623157e308 },
		{ "(2**53 + 1) * 2**20", false, 0, 9444732965739290427392.0 },
		{ "(2**53 + 1) * 2**20 + 1", false, 0, 9444732965739292524544.0 },
		{ "6 / 2", false, 0, 3 },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		json_auto_t *json = json_of(cases[i].expression);

		assert_int_equal(json_is_integer(json), cases[i].is_integer);
		if (cases[i].is_integer)
			assert_int_equal(json_integer_value(json), cases[i].integer);
		else if (json_real_value(json) != cases[i].real)
			fail_msg("%s: %.17g", cases[i].expression, json_real_value(json));
	}
}

static void test_tools(void **state)
{
	static const struct {
		const char *tool;
		const char *args;
		const char *text; /* result_text, or the code of the failure */
	} cases[] = {
		{ "calculator_add", "{\"a\":2,\"b\":3}", "5" },
		{ "calculator_add", "{\"a\":2.0,\"b\":3}", "5.0" },
		{ "calculator_add", "{\"a\":9223372036854775807,\"b\":1}", "9223372036854775808" },
		{ "calculator_add", "{\"a\":1e308,\"b\":1e308}", "overflow" },
		{ "calculator_add", "{\"a\":\"2\",\"b\":3}", "invalid_argument" },
		{ "calculator_add", "{\"a\":2}", "invalid_argument" },
		{ "calculator_subtract", "{\"a\":-9223372036854775808,\"b\":1}",
			"-9223372036854775809" },
		{ "calculator_multiply", "{\"a\":4611686018427387904,\"b\":-4}",
			"-18446744073709551616" },
		{ "calculator_multiply", "{\"a\":0.1,\"b\":3}", "0.30000000000000004" },
		{ "calculator_divide", "{\"a\":6,\"b\":3}", "2.0" },
		{ "calculator_divide", "{\"a\":6,\"b\":0.0}", "division_by_zero" },
		{ "calculator_calculate", "{\"expression\":\"2**70\"}", "1180591620717411303424" },
		{ "calculator_calculate", "{\"expression\":\"\"}", "bad_expression" },
		{ "calculator_calculate", "{\"expression\":\"sqrt(-1)\"}", "domain_error" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct fake_answer *answer =
			fake_run(calculator_tools, cases[i].tool, cases[i].args);

		assert_string_equal(
			answer->result ? fake_text("result_text") : answer->code, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_waiting_operators),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_tools),
	};
	int failed = cmocka_run_group_tests_name("calculator", tests, NULL, NULL);

	fake_done();
	return failed;
}
