/* The state of the whole fleet in one answer. */
#pragma once

#include <jansson.h>

/* The result of gateway_get_capabilities, a new reference. `clusters` maps a domain to {name, summary,
 * healthy, tools, version}, and is borrowed; NULL: this worker was started by hand. */
json_t *gateway_describe(json_t *clusters);
