/* GET /health and GET /ready: what a machine asks of us. Never green while a required domain is dead or
 * lists no tools (promise 6). */
#pragma once

#include <jansson.h>

#include "supervisor/front/httpd.h"
#include "supervisor/mcp/mcp.h"

struct health;

/* `conf` is borrowed until health_set_conf(). */
struct health *health_new(struct loop *loop, struct mcp *mcp, const struct conf *conf);
void health_free(struct health *health);
void health_set_conf(struct health *health, const struct conf *conf);
void health_set_stopping(struct health *health);

/* Why the fleet is not ready, as in /ready: a list of texts, empty when it is. The caller's. */
json_t *health_make_reasons(const struct health *health) must_check;

/* What the domain's workers are confined by, and what of it this system cannot enforce (appended). */
const char *health_get_sandbox(
	const struct health *health, const char *domain, struct strbuf *missing);

/* Fills two routes. */
enum { HEALTH_ROUTES = 2 };
void health_get_routes(struct health *health, struct http_route ret[HEALTH_ROUTES]);

/* "2/2 domains up, 47 tools, 3 sessions" appended: the STATUS line for systemd. */
void health_add_summary(const struct health *health, struct strbuf *out);
