/* Numbers of a command line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Digits only, at most `max`. False: it is none; *ret stays. */
bool number_read(const char *text, uint64_t max, uint64_t *ret);

/* "10", "0.5": seconds with at most three places, from 0.001 to `max_s`, as milliseconds. */
bool number_read_seconds(const char *text, int64_t max_s, int64_t *ret_ms);
