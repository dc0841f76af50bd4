/* Secret patterns: a small set of PCRE2 expressions, tried on one line at a time.
 *
 * The lines are foreign and the operator's own patterns may be careless, so the work of each match is
 * bounded; who cannot be checked is not called clean. Bytes, not characters: a file need not be UTF-8,
 * and the built-in patterns are ASCII. What matched is never handed out, so no answer can repeat it. */
#include "workers/git/secrets.h"

#include <errno.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "shared/alloc.h"

/* Steps of one match: so many, and so many for each byte of the line. */
enum { MATCH_LIMIT = 1000000, MATCH_LIMIT_BYTE = 32, HEAP_LIMIT_KIB = 8192 };

static const char *const built_in[] = {
	"(api_key|secret|password|token|aws_secret[a-z_]*)\\s*[:=]\\s*\\S{4,}",
	"-----BEGIN [A-Z ]*PRIVATE KEY-----",
	"AKIA[0-9A-Z]{16}",
	"gh[pousr]_[A-Za-z0-9]{36}",
};

struct secrets {
	pcre2_match_context *limits;
	pcre2_match_data *match;
	size_t n_codes;
	pcre2_code *codes[];
};

static int add_pattern(struct secrets *secrets, const char *pattern, struct fail *fail)
{
	PCRE2_UCHAR words[256];
	PCRE2_SIZE at;
	pcre2_code *code;
	int error;

	code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
		PCRE2_CASELESS | PCRE2_NEVER_BACKSLASH_C, &error, &at, NULL);
	if (!code) {
		(void)pcre2_get_error_message(error, words, sizeof(words));
		return fail_set(fail, -EINVAL, "secret pattern '%.200s': %s at character %zu",
			pattern, (const char *)words, at);
	}

	secrets->codes[secrets->n_codes++] = code;
	return 0;
}

int secrets_new(const struct str_list *more, struct secrets **ret, struct fail *fail)
{
	size_t n = N_ELEMENTS(built_in) + more->n;
	auto_(secrets_freep) struct secrets *secrets =
		alloc_zero(sizeof(*secrets) + n * sizeof(secrets->codes[0]));
	int r;

	secrets->limits = pcre2_match_context_create(NULL);
	secrets->match = pcre2_match_data_create(1, NULL);
	if (!secrets->limits || !secrets->match)
		return fail_set(fail, -ENOMEM, "out of memory");
	(void)pcre2_set_heap_limit(secrets->limits, HEAP_LIMIT_KIB);

	for (size_t i = 0; i < n; i++) {
		size_t n_own = N_ELEMENTS(built_in);

		r = add_pattern(secrets, i < n_own ? built_in[i] : more->items[i - n_own], fail);
		if (r < 0)
			return r;
	}

	*ret = TAKE(secrets);
	return 0;
}

void secrets_free(struct secrets *secrets)
{
	if (!secrets)
		return;

	for (size_t i = 0; i < secrets->n_codes; i++)
		pcre2_code_free(secrets->codes[i]);
	pcre2_match_data_free(secrets->match);
	pcre2_match_context_free(secrets->limits);
	free(secrets);
}

int secrets_match(struct secrets *secrets, const char *line, size_t len)
{
	const size_t max_len = (UINT32_MAX - MATCH_LIMIT) / MATCH_LIMIT_BYTE;
	size_t counted = len < max_len ? len : max_len;
	int unknown = 0;

	(void)pcre2_set_match_limit(
		secrets->limits, (uint32_t)(MATCH_LIMIT + counted * MATCH_LIMIT_BYTE));

	for (size_t i = 0; i < secrets->n_codes; i++) {
		int r = pcre2_match(secrets->codes[i], (PCRE2_SPTR)line, len, 0, 0, secrets->match,
			secrets->limits);

		if (r >= 0)
			return 1;
		if (r != PCRE2_ERROR_NOMATCH)
			unknown = -ELOOP;
	}

	return unknown;
}
