/* Reading the keys file, which is foreign: see keys_file.h. */
#include <errno.h>
#include <jansson.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/fd.h"
#include "shared/keys_file.h"
#include "shared/quote.h"

#define HASH_PREFIX "sha256:"

enum { HASH_CHARS = 2 * KEY_TEXT_HASH_BYTES };

struct reader {
	struct keys_file_key *key;
	const char *where; /* "key 3", then "key ci" */
	struct fail *fail;
};

static int wrong(const struct reader *rd, const char *member, const char *words)
{
	return fail_set(rd->fail, -EINVAL, "%s: \"%s\": %s", rd->where, member, words);
}

static int read_name(struct reader *rd, const char *member, const json_t *value)
{
	const char *name = json_string_value(value);

	if (!name || !keys_file_is_name(name))
		return wrong(rd, member,
			"a name is 1 to 64 letters, digits and \"._@+-\", and begins with a letter or "
			"digit");
	rd->key->name = alloc_str(name);
	return 0;
}

static int read_id(struct reader *rd, const char *member, const json_t *value)
{
	const char *id = json_string_value(value);

	if (!id || !key_text_is_id(id))
		return wrong(rd, member, "an id is 8 characters of a-z and 2-7");
	memcpy(rd->key->id, id, KEY_TEXT_ID_SIZE);
	return 0;
}

static int take_hash(const struct reader *rd, const char *member, const json_t *value, uint8_t *ret)
{
	const char *text = json_string_value(value);
	const char *hex = text ? text + strlen(HASH_PREFIX) : "";

	if (!text || strncmp(text, HASH_PREFIX, strlen(HASH_PREFIX)) != 0 ||
		strlen(hex) != HASH_CHARS || strspn(hex, "0123456789abcdef") != HASH_CHARS ||
		!ascii_hex_bytes(hex, KEY_TEXT_HASH_BYTES, ret))
		return wrong(rd, member, "a hash is sha256: and 64 digits of 0-9 and a-f");
	return 0;
}

static int read_hash(struct reader *rd, const char *member, const json_t *value)
{
	rd->key->has_hash = true;
	return take_hash(rd, member, value, rd->key->hash);
}

static int take_list(const struct reader *rd, const char *member, const json_t *value,
	struct keys_file_list *ret)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) == 0 ||
		json_array_size(value) > KEYS_FILE_MAX_ITEMS)
		return wrong(rd, member,
			"a list of 1 to 256 texts; leave it out where nothing is to be restricted");
	json_array_foreach(value, i, item) {
		const char *text = json_string_value(item);

		if (!text || !keys_file_is_item(text))
			return wrong(rd, member,
				"each is a text of 1 to 256 bytes without control characters");
		keys_file_list_add(ret, text);
	}
	return 0;
}

static int read_certificates(struct reader *rd, const char *member, const json_t *value)
{
	return take_list(rd, member, value, &rd->key->certificates);
}

static int read_domains(struct reader *rd, const char *member, const json_t *value)
{
	return take_list(rd, member, value, &rd->key->domains);
}

static int read_tools(struct reader *rd, const char *member, const json_t *value)
{
	return take_list(rd, member, value, &rd->key->tools);
}

static int read_admin(struct reader *rd, const char *member, const json_t *value)
{
	if (!json_is_boolean(value))
		return wrong(rd, member, "true or false");
	rd->key->is_admin = json_is_true(value);
	return 0;
}

static int take_number(
	const struct reader *rd, const char *member, const json_t *value, int64_t max, int64_t *ret)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 1 || number > max)
		return fail_set(rd->fail, -EINVAL,
			"%s: \"%s\": a whole number from 1 to %lld; leave it out for the common limit",
			rd->where, member, (long long)max);
	*ret = number;
	return 0;
}

static int take_limit(
	const struct reader *rd, const char *member, const json_t *value, unsigned *ret)
{
	int64_t number = 0;
	int r = take_number(rd, member, value, KEYS_FILE_MAX_LIMIT, &number);

	*ret = (unsigned)number;
	return r;
}

static int read_rate(struct reader *rd, const char *member, const json_t *value)
{
	return take_limit(rd, member, value, &rd->key->rate);
}

static int read_burst(struct reader *rd, const char *member, const json_t *value)
{
	return take_limit(rd, member, value, &rd->key->burst);
}

static int read_sessions(struct reader *rd, const char *member, const json_t *value)
{
	return take_limit(rd, member, value, &rd->key->sessions);
}

static int read_streams(struct reader *rd, const char *member, const json_t *value)
{
	return take_limit(rd, member, value, &rd->key->streams);
}

