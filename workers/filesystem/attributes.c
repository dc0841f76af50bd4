/* See attributes.h. */
#include "workers/filesystem/attributes.h"

#include <stdint.h>
#include <stdio.h>

#define FIRST_SECOND INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST_SECOND INT64_C(253402300799)  /* 9999-12-31T23:59:59Z */

const char *attributes_type(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "device";
	}
}

void attributes_time(struct timespec time, char ret[ATTRIBUTES_TIME_SIZE])
{
	time_t seconds = time.tv_sec;
	struct tm tm;

	if (seconds < FIRST_SECOND)
		seconds = FIRST_SECOND;
	if (seconds > LAST_SECOND)
		seconds = LAST_SECOND;
	(void)gmtime_r(&seconds, &tm);
	/* %Y would leave out the zeros of early years. */
	(void)snprintf(ret, ATTRIBUTES_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d+00:00",
		tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
