/* A path as askers write it: what place_find() takes lies in the root by its text, and what the kernel
 * opens for it lies there in truth, whatever links, dots and slashes it goes through; and the same of what a
 * client's root of this path leaves of the set.
 *
 * An '@' at the start stands for the root's absolute path, a '%' for that of the folder beside it whose
 * name begins with the root's. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/fd.h"
#include "shared/strbuf.h"
#include "tests/fuzz/fuzz.h"
#include "workers/common/roots.h"

static char top[] = "/tmp/fuzz_path.XXXXXX";
static char *root_path;
static char *beside_path;

static void make(const char *dir, const char *name, const char *target)
{
	auto_free char *path = alloc_printf("%s/%s", dir, name);

	if (target)
		CHECK(symlink(target, path) == 0);
	else
		CHECK(mkdir(path, 0700) == 0);
}

/* Entries are removed by name: nothing here follows a link. */
static void clean_up(void)
{
	static const char *const names[] = { "in", "up", "far", "absolute", "loop", "a/b", "a" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		auto_free char *path = alloc_printf("%s/%s", root_path, names[i]);

		(void)remove(path);
	}
	(void)remove(root_path);
	(void)remove(beside_path);
	(void)remove(top);
	roots_close();
	free(root_path);
	free(beside_path);
}

static void set_up(void)
{
	struct fail fail = { 0 };

	CHECK(mkdtemp(top));
	root_path = alloc_printf("%s/root", top);
	beside_path = alloc_printf("%s/root-secret", top);
	make(top, "root", NULL);
	make(top, "root-secret", NULL);
	make(root_path, "a", NULL);
	make(root_path, "a/b", NULL);
	make(root_path, "in", "a/b");
	make(root_path, "up", "..");
	make(root_path, "far", "../root-secret");
	make(root_path, "absolute", "/etc");
	make(root_path, "loop", "loop");
	CHECK(roots_open(root_path, true, &fail) == 0);
	CHECK(atexit(clean_up) == 0);
}

static void check_text(const struct place *place)
{
	const char *at = place->rest;

	CHECK(root_has(place->root, place->full));
	CHECK(*at && *at != '/');
	for (bool is_first = true; *at; is_first = false) {
		size_t len = strcspn(at, "/");

		CHECK(len > 0 && len <= 255);
		CHECK(!(len == 2 && memcmp(at, "..", 2) == 0));
		CHECK(!(len == 1 && *at == '.') || (is_first && at[1] == '\0'));
		at += len;
		if (*at == '/')
			CHECK(*++at != '\0');
	}
}

static void check_place(const struct place *place)
{
	auto_close int fd = -1;
	auto_free char *real = NULL;

	check_text(place);
	fd = place_open(place, O_PATH, 0);
	CHECK(fd >= 0 || fd == -EXDEV || fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ||
		fd == -ENAMETOOLONG || fd == -EACCES);
	if (fd < 0)
		return;
	real = path_of_fd(fd);
	CHECK(real && root_has(place->root, real));
}

static void check_narrow(const char *path)
{
	roots_narrow(&path, 1);
	CHECK(roots_count() <= 1);
	for (size_t i = 0; i < roots_count(); i++) {
		auto_free char *real = path_of_fd(roots_get(i)->fd);

		CHECK(real && streq(real, roots_get(i)->path));
		CHECK(strncmp(real, root_path, strlen(root_path)) == 0);
		CHECK(real[strlen(root_path)] == '/' || real[strlen(root_path)] == '\0');
	}
	roots_widen();
	CHECK(roots_count() == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = alloc_mem(data, size);
	auto_strbuf path = { 0 };
	struct place place = { 0 };
	struct fail fail = { 0 };
	int r;

	if (!root_path)
		set_up();
	if (*text == '@' || *text == '%')
		strbuf_addf(&path, "%s%s", *text == '@' ? root_path : beside_path, text + 1);
	else
		strbuf_adds(&path, text);
	r = place_find(strbuf_get(&path), &place, &fail);
	CHECK(r == 0 || r == -EINVAL || r == -EXDEV);
	if (r == 0)
		check_place(&place);
	else
		CHECK(*fail.text);
	if (*text == '%')
		CHECK(r != 0 || strstr(text, ".."));
	place_done(&place);
	check_narrow(strbuf_get(&path));
	return 0;
}
