/* Tools regex_match and regex_replace. See regex.h. */
#include <errno.h>

#include "shared/utf8.h"
#include "workers/utils/answer.h"
#include "workers/utils/regex_replace.h"
#include "workers/utils/tools.h"

enum {
	MAX_FLAGS = 8,
	MAX_MATCHES = 10000,
	MAX_COUNT = 1000000,
	MAX_REPLACEMENT_CHARS = 65536,
	/* Of matched text in one answer, which holds everything twice. */
	MAX_MATCHED_BYTES = 1048576,
	/* What an empty group or match costs in that account. */
	PART_BYTES = 8,
};

struct regex_match_args {
	const char *pattern;
	const char *text;
	const char *flags;
	int64_t max_matches;
};

struct regex_replace_args {
	const char *pattern;
	const char *text;
	const char *replacement;
	const char *flags;
	int64_t count;
};

static const struct param regex_match_params[] = {
	PARAM(regex_match_args, pattern, .required = true, .doc = "PCRE2 pattern."),
	PARAM(regex_match_args, text, .required = true, AT_MOST(UTILS_MAX_TEXT_CHARS),
		.doc = "Text."),
	PARAM(regex_match_args, flags, AT_MOST(MAX_FLAGS), .def_str = "",
		.doc = "Any of i (ignore case), m (^ and $ at lines), s (dot is any), x (blanks mean nothing)."),
	PARAM(regex_match_args, max_matches, RANGE(1, MAX_MATCHES), .def_int = 100,
		.doc = "Stop after this many."),
	{ 0 },
};

static const struct param regex_replace_params[] = {
	PARAM(regex_replace_args, pattern, .required = true, .doc = "PCRE2 pattern."),
	PARAM(regex_replace_args, text, .required = true, AT_MOST(UTILS_MAX_TEXT_CHARS),
		.doc = "Text."),
	PARAM(regex_replace_args, replacement, .required = true, AT_MOST(MAX_REPLACEMENT_CHARS),
		.doc = "What to put there: $1 or ${name} for a group, $0 for the match, $$ for $."),
	PARAM(regex_replace_args, flags, AT_MOST(MAX_FLAGS), .def_str = "",
		.doc = "Any of i (ignore case), m (^ and $ at lines), s (dot is any), x (blanks mean nothing)."),
	PARAM(regex_replace_args, count, RANGE(0, MAX_COUNT), .doc = "0 for all."),
	{ 0 },
};

/* Counts characters to rising offsets without counting from the beginning each time. */
struct ruler {
	const char *text;
	size_t bytes;
	size_t chars;
};

static json_int_t char_offset(struct ruler *ruler, size_t bytes)
{
	ruler->chars += utf8_count(ruler->text + ruler->bytes, bytes - ruler->bytes);
	ruler->bytes = bytes;
	return (json_int_t)ruler->chars;
}

static json_t *span_text(const char *text, struct regex_span span)
{
	return span.from < span.to ? json_stringn(text + span.from, span.to - span.from)
				   : json_string("");
}

static size_t matched_bytes(const struct regex *regex)
{
	size_t n = regex_n_groups(regex);
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		struct regex_span span = regex_group(regex, i);

		bytes += PART_BYTES + (span.from < span.to ? span.to - span.from : 0);
	}
	return bytes;
}

static json_t *describe_match(const struct regex *regex, const char *text, struct ruler *ruler)
{
	struct regex_span whole = regex_group(regex, 0);
	json_t *groups = json_array();
	json_t *named = json_object();
	json_int_t start = char_offset(ruler, whole.from);
	json_int_t end = char_offset(ruler, whole.to);
	size_t n = regex_n_groups(regex);
	size_t cursor = 0;
	size_t group;
	const char *name;

	for (size_t i = 1; i < n; i++)
		json_array_append_new(groups, span_text(text, regex_group(regex, i)));
	while ((name = regex_next_name(regex, &cursor, &group)))
		json_object_set_new(
			named, name, span_text(text, regex_named_group(regex, name, strlen(name))));
	return json_pack("{s:o, s:I, s:I, s:o, s:o}", "match", span_text(text, whole), "start",
		start, "end", end, "groups", groups, "named", named);
}

