/* What the operator decides about the filesystem tools: the keys of domains.filesystem. */
#pragma once

#include "shared/schema.h"

struct filesystem_settings {
	bool protect_git_dir;
	bool use_client_roots; /* see client_roots.h */
	bool code_tools;
	struct str_list code_tools_path; /* NULL items: the default, /usr/bin and /usr/local/bin */
};

extern const struct param filesystem_settings_params[];

/* tool.is_offered of the code tools. `settings`: struct filesystem_settings. */
bool filesystem_has_code_tools(const void *settings);
