/* "Did you mean": the known word that is nearest to a mistyped one. */
#pragma once

#include <stddef.h>

struct nearest {
	const char *word;
	size_t len;
	const char *best; /* NULL: none is near enough */
	size_t distance; /* of the best: how many letters are wrong, missing, too many or exchanged */
};

/* `word` is borrowed, and so are those that are offered. */
struct nearest nearest_begin(const char *word, size_t len);
void nearest_offer(struct nearest *nearest, const char *known);
