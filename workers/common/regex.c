/* See regex.h. */
#include "workers/common/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>

#include "shared/alloc.h"
#include "shared/utf8.h"

enum {
	AUTO_CALLOUT_NUMBER = 255,
	/* A callout's step takes at most the time of one scan of a text of 4 MiB. */
	CALLOUTS_BETWEEN_LOOKS = 4,
	MESSAGE_SIZE = 200,
};

struct regex {
	pcre2_code *code;
	pcre2_match_context *context;
	pcre2_match_data *data;
	const char *names;
	uint32_t n_names;
	uint32_t name_size;
	const char *text;
	size_t len;
	size_t at;
	bool was_empty; /* the last match had no characters */
	bool is_done;
	bool is_checked; /* the text is known to be UTF-8 */
	regex_stop_fn *stop;
	void *stop_arg;
	unsigned n_callouts;
};

/* (*LIMIT_MATCH=…) and its like can stand only at the very beginning, among other such options. */
static bool sets_limits(const char *pattern)
{
	while (strncmp(pattern, "(*", 2) == 0) {
		const char *end = strchr(pattern, ')');

		if (strncmp(pattern + 2, "LIMIT_", 6) == 0)
			return true;
		if (!end)
			return false;
		pattern = end + 1;
	}
	return false;
}

static int read_flags(const char *flags, uint32_t *ret, struct failure *fail)
{
	static const struct {
		char letter;
		uint32_t option;
	} known[] = { { 'i', PCRE2_CASELESS }, { 'm', PCRE2_MULTILINE }, { 's', PCRE2_DOTALL },
		{ 'x', PCRE2_EXTENDED } };

	for (; *flags; flags++) {
		size_t i = 0;

		while (i < N_ELEMENTS(known) && known[i].letter != *flags)
			i++;
		if (i == N_ELEMENTS(known))
			return failure_set(fail, "invalid_argument",
				"flags: only the letters i, m, s and x are allowed");
		*ret |= known[i].option;
	}
	return 0;
}

static int is_own_callout(pcre2_callout_enumerate_block *block, void *arg)
{
	return block->callout_number != AUTO_CALLOUT_NUMBER || block->callout_string;
}

static int on_callout(pcre2_callout_block *block, void *arg)
{
	struct regex *regex = arg;

	if (++regex->n_callouts % CALLOUTS_BETWEEN_LOOKS || !regex->stop)
		return 0;
	return regex->stop(regex->stop_arg) ? PCRE2_ERROR_CALLOUT : 0;
}

static int fail_compile(int error, size_t at, const char *pattern, struct failure *fail)
{
	PCRE2_UCHAR words[MESSAGE_SIZE] = "";
	size_t len = strlen(pattern);

	(void)pcre2_get_error_message(error, words, sizeof(words));
	return failure_set(fail, "bad_regex", "at character %zu of the pattern: %s",
		utf8_count(pattern, at < len ? at : len), (const char *)words);
}

