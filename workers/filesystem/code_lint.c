/* Tools code_lint and code_analyze: what a linter finds, line by line or counted by rule. */
#include <errno.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/limits.h"
#include "workers/filesystem/code_work.h"
#include "workers/filesystem/content.h"
#include "workers/filesystem/settings.h"
#include "workers/filesystem/tools.h"

enum { PYLINT_USAGE = 32 }; /* bits below it: kinds of findings */

struct lint {
	struct code_work *work;
	struct strbuf out;
	bool issues_found;
	bool failed;
	bool truncated;
	int exit_code; /* the highest */
};

/* What ruff puts in front of a line is the name we gave it; others put nothing. */
static const char *after_name(const char *line, size_t *len, const char *name)
{
	const size_t name_len = strlen(name);

	if (*len > name_len && memcmp(line, name, name_len) == 0 && line[name_len] == ':') {
		*len -= name_len + 1;
		return line + name_len + 1;
	}
	return line;
}

/* Adds a line of the program's, with the file's name where it begins with a place in it. */
static void add_line(struct lint *lint, const char *shown, const char *line, size_t len)
{
	const bool has_place = len > 0 && ascii_is_digit(line[0]);
	const size_t more = len + strlen(shown) + 2;

	/* pylint's line with the module's name: it is not the file's. */
	if (len == 0 || (len > 1 && memcmp(line, "**", 2) == 0))
		return;
	if (lint->truncated || more > CODE_OUTPUT_BYTES - lint->out.len) {
		lint->truncated = true;
		return;
	}
	if (has_place)
		strbuf_addf(&lint->out, "%s:", shown);
	strbuf_add(&lint->out, line, len);
	strbuf_addc(&lint->out, '\n');
	lint->issues_found |= has_place;
}

static void add_lines(struct lint *lint, const struct code_file *file)
{
	const char *at = strbuf_get(&file->result.out);
	const char *end = at + file->result.out.len;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop : end) - at);
		const char *line = after_name(at, &len, file->name);

		add_line(lint, file->source->shown, line, len);
		at = stop ? stop + 1 : end;
	}
}

/* Whether it did its work, be it with findings or without. One that crashes ends with 1, too. */
static bool has_worked(const char *tool, const struct proc_result *result)
{
	if (result->end == PROC_TOO_MUCH)
		return true;
	if (result->end != PROC_EXITED)
		return false;
	if (result->code == 0)
		return true;
	if (result->out.len == 0)
		return false;
	return streq(tool, "pylint") ? result->code < PYLINT_USAGE : result->code == 1;
}

static void take(struct lint *lint, const struct code_file *file)
{
	const int code = code_exit_code(&file->result);

	if (file->error < 0 || !has_worked(lint->work->command.tool, &file->result)) {
		lint->failed = true;
		if (lint->out.len < CODE_OUTPUT_BYTES)
			code_add_failure(&lint->out, lint->work, file);
		else
			lint->truncated = true;
	} else {
		add_lines(lint, file);
	}
	lint->truncated |= file->result.end == PROC_TOO_MUCH;
	if (code > lint->exit_code)
		lint->exit_code = code;
}

static int answer_lint(struct lint *lint)
{
	const struct code_work *work = lint->work;
	auto_strbuf text = { 0 };
	auto_strbuf path = { 0 };

	code_add_remarks(&lint->out, work);
	paths_show(&path, work->path);
	strbuf_addf(&text, "Linting %s with %s:\n", path.data, work->command.tool);
	strbuf_add(&text, strbuf_get(&lint->out), lint->out.len);
	if (!lint->issues_found && !lint->failed && work->sources.n > 0)
		strbuf_adds(&text, "No issues found\n");
	if (lint->truncated)
		strbuf_adds(&text, "There is more: name a single file or a smaller directory.\n");
	strbuf_cut(&text, text.len - 1);
	return call_result(work->call,
		json_pack("{s:s, s:o, s:b, s:b, s:o, s:i, s:b}", "tool", work->command.tool, "path",
			paths_json(work->path), "issues_found", lint->issues_found, "success",
			!lint->failed, "output",
			content_json(strbuf_get(&lint->out), lint->out.len), "exit_code",
			lint->exit_code, "truncated", lint->truncated || work->sources.is_cut),
		text.data, text.len);
}

static void lint_done(struct lint *lint)
{
	strbuf_done(&lint->out);
}

struct code_lint_args {
	const char *path;
	const char *tool;
	int64_t line_length;
};

static const char *const linters[] = { "ruff", "pylint", "flake8", NULL };

static const struct param code_lint_params[] = {
	PARAM(code_lint_args, path, .required = true, .doc = "File or directory."),
	PARAM(code_lint_args, tool, .choices = linters, .def_str = "ruff", .doc = "Linter."),
	PARAM(code_lint_args, line_length, .no_default = true, RANGE(1, CODE_MAX_LINE_LENGTH),
		.doc = "Longest line; the project's configuration is not read."),
	{ 0 },
};

static int code_lint(struct call *call, const void *args)
{
	const struct code_lint_args *a = args;
	auto_work work = { .call = call,
		.path = a->path,
		.command = { .tool = a->tool, .job = CODE_LINT, .line_length = a->line_length },
		.done_word = "checked" };
	auto_(lint_done) struct lint lint = { .work = &work };

	if (!code_work_start(&work))
		return 0;
	for (size_t i = 0; i < work.sources.n && !lint.truncated; i++) {
		auto_file file = { 0 };

		if (!code_work_run(&work, i, CODE_OUTPUT_BYTES, &file))
			return 0;
		take(&lint, &file);
	}
	return answer_lint(&lint);
}

/* Counting. */

