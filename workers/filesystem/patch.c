/* See patch.h: reading. patch_apply.c has the rest.
 *
 * A file's part begins with "diff --git" or "---"; lines before and between that say nothing are
 * passed over, as patch(1) does, so that mails and the output of git-show can be given. */
#include "workers/filesystem/patch.h"

#include <errno.h>
#include <stdint.h>

#include "shared/alloc.h"
#include "shared/ascii.h"

enum {
	MAX_HUNKS = 10000,
	MAX_NUMBER = 1000000000,
	S_IFMT_GIT = 0170000,
	S_IFREG_GIT = 0100000,
	EXEC_BITS = 0111,
};

struct line {
	const char *at;
	size_t len; /* without LF */
};

struct reader {
	struct patch *patch;
	size_t pos;
	size_t n_line; /* of the one that was read last, from 1 */
	unsigned strip;
	struct patch_file *file; /* the present one; NULL: none */
	struct failure *fail;
};

static bool peek_line(const struct reader *r, struct line *ret)
{
	const char *at = r->patch->text + r->pos;
	size_t left = r->patch->len - r->pos;
	const char *newline = left ? memchr(at, '\n', left) : NULL;

	*ret = (struct line){ at, newline ? (size_t)(newline - at) : left };
	return left > 0;
}

static void take_line(struct reader *r, const struct line *line)
{
	r->pos += line->len;
	r->pos += r->pos < r->patch->len;
	r->n_line++;
}

static bool starts(const struct line *line, const char *prefix)
{
	size_t len = strlen(prefix);

	return line->len >= len && memcmp(line->at, prefix, len) == 0;
}

static struct line behind(const struct line *line, const char *prefix)
{
	size_t len = strlen(prefix);

	return (struct line){ line->at + len, line->len - len };
}

static int bad(struct reader *r, const char *why)
{
	(void)failure_set(r->fail, "invalid_argument", "patch, line %zu: %s. Mend the patch there.",
		r->n_line, why);
	return -EINVAL;
}

/* Names */

/* One escape of a quoted name, of which `in` has 2 to `len` bytes: how many it takes, 0: wrong. */
static size_t add_escaped(struct strbuf *out, const char *in, size_t len)
{
	static const char letters[] = "abtnvfr\"\\";
	static const char bytes[] = "\a\b\t\n\v\f\r\"\\";
	const char *letter = len > 1 && in[1] ? strchr(letters, in[1]) : NULL;
	unsigned value = 0;

	if (letter) {
		strbuf_addc(out, bytes[letter - letters]);
		return 2;
	}
	if (len < 4)
		return 0;
	for (size_t i = 1; i < 4; i++) {
		if (in[i] < '0' || in[i] > '7')
			return 0;
		value = value * 8 + (unsigned)(in[i] - '0');
	}
	if (value == 0 || value > 255)
		return 0;
	strbuf_addc(out, (char)value);
	return 4;
}

/* Reads a name at the beginning of `line`: as a C string, or up to a tab. *ret_used: what it took. */
static bool read_name(const struct line *line, struct strbuf *ret, size_t *ret_used)
{
	const char *tab = line->len ? memchr(line->at, '\t', line->len) : NULL;
	size_t i = 1;

	if (line->len == 0)
		return false;
	if (*line->at != '"') {
		size_t len = tab ? (size_t)(tab - line->at) : line->len;

		if (len > 0 && line->at[len - 1] == '\r')
			len--;
		strbuf_add(ret, line->at, len);
		*ret_used = line->len;
		return len > 0;
	}
	while (i < line->len && line->at[i] != '"') {
		size_t used = 1;

		if (line->at[i] == '\\')
			used = add_escaped(ret, line->at + i, line->len - i);
		else
			strbuf_addc(ret, line->at[i]);
		if (used == 0)
			return false;
		i += used;
	}
	*ret_used = i + 1;
	return i < line->len && ret->len > 0;
}

/* Without its first components; NULL: it has not so many. */
static char *strip_name(const struct strbuf *name, unsigned strip)
{
	const char *at = strbuf_get(name);

	for (; strip > 0; strip--) {
		at = strchr(at, '/');
		if (!at)
			return NULL;
		at += strspn(at, "/");
	}
	return *at ? alloc_str(at) : NULL;
}

