/* See run.h. */
#include "ctl/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/wait.h>

#include "ctl/put.h"
#include "shared/alloc.h"
#include "shared/fd.h"

char *run_find_self(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

	return n > 0 && (size_t)n < sizeof(path) ? alloc_mem(path, (size_t)n) : NULL;
}

int run_find_daemon(char **ret, struct fail *fail)
{
	auto_free char *self = run_find_self();
	auto_free char *dir = self ? put_dir_of(self) : alloc_str(".");
	char *const places[] = { alloc_printf("%s/mcp-fleetd", dir),
		alloc_printf("%s/../sbin/mcp-fleetd", dir), alloc_str(SBINDIR "/mcp-fleetd") };
	char *found = NULL;

	for (size_t i = 0; i < N_ELEMENTS(places); i++) {
		if (!found && access(places[i], X_OK) == 0)
			found = places[i];
		else
			free(places[i]);
	}
	if (found) {
		*ret = found;
		return 0;
	}
	return fail_set(fail, -ENOENT,
		"mcp-fleetd, which checks the settings, is neither in %s nor in " SBINDIR, dir);
}

static int wait_for(pid_t pid, int *ret_status)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

/* All is read, so that the program never waits for us, but not all is kept. */
static void read_words(int fd, size_t max, struct strbuf *words)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		if (words->len < max)
			strbuf_add(words, bytes, (size_t)n);
	}
	strbuf_cut(words, max);
}

static int spawn(const char *const *argv, int err, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int r;

	(void)sigemptyset(&none);
	if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawnattr_init(&attr) != 0)
		abort(); /* out of memory */
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	/* execve() changes nothing of them. */
	r = posix_spawn(ret, argv[0], &actions, &attr, (char *const *)(uintptr_t)argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attr);
	return -r;
}

int run_program(const char *const *argv, size_t max, struct strbuf *words, int *ret_status,
	struct fail *fail)
{
	int ends[2];
	pid_t pid = 0;
	int r = fd_pipe(ends);

	if (r < 0)
		return fail_set(fail, r, "no pipe: %s", strerror(-r));
	r = spawn(argv, ends[1], &pid);
	(void)close(ends[1]);
	if (r == 0) {
		read_words(ends[0], max, words);
		r = wait_for(pid, ret_status);
	}
	(void)close(ends[0]);
	return r < 0 ? fail_set(fail, r, "%s cannot be run: %s", argv[0], strerror(-r)) : 0;
}
