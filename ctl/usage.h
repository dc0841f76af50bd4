/* What a process uses, read from /proc. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct usage {
	uint64_t rss_bytes;
	uint64_t cpu_ms; /* user and system, since it began */
	uint64_t began;  /* in ticks since the boot: with the pid it names the process */
	int64_t read_us; /* an instant of clock_now_us() */
};

/* False: there is no such process, or it may not be looked at. */
bool usage_read(pid_t pid, struct usage *ret);

/* The same of the text of /proc/PID/stat and statm. */
bool usage_parse(const char *stat, const char *statm, struct usage *ret);

/* In percent of one processor, between two readings; negative: they are not of one process. */
double usage_cpu_percent(const struct usage *now, const struct usage *before);
