/* See connect_file.h. */
#include "ctl/connect_file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "ctl/jsonc.h"
#include "ctl/jsonc_edit.h"
#include "shared/alloc.h"
#include "shared/fd.h"

void connect_file_done(struct connect_file *file)
{
	free(file->path);
	free(file->backup);
	strbuf_done(&file->text);
	json_decref(file->entry);
	*file = (struct connect_file){ 0 };
}

/* --- reading --- */

/* The path behind links, also of a file that is not there yet; its folder need not be there. */
static int resolve(const char *path, char **ret, struct fail *fail)
{
	struct stat st;

	*ret = realpath(path, NULL);
	if (*ret)
		return 0;
	if (errno != ENOENT)
		return fail_set(fail, -errno, "%s: %s", path, strerror(errno));
	if (lstat(path, &st) == 0)
		return fail_set(fail, -ENOENT, "%s: a symbolic link to nothing", path);
	*ret = *path == '/' ? alloc_str(path) : NULL;
	if (!*ret) {
		auto_free char *here = realpath(".", NULL);

		*ret = alloc_printf("%s/%s", here ? here : ".", path);
	}
	return 0;
}

static int read_text(struct connect_file *file, struct fail *fail)
{
	struct stat st;
	int r;

	if (stat(file->path, &st) < 0) {
		file->owner = (struct put_owner){ 0600, (uid_t)-1, (gid_t)-1 };
		return errno == ENOENT
			       ? 0
			       : fail_set(fail, -errno, "%s: %s", file->path, strerror(errno));
	}
	r = fd_read_file(file->path, JSONC_MAX_BYTES, &file->text);
	if (r < 0)
		return fail_set(fail, r, "%s: cannot be read: %s", file->path,
			r == -EFBIG ? "larger than 8 MiB" : strerror(-r));
	file->is_there = true;
	file->owner = (struct put_owner){ st.st_mode & 0777, st.st_uid, st.st_gid };
	return 0;
}

static int find_entry(struct connect_file *file, struct fail *fail)
{
	auto_(jsonc_done) struct jsonc doc = { 0 };
	uint32_t node = 0;
	int r = jsonc_parse(strbuf_get(&file->text), file->text.len, &doc, fail);

	if (r == 0)
		r = jsonc_find(&doc, file->way, &node, fail);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		file->entry = jsonc_to_json(&doc, node, fail);
	if (r < 0 || !file->entry) {
		(void)fail_prefix(fail, "%s:", file->path);
		return -EINVAL;
	}
	return 0;
}

int connect_file_open(
	const char *path, const char *const *way, struct connect_file *ret, struct fail *fail)
{
	auto_(connect_file_done) struct connect_file file = { .way = way };
	int r = resolve(path, &file.path, fail);

	if (r == 0)
		r = read_text(&file, fail);
	if (r == 0)
		r = find_entry(&file, fail);
	if (r < 0)
		return r;
	file.backup = alloc_printf("%s.mcp-fleet-backup", file.path);
	*ret = file;
	file = (struct connect_file){ 0 };
	return 0;
}

/* --- changing --- */

/* `text` with the entry in it. */
static int with_entry(const struct connect_file *file, const struct strbuf *text, json_t *entry,
	struct strbuf *ret, struct fail *fail)
{
	auto_(jsonc_done) struct jsonc doc = { 0 };
	int r = jsonc_parse(strbuf_get(text), text->len, &doc, fail);

	if (r == 0)
		r = jsonc_set(&doc, file->way, entry, ret, fail);
	return r < 0 ? fail_prefix(fail, "%s:", file->path) : 0;
}

static bool is_same(const struct strbuf *a, const struct strbuf *b)
{
	return a->len == b->len && memcmp(strbuf_get(a), strbuf_get(b), a->len) == 0;
}

/* The text is the old one and our entry, nothing else. */
static bool is_made_of(const struct connect_file *file, const struct strbuf *old)
{
	auto_strbuf made = { 0 };

	return file->entry && with_entry(file, old, file->entry, &made, NULL) == 0 &&
	       is_same(&made, &file->text);
}

/* A client writes its file too: what it wrote meanwhile must not be lost. */
static int check_unchanged(const struct connect_file *file, struct fail *fail)
{
	auto_strbuf now = { 0 };
	int r = fd_read_file(file->path, JSONC_MAX_BYTES, &now);

	if (file->is_there ? r == 0 && is_same(&now, &file->text) : r == -ENOENT)
		return 0;
	return fail_set(fail, -EBUSY, "%s was changed meanwhile: try again", file->path);
}

static int write_text(
	struct connect_file *file, const char *path, const struct strbuf *text, struct fail *fail)
{
	return put_file(path, strbuf_get(text), text->len, &file->owner, fail);
}

/* The one of an earlier change stays where the text is made of it. A file that was not there has none. */
static int make_backup(struct connect_file *file, struct fail *fail)
{
	auto_strbuf old = { 0 };

	if (!file->is_there)
		return put_away(file->backup, fail);
	if (fd_read_file(file->backup, JSONC_MAX_BYTES, &old) == 0 && is_made_of(file, &old))
		return 0;
	return write_text(file, file->backup, &file->text, fail);
}

int connect_file_put(struct connect_file *file, json_t *entry, struct fail *fail)
{
	auto_free char *dir = put_dir_of(file->path);
	auto_strbuf text = { 0 };
	int r = with_entry(file, &file->text, entry, &text, fail);

	if (r == 0)
		r = put_folder(dir, fail);
	if (r == 0)
		r = make_backup(file, fail);
	if (r == 0)
		r = check_unchanged(file, fail);
	return r < 0 ? r : write_text(file, file->path, &text, fail);
}

static int restore(struct connect_file *file, const struct strbuf *old, struct fail *fail)
{
	int r = check_unchanged(file, fail);

	if (r == 0)
		r = write_text(file, file->path, old, fail);
	return r < 0 ? r : put_away(file->backup, fail);
}

static int take_out(struct connect_file *file, struct fail *fail)
{
	auto_(jsonc_done) struct jsonc doc = { 0 };
	auto_strbuf text = { 0 };
	int r = jsonc_parse(strbuf_get(&file->text), file->text.len, &doc, fail);

	if (r == 0)
		r = jsonc_unset(&doc, file->way, &text, fail);
	if (r == 0)
		r = check_unchanged(file, fail);
	return r < 0 ? r : write_text(file, file->path, &text, fail);
}

int connect_file_undo(struct connect_file *file, enum connect_undone *ret, struct fail *fail)
{
	auto_strbuf old = { 0 };
	const struct strbuf nothing = { 0 };
	bool has_backup = fd_read_file(file->backup, JSONC_MAX_BYTES, &old) == 0;
	int r;

	if (has_backup && is_made_of(file, &old)) {
		*ret = CONNECT_RESTORED;
		return restore(file, &old, fail);
	}
	if (!has_backup && is_made_of(file, &nothing)) {
		*ret = CONNECT_REMOVED;
		r = check_unchanged(file, fail);
		return r < 0 ? r : put_away(file->path, fail);
	}
	*ret = CONNECT_TAKEN_OUT;
	return take_out(file, fail);
}
