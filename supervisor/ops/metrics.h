/* GET /metrics: numbers for Prometheus, in its text format 0.0.4.
 *
 * On the listener of admin.listen only. Names begin with mcp_fleet_; a metric that is not known (there is no
 * gateway, its token says no end) is left out. Source: Prometheus, "Exposition formats"; doc/metrics.md. */
#pragma once

#include "supervisor/ops/health.h"
#include "supervisor/ops/otlp.h"
#include "supervisor/ops/registration.h"

struct metrics;

/* All is borrowed and must outlive it. */
struct metrics *metrics_new(
	struct loop *loop, const struct health *health, const struct registration *registration);
/* Those of spans and of the courier are shown from now on. */
void metrics_use_spans(
	struct metrics *metrics, const struct otlp *otlp, const struct courier *courier);
void metrics_free(struct metrics *metrics);

/* Fills one route. */
enum { METRICS_ROUTES = 1 };
void metrics_get_routes(struct metrics *metrics, struct http_route ret[METRICS_ROUTES]);
