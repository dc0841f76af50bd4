/* file:// URIs of clients, and what params._meta does to the roots of one call. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "workers/common/roots.h"
#include "workers/filesystem/client_roots.h"
#include "workers/filesystem/settings.h"

static const struct {
	const char *uri;
	const char *path; /* NULL: it is none */
} uris[] = {
	{ "file:///srv/a", "/srv/a" },
	{ "file:///", "/" },
	{ "FILE:///srv", "/srv" },
	{ "file://localhost/srv", "/srv" },
	{ "file://LocalHost/srv", "/srv" },
	{ "file:///srv/a%20b/%C3%A9", "/srv/a b/\xc3\xa9" },
	{ "file:///srv/\xc3\xa9", "/srv/\xc3\xa9" },
	{ "file:///srv/../etc", "/srv/../etc" },
	{ "file:///c:/x", "/c:/x" },
	{ "", NULL },
	{ "file", NULL },
	{ "file:", NULL },
	{ "file:/srv", NULL },
	{ "file://", NULL },
	{ "file://srv", NULL },
	{ "file://localhost", NULL },
	{ "file://example.org/srv", NULL },
	{ "file://127.0.0.1/srv", NULL },
	{ "file://localhost:80/srv", NULL },
	{ "file://user@localhost/srv", NULL },
	{ "http:///srv", NULL },
	{ "file:///srv?x", NULL },
	{ "file:///srv#x", NULL },
	{ "file:///srv%2Fa", NULL },
	{ "file:///srv%00", NULL },
	{ "file:///srv%0a", NULL },
	{ "file:///srv%ff", NULL },
	{ "file:///srv%", NULL },
	{ "file:///srv%zz", NULL },
	{ "file:///srv\\a", "/srv\\a" },
};

static void test_uris(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(uris); i++) {
		auto_free char *copy = alloc_mem(uris[i].uri, strlen(uris[i].uri));
		auto_strbuf path = { 0 };
		bool is_good = client_roots_read_uri(copy, strlen(copy), &path);

		if (is_good != (uris[i].path != NULL))
			fail_msg("%s", uris[i].uri);
		if (is_good)
			assert_string_equal(strbuf_get(&path), uris[i].path);
	}
}

static void test_a_nul_byte(void **unused)
{
	auto_strbuf path = { 0 };

	assert_false(client_roots_read_uri("file:///a\0b", 11, &path));
}

static char base[] = "/tmp/test_root_uris.XXXXXX";

/* As in test_roots.c. */
static bool has_openat2(void)
{
	return syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno != ENOSYS;
}

static int set_up(void **unused)
{
	auto_free char *sub = NULL;

	assert_non_null(mkdtemp(base));
	sub = alloc_printf("%s/s ub", base);
	assert_int_equal(mkdir(sub, 0700), 0);
	return 0;
}

static int tear_down(void **unused)
{
	auto_free char *sub = alloc_printf("%s/s ub", base);

	roots_close();
	return rmdir(sub) == 0 && rmdir(base) == 0 ? 0 : -1;
}

/* What is left of the root "@" with this _meta. */
static void check(bool use, const char *meta_text, const char *expected)
{
	const struct filesystem_settings settings = { .use_client_roots = use };
	auto_strbuf text = { 0 };
	auto_strbuf left = { 0 };
	struct jspan meta = { 0 };

	for (; meta_text && *meta_text; meta_text++)
		if (*meta_text == '@')
			strbuf_adds(&text, base);
		else
			strbuf_addc(&text, *meta_text);
	if (meta_text)
		assert_int_equal(jspan_check(strbuf_get(&text), text.len, &meta, NULL), 0);
	client_roots_begin(&settings, meta);
	for (size_t i = 0; i < roots_count(); i++)
		strbuf_addf(&left, "@%s ", roots_get(i)->path + strlen(base));
	assert_string_equal(strbuf_get(&left), expected);
	client_roots_end();
	assert_int_equal(roots_count(), 1); /* nothing stays for the next call */
	assert_false(roots_are_narrow());
}

static void test_meta(void **unused)
{
	struct fail fail = { 0 };

	if (!has_openat2())
		skip();
	assert_int_equal(roots_open(base, true, &fail), 0);
	check(true, NULL, "@ ");
	check(true, "{}", "@ ");
	check(true, "7", "@ ");
	check(true, "{\"mcp-fleet/roots\":[\"file://@/s%20ub\"]}", "@/s ub ");
	check(false, "{\"mcp-fleet/roots\":[\"file://@/s%20ub\"]}", "@ ");
	check(true, "{\"mcp-fleet/roots\":[\"file://@/none\",7,\"x\",\"file://@\"]}", "@ ");
	/* What cannot be read reaches nothing. */
	check(true, "{\"mcp-fleet/roots\":[]}", "");
	check(true, "{\"mcp-fleet/roots\":null}", "");
	check(true, "{\"mcp-fleet/roots\":\"file://@\"}", "");
	check(true, "{\"mcp-fleet/roots\":[\"file://@\"],\"mcp-fleet/roots\":[\"file://@\"]}", "");
	check(true, "{\"mcp-fleet/roots\":[\"http://@\",\"file://host@\",\"file://@%00\"]}", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uris),
		cmocka_unit_test(test_a_nul_byte),
		cmocka_unit_test_setup_teardown(test_meta, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
