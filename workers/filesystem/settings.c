#include "workers/filesystem/settings.h"

const struct param filesystem_settings_params[] = {
	PARAM(filesystem_settings, protect_git_dir, .def_bool = true,
		.doc = "Close .git directories to writing."),
	PARAM(filesystem_settings, use_client_roots,
		.doc = "Narrow the roots by those of the client for its calls."),
	PARAM(filesystem_settings, code_tools, .def_bool = true, .doc = "Linters may be run."),
	PARAM(filesystem_settings, code_tools_path, AT_MOST(16),
		.doc = "Where linters are looked for. Default: /usr/bin, /usr/local/bin."),
	{ 0 },
};

bool filesystem_has_code_tools(const void *settings)
{
	const struct filesystem_settings *s = settings;

	return s->code_tools;
}