static int set_name(struct reader *r, char **field, const struct strbuf *name, unsigned strip)
{
	auto_free char *stripped = strip_name(name, strip);

	if (!stripped)
		return failure_set(r->fail, "invalid_argument",
			"patch, line %zu: the name has not as many parts as strip says. Give another strip.",
			r->n_line);
	if (*field && !streq(*field, stripped))
		return bad(r, "the name is another than the one before in this file's part");
	free(*field);
	*field = TAKE(stripped);
	return 0;
}

/* Files */

static int begin_file(struct reader *r)
{
	struct patch *patch = r->patch;

	if (patch->n_files == PATCH_MAX_FILES)
		return bad(r, "there are too many files; a patch may have 200");
	patch->files = alloc_resize(patch->files, patch->n_files + 1, sizeof(*patch->files));
	r->file = &patch->files[patch->n_files++];
	*r->file = (struct patch_file){ .line = r->n_line };
	return 0;
}

/* "diff --git a/x b/x": names count only where no other line has them, so they must be the same. */
static int on_git_header(struct reader *r, const struct line *line)
{
	struct line rest = behind(line, "diff --git ");
	auto_strbuf name = { 0 };
	size_t half = rest.len / 2;
	auto_free char *old_name = NULL;
	auto_free char *new_name = NULL;
	size_t used = 0;

	if (begin_file(r) < 0)
		return -1;
	if (rest.len > 0 && *rest.at == '"') {
		if (!read_name(&rest, &name, &used))
			return bad(r, "the name is not quoted as it should be");
		old_name = strip_name(&name, r->strip);
	} else if (rest.len % 2 == 1 && rest.at[half] == ' ') {
		strbuf_add(&name, rest.at, half);
		old_name = strip_name(&name, r->strip);
		strbuf_cut(&name, 0);
		strbuf_add(&name, rest.at + half + 1, half);
		new_name = strip_name(&name, r->strip);
		if (!old_name || !new_name || !streq(old_name, new_name))
			return 0;
	}
	if (old_name) {
		r->file->new_name = alloc_str(old_name);
		r->file->old_name = TAKE(old_name);
	}
	return 0;
}

static int on_mode(struct reader *r, const struct line *mode)
{
	unsigned value = 0;

	for (size_t i = 0; i < mode->len && mode->at[i] >= '0' && mode->at[i] <= '7' && i < 6; i++)
		value = value * 8 + (unsigned)(mode->at[i] - '0');
	if ((value & S_IFMT_GIT) != S_IFREG_GIT)
		return bad(r, "only regular files can be patched, no symlinks and submodules");
	r->file->has_mode = true;
	r->file->is_executable = (value & EXEC_BITS) != 0;
	return 0;
}

static void forget(char **name)
{
	free(*name);
	*name = NULL;
}

static int on_new_file(struct reader *r, const struct line *mode)
{
	forget(&r->file->old_name);
	return on_mode(r, mode);
}

static int on_deleted_file(struct reader *r, const struct line *mode)
{
	int ret = on_mode(r, mode);

	forget(&r->file->new_name);
	r->file->has_mode = false;
	return ret;
}

static int on_rename(struct reader *r, char **field, const struct line *rest)
{
	auto_strbuf name = { 0 };
	size_t used;

	if (!read_name(rest, &name, &used))
		return bad(r, "the name is missing, or not quoted as it should be");
	forget(field);
	r->file->is_rename = true;
	/* These lines have no a/ and b/. */
	return set_name(r, field, &name, r->strip > 0 ? r->strip - 1 : 0);
}

static int on_rename_from(struct reader *r, const struct line *rest)
{
	return on_rename(r, &r->file->old_name, rest);
}

static int on_rename_to(struct reader *r, const struct line *rest)
{
	return on_rename(r, &r->file->new_name, rest);
}

static int on_unsupported(struct reader *r, const struct line *rest)
{
	(void)rest;
	return bad(r, "binary files and copies cannot be patched");
}

/* What git has between "diff --git" and "---". */
static const struct {
	const char *prefix;
	int (*run)(struct reader *r, const struct line *rest);
} git_lines[] = {
	{ "new file mode ", on_new_file },
	{ "deleted file mode ", on_deleted_file },
	{ "old mode ", on_mode },
	{ "new mode ", on_mode },
	{ "rename from ", on_rename_from },
	{ "rename to ", on_rename_to },
	{ "copy from ", on_unsupported },
	{ "GIT binary patch", on_unsupported },
	{ "Binary files ", on_unsupported },
};

