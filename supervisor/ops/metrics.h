/* GET /metrics: numbers for Prometheus, in its text format 0.0.4 or, for whoever accepts it, OpenMetrics 1.0.
 *
 * What any MCP server has is named without a prefix (request_duration_seconds), the others begin with mcp_fleet_
 * or are the usual ones of a process. What is not known (there is no gateway, its token says no end) is left out.
 * Source: doc/metrics.md; metrics_text.h. */
#pragma once

#include "supervisor/mcp/mcp.h"
#include "supervisor/ops/health.h"
#include "supervisor/ops/otlp.h"
#include "supervisor/ops/registration.h"

struct metrics;

/* All is borrowed and must outlive it. */
struct metrics_parts {
	struct loop *loop;
	const struct mcp *mcp;
	const struct conf *conf;
	const struct health *health;
	const struct registration *registration;
	const struct otlp *otlp;
	const struct courier *courier;
	const struct tls *(*get_tls)(void *arg); /* NULL: no certificate is used */
	void *arg;
};

struct metrics *metrics_new(const struct metrics_parts *parts);
void metrics_free(struct metrics *metrics);
void metrics_set_conf(struct metrics *metrics, const struct conf *conf);

/* Fills one route. Whoever serves it wants numbers: from now on the loop's lag is measured. */
enum { METRICS_ROUTES = 1 };
void metrics_get_routes(struct metrics *metrics, struct http_route ret[METRICS_ROUTES]);

/* What the route answers. */
void metrics_write(const struct metrics *metrics, bool is_open, struct strbuf *out);
