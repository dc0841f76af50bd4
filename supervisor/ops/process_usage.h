/* What the kernel knows of a process: for /metrics and the status. Source: proc(5), /proc/PID/stat. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/cleanup.h"

struct process_usage {
	int64_t cpu_us;     /* with its children that it has waited for */
	int64_t own_cpu_us; /* without them */
	int64_t resident_bytes;
	int64_t virtual_bytes;
	int64_t start_ticks; /* since the start of the system */
};

/* `pid` 0: this one. 0 or -errno; some microseconds. */
int process_usage_read(pid_t pid, struct process_usage *ret) must_check;

/* The same from the text of /proc/PID/stat. -EBADMSG: it is none. */
int process_usage_parse(const char *text, struct process_usage *ret) must_check;

/* Of several processes together. Who adds up many bounds what it costs: those beyond `max_read` are not looked at, and
 * the sum is not known then. */
struct process_usage_sum {
	int64_t cpu_us;
	int64_t resident_bytes;
	bool is_partial; /* not all were read: neither number means anything */
};

/* Adds a process; `pid` 0, and one that has just ended, is none. *n_read counts over all sums, and is at most
 * `max_read`. True and *ret: it was read. */
bool process_usage_add(struct process_usage_sum *sum, pid_t pid, unsigned *n_read,
	unsigned max_read, struct process_usage *ret);
