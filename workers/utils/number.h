/* The calculator's numbers: exact integers of up to 4096 bits, and IEEE doubles.
 *
 * The rules are Python's: two integers give an integer, an integer and a double give a double, `/`
 * always gives a double, `//` and `%` round towards minus infinity. Infinity and NaN are never the
 * value of a number: they are the failures overflow and domain_error. */
#pragma once

#include <jansson.h>
#include <openssl/bn.h>
#include <stdbool.h>
#include <stdint.h>

#include "workers/common/failure.h"

enum { NUMBER_MAX_BITS = 4096 };

/* Zeroed: no number; number_done() may be called. */
struct number {
	BIGNUM *big; /* NULL: a double */
	double real;
};

enum number_op {
	NUMBER_ADD,
	NUMBER_SUB,
	NUMBER_MUL,
	NUMBER_DIV,
	NUMBER_FLOOR_DIV,
	NUMBER_MOD,
	NUMBER_POW
};

void number_done(struct number *n);

/* Makers: *ret is overwritten, so it must hold nothing. */
void number_set_int(struct number *ret, int64_t value);
int number_set_real(struct number *ret, double value, struct failure *fail) must_check;
int number_copy(struct number *ret, const struct number *n) must_check; /* always 0 */
/* Takes over `big`; overflow when it has too many bits. */
int number_set_big(struct number *ret, BIGNUM *big, struct failure *fail) must_check;
/* Decimal digits, or those of base 2, 8, 16; nothing else may stand there. */
int number_set_digits(struct number *ret, const char *digits, size_t len, int base,
	struct failure *fail) must_check;

int number_binary(enum number_op op, const struct number *a, const struct number *b,
	struct number *ret, struct failure *fail) must_check;

void number_negate(struct number *n);
bool number_is_negative(const struct number *n);                    /* less than zero */
int number_compare(const struct number *a, const struct number *b); /* exact; <0, 0, >0 */

/* The nearest double; overflow when the integer is beyond the range of doubles. */
int number_to_real(const struct number *n, double *ret, struct failure *fail) must_check;

/* n = ret_fraction * 2^ret_exponent with the fraction in [0.5, 1) or its negative: also for integers
 * that no double can hold. */
void number_split(const struct number *n, double *ret_fraction, long *ret_exponent);

/* An integer from a double without a fraction (floor() and its like). */
int number_set_whole(struct number *ret, double value, struct failure *fail) must_check;

/* Rounds half to even at 10^-digits; keeps the kind of number. */
int number_round(const struct number *n, long digits, struct number *ret, struct failure *fail)
	must_check;

/* All digits of an integer; the shortest text that reads back as the same double. Yours to free. */
char *number_text(const struct number *n) must_check;

/* The nearest number that JSON programs can hold: an integer of 64 bits or a double; an integer beyond
 * the range of doubles is the largest double. A new reference. */
json_t *number_json(const struct number *n) must_check;
