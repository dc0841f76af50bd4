/* mcp-fleet-registrar: registers the domains of a fleet with a ContextForge gateway and keeps them so.
 *
 * It is started by mcp-fleetd, which tells it on standard input what the fleet is. It alone reads the
 * gateway's token. When it ends, everything at the gateway stays as it is. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "shared/fd.h"
#include "shared/log.h"
#include "workers/registrar/registrar.h"

#include "config.h"

enum { EXIT_USAGE = 2 };

static void print_help(void)
{
	printf("Usage: mcp-fleet-registrar [OPTION]\n"
	       "Registers the domains of a fleet with a ContextForge gateway. It is started by\n"
	       "mcp-fleetd and speaks JSON-RPC on standard input and output: initialize, ping,\n"
	       "registrar/settings, registrar/domain, registrar/register, registrar/unregister,\n"
	       "registrar/check, registrar/reconcile, registrar/state.\n\n"
	       "  -h, --help     print this help and exit\n"
	       "  -V, --version  print the version and exit\n\n"
	       "Environment: MCPGATEWAY_BEARER_TOKEN, CREDENTIALS_DIRECTORY (the file\n"
	       "gateway.token in it), http_proxy, https_proxy, no_proxy, SSL_CERT_FILE.\n");
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
		printf("mcp-fleet-registrar (mcp-fleet) %s\n", PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	if (c == -1 && optind == argc)
		return -1;
	(void)fprintf(stderr, "Try 'mcp-fleet-registrar --help'.\n");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct fail fail = { 0 };
	int r = read_options(argc, argv);

	if (r >= 0)
		return r;
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* a core, or a debugger, would show the token */
	log_init("mcp-fleet-registrar", LOG_TARGET_WORKER, LOG_LEVEL_INFO);
	(void)signal(SIGPIPE, SIG_IGN);
	r = fd_hold_standard();
	if (r == 0)
		r = registrar_run(STDIN_FILENO, STDOUT_FILENO, &fail);
	if (r < 0)
		(void)fprintf(stderr, "mcp-fleet-registrar: %s\n", fail.text);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
