/* Catalog: what is listed, under which names a tool is found, pages, filters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "shared/strbuf.h"
#include "supervisor/mcp/catalog.h"

static char *all_tools[] = { (char[]){ "*" } };

static struct conf_tools conf_tools = { .federation_prefix = (char[]){ "sanctuary" } };

static const char git_tools[] =
	"[{\"name\":\"git_log\",\"description\":\"Log.\",\"inputSchema\":{\"type\":\"object\"},"
	"\"annotations\":{\"readOnlyHint\":true},\"x-unknown\":{\"a\":[1,2.5,\"z\"]}},"
	"{\"name\":\"git_get_status\",\"inputSchema\":{\"type\":\"object\"},"
	"\"annotations\":{\"readOnlyHint\":true}},"
	"{\"name\":\"git_add\",\"inputSchema\":{\"type\":\"object\"},"
	"\"annotations\":{\"readOnlyHint\":false,\"idempotentHint\":true}},"
	"{\"name\":\"git_push\",\"inputSchema\":{\"type\":\"object\"}}]";

static const char git_info[] =
	"{\"serverInfo\":{\"version\":\"7\"},\"capabilities\":{\"experimental\":{"
	"\"mcp-fleet\":{\"summary\":\"History.\",\"aliases\":{\"git_status\":\"git_get_status\"},"
	"\"timeouts_ms\":{\"git_push\":300000}}}}}";

static struct conf_domain domain(const char *name, bool native)
{
	union {
		const char *in;
		char *out;
	} n = { name };

	return (struct conf_domain){ .name = n.out,
		.native = native ? name : NULL,
		.call_timeout_ms = 60000,
		.tools_allow = { .items = all_tools, .n = 1 } };
}

static void set(struct catalog *catalog, const struct conf_domain *conf, const char *tools,
	const char *info)
{
	json_auto_t *t = json_loads(tools, 0, NULL);
	json_auto_t *i = info ? json_loads(info, 0, NULL) : NULL;

	assert_non_null(t);
	const struct offering offering = { .info = i, .tools = t, .takes_legacy = true };

	catalog_set_domain(catalog, conf, &offering);
}

static struct catalog *with_git(void)
{
	struct catalog *catalog = catalog_new(&conf_tools);
	const struct conf_domain git = domain("git", true);

	set(catalog, &git, git_tools, git_info);
	return catalog;
}

static json_t *page(const struct endpoint *endpoint, const char *cursor)
{
	size_t len;
	const char *text = endpoint_get_page(endpoint, CATALOG_TOOLS, cursor, &len);
	json_t *json = text ? json_loadb(text, len, 0, NULL) : NULL;

	assert_true(!text || json);
	return json;
}

static void check_names(json_t *list, const char *expected)
{
	auto_strbuf names = { 0 };
	json_t *tool;
	size_t i;

	json_array_foreach(json_object_get(list, "tools"), i, tool)
		strbuf_addf(&names, "%s%s", i ? " " : "",
			json_string_value(json_object_get(tool, "name")));
	assert_string_equal(strbuf_get(&names), expected);
}

static void test_list_keeps_order_and_unknown_fields(void **unused)
{
	struct catalog *catalog = with_git();
	json_auto_t *list = page(catalog_endpoint(catalog, NULL), NULL);
	json_auto_t *given = json_loads(git_tools, 0, NULL);

	check_names(list, "git_log git_get_status git_add git_push");
	assert_true(json_equal(json_object_get(list, "tools"), given));
	assert_null(json_object_get(list, "nextCursor"));
	assert_string_equal(catalog_get_version(catalog, "git"), "7");
	catalog_free(catalog);
}

static void test_summary(void **unused)
{
	struct catalog *catalog = with_git();
	const struct conf_domain git = domain("git", true);
	auto_free char *book = alloc_printf(
		"{\"capabilities\":{\"experimental\":{\"mcp-fleet\":{\"summary\":\"%01001d\"}}}}",
		0);

	assert_string_equal(catalog_get_summary(catalog, "git"), "History.");
	assert_string_equal(catalog_get_summary(catalog, "none"), "");
	set(catalog, &git, git_tools, book);
	assert_string_equal(catalog_get_summary(catalog, "git"), "");
	set(catalog, &git, git_tools,
		"{\"capabilities\":{\"experimental\":{\"mcp-fleet\":{\"summary\":7}}}}");
	assert_string_equal(catalog_get_summary(catalog, "git"), "");
	set(catalog, &git, git_tools, NULL); /* it speaks the protocol, and nothing of ours */
	assert_string_equal(catalog_get_summary(catalog, "git"), "");
	catalog_free(catalog);
}

