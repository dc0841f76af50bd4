/* The keys file: what it takes, what it refuses with which words, and that what was written is read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/keys_file.h"

#define HASH "sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER_HASH "sha256:ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define HEAD "{\"version\": 1, \"keys\": ["
#define MADE "\"created\": \"2026-01-31T12:00:00Z\""
#define CI "\"name\": \"ci\", \"id\": \"abcdefg2\", " MADE
#define CI_KEY CI ", \"hash\": \"" HASH "\""

static struct keys_file *parse(const char *text, struct fail *fail)
{
	struct keys_file *file = NULL;
	int r = keys_file_parse(text, strlen(text), &file, fail);

	assert_true(r == 0 ? file != NULL : (!file && fail->code == r && *fail->text));
	return file;
}

static void test_everything(void **unused)
{
	static const char text[] = HEAD
		"{" CI_KEY ", \"certificates\": [\"ci.example.org\", \"CN=ci\"],"
		" \"domains\": [\"git\"], \"tools\": [\"git_*\", \"a,b\"], \"admin\": true, \"rate\": 10,"
		" \"burst\": 20, \"sessions\": 3, \"streams\": 4, \"calls\": 5, \"bytes_rate\": 1048576,"
		" \"expires\": \"2027-01-31T00:00:01Z\","
		" \"rotated\": {\"hash\": \"" HASH "\", \"until\": \"2026-02-01T00:00:00Z\"}},"
		"{\"name\": \"x\", \"id\": \"zzzzzzz7\", " MADE ", \"certificates\": [\"x\"]}]}";
	struct fail fail = { 0 };
	auto_(keys_file_freep) struct keys_file *file = parse(text, &fail);
	const struct keys_file_key *ci;

	assert_non_null(file);
	assert_int_equal(file->n, 2);
	ci = keys_file_find(file, "ci");
	assert_ptr_equal(ci, keys_file_find_id(file, "abcdefg2"));
	assert_ptr_equal(ci, keys_file_find_certificate(file, "CN=ci"));
	assert_null(keys_file_find(file, "c"));
	assert_null(keys_file_find_id(file, "abcdefg3"));
	assert_null(keys_file_find_certificate(file, "ci"));
	assert_true(ci->has_hash && ci->has_rotated && ci->is_admin);
	assert_int_equal(ci->hash[0], 0);
	assert_int_equal(ci->hash[31], 0x1f);
	assert_int_equal(ci->domains.n, 1);
	assert_string_equal(ci->tools.items[1], "a,b");
	assert_int_equal(ci->rate, 10);
	assert_int_equal(ci->burst, 20);
	assert_int_equal(ci->sessions, 3);
	assert_int_equal(ci->streams, 4);
	assert_int_equal(ci->calls, 5);
	assert_int_equal(ci->bytes_rate, 1048576);
	assert_int_equal(ci->created_s, 1769860800);
	assert_int_equal(ci->expires_s, 1801353601);
	assert_int_equal(ci->rotated_until_s, 1769904000);
	assert_false(file->keys[1].has_hash);
	assert_int_equal(file->keys[1].expires_s, 0);
}

/* What is printed is read as the same, and printed the same. */
static void test_round_trip(void **unused)
{
	static const char text[] = HEAD
		"\n{\"name\": \"ci\", \"id\": \"abcdefg2\", \"hash\": \"" HASH
		"\", \"certificates\": [\"\\\"ä\"], \"domains\": [\"g*\"], \"tools\": [\"[a-c]?\", \"x\\\\\"], "
		"\"admin\": true, \"rate\": 1000000, \"burst\": 1, \"sessions\": 2, \"streams\": 3, "
		"\"calls\": 4, \"bytes_rate\": 1073741824, \"created\": \"1970-01-01T00:00:00Z\", "
		"\"expires\": \"9999-12-31T23:59:59Z\", \"rotated\": {\"hash\": \"" HASH
		"\", \"until\": \"2000-02-29T00:00:00Z\"}},\n"
		"{\"name\": \"b\", \"id\": \"bbbbbbbb\", \"hash\": \"" OTHER_HASH "\", " MADE
		"}\n]}\n";
	struct fail fail = { 0 };
	auto_(keys_file_freep) struct keys_file *file = parse(text, &fail);
	auto_strbuf out = { 0 };

	assert_non_null(file);
	keys_file_print(file, &out);
	assert_string_equal(strbuf_get(&out), text);
}

