/* The programs behind the code tools: exact argument vectors, and where programs may be found. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "workers/common/roots.h"
#include "workers/filesystem/code_program.h"

static const struct {
	struct code_command command;
	const char *argv; /* joined by blanks */
} vectors[] = {
	{ { "ruff", CODE_LINT, CODE_SOURCE, "a/b.py", 0 },
		"/p check --isolated --no-cache --quiet --no-fix --output-format=concise "
		"--stdin-filename=a/b.py -" },
	{ { "ruff", CODE_LINT, CODE_SOURCE, "--fix", 120 },
		"/p check --isolated --no-cache --quiet --no-fix --output-format=concise "
		"--config=line-length=120 --stdin-filename=--fix -" },
	{ { "ruff", CODE_COUNT, CODE_NOTEBOOK, "n.ipynb", 0 },
		"/p check --isolated --no-cache --quiet --no-fix --statistics "
		"--output-format=json --stdin-filename=n.ipynb -" },
	{ { "ruff", CODE_FORMAT, CODE_STUB, "a.pyi", 99 },
		"/p format --isolated --no-cache --line-length=99 --stdin-filename=a.pyi -" },
	{ { "ruff", CODE_VERSION, CODE_SOURCE, NULL, 0 }, "/p --version" },
	{ { "black", CODE_FORMAT, CODE_SOURCE, "--code=x", 0 }, "/p --quiet --config=/dev/null -" },
	{ { "black", CODE_FORMAT, CODE_STUB, "a.pyi", 1 },
		"/p --quiet --config=/dev/null --line-length=1 --pyi -" },
	{ { "black", CODE_VERSION, CODE_SOURCE, NULL, 0 }, "/p --version" },
	{ { "flake8", CODE_LINT, CODE_SOURCE, "a.py", 0 },
		"/p --isolated --jobs=1 --color=never "
		"--format=%(row)d:%(col)d: %(code)s %(text)s -" },
	{ { "pylint", CODE_LINT, CODE_SOURCE, "--init-hook=x", 320 },
		"/p --rcfile=/dev/null --jobs=1 --persistent=n --reports=n --score=n "
		"--disable=import-error,no-name-in-module,relative-beyond-top-level "
		"--msg-template={line}:{column}: {msg_id}: {msg} ({symbol}) "
		"--max-line-length=320 --from-stdin module.py" },
	{ { "mypy", CODE_VERSION, CODE_SOURCE, NULL, 0 }, "/p --version" },
};

static void test_vectors(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(vectors); i++) {
		auto_(code_argv_done) struct code_argv argv = { 0 };
		auto_strbuf joined = { 0 };

		code_argv_make(&vectors[i].command, "/p", &argv);
		for (size_t k = 0; k < argv.n; k++)
			strbuf_addf(&joined, "%s%s", k ? " " : "", argv.items[k]);
		assert_string_equal(joined.data, vectors[i].argv);
		assert_null(argv.items[argv.n]);
	}
}

/* base/{safe,safe2,root,root/bin}: root is writable, the rest lies in no root. */
static char base[] = "/tmp/test_code_program.XXXXXX";

static char *at(const char *rest)
{
	return alloc_printf("%s/%s", base, rest);
}