static int read_calls(struct reader *rd, const char *member, const json_t *value)
{
	return take_limit(rd, member, value, &rd->key->calls);
}

static int read_bytes_rate(struct reader *rd, const char *member, const json_t *value)
{
	return take_number(rd, member, value, KEYS_FILE_MAX_BYTES_RATE, &rd->key->bytes_rate);
}

static int take_time(
	const struct reader *rd, const char *member, const json_t *value, int64_t *ret_s)
{
	const char *text = json_string_value(value);

	if (!text || keys_file_read_time(text, ret_s) < 0)
		return wrong(rd, member, "an instant in UTC, as 2026-01-31T12:00:00Z");
	return 0;
}

static int read_created(struct reader *rd, const char *member, const json_t *value)
{
	return take_time(rd, member, value, &rd->key->created_s);
}

static int read_expires(struct reader *rd, const char *member, const json_t *value)
{
	return take_time(rd, member, value, &rd->key->expires_s);
}

static int read_rotated(struct reader *rd, const char *member, const json_t *value)
{
	int r;

	if (!json_is_object(value) || json_object_size(value) != 2)
		return wrong(rd, member, "an object of hash and until");
	r = take_hash(rd, "rotated.hash", json_object_get(value, "hash"), rd->key->rotated_hash);
	if (r == 0)
		r = take_time(rd, "rotated.until", json_object_get(value, "until"),
			&rd->key->rotated_until_s);
	rd->key->has_rotated = true;
	return r;
}

static const struct member {
	const char *name;
	int (*read)(struct reader *rd, const char *member, const json_t *value);
	bool is_needed;
} members[] = {
	{ "name", read_name, true }, /* first: it says where in all that follows */
	{ "id", read_id, true },
	{ "hash", read_hash, false },
	{ "certificates", read_certificates, false },
	{ "domains", read_domains, false },
	{ "tools", read_tools, false },
	{ "admin", read_admin, false },
	{ "rate", read_rate, false },
	{ "burst", read_burst, false },
	{ "sessions", read_sessions, false },
	{ "streams", read_streams, false },
	{ "calls", read_calls, false },
	{ "bytes_rate", read_bytes_rate, false },
	{ "created", read_created, true },
	{ "expires", read_expires, false },
	{ "rotated", read_rotated, false },
};

static int refuse_unknown(const struct reader *rd, json_t *object)
{
	char shown[QUOTE_SIZE];
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value) {
		size_t i = 0;

		while (i < N_ELEMENTS(members) && !streq(members[i].name, name))
			i++;
		if (i == N_ELEMENTS(members))
			return fail_set(rd->fail, -EINVAL,
				"%s: %s: a key has no such member, in version %d of the file",
				rd->where, quote(shown, name), KEYS_FILE_VERSION);
	}
	return 0;
}

