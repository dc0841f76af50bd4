/* Questions to the person at the terminal. They go to standard error, and the answers come from standard input:
 * standard output is for results. */
#pragma once

#include <stdbool.h>

#include "shared/fail.h"

/* Somebody is there who could answer. */
bool ask_is_possible(void);

/* Prints "question [y/N] "; true for y and yes. */
bool ask_yes(const char *question);

/* Prints "question: "; *ret is the line, yours, without its break. With `is_secret` nothing is shown of what
 * is typed; the terminal is as it was afterwards, also after a signal. -ECANCELED: the end of the input. */
int ask_line(const char *question, bool is_secret, char **ret, struct fail *fail) must_check;
