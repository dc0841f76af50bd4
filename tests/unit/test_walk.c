/* Walks over real directories: order, what is entered, what is not, changes meanwhile, depth, width. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/strbuf.h"
#include "workers/filesystem/walk.h"

static char base[] = "/tmp/test_walk.XXXXXX";
static int base_fd = -1;

static const struct {
	const char *path;
	const char *link;
	mode_t type;
} things[] = {
	{ "a", NULL, S_IFDIR },
	{ "a/x", NULL, S_IFREG },
	{ "a/sub", NULL, S_IFDIR },
	{ "a/sub/y", NULL, S_IFREG },
	{ "a-b", NULL, S_IFREG },
	{ "a0", NULL, S_IFREG },
	{ ".hidden", NULL, S_IFREG },
	{ ".git", NULL, S_IFDIR },
	{ ".git/config", NULL, S_IFREG },
	{ "empty", NULL, S_IFDIR },
	{ "fifo", NULL, S_IFIFO },
	{ "link", "a", S_IFLNK },
	{ "loop", "loop", S_IFLNK },
	{ "up", "..", S_IFLNK },
	{ "new\nline", NULL, S_IFREG },
	{ "\xff\xfe", NULL, S_IFREG },
};

static const char all[] =
	".git/|.hidden|a/|a-b|a/sub/|a/sub/y|<a/sub|a/x|<a|a0|empty/|<empty|fifo|link|"
	"loop|new\nline|up|\xff\xfe|";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/* Valgrind knows no openat2(2), nor do kernels before 5.6: then there is nothing to test. */
static bool has_openat2(void)
{
	return syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno != ENOSYS;
}

static int set_up(void **state)
{
	assert_non_null(mkdtemp(base));
	base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(base_fd >= 0);
	for (size_t i = 0; i < N_ELEMENTS(things); i++) {
		const char *path = things[i].path;

		if (things[i].type == S_IFDIR)
			assert_int_equal(mkdirat(base_fd, path, 0700), 0);
		else if (things[i].link)
			assert_int_equal(symlinkat(things[i].link, base_fd, path), 0);
		else
			assert_int_equal(mknodat(base_fd, path, things[i].type | 0600, 0), 0);
	}
	return 0;
}

