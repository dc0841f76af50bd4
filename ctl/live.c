/* See live.h. Source: ECMA-48, CUU and ED, which every terminal since the VT100 knows. */
#include "ctl/live.h"

#include <stdio.h>
#include <sys/ioctl.h>

#include "ctl/output.h"
#include "shared/utf8.h"

enum { DEFAULT_ROWS = 24, DEFAULT_COLUMNS = 80 };

struct live live_begin(const struct ctl *ctl)
{
	const char *term = getenv("TERM");

	return (struct live){ .is_on = ctl->is_terminal && !ctl->is_json && term && *term &&
				       !streq(term, "dumb") };
}

static void add_up(struct strbuf *out, const struct live *live)
{
	if (live->n_drawn > 0)
		strbuf_addf(out, "\033[%uA\r\033[J", live->n_drawn);
}

/* As much of the line as fits: a wrapped one would be two to go up. */
static size_t fit(const char *line, size_t len, unsigned columns)
{
	size_t used = 0;

	while (used < len) {
		size_t n = utf8_next(line + used, len - used);
		char shown[8] = { 0 };
		size_t width;

		if (n == 0)
			break;
		memcpy(shown, line + used, n);
		width = out_width(shown);
		if (width > columns)
			break;
		columns -= (unsigned)width;
		used += n;
	}
	return used;
}

void live_draw(struct live *live, const char *lines)
{
	auto_strbuf out = { 0 };
	struct winsize size = { 0 };
	unsigned rows = DEFAULT_ROWS;
	unsigned columns = DEFAULT_COLUMNS;

	if (!live->is_on)
		return;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 && size.ws_col > 1) {
		rows = size.ws_row;
		columns = size.ws_col;
	}
	add_up(&out, live);
	live->n_drawn = 0;
	while (*lines && live->n_drawn + 1 < rows) {
		size_t len = strcspn(lines, "\n");

		strbuf_add(&out, lines, fit(lines, len, columns - 1));
		strbuf_addc(&out, '\n');
		lines += len + (lines[len] ? 1 : 0);
		live->n_drawn++;
	}
	(void)fputs(strbuf_get(&out), stdout);
	(void)fflush(stdout);
}

void live_end(struct live *live)
{
	auto_strbuf out = { 0 };

	add_up(&out, live);
	live->n_drawn = 0;
	(void)fputs(strbuf_get(&out), stdout);
	(void)fflush(stdout); /* before anything goes to standard error, which it would take away */
}