struct rule {
	char *code;
	char *name;
	json_int_t count;
};

struct statistics {
	struct rule *rules;
	size_t n;
	struct strbuf failures;
	bool is_cut; /* not all failures are in it */
};

static void statistics_done(struct statistics *statistics)
{
	for (size_t i = 0; i < statistics->n; i++) {
		free(statistics->rules[i].code);
		free(statistics->rules[i].name);
	}
	free(statistics->rules);
	strbuf_done(&statistics->failures);
}

static void count_rule(struct statistics *statistics, json_t *rule)
{
	const char *code = json_string_value(json_object_get(rule, "code"));
	const char *name = json_string_value(json_object_get(rule, "name"));
	const json_int_t count = json_integer_value(json_object_get(rule, "count"));
	struct rule *rules = statistics->rules;

	code = code ? code : "-";
	name = name ? name : "";
	for (size_t i = 0; i < statistics->n; i++)
		if (streq(rules[i].code, code) && streq(rules[i].name, name)) {
			rules[i].count += count;
			return;
		}
	statistics->rules = alloc_resize(rules, statistics->n + 1, sizeof(*rules));
	statistics->rules[statistics->n++] =
		(struct rule){ .code = alloc_str(code), .name = alloc_str(name), .count = count };
}

/* False: it is not the list that was asked for. Nothing is said where nothing was found. */
static bool count_file(struct statistics *statistics, const struct proc_result *result)
{
	json_auto_t *list = NULL;
	json_t *rule;
	size_t i;

	if (result->end != PROC_EXITED || result->code > 1)
		return false;
	if (result->out.len == 0)
		return result->code == 0;
	list = json_loadb(result->out.data, result->out.len, 0, NULL);
	if (!json_is_array(list))
		return false;
	json_array_foreach(list, i, rule)
		count_rule(statistics, rule);
	return true;
}

/* The most frequent first. */
static int compare_rules(const void *a, const void *b)
{
	const struct rule *x = a;
	const struct rule *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->code, y->code) ? strcmp(x->code, y->code) : strcmp(x->name, y->name);
}

static void add_rules(struct strbuf *out, struct statistics *statistics)
{
	json_int_t all = 0;

	if (statistics->n > 0)
		qsort(statistics->rules, statistics->n, sizeof(*statistics->rules), compare_rules);
	for (size_t i = 0; i < statistics->n; i++) {
		const struct rule *rule = &statistics->rules[i];

		strbuf_addf(out, "%" JSON_INTEGER_FORMAT "\t%s\t%s\n", rule->count, rule->code,
			rule->name);
		all += rule->count;
	}
	if (statistics->n > 0)
		strbuf_addf(out, "%" JSON_INTEGER_FORMAT " findings of %zu rules\n", all,
			statistics->n);
}

static int answer_statistics(const struct code_work *work, struct statistics *statistics)
{
	const bool failed = statistics->failures.len > 0;
	auto_strbuf text = { 0 };
	auto_strbuf path = { 0 };
	auto_strbuf out = { 0 };

	add_rules(&out, statistics);
	strbuf_add(&out, strbuf_get(&statistics->failures), statistics->failures.len);
	if (statistics->is_cut)
		strbuf_adds(&out, "More files could not be counted: name a smaller directory.\n");
	code_add_remarks(&out, work);
	if (out.len == 0)
		strbuf_adds(&out, "No issues found\n");
	strbuf_cut(&out, out.len - 1);
	paths_show(&path, work->path);
	strbuf_addf(&text, "Analyzing %s:\n", path.data);
	strbuf_add(&text, out.data, out.len);
	return call_result(work->call,
		json_pack("{s:o, s:b, s:o, s:b}", "path", paths_json(work->path), "success",
			!failed, "statistics", content_json(strbuf_get(&out), out.len), "truncated",
			statistics->is_cut || work->sources.is_cut),
		text.data, text.len);
}

struct code_analyze_args {
	const char *path;
};

static const struct param code_analyze_params[] = {
	PARAM(code_analyze_args, path, .required = true, .doc = "File or directory."),
	{ 0 },
};

static int code_analyze(struct call *call, const void *args)
{
	const struct code_analyze_args *a = args;
	auto_work work = { .call = call,
		.path = a->path,
		.command = { .tool = "ruff", .job = CODE_COUNT },
		.done_word = "analyzed" };
	auto_(statistics_done) struct statistics statistics = { 0 };

	if (!code_work_start(&work))
		return 0;
	for (size_t i = 0; i < work.sources.n; i++) {
		auto_file file = { 0 };

		if (!code_work_run(&work, i, CODE_OUTPUT_BYTES, &file))
			return 0;
		if (file.error == 0 && count_file(&statistics, &file.result))
			continue;
		if (statistics.failures.len < CODE_OUTPUT_BYTES)
			code_add_failure(&statistics.failures, &work, &file);
		else
			statistics.is_cut = true;
	}
	return answer_statistics(&work, &statistics);
}

const struct tool filesystem_lint_tools[] = {
	TOOL(code_lint, "Lint code",
		.doc = "Run a linter on a Python file or directory. Configuration and plug-ins of the project are not used.",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT, .is_offered = filesystem_has_code_tools,
		.out = "tool string, path string, issues_found boolean, success boolean, "
		       "output string, exit_code integer, truncated boolean"),
	{ 0 },
};

const struct tool filesystem_analyze_tools[] = {
	TOOL(code_analyze, "Analyze code",
		.doc = "Count the findings of ruff in a Python file or directory by rule.",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT, .is_offered = filesystem_has_code_tools,
		.out = "path string, success boolean, statistics string, truncated boolean"),
	{ 0 },
};
