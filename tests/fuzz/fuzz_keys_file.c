/* The keys file: what is taken can be printed and read again as the same; what is refused says why. And the text of
 * a key, which comes from clients. */
#include "shared/keys_file.h"
#include "tests/fuzz/fuzz.h"

static void check_key_text(const char *text, size_t len)
{
	char id[KEY_TEXT_ID_SIZE];

	if (key_text_get_id(text, len, id))
		CHECK(len == KEY_TEXT_CHARS && key_text_is_id(id));
}

static void check_keys(const struct keys_file *file)
{
	CHECK(file->n <= KEYS_FILE_MAX_KEYS);
	for (size_t i = 0; i < file->n; i++) {
		const struct keys_file_key *key = &file->keys[i];

		CHECK(keys_file_is_name(key->name) && key_text_is_id(key->id));
		CHECK(key->has_hash || key->certificates.n);
		CHECK(keys_file_find(file, key->name) == key);
		CHECK(keys_file_find_id(file, key->id) == key);
		for (size_t k = 0; k < key->certificates.n; k++)
			CHECK(keys_file_find_certificate(file, key->certificates.items[k]) == key);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = fuzz_copy(data, size);
	auto_(keys_file_freep) struct keys_file *file = NULL;
	auto_(keys_file_freep) struct keys_file *again = NULL;
	auto_strbuf once = { 0 };
	auto_strbuf twice = { 0 };
	struct fail fail = { 0 };

	check_key_text(text, size);
	if (keys_file_parse(text, size, &file, &fail) < 0) {
		CHECK(*fail.text && !file);
		return 0;
	}
	check_keys(file);
	keys_file_print(file, &once);
	CHECK(keys_file_parse(strbuf_get(&once), once.len, &again, &fail) == 0);
	keys_file_print(again, &twice);
	CHECK(once.len == twice.len &&
		memcmp(strbuf_get(&once), strbuf_get(&twice), once.len) == 0);
	return 0;
}
