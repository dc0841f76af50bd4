/* See protect.h. The kernel compares names on case-insensitive file systems by Unicode's full case
 * folding, where characters that can be ignored by default are left out; what folds to "git" beside
 * its own letters there is nothing. */
#include "workers/filesystem/protect.h"

#include <stdint.h>

#include "shared/cleanup.h"
#include "shared/utf8.h"

enum { PLAIN_MAX = 8 };

/* Unicode 15, Default_Ignorable_Code_Point. */
static const struct {
	uint32_t first, last;
} ignorable[] = {
	{ 0xad, 0xad },
	{ 0x34f, 0x34f },
	{ 0x61c, 0x61c },
	{ 0x115f, 0x1160 },
	{ 0x17b4, 0x17b5 },
	{ 0x180b, 0x180f },
	{ 0x200b, 0x200f },
	{ 0x202a, 0x202e },
	{ 0x2060, 0x206f },
	{ 0x3164, 0x3164 },
	{ 0xfe00, 0xfe0f },
	{ 0xfeff, 0xfeff },
	{ 0xffa0, 0xffa0 },
	{ 0xfff0, 0xfff8 },
	{ 0x1bca0, 0x1bca3 },
	{ 0x1d173, 0x1d17a },
	{ 0xe0000, 0xe0fff },
};

static uint32_t code_point(const char *at, size_t n)
{
	const unsigned char *bytes = (const unsigned char *)at;
	uint32_t c = n == 1 ? bytes[0] : bytes[0] & (0xffU >> (n + 1));

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (bytes[i] & 0x3f);
	return c;
}

static bool is_ignorable(uint32_t c)
{
	for (size_t i = 0; i < N_ELEMENTS(ignorable); i++)
		if (c >= ignorable[i].first && c <= ignorable[i].last)
			return true;
	return false;
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* The characters of `name` that count, in small letters. False: there are others than ASCII, or more
 * than in any name that is looked for. */
static bool plain_name(const char *name, size_t len, char ret[PLAIN_MAX], size_t *ret_len)
{
	size_t n = 0;

	while (len > 0) {
		size_t bytes = utf8_next(name, len);

		if (bytes == 0 || (bytes == 1 && n == PLAIN_MAX))
			return false;
		if (bytes == 1)
			ret[n++] = lower(*name);
		else if (!is_ignorable(code_point(name, bytes)))
			return false;
		name += bytes;
		len -= bytes;
	}
	*ret_len = n;
	return true;
}

bool protect_is_git(const char *name, size_t len)
{
	char plain[PLAIN_MAX];
	size_t n;

	while (len > 1 && (name[len - 1] == '.' || name[len - 1] == ' '))
		len--;
	if (!plain_name(name, len, plain, &n))
		return false;
	if (n == 4 && memcmp(plain, ".git", 4) == 0)
		return true;
	return n == 5 && memcmp(plain, "git~", 4) == 0 && plain[4] >= '1' && plain[4] <= '9';
}

bool protect_has_git(const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if (protect_is_git(path, len))
			return true;
		path += len + (path[len] == '/');
	}
	return false;
}
