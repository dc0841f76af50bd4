/* Evaluates arithmetic expressions while it reads them: a shunting-yard with two stacks.
 *
 * It is no eval(): numbers, operators, parentheses, a table of functions, three constants, and lists
 * as the only argument of sum, min and max. There is no recursion, so nesting costs no stack; each
 * character puts at most one entry on each of the two stacks, which are allocated once for the text's
 * length. Work is bounded by the number of characters times the work on two integers of 4096 bits;
 * the processor time is watched besides.
 *
 * Precedence, weakest first: + -, * / // %, sign, **. A sign binds weaker than a ** behind it and
 * stronger than one before it: -2**2 is -4, 2**-1 is 0.5. ** binds to the right. */
#include "workers/utils/expression.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "shared/alloc.h"
#include "shared/utf8.h"
#include "workers/utils/functions.h"

enum op_kind { OP_BINARY, OP_NEGATE, OP_PLUS, OP_PAREN, OP_CALL, OP_LIST };

enum precedence { PREC_SUM = 1, PREC_PRODUCT, PREC_SIGN, PREC_POWER };

struct op {
	enum op_kind kind;
	enum precedence precedence; /* OP_BINARY, OP_NEGATE, OP_PLUS */
	enum number_op number_op;   /* OP_BINARY */
	const struct function *fn;  /* OP_CALL */
	size_t at;                  /* where in the text */
	size_t base;                /* OP_CALL, OP_LIST: values below it are not arguments */
	bool had_list;              /* OP_CALL */
};

struct eval {
	const char *text;
	size_t at;
	bool want_operand;
	unsigned levels;
	struct number *values;
	size_t n_values;
	struct op *ops;
	size_t n_ops;
	clock_t started;
	struct failure *fail;
};

static const struct binary_op {
	const char *sign; /* longer ones first */
	enum number_op op;
	enum precedence precedence;
} binary_ops[] = {
	{ "**", NUMBER_POW, PREC_POWER },
	{ "//", NUMBER_FLOOR_DIV, PREC_PRODUCT },
	{ "*", NUMBER_MUL, PREC_PRODUCT },
	{ "/", NUMBER_DIV, PREC_PRODUCT },
	{ "%", NUMBER_MOD, PREC_PRODUCT },
	{ "+", NUMBER_ADD, PREC_SUM },
	{ "-", NUMBER_SUB, PREC_SUM },
};

static void eval_done(struct eval *e)
{
	while (e->n_values)
		number_done(&e->values[--e->n_values]);
	free(e->values);
	free(e->ops);
}

/* Puts the column in front of the words that are there. */
static int fail_at(struct eval *e, size_t at)
{
	return failure_prefix(e->fail, "column %zu: ", utf8_count(e->text, at) + 1);
}

static int bad_at(struct eval *e, size_t at, const char *words)
{
	failure_set(e->fail, "bad_expression", "%s", words);
	return fail_at(e, at);
}

static void push_value(struct eval *e, struct number value)
{
	e->values[e->n_values++] = value;
	e->want_operand = false;
}

static struct op *push_op(struct eval *e, enum op_kind kind)
{
	struct op *op = &e->ops[e->n_ops++];

	*op = (struct op){ .kind = kind, .at = e->at, .base = e->n_values };
	return op;
}

static struct op *top_op(struct eval *e)
{
	return e->n_ops ? &e->ops[e->n_ops - 1] : NULL;
}

static bool is_bracket(const struct op *op)
{
	return op->kind == OP_PAREN || op->kind == OP_CALL || op->kind == OP_LIST;
}

static int check_time(struct eval *e)
{
	clock_t used = clock() - e->started;

	if (used / (CLOCKS_PER_SEC / 1000) <= EXPRESSION_MAX_MS)
		return 0;
	return failure_set(
		e->fail, "timeout", "the expression takes longer than %d ms", EXPRESSION_MAX_MS);
}

/* Replaces the last `n` values by `value`. */
static void replace_values(struct eval *e, size_t n, struct number value)
{
	while (n-- > 0)
		number_done(&e->values[--e->n_values]);
	e->values[e->n_values++] = value;
}

