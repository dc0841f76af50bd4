/* Lists of file names. Names are bytes; how they are shown is decided in out.h. */
#include "workers/git/names.h"

#include "shared/alloc.h"
#include "shared/strbuf.h"
#include "workers/git/out.h"

enum { TEXT_MAX = 400 };

void names_add(struct names *names, const char *name)
{
	if (names->n > 0 && streq(names->items[names->n - 1], name))
		return;

	if (names->n == names->size) {
		names->size = names->size ? names->size * 2 : 16;
		names->items = alloc_resize(names->items, names->size, sizeof(*names->items));
	}
	names->items[names->n++] = alloc_str(name);
}

void names_done(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct names){ 0 };
}

static int compare(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	return strcmp(*x, *y);
}

void names_sort(struct names *names)
{
	size_t n = 0;

	if (names->n < 2)
		return;

	qsort(names->items, names->n, sizeof(*names->items), compare);
	for (size_t i = 1; i < names->n; i++) {
		if (streq(names->items[n], names->items[i]))
			free(names->items[i]);
		else
			names->items[++n] = names->items[i];
	}
	names->n = n + 1;
}

json_t *names_json(const struct names *names)
{
	json_t *list = json_array();

	for (size_t i = 0; i < names->n && i < NAMES_SHOWN; i++)
		json_array_append_new(list, out_str(names->items[i]));

	return list;
}

char *names_text(const struct names *names)
{
	auto_strbuf text = { 0 };

	for (size_t i = 0; i < names->n; i++) {
		size_t len = text.len;

		if (i > 0)
			strbuf_adds(&text, ", ");
		out_name(&text, names->items[i]);
		if (text.len <= TEXT_MAX)
			continue;

		strbuf_cut(&text, i > 0 ? len : TEXT_MAX);
		strbuf_addf(&text, " and %zu more", names->n - i);
		break;
	}

	return strbuf_take(&text);
}