static void test_empty(void **unused)
{
	struct fail fail = { 0 };
	auto_(keys_file_freep) struct keys_file *file = keys_file_new();
	auto_strbuf out = { 0 };

	keys_file_print(file, &out);
	auto_(keys_file_freep) struct keys_file *again = parse(strbuf_get(&out), &fail);
	assert_non_null(again);
	assert_int_equal(again->n, 0);
}

static void test_refused(void **unused)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{ "", "line 1, column 0: it is not valid JSON" },
		{ "{", "line 1, column 1: it is not valid JSON" },
		{ "[]", "it is no JSON object" },
		{ "{}", "\"version\": it must be 1" },
		{ "{\"version\": 2, \"keys\": []}", "for another version of mcp-fleet" },
		{ "{\"version\": \"1\", \"keys\": []}", "\"version\": it must be 1" },
		{ "{\"version\": 1}", "it must have the members version and keys" },
		{ "{\"version\": 1, \"keys\": [], \"key\": []}", "and no others" },
		{ "{\"version\": 1, \"keys\": {}}", "\"keys\": a list is wanted" },
		{ "{\"version\": 1, \"version\": 1, \"keys\": []}", "not valid JSON" },
		{ HEAD "5]}", "key 1: it is no object" },
		{ HEAD "{}]}", "key 1: \"name\": is missing" },
		{ HEAD "{\"name\": 5}]}", "key 1: \"name\": a name is 1 to 64 letters" },
		{ HEAD "{\"name\": \"\"}]}", "key 1: \"name\": a name is" },
		{ HEAD "{\"name\": \".a\"}]}", "key 1: \"name\": a name is" },
		{ HEAD "{\"name\": \"a b\"}]}", "key 1: \"name\": a name is" },
		{ HEAD "{\"name\": \"ci\"}]}", "key ci: \"id\": is missing" },
		{ HEAD "{\"name\": \"ci\", \"id\": \"abc\"}]}", "key ci: \"id\": an id is 8" },
		{ HEAD "{\"name\": \"ci\", \"id\": \"abcdefg1\"}]}", "key ci: \"id\": an id is 8" },
		{ HEAD "{\"name\": \"ci\", \"id\": \"abcdefg2\"}]}", "\"created\": is missing" },
		{ HEAD "{" CI "}]}", "key ci: it has neither a hash nor certificates" },
		/* The one that gives all rights to who meant to restrict them. */
		{ HEAD "{" CI_KEY ", \"tool\": [\"git_*\"]}]}",
			"key ci: \"tool\": a key has no such" },
		{ HEAD "{" CI_KEY ", \"tools\": []}]}", "leave it out where nothing" },
		{ HEAD "{" CI_KEY ", \"tools\": \"git_*\"}]}",
			"\"tools\": a list of 1 to 256 texts" },
		{ HEAD "{" CI_KEY ", \"domains\": [5]}]}", "\"domains\": each is a text" },
		{ HEAD "{" CI_KEY ", \"domains\": [\"\"]}]}", "\"domains\": each is a text" },
		{ HEAD "{" CI_KEY ", \"domains\": [\"a\\n\"]}]}", "\"domains\": each is a text" },
		{ HEAD "{" CI_KEY ", \"certificates\": [\"\\u007f\"]}]}", "each is a text" },
		{ HEAD "{" CI_KEY ", \"domains\": [\"a\\u0000\"]}]}", "not valid JSON" },
		{ HEAD "{" CI_KEY ", \"domains\": null}]}", "\"domains\": a list" },
		{ HEAD "{" CI_KEY ", \"admin\": 1}]}", "\"admin\": true or false" },
		{ HEAD "{" CI_KEY ", \"rate\": 0}]}",
			"\"rate\": a whole number from 1 to 1000000" },
		{ HEAD "{" CI_KEY ", \"rate\": -1}]}", "\"rate\": a whole number" },
		{ HEAD "{" CI_KEY ", \"calls\": 1.5}]}", "\"calls\": a whole number" },
		{ HEAD "{" CI_KEY ", \"calls\": 1000001}]}", "\"calls\": a whole number" },
		{ HEAD "{" CI_KEY ", \"bytes_rate\": 1073741825}]}", "from 1 to 1073741824" },
		{ HEAD "{" CI_KEY ", \"expires\": 5}]}", "\"expires\": an instant in UTC" },
		{ HEAD "{" CI_KEY ", \"expires\": \"2026-02-30T00:00:00Z\"}]}", "an instant" },
		{ HEAD "{" CI ", \"hash\": \"md5:00\"}]}", "\"hash\": a hash is sha256:" },
		{ HEAD "{" CI ", \"hash\": \"sha256:00\"}]}", "\"hash\": a hash is sha256:" },
		{ HEAD "{" CI ", \"hash\": \"" HASH "00\"}]}", "\"hash\": a hash is sha256:" },
		{ HEAD "{" CI_KEY ", \"rotated\": {}}]}", "\"rotated\": an object of hash" },
		{ HEAD "{" CI_KEY ", \"rotated\": {\"hash\": \"" HASH "\", \"until\": 1}}]}",
			"\"rotated.until\": an instant" },
		{ HEAD "{" CI_KEY ", \"rotated\": {\"hash\": 1, \"until\": 1}}]}",
			"\"rotated.hash\": a hash" },
		{ HEAD "{" CI ", \"certificates\": [\"a\"], \"rotated\": {\"hash\": \"" HASH
		       "\", \"until\": \"2026-02-01T00:00:00Z\"}}]}",
			"\"rotated\": means nothing without a hash" },
		{ HEAD "{" CI_KEY "},{" CI_KEY "}]}", "two keys have the name ci" },
		{ HEAD "{" CI_KEY "},{\"name\": \"b\", \"id\": \"abcdefg2\", " MADE
		       ", \"certificates\": [\"a\"]}]}",
			"key b: another has the id abcdefg2 too" },
		{ HEAD "{" CI_KEY ", \"certificates\": [\"a\", \"a\"]}]}",
			"key ci: the certificate \"a\" stands in the file twice" },
		{ HEAD "{" CI_KEY "},{\"name\": \"b\", \"id\": \"abcdefg3\", " MADE
		       ", \"hash\": \"" HASH "\"}]}",
			"have the same hash" },
		{ HEAD "]} x", "not valid JSON" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct fail fail = { 0 };

		assert_null(parse(cases[i].text, &fail));
		if (!strstr(fail.text, cases[i].words))
			fail_msg("case %zu: %s", i, fail.text);
		assert_int_equal(fail.code, -EINVAL);
	}
}

