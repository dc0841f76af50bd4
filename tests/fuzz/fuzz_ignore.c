/* A .gitignore file, and behind a NUL a path: reading it ends within its bounds, and whatever it says, a
 * last rule for all names decides. */
#include "shared/strbuf.h"
#include "tests/fuzz/fuzz.h"
#include "workers/filesystem/ignore.h"

static bool ends_with(const char *text, size_t len, const char *rule, const char *path, bool is_dir)
{
	auto_strbuf all = { 0 };
	auto_(ignore_freep) struct ignore *ignore = NULL;

	strbuf_add(&all, text, len);
	strbuf_adds(&all, rule);
	ignore = ignore_parse(NULL, 0, strbuf_get(&all), all.len);
	CHECK(ignore);
	return ignore_has(ignore, path, is_dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *copy = alloc_mem(data, size);
	size_t len = strlen(copy);
	const char *path = len < size ? copy + len + 1 : "a/b";
	auto_free char *text = fuzz_copy(copy, len);
	auto_(ignore_freep) struct ignore *ignore = ignore_parse(NULL, 0, text, len);
	auto_(ignore_freep) struct ignore *below = ignore_parse(ignore, 1, text, len);
	size_t path_len = strlen(path);

	/* A walk has no such paths. */
	if (path_len == 0 || path[path_len - 1] == '/')
		return 0;
	CHECK(ignore_bytes(ignore) <= len + len * 64);
	(void)ignore_has(ignore, path, true);
	/* What is for directories only is for nothing else, but its negation may be. */
	if (!memchr(text, '!', len))
		CHECK(!ignore_has(ignore, path, false) || ignore_has(ignore, path, true));
	if (path_len > 2 && path[1] == '/')
		(void)ignore_has(below, path, false);
	CHECK(ends_with(text, len, "\n*\n", path, false));
	CHECK(ends_with(text, len, "\n**/*/\n", path, true));
	CHECK(!ends_with(text, len, "\n!*\n", path, true));
	return 0;
}
