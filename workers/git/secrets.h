/* Looks for passwords, keys and tokens in lines that are about to be committed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shared/fail.h"
#include "shared/schema.h"

struct secrets;

/* The built-in patterns and `more`, all without regard to case.
 * -EINVAL: one of `more` is no regular expression; fail->text says which and where. */
int secrets_new(const struct str_list *more, struct secrets **ret, struct fail *fail) must_check;
void secrets_free(struct secrets *secrets);
DEFINE_FREEP(struct secrets, secrets_free)

/* One line of bytes (not NUL-terminated, any encoding). 1: it looks like a secret. 0: it does not.
 * -ELOOP: a pattern needs too much work for this line, so nobody knows. */
int secrets_match(struct secrets *secrets, const char *line, size_t len) must_check;