static void add_keys(struct strbuf *text, size_t n)
{
	strbuf_adds(text, HEAD);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(text,
			"%s{\"name\": \"k%zu\", \"id\": \"%c%c%c%caaaa\", " MADE
			", \"hash\": \"sha256:%064zx\"}",
			i ? "," : "", i, (int)('a' + i % 26), (int)('a' + i / 26 % 26),
			(int)('a' + i / 676 % 26), (int)('a' + i / 17576 % 26), i);
	strbuf_adds(text, "]}");
}

static void test_as_many_as_may_be(void **unused)
{
	struct fail fail = { 0 };
	auto_strbuf text = { 0 };

	add_keys(&text, KEYS_FILE_MAX_KEYS);
	auto_(keys_file_freep) struct keys_file *file = parse(strbuf_get(&text), &fail);
	assert_non_null(file);
	assert_int_equal(file->n, KEYS_FILE_MAX_KEYS);
	assert_string_equal(file->keys[KEYS_FILE_MAX_KEYS - 1].name, "k9999");

	strbuf_cut(&text, 0);
	add_keys(&text, KEYS_FILE_MAX_KEYS + 1);
	assert_null(parse(strbuf_get(&text), &fail));
	assert_int_equal(fail.code, -E2BIG);
	assert_string_equal(fail.text, "it has 10001 keys, and 10000 are the most");
}

static void test_too_large(void **unused)
{
	struct keys_file *file = NULL;
	struct fail fail = { 0 };
	auto_free char *blanks = alloc_zero(KEYS_FILE_MAX_BYTES + 1);

	memset(blanks, ' ', KEYS_FILE_MAX_BYTES + 1);
	assert_int_equal(keys_file_parse(blanks, KEYS_FILE_MAX_BYTES + 1, &file, &fail), -E2BIG);
	assert_string_equal(fail.text, "it is larger than 4194304 bytes");
	assert_int_equal(keys_file_parse(blanks, KEYS_FILE_MAX_BYTES, &file, &fail), -EINVAL);
}

