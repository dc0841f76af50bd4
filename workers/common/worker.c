/* See worker.h: options, settings, roots, then the server on standard input and output. */
#include "workers/common/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "workers/common/roots.h"
#include "workers/common/server.h"

#include "config.h"

enum { EXIT_USAGE = 2 };

enum option_value {
	OPT_HELP = 'h',
	OPT_VERSION = 'V',
	OPT_LIST_TOOLS = 256,
	OPT_SETTINGS,
	OPT_ROOT
};

struct options {
	bool help;
	bool version;
	bool list_tools;
	const char *settings;
	const char **roots; /* NULL at the end; owned, the texts are not */
	size_t n_roots;
};

static const struct option option_table[] = {
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "list-tools", no_argument, NULL, OPT_LIST_TOOLS },
	{ "settings", required_argument, NULL, OPT_SETTINGS },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ 0 },
};

static void print_help(const struct worker_desc *desc)
{
	printf("Usage: worker-%s [OPTION]...\n%s\n\n"
	       "Serves MCP on standard input and output, one message a line. It is started by\n"
	       "mcp-fleetd, and can be run by hand.\n\n"
	       "      --settings JSON  settings as one JSON object\n",
		desc->name, desc->summary ? desc->summary : desc->title);
	if (desc->has_roots)
		printf("      --root PATH      a directory that may be used (may be repeated);\n"
		       "                       default: the current directory\n");
	printf("      --list-tools     print the list of tools as JSON and exit\n"
	       "  -h, --help           print this help and exit\n"
	       "  -V, --version        print the version and exit\n");
}

static void add_root(struct options *options, const char *path)
{
	options->roots =
		alloc_resize(options->roots, options->n_roots + 2, sizeof(*options->roots));
	options->roots[options->n_roots++] = path;
	options->roots[options->n_roots] = NULL;
}

/* False: getopt has said what is wrong, or there is an argument too many. */
static bool parse_options(
	const struct worker_desc *desc, int argc, char **argv, struct options *ret)
{
	int c;

	while ((c = getopt_long(argc, argv, "hV", option_table, NULL)) != -1) {
		if (c == OPT_HELP)
			ret->help = true;
		else if (c == OPT_VERSION)
			ret->version = true;
		else if (c == OPT_LIST_TOOLS)
			ret->list_tools = true;
		else if (c == OPT_SETTINGS)
			ret->settings = optarg;
		else if (c == OPT_ROOT && desc->has_roots)
			add_root(ret, optarg);
		else
			return false;
	}
	return optind == argc;
}

static int print_tools(const struct worker_desc *desc, const struct settings *settings)
{
	json_auto_t *list = server_list_tools(desc, settings);

	if (json_dumpf(list, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) < 0 ||
		putchar('\n') == EOF || fflush(stdout) != 0)
		return log_err(-EIO, "cannot write the list of tools");
	return 0;
}

/* Only the server may write to our standard output: whatever else prints goes to standard error.
 * Its descriptors are kept for good. */
static int take_stdio(int *ret_in, int *ret_out)
{
	auto_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	auto_close int in_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	auto_close int out_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (null_fd < 0 || in_fd < 0 || out_fd < 0)
		return -errno;
	if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return -errno;
	*ret_in = TAKE_FD(in_fd);
	*ret_out = TAKE_FD(out_fd);
	return 0;
}

static int serve(const struct worker_desc *desc, const struct settings *settings)
{
	auto_(server_freep) struct server *server = NULL;
	auto_close int in_fd = -1;
	auto_close int out_fd = -1;
	int r = take_stdio(&in_fd, &out_fd);

	if (r < 0)
		return log_err(r, "cannot use standard input and output");
	(void)signal(SIGPIPE, SIG_IGN);
	server_stop_on_sigterm();
	server = server_new(desc, settings, in_fd, out_fd);
	server_run(server);
	return 0;
}

static int start(
	const struct worker_desc *desc, const struct settings *settings, const char **roots)
{
	struct fail fail = { 0 };
	int r = 0;

	if (desc->has_roots)
		r = settings_open_roots(settings, roots, &fail);
	if (r == 0 && desc->init)
		r = desc->init(settings->own, &fail);
	if (r < 0)
		return log_err(r, "%s", fail.text);
	r = serve(desc, settings);
	if (desc->done)
		desc->done();
	return r;
}

static int run(const struct worker_desc *desc, const struct options *options)
{
	auto_(settings_done) struct settings settings = { 0 };
	struct fail fail = { 0 };
	int r = settings_load(desc, options->settings, &settings, &fail);

	if (r < 0) {
		log_err(0, "%s", fail.text);
		return EXIT_USAGE;
	}
	if (options->list_tools)
		r = print_tools(desc, &settings);
	else
		r = start(desc, &settings, options->roots);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int worker_main(const struct worker_desc *desc, int argc, char **argv)
{
	auto_free char *ident = alloc_printf("worker-%s", desc->name);
	struct options options = { 0 };
	int code = EXIT_SUCCESS;

	/* Executed by a descriptor we would be called like its number. */
	(void)prctl(PR_SET_NAME, ident);
	log_init(ident, LOG_TARGET_WORKER, LOG_LEVEL_INFO);
	if (!parse_options(desc, argc, argv, &options)) {
		(void)fprintf(stderr, "Try 'worker-%s --help'.\n", desc->name);
		code = EXIT_USAGE;
	} else if (options.help) {
		print_help(desc);
	} else if (options.version) {
		printf("worker-%s (mcp-fleet) %s\n", desc->name, PACKAGE_VERSION);
	} else {
		code = run(desc, &options);
	}
	free(options.roots);
	roots_close();
	return code;
}
