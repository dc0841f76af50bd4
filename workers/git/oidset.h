/* A set of object ids. */
#pragma once

#include <git2.h>
#include <stdbool.h>

#include "shared/cleanup.h"

struct oidset {
	git_oid *slots; /* an empty slot is the zero id */
	size_t n;
	size_t size; /* a power of two, or 0 */
};

/* False: it was there already. The zero id is never an object's and must not be added. */
bool oidset_add(struct oidset *set, const git_oid *id);
bool oidset_has(const struct oidset *set, const git_oid *id);
void oidset_done(struct oidset *set);

#define auto_oidset auto_(oidset_done) struct oidset
