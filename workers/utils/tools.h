/* The tables of this worker's tools, one for each topic; each ends with { 0 }. */
#pragma once

#include "shared/tool.h"

extern const struct tool gateway_tools[];
extern const struct tool time_tools[];
extern const struct tool calculator_tools[];
extern const struct tool uuid_tools[];
extern const struct tool string_tools[];
extern const struct tool diff_tools[];
extern const struct tool hash_tools[];
extern const struct tool encoding_tools[];
extern const struct tool json_tools[];
extern const struct tool yaml_tools[];
extern const struct tool regex_tools[];
extern const struct tool random_tools[];
extern const struct tool number_tools[];
extern const struct tool ip_tools[];
extern const struct tool jwt_tools[];
