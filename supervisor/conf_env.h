/* Environment variables in settings: in the mapping `env`, and in the file that `env_file` names.
 *
 * The file is for secrets: it is refused when others may read it, and no message repeats a value. Its
 * lines are NAME=value. A value is what stands behind the first =, with all its blanks (a carriage return
 * at the end belongs to the line break); one that begins with " is a JSON string, for what would not be
 * one line otherwise. Blank lines and those that begin with # are passed over. */
#pragma once

#include "supervisor/conf.h"

enum {
	CONF_ENV_MAX_BYTES = 32768, /* of one value */
	CONF_ENV_MAX = 256,         /* variables of one domain */
};

bool conf_env_is_name(const char *name);

void conf_env_add(struct conf_envs *envs, const char *name, const char *value);
void conf_env_clear(struct conf_envs *envs);

/* Appends what stands in the text; `envs` may have some of it afterwards, also after an error.
 * -EINVAL: the words begin with path:line. A name that is in `envs` already is an error too. */
int conf_env_parse(const char *path, const char *text, size_t len, struct conf_envs *envs,
	struct fail *fail) must_check;

/* The same from a file. -EPERM: others may read it. */
int conf_env_read_file(const char *path, struct conf_envs *envs, struct fail *fail) must_check;
