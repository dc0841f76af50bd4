/* See catalog_index.h. */
#include "supervisor/mcp/catalog_index.h"

#include "shared/alloc.h"
#include "shared/quote.h"

enum { MAX_TOLD = 3 }; /* names of a clash that are said */

/* A name while the index is made. */
struct candidate {
	struct index_entry entry;
	struct offer *offer;
	struct candidate *winner; /* of those with the same name, in the first of them */
	struct candidate *first;  /* in order of names */
};

static const char *const words[CATALOG_LISTS] = {
	[CATALOG_TOOLS] = "tool",
	[CATALOG_RESOURCES] = "resource",
	[CATALOG_TEMPLATES] = "resource template",
	[CATALOG_PROMPTS] = "prompt",
};

/* --- clashes ------------------------------------------------------------------------------------- */

void clashes_done(struct clashes *clashes)
{
	for (size_t i = 0; i < clashes->n; i++)
		strbuf_done(&clashes->items[i].names);
	free(clashes->items);
	*clashes = (struct clashes){ 0 };
}

/* There are at most as many as pairs of domains. */
static struct clash *find_clash(struct clashes *clashes, enum catalog_list list,
	const struct offer *loser, const struct offer *winner)
{
	struct clash *clash;

	for (size_t i = clashes->n; i-- > 0;) {
		clash = &clashes->items[i];
		if (clash->list == list && clash->loser == loser && clash->winner == winner)
			return clash;
	}
	clashes->items = alloc_resize(clashes->items, clashes->n + 1, sizeof(*clash));
	clash = &clashes->items[clashes->n++];
	*clash = (struct clash){ .loser = loser, .winner = winner, .list = list };
	return clash;
}

static void note_clash(struct clashes *clashes, enum catalog_list list,
	const struct candidate *loser, const struct candidate *winner)
{
	struct clash *clash = find_clash(clashes, list, loser->offer, winner->offer);
	const char *name = loser->entry.name->name;

	if (clash->n++ < MAX_TOLD) {
		strbuf_adds(&clash->names, clash->n > 1 ? ", " : "");
		quote_add(&clash->names, name, strlen(name));
	}
}

/* Which domain's names to change, and to what; of the workers that are built in they are fixed. */
static char *describe_remedy(const struct clash *clash)
{
	const struct catalog_naming *loser = &clash->loser->naming;
	const struct catalog_naming *winner = &clash->winner->naming;
	bool is_winner =
		loser->is_native || (winner->names == CONF_NAMES_PLAIN &&
					    loser->names != CONF_NAMES_PLAIN && !winner->is_native);
	const struct catalog_naming *who = is_winner ? winner : loser;

	if (who->names == CONF_NAMES_PLAIN)
		return alloc_printf("set domains.%s.names to prefix or dotted", who->domain);
	return alloc_printf("set domains.%s.names to %s, or give the domain another name",
		who->domain, who->names == CONF_NAMES_DOTTED ? "prefix" : "dotted");
}

char *clash_describe(const struct clash *clash)
{
	auto_free char *remedy = describe_remedy(clash);
	auto_strbuf text = { 0 };
	bool many = clash->n > 1;

	strbuf_addf(
		&text, "%s%s %s", words[clash->list], many ? "s" : "", strbuf_get(&clash->names));
	if (clash->n > MAX_TOLD)
		strbuf_addf(&text, " and %zu more", clash->n - MAX_TOLD);
	strbuf_addf(&text, " %s left out, for domain %s has %s already: %s", many ? "are" : "is",
		clash->winner->naming.domain, many ? "them" : "it", remedy);
	return strbuf_take(&text);
}

/* --- building ------------------------------------------------------------------------------------ */

static int compare_exact(const void *a, const void *b)
{
	const struct candidate *x = *(struct candidate *const *)a;
	const struct candidate *y = *(struct candidate *const *)b;
	int order = strcmp(x->entry.name->name, y->entry.name->name);

	return order ? order : (x > y) - (x < y);
}

static unsigned char fold(char c)
{
	return (unsigned char)(c == '-' || c == '.' ? '_' : c);
}

static int compare_folded_names(const char *a, const char *b)
{
	while (*a && fold(*a) == fold(*b)) {
		a++;
		b++;
	}
	return fold(*a) - fold(*b);
}

/* Of one item its own name goes before its aliases: an alias goes to the worker as itself. */
static int compare_folded(const void *a, const void *b)
{
	const struct index_entry *x = a;
	const struct index_entry *y = b;
	int order = compare_folded_names(x->name->name, y->name->name);

	if (order == 0)
		order = strcmp(x->offer->naming.domain, y->offer->naming.domain);
	return order ? order : x->name->is_alias - y->name->is_alias;
}

