/* Time. Instants are monotonic milliseconds; wall time is for logs and for people only. */
#pragma once

#include <stdint.h>

#include "shared/cleanup.h"

#define CLOCK_SECOND_MS INT64_C(1000)

/* CLOCK_MONOTONIC in milliseconds. */
int64_t clock_now_ms(void);

/* The same in microseconds, for short spans. */
int64_t clock_now_us(void);

/* Wall time: milliseconds since 1970. */
int64_t clock_wall_ms(void);

/* Wall time as RFC 3339 in UTC with milliseconds, "2026-01-31T12:00:00.000Z", into `ret`. */
enum { CLOCK_TEXT_SIZE = 32 };
void clock_wall_text(char ret[CLOCK_TEXT_SIZE]);

/* The same for what clock_wall_ms() said. */
void clock_ms_text(int64_t wall_ms, char ret[CLOCK_TEXT_SIZE]);