/* Takes the topmost operator off and computes it. */
static int apply_top(struct eval *e)
{
	struct op op = e->ops[--e->n_ops];
	struct number *last = &e->values[e->n_values - 1];
	struct number result = { 0 };

	if (op.kind == OP_NEGATE)
		number_negate(last);
	if (op.kind != OP_BINARY)
		return 0;
	if (check_time(e) < 0 || number_binary(op.number_op, last - 1, last, &result, e->fail) < 0)
		return fail_at(e, op.at);
	replace_values(e, 2, result);
	return 0;
}

/* Computes all operators on top that bind at least as tightly as `precedence`. */
static int reduce(struct eval *e, enum precedence precedence, bool binds_right)
{
	struct op *top;

	while ((top = top_op(e)) && !is_bracket(top)) {
		int r;

		if (top->precedence < precedence || (top->precedence == precedence && binds_right))
			break;
		r = apply_top(e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_bracket(struct eval *e, struct op *op)
{
	e->want_operand = true;
	if (++e->levels > EXPRESSION_MAX_LEVELS) {
		failure_set(e->fail, "bad_expression", "more than %d levels of brackets",
			EXPRESSION_MAX_LEVELS);
		return fail_at(e, op->at);
	}
	e->at++;
	return 0;
}

/* [ is right only as the first thing in sum(, min(, max(. */
static int open_list(struct eval *e)
{
	struct op *call = top_op(e);

	if (!call || call->kind != OP_CALL || !call->fn->takes_list || e->n_values != call->base ||
		call->had_list)
		return bad_at(
			e, e->at, "a list can stand only as the one argument of sum, min or max");
	call->had_list = true;
	return open_bracket(e, push_op(e, OP_LIST));
}

static int wrong_count(struct eval *e, const struct op *call, size_t n)
{
	const struct function *fn = call->fn;
	bool too_few = n < fn->min_args;
	size_t limit = too_few ? fn->min_args : fn->max_args;
	const char *bound = "";

	if (fn->min_args != fn->max_args)
		bound = too_few ? "at least " : "at most ";
	failure_set(e->fail, "bad_expression", "%s() takes %s%zu argument%s, not %zu", fn->name,
		bound, limit, limit == 1 ? "" : "s", n);
	return fail_at(e, call->at);
}

static int close_call(struct eval *e, struct op call)
{
	size_t n = e->n_values - call.base;
	struct number result = { 0 };

	if (n < call.fn->min_args || n > call.fn->max_args)
		return wrong_count(e, &call, n);
	if (check_time(e) < 0 || call.fn->run(e->values + call.base, n, &result, e->fail) < 0)
		return fail_at(e, call.at);
	replace_values(e, n, result);
	return 0;
}

/* `c` is ) or ]. */
static int close_bracket(struct eval *e, char c)
{
	struct op *top;
	struct op op;

	if (reduce(e, PREC_SUM, false) < 0)
		return -EINVAL;
	top = top_op(e);
	if (!top || (top->kind == OP_LIST) != (c == ']'))
		return bad_at(e, e->at, "this bracket closes none that is open");
	op = *top;
	e->n_ops--;
	e->levels--;
	e->at++;
	e->want_operand = false;
	return op.kind == OP_CALL ? close_call(e, op) : 0;
}

static int next_argument(struct eval *e)
{
	struct op *top;

	if (reduce(e, PREC_SUM, false) < 0)
		return -EINVAL;
	top = top_op(e);
	if (!top || top->kind == OP_PAREN)
		return bad_at(e, e->at,
			"a comma can stand only between arguments; write 1000, not 1,000");
	if (top->had_list)
		return bad_at(e, e->at, "a list must be the only argument");
	e->at++;
	e->want_operand = true;
	return 0;
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* What stands directly behind a number must not be part of a name or another number. */
static int end_of_number(struct eval *e)
{
	if (is_name_char(e->text[e->at]) || e->text[e->at] == '.')
		return bad_at(e, e->at, "this does not belong to a number; write 2*pi, not 2pi");
	return 0;
}

static int base_of_prefix(const char *text)
{
	if (text[0] != '0')
		return 10;
	switch (text[1] | 0x20) {
	case 'x':
		return 16;
	case 'o':
		return 8;
	case 'b':
		return 2;
	default:
		return 10;
	}
}

static int read_integer(struct eval *e, size_t from, int base)
{
	struct number value = { 0 };

	if (number_set_digits(&value, e->text + from, e->at - from, base, e->fail) < 0)
		return fail_at(e, from);
	push_value(e, value);
	return end_of_number(e);
}

static int read_prefixed(struct eval *e, int base)
{
	static const char digits[] = "0123456789abcdef";
	size_t from = e->at + 2;

	e->at = from;
	while (e->text[e->at] &&
		memchr(digits, tolower((unsigned char)e->text[e->at]), (size_t)base))
		e->at++;
	if (e->at == from)
		return bad_at(e, e->at, "digits are missing behind the prefix");
	return read_integer(e, from, base);
}

static void skip_digits(struct eval *e)
{
	while (isdigit((unsigned char)e->text[e->at]))
		e->at++;
}

/* True when an exponent stands here: e, a sign or none, a digit. */
static bool skip_exponent(struct eval *e)
{
	const char *at = e->text + e->at;
	size_t sign = 0;

	if (*at != 'e' && *at != 'E')
		return false;
	if (at[1] == '+' || at[1] == '-')
		sign = 1;
	if (!isdigit((unsigned char)at[1 + sign]))
		return false;
	e->at += 1 + sign;
	skip_digits(e);
	return true;
}

static int read_number(struct eval *e)
{
	int base = base_of_prefix(e->text + e->at);
	size_t from = e->at;
	struct number value = { 0 };
	bool is_real = false;

	if (base != 10)
		return read_prefixed(e, base);
	skip_digits(e);
	if (e->text[e->at] == '.') {
		is_real = true;
		e->at++;
		skip_digits(e);
	}
	if (e->at - from == 1 && is_real)
		return bad_at(e, from, "digits are missing at the point");
	is_real = skip_exponent(e) || is_real;
	if (!is_real && e->text[from] == '0' && strspn(e->text + from, "0") < e->at - from)
		return bad_at(
			e, from, "an integer must not begin with 0; octal numbers begin with 0o");
	if (!is_real)
		return read_integer(e, from, 10);
	if (number_set_real(&value, strtod(e->text + from, NULL), e->fail) < 0)
		return fail_at(e, from);
	push_value(e, value);
	return end_of_number(e);
}

static void skip_blanks(struct eval *e)
{
	e->at += strspn(e->text + e->at, " \t\r\n");
}

static int unknown_name(struct eval *e, size_t from, size_t len)
{
	failure_set(e->fail, "bad_expression",
		"unknown name '%.*s'; known are pi, e, tau and abs, round, min, max, sum, pow, sqrt, exp, "
		"log, log10, log2, sin, cos, tan, asin, acos, atan, floor, ceil",
		(int)(len < 32 ? len : 32), e->text + from);
	return fail_at(e, from);
}

/* A constant, or a function with the parenthesis that opens its arguments. */
static int read_name(struct eval *e)
{
	size_t from = e->at;
	size_t len = 0;
	const struct function *fn;
	struct number value = { 0 };
	struct op *call;

	while (is_name_char(e->text[from + len]))
		len++;
	e->at += len;
	if (function_constant(e->text + from, len, &value.real)) {
		push_value(e, value);
		return 0;
	}
	fn = function_find(e->text + from, len);
	if (!fn)
		return unknown_name(e, from, len);
	skip_blanks(e);
	if (e->text[e->at] != '(')
		return bad_at(e, from, "a function needs its arguments in parentheses");
	call = push_op(e, OP_CALL);
	call->fn = fn;
	call->at = from;
	return open_bracket(e, call);
}

static void push_sign(struct eval *e, char c)
{
	struct op *op = push_op(e, c == '-' ? OP_NEGATE : OP_PLUS);

	op->precedence = PREC_SIGN;
	e->at++;
}

/* sum([]) */
static bool closes_empty_list(struct eval *e, char c)
{
	const struct op *top = top_op(e);

	return c == ']' && top && top->kind == OP_LIST && e->n_values == top->base;
}

static int unexpected(struct eval *e, char c)
{
	if (c == '\0')
		return bad_at(e, e->at,
			e->want_operand ? "the expression ends where a number is missing"
					: "a bracket is not closed");
	if (c == '^')
		return bad_at(e, e->at, "'^' is not an operator; use ** for powers");
	if (c == '"' || c == '\'')
		return bad_at(e, e->at, "only numbers are calculated, not text");
	if (c == '=' || c == '<' || c == '>' || (c == '!' && e->text[e->at + 1] == '='))
		return bad_at(e, e->at, "comparisons and assignments are not supported");
	if (!e->want_operand && c == '(')
		return bad_at(e, e->at, "an operator is missing; write 2*(3), not 2(3)");
	if (!e->want_operand)
		return bad_at(e, e->at, "an operator is expected here");
	return bad_at(e, e->at, "a number is expected here");
}

static int read_operand(struct eval *e, char c)
{
	if (isdigit((unsigned char)c) || c == '.')
		return read_number(e);
	if (isalpha((unsigned char)c) || c == '_')
		return read_name(e);
	if (c == '(')
		return open_bracket(e, push_op(e, OP_PAREN));
	if (c == '[')
		return open_list(e);
	if (c == '+' || c == '-') {
		push_sign(e, c);
		return 0;
	}
	if (closes_empty_list(e, c))
		return close_bracket(e, c);
	return unexpected(e, c);
}

static int read_operator(struct eval *e, char c)
{
	if (c == ')' || c == ']')
		return close_bracket(e, c);
	if (c == ',')
		return next_argument(e);
	for (size_t i = 0; i < N_ELEMENTS(binary_ops); i++) {
		const struct binary_op *b = &binary_ops[i];
		struct op *op;

		if (strncmp(e->text + e->at, b->sign, strlen(b->sign)) != 0)
			continue;
		if (top_op(e) && top_op(e)->had_list)
			return bad_at(e, e->at, "a list must be the only argument");
		if (reduce(e, b->precedence, b->precedence == PREC_POWER) < 0)
			return -EINVAL;
		op = push_op(e, OP_BINARY);
		op->precedence = b->precedence;
		op->number_op = b->op;
		e->at += strlen(b->sign);
		e->want_operand = true;
		return 0;
	}
	return unexpected(e, c);
}

static int run(struct eval *e)
{
	for (;;) {
		char c;
		int r;

		skip_blanks(e);
		c = e->text[e->at];
		if (c == '\0')
			break;
		r = e->want_operand ? read_operand(e, c) : read_operator(e, c);
		if (r < 0)
			return r;
	}
	if (e->want_operand)
		return unexpected(e, '\0');
	if (reduce(e, PREC_SUM, false) < 0)
		return -EINVAL;
	return e->n_ops ? unexpected(e, '\0') : 0;
}

int expression_eval(const char *text, struct number *ret, struct failure *fail)
{
	size_t len = strlen(text);
	auto_(eval_done) struct eval e = {
		.text = text, .want_operand = true, .fail = fail, .started = clock()
	};
	int r;

	if (utf8_count(text, len) > EXPRESSION_MAX_CHARS)
		return failure_set(fail, "bad_expression",
			"the expression has more than %d characters", EXPRESSION_MAX_CHARS);
	/* A character opens at most one operand and one operator. */
	e.values = alloc_zero((len + 1) * sizeof(*e.values));
	e.ops = alloc_zero((len + 1) * sizeof(*e.ops));
	r = run(&e);
	if (r < 0)
		return r;
	*ret = e.values[--e.n_values];
	return 0;
}
