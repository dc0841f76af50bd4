/* What `top` shows: how busy the domains and their processes were between two statuses of the daemon. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "ctl/latency.h"
#include "ctl/usage.h"
#include "shared/cleanup.h"

/* A domain, a process of it, or the daemon. */
struct load {
	const char *name; /* borrowed of the status */
	const char *state;
	pid_t pid;               /* 0: a domain, or no process */
	double calls_per_second; /* negative: not known yet */
	struct latency p50, p99; /* of the window */
	int64_t in_flight;
	int64_t queued; /* of domains only */
	bool has_usage;
	uint64_t rss_bytes;
	double cpu_percent; /* negative: not known yet */
	size_t first, n;    /* of a domain: its processes in load_view.processes */
};

enum load_order {
	LOAD_BY_NAME, /* as the daemon lists them */
	LOAD_BY_CALLS,
	LOAD_BY_LATENCY, /* p99 */
	LOAD_BY_QUEUE,
	LOAD_BY_MEMORY,
	LOAD_BY_CPU,
};

struct load_view {
	struct load daemon;
	struct load *domains;
	size_t n_domains;
	struct load *processes;
	size_t n_processes;
};

/* One status, with what the processes use: taken when it comes. */
struct load_sample;

struct load_sample *load_sample_new(json_t *status); /* takes a reference of its own */
void load_sample_free(struct load_sample *sample);
DEFINE_FREEP(struct load_sample, load_sample_free)
json_t *load_sample_get(const struct load_sample *sample); /* the status, borrowed */

/* Of `now`, with rates since `before` (NULL: none are known). Names are borrowed of `now`. */
void load_view_make(const struct load_sample *now, const struct load_sample *before,
	enum load_order order, struct load_view *ret);
void load_view_done(struct load_view *view);
