/* Roots and paths below them, on real directories: "..", symlinks, magic links, look-alikes. */
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
#include "workers/common/roots.h"

/* base/a (root, writable), base/a-evil, base/b (root, read only), base/b/inner (root), base/secret */
static char base[] = "/tmp/test_roots.XXXXXX";

/* What lies below base. */
static const struct {
	const char *path;
	const char *link; /* a symlink to this */
	mode_t type;
} things[] = {
	{ "a", NULL, S_IFDIR },
	{ "a/dir", NULL, S_IFDIR },
	{ "a/dir/sub", NULL, S_IFDIR },
	{ "a-evil", NULL, S_IFDIR },
	{ "b", NULL, S_IFDIR },
	{ "b/inner", NULL, S_IFDIR },
	{ "b/inner/deep", NULL, S_IFDIR },
	{ "secret", NULL, S_IFREG },
	{ "a/file", NULL, S_IFREG },
	{ "a/dir/g", NULL, S_IFREG },
	{ "a-evil/file", NULL, S_IFREG },
	{ "a/fifo", NULL, S_IFIFO },
	{ "link_to_a", "a", S_IFLNK },
	{ "link_to_inner", "b/inner", S_IFLNK },
	{ "a/out", "../secret", S_IFLNK },
	{ "a/in", "file", S_IFLNK },
	{ "a/absolute", "/etc/passwd", S_IFLNK },
	{ "a/up", "..", S_IFLNK },
	{ "a/loop", "loop", S_IFLNK },
	{ "a/magic", "/proc/self/root", S_IFLNK },
	{ "a/dirlink", "dir", S_IFLNK },
};

static void make_things(void)
{
	auto_close int dir = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < N_ELEMENTS(things); i++) {
		const char *path = things[i].path;
		int r;

		if (things[i].type == S_IFDIR)
			r = mkdirat(dir, path, 0700);
		else if (things[i].link)
			r = symlinkat(things[i].link, dir, path);
		else
			r = mknodat(dir, path, things[i].type | 0600, 0);
		assert_int_equal(r, 0);
	}
}

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
	static const char *const names[] = { "a", "b", "b/inner", "link_to_a" };
	struct fail fail = { 0 };

	assert_non_null(mkdtemp(base));
	make_things();
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		auto_free char *path = alloc_printf("%s/%s", base, names[i]);

		assert_int_equal(roots_open(path, i == 0, &fail), 0);
	}
	return 0;
}