static void test_names(void **unused)
{
	static const struct {
		const char *name;
		const char *worker_name; /* NULL: not found */
	} cases[] = {
		{ "git_log", "git_log" },
		{ "git-log", "git_log" },
		{ "git.get-status", "git_get_status" },
		{ "git_status", "git_status" }, /* an alias goes to the worker as itself */
		{ "git-status", "git_status" },
		{ "sanctuary.git.get_status", "git_get_status" },
		{ "sanctuary.git.git_log", "git_log" },
		{ "sanctuary.git.git-log", "git_log" },
		{ "sanctuary.git.status", "git_status" },
		{ "sanctuary.utils.git_log", NULL },
		{ "sanctuary.git.", NULL },
		{ "sanctuary.", NULL },
		{ "sanctuary", NULL },
		{ "other.git.get_status", NULL },
		{ "Git_log", NULL },
		{ "git_lo", NULL },
		{ "", NULL },
	};
	struct catalog *catalog = with_git();
	struct catalog_target tool;

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		bool found =
			endpoint_find_tool(catalog_endpoint(catalog, NULL), cases[i].name, &tool);

		if (found != (cases[i].worker_name != NULL))
			fail_msg("'%s' was%s found", cases[i].name, found ? "" : " not");
		if (found)
			assert_string_equal(tool.worker_name, cases[i].worker_name);
	}
	catalog_free(catalog);
}

static void test_hints_and_timeouts(void **unused)
{
	struct catalog *catalog = with_git();
	const struct endpoint *all = catalog_endpoint(catalog, NULL);
	struct catalog_target tool;

	assert_true(endpoint_find_tool(all, "git_log", &tool));
	assert_true(tool.may_rerun);
	assert_int_equal(tool.timeout_ms, 60000);
	assert_true(endpoint_find_tool(all, "git_add", &tool));
	assert_true(tool.may_rerun); /* idempotent */
	assert_true(endpoint_find_tool(all, "git_push", &tool));
	assert_false(tool.may_rerun); /* nothing was promised */
	assert_int_equal(tool.timeout_ms, 300000);
	assert_string_equal(tool.domain, "git");
	catalog_free(catalog);
}

static void test_endpoints(void **unused)
{
	struct catalog *catalog = with_git();
	const struct conf_domain ext = domain("my-ext", false);
	struct catalog_target tool;

	set(catalog, &ext,
		"[{\"name\":\"echo\",\"inputSchema\":{}},{\"name\":\"my_ext_two\",\"inputSchema\":{}},"
		"{\"name\":\"no_schema\"},{\"inputSchema\":{}}]",
		NULL);
	json_auto_t *all = page(catalog_endpoint(catalog, NULL), NULL);
	json_auto_t *one = page(catalog_endpoint(catalog, "my-ext"), NULL);
	check_names(all, "git_log git_get_status git_add git_push my_ext_echo my_ext_two");
	check_names(one, "my_ext_echo my_ext_two");
	assert_true(endpoint_find_tool(catalog_endpoint(catalog, "my-ext"), "my_ext_echo", &tool));
	assert_string_equal(tool.worker_name, "echo");
	assert_false(endpoint_find_tool(catalog_endpoint(catalog, "my-ext"), "git_log", &tool));
	assert_false(endpoint_find_tool(catalog_endpoint(catalog, "git"), "my_ext_echo", &tool));
	assert_null(catalog_endpoint(catalog, "none"));
	catalog_free(catalog);
}

static void test_filters(void **unused)
{
	char *deny[] = { (char[]){ "*_push" }, (char[]){ "git_get_*" } };
	struct conf_domain git = domain("git", true);
	struct catalog *catalog = catalog_new(&conf_tools);
	struct catalog_target tool;

	git.tools_deny = (struct conf_strs){ .items = deny, .n = 2 };
	set(catalog, &git, git_tools, git_info);
	json_auto_t *list = page(catalog_endpoint(catalog, NULL), NULL);
	check_names(list, "git_log git_add");
	/* Not by another name either. */
	assert_false(endpoint_find_tool(catalog_endpoint(catalog, NULL), "git_status", &tool));
	assert_false(
		endpoint_find_tool(catalog_endpoint(catalog, NULL), "sanctuary.git.push", &tool));

	git.tools_deny = (struct conf_strs){ 0 };
	git.tools_read_only = true;
	set(catalog, &git, git_tools, git_info);
	json_auto_t *read_only = page(catalog_endpoint(catalog, NULL), NULL);
	check_names(read_only, "git_log git_get_status");
	catalog_free(catalog);
}

