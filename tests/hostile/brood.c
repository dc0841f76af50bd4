/* Processes that want to outlive their worker. */
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/cleanup.h"

enum { LIFE_S = 60, WAYS = 4 };

extern char **environ;

/* Where the environment lies in memory is what /proc/PID/environ shows. */
static void forget_environment(void)
{
	for (char **at = environ; *at; at++)
		memset(*at, 0, strlen(*at));
	(void)clearenv();
}

static _Noreturn void live(const char *name, int way)
{
	sigset_t all;

	(void)prctl(PR_SET_NAME, name);
	(void)prctl(PR_SET_PDEATHSIG, 0);
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	if (way % 2 == 0)
		forget_environment();
	for (int fd = 0; fd < 64; fd++)
		(void)close(fd);
	for (int i = 0; i < LIFE_S; i++)
		(void)sleep(1);
	_exit(0);
}

/* 0: in the group. 1: a session of its own. 2 and 3: an orphan in a session of its own, as daemons
 * are. */
static void detach(int way)
{
	if (way >= 1)
		(void)setsid();
	if (way >= 2) {
		if (fork() > 0)
			_exit(0);
		(void)setsid();
	}
}

int brood(int n, const char *name)
{
	if (!name)
		return -EINVAL;
	(void)signal(SIGTERM, SIG_IGN);
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (pid == 0) {
			detach(i % WAYS);
			live(name, i);
		}
		if (i % WAYS >= 2)
			(void)waitpid(pid, NULL, 0);
	}
	return 0;
}
