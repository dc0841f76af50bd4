/* See options.h. */
#include "supervisor/options.h"

#include <getopt.h>
#include <stdio.h>

#include "config.h"

#include "shared/alloc.h"

enum {
	OPT_CHECK_CONFIG = 256,
	OPT_DUMP_CONFIG,
};

static void print_help(void)
{
	(void)printf(
		"Usage: mcp-fleetd [OPTION]...\n"
		"Supervise a fleet of MCP servers and serve it to clients.\n"
		"\n"
		"  -c, --config FILE      settings (default: " SYSCONFDIR
		"/mcp-fleet/fleet.yaml if it\n"
		"                         is there; without it all four workers are served)\n"
		"      --check-config     check the settings, say what is wrong, and end\n"
		"      --dump-config      the same, and print what is right as JSON, defaults included\n"
		"  -t, --transport NAME   stdio (default) or sse; before MCP_TRANSPORT\n"
		"  -l, --listen ADDRESS   listen here, as 127.0.0.1:8000; may be repeated\n"
		"  -r, --root DIR         the workers may use this directory; may be repeated\n"
		"  -d, --domain NAME      serve only this domain; may be repeated\n"
		"  -h, --help             print this and end\n"
		"  -V, --version          print the version and end\n"
		"\n"
		"Environment: MCP_TRANSPORT (stdio or sse), PORT (of the default listener, 8000),\n"
		"SSE_HEARTBEAT_SECONDS (15). Exit status: 0 ended as asked, 1 failure, 2 usage or settings.\n"
		"See mcp-fleetd(8) and fleet.yaml(5).\n");
}

static void add(const char ***list, size_t *n, const char *text)
{
	*list = alloc_resize(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = text;
}

/* False: an unknown option. */
static bool take(struct options *options, int option)
{
	struct conf_sources *sources = &options->sources;

	switch (option) {
	case 'c':
		sources->path = optarg;
		return true;
	case 't':
		sources->transport = optarg;
		return true;
	case 'l':
		add(&options->listen, &sources->n_listen, optarg);
		return true;
	case 'r':
		add(&options->roots, &sources->n_roots, optarg);
		return true;
	case 'd':
		add(&options->domains, &sources->n_domains, optarg);
		return true;
	default:
		return false;
	}
}

enum options_action options_parse(int argc, char **argv, struct options *ret)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, OPT_CHECK_CONFIG },
		{ "dump-config", no_argument, NULL, OPT_DUMP_CONFIG },
		{ "transport", required_argument, NULL, 't' },
		{ "listen", required_argument, NULL, 'l' },
		{ "root", required_argument, NULL, 'r' },
		{ "domain", required_argument, NULL, 'd' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { 0 } };
	enum options_action action = OPTIONS_RUN;
	int option;

	*ret = (struct options){ 0 };
	while ((option = getopt_long(argc, argv, "c:t:l:r:d:hV", options, NULL)) != -1) {
		if (option == 'h') {
			print_help();
			return OPTIONS_DONE;
		}
		if (option == 'V') {
			(void)printf("mcp-fleetd %s\n", PACKAGE_VERSION);
			return OPTIONS_DONE;
		}
		if (option == OPT_CHECK_CONFIG) {
			action = OPTIONS_CHECK_CONFIG;
		} else if (option == OPT_DUMP_CONFIG) {
			action = OPTIONS_DUMP_CONFIG;
		} else if (!take(ret, option)) {
			(void)fprintf(stderr, "Try 'mcp-fleetd --help'.\n");
			return OPTIONS_WRONG;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr,
			"mcp-fleetd: unexpected argument '%s': settings are given by options\n"
			"Try 'mcp-fleetd --help'.\n",
			argv[optind]);
		return OPTIONS_WRONG;
	}
	ret->sources.listen = ret->listen;
	ret->sources.roots = ret->roots;
	ret->sources.domains = ret->domains;
	return action;
}

void options_done(struct options *options)
{
	free(options->listen);
	free(options->roots);
	free(options->domains);
	*options = (struct options){ 0 };
}
