/* Edits of a file: "flag, text NUL old text NUL new text". What is replaced is what the words of
 * replace.h say, by a slow way that is easily seen to be right; and the diff that is shown of an edit,
 * applied to the file as it was, gives the edited file. */
#include "tests/fuzz/fuzz.h"
#include "workers/common/diff.h"
#include "workers/filesystem/patch.h"
#include "workers/filesystem/replace.h"

enum { MUCH = 16 * 1024 * 1024 };

static void fold(const struct strbuf *text, struct strbuf *out)
{
	for (size_t i = 0; i < text->len; i++)
		if (text->data[i] != '\r' || i + 1 == text->len || text->data[i + 1] != '\n')
			strbuf_addc(out, text->data[i]);
}

static bool has_lone_cr(const struct strbuf *text)
{
	for (size_t i = 0; i < text->len; i++)
		if (text->data[i] == '\r' && (i + 1 == text->len || text->data[i + 1] != '\n'))
			return true;
	return false;
}

/* One after the other from the left, byte by byte. */
static void replace_plainly(const struct strbuf *text, const struct replace_edit *edit,
	struct strbuf *out, size_t *ret_count)
{
	size_t i = 0;

	while (i < text->len) {
		if (text->len - i >= edit->old_len &&
			memcmp(text->data + i, edit->old_text, edit->old_len) == 0) {
			strbuf_add(out, edit->new_text, edit->new_len);
			i += edit->old_len;
			++*ret_count;
		} else {
			strbuf_addc(out, text->data[i++]);
		}
	}
}

static void check_same(const struct strbuf *a, const struct strbuf *b)
{
	CHECK(a->len == b->len && memcmp(strbuf_get(a), strbuf_get(b), a->len) == 0);
}

/* Where no CR is in play but those of CRLF, the kind of line ends makes no difference. */
static void check_plainly(const struct strbuf *before, const struct strbuf *after,
	const struct replace_edit *edit, size_t count)
{
	auto_strbuf folded = { 0 };
	auto_strbuf want = { 0 };
	auto_strbuf got = { 0 };
	size_t want_count = 0;

	if (memchr(edit->old_text, '\r', edit->old_len) || strchr(edit->new_text, '\r') ||
		has_lone_cr(before))
		return;
	fold(before, &folded);
	replace_plainly(&folded, edit, &want, &want_count);
	fold(after, &got);
	CHECK(count == want_count);
	check_same(&got, &want);
}

static void check_diff(const struct strbuf *before, const struct strbuf *after)
{
	const struct diff_text a = { "a/some name", strbuf_get(before), before->len };
	const struct diff_text b = { "b/some name", strbuf_get(after), after->len };
	auto_(patch_done) struct patch patch = { 0 };
	struct failure fail = { 0 };
	auto_strbuf diff = { 0 };
	auto_strbuf out = { 0 };
	size_t moved = 0;

	CHECK(diff_unified_texts(&a, &b, 3, MUCH, &diff) == 0);
	if (diff.len == 0) {
		check_same(before, after);
		return;
	}
	CHECK(patch_parse(diff.data, diff.len, 1, &patch, &fail) == 0);
	CHECK(patch.n_files == 1 && streq(patch.files[0].new_name, "some name"));
	CHECK(patch_apply(&patch, &patch.files[0], a.bytes, a.len, &out, &moved, &fail) == 0);
	CHECK(moved == 0);
	check_same(&out, after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *old_at = size > 1 ? memchr(data + 1, 0, size - 1) : NULL;
	const uint8_t *new_at =
		old_at ? memchr(old_at + 1, 0, size - (size_t)(old_at + 1 - data)) : NULL;
	struct replace_edit edit = { 0 };
	struct failure fail = { 0 };
	auto_strbuf before = { 0 };
	auto_strbuf after = { 0 };
	size_t count = 0;
	auto_free char *old_text = NULL;
	auto_free char *new_text = NULL;

	if (!new_at || new_at == old_at + 1)
		return 0;
	old_text = alloc_mem(old_at + 1, (size_t)(new_at - old_at - 1));
	new_text = alloc_mem(new_at + 1, size - (size_t)(new_at + 1 - data));
	edit = (struct replace_edit){ old_text, (size_t)(new_at - old_at - 1), new_text,
		strlen(new_text), (*data & 1) != 0 };
	strbuf_add(&before, data + 1, (size_t)(old_at - data - 1));
	strbuf_add(&after, before.data, before.len);
	if (replace_once(&after, &edit, 0, MUCH, &count, &fail) < 0) {
		CHECK(fail.code && *fail.text && count == 0);
		check_same(&after, &before);
		return 0;
	}
	CHECK(count > 0 && (edit.all || count == 1));
	check_plainly(&before, &after, &edit, count);
	check_diff(&before, &after);
	return 0;
}
