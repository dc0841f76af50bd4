/* Environment variables from a file: its lines, what is refused and in which words, who may read it. */
#include "supervisor/conf_env.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"

static void assert_value(const char *text, const char *name, const char *value)
{
	auto_(conf_env_clear) struct conf_envs envs = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(conf_env_parse("f", text, strlen(text), &envs, &fail), 0);
	assert_int_equal(envs.n, 1);
	assert_string_equal(envs.items[0].name, name);
	assert_string_equal(envs.items[0].value, value);
}

static void test_values(void **state)
{
	assert_value("A=1", "A", "1");
	assert_value("A=1\n", "A", "1");
	assert_value("A=1\r\n", "A", "1");
	assert_value("A=", "A", "");
	assert_value("A=\"\"\n", "A", "");
	assert_value("_a9= x = y # no comment \t\n", "_a9", " x = y # no comment \t");
	assert_value("# comment\n\n  # one more\n \t\r\nA='b'\n", "A", "'b'");
	assert_value("A=\"two\\nlines \\\"and\\\" \\\\ \\u00e4\"\n", "A",
		"two\nlines \"and\" \\ \xc3\xa4");
	assert_value("A=\"1\"  \n", "A", "1"); /* blanks may stand around JSON */
	assert_value("A=1\r\r\n", "A", "1\r");
}

static void test_nothing(void **state)
{
	auto_(conf_env_clear) struct conf_envs envs = { 0 };

	assert_int_equal(conf_env_parse("f", "", 0, &envs, NULL), 0);
	assert_int_equal(conf_env_parse("f", "\n#A=1", 5, &envs, NULL), 0);
	assert_int_equal(envs.n, 0);
}

static void assert_refused(const char *text, size_t len, const char *words)
{
	auto_(conf_env_clear) struct conf_envs envs = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(conf_env_parse("x.env", text, len, &envs, &fail), -EINVAL);
	assert_string_equal(fail.text, words);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{ "A\n", "x.env:1: not of the form NAME=value" },
		{ "A=1\n\nexport B=2\n",
			"x.env:3: no variable's name before the =: letters, digits and _, no digit "
			"first" },
		{ "=1\n", "x.env:1: no variable's name before the =: letters, digits and _, no "
			  "digit first" },
		{ "9=1\n", "x.env:1: no variable's name before the =: letters, digits and _, no "
			   "digit first" },
		{ "A=1\nB=2\nA=3\n",
			"x.env:3: this variable is there already, in the file or in env: leave one "
			"out" },
		{ "A=\"secret\n", "x.env:1: the value begins with \", but is not a JSON string" },
		{ "A=\"secret\" more\n",
			"x.env:1: the value begins with \", but is not a JSON string" },
		{ "A=\"\\u0000\"\n", "x.env:1: a NUL character is not allowed" },
		{ "A=\xff\n", "x.env:1: the value is not UTF-8" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		assert_refused(cases[i].text, strlen(cases[i].text), cases[i].words);
	assert_refused("A=b\0c", 5, "x.env:1: a NUL character is not allowed");
	assert_refused("A\0=b", 4,
		"x.env:1: no variable's name before the =: letters, digits and _, no digit first");
}

static void test_bounds(void **state)
{
	auto_strbuf text = { 0 };
	size_t most;

	strbuf_adds(&text, "A=");
	for (size_t i = 0; i < CONF_ENV_MAX_BYTES; i++)
		strbuf_addc(&text, 'x');
	{
		auto_(conf_env_clear) struct conf_envs envs = { 0 };

		assert_int_equal(conf_env_parse("f", text.data, text.len, &envs, NULL), 0);
	}
	strbuf_addc(&text, 'x');
	assert_refused(text.data, text.len, "x.env:1: the value has more than 32768 bytes");

	strbuf_cut(&text, 0);
	for (size_t i = 0; i < CONF_ENV_MAX; i++)
		strbuf_addf(&text, "A%zu=\n", i);
	most = text.len;
	{
		auto_(conf_env_clear) struct conf_envs envs = { 0 };

		assert_int_equal(conf_env_parse("f", text.data, most, &envs, NULL), 0);
		assert_int_equal(envs.n, CONF_ENV_MAX);
	}
	strbuf_adds(&text, "B=\n");
	assert_refused(text.data, text.len, "x.env:257: more than 256 variables");
}

struct place {
	char dir[32];
	char *path;
};

static int make_place(void **state)
{
	struct place *place = alloc_zero(sizeof(*place));

	memcpy(place->dir, "/tmp/test_conf_env.XXXXXX", 26);
	if (!mkdtemp(place->dir))
		return -1;
	place->path = alloc_printf("%s/x.env", place->dir);
	*state = place;
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;

	(void)unlink(place->path);
	(void)rmdir(place->dir);
	free(place->path);
	free(place);
	return 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void test_file(void **state)
{
	const struct place *place = *state;
	auto_(conf_env_clear) struct conf_envs envs = { 0 };
	auto_free char *open_to_others =
		alloc_printf("%s: open to others: give it mode 0600, or 0640 and root as its owner",
			place->path);
	auto_free char *missing =
		alloc_printf("%s: cannot be read: No such file or directory", place->path);
	auto_free char *folder = alloc_printf("%s: not a regular file", place->dir);
	struct fail fail = { 0 };

	assert_int_equal(conf_env_read_file(place->path, &envs, &fail), -ENOENT);
	assert_string_equal(fail.text, missing);
	assert_int_equal(conf_env_read_file(place->dir, &envs, &fail), -EINVAL);
	assert_string_equal(fail.text, folder);
	write_file(place->path, "A=1\n", 0644);
	assert_int_equal(conf_env_read_file(place->path, &envs, &fail), -EPERM);
	assert_string_equal(fail.text, open_to_others);
	assert_int_equal(envs.n, 0);
	write_file(place->path, "A=1\n", 0600);
	conf_env_add(&envs, "B", "2");
	assert_int_equal(conf_env_read_file(place->path, &envs, &fail), 0);
	assert_int_equal(envs.n, 2);
	assert_string_equal(envs.items[1].name, "A");
	/* A second time each of its names is there already. */
	assert_int_equal(conf_env_read_file(place->path, &envs, &fail), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test_setup_teardown(test_file, make_place, remove_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
