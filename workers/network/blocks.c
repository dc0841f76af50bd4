/* See blocks.h. A block writes the gap before itself, so that nothing trails at the end and a container
 * without content leaves no trace. Source: CommonMark 0.31, sections 5.1 and 5.2. */
#include "workers/network/blocks.h"

#include <stdio.h>

void blocks_done(struct blocks *blocks)
{
	strbuf_done(&blocks->out);
}

static void open(struct blocks *blocks, const char *mark)
{
	struct blocks_container *container;

	if (blocks->n_open == BLOCKS_MAX_DEPTH) {
		blocks->n_hidden++;
		return;
	}
	container = &blocks->open[blocks->n_open++];
	*container = (struct blocks_container){ 0 };
	(void)snprintf(container->mark, sizeof(container->mark), "%s", mark);
}

void blocks_open_quote(struct blocks *blocks)
{
	open(blocks, "");
}

void blocks_open_item(struct blocks *blocks, const char *mark)
{
	open(blocks, mark);
}

void blocks_close(struct blocks *blocks)
{
	if (blocks->n_hidden > 0)
		blocks->n_hidden--;
	else if (blocks->n_open > 0)
		blocks->n_open--;
}

bool blocks_in_item(const struct blocks *blocks)
{
	return blocks->n_open > 0 && *blocks->open[blocks->n_open - 1].mark;
}

/* What a line begins with; without its blanks at the end for an empty line. */
static void add_prefix(struct blocks *blocks, bool only_started, bool is_empty)
{
	size_t from = blocks->out.len;

	for (size_t i = 0; i < blocks->n_open && from < blocks->budget; i++) {
		struct blocks_container *container = &blocks->open[i];
		size_t width = strlen(container->mark);

		if (only_started && !container->is_started)
			break;
		if (width == 0) {
			strbuf_adds(&blocks->out, blocks->is_plain ? "" : "> ");
		} else if (container->is_started) {
			memset(strbuf_reserve(&blocks->out, width), ' ', width);
			blocks->out.len += width;
			blocks->out.data[blocks->out.len] = '\0';
		} else {
			strbuf_adds(&blocks->out, container->mark);
		}
		if (!only_started)
			container->is_started = true;
	}
	while (is_empty && blocks->out.len > from && blocks->out.data[blocks->out.len - 1] == ' ')
		strbuf_cut(&blocks->out, blocks->out.len - 1);
}

void blocks_add(struct blocks *blocks, const char *text, size_t len)
{
	const char *end = text + len;

	if (blocks->out.len > 0) {
		strbuf_addc(&blocks->out, '\n');
		if (blocks->gap == GAP_BLANK) {
			add_prefix(blocks, true, true);
			strbuf_addc(&blocks->out, '\n');
		}
	}
	for (;;) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((stop ? stop : end) - text);

		add_prefix(blocks, false, n == 0);
		strbuf_add(&blocks->out, text, n);
		if (!stop)
			break;
		strbuf_addc(&blocks->out, '\n');
		text = stop + 1;
	}
	blocks->gap = GAP_BLANK;
}
