/* What the files of mcp-fleetctl key share. */
#pragma once

#include <jansson.h>

#include "ctl/key_store.h"

/* A key that ends within this time is worth a word. */
enum { KEY_SOON_S = 14 * 86400 };

/* Sets what the options of 'add' say on `key`: what it may use, its limits, its certificates, its end. -EINVAL with
 * words. */
int key_read_options(const struct ctl_args *args, int64_t now_s, struct keys_file_key *key,
	struct fail *fail) must_check;

/* "90d", "2027-01-31", "2027-01-31T12:00:00Z": an instant to come. -EINVAL with words. */
int key_read_end(const char *text, int64_t now_s, int64_t *ret_s, struct fail *fail) must_check;

/* The table of the keys, or all of them as JSON; no hashes. */
void key_print_list(const struct ctl *ctl, const struct key_store *store, int64_t now_s);

/* One of them as JSON. */
json_t *key_make_json(const struct keys_file_key *key, int64_t now_s) must_check;
