/* Names of feature branches, and how much a file may lose unnoticed. Which branches are protected is
 * a matter of the settings (settings.h).
 *
 * Invariant: everything here depends on its arguments only. */
#include "workers/git/policy.h"

#include <inttypes.h>

#include "shared/strbuf.h"

/* The locale never matters: names are ASCII or become '-'. */
static char slug_char(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
		return c;
	return '-';
}

char *policy_slug(const char *text)
{
	auto_strbuf slug = { 0 };

	for (; *text && slug.len < POLICY_SLUG_MAX; text++) {
		char c = slug_char(*text);

		if (c == '-' && (slug.len == 0 || slug.data[slug.len - 1] == '-'))
			continue;
		strbuf_addc(&slug, c);
	}

	if (slug.len > 0 && slug.data[slug.len - 1] == '-')
		strbuf_cut(&slug, slug.len - 1);

	return strbuf_take(&slug);
}

char *policy_feature_branch(const char *feature_prefix, int64_t task_id, const char *description)
{
	auto_strbuf name = { 0 };
	auto_free char *slug = policy_slug(description);

	strbuf_addf(&name, "%stask-%" PRId64, feature_prefix, task_id);
	if (*slug)
		strbuf_addf(&name, "-%s", slug);

	return strbuf_take(&name);
}

bool policy_lost_most(size_t n_before, size_t n_after)
{
	return n_after < n_before && n_before - n_after > n_before / 3 * 2 + n_before % 3 * 2 / 3;
}
