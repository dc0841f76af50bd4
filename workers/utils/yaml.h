/* YAML and JSON, one into the other.
 *
 * YAML is read by the core schema of YAML 1.2: yes, no, on, off and dates are text. What JSON cannot
 * hold (.inf, .nan, names that are no scalars, unknown tags, several documents) is an error. */
#pragma once

#include "shared/strbuf.h"
#include "workers/common/failure.h"
#include "workers/utils/json_tree.h"

enum { YAML_MAX_NODES = 1000000 /* after aliases were expanded */ };

/* Appends the tree as YAML in block style. Numbers keep their digits.
 * A failure is too_large (`out` would have more than max_bytes) or internal. */
int yaml_from_json(const struct json_tree *tree, size_t max_bytes, struct strbuf *out,
	struct failure *fail) must_check;

/* Appends the text's one document as compact JSON (an empty text is null).
 * A failure is bad_yaml with line and column, or too_large. */
int yaml_to_compact_json(const char *text, size_t len, size_t max_bytes, struct strbuf *out,
	struct failure *fail) must_check;