static int read_members(struct reader *rd, json_t *object)
{
	for (size_t i = 0; i < N_ELEMENTS(members); i++) {
		const struct member *member = &members[i];
		json_t *value = json_object_get(object, member->name);
		int r = 0;

		if (!value && member->is_needed)
			return wrong(rd, member->name, "is missing");
		if (value)
			r = member->read(rd, member->name, value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_key(struct keys_file *file, size_t i, json_t *object, struct fail *fail)
{
	auto_free char *place = alloc_printf("key %zu", i + 1);
	const char *name = json_string_value(json_object_get(object, "name"));
	auto_free char *named =
		name && keys_file_is_name(name) ? alloc_printf("key %s", name) : NULL;
	struct reader rd = { .where = named ? named : place, .fail = fail };
	int r;

	if (!json_is_object(object))
		return fail_set(fail, -EINVAL, "%s: it is no object", place);
	r = refuse_unknown(&rd, object);
	if (r < 0)
		return r;
	rd.key = keys_file_add(file);
	r = read_members(&rd, object);
	if (r == 0 && !rd.key->has_hash && rd.key->certificates.n == 0)
		r = fail_set(fail, -EINVAL,
			"%s: it has neither a hash nor certificates: nobody could be it", rd.where);
	if (r == 0 && rd.key->has_rotated && !rd.key->has_hash)
		r = wrong(&rd, "rotated", "means nothing without a hash");
	return r;
}

/* An object as a set: false when it is there already. */
static bool note(json_t *set, const char *text)
{
	return !json_object_get(set, text) && json_object_set_new(set, text, json_true()) == 0;
}

struct owned_hash {
	const uint8_t *hash;
	const struct keys_file_key *key;
};

static int compare_hashes(const void *a, const void *b)
{
	const struct owned_hash *left = a;
	const struct owned_hash *right = b;

	return memcmp(left->hash, right->hash, KEY_TEXT_HASH_BYTES);
}

/* One text of two keys: whose it is would be chance. */
static int check_hashes(const struct keys_file *file, struct fail *fail)
{
	auto_free struct owned_hash *hashes = alloc_zero((2 * file->n + 1) * sizeof(*hashes));
	size_t n = 0;

	for (size_t i = 0; i < file->n; i++) {
		const struct keys_file_key *key = &file->keys[i];

		if (key->has_hash)
			hashes[n++] = (struct owned_hash){ key->hash, key };
		if (key->has_rotated)
			hashes[n++] = (struct owned_hash){ key->rotated_hash, key };
	}
	qsort(hashes, n, sizeof(*hashes), compare_hashes);
	for (size_t i = 1; i < n; i++)
		if (compare_hashes(&hashes[i - 1], &hashes[i]) == 0 &&
			hashes[i - 1].key != hashes[i].key)
			return fail_set(fail, -EINVAL, "the keys %s and %s have the same hash",
				hashes[i - 1].key->name, hashes[i].key->name);
	return 0;
}

static int check_unique(const struct keys_file *file, struct fail *fail)
{
	json_auto_t *names = json_object();
	json_auto_t *ids = json_object();
	json_auto_t *certificates = json_object();
	char shown[QUOTE_SIZE];

	for (size_t i = 0; i < file->n; i++) {
		const struct keys_file_key *key = &file->keys[i];

		if (!note(names, key->name))
			return fail_set(fail, -EINVAL, "two keys have the name %s", key->name);
		if (!note(ids, key->id))
			return fail_set(fail, -EINVAL, "key %s: another has the id %s too",
				key->name, key->id);
		for (size_t k = 0; k < key->certificates.n; k++)
			if (!note(certificates, key->certificates.items[k]))
				return fail_set(fail, -EINVAL,
					"key %s: the certificate %s stands in the file twice",
					key->name, quote(shown, key->certificates.items[k]));
	}
	return check_hashes(file, fail);
}

static int read_keys(struct keys_file *file, const json_t *list, struct fail *fail)
{
	json_t *each;
	size_t i;

	if (!json_is_array(list))
		return fail_set(fail, -EINVAL, "\"keys\": a list is wanted");
	if (json_array_size(list) > KEYS_FILE_MAX_KEYS)
		return fail_set(fail, -E2BIG, "it has %zu keys, and %d are the most",
			json_array_size(list), KEYS_FILE_MAX_KEYS);
	json_array_foreach(list, i, each) {
		int r = read_key(file, i, each, fail);

		if (r < 0)
			return r;
	}
	return check_unique(file, fail);
}

/* Only the two members: what the rest would mean is unknown. */
static int read_file(struct keys_file *file, const json_t *root, struct fail *fail)
{
	const json_t *version = json_object_get(root, "version");

	if (!json_is_object(root))
		return fail_set(fail, -EINVAL, "it is no JSON object");
	if (!json_is_integer(version) || json_integer_value(version) != KEYS_FILE_VERSION)
		return fail_set(fail, -EINVAL,
			"\"version\": it must be %d: a keys file of another version is for another "
			"version of mcp-fleet",
			KEYS_FILE_VERSION);
	if (json_object_size(root) != 2)
		return fail_set(
			fail, -EINVAL, "it must have the members version and keys, and no others");
	return read_keys(file, json_object_get(root, "keys"), fail);
}

int keys_file_parse(const char *bytes, size_t len, struct keys_file **ret, struct fail *fail)
{
	auto_(keys_file_freep) struct keys_file *file = keys_file_new();
	json_error_t error;
	int r;

	if (len > KEYS_FILE_MAX_BYTES)
		return fail_set(fail, -E2BIG, "it is larger than %d bytes", KEYS_FILE_MAX_BYTES);
	json_auto_t *root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return fail_set(fail, -EINVAL, "line %d, column %d: it is not valid JSON",
			error.line, error.column);
	r = read_file(file, root, fail);
	if (r < 0)
		return r;
	*ret = TAKE(file);
	return 0;
}

int keys_file_load(const char *path, struct keys_file **ret, struct fail *fail)
{
	auto_strbuf text = { 0 };
	int r = fd_read_file(path, KEYS_FILE_MAX_BYTES, &text);

	if (r == -EFBIG)
		return fail_set(
			fail, -E2BIG, "%s: it is larger than %d bytes", path, KEYS_FILE_MAX_BYTES);
	if (r < 0)
		return fail_set(fail, r, "%s: cannot be read: %s", path, strerror(-r));
	r = keys_file_parse(strbuf_get(&text), text.len, ret, fail);
	return r < 0 ? fail_prefix(fail, "%s: ", path) : 0;
}