static int set_up(struct regex *regex)
{
	regex->context = pcre2_match_context_create(NULL);
	regex->data = pcre2_match_data_create_from_pattern(regex->code, NULL);
	if (!regex->context || !regex->data)
		return -ENOMEM;
	(void)pcre2_set_match_limit(regex->context, REGEX_MATCH_LIMIT);
	(void)pcre2_set_depth_limit(regex->context, REGEX_DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(regex->context, REGEX_HEAP_KIB);
	(void)pcre2_set_callout(regex->context, on_callout, regex);
	(void)pcre2_pattern_info(regex->code, PCRE2_INFO_NAMETABLE, &regex->names);
	(void)pcre2_pattern_info(regex->code, PCRE2_INFO_NAMECOUNT, &regex->n_names);
	(void)pcre2_pattern_info(regex->code, PCRE2_INFO_NAMEENTRYSIZE, &regex->name_size);
	return 0;
}

DEFINE_FREEP(struct regex, regex_free)

int regex_compile(const char *pattern, const char *flags, struct regex **ret, struct failure *fail)
{
	auto_(regex_freep) struct regex *regex = alloc_zero(sizeof(*regex));
	uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_AUTO_CALLOUT | PCRE2_NEVER_BACKSLASH_C;
	PCRE2_SIZE error_at;
	int error;

	if (read_flags(flags, &options, fail) < 0)
		return -EINVAL;
	if (strlen(pattern) > REGEX_MAX_PATTERN_BYTES)
		return failure_set(fail, "bad_regex", "the pattern has more than %d bytes",
			REGEX_MAX_PATTERN_BYTES);
	if (sets_limits(pattern))
		return failure_set(fail, "bad_regex",
			"at character 0 of the pattern: (*LIMIT_…) is not allowed");
	regex->code = pcre2_compile(
		(PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &error_at, NULL);
	if (!regex->code)
		return fail_compile(error, error_at, pattern, fail);
	if (pcre2_callout_enumerate(regex->code, is_own_callout, NULL) != 0)
		return failure_set(fail, "bad_regex", "callouts, (?C…), are not allowed");
	if (set_up(regex) < 0)
		return failure_set(fail, "regex_limit", "there is not enough memory");
	*ret = TAKE(regex);
	return 0;
}

void regex_free(struct regex *regex)
{
	pcre2_match_data_free(regex->data);
	pcre2_match_context_free(regex->context);
	pcre2_code_free(regex->code);
	free(regex);
}

void regex_set_stop(struct regex *regex, regex_stop_fn *stop, void *arg)
{
	regex->stop = stop;
	regex->stop_arg = arg;
}

void regex_start(struct regex *regex, const char *text, size_t len)
{
	regex->text = text;
	regex->len = len;
	regex->at = 0;
	regex->was_empty = false;
	regex->is_done = false;
	regex->is_checked = false;
}

static int match_at(struct regex *regex, uint32_t options)
{
	int r;

	if (regex->is_checked)
		options |= PCRE2_NO_UTF_CHECK;
	r = pcre2_match(regex->code, (PCRE2_SPTR)regex->text, regex->len, regex->at, options,
		regex->data, regex->context);
	if (r >= 0 || r == PCRE2_ERROR_NOMATCH)
		regex->is_checked = true;
	return r;
}

/* One attempt from where the last match ended. */
static int search(struct regex *regex)
{
	int r;

	if (!regex->was_empty)
		return match_at(regex, 0);
	r = match_at(regex, PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED);
	if (r != PCRE2_ERROR_NOMATCH || regex->at == regex->len)
		return r;
	regex->at += utf8_next(regex->text + regex->at, regex->len - regex->at);
	return match_at(regex, 0);
}

static int fail_search(int error, struct failure *fail)
{
	PCRE2_UCHAR words[MESSAGE_SIZE] = "";

	if (error == PCRE2_ERROR_CALLOUT)
		return -ECANCELED;
	(void)pcre2_get_error_message(error, words, sizeof(words));
	return failure_set(fail, "regex_limit",
		"%s. Make the pattern more exact: avoid repeats inside repeats.",
		(const char *)words);
}

int regex_next(struct regex *regex, struct failure *fail)
{
	struct regex_span whole;
	int r;

	if (regex->is_done)
		return 0;
	r = search(regex);
	if (r == PCRE2_ERROR_NOMATCH) {
		regex->is_done = true;
		return 0;
	}
	if (r < 0)
		return fail_search(r, fail);
	whole = regex_group(regex, 0);
	if (whole.from < regex->at || whole.to < whole.from)
		return failure_set(fail, "bad_regex",
			"\\K must not stand in an assertion that looks ahead or back");
	regex->was_empty = whole.from == whole.to;
	regex->at = whole.to;
	return 1;
}

size_t regex_n_groups(const struct regex *regex)
{
	return pcre2_get_ovector_count(regex->data);
}

struct regex_span regex_group(const struct regex *regex, size_t group)
{
	const PCRE2_SIZE *ovector = pcre2_get_ovector_pointer(regex->data);

	if (ovector[2 * group] == PCRE2_UNSET)
		return (struct regex_span){ .from = 1, .to = 0 };
	return (struct regex_span){ .from = ovector[2 * group], .to = ovector[2 * group + 1] };
}

const char *regex_next_name(const struct regex *regex, size_t *cursor, size_t *ret_group)
{
	const char *entry;

	if (*cursor == regex->n_names)
		return NULL;
	entry = regex->names + *cursor * regex->name_size;
	*ret_group = (size_t)(unsigned char)entry[0] << 8 | (unsigned char)entry[1];
	++*cursor;
	return entry + 2;
}

static bool is_name(const char *known, const char *name, size_t len)
{
	return strlen(known) == len && memcmp(known, name, len) == 0;
}

bool regex_has_name(const struct regex *regex, const char *name, size_t len)
{
	size_t cursor = 0;
	size_t group;
	const char *known;

	while ((known = regex_next_name(regex, &cursor, &group)))
		if (is_name(known, name, len))
			return true;
	return false;
}

struct regex_span regex_named_group(const struct regex *regex, const char *name, size_t len)
{
	size_t cursor = 0;
	size_t group;
	const char *known;

	while ((known = regex_next_name(regex, &cursor, &group))) {
		struct regex_span span;

		if (!is_name(known, name, len))
			continue;
		span = regex_group(regex, group);
		if (span.from <= span.to)
			return span;
	}
	return (struct regex_span){ .from = 1, .to = 0 };
}
