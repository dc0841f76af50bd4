/* The keys file: who may use the tools over HTTP, and what of them. mcp-fleetctl writes it, the daemon reads it.
 *
 *   {"version": 1, "keys": [{"name": "ci", "id": "k3vq7m2a", "hash": "sha256:…64 digits…",
 *     "certificates": ["ci.example.org"], "domains": ["git"], "tools": ["git_*"], "admin": true,
 *     "rate": 10, "burst": 20, "sessions": 5, "streams": 5, "calls": 4, "bytes_rate": 1048576,
 *     "created": "2026-01-31T12:00:00Z", "expires": "2027-01-31T12:00:00Z",
 *     "rotated": {"hash": "sha256:…", "until": "2026-02-01T12:00:00Z"}}]}
 *
 * Only name, id, created and one of hash and certificates must be there. What is wrong is refused with the whole file,
 * a member that is unknown too: who writes "tool" for "tools" by hand would give all rights, and a newer program's
 * member may be one that restricts. So nothing of it needs to be kept; a change of the format is a new version.
 * An empty list is refused for the same reason: it could be read as all, and as nothing.
 *
 * The text of a key is shared/key_text.h's matter. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/fail.h"
#include "shared/key_text.h"
#include "shared/strbuf.h"

enum {
	KEYS_FILE_VERSION = 1,
	KEYS_FILE_MAX_BYTES = 4 * 1024 * 1024, /* what 10,000 keys with a few globs each take */
	KEYS_FILE_MAX_KEYS = 10000,
	KEYS_FILE_MAX_NAME = 64,
	KEYS_FILE_MAX_ITEMS = 256, /* of one list */
	KEYS_FILE_MAX_ITEM = 256,  /* bytes of a glob or of a certificate's name */
};

#define KEYS_FILE_MAX_LIMIT 1000000
#define KEYS_FILE_MAX_BYTES_RATE (INT64_C(1) << 30)

/* The last second of the year 9999, the last that has a text. */
#define KEYS_FILE_MAX_TIME INT64_C(253402300799)

struct keys_file_list {
	char **items;
	size_t n;
};

struct keys_file_key {
	char *name;
	char id[KEY_TEXT_ID_SIZE];
	bool has_hash; /* false: for certificates only */
	uint8_t hash[KEY_TEXT_HASH_BYTES];
	bool has_rotated; /* the text before is taken until then, too */
	uint8_t rotated_hash[KEY_TEXT_HASH_BYTES];
	int64_t rotated_until_s;
	struct keys_file_list certificates; /* names, any of which may come in its place */
	struct keys_file_list domains;      /* globs; empty: all */
	struct keys_file_list tools;        /* globs of names as they are listed; empty: all */
	bool is_admin;
	/* As limits.per_key; 0: what holds for all. */
	unsigned rate;
	unsigned burst;
	unsigned sessions;
	unsigned streams;
	unsigned calls;
	int64_t bytes_rate;
	int64_t created_s; /* wall clock, seconds since 1970 */
	int64_t expires_s; /* from then on it is none; 0: never */
};

/* In the order of the file. Names, ids, hashes and certificates are each of one key only. */
struct keys_file {
	struct keys_file_key *keys;
	size_t n;
};

struct keys_file *keys_file_new(void);
void keys_file_free(struct keys_file *file);
DEFINE_FREEP(struct keys_file, keys_file_free)

/* Reads `len` bytes; they are foreign. 0, or -EINVAL, -E2BIG with words that name the place. */
int keys_file_parse(const char *bytes, size_t len, struct keys_file **ret, struct fail *fail)
	must_check;

/* The same of a file; the words name it. -errno when it cannot be read: -ENOENT, -EACCES … */
int keys_file_load(const char *path, struct keys_file **ret, struct fail *fail) must_check;

/* Appends the text of the file, one key a line. */
void keys_file_print(const struct keys_file *file, struct strbuf *out);

/* NULL: there is none. A pointer into the array: until the next change. */
struct keys_file_key *keys_file_find(const struct keys_file *file, const char *name);
struct keys_file_key *keys_file_find_id(const struct keys_file *file, const char *id);
struct keys_file_key *keys_file_find_certificate(const struct keys_file *file, const char *name);

/* A new one at the end, zeroed, and one taken out. */
struct keys_file_key *keys_file_add(struct keys_file *file);
void keys_file_remove(struct keys_file *file, struct keys_file_key *key);

/* Appends a copy. */
void keys_file_list_add(struct keys_file_list *list, const char *item);

/* What the file takes: a name of letters, digits and "._@+-" that begins with a letter or digit; a glob, or the name
 * of a certificate, of UTF-8 without control characters. */
bool keys_file_is_name(const char *name);
bool keys_file_is_item(const char *item);

/* "2026-01-31T12:00:00Z", in UTC, as seconds since 1970. 0, or -EINVAL for any other form. */
int keys_file_read_time(const char *text, int64_t *ret_s) must_check;
enum { KEYS_FILE_TIME_SIZE = 32 };
void keys_file_print_time(int64_t s, char ret[KEYS_FILE_TIME_SIZE]);
