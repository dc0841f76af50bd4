/* The settings files as one tree: fleet.yaml, then conf.d/ beside it. */
#pragma once

#include "supervisor/conf.h"
#include "supervisor/conf_yaml.h"

struct conf_files {
	char *path;             /* of fleet.yaml; NULL: there is none */
	struct conf_node *tree; /* a mapping; empty without a file */
	struct conf_strs names; /* the nodes point to them */
};

/* Reads `path`, which must be there; or, when it is NULL, `default_path`, if it is there. Then
 * every *.yaml in conf.d in byte order of their names: mappings merge key by key, all else replaces. Two
 * different commands for one domain are an error that names both places. `files` (zeroed) needs
 * conf_files_done() also after an error. */
int conf_files_read(struct conf_files *files, const char *path, const char *default_path,
	struct fail *fail) must_check;
void conf_files_done(struct conf_files *files);
