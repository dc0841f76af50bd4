/* The inside of /metrics: shared by metrics.c (the route, the daemon as a whole), metrics_front.c (what clients do),
 * metrics_fleet.c (domains), metrics_process.c (what the kernel knows), metrics_outward.c (TLS,
 * audit, spans) and metrics_gateway.c. */
#pragma once

#include "supervisor/ops/metrics.h"
#include "supervisor/ops/metrics_text.h"

struct metrics {
	struct metrics_parts parts;
	int64_t began_ms;
	int64_t started_us; /* the process, wall time: looked at once, or it would move with each step of the clock */
	struct timer *lag_timer;
	int64_t lag_due_us;
	struct histogram lag;
};

void metrics_add_front(const struct metrics *metrics, struct metrics_text *text);
void metrics_add_limits(const struct metrics *metrics, struct metrics_text *text);
void metrics_add_domains(const struct metrics *metrics, struct metrics_text *text);
void metrics_add_process(const struct metrics *metrics, struct metrics_text *text);
void metrics_add_outward(const struct metrics *metrics, struct metrics_text *text);
void metrics_add_gateway(const struct metrics *metrics, struct metrics_text *text);

/* What the kernel knows of a process. */
struct process_usage {
	int64_t cpu_us;     /* with its children that it has waited for */
	int64_t own_cpu_us; /* without them */
	int64_t resident_bytes;
	int64_t virtual_bytes;
	int64_t start_ticks; /* since the start of the system */
};

/* `pid` 0: this one. 0 or -errno; some microseconds. */
int metrics_read_usage(pid_t pid, struct process_usage *ret) must_check;

/* The same from the text of /proc/PID/stat. -EBADMSG: it is none. */
int metrics_parse_stat(const char *text, struct process_usage *ret) must_check;

/* When this process was started, by the wall clock as it is now; 0: not known. */
int64_t metrics_get_start_us(void);
