/* The program of an aide: its options, and what all of them do before they serve; see aide_link.h. */
#pragma once

#include "shared/fail.h"

struct aide_program {
	const char *name;        /* "mcp-fleet-courier" */
	const char *help;        /* what --help says it is for, and speaks; whole lines */
	const char *environment; /* the same of what it reads there */
	/* Serves until the link ends: 0, or -errno with words. */
	int (*run)(int in_fd, int out_fd, struct fail *fail);
};

/* Returns the exit status. */
int aide_main(int argc, char **argv, const struct aide_program *program);