static void test_load(void **unused)
{
	struct keys_file *file = NULL;
	struct fail fail = { 0 };
	char path[] = "/tmp/test_keys_file.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "{}", 2), 2);
	assert_int_equal(close(fd), 0);
	assert_int_equal(keys_file_load(path, &file, &fail), -EINVAL);
	assert_memory_equal(fail.text, path, sizeof(path) - 1);
	assert_non_null(strstr(fail.text, ": \"version\": it must be 1"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(keys_file_load(path, &file, &fail), -ENOENT);
	assert_non_null(strstr(fail.text, ": cannot be read: No such file"));
	assert_int_equal(keys_file_load("/tmp", &file, &fail), -EISDIR);
	assert_null(file);
}

static void test_change(void **unused)
{
	auto_(keys_file_freep) struct keys_file *file = keys_file_new();
	char name[16];

	for (int i = 0; i < 9; i++) {
		(void)snprintf(name, sizeof(name), "k%d", i);
		keys_file_add(file)->name = alloc_str(name);
	}
	keys_file_remove(file, keys_file_find(file, "k8"));
	keys_file_remove(file, keys_file_find(file, "k0"));
	keys_file_remove(file, keys_file_find(file, "k4"));
	assert_int_equal(file->n, 6);
	assert_string_equal(file->keys[0].name, "k1");
	assert_string_equal(file->keys[5].name, "k7");
	for (int i = 0; i < 20; i++)
		keys_file_add(file)->name = alloc_str("x");
	keys_file_list_add(&file->keys[25].tools, "a");
	keys_file_list_add(&file->keys[25].tools, "b");
	assert_string_equal(file->keys[25].tools.items[1], "b");
}

static void test_times(void **unused)
{
	static const char *const wrong[] = { "", "2026", "2026-01-31", "2026-01-31T12:00:00",
		"2026-01-31T12:00:00+00:00", "2026-01-31t12:00:00Z", "2026-01-31T12:00:00Zx",
		"2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-06-31T00:00:00Z",
		"2026-01-31T24:00:00Z", "2026-01-31T00:60:00Z", "2026-01-31T00:00:60Z",
		"1969-12-31T23:59:59Z", "0000-00-00T00:00:00Z", "+026-01-31T12:00:00Z" };
	char text[KEYS_FILE_TIME_SIZE];
	int64_t s = 5;

	for (size_t i = 0; i < N_ELEMENTS(wrong); i++)
		assert_int_equal(keys_file_read_time(wrong[i], &s), -EINVAL);
	assert_int_equal(s, 5);
	assert_int_equal(keys_file_read_time("9999-12-31T23:59:59Z", &s), 0);
	assert_int_equal(s, KEYS_FILE_MAX_TIME);
	keys_file_print_time(s, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	keys_file_print_time(s + 1, text);
	assert_string_equal(text, "");
	keys_file_print_time(-1, text);
	assert_string_equal(text, "");
}

/* --- the text of a key --- */

static void test_key_text(void **unused)
{
	char id[KEY_TEXT_ID_SIZE];
	char found[KEY_TEXT_ID_SIZE];
	char text[KEY_TEXT_SIZE];
	char other[KEY_TEXT_SIZE];

	key_text_make_id(id);
	assert_true(key_text_is_id(id));
	key_text_make(id, text);
	key_text_make(id, other);
	assert_int_equal(strlen(text), KEY_TEXT_CHARS);
	assert_string_not_equal(text, other);
	assert_memory_equal(text, other, KEY_TEXT_CHARS - 43);
	assert_true(key_text_get_id(text, KEY_TEXT_CHARS, found));
	assert_string_equal(found, id);
}

static void test_no_key_text(void **unused)
{
	char id[KEY_TEXT_ID_SIZE];
	char text[KEY_TEXT_SIZE];

	key_text_make("abcdefg2", text);
	assert_false(key_text_get_id(text, KEY_TEXT_CHARS - 1, id));
	assert_false(key_text_get_id(text, 0, id));
	text[0] = 'M';
	assert_false(key_text_get_id(text, KEY_TEXT_CHARS, id));
	text[0] = 'm';
	text[13] = '-';
	assert_false(key_text_get_id(text, KEY_TEXT_CHARS, id));
	text[13] = '_';
	text[5] = '1';
	assert_false(key_text_get_id(text, KEY_TEXT_CHARS, id));
	text[5] = '\0';
	assert_false(key_text_get_id(text, KEY_TEXT_CHARS, id));
	text[5] = 'a';
	assert_true(key_text_get_id(text, KEY_TEXT_CHARS, id));
}

static void test_hash(void **unused)
{
	/* FIPS 180-4's example. */
	static const uint8_t abc[KEY_TEXT_HASH_BYTES] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf,
		0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96,
		0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
	uint8_t hash[KEY_TEXT_HASH_BYTES];

	assert_int_equal(key_text_hash("abc", 3, hash), 0);
	assert_true(key_text_hash_equal(hash, abc));
	hash[31] ^= 1;
	assert_false(key_text_hash_equal(hash, abc));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_as_many_as_may_be),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_key_text),
		cmocka_unit_test(test_no_key_text),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
