/* See code_program.h.
 *
 * What was seen of pylint 4.1 with --rcfile=/dev/null and a path: the file's directory becomes the
 * first of sys.path, so a colorama.py or a winreg.so beside the file is run. Reading from standard
 * input with another working directory it does not; nor do ruff, black and flake8. */
#include "workers/filesystem/code_program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/quote.h"
#include "workers/common/roots.h"

enum {
	MAX_ERROR_BYTES = 16 * KIB,
	N_ENV = 10,
};

static const char *const default_dirs[] = { "/usr/bin", "/usr/local/bin" };

static struct {
	char **dirs;
	size_t n;
	char *variable; /* PATH=… */
	const char *env[N_ENV];
} path;

/* Fixed argument vectors. */

struct recipe {
	const char *tool;
	enum code_job job;
	const char *const *args;
	const char *length; /* in front of the line length; NULL: it has none */
	bool takes_name;    /* --stdin-filename */
};

static const char *const version[] = { "--version", NULL };
static const char *const ruff_lint[] = { "check", "--isolated", "--no-cache", "--quiet", "--no-fix",
	"--output-format=concise", NULL };
static const char *const ruff_count[] = { "check", "--isolated", "--no-cache", "--quiet",
	"--no-fix", "--statistics", "--output-format=json", NULL };
static const char *const ruff_format[] = { "format", "--isolated", "--no-cache", NULL };
static const char *const black_format[] = { "--quiet", "--config=/dev/null", NULL };
static const char *const flake8_lint[] = { "--isolated", "--jobs=1", "--color=never",
	"--format=%(row)d:%(col)d: %(code)s %(text)s", NULL };
/* What a file imports from its own project is not to be found from here. */
static const char *const pylint_lint[] = { "--rcfile=/dev/null", "--jobs=1", "--persistent=n",
	"--reports=n", "--score=n",
	"--disable=import-error,no-name-in-module,relative-beyond-top-level",
	"--msg-template={line}:{column}: {msg_id}: {msg} ({symbol})", NULL };

static const struct recipe recipes[] = {
	{ "ruff", CODE_LINT, ruff_lint, "--config=line-length=", true },
	{ "ruff", CODE_COUNT, ruff_count, "--config=line-length=", true },
	{ "ruff", CODE_FORMAT, ruff_format, "--line-length=", true },
	{ "ruff", CODE_VERSION, version, NULL, false },
	{ "black", CODE_FORMAT, black_format, "--line-length=", false },
	{ "black", CODE_VERSION, version, NULL, false },
	{ "flake8", CODE_LINT, flake8_lint, "--max-line-length=", false },
	{ "flake8", CODE_VERSION, version, NULL, false },
	{ "pylint", CODE_LINT, pylint_lint, "--max-line-length=", false },
	{ "pylint", CODE_VERSION, version, NULL, false },
	{ "mypy", CODE_VERSION, version, NULL, false },
};

static const struct recipe *find_recipe(const struct code_command *command)
{
	for (size_t i = 0; i < N_ELEMENTS(recipes); i++)
		if (recipes[i].job == command->job && streq(recipes[i].tool, command->tool))
			return &recipes[i];
	abort(); /* our bug: the tables of the tools name the choices */
}

static void add_arg(struct code_argv *argv, const char *arg)
{
	if (argv->n + 1 >= CODE_MAX_ARGS)
		abort(); /* our bug: a recipe is too long */
	argv->items[argv->n++] = arg;
	argv->items[argv->n] = NULL;
}

/* How each is told to read standard input, and what kind of text that is. */
static void add_input(struct code_argv *argv, const struct code_command *command, bool takes_name)
{
	if (takes_name && command->name) {
		argv->name = alloc_printf("--stdin-filename=%s", command->name);
		add_arg(argv, argv->name);
	}
	if (streq(command->tool, "black") && command->kind == CODE_STUB)
		add_arg(argv, "--pyi");
	if (streq(command->tool, "pylint")) {
		add_arg(argv, "--from-stdin");
		add_arg(argv, "module.py");
	} else {
		add_arg(argv, "-");
	}
}

void code_argv_make(const struct code_command *command, const char *program, struct code_argv *ret)
{
	const struct recipe *recipe = find_recipe(command);

	*ret = (struct code_argv){ 0 };
	add_arg(ret, program);
	for (const char *const *arg = recipe->args; *arg; arg++)
		add_arg(ret, *arg);
	if (recipe->length && command->line_length > 0) {
		ret->length =
			alloc_printf("%s%lld", recipe->length, (long long)command->line_length);
		add_arg(ret, ret->length);
	}
	if (command->job != CODE_VERSION)
		add_input(ret, command, recipe->takes_name);
}

void code_argv_done(struct code_argv *argv)
{
	free(argv->length);
	free(argv->name);
	*argv = (struct code_argv){ 0 };
}

/* Where they are. */

static bool is_default(const char *dir)
{
	for (size_t i = 0; i < N_ELEMENTS(default_dirs); i++)
		if (streq(dir, default_dirs[i]))
			return true;
	return false;
}