/* "--- a/x" and "+++ b/x": NULL for /dev/null. */
static int read_side(struct reader *r, const struct line *line, char **ret)
{
	struct line rest = behind(line, "--- ");
	auto_strbuf name = { 0 };
	size_t used;

	if (!read_name(&rest, &name, &used))
		return bad(r, "the name is missing, or not quoted as it should be");
	if (streq(name.data, "/dev/null")) {
		*ret = NULL;
		return 0;
	}
	return set_name(r, ret, &name, r->strip);
}

static bool is_same_name(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

/* Whether the two lines say what git's lines before said; those of a new file may leave out a name. */
static bool fits_header(const struct patch_file *file, const char *old_name, const char *new_name)
{
	if (file->is_rename)
		return is_same_name(file->old_name, old_name) &&
		       is_same_name(file->new_name, new_name);
	return (!file->old_name || !old_name || streq(file->old_name, old_name)) &&
	       (!file->new_name || !new_name || streq(file->new_name, new_name));
}

static int merge_names(struct reader *r, char **old_name, char **new_name, bool has_header)
{
	struct patch_file *file = r->file;

	if (!*old_name && !*new_name)
		return bad(r, "both names are /dev/null");
	if (has_header && (file->old_name || file->new_name)) {
		if (!fits_header(file, *old_name, *new_name))
			return bad(r, "the names are others than those before");
	} else if (*old_name && *new_name && !streq(*old_name, *new_name)) {
		/* diff -u x.orig x: the new name is meant. */
		free(*old_name);
		*old_name = alloc_str(*new_name);
	}
	forget(&file->old_name);
	forget(&file->new_name);
	file->old_name = TAKE(*old_name);
	file->new_name = TAKE(*new_name);
	return 0;
}

static int on_names(struct reader *r, const struct line *old_line, bool has_header)
{
	auto_free char *old_name = NULL;
	auto_free char *new_name = NULL;
	struct line line;

	if (!has_header && begin_file(r) < 0)
		return -1;
	if (read_side(r, old_line, &old_name) < 0)
		return -1;
	if (!peek_line(r, &line) || !starts(&line, "+++ "))
		return bad(r, "a line that begins with +++ should follow");
	take_line(r, &line);
	if (read_side(r, &line, &new_name) < 0)
		return -1;
	return merge_names(r, &old_name, &new_name, has_header);
}

/* Hunks */

static bool read_number(struct line *line, size_t *ret)
{
	size_t n = 0;
	size_t i = 0;

	while (i < line->len && ascii_is_digit(line->at[i]) && n < MAX_NUMBER)
		n = n * 10 + (size_t)(line->at[i++] - '0');
	*ret = n;
	*line = (struct line){ line->at + i, line->len - i };
	return i > 0 && n < MAX_NUMBER;
}

static bool read_word(struct line *line, const char *word)
{
	if (!starts(line, word))
		return false;
	*line = behind(line, word);
	return true;
}

/* "12,3", or "12" for one line. */
static bool read_range(struct line *line, size_t *ret_start, size_t *ret_lines)
{
	*ret_lines = 1;
	if (!read_number(line, ret_start))
		return false;
	if (read_word(line, ",") && !read_number(line, ret_lines))
		return false;
	return *ret_start > 0 || *ret_lines == 0;
}

/* Counts the lines of a body down: those that the header promised, no more and no less. */
static int read_body(struct reader *r, struct patch_hunk *hunk)
{
	size_t old_left = hunk->old_lines;
	size_t new_left = hunk->new_lines;
	bool may_remark = false; /* "\\ No newline at end of file", once behind a line */
	struct line line;

	hunk->body = r->pos;
	while (old_left > 0 || new_left > 0) {
		char sign = ' ';

		if (!peek_line(r, &line))
			return bad(r, "the hunk ends too early: its header promises more lines");
		take_line(r, &line);
		/* Mail programs take away the blank of an empty line of context. */
		if (line.len > 0 && *line.at != '\r')
			sign = *line.at;
		if (sign == '\\' && may_remark) {
			may_remark = false;
			continue;
		}
		if ((sign != ' ' && sign != '-' && sign != '+') || (sign != '+' && old_left == 0) ||
			(sign != '-' && new_left == 0))
			return bad(r, "the hunk does not have the lines that its header promises");
		old_left -= sign != '+';
		new_left -= sign != '-';
		may_remark = true;
	}
	if (may_remark && peek_line(r, &line) && starts(&line, "\\"))
		take_line(r, &line);
	hunk->end = r->pos;
	return 0;
}

static int on_hunk(struct reader *r, const struct line *header)
{
	struct patch_file *file = r->file;
	struct patch_hunk hunk = { 0 };
	struct line line = *header;

	if (!read_word(&line, "@@ -") || !read_range(&line, &hunk.old_start, &hunk.old_lines) ||
		!read_word(&line, " +") || !read_range(&line, &hunk.new_start, &hunk.new_lines) ||
		!read_word(&line, " @@"))
		return bad(r, "the hunk's header is not of the form @@ -1,2 +1,2 @@");
	if (file->n_hunks == MAX_HUNKS)
		return bad(r, "there are too many hunks for one file");
	if (read_body(r, &hunk) < 0)
		return -1;
	file->hunks = alloc_resize(file->hunks, file->n_hunks + 1, sizeof(*file->hunks));
	file->hunks[file->n_hunks++] = hunk;
	return 0;
}

static int on_git_line(struct reader *r, const struct line *line)
{
	for (size_t i = 0; i < N_ELEMENTS(git_lines); i++) {
		struct line rest;

		if (!starts(line, git_lines[i].prefix))
			continue;
		rest = behind(line, git_lines[i].prefix);
		return git_lines[i].run(r, &rest);
	}
	return 0;
}

/* `*state`: 0 between files, 1 in git's lines, 2 among hunks. */
enum state { BETWEEN, IN_HEADER, IN_HUNKS };

static int read_one(struct reader *r, enum state *state)
{
	struct line line;
	bool has_header = *state == IN_HEADER;

	(void)peek_line(r, &line);
	take_line(r, &line);
	if (starts(&line, "diff --git ")) {
		*state = IN_HEADER;
		return on_git_header(r, &line);
	}
	if (starts(&line, "--- ")) {
		struct line next;

		/* A line of a mail's text may look like this too. */
		if (!peek_line(r, &next) || !starts(&next, "+++ "))
			return *state == BETWEEN ? 0 : bad(r, "a line with +++ should follow");
		*state = IN_HUNKS;
		return on_names(r, &line, has_header);
	}
	if (starts(&line, "@@ -"))
		return *state == IN_HUNKS ? on_hunk(r, &line)
					  : bad(r, "a hunk without the names of its file before");
	if (has_header)
		return on_git_line(r, &line);
	if (*state == IN_HUNKS && line.len > 0 && strchr(" +-", *line.at) && *line.at &&
		!starts(&line, "-- "))
		return bad(r, "the hunk has more lines than its header promises");
	return 0;
}

static int check_files(struct reader *r)
{
	for (size_t i = 0; i < r->patch->n_files; i++) {
		const struct patch_file *file = &r->patch->files[i];

		r->n_line = file->line;
		if (!file->old_name && !file->new_name)
			return bad(r, "this file's part has no names");
		if (file->is_rename && (!file->old_name || !file->new_name))
			return bad(r, "a rename has two names");
		if (file->n_hunks == 0 && !file->is_rename && !file->has_mode && file->old_name &&
			file->new_name)
			return bad(r, "this file's part has no hunk");
	}
	return r->patch->n_files > 0
		       ? 0
		       : failure_set(r->fail, "invalid_argument",
				 "patch: there is no file in it. Give a unified diff, with lines that "
				 "begin with ---, +++ and @@.");
}

int patch_parse(
	const char *text, size_t len, unsigned strip, struct patch *ret, struct failure *fail)
{
	struct reader r = { .patch = ret, .strip = strip, .fail = fail };
	enum state state = BETWEEN;

	*ret = (struct patch){ .text = text, .len = len };
	while (r.pos < len)
		if (read_one(&r, &state) < 0)
			return -1;
	return check_files(&r);
}

void patch_done(struct patch *patch)
{
	for (size_t i = 0; i < patch->n_files; i++) {
		free(patch->files[i].old_name);
		free(patch->files[i].new_name);
		free(patch->files[i].hunks);
	}
	free(patch->files);
	*patch = (struct patch){ 0 };
}
