/* Arithmetic expressions with Python's operators and precedence: + - * / // % **, parentheses, numbers
 * (also 0x, 0o, 0b and exponents), pi, e, tau, and the functions of functions.h. Nothing else. */
#pragma once

#include "workers/utils/number.h"

/* Limits of one expression. */
enum {
	EXPRESSION_MAX_CHARS = 4096,
	EXPRESSION_MAX_LEVELS = 200,
	EXPRESSION_MAX_MS = 50, /* of processor time */
};

/* 0: *ret is the value, number_done() it. Else a failure with bad_expression, division_by_zero,
 * overflow, domain_error or timeout, and the column where. */
int expression_eval(const char *text, struct number *ret, struct failure *fail) must_check;
