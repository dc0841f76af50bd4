/* From a mapping of YAML to the fields of a struct, as the table of settings says. It knows no
 * meanings: what holds between keys is checked in conf.c. */
#pragma once

#include "supervisor/conf.h"
#include "supervisor/conf_yaml.h"

/* A set of keys that fill one struct. */
struct conf_scope {
	const char *prefix; /* of the table's paths: "", or "domains.*." */
	const char *own;    /* looked in first: "domains.git."; NULL: nothing */
	const char *shown;  /* in front of a key in messages: "domains.git."; "" at the top */
};

/* The keys of struct conf itself. */
extern const struct conf_scope conf_scope_top;

/* The keys of one domain. `shown` is what the scope's texts point to: do not copy the struct. */
struct conf_domain_scope {
	struct conf_scope scope;
	char shown[64];
};

/* `is_native`: also with the keys of the native worker of this name. */
void conf_domain_scope_init(struct conf_domain_scope *ds, const char *name, bool is_native);

/* The key's name below the scope ("processes.max"); NULL when it is not one of the scope, or is
 * overridden by one of `own`. */
const char *conf_scope_name(const struct conf_scope *scope, const struct conf_key *key);
bool conf_scope_has(const struct conf_scope *scope, const struct conf_key *key);

/* Whether it is a key that only the scope's `own` has. */
bool conf_scope_is_own(const struct conf_scope *scope, const struct conf_key *key);

/* Sets each field of the scope in `owner` (zeroed) to its default, but for listeners and roots, whose
 * defaults depend on the environment: they stay empty. */
void conf_decode_defaults(const struct conf_scope *scope, void *owner);

/* Fills the fields that the mapping names. -EINVAL with words that name place and key. `skip`: a key
 * of the top level that somebody else reads; NULL: none. */
int conf_decode(const struct conf_scope *scope, const struct conf_node *map, const char *skip,
	void *owner, struct fail *fail) must_check;

/* Frees what the fields hold. */
void conf_decode_clear(const struct conf_scope *scope, void *owner);

/* Of names that end with NULL the one that was probably meant; NULL: none is near. */
const char *conf_nearest(const char *name, const char *const *names);