static int tear_down(void **state)
{
	roots_close();
	assert_int_equal(roots_count(), 0);
	assert_null(roots_get(0));
	return nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_roots(void **state)
{
	/* link_to_a is a. */
	assert_int_equal(roots_count(), 3);
	assert_true(roots_get(0)->writable);
	assert_false(roots_get(1)->writable);
	assert_null(roots_get(3));
	assert_true(root_has(roots_get(0), roots_get(0)->path));
	assert_false(root_has(roots_get(0), "/"));
}

static void test_bad_roots(void **state)
{
	auto_free char *file = alloc_printf("%s/secret", base);
	auto_free char *none = alloc_printf("%s/none", base);
	struct fail fail = { 0 };

	assert_int_equal(roots_open(file, true, &fail), -ENOTDIR);
	assert_non_null(strstr(fail.text, "cannot open the root"));
	assert_int_equal(roots_open(none, true, &fail), -ENOENT);
	assert_int_equal(roots_count(), 3);
}

static const struct {
	const char *path; /* '@' stands for base */
	int r;
	int root;
	const char *rest;
	bool relative;
} places[] = {
	{ ".", 0, 0, ".", true },
	{ "file", 0, 0, "file", true },
	{ "dir/../file", 0, 0, "file", true },
	{ "./dir//g/", 0, 0, "dir/g", true },
	{ "a/../..", -EXDEV, 0, NULL, true },
	{ "..", -EXDEV, 0, NULL, true },
	{ "../a/file", -EXDEV, 0, NULL, true },
	{ "~", 0, 0, "~", true },
	{ "%2e%2e/x", 0, 0, "%2e%2e/x", true },
	{ "file:///etc/passwd", 0, 0, "file:/etc/passwd", true },
	{ "..\\x", 0, 0, "..\\x", true },
	{ "...", 0, 0, "...", true },
	{ "@/a", 0, 0, ".", false },
	{ "@/a/", 0, 0, ".", false },
	{ "@/a/file", 0, 0, "file", false },
	{ "@/a/../a/./file", 0, 0, "file", false },
	{ "@/b/x/../../a/file", 0, 0, "file", false },
	{ "@/a-evil/file", -EXDEV, 0, NULL, false },
	{ "@/secret", -EXDEV, 0, NULL, false },
	{ "@", -EXDEV, 0, NULL, false },
	{ "/", -EXDEV, 0, NULL, false },
	{ "/etc/passwd", -EXDEV, 0, NULL, false },
	{ "/../..", -EXDEV, 0, NULL, false },
	{ "@/a/../secret", -EXDEV, 0, NULL, false },
	{ "@/b/x", 0, 1, "x", false },
	{ "@/b/inner", 0, 2, ".", false },
	{ "@/b/inner/deep", 0, 2, "deep", false },
	{ "@/b/inner-not", 0, 1, "inner-not", false },
	{ "", -EINVAL, 0, NULL, false },
};

static char *expand(const char *path)
{
	return *path == '@' ? alloc_printf("%s%s", base, path + 1) : alloc_str(path);
}

static void test_places(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(places); i++) {
		auto_free char *path = expand(places[i].path);
		auto_(place_done) struct place place = { 0 };
		struct fail fail = { 0 };

		assert_int_equal(place_find(path, &place, &fail), places[i].r);
		if (places[i].r < 0) {
			assert_true(*fail.text);
			assert_null(place.rest);
			continue;
		}
		assert_ptr_equal(place.root, roots_get((size_t)places[i].root));
		assert_string_equal(place.rest, places[i].rest);
		assert_int_equal(place.relative, places[i].relative);
		assert_true(root_has(place.root, place.full));
	}
}

/* Longest path and longest name that pass, and one byte more. */
static void test_lengths(void **state)
{
	char path[4098];
	auto_(place_done) struct place place = { 0 };
	struct fail fail = { 0 };

	for (size_t i = 0; i < sizeof(path) - 1; i++)
		path[i] = i % 2 ? '/' : 'x';
	path[4097] = '\0';
	assert_int_equal(place_find(path, &place, &fail), -EINVAL);
	path[4096] = '\0';
	assert_int_equal(place_find(path, &place, &fail), 0);
	place_done(&place);
	memset(path, 'x', 256);
	path[256] = '\0';
	assert_int_equal(place_find(path, &place, &fail), -EINVAL);
	path[255] = '\0';
	assert_int_equal(place_find(path, &place, &fail), 0);
}

static const struct {
	const char *path;
	int flags;
	int r; /* 0: a descriptor */
} opens[] = {
	{ "file", O_RDONLY, 0 },
	{ "in", O_RDONLY, 0 },
	{ "dirlink/g", O_RDONLY, 0 },
	{ ".", O_RDONLY | O_DIRECTORY, 0 },
	{ "fifo", O_RDONLY | O_NONBLOCK, 0 },
	{ "none", O_RDONLY, -ENOENT },
	{ "out", O_RDONLY, -EXDEV },
	{ "absolute", O_RDONLY, -EXDEV },
	{ "up/secret", O_RDONLY, -EXDEV },
	{ "loop", O_RDONLY, -ELOOP },
	{ "magic/etc/passwd", O_RDONLY, -EXDEV },
	{ "file/x", O_RDONLY, -ENOTDIR },
	{ "dir", O_WRONLY, -EISDIR },
	{ "out", O_WRONLY | O_CREAT, -EXDEV },
};

