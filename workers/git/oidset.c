#include "workers/git/oidset.h"

#include "shared/alloc.h"

enum { FIRST_SIZE = 256 };

/* The slot that holds `id`, or the empty one where it belongs. Ids are hashes: their first bytes are
 * as good as any hash of them. */
static git_oid *find_slot(const struct oidset *set, const git_oid *id)
{
	size_t at;

	memcpy(&at, id->id, sizeof(at));
	for (at &= set->size - 1;; at = (at + 1) & (set->size - 1))
		if (git_oid_is_zero(&set->slots[at]) || git_oid_equal(&set->slots[at], id))
			return &set->slots[at];
}

static void grow(struct oidset *set)
{
	struct oidset old = *set;

	set->size = old.size ? old.size * 2 : FIRST_SIZE;
	set->slots = alloc_resize(NULL, set->size, sizeof(*set->slots));
	memset(set->slots, 0, set->size * sizeof(*set->slots));
	for (size_t i = 0; i < old.size; i++)
		if (!git_oid_is_zero(&old.slots[i]))
			*find_slot(set, &old.slots[i]) = old.slots[i];
	free(old.slots);
}

bool oidset_add(struct oidset *set, const git_oid *id)
{
	git_oid *slot;

	if (set->n >= set->size / 2)
		grow(set);
	slot = find_slot(set, id);
	if (!git_oid_is_zero(slot))
		return false;
	*slot = *id;
	set->n++;
	return true;
}

bool oidset_has(const struct oidset *set, const git_oid *id)
{
	return set->size > 0 && !git_oid_is_zero(find_slot(set, id));
}

void oidset_done(struct oidset *set)
{
	free(set->slots);
	*set = (struct oidset){ 0 };
}