static int tear_down(void **state)
{
	base_fd = fd_close(base_fd);
	return nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* "a/|a/x|<a|": directories with a slash, < leaving, ! unreadable. */
static void note(struct strbuf *out, int event, const struct walk_entry *entry)
{
	const char *slash = strrchr(entry->path, '/');

	assert_string_equal(entry->name, slash ? slash + 1 : entry->path);
	if (event == WALK_LEAVE)
		strbuf_addc(out, '<');
	if (event == WALK_UNREADABLE)
		strbuf_addc(out, '!');
	strbuf_adds(out, entry->path);
	strbuf_adds(out, event == WALK_ENTRY && entry->type == S_IFDIR ? "/|" : "|");
}

static void check_walk(const struct walk_options *options, const char *expected)
{
	auto_(walk_freep) struct walk *walk = walk_new(options, base_fd, NULL);
	auto_strbuf out = { 0 };
	struct walk_entry entry;
	int r;

	while ((r = walk_next(walk, &entry)) > 0)
		note(&out, r, &entry);
	assert_int_equal(r, 0);
	assert_int_equal(walk_next(walk, &entry), WALK_END);
	assert_string_equal(strbuf_get(&out), expected);
}

static void test_order(void **state)
{
	const struct walk_options options = { 0 };

	check_walk(&options, all);
	/* The same descriptor serves again. */
	check_walk(&options, all);
}

static unsigned only_files(void *arg, const struct walk_entry *entry)
{
	if (entry->type == S_IFDIR)
		return entry->depth == 1 ? WALK_ENTER : WALK_PASS_OVER;
	return entry->type == S_IFREG ? WALK_SEE | WALK_ENTER : WALK_PASS_OVER;
}

static void test_filter(void **state)
{
	check_walk(&(struct walk_options){ .filter = only_files },
		".hidden|a-b|a/x|<a|a0|<empty|new\nline|\xff\xfe|");
}

static unsigned not_sub(void *arg, const struct walk_entry *entry)
{
	return streq(entry->path, "a/sub") ? WALK_SEE : WALK_SEE | WALK_ENTER;
}

static void test_not_entered(void **state)
{
	check_walk(&(struct walk_options){ .filter = not_sub },
		".git/|.hidden|a/|a-b|a/sub/|a/x|<a|a0|empty/|<empty|fifo|link|loop|new\nline|up|"
		"\xff\xfe|");
}

static void make_file(int dir_fd, const char *name)
{
	assert_int_equal(mknodat(dir_fd, name, S_IFREG | 0600, 0), 0);
}

static int make_dir(int dir_fd, const char *name)
{
	int fd;

	assert_int_equal(mkdirat(dir_fd, name, 0700), 0);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Removes all below `fd` with a walk, as code_delete does; returns how many. */
static size_t delete_below(int fd)
{
	const struct walk_options options = { 0 };
	auto_(walk_freep) struct walk *walk = walk_new(&options, fd, NULL);
	struct walk_entry entry;
	size_t n = 0;
	int r;

	while ((r = walk_next(walk, &entry)) > 0) {
		bool is_dir = entry.type == S_IFDIR;

		assert_int_not_equal(r, WALK_UNREADABLE);
		if (is_dir && r == WALK_ENTRY)
			continue;
		assert_int_equal(
			unlinkat(walk_dir_fd(walk), entry.name, is_dir ? AT_REMOVEDIR : 0), 0);
		n++;
	}
	assert_int_equal(r, 0);
	return n;
}

/* More levels than descriptors, paths longer than PATH_MAX, and something left to do at each level
 * on the way back. */
static void test_deep(void **state)
{
	enum { LEVELS = 1200 };
	static const char name[] = "d-which-has-a-name";
	int top = make_dir(base_fd, "deep");
	int fd = dup(top);

	for (int i = 0; i < LEVELS; i++) {
		int next = make_dir(fd, name);

		make_file(fd, "zz");
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	assert_int_equal(delete_below(top), LEVELS + LEVELS);
	(void)close(top);
	assert_int_equal(unlinkat(base_fd, "deep", AT_REMOVEDIR), 0);
}

static void test_too_deep(void **state)
{
	const struct walk_options options = { 0 };
	int top = make_dir(base_fd, "deeper");
	auto_(walk_freep) struct walk *walk = walk_new(&options, top, NULL);
	struct walk_entry entry;
	size_t deepest = 0;
	int fd = dup(top);
	int r;

	for (int i = 0; i < WALK_MAX_DEPTH + 2; i++) {
		int next = make_dir(fd, "d");

		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	while ((r = walk_next(walk, &entry)) > 0 && r != WALK_UNREADABLE)
		deepest = entry.depth;
	assert_int_equal(r, WALK_UNREADABLE);
	assert_int_equal(entry.error, -ENAMETOOLONG);
	assert_int_equal(deepest, WALK_MAX_DEPTH + 1);
	/* What is too deep is deleted from further below. */
	fd = walk_open(top, "d/d/d", O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(delete_below(fd), WALK_MAX_DEPTH - 1);
	(void)close(fd);
	assert_int_equal(delete_below(top), 3);
	(void)close(top);
	assert_int_equal(unlinkat(base_fd, "deeper", AT_REMOVEDIR), 0);
}

/* So many names that the list has to be made several times, with directories below that are as
 * wide: then the upper list has to give way. */
static void test_wide(void **state)
{
	enum { FILES = 2000 };
	auto_close int top = make_dir(base_fd, "wide");
	auto_close int below = make_dir(top, "m");
	const struct walk_options options = { .name_bytes = 32768 };
	auto_(walk_freep) struct walk *walk = walk_new(&options, top, NULL);
	auto_strbuf last = { 0 };
	struct walk_entry entry;
	char name[32];
	size_t n = 0;
	int r;

	for (int i = 0; i < FILES; i++) {
		(void)snprintf(name, sizeof(name), "%c%020d", i % 2 ? 'a' : 'z', i * 7919 % FILES);
		make_file(top, name);
		make_file(below, name);
	}
	while ((r = walk_next(walk, &entry)) > 0) {
		if (r == WALK_LEAVE)
			continue;
		assert_true(strcmp(strbuf_get(&last), entry.path) < 0);
		strbuf_cut(&last, 0);
		strbuf_adds(&last, entry.path);
		n++;
	}
	assert_int_equal(r, 0);
	assert_int_equal(n, 2 * FILES + 1);
	assert_int_equal(walk_n_seen(walk), n);
	assert_int_equal(delete_below(top), n);
	assert_int_equal(unlinkat(base_fd, "wide", AT_REMOVEDIR), 0);
}

/* Names that vanish or become something else between reading and entering. */
static void test_changes(void **state)
{
	const struct walk_options options = { 0 };
	auto_close int top = make_dir(base_fd, "changes");
	auto_(walk_freep) struct walk *walk = walk_new(&options, top, NULL);
	auto_strbuf out = { 0 };
	struct walk_entry entry;
	int r;

	(void)close(make_dir(top, "gone"));
	(void)close(make_dir(top, "link"));
	(void)close(make_dir(top, "file"));
	while ((r = walk_next(walk, &entry)) > 0) {
		note(&out, r, &entry);
		assert_int_equal(unlinkat(top, entry.name, AT_REMOVEDIR), 0);
		if (streq(entry.name, "link"))
			assert_int_equal(symlinkat("/", top, "link"), 0);
		if (streq(entry.name, "file"))
			make_file(top, "file");
	}
	assert_int_equal(r, 0);
	assert_string_equal(strbuf_get(&out), "file/|gone/|link/|");
	(void)unlinkat(top, "file", 0);
	(void)unlinkat(top, "link", 0);
	assert_int_equal(unlinkat(base_fd, "changes", AT_REMOVEDIR), 0);
}

/* The directory was moved away while the walk was deep below it: it cannot be found again. */
static void test_moved(void **state)
{
	const struct walk_options options = { 0 };
	int top = make_dir(base_fd, "moved");
	auto_(walk_freep) struct walk *walk = walk_new(&options, top, NULL);
	struct walk_entry entry;
	int fd = dup(top);
	int r;

	for (int i = 0; i < WALK_OPEN_DIRS + 4; i++) {
		int next = make_dir(fd, "d");

		make_file(fd, "zz");
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	do
		r = walk_next(walk, &entry);
	while (r == WALK_ENTRY);
	assert_int_equal(r, WALK_LEAVE);
	assert_int_equal(renameat(top, "d", top, "e"), 0);
	(void)close(make_dir(top, "d"));
	for (int i = 0; i < WALK_OPEN_DIRS + 2; i++) {
		do
			r = walk_next(walk, &entry);
		while (r == WALK_ENTRY && entry.depth > 2);
		if (entry.depth <= 2)
			break;
	}
	/* "d/zz" is still told, but nothing can be done to it there. */
	assert_string_equal(entry.path, "d/d");
	assert_int_equal(r, WALK_LEAVE);
	assert_int_equal(walk_dir_fd(walk), -EAGAIN);
	(void)delete_below(top);
	(void)close(top);
	assert_int_equal(unlinkat(base_fd, "moved", AT_REMOVEDIR), 0);
}

static void test_unreadable_start(void **state)
{
	const struct walk_options options = { 0 };
	auto_close int file = openat(base_fd, "a/x", O_RDONLY | O_CLOEXEC);
	auto_(walk_freep) struct walk *walk = walk_new(&options, file, NULL);
	struct walk_entry entry;

	assert_int_equal(walk_next(walk, &entry), WALK_UNREADABLE);
	assert_string_equal(entry.path, "");
	assert_int_equal(entry.error, -ENOTDIR);
	assert_int_equal(walk_next(walk, &entry), WALK_END);
}

static void test_open(void **state)
{
	auto_close int fd = walk_open(base_fd, "a/sub/y", O_RDONLY);
	auto_close int self = walk_open(base_fd, "", O_PATH);
	char name[5000];

	assert_true(fd >= 0);
	assert_true(self >= 0);
	assert_int_equal(walk_open(base_fd, "link/x", O_RDONLY), -ELOOP);
	assert_int_equal(walk_open(base_fd, "..", O_PATH), -EXDEV);
	assert_int_equal(walk_open(base_fd, "/etc", O_PATH), -EXDEV);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(walk_open(base_fd, name, O_PATH), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_not_entered),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_unreadable_start),
		cmocka_unit_test(test_open),
	};

	if (!has_openat2()) {
		(void)puts("1..0 # SKIP openat2(2) does not work here");
		return 0;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
