/* Patches: "file NUL patch". Whatever can be read can be applied or is refused, and what it gives is
 * bounded. Taken as two texts, the differ's patch of the one gives the other. */
#include "tests/fuzz/fuzz.h"
#include "workers/common/diff.h"
#include "workers/filesystem/patch.h"

enum { MUCH = 16 * 1024 * 1024 };

static void check_file(
	const struct patch *patch, const struct patch_file *file, const char *old, size_t old_len)
{
	struct failure fail = { 0 };
	auto_strbuf out = { 0 };
	size_t moved = 0;

	CHECK(file->old_name || file->new_name);
	for (size_t i = 0; i < file->n_hunks; i++)
		CHECK(file->hunks[i].body <= file->hunks[i].end &&
			file->hunks[i].end <= patch->len);
	if (patch_apply(patch, file, old, old_len, &out, &moved, &fail) < 0) {
		CHECK(fail.code && *fail.text && out.len == 0);
		return;
	}
	CHECK(moved <= file->n_hunks && out.len <= old_len + 2 * patch->len);
	CHECK(file->new_name || out.len == 0);
}

static void check_patch(const char *old, size_t old_len, const char *text, size_t len)
{
	for (unsigned strip = 0; strip < 3; strip++) {
		auto_(patch_done) struct patch patch = { 0 };
		struct failure fail = { 0 };

		if (patch_parse(text, len, strip, &patch, &fail) < 0) {
			CHECK(fail.code && *fail.text);
			continue;
		}
		CHECK(patch.n_files > 0);
		for (size_t i = 0; i < patch.n_files; i++)
			check_file(&patch, &patch.files[i], old, old_len);
	}
}

static void check_diff(const struct diff_text *a, const struct diff_text *b, size_t context)
{
	auto_(patch_done) struct patch patch = { 0 };
	struct failure fail = { 0 };
	auto_strbuf diff = { 0 };
	auto_strbuf out = { 0 };
	size_t moved = 0;

	CHECK(diff_unified_texts(a, b, context, MUCH, &diff) == 0);
	if (diff.len == 0)
		return;
	CHECK(patch_parse(diff.data, diff.len, 0, &patch, &fail) == 0);
	CHECK(patch.n_files == 1 && streq(patch.files[0].new_name, b->name));
	CHECK(patch_apply(&patch, &patch.files[0], a->bytes, a->len, &out, &moved, &fail) == 0);
	CHECK(moved == 0 && out.len == b->len);
	CHECK(memcmp(strbuf_get(&out), b->bytes, b->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, 0, size) : NULL;
	size_t old_len = end ? (size_t)(end - data) : 0;
	size_t len = end ? size - old_len - 1 : 0;
	auto_free char *old = NULL;
	auto_free char *text = NULL;

	if (!end)
		return 0;
	old = fuzz_copy(data, old_len);
	text = fuzz_copy(end + 1, len);
	check_patch(old, old_len, text, len);
	for (size_t context = 0; context < 4; context += 3)
		check_diff(&(struct diff_text){ "a\nb \"c", old, old_len },
			&(struct diff_text){ "a\nb \"c", text, len }, context);
	return 0;
}
