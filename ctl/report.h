/* What the registrar reports of the gateway: judged, and printed. Its form: doc/control.md, "gateway". */
#pragma once

#include <jansson.h>

#include "ctl/live.h"
#include "ctl/verb.h"
#include "shared/strbuf.h"

/* How many of the domains (and of the virtual server, where there is one) are as was asked. */
struct report_count {
	size_t n, n_good;
};

/* `names` (NULL at the end; NULL: all) limits it to some domains. `state` is what is wanted: "registered", or
 * "unregistered". */
struct report_count report_count(const json_t *report, const char *const *names, const char *state);

/* 0 all, 4 some, 1 none of them. */
enum ctl_exit report_judge(const struct report_count *count);

/* Whether the gateway answers and takes us: "connected". */
bool report_is_connected(const json_t *report);

/* The domains that --domain named, NULL at the end; the array alone is the caller's. NULL: none was, which means
 * all. */
const char **report_take_names(const struct ctl_args *args) must_check;
/* As "domains", if there are any. False: one is not UTF-8; without it the list would mean something else. */
bool report_add_names(json_t *params, const char *const *names) must_check;

/* For client_call_long(): draws what goes on. */
/* Where no gateway is known. */
#define REPORT_HOW_TO_REGISTER "'mcp-fleetctl register --gateway URL' registers the fleet with one"

struct report_progress {
	const char *const *names;
	struct live live;
};
void report_on_notice(void *progress, const char *method, json_t *params);

/* "git 31/31 registered", a line for each domain, for a terminal on which it goes on. */
void report_add_lines(struct strbuf *out, const json_t *report, const char *const *names);

/* A table, and below it what is wrong, each with what to do. */
void report_print(const struct ctl *ctl, const json_t *report, const char *const *names);

/* Each entry that is not as it should be, a line. */
void report_print_drift(const struct ctl *ctl, const json_t *report);