/* External tools are filtered by the names that clients see, and a name is offered once. */
static void test_external_names(void **unused)
{
	static const char tools[] = "[{\"name\":\"get\",\"inputSchema\":{}},"
				    "{\"name\":\"wipe\",\"inputSchema\":{}},"
				    "{\"name\":\"get\",\"title\":\"x\",\"inputSchema\":{}},"
				    "{\"name\":\"box_get\",\"inputSchema\":{}}]";
	char *allow[] = { (char[]){ "box_*" } };
	char *deny[] = { (char[]){ "box_wipe" } };
	struct catalog *catalog = catalog_new(&conf_tools);
	struct conf_domain box = domain("box", false);
	json_t *list;

	(void)unused;
	set(catalog, &box, tools, NULL);
	list = page(catalog_endpoint(catalog, "box"), NULL);
	check_names(list, "box_get box_wipe");
	json_decref(list);

	box.tools_allow = (struct conf_strs){ .items = allow, .n = 1 };
	box.tools_deny = (struct conf_strs){ .items = deny, .n = 1 };
	set(catalog, &box, tools, NULL);
	list = page(catalog_endpoint(catalog, "box"), NULL);
	check_names(list, "box_get");
	json_decref(list);
	catalog_free(catalog);
}

static void test_pages(void **unused)
{
	struct conf_tools paged = { .federation_prefix = (char[]){ "" }, .page_size = 3 };
	struct catalog *catalog = with_git();
	const struct endpoint *all = catalog_endpoint(catalog, NULL);

	catalog_set_conf(catalog, &paged);
	json_auto_t *first = page(all, NULL);
	check_names(first, "git_log git_get_status git_add");
	const char *cursor = json_string_value(json_object_get(first, "nextCursor"));
	assert_non_null(cursor);
	json_auto_t *second = page(all, cursor);
	check_names(second, "git_push");
	assert_null(json_object_get(second, "nextCursor"));
	static const char *const wrong[] = { "", "t", "t0", "t2", "t6", "t-3", "t3x", "3",
		"t18446744073709551619" };
	for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
		json_auto_t *none = page(all, wrong[i]);

		if (none)
			fail_msg("cursor '%s' was taken", wrong[i]);
	}
	catalog_free(catalog);
}

static void test_versions(void **unused)
{
	struct catalog *catalog = with_git();
	const struct conf_domain git = domain("git", true);
	const struct endpoint *all = catalog_endpoint(catalog, NULL);
	uint64_t before = endpoint_get_version(all, CATALOG_TOOLS);

	set(catalog, &git, git_tools, git_info);
	assert_int_equal(endpoint_get_version(all, CATALOG_TOOLS), before); /* the same list */
	catalog_set_domain(catalog, &git, NULL);
	assert_true(endpoint_get_version(all, CATALOG_TOOLS) > before);
	assert_int_equal(endpoint_count_tools(all), 0);
	json_auto_t *list = page(all, NULL);
	check_names(list, "");
	before = endpoint_get_version(all, CATALOG_TOOLS);
	catalog_remove_domain(catalog, "git");
	assert_int_equal(endpoint_get_version(all, CATALOG_TOOLS), before);
	catalog_remove_domain(catalog, "git");
	catalog_free(catalog);
}

static char logged[1024];

static void keep_message(const struct iovec *fields, int n)
{
	assert_true(n > 0);
	(void)snprintf(logged, sizeof(logged), "%.*s", (int)fields[0].iov_len,
		(const char *)fields[0].iov_base);
}

/* A tool whose annotations are no good is listed all the same, and the log says what ails it. */
static void test_mirrored_arguments(void **unused)
{
	struct catalog *catalog = catalog_new(&conf_tools);
	const struct conf_domain git = domain("git", true);
	const struct endpoint *all = catalog_endpoint(catalog, NULL);
	struct catalog_target tool;

	logged[0] = '\0';
	log_set_journal(keep_message);
	log_init("test", LOG_TARGET_JOURNAL, LOG_LEVEL_WARNING);
	set(catalog, &git,
		"[{\"name\":\"git_a\",\"inputSchema\":{\"properties\":{\"x\":{\"type\":\"string\","
		"\"x-mcp-header\":\"X\"}}}},{\"name\":\"git_b\",\"inputSchema\":{}}]",
		NULL);
	assert_string_equal(logged, "");
	assert_true(endpoint_find_tool(all, "git_a", &tool) && tool.has_headers);
	assert_true(endpoint_find_tool(all, "git_b", &tool) && !tool.has_headers);

	set(catalog, &git,
		"[{\"name\":\"git_a\",\"inputSchema\":{\"properties\":{\"x\":{\"type\":\"number\","
		"\"x-mcp-header\":\"X\"}}}}]",
		NULL);
	assert_string_equal(logged,
		"MESSAGE=domain git: tool git_a: x-mcp-header of \"x\" stands on a type other than "
		"string, integer and boolean; clients of protocol revision 2026-07-28 will leave it "
		"out");
	assert_true(endpoint_find_tool(all, "git_a", &tool) && !tool.has_headers);
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	log_set_journal(NULL);
	catalog_free(catalog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_keeps_order_and_unknown_fields),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_hints_and_timeouts),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_external_names),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_mirrored_arguments),
	};

	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
