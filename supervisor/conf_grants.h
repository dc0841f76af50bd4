/* The type of auth.scopes: a mapping of a token's scopes to what they allow. Used by conf_type.c only. */
#pragma once

#include "supervisor/conf_type.h"

/* As the functions of other types: the field is a struct conf_grants. */
int conf_grants_decode(const struct conf_decoder *dec, const struct conf_node *node, void *field)
	must_check;
void conf_grants_clear(void *field);
bool conf_grants_equal(const void *a, const void *b);
json_t *conf_grants_json(const void *field) must_check;
