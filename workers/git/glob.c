#include "workers/git/glob.h"

#include <stddef.h>

/* Compares `c` with the class behind a '['. *ret_end is behind its ']'; a '[' without one is an
 * ordinary character. */
static bool class_has(const char *class, char c, const char **ret_end)
{
	const char *at = class + 1;
	bool negated = *at == '!' || *at == '^';
	bool found = false;

	at += negated;
	for (const char *first = at; *at && (*at != ']' || at == first); at++) {
		char low = *at;
		char high = low;

		if (at[1] == '-' && at[2] && at[2] != ']') {
			high = at[2];
			at += 2;
		}
		found = found || ((unsigned char)low <= (unsigned char)c &&
					 (unsigned char)c <= (unsigned char)high);
	}
	if (*at != ']') {
		*ret_end = class + 1;
		return c == '[';
	}
	*ret_end = at + 1;
	return found != negated;
}

/* Whether one element of the pattern (no star) matches `c`; *pattern goes behind it. */
static bool takes(const char **pattern, char c)
{
	const char *at = *pattern;

	if (*at == '[')
		return class_has(at, c, pattern);
	if (*at == '\\' && at[1])
		at++;
	else if (*at == '?')
		c = *at;
	*pattern = at + 1;
	return *at == c;
}

bool glob_matches(const char *pattern, const char *name)
{
	const char *star = NULL; /* behind the last star, and where what it ate ends */
	const char *eaten = NULL;

	while (*name) {
		const char *next = pattern;

		if (*pattern == '*') {
			star = ++pattern;
			eaten = name;
		} else if (*pattern && takes(&next, *name)) {
			pattern = next;
			name++;
		} else if (star) {
			pattern = star;
			name = ++eaten;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;

	return *pattern == '\0';
}
