/* The terminal as a screen that is drawn anew: alternate screen, keys without Enter, no cursor.
 *
 * What was before comes back on every way out, also when this program crashes; only SIGKILL prevents it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shared/strbuf.h"

/* One at a time. Standard output is a terminal; keys come when standard input is one too. */
void screen_open(void);
void screen_close(void); /* may be called when it is not open */

/* Of now: 80 and 24 where the terminal does not say. */
void screen_get_size(size_t *ret_columns, size_t *ret_rows);

/* Shows the text, whose lines are not wider than the screen; lines for which there is no room are left out. */
void screen_draw(const char *text);

/* The descriptor that is readable when a key waits; -1: there are no keys. */
int screen_get_key_fd(void);
char screen_get_key(void); /* 0: none waits */
