/* See number.h. Integers are OpenSSL's BIGNUM; what it says about lack of memory ends the process, as
 * in shared/alloc.h. Every result passes number_set_big() or number_set_real(), which hold the limits. */
#include "workers/utils/number.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "shared/alloc.h"

enum {
	/* 10^1400 is beyond every integer and every double here. */
	MAX_ROUND_DIGITS = 1400,
	DOUBLE_FIXED_EXPONENT = 16, /* from 1e16 on a double is written with an exponent */
};

static void bn_freep(BIGNUM **bn)
{
	BN_free(*bn);
}

static void bn_ctx_freep(BN_CTX **ctx)
{
	BN_CTX_free(*ctx);
}

#define auto_bn auto_(bn_freep) BIGNUM
#define auto_ctx auto_(bn_ctx_freep) BN_CTX

/* libcrypto's calls fail here only for want of memory. */
static void must(int ok)
{
	if (!ok)
		abort();
}

static BIGNUM *bn_new(void)
{
	BIGNUM *bn = BN_new();

	must(bn != NULL);
	return bn;
}

static BN_CTX *bn_ctx_new(void)
{
	BN_CTX *ctx = BN_CTX_new();

	must(ctx != NULL);
	return ctx;
}

static BIGNUM *bn_copy(const BIGNUM *from)
{
	BIGNUM *bn = BN_dup(from);

	must(bn != NULL);
	return bn;
}

static BIGNUM *bn_from_u64(uint64_t value)
{
	unsigned char bytes[8];
	BIGNUM *bn;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
	bn = BN_lebin2bn(bytes, sizeof(bytes), NULL);
	must(bn != NULL);
	return bn;
}