static void test_open(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(opens); i++) {
		auto_(place_done) struct place place = { 0 };
		struct fail fail = { 0 };
		int fd;

		assert_int_equal(place_find(opens[i].path, &place, &fail), 0);
		fd = place_open(&place, opens[i].flags, opens[i].flags & O_CREAT ? 0600 : 0);
		assert_int_equal(fd < 0 ? fd : 0, opens[i].r);
		if (fd >= 0)
			assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		(void)fd_close(fd);
	}
}

static void test_open_creates_below(void **state)
{
	auto_(place_done) struct place place = { 0 };
	auto_close int fd = -1;
	struct fail fail = { 0 };
	struct stat st;

	assert_int_equal(place_find("dirlink/new", &place, &fail), 0);
	fd = place_open(&place, O_WRONLY | O_CREAT | O_EXCL, 0640);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(place_open(&place, O_WRONLY | O_CREAT | O_EXCL, 0640), -EEXIST);
}

static void test_no_symlinks(void **state)
{
	const int dir = roots_get(0)->fd;
	auto_close int fd =
		path_open_beneath(dir, "dir/g", O_RDONLY, 0, 0x04 /* RESOLVE_NO_SYMLINKS */);

	assert_true(fd >= 0);
	assert_int_equal(path_open_beneath(dir, "dirlink/g", O_RDONLY, 0, 0x04), -ELOOP);
	assert_int_equal(path_open_beneath(dir, "..", O_PATH, 0, 0), -EXDEV);
	assert_int_equal(path_open_beneath(dir, "/etc", O_PATH, 0, 0), -EXDEV);
}

static void test_path_of_fd(void **state)
{
	auto_(place_done) struct place place = { 0 };
	struct fail fail = { 0 };
	auto_close int fd = -1;
	auto_free char *path = NULL;
	int pipe_fds[2];

	assert_int_equal(place_find("dirlink/gone", &place, &fail), 0);
	fd = place_open(&place, O_WRONLY | O_CREAT, 0600);
	path = path_of_fd(fd);
	assert_non_null(path);
	assert_int_equal(unlink(path), 0);
	assert_string_equal(path + strlen(base), "/a/dir/gone");
	assert_null(path_of_fd(fd));
	assert_int_equal(fd_pipe(pipe_fds), 0);
	assert_null(path_of_fd(pipe_fds[0]));
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	assert_null(path_of_fd(-1));
}

/* An operator may write a root by way of a symlink, and askers then use that name. */
static void test_root_by_another_name(void **state)
{
	auto_free char *link = alloc_printf("%s/link_to_inner", base);
	auto_free char *below = alloc_printf("%s/deep", link);
	auto_(place_done) struct place place = { 0 };
	struct fail fail = { 0 };

	roots_close();
	assert_int_equal(roots_open(link, false, &fail), 0);
	assert_int_equal(place_find(below, &place, &fail), 0);
	assert_string_equal(place.rest, "deep");
	assert_string_equal(place.full + strlen(base), "/b/inner/deep");
}

static void test_root_directory_as_root(void **state)
{
	auto_(place_done) struct place place = { 0 };
	struct fail fail = { 0 };

	roots_close();
	assert_int_equal(place_find("x", &place, &fail), -EXDEV);
	assert_non_null(strstr(fail.text, "there are none"));
	assert_int_equal(roots_open("/", false, &fail), 0);
	assert_int_equal(place_find("/etc/../usr/bin", &place, &fail), 0);
	assert_string_equal(place.rest, "usr/bin");
	assert_string_equal(place.full, "/usr/bin");
	place_done(&place);
	assert_int_equal(place_find("/", &place, &fail), 0);
	assert_string_equal(place.rest, ".");
	assert_string_equal(place.full, "/");
}

/* Narrowing: a (writable) holds a/dir (read only), b (read only) holds b/inner (writable). */

