/* Who asks: what lists of names and grants let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/mcp/principal.h"

static char git[] = "git";
static char git_log[] = "git_log";
static char fs_read[] = "fs_read_*";
static char scope_a[] = "a";
static char scope_b[] = "b";
static char *git_items[] = { git };
static char *log_items[] = { git_log };
static char *read_items[] = { fs_read };

static const struct conf_grant git_all = { .scope = scope_a, .domains = { git_items, 1 } };
static const struct conf_grant git_some = {
	.scope = scope_a, .domains = { git_items, 1 }, .tools = { log_items, 1 }
};
static const struct conf_grant any_read = { .scope = scope_b, .tools = { read_items, 1 } };
static const struct conf_grant everything = { .scope = scope_b };

static void test_nobody(void **unused)
{
	assert_true(principal_allows_domain(NULL, "git"));
	assert_true(principal_allows_tool(NULL, "git", "git_log"));
	assert_true(principal_allows_all(NULL));
	principal_unref(NULL);
}

static void test_no_grants(void **unused)
{
	struct principal *principal = principal_new(PRINCIPAL_TOKEN, "ann", "token:x ann");

	assert_true(principal_allows_all(principal));
	assert_true(principal_allows_tool(principal, "git", "git_log"));
	principal->has_nothing = true;
	assert_false(principal_allows_all(principal));
	assert_false(principal_allows_domain(principal, "git"));
	assert_false(principal_allows_tool(principal, "git", "git_log"));
	principal_unref(principal);
}

static void test_whole_domains(void **unused)
{
	auto_(principal_unrefp) struct principal *principal =
		principal_new(PRINCIPAL_TOKEN, "ann", "token:x ann");

	assert_true(principal_allows_whole(NULL, "git"));
	assert_true(principal_allows_whole(principal, "git"));
	principal_add_grant(principal, &git_some);
	assert_false(principal_allows_whole(principal, "git"));
	principal_add_grant(principal, &any_read);
	assert_false(principal_allows_whole(principal, "git"));
	principal_add_grant(principal, &git_all);
	assert_true(principal_allows_whole(principal, "git"));
	assert_false(principal_allows_whole(principal, "filesystem"));
	principal->tools = (struct conf_strs){ log_items, 1 };
	assert_false(principal_allows_whole(principal, "git"));
	principal->tools = (struct conf_strs){ 0 };
	principal->has_nothing = true;
	assert_false(principal_allows_whole(principal, "git"));
}

/* Two grants are not one grant with the domains and the tools of both. */
static void test_union(void **unused)
{
	auto_(principal_unrefp) struct principal *principal =
		principal_new(PRINCIPAL_TOKEN, "ann", "token:x ann");

	principal_add_grant(principal, &git_all);
	assert_true(principal_allows_tool(principal, "git", "git_push"));
	assert_false(principal_allows_domain(principal, "filesystem"));
	principal_add_grant(principal, &any_read);
	assert_true(principal_allows_tool(principal, "git", "git_push"));
	assert_true(principal_allows_tool(principal, "filesystem", "fs_read_file"));
	assert_false(principal_allows_tool(principal, "filesystem", "fs_write_file"));
	assert_true(principal_allows_domain(principal, "filesystem"));
	assert_false(principal_allows_all(principal));
	principal_add_grant(principal, &everything);
	assert_true(principal_allows_all(principal));
	assert_true(principal_allows_tool(principal, "filesystem", "fs_write_file"));
}

/* Lists of its own narrow what grants allow. */
static void test_narrowed(void **unused)
{
	auto_(principal_unrefp) struct principal *principal =
		principal_new(PRINCIPAL_TOKEN, "ann", "token:x ann");

	principal_add_grant(principal, &everything);
	principal->domains = (struct conf_strs){ .items = git_items, .n = 1 };
	assert_false(principal_allows_all(principal));
	assert_true(principal_allows_tool(principal, "git", "git_log"));
	assert_false(principal_allows_tool(principal, "filesystem", "fs_read_file"));
	principal->domains = (struct conf_strs){ 0 }; /* they are the test's */
}

static void test_one_grant(void **unused)
{
	assert_true(principal_is_granted(&git_some, "git", NULL));
	assert_true(principal_is_granted(&git_some, "git", "git_log"));
	assert_false(principal_is_granted(&git_some, "git", "git_push"));
	assert_false(principal_is_granted(&git_some, "gitea", "git_log"));
}

static void test_same_rights(void **unused)
{
	struct principal *a = principal_new(PRINCIPAL_KEY, "ann", "key:ann");
	struct principal *b = principal_new(PRINCIPAL_KEY, "ann", "key:ann");

	assert_true(principal_same_rights(NULL, a));
	assert_true(principal_same_rights(a, b));
	principal_add_grant(a, &git_some);
	assert_false(principal_same_rights(a, b));
	assert_false(principal_same_rights(NULL, a));
	principal_add_grant(b, &any_read);
	assert_false(principal_same_rights(a, b));
	principal_add_grant(b, &git_some);
	assert_false(principal_same_rights(a, b));
	principal_unref(b);
	b = principal_new(PRINCIPAL_TOKEN, "ann", "token:x ann");
	principal_add_grant(b, &git_some);
	assert_true(principal_same_rights(a, b));
	b->domains = (struct conf_strs){ git_items, 1 };
	assert_false(principal_same_rights(a, b));
	b->domains = (struct conf_strs){ 0 }; /* they are the test's */
	b->has_nothing = true;
	assert_false(principal_same_rights(a, b));
	principal_unref(a);
	principal_unref(b);
}

static void test_same(void **unused)
{
	struct principal *a = principal_new(PRINCIPAL_KEY, "ann", "key:ann");
	struct principal *b = principal_new(PRINCIPAL_TOKEN, "ann", "token:x ann");
	struct principal *c = principal_new(PRINCIPAL_TOKEN, "ann", "token:x ann");

	assert_true(principal_same(NULL, NULL));
	assert_false(principal_same(a, NULL));
	assert_false(principal_same(a, b));
	assert_true(principal_same(b, c));
	assert_ptr_equal(principal_ref(a), a);
	principal_unref(a);
	principal_unref(a);
	principal_unref(b);
	principal_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_no_grants),
		cmocka_unit_test(test_whole_domains),
		cmocka_unit_test(test_union),
		cmocka_unit_test(test_narrowed),
		cmocka_unit_test(test_one_grant),
		cmocka_unit_test(test_same_rights),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
