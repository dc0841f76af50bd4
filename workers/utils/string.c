/* Tools for texts: case, white space, counting, replacing, naming styles. See text.h, naming.h. */
#include "workers/utils/answer.h"
#include "workers/utils/naming.h"
#include "workers/utils/text.h"
#include "workers/utils/tools.h"

enum { MAX_PATTERN_CHARS = 65536 };

struct string_args {
	const char *text;
};

struct string_replace_args {
	const char *text;
	const char *old;
	const char *new_text;
};

struct string_convert_case_args {
	const char *text;
	const char *to;
};

static const struct param string_params[] = {
	PARAM(string_args, text, .required = true, AT_MOST(UTILS_MAX_TEXT_CHARS), .doc = "Text."),
	{ 0 },
};

static const struct param string_replace_params[] = {
	PARAM(string_replace_args, text, .required = true, AT_MOST(UTILS_MAX_TEXT_CHARS),
		.doc = "Text."),
	PARAM(string_replace_args, old, .required = true, RANGE(1, MAX_PATTERN_CHARS),
		.doc = "Text to find, as it stands."),
	PARAM_NAMED("new", string_replace_args, new_text, .required = true,
		AT_MOST(MAX_PATTERN_CHARS), .doc = "Text to put there."),
	{ 0 },
};

static const struct param string_convert_case_params[] = {
	PARAM(string_convert_case_args, text, .required = true, AT_MOST(UTILS_MAX_TEXT_CHARS),
		.doc = "Text, or a name in any style."),
	PARAM(string_convert_case_args, to, .required = true, .choices = naming_styles,
		.doc = "Style."),
	{ 0 },
};

static int string_to_upper(struct call *call, const void *args)
{
	const struct string_args *a = args;
	auto_strbuf out = { 0 };

	text_to_upper(a->text, strlen(a->text), &out);
	return call_result_text(call, &out);
}

static int string_to_lower(struct call *call, const void *args)
{
	const struct string_args *a = args;
	auto_strbuf out = { 0 };

	text_to_lower(a->text, strlen(a->text), &out);
	return call_result_text(call, &out);
}

static int string_trim(struct call *call, const void *args)
{
	const struct string_args *a = args;
	auto_strbuf out = { 0 };
	size_t len;
	const char *trimmed = text_trim(a->text, strlen(a->text), &len);

	strbuf_add(&out, trimmed, len);
	return call_result_text(call, &out);
}

static int string_reverse(struct call *call, const void *args)
{
	const struct string_args *a = args;
	auto_strbuf out = { 0 };

	text_reverse(a->text, strlen(a->text), &out);
	return call_result_text(call, &out);
}

static int string_word_count(struct call *call, const void *args)
{
	const struct string_args *a = args;
	size_t len = strlen(a->text);
	struct text_counts counts;

	text_count(a->text, len, &counts);
	return call_json(call,
		json_pack("{s:b, s:I, s:I, s:I, s:I, s:I}", "success", 1, "word_count",
			(json_int_t)counts.words, "char_count", (json_int_t)counts.chars,
			"char_count_no_spaces", (json_int_t)counts.chars_no_spaces, "line_count",
			(json_int_t)counts.lines, "byte_count", (json_int_t)len));
}

static int string_replace(struct call *call, const void *args)
{
	const struct string_replace_args *a = args;
	auto_strbuf out = { 0 };
	int64_t n;

	if (text_replace(a->text, a->old, a->new_text, UTILS_MAX_RESULT_BYTES, &out, &n) < 0)
		return call_result_too_large(call);
	return call_json(call, json_pack("{s:b, s:s%, s:I}", "success", 1, "result",
				       strbuf_get(&out), out.len, "replacements", (json_int_t)n));
}

static int string_convert_case(struct call *call, const void *args)
{
	const struct string_convert_case_args *a = args;
	auto_strbuf out = { 0 };

	if (naming_convert(a->to, a->text, strlen(a->text), UTILS_MAX_RESULT_BYTES, &out) < 0)
		return call_result_too_large(call);
	return call_result_text(call, &out);
}

#define TEXT_OUT "success boolean, result string"
#define TEXT_TOOL(fn, title_text, ...)                                                             \
	{                                                                                          \
		.name = #fn, .title = (title_text), .run = (fn), .params = string_params,          \
		.args_size = sizeof(struct string_args), .hints = TOOL_PURE, __VA_ARGS__           \
	}

const struct tool string_tools[] = {
	TEXT_TOOL(string_to_upper, "Upper case",
		.doc = "Upper case by Unicode rules: ß becomes SS.", .out = TEXT_OUT),
	TEXT_TOOL(string_to_lower, "Lower case", .doc = "Lower case by Unicode rules.",
		.out = TEXT_OUT),
	TEXT_TOOL(string_trim, "Trim", .doc = "Drop white space at both ends, by Unicode rules.",
		.out = TEXT_OUT),
	TEXT_TOOL(string_reverse, "Reverse", .doc = "Reverse a text by code points.",
		.out = TEXT_OUT),
	TEXT_TOOL(string_word_count, "Count words",
		.doc = "Count words, characters (code points), lines and bytes (UTF-8) of a text.",
		.out = "success boolean, word_count integer, char_count integer, "
		       "char_count_no_spaces integer, line_count integer, byte_count integer"),
	TOOL(string_replace, "Replace text",
		.doc = "Replace every occurrence of a text by another. For patterns use regex_replace.",
		.out = "success boolean, result string, replacements integer", .hints = TOOL_PURE),
	TOOL(string_convert_case, "Convert naming style",
		.doc = "Convert between naming styles: camelCase, PascalCase, snake_case, kebab-case, "
		       "CONSTANT_CASE, Title Case, and slugs for web addresses.",
		.out = TEXT_OUT, .hints = TOOL_PURE),
	{ 0 },
};
