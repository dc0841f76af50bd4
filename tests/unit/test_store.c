/* The state folder: what is kept comes back, and nothing of what somebody else may have put there. */
#include "supervisor/fleet/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/log.h"

#define PRINT "0123456789abcdef"
#define TEXT "{\"info\":{},\"tools\":[]}"

static char folder[] = "/tmp/test_store.XXXXXX";
static struct loop *loop;
static struct launcher *launcher;
static struct store *store;

static int make_folder(void **unused)
{
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **unused)
{
	auto_free char *command = alloc_printf("rm -rf '%s'", folder);

	return chdir("/") < 0 ||
	       system(command) != 0; /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

static int set_up(void **unused)
{
	struct fail fail = { 0 };
	auto_free char *path = alloc_printf("%s/state", folder);

	loop = loop_new();
	launcher = launcher_new(loop);
	return store_open(path, launcher, &store, &fail);
}

static int tear_down(void **unused)
{
	launcher_free(launcher);
	store_free(store);
	loop_free(loop);
	return system("rm -rf state") != 0; /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

static void put(const char *path, const char *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static char git_path[] = "state/offerings/git.json";

static struct {
	struct timer *timer;
	const char *text;
	unsigned n_tries;
} waiting;

static void look(void *arg)
{
	auto_free char *text = store_read(store, "git", PRINT);

	if ((text && streq(text, waiting.text)) || ++waiting.n_tries > 4000)
		loop_stop(loop);
	else
		timer_start(waiting.timer, 5);
}

/* Until `text` is what is kept, twenty seconds at most. */
static void wait_for(const char *text)
{
	waiting.timer = timer_new(loop, look, NULL);
	waiting.text = text;
	waiting.n_tries = 0;
	timer_start(waiting.timer, 0);
	assert_int_equal(loop_run(loop), 0);
	timer_free(TAKE(waiting.timer));
	assert_true(waiting.n_tries <= 4000);
}

static void keep(const char *text)
{
	(void)unlink(git_path);
	store_write(store, "git", PRINT, text);
	wait_for(text);
}

static void assert_nothing(void)
{
	assert_null(store_read(store, "git", PRINT));
}

static void test_kept_and_read(void **unused)
{
	auto_free char *text = NULL;
	struct stat st;

	assert_nothing();
	keep(TEXT);
	text = store_read(store, "git", PRINT);
	assert_string_equal(text, TEXT);
	assert_null(store_read(store, "git", "0123456789abcdee")); /* another command */
	assert_null(store_read(store, "utils", PRINT));
	assert_int_equal(stat(git_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat("state/offerings", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

/* Two at once: the last one counts, and what lies in the way from an earlier end does not matter. */
static void test_the_last_one_counts(void **unused)
{
	put("state/offerings/.git.new", "half", 4);
	store_write(store, "git", PRINT, "{\"a\":1}");
	store_write(store, "git", PRINT, "{\"a\":2}");
	store_write(store, "git", PRINT, "{\"a\":3}");
	wait_for("{\"a\":3}");
	assert_int_equal(access("state/offerings/.git.new", F_OK), -1);
}

static void test_damaged(void **unused)
{
	static const char zero[] = "mcp-fleet offering 1 " PRINT "\n{\0}";
	static const char *const texts[] = { "", "x", "mcp-fleet offering 1",
		"mcp-fleet offering 2 " PRINT "\n{}", "mcp-fleet offering 1 " PRINT, "{}" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		put(git_path, texts[i], strlen(texts[i]));
		assert_nothing();
	}
	put(git_path, zero, sizeof(zero) - 1);
	assert_nothing();
}

static void test_no_regular_file(void **unused)
{
	keep(TEXT);
	assert_int_equal(rename(git_path, "state/elsewhere"), 0);
	assert_int_equal(symlink("../elsewhere", git_path), 0);
	assert_nothing();
	assert_int_equal(unlink(git_path), 0);
	assert_int_equal(mkfifo(git_path, 0600), 0); /* opening it must not wait for a writer */
	assert_nothing();
	assert_int_equal(unlink(git_path), 0);
	assert_int_equal(mkdir(git_path, 0700), 0);
	assert_nothing();
}

static void test_writable_for_others(void **unused)
{
	keep(TEXT);
	assert_int_equal(chmod(git_path, 0620), 0);
	assert_nothing();
	assert_int_equal(chmod(git_path, 0602), 0);
	assert_nothing();
}

static void test_of_another_user(void **unused)
{
	if (geteuid() != 0)
		skip();
	keep(TEXT);
	assert_int_equal(chown(git_path, 12345, 12345), 0);
	assert_nothing();
}

static void test_too_large(void **unused)
{
	put(git_path, "", 0);
	assert_int_equal(truncate(git_path, STORE_MAX_BYTES + 1), 0);
	assert_nothing();
}

static void test_a_folder_that_is_not_ours_alone(void **unused)
{
	struct store *bad = NULL;
	struct fail fail = { 0 };

	assert_int_equal(chmod("state", 0777), 0);
	assert_int_equal(store_open("state", launcher, &bad, &fail), -EPERM);
	assert_non_null(strstr(fail.text, "open to writing by nobody else"));
	assert_int_equal(chmod("state", 0700), 0);
	assert_int_equal(store_open("none/such", launcher, &bad, &fail), -ENOENT);
	assert_non_null(strstr(fail.text, "none/such"));
	put("state/file", "", 0);
	assert_int_equal(store_open("state/file", launcher, &bad, &fail), -ENOTDIR);
}

static void test_where(void **unused)
{
	auto_free char *given = NULL;
	auto_free char *first = NULL;

	(void)setenv("STATE_DIRECTORY", "/run/a:/run/b", 1);
	given = store_find_folder("/set");
	assert_string_equal(given, "/set");
	first = store_find_folder("");
	assert_string_equal(first, "/run/a");
	(void)unsetenv("STATE_DIRECTORY");
	free(TAKE(first));
	first = store_find_folder("");
	if (geteuid() == 0)
		assert_string_equal(first, LOCALSTATEDIR "/lib/mcp-fleet");
}

static void look_at_note(void *arg)
{
	auto_free char *text = store_read_note(store, "disabled");

	if ((text && streq(text, waiting.text)) || ++waiting.n_tries > 4000)
		loop_stop(loop);
	else
		timer_start(waiting.timer, 5);
}

static void test_notes(void **unused)
{
	assert_null(store_read_note(store, "disabled"));
	store_write_note(store, "disabled", "a\n");
	store_write(store, "disabled", PRINT, TEXT); /* a domain may have any name */
	store_write_note(store, "disabled", "a\nb\n");
	waiting.timer = timer_new(loop, look_at_note, NULL);
	waiting.text = "a\nb\n";
	waiting.n_tries = 0;
	timer_start(waiting.timer, 0);
	assert_int_equal(loop_run(loop), 0);
	timer_free(TAKE(waiting.timer));
	assert_true(waiting.n_tries <= 4000);
	assert_int_equal(access("state/.disabled.new", F_OK), -1);
}

/* The end of the daemon, right behind an order that was said to be kept. */
static void test_notes_outlast_the_end(void **unused)
{
	auto_free char *path = alloc_printf("%s/state", folder);
	struct fail fail = { 0 };

	store_write_note(store, "disabled", "a\n");
	store_write_note(store, "disabled", "a\nb\n");
	store_write_note(store, "other", "c\n");
	launcher_free(launcher);
	store_free(store);
	launcher = launcher_new(loop);
	assert_int_equal(store_open(path, launcher, &store, &fail), 0);
	auto_free char *disabled = store_read_note(store, "disabled");
	auto_free char *other = store_read_note(store, "other");

	assert_non_null(disabled);
	assert_non_null(other);
	assert_string_equal(disabled, "a\nb\n");
	assert_string_equal(other, "c\n");
	assert_int_equal(access("state/.disabled.new", F_OK), -1);
}

static void test_damaged_notes(void **unused)
{
	static const char *const texts[] = { "", "a\n", "mcp-fleet note 1", "mcp-fleet note 2\na\n",
		"mcp-fleet offering 1 x\na\n" };
	static const char zero[] = "mcp-fleet note 1\na\0b";

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		put("state/disabled", texts[i], strlen(texts[i]));
		assert_null(store_read_note(store, "disabled"));
	}
	put("state/disabled", zero, sizeof(zero) - 1);
	assert_null(store_read_note(store, "disabled"));
	put("state/disabled", "mcp-fleet note 1\n", 17);
	auto_free char *text = store_read_note(store, "disabled");
	assert_string_equal(text, "");
}

static void test_fingerprint(void **unused)
{
	uint64_t ab_c = store_fingerprint(store_fingerprint(STORE_FINGERPRINT_START, "ab"), "c");
	uint64_t a_bc = store_fingerprint(store_fingerprint(STORE_FINGERPRINT_START, "a"), "bc");

	assert_true(ab_c != a_bc);
	assert_true(ab_c != store_fingerprint(STORE_FINGERPRINT_START, "abc"));
	/* "a" and its NUL, by the definition of FNV-1a */
	assert_true(store_fingerprint(STORE_FINGERPRINT_START, "a") ==
		    (UINT64_C(0xaf63dc4c8601ec8c) * UINT64_C(0x100000001b3)));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_kept_and_read),
		TEST(test_the_last_one_counts),
		TEST(test_damaged),
		TEST(test_no_regular_file),
		TEST(test_writable_for_others),
		TEST(test_of_another_user),
		TEST(test_too_large),
		TEST(test_a_folder_that_is_not_ours_alone),
		TEST(test_where),
		TEST(test_notes),
		TEST(test_notes_outlast_the_end),
		TEST(test_damaged_notes),
		TEST(test_fingerprint),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
