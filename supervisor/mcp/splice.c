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

/* With the comma behind it, or (the last one) with the one in front. */
void splice_remove(struct splices *splices, struct jspan object, const char *member)
{
	const char *kept_end = NULL; /* of the last member that stays */
	const char *from = NULL;     /* where what goes begins */
	struct jspan name, value;
	size_t cursor = 0;

	while (jspan_next(object, &cursor, &name, &value)) {
		if (jspan_is(name, member)) {
			from = from ? from : name.at;
			continue;
		}
		if (from)
			splice_replace(
				splices, (struct jspan){ from, (size_t)(name.at - from) }, "", 0);
		from = NULL;
		kept_end = value.at + value.len;
	}
	if (!from)
		return;
	if (kept_end)
		from = kept_end;
	splice_replace(splices, (struct jspan){ from, (size_t)(object.at + object.len - 1 - from) },
		"", 0);
}

static int compare(const void *a, const void *b)
{
	const struct splice *x = a;
	const struct splice *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return (x->len > 0) - (y->len > 0); /* what is put in front of a part that goes */
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
