/* See ignore.h. */
#include "workers/filesystem/ignore.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "workers/common/roots.h"
#include "workers/filesystem/glob.h"

struct rule {
	const char *glob;  /* behind its literal beginning when it is on the path */
	size_t prefix_len; /* the literal beginning, before `glob` */
	bool negated;
	bool dirs_only;
	bool on_name;
};

struct ignore {
	const struct ignore *above;
	size_t dir_len;
	char *text; /* which the rules point into */
	size_t n_bytes;
	struct rule *rules;
	size_t n;
};

/* Rules */

/* Cuts blanks at the end, but not an escaped one. */
static void trim(char *line)
{
	char *end = line; /* behind the last character that stays */

	for (char *at = line; *at; at++) {
		if (*at == '\\' && at[1])
			at++;
		else if (*at == ' ')
			continue;
		end = at + 1;
	}
	*end = '\0';
}

/* git takes the beginning without special characters off first, so that in "a**" and "a**" with a
 * slash behind the stars begin a component for it. */
static void split_prefix(struct rule *rule)
{
	rule->prefix_len = strcspn(rule->glob, "*?[\\");
	rule->glob += rule->prefix_len;
}

/* False: the line holds no rule. */
static bool read_rule(char *line, struct rule *ret)
{
	struct rule rule = { 0 };
	size_t len;

	if (*line == '#')
		return false;
	trim(line);
	rule.negated = *line == '!';
	line += rule.negated;
	len = strlen(line);
	if (len > 0 && line[len - 1] == '/') {
		rule.dirs_only = true;
		line[--len] = '\0';
	}
	if (len == 0 || len > IGNORE_RULE_BYTES)
		return false;
	rule.on_name = !strchr(line, '/');
	rule.glob = *line == '/' ? line + 1 : line;
	if (!rule.on_name)
		split_prefix(&rule);
	*ret = rule;
	return true;
}

static void add_rule(struct ignore *ignore, const struct rule *rule)
{
	if ((ignore->n & (ignore->n - 1)) == 0)
		ignore->rules = alloc_resize(
			ignore->rules, ignore->n ? ignore->n * 2 : 1, sizeof(*ignore->rules));
	ignore->rules[ignore->n++] = *rule;
}

/* Ends the line at `line`; returns the next one. */
static char *cut_line(char *line, char *end)
{
	char *stop = memchr(line, '\n', (size_t)(end - line));
	char *next = stop ? stop + 1 : end;

	if (!stop)
		stop = end;
	if (stop > line && stop[-1] == '\r')
		stop--;
	*stop = '\0';
	return next;
}

struct ignore *ignore_parse(
	const struct ignore *above, size_t dir_len, const char *text, size_t len)
{
	static const char bom[] = "\xef\xbb\xbf";
	auto_(ignore_freep) struct ignore *ignore = alloc_zero(sizeof(*ignore));
	struct rule rule;
	char *end;

	if (len >= 3 && memcmp(text, bom, 3) == 0) {
		text += 3;
		len -= 3;
	}
	ignore->above = above;
	ignore->dir_len = dir_len;
	ignore->text = alloc_mem(text, len);
	end = ignore->text + len;
	for (char *line = ignore->text, *next; line < end; line = next) {
		next = cut_line(line, end);
		if (read_rule(line, &rule))
			add_rule(ignore, &rule);
	}
	ignore->n_bytes = len + ignore->n * sizeof(*ignore->rules);
	return ignore->n > 0 ? TAKE(ignore) : NULL;
}

void ignore_free(struct ignore *ignore)
{
	if (!ignore)
		return;
	free(ignore->text);
	free(ignore->rules);
	free(ignore);
}

size_t ignore_bytes(const struct ignore *ignore)
{
	return ignore ? ignore->n_bytes : 0;
}

/* Files */

struct ignore *ignore_read(
	const struct ignore *above, size_t dir_len, int dir_fd, size_t *total_bytes)
{
	/* As git, which follows no symlink there. */
	auto_close int fd = path_open_beneath(dir_fd, ".gitignore",
		O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	auto_strbuf text = { 0 };
	struct ignore *ignore;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return NULL;
	if (fd_read_all(fd, IGNORE_FILE_BYTES, &text) < 0)
		return NULL;
	if (*total_bytes > IGNORE_TOTAL_BYTES)
		return NULL;
	ignore = ignore_parse(above, dir_len, strbuf_get(&text), text.len);
	*total_bytes += ignore_bytes(ignore);
	return ignore;
}

/* Matching */

static bool rule_matches(
	const struct rule *rule, const char *path, const char *name, bool is_dir, size_t *fuel)
{
	if (rule->dirs_only && !is_dir)
		return false;
	if (rule->on_name)
		return glob_matches_path(rule->glob, name, GLOB_AS_GIT, fuel);
	if (strncmp(path, rule->glob - rule->prefix_len, rule->prefix_len) != 0)
		return false;
	return glob_matches_path(rule->glob, path + rule->prefix_len, GLOB_AS_GIT, fuel);
}

/* The rule that decides, NULL: none of this file does. */
static const struct rule *find_rule(
	const struct ignore *ignore, const char *path, const char *name, bool is_dir, size_t *fuel)
{
	for (size_t i = ignore->n; i > 0; i--)
		if (rule_matches(&ignore->rules[i - 1], path, name, is_dir, fuel))
			return &ignore->rules[i - 1];
	return NULL;
}

bool ignore_has(const struct ignore *ignore, const char *path, bool is_dir)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t fuel = GLOB_FUEL;

	for (; ignore; ignore = ignore->above) {
		const char *below = path + ignore->dir_len + (ignore->dir_len > 0);
		const struct rule *rule = find_rule(ignore, below, name, is_dir, &fuel);

		if (rule)
			return !rule->negated;
	}
	return false;
}
