/* See aide_main.h. */
#include "workers/common/aide_main.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "shared/fd.h"
#include "shared/log.h"

#include "config.h"

enum { EXIT_USAGE = 2 };

static void print_help(const struct aide_program *program)
{
	printf("Usage: %s [OPTION]\n%s\n"
	       "  -h, --help     print this help and exit\n"
	       "  -V, --version  print the version and exit\n\n%s",
		program->name, program->help, program->environment);
}

/* Returns an exit status, or -1 to go on. */
static int read_options(int argc, char **argv, const struct aide_program *program)
{
	static const struct option table[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c = getopt_long(argc, argv, "hV", table, NULL);

	if (c == 'h') {
		print_help(program);
		return EXIT_SUCCESS;
	}
	if (c == 'V') {
		printf("%s (mcp-fleet) %s\n", program->name, PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	if (c == -1 && optind == argc)
		return -1;
	(void)fprintf(stderr, "Try '%s --help'.\n", program->name);
	return EXIT_USAGE;
}

int aide_main(int argc, char **argv, const struct aide_program *program)
{
	struct fail fail = { 0 };
	int r = read_options(argc, argv, program);

	if (r >= 0)
		return r;
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* a core, or a debugger, would show secrets */
	log_init(program->name, LOG_TARGET_WORKER, LOG_LEVEL_INFO);
	(void)signal(SIGPIPE, SIG_IGN);
	r = fd_hold_standard();
	if (r == 0)
		r = program->run(STDIN_FILENO, STDOUT_FILENO, &fail);
	if (r < 0)
		(void)fprintf(stderr, "%s: %s\n", program->name, fail.text);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
