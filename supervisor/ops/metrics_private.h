/* The inside of /metrics: shared by metrics.c (the route, the daemon as a whole), metrics_front.c (what clients do),
 * metrics_fleet.c (domains), metrics_process.c (what the kernel knows), metrics_outward.c (TLS,
 * audit, spans) and metrics_gateway.c. */
#pragma once

#include "supervisor/ops/metrics.h"
#include "supervisor/ops/metrics_text.h"
#include "supervisor/ops/process_usage.h"

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

/* When this process was started, by the wall clock as it is now; 0: not known. */
int64_t metrics_get_start_us(void);
