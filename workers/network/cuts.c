/* See cuts.h. */
#include "workers/network/cuts.h"

#include "shared/alloc.h"

void cuts_done(struct cuts *cuts)
{
	free(TAKE(cuts->spans));
}

void cuts_begin(struct cuts *cuts, size_t at)
{
	if (cuts->n == cuts->size) {
		cuts->size = cuts->size ? cuts->size * 2 : 8;
		cuts->spans = alloc_resize(cuts->spans, cuts->size, sizeof(*cuts->spans));
	}
	cuts->spans[cuts->n] = (struct cuts_span){ .from = at };
}

void cuts_end(struct cuts *cuts, size_t at)
{
	cuts->spans[cuts->n].to = at;
	if (at > cuts->spans[cuts->n].from)
		cuts->n++;
}

void cuts_forget(struct cuts *cuts)
{
	cuts->n = 0;
}

static void copy(struct strbuf *ret, size_t start, const char *text, size_t len)
{
	while (ret->len == start && len > 0 && *text == '\n') {
		text++;
		len--;
	}
	strbuf_add(ret, text, len);
}

void cuts_copy(const struct cuts *cuts, const char *text, size_t len, struct strbuf *ret)
{
	size_t start = ret->len;
	size_t at = 0;

	for (size_t i = 0; i < cuts->n; i++) {
		copy(ret, start, text + at, cuts->spans[i].from - at);
		at = cuts->spans[i].to;
	}
	copy(ret, start, text + at, len - at);
}
