/* See lists.h. Source: CommonMark 0.31, section 5.3. */
#include "workers/network/lists.h"

#include <stdio.h>

bool lists_is_empty(const struct lists *lists)
{
	return lists->n_open == 0;
}

static struct list *push(struct lists *lists)
{
	struct list *list;

	if (lists->n_open == LISTS_MAX_DEPTH) {
		lists->n_hidden++;
		return NULL;
	}
	list = &lists->open[lists->n_open++];
	*list = (struct list){ .number = -1, .sign = '-' };
	return list;
}

static struct list *get_last(struct lists *lists)
{
	return lists->n_open > 0 && lists->n_hidden == 0 ? &lists->open[lists->n_open - 1] : NULL;
}

/* A list right behind another would continue it, had it the same sign. */
static void open_list(struct lists *lists, char sign, char other_sign, int64_t number)
{
	struct list *list = push(lists);

	if (!list)
		return;
	list->is_list = true;
	list->number = number;
	list->sign = sign;
	if (lists->last_sign == sign)
		list->sign = other_sign;
}

void lists_open_bullets(struct lists *lists)
{
	open_list(lists, '-', '*', -1);
}

void lists_open_ordered(struct lists *lists, int64_t first)
{
	open_list(lists, '.', ')', first);
}

static void write_mark(struct list *list, bool is_plain, char ret[BLOCKS_MARK_BYTES])
{
	if (list->number >= 0)
		(void)snprintf(ret, BLOCKS_MARK_BYTES, "%lld%c ", (long long)list->number++,
			is_plain ? '.' : list->sign);
	else
		(void)snprintf(ret, BLOCKS_MARK_BYTES, "%c ", is_plain ? '-' : list->sign);
}

/* Items follow each other without a gap, and so does a list in an item its first line. */
static void open_item(
	struct lists *lists, struct blocks *blocks, struct list *list, bool is_definition)
{
	struct list *item = push(lists);
	char mark[BLOCKS_MARK_BYTES];

	if (!item)
		return;
	if (list->has_items || is_definition || blocks_in_item(blocks))
		blocks->gap = GAP_LINE;
	list->has_items = true;
	write_mark(list, blocks->is_plain, mark);
	blocks_open_item(blocks, mark);
	item->is_shown = true;
	item->is_definition = is_definition;
}

void lists_open_item(struct lists *lists, struct blocks *blocks, int64_t number)
{
	struct list none = { .number = -1, .sign = '-' };
	struct list *list = get_last(lists);

	if (!list || !list->is_list)
		list = &none;
	if (number >= 0 && list->number >= 0)
		list->number = number;
	open_item(lists, blocks, list, false);
}

void lists_open_definition(struct lists *lists, struct blocks *blocks)
{
	struct list none = { .number = -1, .sign = '-' };

	lists_close_definition(lists, blocks);
	open_item(lists, blocks, &none, true);
}

void lists_open_quote(struct lists *lists, struct blocks *blocks)
{
	struct list *quote = push(lists);

	if (!quote)
		return;
	blocks_open_quote(blocks);
	quote->is_shown = true;
}

void lists_open_hidden(struct lists *lists)
{
	(void)push(lists);
}

void lists_close(struct lists *lists, struct blocks *blocks)
{
	const struct list *list = get_last(lists);

	if (!list) {
		lists->n_hidden -= lists->n_hidden > 0;
		return;
	}
	lists->n_open--;
	if (list->is_shown)
		blocks_close(blocks);
	if (list->is_list) {
		blocks->gap = GAP_BLANK;
		lists->last_sign = list->sign;
	}
}

void lists_close_definition(struct lists *lists, struct blocks *blocks)
{
	struct list *last = get_last(lists);

	if (!last || !last->is_definition || !last->is_shown)
		return;
	last->is_shown = false;
	blocks_close(blocks);
}

void lists_forget_last(struct lists *lists)
{
	lists->last_sign = '\0';
}
