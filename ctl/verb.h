/* A verb of mcp-fleetctl: its words, its options, what it does.
 *
 * One table (ctl/verbs.c) gives the parser, --help, the completions and, checked by a test, the manual
 * page. A verb's file exports its `struct verb` and nothing else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/cleanup.h"
#include "shared/fail.h"

/* The exit status. */
enum ctl_exit {
	CTL_DONE = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_UNREACHABLE = 3, /* the daemon */
	CTL_PARTLY = 4,      /* some of it was done, or is right */
};

/* What a word stands for, for the completions. */
enum ctl_word {
	CTL_WORD_NONE,
	CTL_WORD_TEXT, /* nothing to offer */
	CTL_WORD_DOMAIN,
	CTL_WORD_TOOL,
	CTL_WORD_TOOL_ARG, /* of the tool that is the first argument */
	CTL_WORD_SESSION,
	CTL_WORD_KEY, /* in the keys file of the daemon */
	CTL_WORD_FILE,
	CTL_WORD_CHOICE, /* one of `choices` */
};

struct ctl_option {
	const char *name; /* without "--" */
	char letter;      /* 0: no short form */
	const char *arg;  /* "FILE"; NULL: a flag */
	enum ctl_word word;
	const char *choices; /* CTL_WORD_CHOICE: separated by blanks */
	bool repeats;        /* may be given several times */
	const char *doc;     /* one line */
};

/* What all verbs share, from the command line and the environment. */
struct ctl {
	const char *socket; /* --socket, or MCP_FLEET_CONTROL; NULL: looked for */
	bool is_json;       /* --json */
	bool is_terminal;   /* standard output is one */
	bool has_colors;    /* it is, TERM is not dumb, and NO_COLOR is not set */
	int64_t timeout_ms; /* --timeout: for an answer of the daemon */
	int64_t limit_ms;   /* the same for what may take long: -1, none, where it was not given */
};

struct ctl_args;

struct verb {
	const char *name;
	const char *args;                 /* "DOMAIN...", for the usage; "": none */
	const char *summary;              /* one line, small letter, no period; NULL: not shown */
	const char *help;                 /* further paragraphs of its --help; NULL: none */
	const struct ctl_option *options; /* ends with name NULL; NULL: none of its own */
	enum ctl_word word;               /* what its arguments are */
	const char *choices;              /* CTL_WORD_CHOICE: of the first */
	const char *lone;                 /* those of `choices` that nothing stands behind */
	enum ctl_word more;          /* what those behind the first are; CTL_WORD_NONE: the same */
	unsigned min_args, max_args; /* UINT_MAX: any number */
	/* All behind the first argument that is no option is its own: options of another program. */
	bool takes_rest;
	/* Returns an enum ctl_exit. */
	int (*run)(const struct ctl *ctl, const struct ctl_args *args);
};

/* The verbs, in the order of the help; ends with NULL. */
extern const struct verb *const verbs[];

/* --- what was given; everything is borrowed from argv --- */

bool args_has(const struct ctl_args *args, const char *option);
/* The last one given; NULL: none. */
const char *args_get(const struct ctl_args *args, const char *option);
/* The i-th one given of an option that repeats; NULL: not so many. */
const char *args_get_nth(const struct ctl_args *args, const char *option, size_t i);
/* The arguments that are no options; NULL at the end. */
size_t args_count(const struct ctl_args *args);
const char *args_at(const struct ctl_args *args, size_t i);
char *const *args_rest(const struct ctl_args *args); /* all of them, as an argv */

/* Says what is wrong with the command line, and where the help is; CTL_USAGE. */
int ctl_usage(const struct verb *verb, const char *fmt, ...) printf_like(2, 3);
