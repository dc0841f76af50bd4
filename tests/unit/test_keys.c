/* The keys at the door: which text is taken, until when, and that a change of the file holds at once. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/key_text.h"
#include "shared/keys_file.h"
#include "shared/log.h"
#include "supervisor/front/keys.h"

#define NOW INT64_C(1800000000)

static struct {
	char folder[64];
	char path[96];
	struct loop *loop;
	struct keys *keys;
	unsigned n_changes;
	char text[2][KEY_TEXT_SIZE];
} world;

static void on_changed(void *arg)
{
	world.n_changes++;
}

static int setup(void **unused)
{
	log_init("test", LOG_TARGET_TEXT, (enum log_level)0);
	(void)snprintf(world.folder, sizeof(world.folder), "/tmp/test_keys.XXXXXX");
	assert_non_null(mkdtemp(world.folder));
	(void)snprintf(world.path, sizeof(world.path), "%s/keys.json", world.folder);
	world.loop = loop_new_fake();
	world.keys = keys_new(world.loop, on_changed, NULL);
	world.n_changes = 0;
	return 0;
}

static int teardown(void **unused)
{
	keys_free(world.keys);
	loop_free(world.loop);
	(void)unlink(world.path);
	(void)rmdir(world.folder);
	return 0;
}

static void write_bytes(const char *bytes, size_t len, mode_t mode)
{
	auto_free char *beside = alloc_printf("%s.new", world.path);
	auto_close int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(rename(beside, world.path), 0);
}

static void write_file(const struct keys_file *file, mode_t mode)
{
	auto_strbuf text = { 0 };

	keys_file_print(file, &text);
	write_bytes(text.data, text.len, mode);
}

/* Two keys: "a" without an end, "b" with this one and a certificate. */
static struct keys_file *make_file(int64_t b_expires_s)
{
	static const char *const names[] = { "a", "b" };
	struct keys_file *file = keys_file_new();

	for (int i = 0; i < 2; i++) {
		struct keys_file_key *key = keys_file_add(file);

		key->name = alloc_str(names[i]);
		key_text_make_id(key->id);
		key_text_make(key->id, world.text[i]);
		key->has_hash = true;
		assert_int_equal(key_text_hash(world.text[i], KEY_TEXT_CHARS, key->hash), 0);
		key->created_s = NOW - 1000;
	}
	file->keys[1].expires_s = b_expires_s;
	keys_file_list_add(&file->keys[1].certificates, "b.example.org");
	keys_file_list_add(&file->keys[0].domains, "git");
	return file;
}

static enum keys_verdict judge(const char *text, int64_t now_s, const char *expected_name)
{
	auto_(principal_unrefp) struct principal *principal = NULL;
	enum keys_verdict verdict = keys_judge(
		world.keys, (struct span){ .at = text, .len = strlen(text) }, now_s, &principal);

	if (expected_name)
		assert_string_equal(principal->name, expected_name);
	else
		assert_null(principal);
	return verdict;
}

static void test_judging(void **unused)
{
	auto_(keys_file_freep) struct keys_file *file = make_file(NOW);
	char altered[KEY_TEXT_SIZE];

	write_file(file, 0640);
	keys_set_path(world.keys, world.path);
	assert_int_equal(keys_count(world.keys), 2);
	assert_string_equal(keys_get_fault(world.keys), "");
	assert_int_equal(judge(world.text[0], NOW, "a"), KEYS_OK);
	assert_int_equal(judge(world.text[1], NOW - 1, "b"), KEYS_OK);
	assert_int_equal(judge(world.text[1], NOW, "b"), KEYS_EXPIRED);
	for (size_t i = 0; i < KEY_TEXT_CHARS; i++) {
		memcpy(altered, world.text[0], sizeof(altered));
		altered[i] ^= 1;
		assert_int_equal(judge(altered, NOW, NULL), KEYS_UNKNOWN);
	}
	assert_int_equal(judge("", NOW, NULL), KEYS_UNKNOWN);
	assert_int_equal(judge("mcpf_", NOW, NULL), KEYS_UNKNOWN);
}

static void test_rights(void **unused)
{
	auto_(keys_file_freep) struct keys_file *file = make_file(0);
	auto_(principal_unrefp) struct principal *a = NULL;
	auto_(principal_unrefp) struct principal *b = NULL;

	file->keys[0].rate = 7;
	file->keys[1].is_admin = true;
	write_file(file, 0640);
	keys_set_path(world.keys, world.path);
	assert_int_equal(
		keys_judge(world.keys, (struct span){ world.text[0], KEY_TEXT_CHARS }, NOW, &a),
		KEYS_OK);
	assert_int_equal(keys_judge_certificate(world.keys, "b.example.org", NOW, &b), KEYS_OK);
	assert_true(principal_allows_domain(a, "git"));
	assert_false(principal_allows_domain(a, "utils"));
	assert_int_equal(a->quota.rate, 7);
	assert_true(b->is_admin && principal_allows_all(b));
	assert_int_equal(b->kind, PRINCIPAL_CERTIFICATE);
	principal_unref(TAKE(b));
	assert_int_equal(
		keys_judge_certificate(world.keys, "c.example.org", NOW, &b), KEYS_UNKNOWN);
}

