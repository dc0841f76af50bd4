/* Names of feature branches, lost lines and secret patterns of the git worker. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/strbuf.h"
#include "workers/git/policy.h"
#include "workers/git/secrets.h"

static void test_slug(void **state)
{
	static const struct {
		const char *text, *slug;
	} cases[] = {
		{ "Add login", "add-login" },
		{ "  --Fix: the *BUG* #12!  ", "fix-the-bug-12" },
		{ "already-a-slug", "already-a-slug" },
		{ "na\xc3\xafve caf\xc3\xa9", "na-ve-caf" },
		{ "../../etc/passwd", "etc-passwd" },
		{ "", "" },
		{ "!!!", "" },
		{ "\xd0\xbf\xd1\x80", "" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_free char *slug = policy_slug(cases[i].text);

		assert_string_equal(slug, cases[i].slug);
	}
}

static void test_slug_is_cut(void **state)
{
	char text[POLICY_SLUG_MAX + 20];
	auto_free char *slug = NULL;
	auto_free char *cut_at_dash = NULL;

	memset(text, 'A', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	slug = policy_slug(text);
	assert_int_equal(strlen(slug), POLICY_SLUG_MAX);

	text[POLICY_SLUG_MAX - 1] = ' ';
	cut_at_dash = policy_slug(text);
	assert_int_equal(strlen(cut_at_dash), POLICY_SLUG_MAX - 1);
	assert_int_equal(cut_at_dash[POLICY_SLUG_MAX - 2], 'a');
}

static void test_feature_branch(void **state)
{
	auto_free char *plain = policy_feature_branch("feature/", 42, "Add login");
	auto_free char *no_slug = policy_feature_branch("f/", 0, "???");

	assert_string_equal(plain, "feature/task-42-add-login");
	assert_string_equal(no_slug, "f/task-0");
}

static void test_lost_most(void **state)
{
	assert_false(policy_lost_most(3, 1)); /* exactly two thirds */
	assert_true(policy_lost_most(3, 0));
	assert_true(policy_lost_most(10, 3)); /* 7 of 10 */
	assert_false(policy_lost_most(10, 4));
	assert_true(policy_lost_most(1, 0));
	assert_false(policy_lost_most(0, 0));
	assert_false(policy_lost_most(0, 5));
	assert_false(policy_lost_most(5, 50));
	assert_true(policy_lost_most(SIZE_MAX, 0));
	assert_false(policy_lost_most(SIZE_MAX, SIZE_MAX / 2));
}

static struct secrets *open_secrets(const struct str_list *more)
{
	struct secrets *secrets = NULL;
	struct fail fail = { 0 };

	assert_int_equal(secrets_new(more, &secrets, &fail), 0);
	return secrets;
}

static void test_secrets(void **state)
{
	static const struct {
		const char *line;
		int found;
	} cases[] = {
		{ "password = hunter2", 1 },
		{ "PASSWORD:hunter2", 1 },
		{ "my_token: abcd", 1 },
		{ "aws_secret_access_key=abcdef", 1 },
		{ "password = abc", 0 }, /* too short to be one */
		{ "the password is long", 0 },
		{ "-----BEGIN RSA PRIVATE KEY-----", 1 },
		{ "-----BEGIN PRIVATE KEY-----", 1 },
		{ "-----BEGIN PUBLIC KEY-----", 0 },
		{ "AKIAABCDEFGHIJKLMNOP", 1 },
		{ "AKIAABCDEFGHIJKLMNO", 0 },
		{ "x ghp_abcdefghijklmnopqrstuvwxyz0123456789 y", 1 },
		{ "ghx_abcdefghijklmnopqrstuvwxyz0123456789", 0 },
		{ "", 0 },
		{ "caf\xe9 password=\xff\xfe\xfd\xfc", 1 },
	};
	struct str_list none = { 0 };
	auto_(secrets_freep) struct secrets *secrets = open_secrets(&none);

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		assert_int_equal(secrets_match(secrets, cases[i].line, strlen(cases[i].line)),
			cases[i].found);
}

/* The line ends where it is said to, not at a NUL. */
static void test_secrets_length(void **state)
{
	struct str_list none = { 0 };
	auto_(secrets_freep) struct secrets *secrets = open_secrets(&none);

	assert_int_equal(secrets_match(secrets, "password=hunter2", 12), 0);
	assert_int_equal(secrets_match(secrets, "a\0password=hunter2", 18), 1);
}

/* Long lines, as in minified sources, are searched to their end. */
static void test_secrets_long_line(void **state)
{
	static const char filler[] = "secret password token api_key pastaghp_ AKIA ";
	struct str_list none = { 0 };
	auto_(secrets_freep) struct secrets *secrets = open_secrets(&none);
	auto_strbuf line = { 0 };

	while (line.len < 4000000)
		strbuf_adds(&line, filler);
	assert_int_equal(secrets_match(secrets, line.data, line.len), 0);
	strbuf_adds(&line, "token=abcdef");
	assert_int_equal(secrets_match(secrets, line.data, line.len), 1);
}

static void test_secrets_more(void **state)
{
	const char *good[] = { "corp-[0-9]+" };
	const char *bad[] = { "ok", "(open" };
	const char *slow[] = { "(a+)+$" };
	struct str_list list = { good, 1 };
	struct str_list broken = { bad, 2 };
	struct str_list careless = { slow, 1 };
	struct secrets *none = NULL;
	struct fail fail = { 0 };
	auto_(secrets_freep) struct secrets *secrets = open_secrets(&list);
	auto_(secrets_freep) struct secrets *costly = open_secrets(&careless);
	char line[64];

	assert_int_equal(secrets_match(secrets, "CORP-17", 7), 1);
	assert_int_equal(secrets_match(secrets, "password=hunter2", 16), 1);

	assert_int_equal(secrets_new(&broken, &none, &fail), -EINVAL);
	assert_null(none);
	assert_non_null(strstr(fail.text, "(open"));

	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 1] = '!';
	assert_int_equal(secrets_match(costly, line, sizeof(line)), -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slug),
		cmocka_unit_test(test_slug_is_cut),
		cmocka_unit_test(test_feature_branch),
		cmocka_unit_test(test_lost_most),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_secrets_length),
		cmocka_unit_test(test_secrets_long_line),
		cmocka_unit_test(test_secrets_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
