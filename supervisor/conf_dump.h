/* Settings as JSON, for those who want to know what the daemon makes of a file: mcp-fleetctl, scripts. */
#pragma once

#include <jansson.h>

#include "supervisor/conf.h"

/* Every key at its place ({"limits": {"sessions": 1000}, …}), sizes in bytes, durations in milliseconds;
 * environments of workers are left out. Then, at the top, what follows from them: "path" (null: the built-in
 * default), "transport", "local_socket", "control_socket", and "state_dir", which the caller has found (null: none). Of a domain: "native", "remote". A new reference. */
json_t *conf_dump(const struct conf *conf, const char *state_dir) must_check;

/* What a reload changes: {"changed": [keys], "domains": [{"name", "change"}], "needs_restart": [keys]}. A new
 * reference. */
json_t *conf_dump_diff(const struct conf_diff *diff) must_check;

/* A list of texts. A new reference. */
json_t *conf_dump_texts(const struct conf_strs *texts) must_check;
