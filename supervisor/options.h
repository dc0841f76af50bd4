/* The command line of mcp-fleetd. */
#pragma once

#include "supervisor/conf.h"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_CHECK_CONFIG,
	OPTIONS_DUMP_CONFIG,
	OPTIONS_DONE,  /* --help, --version: printed */
	OPTIONS_WRONG, /* said on standard error */
};

struct options {
	struct conf_sources sources; /* points into argv and into the lists below */
	const char **listen;
	const char **roots;
	const char **domains;
};

enum options_action options_parse(int argc, char **argv, struct options *ret);
void options_done(struct options *options);
