/* The protocol revisions that open with initialize, and what differs between them for us.
 *
 * Code asks for a feature, never for a revision's name. Source: protocol revisions 2024-11-05 to
 * 2025-11-25, basic/lifecycle "Version Negotiation". */
#pragma once

#include "shared/jspan.h"

enum revision {
	REV_2024_11_05,
	REV_2025_03_26,
	REV_2025_06_18,
	REV_2025_11_25,
	REVISIONS,
};

#define REV_LATEST REV_2025_11_25

const char *revision_name(enum revision revision);

/* The revision to answer with: the one asked for, or the latest when we do not know it. */
enum revision revision_negotiate(struct jspan asked);

/* An error whose request id could not be read: leave `id` out (true), or send null. */
bool revision_omits_null_id(enum revision revision);

/* One text may be an array of messages; the first revision, which does not speak of them, has them on
 * stdio only. */
bool revision_takes_batches(enum revision revision, bool on_stdio);