/* Collects matches until `max`, or until the answer is large: then *ret_truncated. */
static int find_matches(struct regex *regex, const struct regex_match_args *a, json_t *matches,
	bool *ret_truncated, struct failure *fail)
{
	struct ruler ruler = { .text = a->text };
	size_t bytes = 0;
	int r;

	regex_start(regex, a->text, strlen(a->text));
	while ((r = regex_next(regex, fail)) > 0) {
		bytes += matched_bytes(regex);
		if ((int64_t)json_array_size(matches) == a->max_matches ||
			(bytes > MAX_MATCHED_BYTES && json_array_size(matches) > 0)) {
			*ret_truncated = true;
			return 0;
		}
		json_array_append_new(matches, describe_match(regex, a->text, &ruler));
	}
	return r;
}

static bool stop_call(void *arg)
{
	return call_stopped(arg);
}

DEFINE_FREEP(struct regex, regex_free)
DEFINE_FREEP(struct replacement, replacement_free)

static int regex_match(struct call *call, const void *args)
{
	const struct regex_match_args *a = args;
	auto_(regex_freep) struct regex *regex = NULL;
	json_auto_t *matches = json_array();
	struct failure fail;
	bool truncated = false;
	size_t n;
	int r;

	if (regex_compile(a->pattern, a->flags, &regex, &fail) < 0)
		return call_failure(call, &fail);
	regex_set_stop(regex, stop_call, call);
	r = find_matches(regex, a, matches, &truncated, &fail);
	n = json_array_size(matches);
	if (r == -ECANCELED)
		return call_fail_stopped(call, "the search was not finished");
	if (r < 0)
		return call_failure(call, &fail);
	return call_json(
		call, json_pack("{s:b, s:b, s:I, s:O, s:b}", "success", 1, "matched", n > 0,
			      "count", (json_int_t)n, "matches", matches, "truncated", truncated));
}

static int regex_replace(struct call *call, const void *args)
{
	const struct regex_replace_args *a = args;
	auto_(regex_freep) struct regex *regex = NULL;
	auto_(replacement_freep) struct replacement *replacement = NULL;
	auto_strbuf out = { 0 };
	struct failure fail;
	int64_t n;
	int r;

	if (regex_compile(a->pattern, a->flags, &regex, &fail) < 0 ||
		replacement_parse(a->replacement, regex, &replacement, &fail) < 0)
		return call_failure(call, &fail);
	regex_set_stop(regex, stop_call, call);
	r = regex_replace_all(regex, replacement, a->text, strlen(a->text), a->count,
		UTILS_MAX_RESULT_BYTES, &out, &n, &fail);
	if (r == -ECANCELED)
		return call_fail_stopped(call, "the search was not finished");
	if (r < 0)
		return call_failure(call, &fail);
	return call_json(call, json_pack("{s:b, s:s%, s:I}", "success", 1, "result",
				       strbuf_get(&out), out.len, "replacements", (json_int_t)n));
}

const struct tool regex_tools[] = {
	TOOL(regex_match, "Match a pattern",
		.doc = "Match a regular expression (PCRE2, Unicode). Each match has its text, start and end "
		       "in code points, groups (unmatched ones empty) and named groups.",
		.out = "success boolean, matched boolean, count integer, matches object[], "
		       "truncated boolean",
		.hints = TOOL_PURE),
	TOOL(regex_replace, "Replace a pattern",
		.doc = "Replace what a regular expression (PCRE2, Unicode) matches.",
		.out = "success boolean, result string, replacements integer", .hints = TOOL_PURE),
	{ 0 },
};