static struct candidate *list_candidates(
	enum catalog_list list, struct offer *const *offers, size_t n_offers, size_t *ret_n)
{
	struct candidate *all;
	size_t n = 0;

	for (size_t i = 0; i < n_offers; i++)
		n += offers[i]->lists[list].n_names;
	all = alloc_zero((n + 1) * sizeof(*all));
	n = 0;
	for (size_t i = 0; i < n_offers; i++) {
		for (size_t k = 0; k < offers[i]->lists[list].n_names; k++) {
			const struct offer_name *name = &offers[i]->lists[list].names[k];

			all[n++] = (struct candidate){ .entry = { offers[i], name },
				.offer = offers[i] };
		}
	}
	*ret_n = n;
	return all;
}

/* Candidates with the same name stand beside each other in `sorted`. */
static void find_firsts(struct candidate **sorted, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool same = i > 0 &&
			    streq(sorted[i - 1]->entry.name->name, sorted[i]->entry.name->name);

		sorted[i]->first = same ? sorted[i - 1]->first : sorted[i];
	}
}

/* In order of domains, and in a domain names of items before aliases: who comes first has the name. */
static void share_out(
	struct candidate *all, size_t n, enum catalog_list list, struct clashes *clashes)
{
	for (size_t i = 0; i < n; i++) {
		struct candidate *c = &all[i];
		struct offer_item *item = &c->offer->lists[list].items[c->entry.name->item];
		bool is_taken = c->first->winner != NULL;

		if (c->entry.name->is_alias && item->is_out)
			continue;
		if (is_taken)
			note_clash(clashes, list, c, c->first->winner);
		else
			c->first->winner = c;
		if (!c->entry.name->is_alias)
			item->is_out = is_taken;
	}
}

void index_build(struct index *index, enum catalog_list list, struct offer *const *offers,
	size_t n_offers, struct clashes *clashes)
{
	bool is_folded = list == CATALOG_TOOLS || list == CATALOG_PROMPTS;
	size_t n;
	auto_free struct candidate *all = list_candidates(list, offers, n_offers, &n);
	auto_free struct candidate **sorted = alloc_zero((n + 1) * sizeof(struct candidate *));

	for (size_t i = 0; i < n; i++)
		sorted[i] = &all[i];
	qsort(sorted, n, sizeof(struct candidate *), compare_exact);
	find_firsts(sorted, n);
	share_out(all, n, list, clashes);
	index_done(index);
	index->by_name = alloc_zero((n + 1) * sizeof(*index->by_name));
	for (size_t i = 0; i < n; i++)
		if (sorted[i]->first->winner == sorted[i])
			index->by_name[index->n++] = sorted[i]->entry;
	if (!is_folded)
		return;
	index->by_folded = alloc_zero((n + 1) * sizeof(*index->by_folded));
	memcpy(index->by_folded, index->by_name, index->n * sizeof(*index->by_folded));
	qsort(index->by_folded, index->n, sizeof(*index->by_folded), compare_folded);
}

void index_done(struct index *index)
{
	free(index->by_name);
	free(index->by_folded);
	*index = (struct index){ 0 };
}

/* --- looking up ---------------------------------------------------------------------------------- */

/* The first entry that is not before `name`. */
static size_t lower_bound(const struct index_entry *entries, size_t n, const char *name,
	int (*compare)(const char *, const char *))
{
	size_t from = 0;

	while (from < n) {
		size_t middle = from + (n - from) / 2;

		if (compare(entries[middle].name->name, name) < 0)
			from = middle + 1;
		else
			n = middle;
	}
	return from;
}

const struct index_entry *index_find(const struct index *index, const char *name)
{
	size_t i = lower_bound(index->by_name, index->n, name, strcmp);

	return i < index->n && streq(index->by_name[i].name->name, name) ? &index->by_name[i]
									 : NULL;
}

const struct index_entry *index_find_folded(
	const struct index *index, const char *name, index_takes_fn *takes, const void *arg)
{
	const struct index_entry *found = NULL;
	size_t i = lower_bound(index->by_folded, index->n, name, compare_folded_names);

	for (; i < index->n && compare_folded_names(index->by_folded[i].name->name, name) == 0;
		i++) {
		const struct index_entry *entry = &index->by_folded[i];

		if (!takes(arg, entry))
			continue;
		if (found &&
			(found->offer != entry->offer || found->name->item != entry->name->item))
			return NULL;
		if (!found)
			found = entry;
	}
	return found;
}
