/* What the gateway would refuse with an answer that explains nothing is found here first, and named.
 *
 * Source: ContextForge 1.0.7, its validators: names, descriptions, schemas, lengths. */
#pragma once

#include <jansson.h>

#include "shared/fail.h"

enum { PRECHECK_MAX_NAME = 128 /* slug, hyphen and tool name together */ };

/* A peer of this name and description with these tools (full tool objects): 0, or -EINVAL with words. */
int precheck_peer(const char *gateway_name, const char *description, json_t *tools,
	struct fail *fail) must_check;
int precheck_tag(const char *tag, struct fail *fail) must_check;
