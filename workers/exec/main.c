/* mcp-fleet-exec: the last program before a worker. It is started by mcp-fleetd in the worker's process,
 * takes away what the worker must not have, and becomes the worker.
 *
 * Order matters: each step may need what a later one forbids. Privileges, limits and the working
 * directory come first, then files (Landlock), then system calls (seccomp), then exec. What fails is told
 * to the supervisor through a descriptor that exec closes: nothing is started that is less confined
 * than its plan says. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shared/exec_report.h"
#include "shared/fd.h"
#include "shared/kernel.h"
#include "workers/exec/files.h"
#include "workers/exec/limits.h"
#include "workers/exec/plan.h"
#include "workers/exec/privileges.h"
#include "workers/exec/profile.h"
#include "workers/exec/syscalls.h"

#include "config.h"

enum { EXIT_USAGE = 2, EXIT_NOT_RUN = 127, OPT_PLAN = 256, OPT_REPORT };

struct options {
	const char *plan;
	int report_fd; /* -1: standard error */
	char **argv;   /* of the worker */
};

static void print_help(void)
{
	printf("Usage: mcp-fleet-exec --plan JSON -- PROGRAM [ARGUMENT]...\n"
	       "Runs a program with less than it would have. It is started by mcp-fleetd, and can be\n"
	       "run by hand to find out what a plan refuses.\n\n"
	       "      --plan JSON      what it may do: profile (git, filesystem, network, remote,\n"
	       "                       utils, strict, node, python, none), directory, read, write,\n"
	       "                       programs, connect, memory, files, processes\n"
	       "      --report-fd N    tell failures to this descriptor\n"
	       "  -h, --help           print this help and exit\n"
	       "  -V, --version        print the version and exit\n");
}

static int usage(const char *words)
{
	(void)fprintf(stderr, "mcp-fleet-exec: %s\nTry 'mcp-fleet-exec --help'.\n", words);
	return EXIT_USAGE;
}

static int number_of(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	return *text && !*end && value > STDERR_FILENO && value < 1 << 20 ? (int)value : -1;
}

/* Returns an exit status, or -1 to go on. */
static int read_options(int argc, char **argv, struct options *ret)
{
	static const struct option table[] = {
		{ "plan", required_argument, NULL, OPT_PLAN },
		{ "report-fd", required_argument, NULL, OPT_REPORT },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+hV", table, NULL)) != -1) {
		if (c == OPT_PLAN) {
			ret->plan = optarg;
		} else if (c == OPT_REPORT) {
			ret->report_fd = number_of(optarg);
			if (ret->report_fd < 0)
				return usage("--report-fd is not a descriptor");
		} else if (c == 'h') {
			print_help();
			return EXIT_SUCCESS;
		} else if (c == 'V') {
			printf("mcp-fleet-exec (mcp-fleet) %s\n", PACKAGE_VERSION);
			return EXIT_SUCCESS;
		} else {
			return usage("unknown option");
		}
	}
	ret->argv = argv + optind;
	if (!ret->plan || !*ret->argv)
		return usage(ret->plan ? "no program is named" : "no --plan is given");
	return -1;
}

/* Nothing but the standard descriptors and the report goes on to the worker or lives until exec. */
static void close_others(int report_fd)
{
	if (report_fd < 0) {
		(void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
		return;
	}
	(void)fcntl(report_fd, F_SETFD, FD_CLOEXEC);
	if (report_fd > STDERR_FILENO + 1)
		(void)syscall(SYS_close_range, STDERR_FILENO + 1, report_fd - 1, 0);
	(void)syscall(SYS_close_range, report_fd + 1, ~0U, 0);
}

static int enter_directory(const struct plan *plan, struct fail *fail)
{
	if (plan->directory && chdir(plan->directory) < 0)
		return fail_set(fail, -errno, "cannot enter the directory '%s'", plan->directory);
	return 0;
}

static int open_program(const char *path, struct fail *fail)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? fail_set(fail, -errno, "cannot find the program '%s'", path) : fd;
}

/* Confined to what the plan says, but for system calls. */
static int prepare(
	const struct plan *plan, const struct profile *profile, int program_fd, struct fail *fail)
{
	int r = privileges_freeze(fail);

	if (r == 0)
		r = limits_set(plan, profile, fail);
	if (r == 0)
		r = enter_directory(plan, fail);
	if (r < 0 || !profile->is_confined)
		return r;
	r = privileges_drop(fail);
	return r < 0 ? r : files_confine(plan, profile, program_fd, fail);
}

/* A native worker is executed by its descriptor, in a way that it cannot use again. */
static int become_native(const struct plan *plan, const struct profile *profile, int program_fd,
	char **argv, struct fail *fail)
{
	const struct only_exec exec = { .fd = program_fd, .path = syscalls_secret_path() };
	int r = 0;

	if (!exec.path)
		return fail_set(fail, -errno, "cannot make room for the program's path");
	if (kernel_has_seccomp())
		r = syscalls_confine(plan, profile, &exec, fail);
	if (r < 0)
		return r;
	(void)syscall(SYS_execveat, exec.fd, exec.path, argv, environ, AT_EMPTY_PATH);
	return fail_set(fail, -errno, "cannot run '%s'", argv[0]);
}

static int become_other(
	const struct plan *plan, const struct profile *profile, char **argv, struct fail *fail)
{
	int r = 0;

	if (profile->is_confined && kernel_has_seccomp())
		r = syscalls_confine(plan, profile, NULL, fail);
	if (r < 0)
		return r;
	(void)execve(argv[0], argv, environ);
	return fail_set(fail, -errno, "cannot run '%s'", argv[0]);
}

/* Returns only when it failed. */
static int become(const struct plan *plan, char **argv, struct fail *fail)
{
	const struct profile *profile = profile_find(plan->profile);
	int program_fd;
	int r;

	if (!profile)
		return fail_set(fail, -EINVAL, "there is no profile '%s'", plan->profile);
	program_fd = open_program(argv[0], fail);
	if (program_fd < 0)
		return program_fd;
	r = prepare(plan, profile, program_fd, fail);
	if (r < 0)
		return r;
	return profile->is_native ? become_native(plan, profile, program_fd, argv, fail)
				  : become_other(plan, profile, argv, fail);
}

static void tell(int report_fd, const struct fail *fail)
{
	struct exec_report report = { .err = -fail->code };

	if (report_fd < 0) {
		(void)fprintf(stderr, "mcp-fleet-exec: %s: %s\n", fail->text, strerror(report.err));
		return;
	}
	(void)snprintf(report.text, sizeof(report.text), "%.*s", EXEC_REPORT_TEXT - 1, fail->text);
	(void)!write(report_fd, &report, sizeof(report));
}

int main(int argc, char **argv)
{
	struct options options = { .report_fd = -1 };
	struct plan plan = { 0 };
	struct fail fail = { 0 };
	int status = read_options(argc, argv, &options);

	if (status >= 0)
		return status;
	close_others(options.report_fd);
	if (plan_read(options.plan, &plan, &fail) == 0)
		(void)become(&plan, options.argv, &fail);
	tell(options.report_fd, &fail);
	plan_done(&plan);
	return EXIT_NOT_RUN;
}
