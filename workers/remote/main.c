/* mcp-fleet-remote: the worker of a domain that has a `url`. Towards mcp-fleetd it is an MCP server on
 * standard input and output, towards the remote server an HTTP client. It has no tools of its own.
 *
 * It is started by mcp-fleetd, in a sandbox that lets it connect and nothing else. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/fd.h"
#include "shared/log.h"
#include "workers/remote/remote.h"

#include "config.h"

enum { EXIT_USAGE = 2 };

static void print_help(void)
{
	printf("Usage: " REMOTE_SETTINGS "=JSON mcp-fleet-remote\n"
	       "Speaks MCP on standard input and output for a server that is reached by HTTP. It is\n"
	       "started by mcp-fleetd and by mcp-fleetctl stdio, and can be run by hand. The JSON\n"
	       "has the keys url, headers_file, key_file, ca_file, transport (auto, streamable,\n"
	       "sse), max_bytes and wait_ms.\n\n"
	       "  -h, --help     print this help and exit\n"
	       "  -V, --version  print the version and exit\n");
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
		printf("mcp-fleet-remote (mcp-fleet) %s\n", PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	if (c == -1 && optind == argc)
		return -1;
	(void)fprintf(stderr, "Try 'mcp-fleet-remote --help'.\n");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const char *text = getenv(REMOTE_SETTINGS);
	struct settings settings = { 0 };
	struct fail fail = { 0 };
	int r = read_options(argc, argv);

	if (r >= 0)
		return r;
	if (!text) {
		(void)fprintf(stderr, "mcp-fleet-remote: " REMOTE_SETTINGS
				      " is not set. Try 'mcp-fleet-remote --help'.\n");
		return EXIT_USAGE;
	}
	log_init("mcp-fleet-remote", LOG_TARGET_WORKER, LOG_LEVEL_INFO);
	(void)signal(SIGPIPE, SIG_IGN);
	r = fd_hold_standard();
	if (r == 0)
		r = settings_read(text, &settings, &fail);
	if (r == 0)
		r = remote_run(&settings, &fail);
	settings_done(&settings);
	if (r < 0)
		(void)fprintf(stderr, "mcp-fleet-remote: %s\n", fail.text);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
