/* See glob.h. */
#include "workers/filesystem/glob.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "shared/cleanup.h"
#include "shared/utf8.h"

/* Bytes that are not UTF-8 are characters behind all others. */
enum { INVALID_BYTE = 0x110000, LONGEST_CHARACTER = 4 };

/* Takes one character. */
static uint32_t take(const char **at, unsigned flags)
{
	const char *bytes = *at;
	unsigned char first = (unsigned char)*bytes;
	size_t len = 1;
	uint32_t c;

	if (first >= 0x80 && !(flags & GLOB_AS_GIT))
		len = utf8_next(bytes, strnlen(bytes, LONGEST_CHARACTER));
	if (len <= 1) {
		*at = bytes + 1;
		return first < 0x80 || len == 1 ? first : (uint32_t)INVALID_BYTE + first;
	}
	c = first & (0x7fU >> len);
	for (size_t i = 1; i < len; i++)
		c = c << 6 | ((unsigned char)bytes[i] & 0x3fU);
	*at = bytes + len;
	return c;
}

/* Classes */

static const struct {
	const char *name;
	int (*has)(int c);
} classes[] = {
	{ "alnum", isalnum },
	{ "alpha", isalpha },
	{ "blank", isblank },
	{ "cntrl", iscntrl },
	{ "digit", isdigit },
	{ "graph", isgraph },
	{ "lower", islower },
	{ "print", isprint },
	{ "punct", ispunct },
	{ "space", isspace },
	{ "upper", isupper },
	{ "xdigit", isxdigit },
};

/* `text` is what stands between "[:" and ":]". -1: there is no such class. */
static int named_class_has(const char *text, size_t len, uint32_t c)
{
	for (size_t i = 0; i < N_ELEMENTS(classes); i++)
		if (strlen(classes[i].name) == len && memcmp(classes[i].name, text, len) == 0)
			return c < 0x80 && classes[i].has((int)c);
	return -1;
}

/* The end of "[:…:]" at `at`, behind the first ']'; NULL: this is no such thing. */
static const char *named_class_end(const char *at)
{
	const char *end = at[0] == '[' && at[1] == ':' ? strchr(at + 2, ']') : NULL;

	return end && end > at + 2 && end[-1] == ':' ? end + 1 : NULL;
}

/* A character of a class, which may be escaped. False: the glob ends here. */
static bool take_member(const char **at, unsigned flags, uint32_t *ret)
{
	if (**at == '\\')
		++*at;
	if (!**at)
		return false;
	*ret = take(at, flags);
	return true;
}

/* Whether a member, or a range of them, is `c`; -1: the class is broken. */
static int member_has(const char **at, unsigned flags, uint32_t c)
{
	const char *end = named_class_end(*at);
	uint32_t low;
	uint32_t high;

	if (end) {
		const char *name = *at + 2;

		*at = end;
		return named_class_has(name, (size_t)(end - 2 - name), c);
	}
	if (!take_member(at, flags, &low))
		return -1;
	high = low;
	if (**at == '-' && (*at)[1] && (*at)[1] != ']') {
		++*at;
		if (!take_member(at, flags, &high))
			return -1;
	}
	/* The first of a range is in it even when the last is smaller, as git has it. */
	return c == low || (low <= c && c <= high);
}

/* Whether the class behind a '[' has `c`; *ret_end is behind its ']'. -1: it is broken. */
static int class_has(const char *at, unsigned flags, uint32_t c, const char **ret_end)
{
	bool negated = *at == '!' || *at == '^';
	bool found = false;
	const char *first = at + negated;

	for (at = first; at == first || *at != ']';) {
		int r = member_has(&at, flags, c);

		if (r < 0)
			return -1;
		found = found || r > 0;
	}
	*ret_end = at + 1;
	return found != negated;
}

/* Matching */

struct cursor {
	const char *glob;
	const char *path;
};

static bool take_same(struct cursor *at)
{
	if (*at->glob != *at->path)
		return false;
	at->glob++;
	at->path++;
	return true;
}

/* Matches one element of the glob (no star) with one character of the path, and goes behind both. */
static bool take_one(struct cursor *at, unsigned flags)
{
	struct cursor next = *at;
	int r;

	if (*at->glob == '\\' && (at->glob[1] || flags & GLOB_AS_GIT)) {
		next.glob++;
		if (!*next.glob || !take_same(&next))
			return false;
		*at = next;
		return true;
	}
	if (*at->path == '/' || (*at->glob != '?' && *at->glob != '['))
		return take_same(at);
	r = *at->glob == '?';
	next.glob++;
	if (r)
		(void)take(&next.path, flags);
	else
		r = class_has(at->glob + 1, flags, take(&next.path, flags), &next.glob);
	if (r < 0 && !(flags & GLOB_AS_GIT))
		return take_same(at);
	if (r > 0)
		*at = next;
	return r > 0;
}

/* How many stars the component that begins here has, when it has nothing but two or more; else 0. */
static size_t count_deep(const char *glob, const char *start)
{
	size_t n;

	if (glob != start && glob[-1] != '/')
		return 0;
	n = strspn(glob, "*");
	return n >= 2 && (glob[n] == '/' || glob[n] == '\0') ? n : 0;
}

/* Lets the last star take one character more, or else the last `**` one component more. */
static bool try_again(struct cursor *at, struct cursor *star, struct cursor *deep, unsigned flags)
{
	const char *slash;

	if (star->glob && *star->path && *star->path != '/') {
		(void)take(&star->path, flags);
		*at = *star;
		return true;
	}
	slash = deep->glob ? strchr(deep->path, '/') : NULL;
	if (!slash)
		return false;
	deep->path = slash + 1;
	*star = (struct cursor){ 0 };
	*at = *deep;
	return true;
}

bool glob_matches_path(const char *glob, const char *path, unsigned flags, size_t *fuel)
{
	struct cursor at = { glob, path };
	struct cursor star = { 0 }; /* behind the last star, and behind what it took */
	struct cursor deep = { 0 }; /* the same for the last component `**` */

	while (*fuel > 0) {
		size_t n_stars = count_deep(at.glob, glob);

		--*fuel;
		if (n_stars > 0) {
			if (at.glob[n_stars] == '\0')
				return true;
			at.glob += n_stars + 1;
			deep = at;
			star = (struct cursor){ 0 };
		} else if (*at.glob == '*') {
			at.glob++;
			star = at;
		} else if (*at.path == '\0') {
			return *at.glob == '\0';
		} else if (!take_one(&at, flags) && !try_again(&at, &star, &deep, flags)) {
			return false;
		}
	}
	return false;
}
