/* The types of settings: how a node of YAML becomes a field of that type, and what else can be done
 * with any field of the table: clear, compare, turn into JSON. */
#pragma once

#include <jansson.h>

#include "supervisor/conf.h"
#include "supervisor/conf_yaml.h"

/* What is decoded, and where words go. */
struct conf_decoder {
	const struct conf_key *key;
	const char *path; /* as shown: "domains.git.processes.max" */
	struct fail *fail;
};

/* Sets the key's field in `owner` (struct conf or struct conf_domain). On -EINVAL the field is as it
 * was, or can at least be cleared. */
int conf_key_decode(const struct conf_decoder *dec, const struct conf_node *node, void *owner)
	must_check;

/* Frees what the field holds; it is empty afterwards. */
void conf_key_clear(const struct conf_key *key, void *owner);

bool conf_key_equal(const struct conf_key *key, const void *a, const void *b);

/* The default depends on the environment and is set by conf.c: listeners, roots. */
bool conf_key_has_own_default(const struct conf_key *key);

/* The field as JSON: numbers for sizes and durations (bytes, milliseconds). A new reference. Only for
 * what has one: environments, which may hold secrets, and overrides do not. */
bool conf_key_has_json(const struct conf_key *key);
json_t *conf_key_json(const struct conf_key *key, const void *owner) must_check;

/* "'fast' is not FORM", or what else stands there instead. Returns -EINVAL. */
int conf_fail_form(const struct conf_decoder *dec, const struct conf_node *node, const char *form);

/* Adds one more; `address` as conf_parse_listen() takes it, `domain` may be NULL. 0 or -EINVAL. */
int conf_add_listener(struct conf *conf, const char *address, const char *domain) must_check;
void conf_clear_listeners(struct conf *conf);

/* Adds a directory by its real path. -errno; -EEXIST: it is there already; -EILSEQ: not UTF-8. */
int conf_add_root(struct conf_roots *roots, const char *path, bool writable) must_check;
void conf_clear_roots(struct conf_roots *roots);

/* Words for what conf_add_root() returned. */
const char *conf_root_error(int err);

void conf_clear_strs(struct conf_strs *list);

/* As the functions of the type: lists of texts inside of other types. */
int conf_decode_strs(const struct conf_decoder *dec, const struct conf_node *node, void *field)
	must_check;
bool conf_equal_strs(const void *a, const void *b);
json_t *conf_json_of_strs(const void *field) must_check;
