/* See shortlist.h. Records lie one after the other in one block; what moves when they are sorted is
 * an array of their places. */
#include "workers/filesystem/shortlist.h"

#include "shared/alloc.h"

enum {
	ALIGNMENT = sizeof(int64_t),
	FIRST_BYTES = 512,
	FIRST_ITEMS = 16,
	/* So many more than max_items are gathered at least before some are forgotten. */
	LEAST_SPARE = 1024,
};

void shortlist_init(
	struct shortlist *list, shortlist_compare_fn *compare, size_t max_items, size_t max_bytes)
{
	*list = (struct shortlist){
		.compare = compare,
		.max_items = max_items,
		.max_bytes = max_bytes,
	};
}

void shortlist_done(struct shortlist *list)
{
	free(list->bytes);
	free(list->places);
	shortlist_init(list, list->compare, list->max_items, list->max_bytes);
}

const void *shortlist_get(const struct shortlist *list, size_t i)
{
	return list->bytes + list->places[i].at;
}

size_t shortlist_memory(const struct shortlist *list)
{
	return list->bytes_size + list->places_size * sizeof(*list->places);
}

static int compare_places(const void *a, const void *b, void *arg)
{
	const struct shortlist *list = arg;
	const struct shortlist_place *left = a;
	const struct shortlist_place *right = b;

	return list->compare(list->bytes + left->at, list->bytes + right->at);
}

static void put_in_order(struct shortlist *list)
{
	if (list->n > 1)
		qsort_r(list->places, list->n, sizeof(*list->places), compare_places, list);
}

/* A block of the records that are left, in order. */
static void compact(struct shortlist *list)
{
	char *bytes;
	size_t n_bytes = 0;

	for (size_t i = 0; i < list->n; i++)
		n_bytes += list->places[i].len;
	bytes = alloc_resize(NULL, n_bytes, 1);
	n_bytes = 0;
	for (size_t i = 0; i < list->n; i++) {
		struct shortlist_place *place = &list->places[i];

		memcpy(bytes + n_bytes, list->bytes + place->at, place->len);
		place->at = (uint32_t)n_bytes;
		n_bytes += place->len;
	}
	free(list->bytes);
	list->bytes = bytes;
	list->n_bytes = n_bytes;
	list->bytes_size = n_bytes;
}

static void forget_larger(struct shortlist *list, size_t n_kept)
{
	put_in_order(list);
	list->n = n_kept;
	list->is_cut = true;
	compact(list);
	list->bound = list->places[n_kept - 1];
}

static bool is_full(const struct shortlist *list, size_t len)
{
	size_t spare = list->max_items > LEAST_SPARE ? list->max_items : LEAST_SPARE;

	return len > list->max_bytes - list->n_bytes ||
	       (list->n >= list->max_items && list->n - list->max_items >= spare);
}

static void make_room(struct shortlist *list, size_t len)
{
	if (len > list->bytes_size - list->n_bytes) {
		size_t size =
			list->bytes_size * 2 > FIRST_BYTES ? list->bytes_size * 2 : FIRST_BYTES;

		if (size > list->max_bytes)
			size = list->max_bytes;
		list->bytes_size = size - list->n_bytes < len ? list->n_bytes + len : size;
		list->bytes = alloc_resize(list->bytes, list->bytes_size, 1);
	}
	if (list->n == list->places_size) {
		list->places_size = list->places_size ? list->places_size * 2 : FIRST_ITEMS;
		list->places = alloc_resize(list->places, list->places_size, sizeof(*list->places));
	}
}

static bool is_too_large(const struct shortlist *list, const void *record)
{
	return list->is_cut && list->compare(record, list->bytes + list->bound.at) >= 0;
}

void shortlist_add(struct shortlist *list, const void *record, size_t len)
{
	const size_t padded = (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

	if (is_too_large(list, record))
		return;
	if (is_full(list, padded)) {
		size_t half = (list->n + 1) / 2;

		forget_larger(list, half < list->max_items ? half : list->max_items);
		if (is_too_large(list, record))
			return;
	}
	make_room(list, padded);
	memcpy(list->bytes + list->n_bytes, record, len);
	memset(list->bytes + list->n_bytes + len, 0, padded - len);
	list->places[list->n++] = (struct shortlist_place){
		.at = (uint32_t)list->n_bytes,
		.len = (uint32_t)padded,
	};
	list->n_bytes += padded;
}

void shortlist_sort(struct shortlist *list)
{
	put_in_order(list);
	if (list->n > list->max_items) {
		list->n = list->max_items;
		list->is_cut = true;
	}
}
