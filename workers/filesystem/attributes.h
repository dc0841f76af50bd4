/* What stat(2) tells of a file, as answers show it. */
#pragma once

#include <sys/stat.h>
#include <time.h>

enum { ATTRIBUTES_TIME_SIZE = 80 };

/* "file", "directory", "symlink", "fifo", "socket", "device". */
const char *attributes_type(const struct stat *st);

/* ISO 8601 in UTC, "2026-01-31T12:00:00+00:00". Times outside of the years 1 to 9999 are shown as the
 * first or the last second of them. */
void attributes_time(struct timespec time, char ret[ATTRIBUTES_TIME_SIZE]);
