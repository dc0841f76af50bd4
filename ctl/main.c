/* mcp-fleetctl, the command for people and scripts: finds the verb, runs it. What it asks of a running
 * daemon goes through the daemon's control socket (doc/control.md). */
#include <errno.h>
#include <stdio.h>

#include "ctl/args.h"
#include "ctl/output.h"
#include "shared/fd.h"

/* A full disk behind standard output is a failure, even when everything else was done; a reader that is
 * gone has what it wanted. */
static int end_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		(void)fprintf(stderr, "mcp-fleetctl: cannot write to standard output: %s\n",
			strerror(errno));
	return status == CTL_DONE ? CTL_FAILED : status;
}

int main(int argc, char **argv)
{
	struct ctl ctl = { 0 };
	struct ctl_args args;

	if (fd_hold_standard() < 0)
		return CTL_FAILED;
	switch (args_parse(argc, argv, &ctl, &args)) {
	case ARGS_DONE:
		return end_output(CTL_DONE);
	case ARGS_WRONG:
		return CTL_USAGE;
	case ARGS_RUN:
		break;
	}
	return end_output(args.verb->run(&ctl, &args));
}
