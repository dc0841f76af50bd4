/* The forms that configuration files of clients use for what differs from machine to machine:
 *
 *   ${VAR} ${VAR:-default}     a variable of the environment (Claude Code)
 *   ${env:VAR}                 the same (Visual Studio Code, Cursor)
 *   ${input:ID}                an answer of the user, declared in `inputs` (Visual Studio Code)
 *   ${workspaceFolder} ${workspaceFolderBasename} ${userHome} ${pathSeparator} ${/}
 *
 * They are put in once and for all: the daemon has another environment, and nobody to ask. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "shared/fail.h"
#include "shared/strbuf.h"

struct forms {
	const char *workspace; /* NULL: not told */
	const char *home;      /* NULL: not known */
	bool can_ask;
	json_t *inputs; /* of the file: an array of {id, type, description, default, password, options} */
	json_t *given;   /* id → answer; those that were asked for are added */
	json_t *own_env; /* of the server that is being read: names that its program expands itself */
	char *(*get_env)(const char *name); /* NULL: getenv(3) */
};

/* Appends `text` with all forms put in. *ret_secret becomes true where one of them is a secret. -EINVAL: the words
 * name the form and what to do. */
int forms_expand(struct forms *forms, const char *text, struct strbuf *out, bool *ret_secret,
	struct fail *fail) must_check;
