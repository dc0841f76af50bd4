/* mcp-fleet-courier: HTTP requests for mcp-fleetd; see courier.h.
 *
 * It is started by mcp-fleetd, in a sandbox that lets it connect, and read the few files that the settings name. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "shared/fd.h"
#include "shared/log.h"
#include "workers/courier/courier.h"

#include "config.h"

enum { EXIT_USAGE = 2 };

static void print_help(void)
{
	printf("Usage: mcp-fleet-courier [OPTION]\n"
	       "Makes HTTP requests for mcp-fleetd, which starts it. It speaks JSON-RPC on\n"
	       "standard input and output: initialize, ping, courier/fetch, courier/post.\n\n"
	       "  -h, --help     print this help and exit\n"
	       "  -V, --version  print the version and exit\n\n"
	       "Environment: http_proxy, https_proxy, no_proxy, SSL_CERT_FILE.\n");
}

/* Returns an exit status, or -1 to go on. */
static int read_options(int argc, char **argv)
{
	static const struct option table[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c = getopt_long(argc, argv, "hV", table, NULL);

	if (c == 'h') {
		print_help();
		return EXIT_SUCCESS;
	}
	if (c == 'V') {
		printf("mcp-fleet-courier (mcp-fleet) %s\n", PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	if (c == -1 && optind == argc)
		return -1;
	(void)fprintf(stderr, "Try 'mcp-fleet-courier --help'.\n");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct fail fail = { 0 };
	int r = read_options(argc, argv);

	if (r >= 0)
		return r;
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* a core, or a debugger, would show secrets */
	log_init("mcp-fleet-courier", LOG_TARGET_WORKER, LOG_LEVEL_INFO);
	(void)signal(SIGPIPE, SIG_IGN);
	r = fd_hold_standard();
	if (r == 0)
		r = courier_run(STDIN_FILENO, STDOUT_FILENO, &fail);
	if (r < 0)
		(void)fprintf(stderr, "mcp-fleet-courier: %s\n", fail.text);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
