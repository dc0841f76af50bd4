/* Tools for arithmetic: four operations on two numbers, and expressions. */
#include "workers/utils/answer.h"
#include "workers/utils/expression.h"
#include "workers/utils/tools.h"

struct calculator_args {
	json_t *a;
	json_t *b;
};

struct calculator_calculate_args {
	const char *expression;
};

static const struct param calculator_params[] = {
	PARAM(calculator_args, a, .required = true, .json_type = "number", .doc = "First number."),
	PARAM(calculator_args, b, .required = true, .json_type = "number", .doc = "Second number."),
	{ 0 },
};

static const struct param calculator_calculate_params[] = {
	PARAM(calculator_calculate_args, expression, .required = true,
		.doc = "Expression, like (2 + 3) * sqrt(16) / 2**3."),
	{ 0 },
};

static int number_from_json(const json_t *json, struct number *ret, struct failure *fail)
{
	if (!json_is_integer(json))
		return number_set_real(ret, json_real_value(json), fail);
	number_set_int(ret, json_integer_value(json));
	return 0;
}

static json_t *result_of(const struct number *n)
{
	auto_free char *text = number_text(n);

	return json_pack(
		"{s:b, s:o, s:s}", "success", 1, "result", number_json(n), "result_text", text);
}

static int calculate_pair(struct call *call, const struct calculator_args *args, enum number_op op)
{
	auto_(number_done) struct number a = { 0 };
	auto_(number_done) struct number b = { 0 };
	auto_(number_done) struct number result = { 0 };
	struct failure fail;

	if (number_from_json(args->a, &a, &fail) < 0 || number_from_json(args->b, &b, &fail) < 0 ||
		number_binary(op, &a, &b, &result, &fail) < 0)
		return call_failure(call, &fail);
	return call_json(call, result_of(&result));
}

static int calculator_add(struct call *call, const void *args)
{
	return calculate_pair(call, args, NUMBER_ADD);
}

static int calculator_subtract(struct call *call, const void *args)
{
	return calculate_pair(call, args, NUMBER_SUB);
}

static int calculator_multiply(struct call *call, const void *args)
{
	return calculate_pair(call, args, NUMBER_MUL);
}

static int calculator_divide(struct call *call, const void *args)
{
	return calculate_pair(call, args, NUMBER_DIV);
}

static int calculator_calculate(struct call *call, const void *args)
{
	const struct calculator_calculate_args *a = args;
	auto_(number_done) struct number result = { 0 };
	struct failure fail;
	json_t *answer;

	if (expression_eval(a->expression, &result, &fail) < 0)
		return call_failure(call, &fail);
	answer = result_of(&result);
	json_object_set_new(answer, "expression", json_string(a->expression));
	return call_json(call, answer);
}

#define PAIR_OUT "success boolean, result number, result_text string"
#define CALCULATE_OUT "success boolean, expression string, result number, result_text string"
#define PAIR_TOOL(fn, title_text, ...)                                                             \
	{                                                                                          \
		.name = #fn, .title = (title_text), .run = (fn), .params = calculator_params,      \
		.args_size = sizeof(struct calculator_args), .out = PAIR_OUT, .hints = TOOL_PURE,  \
		__VA_ARGS__                                                                        \
	}

const struct tool calculator_tools[] = {
	PAIR_TOOL(calculator_add, "Add",
		.doc = "Add two numbers, a + b. Two integers give an exact integer, otherwise an IEEE double."),
	PAIR_TOOL(calculator_subtract, "Subtract",
		.doc = "Subtract, a - b. Two integers give an exact integer, otherwise an IEEE double."),
	PAIR_TOOL(calculator_multiply, "Multiply",
		.doc = "Multiply, a × b. Two integers give an exact integer, otherwise an IEEE double."),
	PAIR_TOOL(calculator_divide, "Divide", .doc = "Divide, a ÷ b. Always an IEEE double."),
	TOOL(calculator_calculate, "Evaluate an expression",
		.doc = "Evaluate an arithmetic expression: + - * / // % ** with Python's precedence, "
		       "parentheses, pi e tau, abs round min max sum pow sqrt exp log log10 log2 sin cos "
		       "tan asin acos atan floor ceil. Integers are exact; result_text has all digits.",
		.out = CALCULATE_OUT, .hints = TOOL_PURE),
	{ 0 },
};
