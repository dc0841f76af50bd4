/* The type of domains.NAME.tools.override: a mapping of tools and what is told of them instead of what
 * their workers say. Used by conf_type.c only. */
#pragma once

#include "supervisor/conf_type.h"

/* As the functions of other types: the field is a struct conf_overrides. */
int conf_overrides_decode(const struct conf_decoder *dec, const struct conf_node *node, void *field)
	must_check;
void conf_overrides_clear(void *field);
bool conf_overrides_equal(const void *a, const void *b);
