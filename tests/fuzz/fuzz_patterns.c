/* An asker's pattern, and behind a NUL a path: matching ends, reads nothing it should not, and agrees
 * with a slow matcher that tries everything, where that one can say. */
#include "shared/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "workers/filesystem/glob.h"
#include "workers/filesystem/patterns.h"

enum { SLOW_STEPS = 20000, SLOW_DEPTH = 100 };

struct slow {
	const char *glob;
	int steps; /* left; below 0: it cannot say */
};

static bool slow_matches(struct slow *slow, const char *glob, const char *path, int depth);

/* A component of two or more stars, up to `end`: each place where a component begins. */
static bool slow_deep(struct slow *slow, const char *end, const char *path, int depth)
{
	if (!*end)
		return true;
	for (;;) {
		const char *slash;

		if (slow_matches(slow, end + 1, path, depth))
			return true;
		slash = strchr(path, '/');
		if (!slash)
			return false;
		path = slash + 1;
	}
}

static bool slow_star(struct slow *slow, const char *glob, const char *path, int depth)
{
	for (;;) {
		size_t len;

		if (slow_matches(slow, glob + 1, path, depth))
			return true;
		if (!*path || *path == '/')
			return false;
		len = utf8_next(path, strlen(path));
		path += len ? len : 1;
	}
}

static bool slow_matches(struct slow *slow, const char *glob, const char *path, int depth)
{
	size_t n_stars = strspn(glob, "*");
	size_t len;

	if (--slow->steps < 0 || depth == 0) {
		slow->steps = -1;
		return false;
	}
	if (n_stars >= 2 && (glob[n_stars] == '/' || !glob[n_stars]) &&
		(glob == slow->glob || glob[-1] == '/'))
		return slow_deep(slow, glob + n_stars, path, depth - 1);
	if (*glob == '*')
		return slow_star(slow, glob, path, depth - 1);
	if (!*glob || !*path)
		return !*glob && !*path;
	if (*glob == '?' && *path != '/') {
		len = utf8_next(path, strlen(path));
		return slow_matches(slow, glob + 1, path + (len ? len : 1), depth - 1);
	}
	return *glob == *path && slow_matches(slow, glob + 1, path + 1, depth - 1);
}

static void compare(const char *glob, const char *path, bool result)
{
	struct slow slow = { .glob = glob, .steps = SLOW_STEPS };
	bool expected;

	if (strpbrk(glob, "[\\"))
		return;
	expected = slow_matches(&slow, glob, path, SLOW_DEPTH);
	CHECK(slow.steps < 0 || expected == result);
}

static void check_globs(const struct patterns *patterns, const char *path)
{
	for (size_t i = 0; i < patterns->n; i++) {
		size_t fuel = GLOB_FUEL;
		bool result = glob_matches_path(patterns->items[i].glob, path, 0, &fuel);

		CHECK(fuel > 0 || strlen(path) > PATTERN_MAX_BYTES ||
			strlen(patterns->items[i].glob) > 1024);
		compare(patterns->items[i].glob, path, result);
		(void)glob_matches_path(patterns->items[i].glob, path, GLOB_AS_GIT, &fuel);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = alloc_mem(data, size);
	auto_(patterns_done) struct patterns patterns = { 0 };
	const char *path = text + strlen(text);
	struct fail fail = { 0 };
	const char *slash;
	bool result;

	if (path < text + size)
		path++;
	if (!*path || patterns_add(&patterns, text, &fail) < 0)
		return 0;
	CHECK(patterns.n >= 1 && patterns.n <= PATTERNS_MAX);
	slash = strrchr(path, '/');
	result = patterns_match(&patterns, path, slash ? slash + 1 : path, false);
	/* What matches a file matches a directory of that name. */
	CHECK(!result || patterns_match(&patterns, path, slash ? slash + 1 : path, true));
	check_globs(&patterns, path);
	return 0;
}
