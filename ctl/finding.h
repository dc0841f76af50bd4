/* What mcp-fleetctl doctor finds: one thing that was looked at, how it is, and what to do. */
#pragma once

#include <jansson.h>

#include "ctl/verb.h"

enum finding_result {
	FINDING_OK,
	FINDING_WARN,
	FINDING_FAIL,
	FINDING_SKIP, /* could not be looked at; the text says why */
};

struct findings {
	json_t *items; /* [{check, subject, result, text, remedy}], as --json has them */
	unsigned n[FINDING_SKIP + 1];
};

void findings_init(struct findings *findings);
void findings_done(struct findings *findings);

/* `check` is the stable name of what was looked at ("listener"), `subject` of which one (NULL: there is but
 * one), `remedy` what to do (NULL: nothing). All are copied, and may be foreign. */
void finding_add(struct findings *findings, enum finding_result result, const char *check,
	const char *subject, const char *remedy, const char *fmt, ...) printf_like(6, 7);

/* All of them, on a terminal with ticks in colour, or as JSON. */
void findings_print(const struct ctl *ctl, const struct findings *findings);
