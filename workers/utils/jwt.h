/* The parts of a JSON Web Token, unchecked: nobody may trust what comes out.
 *
 * Source: RFC 7519; RFC 7515, section 7.1 (compact serialisation). */
#pragma once

#include <jansson.h>

#include "shared/fail.h"

/* Reads header and payload, both JSON objects, as new references.
 * -EINVAL: fail->text says which part is wrong, and why. */
int jwt_read(const char *token, json_t **ret_header, json_t **ret_payload, struct fail *fail)
	must_check;
