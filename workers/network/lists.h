/* Open lists, items and quotes: which mark an item gets, and which containers it has in blocks.h.
 *
 * Each open has its close, in order. Beyond LISTS_MAX_DEPTH they are only counted. */
#pragma once

#include "workers/network/blocks.h"

enum {
	LISTS_MAX_DEPTH = 64,
	LISTS_MAX_NUMBER = 99999999, /* of an item; CommonMark has nine digits */
};

struct list {
	bool is_list;       /* else an item or a quote */
	bool is_shown;      /* it has a container in blocks */
	bool is_definition; /* an item of <dl> */
	bool has_items;
	char sign;      /* '-', '*'; of ordered ones '.', ')' */
	int64_t number; /* of the next item; -1: bullets */
};

/* Zero-initialised is empty. */
struct lists {
	struct list open[LISTS_MAX_DEPTH];
	size_t n_open;
	size_t n_hidden; /* deeper ones */
	char last_sign;  /* of a list that has just ended; '\0': something followed */
};

bool lists_is_empty(const struct lists *lists);

void lists_open_bullets(struct lists *lists);
void lists_open_ordered(struct lists *lists, int64_t first);

/* An item of the innermost list; without one it gets a bullet. `number` -1: the next. */
void lists_open_item(struct lists *lists, struct blocks *blocks, int64_t number);

/* What <dd> is: an item right below its term. */
void lists_open_definition(struct lists *lists, struct blocks *blocks);
void lists_open_quote(struct lists *lists, struct blocks *blocks);

/* An item that is not shown as one. */
void lists_open_hidden(struct lists *lists);

void lists_close(struct lists *lists, struct blocks *blocks);

/* Parsers do not end a <dd> where the next one begins, or a <dt>: this does. */
void lists_close_definition(struct lists *lists, struct blocks *blocks);

/* A block was written: the next list does not follow another directly. */
void lists_forget_last(struct lists *lists);