/* The value of at most 64 bits, without its sign. */
static uint64_t bn_to_u64(const BIGNUM *bn)
{
	unsigned char bytes[8];
	uint64_t value = 0;

	must(BN_bn2lebinpad(bn, bytes, sizeof(bytes)) >= 0);
	for (size_t i = sizeof(bytes); i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

/* An integral double as integer. */
static BIGNUM *bn_from_double(double value)
{
	int exponent;
	double fraction = frexp(fabs(value), &exponent);
	BIGNUM *bn;

	if (exponent <= 64) {
		bn = bn_from_u64((uint64_t)fabs(value));
	} else {
		bn = bn_from_u64((uint64_t)ldexp(fraction, 64));
		must(BN_lshift(bn, bn, exponent - 64));
	}
	BN_set_negative(bn, value < 0);
	return bn;
}

/* |bn| = ret_top * 2^result, where the lowest bit of ret_top also stands for all lower ones, so that
 * rounding ret_top rounds bn. `sticky`: something non-zero follows below the integer's last bit. */
static int bn_top_bits(const BIGNUM *bn, bool sticky, uint64_t *ret_top)
{
	auto_bn *top = bn_new();
	int shift = BN_num_bits(bn) - 64;

	if (shift <= 0) {
		*ret_top = bn_to_u64(bn);
		return 0;
	}
	must(BN_rshift(top, bn, shift));
	for (int i = 0; i < shift && !sticky; i++)
		sticky = BN_is_bit_set(bn, i);
	*ret_top = bn_to_u64(top) | (sticky ? 1 : 0);
	return shift;
}

void number_done(struct number *n)
{
	BN_free(n->big);
	*n = (struct number){ 0 };
}

void number_set_int(struct number *ret, int64_t value)
{
	uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	*ret = (struct number){ .big = bn_from_u64(magnitude) };
	BN_set_negative(ret->big, value < 0);
}

int number_set_real(struct number *ret, double value, struct failure *fail)
{
	if (isnan(value))
		return failure_set(fail, "domain_error", "the result is not a real number");
	if (isinf(value))
		return failure_set(fail, "overflow",
			"the result is larger than a double can hold (about 1.8e308)");
	*ret = (struct number){ .real = value };
	return 0;
}

int number_set_big(struct number *ret, BIGNUM *big, struct failure *fail)
{
	if (BN_num_bits(big) > NUMBER_MAX_BITS) {
		BN_free(big);
		return failure_set(
			fail, "overflow", "the integer has more than %d bits", NUMBER_MAX_BITS);
	}
	*ret = (struct number){ .big = big };
	return 0;
}

int number_copy(struct number *ret, const struct number *n)
{
	*ret = (struct number){ .big = n->big ? bn_copy(n->big) : NULL, .real = n->real };
	return 0;
}

static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	return (unsigned)((c | 0x20) - 'a') + 10;
}

int number_set_digits(
	struct number *ret, const char *digits, size_t len, int base, struct failure *fail)
{
	auto_bn *big = bn_new();

	while (len > 1 && *digits == '0') {
		digits++;
		len--;
	}
	/* A digit is at least one bit. */
	if (len > NUMBER_MAX_BITS)
		return failure_set(
			fail, "overflow", "the integer has more than %d bits", NUMBER_MAX_BITS);
	for (size_t i = 0; i < len; i++) {
		must(BN_mul_word(big, (BN_ULONG)base));
		must(BN_add_word(big, digit_value(digits[i])));
	}
	return number_set_big(ret, TAKE(big), fail);
}

void number_negate(struct number *n)
{
	if (n->big)
		BN_set_negative(n->big, !BN_is_negative(n->big));
	else
		n->real = -n->real;
}

bool number_is_negative(const struct number *n)
{
	return n->big ? BN_is_negative(n->big) : n->real < 0;
}

void number_split(const struct number *n, double *ret_fraction, long *ret_exponent)
{
	uint64_t top;
	int shift;
	int exponent;

	if (!n->big) {
		*ret_fraction = frexp(n->real, &exponent);
		*ret_exponent = exponent;
		return;
	}
	shift = bn_top_bits(n->big, false, &top);
	*ret_fraction = frexp((double)top, &exponent);
	if (BN_is_negative(n->big))
		*ret_fraction = -*ret_fraction;
	*ret_exponent = (long)exponent + shift;
}

int number_to_real(const struct number *n, double *ret, struct failure *fail)
{
	double fraction;
	double value;
	long exponent;

	number_split(n, &fraction, &exponent);
	value = ldexp(fraction, (int)exponent);
	if (isinf(value))
		return failure_set(fail, "overflow",
			"the integer is larger than a double can hold (about 1.8e308)");
	*ret = value;
	return 0;
}

int number_set_whole(struct number *ret, double value, struct failure *fail)
{
	if (!isfinite(value))
		return number_set_real(ret, value, fail);
	return number_set_big(ret, bn_from_double(value), fail);
}

int number_compare(const struct number *a, const struct number *b)
{
	auto_bn *whole = NULL;
	double floored;
	int order;

	if (a->big && b->big)
		return BN_cmp(a->big, b->big);
	if (!a->big && !b->big)
		return (a->real > b->real) - (a->real < b->real);
	if (!a->big)
		return -number_compare(b, a);
	floored = floor(b->real);
	whole = bn_from_double(floored);
	order = BN_cmp(a->big, whole);
	if (order == 0 && b->real > floored)
		order = -1;
	return order;
}

/* Quotient towards minus infinity and the remainder with the divisor's sign. Either may be NULL. */
static void bn_floor_div(BIGNUM *quotient, BIGNUM *rest, const BIGNUM *a, const BIGNUM *b)
{
	auto_ctx *ctx = bn_ctx_new();

	must(BN_div(quotient, rest, a, b, ctx));
	if (BN_is_zero(rest) || BN_is_negative(rest) == BN_is_negative(b))
		return;
	must(BN_sub_word(quotient, 1));
	must(BN_add(rest, rest, b));
}

/* a / b, rounded once: also where neither fits into a double. */
static int divide_integers(
	const BIGNUM *a, const BIGNUM *b, struct number *ret, struct failure *fail)
{
	/* Enough bits in the quotient for a double, its rounding bit, and one to spare. */
	enum { QUOTIENT_BITS = 66 };
	auto_ctx *ctx = bn_ctx_new();
	auto_bn *x = bn_copy(a);
	auto_bn *y = bn_copy(b);
	auto_bn *quotient = bn_new();
	auto_bn *rest = bn_new();
	int up = QUOTIENT_BITS - (BN_num_bits(a) - BN_num_bits(b));
	uint64_t top;
	int shift;
	double value;

	must(up >= 0 ? BN_lshift(x, x, up) : BN_lshift(y, y, -up));
	must(BN_div(quotient, rest, x, y, ctx));
	shift = bn_top_bits(quotient, !BN_is_zero(rest), &top);
	value = ldexp((double)top, shift - up);
	if (BN_is_negative(a) != BN_is_negative(b))
		value = -value;
	return number_set_real(ret, value, fail);
}

/* Positive exponent: exact. The size is checked before the work. */
static int power_integers(
	const BIGNUM *a, const BIGNUM *b, struct number *ret, struct failure *fail)
{
	auto_ctx *ctx = bn_ctx_new();
	auto_bn *result = bn_new();
	bool tiny = BN_is_zero(a) || BN_abs_is_word(a, 1);
	uint64_t exponent;

	if (tiny) {
		must(BN_is_zero(b) ? BN_one(result) : BN_copy(result, a) != NULL);
		if (!BN_is_zero(b) && !BN_is_odd(b))
			BN_set_negative(result, 0);
		return number_set_big(ret, TAKE(result), fail);
	}
	exponent = BN_num_bits(b) > 16 ? UINT16_MAX : bn_to_u64(b);
	if (((uint64_t)BN_num_bits(a) - 1) * exponent > NUMBER_MAX_BITS)
		return failure_set(
			fail, "overflow", "the power has more than %d bits", NUMBER_MAX_BITS);
	must(BN_exp(result, a, b, ctx));
	return number_set_big(ret, TAKE(result), fail);
}

static int divided_by_zero(struct failure *fail)
{
	return failure_set(fail, "division_by_zero", "the divisor is zero");
}

static int binary_integers(enum number_op op, const BIGNUM *a, const BIGNUM *b, struct number *ret,
	struct failure *fail)
{
	auto_ctx *ctx = bn_ctx_new();
	auto_bn *result = bn_new();
	auto_bn *rest = bn_new();

	switch (op) {
	case NUMBER_ADD:
		must(BN_add(result, a, b));
		break;
	case NUMBER_SUB:
		must(BN_sub(result, a, b));
		break;
	case NUMBER_MUL:
		must(BN_mul(result, a, b, ctx));
		break;
	case NUMBER_FLOOR_DIV:
		bn_floor_div(result, rest, a, b);
		break;
	case NUMBER_MOD:
		bn_floor_div(result, rest, a, b);
		return number_set_big(ret, TAKE(rest), fail);
	case NUMBER_DIV:
		return divide_integers(a, b, ret, fail);
	case NUMBER_POW:
		return power_integers(a, b, ret, fail);
	}
	return number_set_big(ret, TAKE(result), fail);
}

/* The remainder with the divisor's sign, zero included. */
static double floor_mod(double a, double b)
{
	double rest = fmod(a, b);

	if (rest == 0)
		return copysign(0, b);
	return (rest < 0) == (b < 0) ? rest : rest + b;
}

/* By way of the remainder, which is exact: a / b may round up to an integer that it does not reach. */
static double floor_div(double a, double b)
{
	double rest = fmod(a, b);
	double quotient = (a - rest) / b;
	double floored;

	if (rest != 0 && (rest < 0) != (b < 0))
		quotient -= 1;
	if (quotient == 0)
		return copysign(0, a / b);
	floored = floor(quotient);
	return quotient - floored > 0.5 ? floored + 1 : floored;
}

static int binary_reals(
	enum number_op op, double a, double b, struct number *ret, struct failure *fail)
{
	double value = 0;

	switch (op) {
	case NUMBER_ADD:
		value = a + b;
		break;
	case NUMBER_SUB:
		value = a - b;
		break;
	case NUMBER_MUL:
		value = a * b;
		break;
	case NUMBER_DIV:
		value = a / b;
		break;
	case NUMBER_FLOOR_DIV:
		value = floor_div(a, b);
		break;
	case NUMBER_MOD:
		value = floor_mod(a, b);
		break;
	case NUMBER_POW:
		if (a == 0 && b < 0)
			return failure_set(fail, "division_by_zero",
				"zero cannot be raised to a negative power");
		value = pow(a, b);
		break;
	}
	return number_set_real(ret, value, fail);
}

int number_binary(enum number_op op, const struct number *a, const struct number *b,
	struct number *ret, struct failure *fail)
{
	bool divides = op == NUMBER_DIV || op == NUMBER_FLOOR_DIV || op == NUMBER_MOD;
	double x = 0;
	double y = 0;

	if (divides && (b->big ? BN_is_zero(b->big) : b->real == 0))
		return divided_by_zero(fail);
	if (a->big && b->big && !(op == NUMBER_POW && BN_is_negative(b->big)))
		return binary_integers(op, a->big, b->big, ret, fail);
	if (number_to_real(a, &x, fail) < 0 || number_to_real(b, &y, fail) < 0)
		return -EINVAL;
	return binary_reals(op, x, y, ret, fail);
}

/* Rounds n (and `sticky` below it, away from zero) to a multiple of 10^zeros, half to even. */
static BIGNUM *round_to_power(const BIGNUM *n, bool sticky, unsigned long zeros)
{
	auto_ctx *ctx = bn_ctx_new();
	auto_bn *unit = bn_from_u64(1);
	auto_bn *quotient = bn_new();
	auto_bn *twice_rest = bn_new();
	int order;

	for (unsigned long i = 0; i < zeros; i++)
		must(BN_mul_word(unit, 10));
	must(BN_div(quotient, twice_rest, n, unit, ctx));
	BN_set_negative(quotient, 0);
	must(BN_lshift1(twice_rest, twice_rest));
	order = BN_ucmp(twice_rest, unit);
	if (order > 0 || (order == 0 && (sticky || BN_is_odd(quotient))))
		must(BN_add_word(quotient, 1));
	must(BN_mul(quotient, quotient, unit, ctx));
	BN_set_negative(quotient, BN_is_negative(n));
	return TAKE(quotient);
}

/* printf rounds the exact decimal value, half to even: what multiplying by 10^digits cannot do. */
static int round_fraction(double value, int digits, struct number *ret, struct failure *fail)
{
	auto_free char *text = alloc_printf("%.*f", digits, value);

	return number_set_real(ret, strtod(text, NULL), fail);
}

int number_round(const struct number *n, long digits, struct number *ret, struct failure *fail)
{
	/* A double has no more than 1074 digits behind its point. */
	enum { MOST_DIGITS = 1074 };
	struct number rounded = { 0 };
	auto_bn *whole = NULL;
	int r;

	if (digits < -MAX_ROUND_DIGITS)
		digits = -MAX_ROUND_DIGITS;
	if (digits >= 0 && n->big)
		return number_copy(ret, n);
	if (digits >= 0)
		return round_fraction(
			n->real, digits > MOST_DIGITS ? MOST_DIGITS : (int)digits, ret, fail);
	if (n->big)
		return number_set_big(
			ret, round_to_power(n->big, false, 0 - (unsigned long)digits), fail);
	whole = bn_from_double(trunc(n->real));
	rounded.big = round_to_power(whole, n->real != trunc(n->real), 0 - (unsigned long)digits);
	r = number_to_real(&rounded, &rounded.real, fail);
	if (r == 0)
		*ret = (struct number){ .real = copysign(rounded.real, n->real) };
	BN_free(rounded.big);
	return r;
}

/* Shortest "d.ddde±xx" that reads back as `value`. */
static void shortest_digits(double value, char *text, size_t size)
{
	for (int precision = 0; precision < DBL_DECIMAL_DIG; precision++) {
		(void)snprintf(text, size, "%.*e", precision, value);
		if (strtod(text, NULL) == value)
			return;
	}
}

static char *real_text(double value)
{
	char text[40];
	const char *e;
	int exponent;
	int digits;

	shortest_digits(value, text, sizeof(text));
	e = strchr(text, 'e');
	if (!e)
		return alloc_str(text);
	exponent = (int)strtol(e + 1, NULL, 10);
	if (exponent < -4 || exponent >= DOUBLE_FIXED_EXPONENT)
		return alloc_str(text);
	/* Behind the first digit stand a point and the others, or nothing. */
	digits = (int)(e - text) - (text[0] == '-') - 1;
	digits = (digits > 0 ? digits - 1 : 0) - exponent;
	return alloc_printf("%.*f", digits < 1 ? 1 : digits, value);
}

char *number_text(const struct number *n)
{
	char *digits;
	char *text;

	if (!n->big)
		return real_text(n->real);
	digits = BN_bn2dec(n->big);
	must(digits != NULL);
	text = alloc_str(digits);
	OPENSSL_free(digits);
	return text;
}

json_t *number_json(const struct number *n)
{
	struct failure fail;
	double real = 0;

	if (n->big && BN_num_bits(n->big) <= 63) {
		int64_t value = (int64_t)bn_to_u64(n->big);

		return json_integer(BN_is_negative(n->big) ? -value : value);
	}
	if (number_to_real(n, &real, &fail) < 0)
		real = BN_is_negative(n->big) ? -DBL_MAX : DBL_MAX;
	return json_real(real);
}