static void test_rotation(void **unused)
{
	auto_(keys_file_freep) struct keys_file *file = make_file(0);
	char new_text[KEY_TEXT_SIZE];
	struct keys_file_key *key = &file->keys[0];

	key_text_make(key->id, new_text);
	key->has_rotated = true;
	key->rotated_until_s = NOW;
	memcpy(key->rotated_hash, key->hash, sizeof(key->hash));
	assert_int_equal(key_text_hash(new_text, KEY_TEXT_CHARS, key->hash), 0);
	write_file(file, 0640);
	keys_set_path(world.keys, world.path);
	assert_int_equal(judge(new_text, NOW, "a"), KEYS_OK);
	assert_int_equal(judge(world.text[0], NOW - 1, "a"), KEYS_OK);
	assert_int_equal(judge(world.text[0], NOW, NULL), KEYS_UNKNOWN);
}

static struct principal *get(const char *text, int64_t now_s)
{
	struct principal *principal = NULL;

	assert_int_equal(
		keys_judge(world.keys, (struct span){ text, KEY_TEXT_CHARS }, now_s, &principal),
		KEYS_OK);
	return principal;
}

/* What was opened with a text lives as long as that, and is the same owner's as what another opened. */
static void test_renewing_after_a_rotation(void **unused)
{
	auto_(keys_file_freep) struct keys_file *file = make_file(0);
	char new_text[KEY_TEXT_SIZE];
	struct keys_file_key *key = &file->keys[0];

	write_file(file, 0640);
	keys_set_path(world.keys, world.path);
	auto_(principal_unrefp) struct principal *before = get(world.text[0], NOW);

	assert_ptr_equal(keys_renew(world.keys, before, NOW), before);
	key_text_make(key->id, new_text);
	key->has_rotated = true;
	key->rotated_until_s = NOW;
	memcpy(key->rotated_hash, key->hash, sizeof(key->hash));
	assert_int_equal(key_text_hash(new_text, KEY_TEXT_CHARS, key->hash), 0);
	write_file(file, 0640);
	keys_reload(world.keys);
	auto_(principal_unrefp) struct principal *old = get(world.text[0], NOW - 1);
	auto_(principal_unrefp) struct principal *fresh = get(new_text, NOW - 1);

	assert_true(principal_same(old, fresh) && principal_same(before, fresh));
	assert_ptr_equal(keys_renew(world.keys, before, NOW - 1), old);
	assert_ptr_equal(keys_renew(world.keys, old, NOW - 1), old);
	assert_null(keys_renew(world.keys, before, NOW));
	assert_ptr_equal(keys_renew(world.keys, fresh, NOW), fresh);
	key->has_rotated = false;
	write_file(file, 0640);
	keys_reload(world.keys);
	assert_null(keys_renew(world.keys, old, NOW - 1));
	assert_non_null(keys_renew(world.keys, fresh, NOW));
}

/* The same of a certificate whose name has left its key. */
static void test_renewing_of_certificates(void **unused)
{
	auto_(keys_file_freep) struct keys_file *file = make_file(0);
	auto_(principal_unrefp) struct principal *b = NULL;
	struct keys_file_list *names = &file->keys[1].certificates;

	keys_file_list_add(names, "a.example.org");
	write_file(file, 0640);
	keys_set_path(world.keys, world.path);
	assert_int_equal(keys_judge_certificate(world.keys, "b.example.org", NOW, &b), KEYS_OK);
	assert_ptr_equal(keys_renew(world.keys, b, NOW), b);
	free(names->items[0]);
	names->items[0] = names->items[1];
	names->n = 1;
	write_file(file, 0640);
	keys_reload(world.keys);
	assert_null(keys_renew(world.keys, b, NOW));
}

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		loop_fake_turn(world.loop);
}

static void test_changes_hold_at_once(void **unused)
{
	auto_(keys_file_freep) struct keys_file *file = make_file(0);
	auto_(principal_unrefp) struct principal *a = NULL;

	keys_set_path(world.keys, world.path); /* not there yet */
	assert_int_equal(keys_count(world.keys), 0);
	write_file(file, 0640);
	turn();
	assert_int_equal(keys_count(world.keys), 2);
	assert_int_equal(
		keys_judge(world.keys, (struct span){ world.text[0], KEY_TEXT_CHARS }, NOW, &a),
		KEYS_OK);
	assert_non_null(keys_renew(world.keys, a, NOW));
	keys_file_remove(file, &file->keys[0]);
	write_file(file, 0640);
	turn();
	assert_int_equal(judge(world.text[0], NOW, NULL), KEYS_UNKNOWN);
	assert_int_equal(judge(world.text[1], NOW, "b"), KEYS_OK);
	assert_null(keys_renew(world.keys, a, NOW));
	assert_int_equal(unlink(world.path), 0);
	turn();
	assert_int_equal(keys_count(world.keys), 0);
	assert_int_equal(judge(world.text[1], NOW, NULL), KEYS_UNKNOWN);
	assert_int_equal(world.n_changes, 4);
}

