/* The first of many records: against sorting all of them, within the bounds of number and memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "workers/filesystem/shortlist.h"

static int compare_texts(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int compare_pointers(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

enum { N = 5000 };

static char *names[N];
static char *sorted[N];

/* Of many lengths, in no order, always the same. */
static int set_up(void **state)
{
	uint32_t x = 1;

	for (size_t i = 0; i < N; i++) {
		x = x * 1664525 + 1013904223;
		names[i] = alloc_printf("%0*x", (int)(8 + x % 200), x);
		sorted[i] = names[i];
	}
	qsort(sorted, N, sizeof(*sorted), compare_pointers);
	return 0;
}

static int tear_down(void **state)
{
	for (size_t i = 0; i < N; i++)
		free(names[i]);
	return 0;
}

/* Returns the most memory that was taken. */
static size_t fill(struct shortlist *list, size_t max_items, size_t max_bytes)
{
	size_t most = 0;

	shortlist_init(list, compare_texts, max_items, max_bytes);
	for (size_t i = 0; i < N; i++) {
		size_t memory;

		shortlist_add(list, names[i], strlen(names[i]) + 1);
		memory = shortlist_memory(list);
		most = memory > most ? memory : most;
	}
	shortlist_sort(list);
	return most;
}

static void check_first(const struct shortlist *list)
{
	for (size_t i = 0; i < list->n; i++)
		assert_string_equal(shortlist_get(list, i), sorted[i]);
}

static void test_all_fit(void **state)
{
	struct shortlist list;

	(void)fill(&list, SIZE_MAX, 1 << 30);
	assert_int_equal(list.n, N);
	assert_false(list.is_cut);
	check_first(&list);
	shortlist_done(&list);
	assert_int_equal(shortlist_memory(&list), 0);
}

static void test_number(void **state)
{
	static const size_t numbers[] = { 1, 2, 1000, 1024, 2500, N - 1, N };

	for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
		struct shortlist list;

		(void)fill(&list, numbers[i], 1 << 30);
		assert_int_equal(list.n, numbers[i]);
		assert_int_equal(list.is_cut, numbers[i] < N);
		check_first(&list);
		shortlist_done(&list);
	}
}

static void test_bytes(void **state)
{
	static const size_t sizes[] = { 1024, 10000, 100000 };

	for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
		struct shortlist list;
		size_t most = fill(&list, SIZE_MAX, sizes[i]);

		/* The places of the records, which are at least 16 bytes each, are not counted. */
		assert_in_range(most, 1, sizes[i] * 2);
		assert_true(list.n > 0 && list.n < N);
		assert_true(list.is_cut);
		check_first(&list);
		shortlist_done(&list);
	}
}

static void test_empty(void **state)
{
	struct shortlist list;

	shortlist_init(&list, compare_texts, 5, 1024);
	shortlist_sort(&list);
	assert_int_equal(list.n, 0);
	assert_false(list.is_cut);
	shortlist_done(&list);
}

static void test_equal_records(void **state)
{
	struct shortlist list;

	shortlist_init(&list, compare_texts, 10, 1 << 20);
	for (int i = 0; i < 5000; i++)
		shortlist_add(&list, "same", 5);
	shortlist_add(&list, "a", 2);
	shortlist_sort(&list);
	assert_int_equal(list.n, 10);
	assert_string_equal(shortlist_get(&list, 0), "a");
	assert_string_equal(shortlist_get(&list, 9), "same");
	shortlist_done(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_fit),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_equal_records),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