static void open_nested(void)
{
	static const char *const names[] = { "a", "a/dir", "b", "b/inner" };
	struct fail fail = { 0 };

	roots_close();
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		auto_free char *path = alloc_printf("%s/%s", base, names[i]);

		assert_int_equal(roots_open(path, i == 0 || i == 3, &fail), 0);
	}
}

/* '@' is base. */
static char *full_path(const char *path)
{
	return *path == '@' ? alloc_printf("%s%s", base, path + 1) : alloc_str(path);
}

static void narrow_to(const char *one, const char *two)
{
	auto_free char *first = full_path(one);
	auto_free char *second = full_path(two ? two : "");
	const char *const paths[] = { first, second };

	roots_narrow(paths, two ? 2 : 1);
}

static const struct {
	const char *paths[2];
	const char *left; /* each with its access */
} narrowings[] = {
	/* One that holds roots leaves them whole, and one that is a root. */
	{ { "/" }, "@/a:w @/a/dir:r @/b:r @/b/inner:w " },
	{ { "@" }, "@/a:w @/a/dir:r @/b:r @/b/inner:w " },
	{ { "@/a" }, "@/a:w @/a/dir:r " },
	{ { "@/a/dir" }, "@/a/dir:r " },
	{ { "@/b/inner/" }, "@/b/inner:w " },
	/* One below a root has that one's access, the innermost's. */
	{ { "@/b/inner/deep" }, "@/b/inner/deep:w " },
	{ { "@/a/dir/sub" }, "@/a/dir/sub:r " },
	{ { "@//b/./inner/../inner/deep" }, "@/b/inner/deep:w " },
	/* In their order, each once. */
	{ { "@/b/inner/deep", "@/a/dir" }, "@/b/inner/deep:w @/a/dir:r " },
	{ { "@/a/dir", "@/a" }, "@/a/dir:r @/a:w " },
	{ { "@/b/inner/deep", "@/b/inner/deep" }, "@/b/inner/deep:w " },
	/* Symlinks: the kernel judges, and the access is that of where they lead. */
	{ { "@/a/dirlink" }, "@/a/dir:r " },
	{ { "@/a/dirlink/sub" }, "@/a/dir/sub:r " },
	{ { "@/b/to_inner" }, "@/b/inner:w " },
	{ { "@/b/to_deep" }, "@/b/inner/deep:w " },
	{ { "@/b/to_here" }, "@/b:r @/b/inner:w " },
	{ { "@/a/up" }, "" },
	{ { "@/a/magic" }, "" },
	{ { "@/a/loop" }, "" },
	{ { "@/link_to_a" }, "" }, /* not a name that the operator gave */
	/* Nothing. */
	{ { "@/a-evil" }, "" },
	{ { "@/none" }, "" },
	{ { "@/a/none" }, "" },
	{ { "@/a/file" }, "" },
	{ { "@/a/fifo" }, "" },
	{ { "@/secret" }, "" },
	{ { "@/a/../a-evil" }, "" },
	{ { "/.." }, "" },
	{ { "a/dir" }, "" },
	{ { "" }, "" },
	{ { "", "@/a/dir" }, "@/a/dir:r " },
};

static void test_narrow(void **state)
{
	auto_close int dir = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(symlinkat("inner", dir, "b/to_inner"), 0);
	assert_int_equal(symlinkat("inner/deep", dir, "b/to_deep"), 0);
	assert_int_equal(symlinkat(".", dir, "b/to_here"), 0);
	open_nested();
	for (size_t i = 0; i < N_ELEMENTS(narrowings); i++) {
		auto_strbuf left = { 0 };

		narrow_to(narrowings[i].paths[0], narrowings[i].paths[1]);
		assert_true(roots_are_narrow());
		for (size_t j = 0; j < roots_count(); j++) {
			const struct root *root = roots_get(j);

			assert_memory_equal(root->path, base, strlen(base));
			strbuf_addf(&left, "@%s:%s ", root->path + strlen(base),
				root->writable ? "w" : "r");
		}
		if (!streq(strbuf_get(&left), narrowings[i].left))
			fail_msg("%s: %s", narrowings[i].paths[0], strbuf_get(&left));
		roots_widen();
		assert_int_equal(roots_count(), 4);
		assert_false(roots_are_narrow());
	}
}

