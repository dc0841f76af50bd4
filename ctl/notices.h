/* What the daemon tells while an answer is awaited: kept in order until it is asked for, within bounds. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "shared/cleanup.h"

struct notice;

/* All zero: empty. */
struct notices {
	struct notice *items; /* a ring is not worth it: they are few */
	size_t n;
	size_t first;
	size_t bytes;
};

/* False: there is no room any more. A daemon that tells so much instead of answering is broken. */
bool notices_add(struct notices *notices, const json_t *message) must_check;
/* The oldest; both are the caller's, *ret_params may be NULL. False: there is none. */
bool notices_take(struct notices *notices, char **ret_method, json_t **ret_params) must_check;
bool notices_is_empty(const struct notices *notices);
void notices_done(struct notices *notices);
