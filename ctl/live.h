/* Lines on a terminal that are drawn again in their place while something goes on. Where standard output is no
 * terminal that can do this, nothing is drawn: then results alone are printed. */
#pragma once

#include "ctl/verb.h"
#include "shared/strbuf.h"

struct live {
	bool is_on;
	unsigned n_drawn; /* lines that stand there */
};

struct live live_begin(const struct ctl *ctl);

/* Draws `lines` (each ends with a line break, clean, without colours) in the place of those before; what the
 * terminal has no room for is left out. */
void live_draw(struct live *live, const char *lines);

/* Takes the lines away: what is printed next stands in their place. */
void live_end(struct live *live);