static void test_places_in_a_narrow_set(void **state)
{
	auto_free char *inside = full_path("@/b/inner/deep/x");
	auto_free char *outside = full_path("@/b/inner/x");
	auto_free char *writable = full_path("@/a/file");
	auto_(place_done) struct place place = { 0 };
	struct fail fail = { 0 };

	open_nested();
	narrow_to("@/b/inner/deep", NULL);
	assert_int_equal(place_find("x", &place, &fail), 0);
	assert_string_equal(place.full, inside);
	place_done(&place);
	assert_int_equal(place_find(inside, &place, &fail), 0);
	assert_string_equal(place.rest, "x");
	place_done(&place);
	assert_int_equal(place_find("../x", &place, &fail), -EXDEV);
	assert_int_equal(place_find(outside, &place, &fail), -EXDEV);
	assert_non_null(strstr(fail.text, "/b/inner/deep"));
	assert_null(strstr(fail.text, "/a"));
	assert_true(roots_let_write(writable)); /* by other callers */
	assert_false(roots_let_write("/usr/bin/x"));

	narrow_to("/nowhere", NULL);
	assert_int_equal(place_find("x", &place, &fail), -EXDEV);
	assert_non_null(strstr(fail.text, "no root that the client tells"));
	assert_int_equal(place_find("/", &place, &fail), -EXDEV);
	roots_widen();
	assert_int_equal(place_find(outside, &place, &fail), 0);
}

static void test_narrow_leaves_no_descriptor(void **state)
{
	auto_close int after = -1;
	int before;

	open_nested();
	before = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(before);
	for (int i = 0; i < 10; i++)
		narrow_to("@/b/inner/deep", "@/a/dirlink");
	roots_widen();
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(after, before); /* the lowest that is free */
}

/* The operator's name of a root is one that clients know. */
static void test_narrow_by_another_name(void **state)
{
	auto_free char *link = full_path("@/link_to_a");
	auto_free char *below = full_path("@/link_to_a/dir/g");
	auto_free char *real = full_path("@/a/dir/g");
	auto_(place_done) struct place place = { 0 };
	struct fail fail = { 0 };

	roots_close();
	assert_int_equal(roots_open(link, true, &fail), 0);
	narrow_to("@/link_to_a/dir", NULL);
	assert_int_equal(roots_count(), 1);
	assert_int_equal(place_find(below, &place, &fail), 0);
	assert_string_equal(place.full, real);
	place_done(&place);
	assert_int_equal(place_find(real, &place, &fail), 0);
	narrow_to("@/link_to_a", NULL);
	assert_int_equal(roots_count(), 1);
	roots_widen();
}

static void test_error_codes(void **state)
{
	assert_string_equal(path_error_code(-ENOENT), "not_found");
	assert_string_equal(path_error_code(EXDEV), "outside_roots");
	assert_string_equal(path_error_code(-EACCES), "permission_denied");
	assert_string_equal(path_error_code(-EIO), "internal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_bad_roots),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_creates_below),
		cmocka_unit_test(test_no_symlinks),
		cmocka_unit_test(test_path_of_fd),
		cmocka_unit_test(test_root_by_another_name),
		cmocka_unit_test(test_root_directory_as_root),
		cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_places_in_a_narrow_set),
		cmocka_unit_test(test_narrow_leaves_no_descriptor),
		cmocka_unit_test(test_narrow_by_another_name),
		cmocka_unit_test(test_error_codes),
	};

	if (!has_openat2()) {
		printf("1..0 # SKIP no openat2(2)\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