/* A default directory in a writable root is no reason not to start: it is passed over later. */
static int check_dir(const char *dir, struct fail *fail)
{
	auto_free char *real = NULL;
	char quoted[QUOTE_SIZE];

	if (*dir != '/')
		return fail_set(fail, -EINVAL, "code_tools_path: %s is not an absolute path",
			quote(quoted, dir));
	if (strchr(dir, ':'))
		return fail_set(fail, -EINVAL, "code_tools_path: %s has a colon, which PATH cannot",
			quote(quoted, dir));
	real = realpath(dir, NULL);
	if (real && !is_default(dir) && roots_let_write(real))
		return fail_set(fail, -EINVAL,
			"code_tools_path: %s lies in a root that may be written: its programs could be replaced by a tool call. Make the root read-only, or name another directory",
			quote(quoted, dir));
	return 0;
}

/* For scripts that begin with /usr/bin/env. */
static char *make_variable(void)
{
	auto_strbuf dirs = { 0 };

	for (size_t i = 0; i < path.n; i++) {
		auto_free char *real = realpath(path.dirs[i], NULL);

		if (real && !roots_let_write(real))
			strbuf_addf(&dirs, "%s%s", dirs.len ? ":" : "PATH=", path.dirs[i]);
	}
	return dirs.len ? strbuf_take(&dirs) : alloc_str("PATH=/dev/null");
}

static void set_env(void)
{
	size_t n = 0;

	path.variable = make_variable();
	path.env[n++] = path.variable;
	/* No path below it can ever exist, so no file of a home is read or written. */
	path.env[n++] = "HOME=/dev/null";
	path.env[n++] = "LANG=C.UTF-8";
	path.env[n++] = "NO_COLOR=1";
	path.env[n++] = "PYTHONDONTWRITEBYTECODE=1";
	path.env[n++] = "PYTHONNOUSERSITE=1";
	path.env[n++] = "PYTHONSAFEPATH=1";
	path.env[n++] = "PYTHONUTF8=1";
	path.env[n] = NULL;
}

int code_path_open(const struct str_list *dirs, struct fail *fail)
{
	const char *const *from = dirs->items ? dirs->items : default_dirs;
	size_t n = dirs->items ? dirs->n : N_ELEMENTS(default_dirs);

	for (size_t i = 0; i < n; i++) {
		int r = check_dir(from[i], fail);

		if (r < 0)
			return r;
	}
	code_path_close();
	path.dirs = alloc_resize(NULL, n ? n : 1, sizeof(char *));
	for (path.n = 0; path.n < n; path.n++)
		path.dirs[path.n] = alloc_str(from[path.n]);
	set_env();
	return 0;
}

void code_path_close(void)
{
	for (size_t i = 0; i < path.n; i++)
		free(path.dirs[i]);
	free(path.dirs);
	free(path.variable);
	path.dirs = NULL;
	path.variable = NULL;
	path.n = 0;
}

static bool is_program(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 && S_ISREG(st.st_mode) &&
	       faccessat(AT_FDCWD, file, X_OK, AT_EACCESS) == 0;
}

/* In one directory; `where` hears of it. */
static bool look_in(
	const char *dir, const char *tool, struct code_program *ret, struct strbuf *where)
{
	auto_free char *file = alloc_printf("%s/%s", dir, tool);
	auto_free char *real_dir = realpath(dir, NULL);
	auto_free char *real = realpath(file, NULL);
	auto_close int dir_fd = -1;

	if (where)
		strbuf_addf(where, "%s%s", where->len ? ", " : "", dir);
	if (!real || !real_dir || !is_program(file))
		return false;
	if (roots_let_write(real_dir) || roots_let_write(real)) {
		if (where)
			strbuf_adds(where, " (passed over: what is there may be written by tools)");
		return false;
	}
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return false;
	ret->path = TAKE(file);
	ret->dir_fd = TAKE_FD(dir_fd);
	return true;
}

bool code_program_look(const char *tool, struct code_program *ret, struct strbuf *where)
{
	*ret = (struct code_program){ .dir_fd = -1 };
	for (size_t i = 0; i < path.n; i++)
		if (look_in(path.dirs[i], tool, ret, where))
			return true;
	return false;
}

bool code_program_find(struct call *call, const char *tool, struct code_program *ret)
{
	auto_strbuf where = { 0 };

	if (code_program_look(tool, ret, &where))
		return true;
	(void)call_fail(call, "tool_missing",
		"%s was not found in %s. Install it there, or name its directory in code_tools_path; code_check_tools tells which tools there are.",
		tool, where.len ? where.data : "any directory: code_tools_path is empty");
	return false;
}

void code_program_done(struct code_program *program)
{
	if (!program->path)
		return;
	free(program->path);
	(void)fd_close(program->dir_fd);
	*program = (struct code_program){ .dir_fd = -1 };
}

/* Running. */

static bool is_stopped(void *arg)
{
	return call_stopped(arg);
}

int code_program_run(struct call *call, const struct code_program *program,
	const struct code_command *command, const struct code_run *run, struct proc_result *ret)
{
	const int64_t left_ms = call_time_left_ms(call);
	auto_(code_argv_done) struct code_argv argv = { 0 };

	code_argv_make(command, program->path, &argv);
	return proc_run(
		&(struct proc_spec){
			.argv = argv.items,
			.env = path.env,
			.dir_fd = run->dir_fd >= 0 ? run->dir_fd : program->dir_fd,
			.input = run->input,
			.input_bytes = run->input_bytes,
			.max_out_bytes = run->max_out_bytes,
			.max_err_bytes = MAX_ERROR_BYTES,
			.timeout_ms = run->timeout_ms > 0 && run->timeout_ms < left_ms
					      ? run->timeout_ms
					      : left_ms,
			.is_stopped = is_stopped,
			.arg = call,
		},
		ret);
}
