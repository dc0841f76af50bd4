/* See nearest.h. The distance is that of Damerau and Levenshtein in its restricted form (optimal string
 * alignment): an exchange of two neighbours is one mistake, as it is for a hand. */
#include "ctl/nearest.h"

#include <string.h>

enum { MAX_WORD = 64 };

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t min = a < b ? a : b;

	return min < c ? min : c;
}

static size_t distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
	size_t rows[3][MAX_WORD + 1];
	size_t *before = rows[0]; /* of i - 2 */
	size_t *last = rows[1];   /* of i - 1 */
	size_t *row = rows[2];

	for (size_t j = 0; j <= n_b; j++)
		last[j] = before[j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		size_t *free_row = before;

		row[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			row[j] = min3(
				row[j - 1] + 1, last[j] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = last;
		last = row;
		row = free_row;
	}
	return last[n_b];
}

struct nearest nearest_begin(const char *word, size_t len)
{
	/* One mistake in three letters, at least one: beyond that it is another word. */
	return (struct nearest){ .word = word, .len = len, .distance = len / 3 + 2 };
}

void nearest_offer(struct nearest *nearest, const char *known)
{
	size_t len = strlen(known);
	size_t d;

	if (len > MAX_WORD || nearest->len > MAX_WORD || nearest->len == 0)
		return;
	/* What was left out at the end is no mistake: "stat" is near to "status". */
	d = nearest->len >= 2 && len >= nearest->len &&
			    strncmp(nearest->word, known, nearest->len) == 0
		    ? 1
		    : distance(nearest->word, nearest->len, known, len);
	if (d < nearest->distance && d < nearest->len) {
		nearest->distance = d;
		nearest->best = known;
	}
}
