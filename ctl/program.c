/* See program.h. */
#include "ctl/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "shared/clock.h"
#include "shared/fd.h"

enum { MAX_OUTPUT = 16 * 1024 * 1024, CHUNK = 65536 };

struct stream {
	int fd; /* -1: it has ended */
	struct strbuf *out;
};

static int start(char *const argv[], const int out[2], const int err[2], pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
	if (r == 0)
		r = posix_spawn(ret, argv[0], &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* 0, also at the end. */
static int take_some(struct stream *stream)
{
	char *room = strbuf_reserve(stream->out, CHUNK);
	ssize_t n = read(stream->fd, room, CHUNK);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		stream->fd = -1;
	stream->out->len += (size_t)n;
	room[n] = '\0';
	return stream->out->len > MAX_OUTPUT ? -EFBIG : 0;
}

static int take_output(struct stream streams[2], int64_t until_ms)
{
	while (streams[0].fd >= 0 || streams[1].fd >= 0) {
		struct pollfd fds[] = { { .fd = streams[0].fd, .events = POLLIN },
			{ .fd = streams[1].fd, .events = POLLIN } };
		int64_t left_ms = until_ms - clock_now_ms();

		if (left_ms <= 0)
			return -ETIMEDOUT;
		if (poll(fds, 2, (int)left_ms) < 0 && errno != EINTR)
			return -errno;
		for (size_t i = 0; i < 2; i++) {
			int r = fds[i].revents && streams[i].fd >= 0 ? take_some(&streams[i]) : 0;

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int program_run(char *const argv[], int64_t timeout_ms, struct program_result *ret)
{
	int out[2] = { -1, -1 };
	int err[2] = { -1, -1 };
	pid_t pid = 0;
	int r = fd_pipe(out);

	if (r == 0)
		r = fd_pipe(err);
	if (r == 0)
		r = start(argv, out, err, &pid);
	out[1] = fd_close(out[1]);
	err[1] = fd_close(err[1]);
	if (r == 0) {
		struct stream streams[] = { { out[0], &ret->out }, { err[0], &ret->err } };

		r = take_output(streams, clock_now_ms() + timeout_ms);
		if (r < 0)
			(void)kill(pid, SIGKILL);
		ret->status = wait_for(pid);
	}
	(void)fd_close(out[0]);
	(void)fd_close(err[0]);
	return r;
}

void program_result_done(struct program_result *result)
{
	strbuf_done(&result->out);
	strbuf_done(&result->err);
}
