/* See splice.h. */
#include "supervisor/mcp/splice.h"

#include "shared/alloc.h"

void splices_done(struct splices *splices)
{
	for (size_t i = 0; i < splices->n; i++)
		free(splices->items[i].with);
	free(splices->items);
	*splices = (struct splices){ 0 };
}

static void add(struct splices *splices, const struct splice *splice)
{
	splices->items = alloc_resize(splices->items, splices->n + 1, sizeof(*splices->items));
	splices->items[splices->n++] = *splice;
}

void splice_replace(struct splices *splices, struct jspan where, const char *with, size_t len)
{
	const struct splice splice = {
		.at = where.at, .len = where.len, .with = alloc_mem(with, len), .with_len = len
	};

	add(splices, &splice);
}

void splice_insert(struct splices *splices, const char *at, const char *with, size_t len)
{
	splice_replace(splices, (struct jspan){ .at = at }, with, len);
}

void splice_members(struct splices *splices, struct jspan object, const char *members)
{
	size_t cursor = 0;
	struct jspan name, value;
	auto_free char *text = NULL;

	if (!*members)
		return;
	text = alloc_printf("%s%s", members, jspan_next(object, &cursor, &name, &value) ? "," : "");
	splice_insert(splices, object.at + 1, text, strlen(text));
}

static int compare(const void *a, const void *b)
{
	const char *x = ((const struct splice *)a)->at;
	const char *y = ((const struct splice *)b)->at;

	return x < y ? -1 : x > y;
}

void splices_apply(struct splices *splices, struct jspan whole, struct strbuf *out)
{
	const char *at = whole.at;

	if (splices->n > 1)
		qsort(splices->items, splices->n, sizeof(*splices->items), compare);
	for (size_t i = 0; i < splices->n; i++) {
		const struct splice *splice = &splices->items[i];

		strbuf_add(out, at, (size_t)(splice->at - at));
		strbuf_add(out, splice->with, splice->with_len);
		at = splice->at + splice->len;
	}
	strbuf_add(out, at, (size_t)(whole.at + whole.len - at));
}
