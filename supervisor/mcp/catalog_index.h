/* Names of all domains in one list: who has which, who came too late, and look-ups. Inside of the catalog.
 *
 * A name leads to one domain. Of two domains that have it, the one that is later in order loses: an item
 * is left out (offer_item.is_out), an alias does not lead there. That the lists of workers fit together
 * shows only when they come, so it cannot be refused earlier; it is said as a clash. */
#pragma once

#include "supervisor/mcp/catalog_offer.h"

struct index_entry {
	const struct offer *offer;
	const struct offer_name *name;
};

struct index {
	struct index_entry *by_name;
	struct index_entry *by_folded; /* '-', '.' and '_' are one; NULL for lists of URIs */
	size_t n;
};

/* Names that `loser` does not get, since `winner` has them. */
struct clash {
	const struct offer *loser;
	const struct offer *winner;
	enum catalog_list list;
	struct strbuf names; /* the first few */
	size_t n;
};

struct clashes {
	struct clash *items;
	size_t n;
};

void clashes_done(struct clashes *clashes);

/* In words, with what to change in the settings. The caller frees it. */
char *clash_describe(const struct clash *clash) must_check;

/* Builds the index of `list` anew, sets is_out of the items, and adds the clashes. Borrows the offers. */
void index_build(struct index *index, enum catalog_list list, struct offer *const *offers,
	size_t n_offers, struct clashes *clashes);
void index_done(struct index *index);

/* NULL: nobody has exactly this name. */
const struct index_entry *index_find(const struct index *index, const char *name);

/* The only item among those that `takes` says true of whose name differs in nothing but '-', '.' and '_'; NULL:
 * there is none, or more than one. */
typedef bool index_takes_fn(const void *arg, const struct index_entry *entry);
const struct index_entry *index_find_folded(
	const struct index *index, const char *name, index_takes_fn *takes, const void *arg);
