/* See ask.h. */
#include "ctl/ask.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>

#include "ctl/output.h"
#include "shared/alloc.h"
#include "shared/strbuf.h"

enum { MAX_ANSWER = 65536 };

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

bool ask_is_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* Byte by byte: what follows the line belongs to the next question. With `mask` these signals are blocked but while
 * it waits, so that none comes between; -EINTR: one came. */
static int read_line(struct strbuf *line, const sigset_t *mask)
{
	for (;;) {
		struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
		char c;
		ssize_t n;

		if (mask && ppoll(&input, 1, NULL, mask) < 0)
			return -errno;
		n = read(STDIN_FILENO, &c, 1);
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ECANCELED;
		if (c == '\n')
			return 0;
		if (line->len < MAX_ANSWER)
			strbuf_addc(line, c);
	}
}

static void print_question(const char *question, const char *end)
{
	auto_strbuf text = { 0 };

	out_clean(&text, question);
	(void)fprintf(stderr, "%s%s", strbuf_get(&text), end);
	(void)fflush(stderr);
}

/* The echo is off before the question is seen, until the line was read. A signal ends the wait; it takes effect when the terminal is as it was. */
static int read_hidden(const char *question, struct strbuf *line)
{
	struct sigaction old_actions[N_ELEMENTS(signals)];
	struct sigaction action = { .sa_handler = on_signal };
	struct termios old;
	struct termios quiet;
	sigset_t held;
	sigset_t mask;
	int r;

	if (tcgetattr(STDIN_FILENO, &old) < 0)
		return -errno;
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ECHONL;
	caught = 0;
	(void)sigemptyset(&action.sa_mask);
	(void)sigemptyset(&held);
	for (size_t i = 0; i < N_ELEMENTS(signals); i++)
		(void)sigaddset(&held, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &held, &mask);
	for (size_t i = 0; i < N_ELEMENTS(signals); i++)
		(void)sigaction(signals[i], &action, &old_actions[i]);
	r = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0 ? -errno : 0;
	if (r == 0) {
		print_question(question, ": ");
		r = read_line(line, &mask);
	}
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	for (size_t i = 0; i < N_ELEMENTS(signals); i++)
		(void)sigaction(signals[i], &old_actions[i], NULL);
	if (caught)
		(void)raise(caught);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	return r;
}

int ask_line(const char *question, bool is_secret, char **ret, struct fail *fail)
{
	auto_strbuf line = { 0 };
	int r;

	do {
		if (line.data)
			explicit_bzero(line.data, line.size);
		strbuf_cut(&line, 0);
		if (!is_secret)
			print_question(question, ": ");
		r = is_secret ? read_hidden(question, &line) : read_line(&line, NULL);
	} while (r == -EINTR); /* stopped and carried on */
	if (r < 0) {
		(void)fputc('\n', stderr);
		return fail_set(fail, r, "no answer: %s",
			r == -ECANCELED ? "the input ended" : strerror(-r));
	}
	*ret = strbuf_take(&line);
	return 0;
}

bool ask_yes(const char *question)
{
	auto_strbuf line = { 0 };
	int r;

	print_question(question, " [y/N] ");
	r = read_line(&line, NULL);
	if (r < 0)
		(void)fputc('\n', stderr);
	return r == 0 && (strcasecmp(strbuf_get(&line), "y") == 0 ||
				 strcasecmp(strbuf_get(&line), "yes") == 0);
}
