/* The command line of mcp-fleetctl, read by the tables of the verbs. */
#pragma once

#include "ctl/verb.h"

enum args_verdict {
	ARGS_RUN,
	ARGS_DONE,  /* --help or --version: printed */
	ARGS_WRONG, /* said on standard error */
};

struct ctl_args {
	const struct verb *verb;
	const struct ctl_option *options[64]; /* as they were given, the global ones included */
	const char *values[64];               /* NULL: a flag */
	size_t n_options;
	char **rest; /* points into argv */
	size_t n_rest;
};

/* Those of every verb stand before or behind the verb, its own ones behind it, where they may take the place of
 * those of every verb; either may stand between and
 * behind the arguments, up to a "--". What is wrong is said on standard error. Reorders argv. */
enum args_verdict args_parse(int argc, char **argv, struct ctl *ret_ctl, struct ctl_args *ret);

/* Those of every verb; ends with name NULL. */
extern const struct ctl_option global_options[];

const struct verb *args_find_verb(const char *name);

/* In a list that ends with name NULL, or is NULL; NULL: there is none. */
const struct ctl_option *args_find_long(
	const struct ctl_option *options, const char *name, size_t len);
const struct ctl_option *args_find_letter(const struct ctl_option *options, char letter);
/* One of `choices`, which are separated by blanks. */
bool args_is_choice(const char *choices, const char *value);

/* To standard output. */
void args_print_help(const struct verb *verb); /* NULL: of the whole program */
