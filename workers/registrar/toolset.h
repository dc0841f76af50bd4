/* The tools of a domain beside those that the gateway found. Pure.
 *
 * Its public names are never computed: they have a separator that can be configured. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/strbuf.h"

struct toolset {
	int64_t n_found; /* of ours */
	int64_t n_extra; /* that we do not have (any more) */
	bool is_same;    /* descriptions and schemas are ours too */
	char first_missing[129];
};

/* `ours` as MCP's tools/list has them, `theirs` as GET /v1/tools answers. False: that is no such list. */
bool toolset_compare(json_t *ours, json_t *theirs, struct toolset *ret);

/* [{"id", "enabled"}] of an answer of GET /v1/tools. A new reference. */
json_t *toolset_ids(json_t *theirs) must_check;
