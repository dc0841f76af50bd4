/* See functions.h. Domains are checked here, so that a failure can say what is allowed; the rest (an
 * infinite result, NaN) is caught by number_set_real(). */
#include "workers/utils/functions.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>

static int run_abs(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	int r = number_copy(ret, &args[0]);

	if (r == 0 && !ret->big)
		ret->real = fabs(ret->real);
	else if (r == 0 && number_is_negative(ret))
		number_negate(ret);
	return r;
}

/* floor, ceil, round without digits: an integer from any number. */
static int to_whole(const struct number *n, double (*rounding)(double), struct number *ret,
	struct failure *fail)
{
	return n->big ? number_copy(ret, n) : number_set_whole(ret, rounding(n->real), fail);
}

static int run_floor(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	return to_whole(&args[0], floor, ret, fail);
}

static int run_ceil(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	return to_whole(&args[0], ceil, ret, fail);
}

static int run_round(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	double digits;

	if (n == 1)
		return to_whole(&args[0], rint, ret, fail);
	if (!args[1].big)
		return failure_set(
			fail, "bad_expression", "round(): the number of digits must be an integer");
	if (number_to_real(&args[1], &digits, fail) < 0)
		return -EINVAL;
	digits = fmax(fmin(digits, INT16_MAX), INT16_MIN);
	return number_round(&args[0], (long)digits, ret, fail);
}

static int pick(const struct number *args, size_t n, int sign, struct number *ret)
{
	const struct number *best = &args[0];

	for (size_t i = 1; i < n; i++)
		if (number_compare(&args[i], best) * sign > 0)
			best = &args[i];
	return number_copy(ret, best);
}

static int run_min(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	return pick(args, n, -1, ret);
}

static int run_max(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	return pick(args, n, 1, ret);
}

static int run_sum(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	struct number total;

	number_set_int(&total, 0);
	for (size_t i = 0; i < n; i++) {
		struct number next = { 0 };
		int r = number_binary(NUMBER_ADD, &total, &args[i], &next, fail);

		number_done(&total);
		if (r < 0)
			return r;
		total = next;
	}
	*ret = total;
	return 0;
}

static int run_pow(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	return number_binary(NUMBER_POW, &args[0], &args[1], ret, fail);
}

/* A function of one double. */
static int apply(
	const struct number *n, double (*fn)(double), struct number *ret, struct failure *fail)
{
	double x;

	if (number_to_real(n, &x, fail) < 0)
		return -EINVAL;
	return number_set_real(ret, fn(x), fail);
}

static int run_exp(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	return apply(&args[0], exp, ret, fail);
}

static int run_sin(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	return apply(&args[0], sin, ret, fail);
}

static int run_cos(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	return apply(&args[0], cos, ret, fail);
}

static int run_tan(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	return apply(&args[0], tan, ret, fail);
}

static int run_atan(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	return apply(&args[0], atan, ret, fail);
}

static int run_sqrt(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	if (number_is_negative(&args[0]))
		return failure_set(fail, "domain_error", "sqrt() of a negative number");
	return apply(&args[0], sqrt, ret, fail);
}

static int arc(const struct number *n, const char *name, double (*fn)(double), struct number *ret,
	struct failure *fail)
{
	const struct number one = { .real = 1 };
	const struct number minus_one = { .real = -1 };

	if (number_compare(n, &one) > 0 || number_compare(n, &minus_one) < 0)
		return failure_set(fail, "domain_error", "%s() is for numbers from -1 to 1", name);
	return apply(n, fn, ret, fail);
}

static int run_asin(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	return arc(&args[0], "asin", asin, ret, fail);
}

static int run_acos(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	return arc(&args[0], "acos", acos, ret, fail);
}

/* The logarithm of an integer that no double can hold is that of its fraction plus that of its power
 * of two. */
static int logarithm(
	const struct number *n, double (*fn)(double), double *ret, struct failure *fail)
{
	const struct number zero = { 0 };
	struct failure ignored;
	double fraction;
	double x;
	long exponent;

	if (number_compare(n, &zero) <= 0)
		return failure_set(
			fail, "domain_error", "the logarithm of a number that is not positive");
	if (number_to_real(n, &x, &ignored) == 0) {
		*ret = fn(x);
		return 0;
	}
	number_split(n, &fraction, &exponent);
	*ret = fn(fraction) + (double)exponent * fn(2);
	return 0;
}

static int run_log10(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	double value = 0;

	if (logarithm(&args[0], log10, &value, fail) < 0)
		return -EINVAL;
	return number_set_real(ret, value, fail);
}

static int run_log2(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	double value = 0;

	if (logarithm(&args[0], log2, &value, fail) < 0)
		return -EINVAL;
	return number_set_real(ret, value, fail);
}

/* Bases 2 and 10 have functions of their own, which are exact for powers. */
static int run_log(const struct number *args, size_t n, struct number *ret, struct failure *fail)
{
	const struct number two = { .real = 2 };
	const struct number ten = { .real = 10 };
	double value = 0;
	double base = 0;

	if (n == 2 && number_compare(&args[1], &two) == 0)
		return run_log2(args, 1, ret, fail);
	if (n == 2 && number_compare(&args[1], &ten) == 0)
		return run_log10(args, 1, ret, fail);
	if (logarithm(&args[0], log, &value, fail) < 0)
		return -EINVAL;
	if (n == 1)
		return number_set_real(ret, value, fail);
	if (logarithm(&args[1], log, &base, fail) < 0)
		return -EINVAL;
	if (base == 0)
		return failure_set(fail, "domain_error", "no logarithm has the base 1");
	return number_set_real(ret, value / base, fail);
}

static const struct function functions[] = {
	{ "abs", 1, 1, false, run_abs },
	{ "round", 1, 2, false, run_round },
	{ "min", 1, SIZE_MAX, true, run_min },
	{ "max", 1, SIZE_MAX, true, run_max },
	{ "sum", 0, SIZE_MAX, true, run_sum },
	{ "pow", 2, 2, false, run_pow },
	{ "sqrt", 1, 1, false, run_sqrt },
	{ "exp", 1, 1, false, run_exp },
	{ "log", 1, 2, false, run_log },
	{ "log10", 1, 1, false, run_log10 },
	{ "log2", 1, 1, false, run_log2 },
	{ "sin", 1, 1, false, run_sin },
	{ "cos", 1, 1, false, run_cos },
	{ "tan", 1, 1, false, run_tan },
	{ "asin", 1, 1, false, run_asin },
	{ "acos", 1, 1, false, run_acos },
	{ "atan", 1, 1, false, run_atan },
	{ "floor", 1, 1, false, run_floor },
	{ "ceil", 1, 1, false, run_ceil },
};

static bool is_named(const char *candidate, const char *name, size_t len)
{
	return strlen(candidate) == len && memcmp(candidate, name, len) == 0;
}

const struct function *function_find(const char *name, size_t len)
{
	for (size_t i = 0; i < N_ELEMENTS(functions); i++)
		if (is_named(functions[i].name, name, len))
			return &functions[i];
	return NULL;
}

bool function_constant(const char *name, size_t len, double *ret)
{
	static const struct {
		const char *name;
		double value;
	} constants[] = { { "pi", M_PI }, { "e", M_E }, { "tau", 2 * M_PI } };

	for (size_t i = 0; i < N_ELEMENTS(constants); i++) {
		if (!is_named(constants[i].name, name, len))
			continue;
		*ret = constants[i].value;
		return true;
	}
	return false;
}
