/* The first of many records, in an order of the caller's, within bounds of number and memory: how a
 * directory with a million entries is sorted without holding a million names.
 *
 * Records are added one by one; when there are too many, the larger half is forgotten, and whatever
 * comes later and is not smaller than what was kept is not even taken. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/cleanup.h"

/* As strcmp(): the order of two records. */
typedef int shortlist_compare_fn(const void *a, const void *b);

/* Where a record lies. */
struct shortlist_place {
	uint32_t at;
	uint32_t len;
};

struct shortlist {
	shortlist_compare_fn *compare;
	size_t max_items;
	size_t max_bytes;
	char *bytes; /* the records, one after the other */
	size_t n_bytes;
	size_t bytes_size;
	struct shortlist_place *places;
	size_t n;
	size_t places_size;
	struct shortlist_place bound; /* later ones must be smaller; when is_cut */
	bool is_cut;                  /* some were left out */
};

/* max_items at least 1; max_bytes for the records, from some longest ones to 1 GiB. */
void shortlist_init(
	struct shortlist *list, shortlist_compare_fn *compare, size_t max_items, size_t max_bytes);
void shortlist_done(struct shortlist *list);

/* Takes a copy of `len` bytes, which will be aligned as int64_t. */
void shortlist_add(struct shortlist *list, const void *record, size_t len);

/* Once all were added: puts them in order, at most max_items of them. */
void shortlist_sort(struct shortlist *list);

/* The i-th of `n`, borrowed until the next shortlist_add(). */
const void *shortlist_get(const struct shortlist *list, size_t i);

/* Memory that it takes now. */
size_t shortlist_memory(const struct shortlist *list);
