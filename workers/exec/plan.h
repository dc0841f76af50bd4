/* What a worker may do: the supervisor's order to mcp-fleet-exec, one JSON object. Keys that are left
 * out allow nothing and limit nothing. */
#pragma once

#include <jansson.h>

#include "shared/schema.h"

struct plan {
	const char *profile;      /* profile.h */
	const char *directory;    /* working directory; NULL: as it is */
	struct str_list read;     /* paths that must exist: read, list; execute too
	                             where the profile is not native */
	struct str_list write;    /* the same, and everything that changes files */
	struct str_list programs; /* the same as read, and execute */
	struct str_list connect;  /* TCP ports, or "any"; empty: no sockets at all */
	int64_t memory;           /* bytes; 0: no limit */
	int64_t files;            /* open files; 0: as it is */
	int64_t processes;        /* of this user; 0: as it is */
	json_t *json;             /* what the texts belong to */
};

/* 0, or -EINVAL with words. plan_done() afterwards in any case. */
int plan_read(const char *text, struct plan *ret, struct fail *fail) must_check;
void plan_done(struct plan *plan);
