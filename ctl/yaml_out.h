/* A tree of texts as YAML that the daemon's loader reads back as the same texts, whatever is in them. */
#pragma once

#include <jansson.h>

#include "shared/strbuf.h"

/* Objects become mappings, arrays lists in one line, everything else a text, in quotes where another reader of
 * YAML could take it for something else. Texts must be UTF-8 without NUL. */
void yaml_print(struct strbuf *out, json_t *tree);
