/* Tool code_check_tools: asks each program for its version. */
#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/clock.h"
#include "workers/filesystem/code_work.h"
#include "workers/filesystem/settings.h"
#include "workers/filesystem/tools.h"

enum {
	VERSION_MS = 5 * CLOCK_SECOND_MS,
	VERSION_OUTPUT_BYTES = 4096,
	MAX_VERSION_CHARS = 40,
};

static const char *const names[] = { "ruff", "black", "pylint", "flake8", "mypy" };

/* The first word that begins with a digit: "black, 23.1.0 (compiled: yes)". NULL: there is none. */
static char *version_in(const char *said)
{
	while (*said) {
		const size_t len = strcspn(said, " \t\n,()");

		if (ascii_is_digit(*said))
			return alloc_mem(said, len < MAX_VERSION_CHARS ? len : MAX_VERSION_CHARS);
		said += len + (said[len] != '\0');
	}
	return NULL;
}

/* NULL: it does not run, and `why` says so. */
static char *ask(
	struct call *call, const struct code_program *program, const char *name, struct strbuf *why)
{
	auto_(proc_result_done) struct proc_result result = { 0 };
	int r = code_program_run(call, program,
		&(struct code_command){ .tool = name, .job = CODE_VERSION },
		&(struct code_run){ .dir_fd = -1,
			.max_out_bytes = VERSION_OUTPUT_BYTES,
			.timeout_ms = VERSION_MS },
		&result);
	char *version = NULL;

	if (r == 0 && result.end == PROC_EXITED && result.code == 0)
		version = version_in(strbuf_get(&result.out));
	if (version)
		return version;
	if (r < 0)
		strbuf_addf(why, "it cannot be started: %s", strerror(-r));
	else if (result.end == PROC_TIMED_OUT)
		strbuf_adds(why, "it does not tell its version in time");
	else
		strbuf_addf(why, "it does not tell its version (exit status %d)",
			code_exit_code(&result));
	return NULL;
}

static json_t *check(struct call *call, const char *name, struct strbuf *text)
{
	auto_program program = { .dir_fd = -1 };
	auto_strbuf where = { 0 };
	auto_strbuf why = { 0 };
	auto_free char *version = NULL;

	strbuf_addf(text, "\n%s: ", name);
	if (!code_program_look(name, &program, &where)) {
		strbuf_addf(text, "not found in %s", where.len ? where.data : "code_tools_path");
		return json_pack("{s:s, s:b}", "name", name, "available", 0);
	}
	version = ask(call, &program, name, &why);
	if (version)
		strbuf_addf(text, "%s (%s)", version, program.path);
	else
		strbuf_addf(text, "%s is there, but %s", program.path, why.data);
	return json_pack("{s:s, s:b, s:o, s:s*}", "name", name, "available", version != NULL,
		"path", paths_json(program.path), "version", version);
}

static int code_check_tools(struct call *call, const void *args)
{
	auto_strbuf text = { 0 };
	json_auto_t *tools = json_array();

	(void)args;
	strbuf_adds(&text, "Available code tools:");
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		(void)json_array_append_new(tools, check(call, names[i], &text));
		if (call_stopped(call))
			return call_fail_stopped(call, "not all programs have told their version");
	}
	return call_result(call, json_pack("{s:O}", "tools", tools), text.data, text.len);
}

const struct tool filesystem_check_tools_tools[] = {
	TOOL_PLAIN(code_check_tools, "Code tools",
		.doc = "Which linters and formatters are installed, and their versions.",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT, .is_offered = filesystem_has_code_tools,
		.out = "tools {name string, available boolean, path? string, version? string}[]"),
	{ 0 },
};
