/* name=value words of a command line as the arguments of a tool, by its inputSchema.
 *
 * The schema is foreign: it is looked at only so far, and what it does not say is guessed in a way that is
 * written down: name=value without a type is JSON where that gives a number, a truth value, an array or an
 * object, else a text. */
#pragma once

#include <jansson.h>

#include "shared/fail.h"

/* Sets one argument in `args`:
 *
 *   name=value   by the type in the schema
 *   name:=JSON   whatever the schema says
 *   name=@FILE   the text of a file; name:=@FILE: JSON of a file ("-" is standard input)
 *
 * 0, or -errno with words: -EINVAL (the word is wrong), what reading the file gave. `schema` may be NULL:
 * nothing is known of the tool. */
int call_value_add(json_t *args, json_t *schema, const char *word, struct fail *fail) must_check;

/* The arguments as one object: JSON, "-" for standard input, @FILE. NULL with words. */
json_t *call_value_read(const char *text, struct fail *fail) must_check;
