/* Arithmetic expressions, as in Python's: see tools.md's grammar in expression.c. */
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