static void make(const char *rest, mode_t mode)
{
	auto_free char *path = at(rest);
	auto_close int fd = -1;

	if (S_ISDIR(mode)) {
		assert_int_equal(mkdir(path, 0755), 0);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	assert_true(fd >= 0);
}

static void make_link(const char *to, const char *rest)
{
	auto_free char *path = at(rest);

	assert_int_equal(symlink(to, path), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int set_up(void **state)
{
	static const char *const dirs[] = { "safe", "safe2", "root", "root/bin", "safe/black" };
	auto_free char *root = NULL;
	struct fail fail = { 0 };

	assert_non_null(mkdtemp(base));
	root = at("root");
	for (size_t i = 0; i < N_ELEMENTS(dirs); i++)
		make(dirs[i], S_IFDIR);
	make("safe/flake8", 0644);
	make("safe2/flake8", 0755);
	make("safe2/ruff", 0755);
	make("root/bin/ruff", 0755);
	make("root/bin/black", 0755);
	make_link("../root/bin/ruff", "safe/ruff");
	make_link("root/bin", "link_to_bin");
	make_link("safe2", "link_to_safe2");
	make_link("nowhere", "safe2/mypy");
	return roots_open(root, true, &fail);
}

static int tear_down(void **state)
{
	code_path_close();
	roots_close();
	return nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int open_path(const char *a, const char *b, struct fail *fail)
{
	auto_free char *first = at(a);
	auto_free char *second = b ? at(b) : NULL;
	const char *items[] = { first, second };

	return code_path_open(&(struct str_list){ .items = items, .n = b ? 2 : 1 }, fail);
}

static void test_refused_paths(void **state)
{
	static const char *const in_root[] = { "root", "root/bin", "link_to_bin", "safe/../root" };
	const char *relative[] = { "usr/bin" };
	const char *colon[] = { "/usr/bin:/tmp" };
	struct fail fail = { 0 };

	for (size_t i = 0; i < N_ELEMENTS(in_root); i++) {
		assert_int_equal(open_path("safe", in_root[i], &fail), -EINVAL);
		assert_non_null(strstr(fail.text, "could be replaced by a tool call"));
	}
	assert_int_equal(
		code_path_open(&(struct str_list){ .items = relative, .n = 1 }, &fail), -EINVAL);
	assert_non_null(strstr(fail.text, "not an absolute path"));
	assert_int_equal(
		code_path_open(&(struct str_list){ .items = colon, .n = 1 }, &fail), -EINVAL);
}

/* NULL: it is not there, and `words` are said. */
static void assert_found(const char *tool, const char *rest, const char *words)
{
	auto_program program = { .dir_fd = -1 };
	auto_strbuf where = { 0 };
	auto_free char *path = rest ? at(rest) : NULL;

	assert_int_equal(code_program_look(tool, &program, &where), rest != NULL);
	if (rest) {
		assert_string_equal(program.path, path);
		assert_true(program.dir_fd >= 0);
	} else {
		assert_null(program.path);
		assert_non_null(words);
		assert_non_null(strstr(strbuf_get(&where), words ? words : ""));
	}
}

static void test_search(void **state)
{
	auto_free char *safe2 = at("safe2");
	struct fail fail = { 0 };

	/* In order; what is no executable file is not it, nor what leads into a writable root. */
	assert_int_equal(open_path("safe", "link_to_safe2", &fail), 0);
	assert_found("flake8", "link_to_safe2/flake8", NULL);
	assert_found("ruff", "link_to_safe2/ruff", NULL);
	assert_found("black", NULL, "link_to_safe2");
	assert_found("mypy", NULL, "safe");
	assert_found("pylint", NULL, "safe");

	assert_int_equal(open_path("safe", NULL, &fail), 0);
	assert_found("ruff", NULL, "passed over");

	assert_int_equal(open_path("none", "safe2", &fail), 0);
	assert_found("ruff", "safe2/ruff", NULL);
	assert_found("pylint", NULL, safe2);

	assert_int_equal(open_path("none", NULL, &fail), 0);
	assert_found("ruff", NULL, "none");
}

/* The supervisor always names the defaults: a root that holds them is no reason not to start. */
static void test_defaults_in_a_writable_root(void **state)
{
	const char *items[] = { "/usr/bin", "/usr/local/bin", "/bin" };
	auto_program program = { .dir_fd = -1 };
	auto_strbuf where = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(roots_open("/", true, &fail), 0);
	assert_int_equal(code_path_open(&(struct str_list){ 0 }, &fail), 0);
	assert_false(code_program_look("env", &program, &where));
	assert_int_equal(code_path_open(&(struct str_list){ .items = items, .n = 2 }, &fail), 0);
	assert_int_equal(
		code_path_open(&(struct str_list){ .items = items, .n = 3 }, &fail), -EINVAL);
	assert_non_null(strstr(strbuf_get(&where), "/usr/bin (passed over"));
}

/* Valgrind knows no openat2(2), nor do kernels before 5.6: then no root can be opened. */
static bool has_openat2(void)
{
	return syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno != ENOSYS;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_refused_paths),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_defaults_in_a_writable_root),
	};

	if (!has_openat2()) {
		printf("1..0 # SKIP no openat2(2)\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
