/* The forms in which people write numbers, sizes and durations, in settings and on command lines, both ways. Pure
 * functions of their texts. */
#pragma once

#include <stdint.h>

#include "shared/cleanup.h"

/* What AMOUNT_FORM_… say is what the parsers take; for messages. */
#define AMOUNT_FORM_COUNT "a whole number"
#define AMOUNT_FORM_SIZE "a size such as 512, 64KiB, 4MiB or 1GiB"
#define AMOUNT_FORM_DURATION "a duration with its unit, such as 250ms, 15s, 5m, 1h30m or 2d"

/* Digits only, no sign, no blanks. All: 0, -EINVAL for another form, -ERANGE beyond int64_t. */
int amount_parse_count(const char *text, int64_t *ret) must_check;

/* Digits and B, kB, MB, GB (decimal), KiB, MiB, GiB, or nothing (bytes). */
int amount_parse_size(const char *text, int64_t *ret) must_check;

/* Digits and unit, units from large to small: 2d, 1h30m, 1m500ms. A bare number is -EINVAL. */
int amount_parse_duration(const char *text, int64_t *ret_ms) must_check;

/* Seconds with an optional fraction of up to three digits ("0.05") as milliseconds. */
int amount_parse_seconds(const char *text, int64_t *ret_ms) must_check;

/* The shortest text that the parsers read as this value: yours to free. */
char *amount_format_size(int64_t bytes) must_check;
char *amount_format_duration(int64_t ms) must_check;
