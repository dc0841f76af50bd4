/* See screen.h. Source: ECMA-48; xterm's control sequences (1049: alternate screen, 25: cursor, 2026: a frame is shown
 * at once where the terminal knows that). */
#include "ctl/screen.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "shared/fd.h"

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"
#define BEGIN_FRAME "\033[?2026h\033[H"
#define END_FRAME "\033[0m\033[J\033[?2026l"

static struct {
	bool is_open;
	bool has_keys;
	struct termios before;
} screen;

static const int crashes[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };

/* Only async-signal-safe calls; the signal comes again, with its own effect. */
static void on_crash(int signo)
{
	screen_close();
	(void)raise(signo);
}

static void catch_crashes(bool on)
{
	struct sigaction action = { .sa_handler = on ? on_crash : SIG_DFL,
		.sa_flags = (int)SA_RESETHAND };

	for (size_t i = 0; i < N_ELEMENTS(crashes); i++) {
		struct sigaction is = { 0 };

		/* A sanitizer has its own. */
		if (sigaction(crashes[i], NULL, &is) == 0 &&
			is.sa_handler == (on ? SIG_DFL : on_crash))
			(void)sigaction(crashes[i], &action, NULL);
	}
}

void screen_open(void)
{
	struct termios modes;

	screen.has_keys = tcgetattr(STDIN_FILENO, &screen.before) == 0;
	screen.is_open = true;
	catch_crashes(true);
	if (screen.has_keys) {
		modes = screen.before;
		/* Ctrl-C and Ctrl-Z stay signals. */
		modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		modes.c_cc[VMIN] = 1;
		modes.c_cc[VTIME] = 0;
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &modes);
	}
	(void)!fd_write_all(STDOUT_FILENO, ENTER, strlen(ENTER));
}

void screen_close(void)
{
	if (!screen.is_open)
		return;
	screen.is_open = false;
	(void)!write(STDOUT_FILENO, LEAVE, strlen(LEAVE));
	if (screen.has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
	catch_crashes(false);
}

void screen_get_size(size_t *ret_columns, size_t *ret_rows)
{
	struct winsize size = { 0 };

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*ret_columns = size.ws_col ? size.ws_col : 80;
	*ret_rows = size.ws_row ? size.ws_row : 24;
}

void screen_draw(const char *text)
{
	auto_strbuf frame = { 0 };
	size_t columns;
	size_t rows;

	screen_get_size(&columns, &rows);
	strbuf_adds(&frame, BEGIN_FRAME);
	for (size_t row = 0; *text && row < rows; row++) {
		size_t len = strcspn(text, "\n");

		/* No line break behind the last one: it would scroll. */
		strbuf_adds(&frame, row ? "\r\n" : "");
		strbuf_add(&frame, text, len);
		strbuf_adds(&frame, "\033[0m\033[K");
		text += len + (text[len] == '\n');
	}
	strbuf_adds(&frame, END_FRAME);
	(void)!fd_write_all(STDOUT_FILENO, strbuf_get(&frame), frame.len);
}

int screen_get_key_fd(void)
{
	return screen.has_keys ? STDIN_FILENO : -1;
}

char screen_get_key(void)
{
	struct pollfd wait = { .fd = STDIN_FILENO, .events = POLLIN };
	char key;

	if (!screen.has_keys || poll(&wait, 1, 0) <= 0)
		return 0;
	if (read(STDIN_FILENO, &key, 1) == 1)
		return key;
	/* The terminal is gone, or its end of file was typed: it would be readable for ever. */
	screen.has_keys = false;
	return 0;
}
