/* Changes a JSON file of somebody else at one place, and nothing beside: comments, order, indentation, line
 * breaks and trailing commas stay as they are, and what is added looks like what is there. */
#pragma once

#include <jansson.h>

#include "ctl/jsonc.h"
#include "shared/fail.h"
#include "shared/strbuf.h"

/* Puts `value` at `path`, names that end with NULL, into `ret`, the whole new text; objects that are not there
 * are made, a value that is there is replaced. -EINVAL: there is something else than an object on the
 * way, or a name twice; the words begin with line:column. */
int jsonc_set(const struct jsonc *doc, const char *const *path, json_t *value, struct strbuf *ret,
	struct fail *fail) must_check;

/* Takes the member at `path` out. A text that jsonc_set() added to an object with other members is gone
 * byte for byte afterwards. -ENOENT: it is not there. */
int jsonc_unset(const struct jsonc *doc, const char *const *path, struct strbuf *ret,
	struct fail *fail) must_check;

/* The node at `path`. -ENOENT, -EINVAL as above. */
int jsonc_find(const struct jsonc *doc, const char *const *path, uint32_t *ret, struct fail *fail)
	must_check;

/* `value` over several lines, two blanks a level, without a line break at the end. */
void jsonc_print(struct strbuf *out, json_t *value);
