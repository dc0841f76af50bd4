/* See patterns.h. Braces are written out, outermost first, into a list that has a bound; so there is
 * no recursion, and nested ones cost no more than what they stand for. */
#include "workers/filesystem/patterns.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/quote.h"
#include "shared/strbuf.h"
#include "workers/filesystem/glob.h"

/* Braces */

struct brace {
	size_t open;
	size_t close;
	bool has_comma;
};

/* The character behind text[i], or behind the escaped one there. */
static size_t after(const char *text, size_t i)
{
	return text[i] == '\\' && text[i + 1] ? i + 2 : i + 1;
}

/* The first '{' that closes and has a comma of its own. */
static bool find_brace(const char *text, struct brace *ret)
{
	auto_free struct brace *open = alloc_resize(NULL, strlen(text) + 1, sizeof(*open));
	size_t n = 0;
	bool found = false;

	for (size_t i = 0; text[i]; i = after(text, i)) {
		if (text[i] == '{')
			open[n++] = (struct brace){ .open = i };
		else if (text[i] == ',' && n > 0)
			open[n - 1].has_comma = true;
		if (text[i] != '}' || n == 0)
			continue;
		n--;
		if (open[n].has_comma && (!found || open[n].open < ret->open)) {
			*ret = open[n];
			ret->close = i;
			found = true;
		}
	}
	return found;
}

/* The end of the alternative that begins at text[i]: a ',' or '}' outside of inner braces. */
static size_t alternative_end(const char *text, size_t i)
{
	size_t depth = 0;

	for (; depth > 0 || (text[i] != ',' && text[i] != '}'); i = after(text, i)) {
		depth += text[i] == '{';
		depth -= text[i] == '}';
	}
	return i;
}

static void add_item(struct patterns *patterns, char *glob)
{
	if (patterns->n % 16 == 0)
		patterns->items =
			alloc_resize(patterns->items, patterns->n + 16, sizeof(*patterns->items));
	patterns->items[patterns->n++] = (struct pattern){ .glob = glob };
}

/* Puts the alternatives of a brace of item `i` in its place; false: there are too many. */
static bool write_out(struct patterns *patterns, size_t i, const struct brace *brace)
{
	auto_free char *text = patterns->items[i].glob;
	size_t end;

	patterns->items[i].glob = NULL;
	for (size_t at = brace->open + 1; at <= brace->close; at = end + 1) {
		char *glob;

		end = alternative_end(text, at);
		glob = alloc_printf("%.*s%.*s%s", (int)brace->open, text, (int)(end - at),
			text + at, text + brace->close + 1);
		if (!patterns->items[i].glob)
			patterns->items[i].glob = glob;
		else
			add_item(patterns, glob);
		if (patterns->n > PATTERNS_MAX)
			return false;
	}
	return true;
}

/* Patterns */

/* Whether a component is "..". */
static bool goes_up(const char *glob)
{
	for (; glob; glob = strchr(glob, '/')) {
		glob += *glob == '/';
		if (strncmp(glob, "..", 2) == 0 && (glob[2] == '/' || glob[2] == '\0'))
			return true;
	}
	return false;
}

static void read_glob(struct pattern *pattern)
{
	size_t len = strlen(pattern->glob);
	size_t from = 0;

	if (pattern->glob[0] == '/' || goes_up(pattern->glob)) {
		len = 0; /* which matches nothing */
	}
	for (; len > 0 && pattern->glob[len - 1] == '/'; len--)
		pattern->dirs_only = true;
	while (from + 2 < len && memcmp(pattern->glob + from, "./", 2) == 0)
		from += 2;
	pattern->glob[len] = '\0';
	memmove(pattern->glob, pattern->glob + from, len - from + 1);
	pattern->on_name = !strchr(pattern->glob, '/');
}

int patterns_add(struct patterns *patterns, const char *text, struct fail *fail)
{
	size_t first = patterns->n;
	char quoted[QUOTE_SIZE];
	struct brace brace;
	bool fits = true;

	if (strlen(text) > PATTERN_MAX_BYTES)
		return fail_set(fail, -EINVAL, "a pattern may have %d bytes", PATTERN_MAX_BYTES);
	add_item(patterns, alloc_str(text));
	for (size_t i = first; i < patterns->n && fits; i++)
		while (fits && find_brace(patterns->items[i].glob, &brace))
			fits = write_out(patterns, i, &brace);
	if (!fits || patterns->n > PATTERNS_MAX)
		return fail_set(fail, -EINVAL,
			"the braces of %s stand for too many patterns; all together may be %d",
			quote(quoted, text), PATTERNS_MAX);
	for (size_t i = first; i < patterns->n; i++)
		read_glob(&patterns->items[i]);
	return 0;
}

int patterns_add_list(struct patterns *patterns, const struct str_list *list, struct fail *fail)
{
	int r = 0;

	for (size_t i = 0; i < list->n && r == 0; i++)
		r = patterns_add(patterns, list->items[i], fail);
	return r;
}

void patterns_done(struct patterns *patterns)
{
	for (size_t i = 0; i < patterns->n; i++)
		free(patterns->items[i].glob);
	free(patterns->items);
	*patterns = (struct patterns){ 0 };
}

bool patterns_match(
	const struct patterns *patterns, const char *path, const char *name, bool is_dir)
{
	size_t fuel = GLOB_FUEL;

	for (size_t i = 0; i < patterns->n; i++) {
		const struct pattern *pattern = &patterns->items[i];

		if (pattern->dirs_only && !is_dir)
			continue;
		if (glob_matches_path(pattern->glob, pattern->on_name ? name : path, 0, &fuel))
			return true;
	}
	return false;
}
