/* The gateway's token: where it is found, when it ends, when it has changed; and secrets in foreign text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/base64.h"
#include "shared/fd.h"
#include "workers/registrar/token.h"

static int64_t expiry_of(const char *payload)
{
	auto_strbuf text = { 0 };

	strbuf_adds(&text, "e30.");
	base64_encode(BASE64_URL, payload, strlen(payload), &text);
	strbuf_adds(&text, ".c2ln");
	return token_expiry(text.data);
}

static void test_expiry(void **unused)
{
	assert_int_equal(expiry_of("{\"exp\":1800000000}"), 1800000000);
	assert_int_equal(expiry_of("{\"exp\":1800000000.7}"), 1800000000);
	assert_int_equal(expiry_of("{\"exp\":\"1800000000\"}"), 0);
	assert_int_equal(expiry_of("{\"exp\":-5}"), 0);
	assert_int_equal(expiry_of("{\"exp\":1e300}"), 0);
	assert_int_equal(expiry_of("{}"), 0);
	assert_int_equal(expiry_of("[]"), 0);
	assert_int_equal(expiry_of("nonsense"), 0);
	assert_int_equal(token_expiry(""), 0);
	assert_int_equal(token_expiry("opaque"), 0);
	assert_int_equal(token_expiry("a.b"), 0);
	assert_int_equal(token_expiry("a.!!.c"), 0);
}

static char folder[64];
static char path[128];

static int make_folder(void **unused)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/mcp-fleet-token-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/gateway.token", folder);
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	(void)unsetenv("MCPGATEWAY_BEARER_TOKEN");
	return 0;
}

static int remove_folder(void **unused)
{
	(void)unlink(path);
	return rmdir(folder);
}

static void write_file(const char *text, mode_t mode)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void test_sources(void **unused)
{
	struct token token = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(token_load(&token, "", &fail), -ENOENT);
	assert_string_equal(token_source_name(token.source), "none");
	(void)setenv("MCPGATEWAY_BEARER_TOKEN", "from-environment", 1);
	assert_int_equal(token_load(&token, "", &fail), 0);
	assert_string_equal(token.text, "from-environment");
	assert_string_equal(token_source_name(token.source), "environment");
	assert_false(token_has_changed(&token));
	(void)setenv("CREDENTIALS_DIRECTORY", folder, 1);
	assert_int_equal(token_load(&token, "", &fail), 0); /* there is no such file */
	assert_string_equal(token.text, "from-environment");
	write_file("  from-file \r\n", 0600);
	assert_int_equal(token_load(&token, "", &fail), 0);
	assert_string_equal(token.text, "from-file");
	assert_string_equal(token_source_name(token.source), "credential");
	assert_int_equal(token_load(&token, path, &fail), 0);
	assert_string_equal(token_source_name(token.source), "file");
	assert_false(token.is_open);
	token_done(&token);
}

static void test_bad_files(void **unused)
{
	static const char *const texts[] = { "", " \n", "two\nlines", "tab\tinside" };
	struct token token = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(token_load(&token, path, &fail), -ENOENT);
	assert_non_null(strstr(fail.text, path));
	assert_int_equal(token_load(&token, folder, &fail), -EINVAL); /* no regular file */
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		write_file(texts[i], 0600);
		assert_int_equal(token_load(&token, path, &fail), -EINVAL);
		assert_null(token.text);
		if (*texts[i] > ' ')
			assert_null(strstr(fail.text, texts[i]));
	}
	(void)setenv("MCPGATEWAY_BEARER_TOKEN", "with blank", 1);
	assert_int_equal(token_load(&token, "", &fail), -EINVAL);
	token_done(&token);
}

static void test_changes(void **unused)
{
	struct token token = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(token_load(&token, path, &fail), -ENOENT);
	assert_false(token_has_changed(&token));
	write_file("first", 0644);
	assert_true(token_has_changed(&token));
	assert_int_equal(token_load(&token, path, &fail), 0);
	assert_true(token.is_open);
	assert_false(token_has_changed(&token));
	write_file("second one", 0600);
	assert_true(token_has_changed(&token));
	(void)unlink(path);
	assert_true(token_has_changed(&token));
	token_done(&token);
	write_file("", 0600); /* for remove_folder() */
}

static void test_clean(void **unused)
{
	static const char *const secrets[] = { "hush-hush", NULL, "abc", "key" };
	static const struct {
		const char *text, *clean;
	} cases[] = {
		{ "plain", "plain" },
		{ "a hush-hush b hush-hush", "a [hidden] b [hidden]" },
		{ "hush-hushhush-hush", "[hidden][hidden]" },
		{ "abc key", "abc key" }, /* too short to be one */
		{ "two\nlines\t\033[1m", "two lines  [1m" },
		{ "bad \xff byte", "bad \xef\xbf\xbd byte" },
		{ "", "" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_free char *clean = secret_clean(cases[i].text, 100, secrets, 3);

		assert_string_equal(clean, cases[i].clean);
	}
	auto_free char *cut = secret_clean("\xc3\xa4\xc3\xb6\xc3\xbc", 2, NULL, 0);

	assert_string_equal(cut, "\xc3\xa4\xc3\xb6…");
}

static void test_marks(void **unused)
{
	char one[SECRET_MARK_SIZE];
	char other[SECRET_MARK_SIZE];

	secret_mark("salt", "key", one);
	secret_mark("salt", "key", other);
	assert_string_equal(one, other);
	secret_mark("salz", "key", other);
	assert_string_not_equal(one, other);
	secret_mark("saltk", "ey", other);
	assert_string_not_equal(one, other);
	assert_int_equal(strlen(one), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expiry),
		cmocka_unit_test_setup_teardown(test_sources, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_bad_files, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_changes, make_folder, remove_folder),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