/* What is wrong leaves the keys as they were. */
static void test_bad_files(void **unused)
{
	static const char broken[] = "{\"version\":1,\"keys\":[{}]}";
	auto_(keys_file_freep) struct keys_file *file = make_file(0);

	write_file(file, 0640);
	keys_set_path(world.keys, world.path);
	write_bytes(broken, sizeof(broken) - 1, 0640);
	turn();
	assert_string_not_equal(keys_get_fault(world.keys), "");
	assert_int_equal(judge(world.text[0], NOW, "a"), KEYS_OK);
	write_file(file, 0644);
	turn();
	assert_non_null(strstr(keys_get_fault(world.keys), "chmod 0640"));
	assert_int_equal(judge(world.text[0], NOW, "a"), KEYS_OK);
	write_file(file, 0600);
	turn();
	assert_string_equal(keys_get_fault(world.keys), "");
}

/* Another file has other keys, whatever is wrong with it. */
static void test_another_path(void **unused)
{
	auto_(keys_file_freep) struct keys_file *file = make_file(0);

	write_file(file, 0640);
	keys_set_path(world.keys, world.path);
	keys_set_path(world.keys, "/nonexistent/folder/keys.json");
	assert_int_equal(judge(world.text[0], NOW, NULL), KEYS_UNKNOWN);
	keys_set_path(world.keys, world.path);
	assert_int_equal(judge(world.text[0], NOW, "a"), KEYS_OK);
	keys_set_path(world.keys, NULL);
	assert_int_equal(judge(world.text[0], NOW, NULL), KEYS_UNKNOWN);
}

static void pass_time(int64_t ms)
{
	loop_fake_advance(world.loop, ms);
	turn();
}

/* The folder of a link tells nothing of a file in another. */
static void test_link_to_another_folder(void **unused)
{
	auto_(keys_file_freep) struct keys_file *file = make_file(0);
	auto_free char *links = alloc_printf("%s.links", world.folder);
	auto_free char *link = alloc_printf("%s/keys.json", links);

	write_file(file, 0640);
	assert_int_equal(mkdir(links, 0700), 0);
	assert_int_equal(symlink(world.path, link), 0);
	keys_set_path(world.keys, link);
	assert_int_equal(judge(world.text[0], NOW, "a"), KEYS_OK);
	keys_file_remove(file, &file->keys[0]);
	write_file(file, 0640);
	pass_time(2000);
	assert_int_equal(judge(world.text[0], NOW, NULL), KEYS_UNKNOWN);
	(void)unlink(link);
	(void)rmdir(links);
}

/* Another folder takes the place of the one that is watched. */
static void test_folder_replaced(void **unused)
{
	auto_(keys_file_freep) struct keys_file *file = make_file(0);
	auto_free char *away = alloc_printf("%s.away", world.folder);
	auto_free char *old = alloc_printf("%s/keys.json", away);

	write_file(file, 0640);
	keys_set_path(world.keys, world.path);
	assert_int_equal(rename(world.folder, away), 0);
	assert_int_equal(mkdir(world.folder, 0700), 0);
	write_file(file, 0640);
	pass_time(2000);
	assert_int_equal(judge(world.text[0], NOW, "a"), KEYS_OK);
	keys_file_remove(file, &file->keys[0]);
	write_file(file, 0640);
	turn(); /* it is watched now */
	assert_int_equal(judge(world.text[0], NOW, NULL), KEYS_UNKNOWN);
	(void)unlink(old);
	(void)rmdir(away);
}

/* A first file that is broken is one all the same: whoever asks whether there is one has to ask again. */
static void test_first_file_is_bad(void **unused)
{
	keys_set_path(world.keys, world.path);
	world.n_changes = 0;
	write_bytes("{}", 2, 0640);
	turn();
	assert_string_not_equal(keys_get_fault(world.keys), "");
	assert_int_equal(world.n_changes, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(judging),
		TEST(rights),
		TEST(rotation),
		TEST(renewing_after_a_rotation),
		TEST(renewing_of_certificates),
		TEST(changes_hold_at_once),
		TEST(bad_files),
		TEST(another_path),
		TEST(link_to_another_folder),
		TEST(folder_replaced),
		TEST(first_file_is_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
