/* What a session of a restricted principal sees, may call and hears. */
#include "supervisor/mcp/principal.h"
#include "tests/unit/mcp_world.h"

static void add_glob(struct conf_strs *list, const char *glob)
{
	list->items = alloc_resize(list->items, list->n + 1, sizeof(*list->items));
	list->items[list->n++] = alloc_str(glob);
}

/* The client may reach this domain, and these tools; NULL: all. */
static void let(struct client *client, const char *domain, const char *tool)
{
	auto_(principal_unrefp) struct principal *principal =
		principal_new(PRINCIPAL_KEY, "ci", "key:ci");
	const struct caller caller = { .principal = principal };

	if (domain)
		add_glob(&principal->domains, domain);
	if (tool)
		add_glob(&principal->tools, tool);
	session_set_caller(client->session, &caller);
}

static void request(struct client *client, const char *method, const char *params)
{
	auto_free char *text = alloc_printf(
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s}}", method, params);

	(void)say(client, text);
}

static void forget_lines(void)
{
	for (int i = 0; i < WORLD_DOMAINS; i++)
		strbuf_cut(&world.domains[i].line, 0);
}

static bool nothing_was_sent(void)
{
	return world.domains[0].line.len + world.domains[1].line.len + world.domains[2].line.len ==
	       0;
}

/* --- tools ------------------------------------------------------------------------------------- */

static void test_list(void **unused)
{
	come_up();
	let(&world.a, "two", NULL);
	request(&world.a, "tools/list", "");
	assert_heard(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":"
			       "\"two_read\",\"inputSchema\":{}}]}}\n");
	request(&world.b, "tools/list", "");
	assert_has(&world.b, "one_read");
	let(&world.a, NULL, "*_write");
	request(&world.a, "tools/list", "");
	assert_heard(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":"
			       "\"one_write\",\"inputSchema\":{}}]}}\n");
	request(&world.a, "tools/list", "\"cursor\":\"t1\"");
	assert_has(&world.a, "No such cursor: t1");
}

/* Byte for byte what is heard of a tool that there is not. */
static void test_call(void **unused)
{
	static const char unknown[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,"
				      "\"message\":\"Unknown tool: %s\"}}\n";
	static const char *const names[] = { "one_read", "one-read", "two_read", "none_read" };

	come_up();
	let(&world.a, "one", "one_write");
	forget_lines();
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		auto_strbuf wanted = { 0 };
		const char *at = strstr(unknown, "%s");

		strbuf_add(&wanted, unknown, (size_t)(at - unknown));
		strbuf_adds(&wanted, names[i]);
		strbuf_adds(&wanted, at + 2);
		call_tool(&world.a, "1", names[i]);
		assert_heard(&world.a, strbuf_get(&wanted));
		assert_int_equal(world.a.code, -32602);
	}
	assert_true(nothing_was_sent());
	call_tool(&world.a, "1", "one_write");
	answer(world.domains[0].last_no);
	assert_has(&world.a, "\"result\":{\"ok\":1}");
	call_tool(&world.b, "1", "one_read");
	answer(world.domains[0].last_no);
	assert_has(&world.b, "\"result\":{\"ok\":1}");
}

/* Our own workers can be asked about the fleet; a client cannot say itself what it may know. */
static void test_what_workers_are_told(void **unused)
{
	come_up();
	let(&world.a, NULL, "*_read");
	request(&world.a, "tools/call",
		"\"name\":\"one_read\",\"_meta\":{\"mcp-fleet/domains\":{\"x\":9}}");
	assert_non_null(strstr(strbuf_get(&world.domains[0].line),
		"\"_meta\":{\"mcp-fleet/domains\":{\"one\":1,\"two\":1}}"));
	assert_null(strstr(strbuf_get(&world.domains[0].line), "\"x\":9"));
	request(&world.b, "tools/call",
		"\"name\":\"one_read\",\"_meta\":{\"mcp-fleet/domains\":{\"x\":9}}");
	assert_null(strstr(strbuf_get(&world.domains[0].line), "mcp-fleet/domains"));
}

static void test_nothing(void **unused)
{
	auto_(principal_unrefp) struct principal *nobody =
		principal_new(PRINCIPAL_TOKEN, "ann", "token:x ann");
	const struct caller caller = { .principal = nobody };

	come_up();
	nobody->has_nothing = true;
	session_set_caller(world.a.session, &caller);
	request(&world.a, "tools/list", "");
	assert_has(&world.a, "\"result\":{\"tools\":[]}");
	call_tool(&world.a, "1", "one_read");
	assert_has(&world.a, "Unknown tool: one_read");
}

/* A key that was narrowed is another principal from the next request on. */
static void test_less_than_before(void **unused)
{
	come_up();
	let(&world.a, "one", NULL);
	call_tool(&world.a, "1", "one_read");
	let(&world.a, "two", NULL);
	answer(world.domains[0].last_no);
	assert_has(&world.a, "\"result\":{\"ok\":1}"); /* what was under way goes on */
	call_tool(&world.a, "2", "one_read");
	assert_has(&world.a, "Unknown tool: one_read");
}

/* --- the others -------------------------------------------------------------------------------- */

static void test_opening(void **unused)
{
	let(&world.a, "one", NULL);
	(void)say(&world.a, INITIALIZE("{}"));
	assert_has(&world.a, "\"capabilities\":{\"tools\":{\"listChanged\":true}},\"serverInfo\"");
	let(&world.b, "ext", NULL);
	(void)say(&world.b, INITIALIZE("{}"));
	assert_has(&world.b, "\"resources\":{\"subscribe\":true,\"listChanged\":true},\"prompts\"");
}

static void test_discover(void **unused)
{
	struct client once = { 0 };

	open_once(&once);
	let(&once, "one", NULL);
	(void)say(&once, MODERN("1", "server/discover", META("{}", "")));
	assert_has(&once, "\"capabilities\":{\"tools\":{\"listChanged\":true}}");
	session_gone(once.session);
	strbuf_done(&once.got);
}

static void test_methods_of_what_is_hidden(void **unused)
{
	static const struct {
		const char *method;
		const char *params;
	} cases[] = {
		{ "resources/list", "" },
		{ "resources/templates/list", "" },
		{ "resources/read", "\"uri\":\"ext+x://a\"" },
		{ "resources/subscribe", "\"uri\":\"ext+x://a\"" },
		{ "resources/unsubscribe", "\"uri\":\"ext+x://a\"" },
		{ "prompts/list", "" },
		{ "prompts/get", "\"name\":\"ext_ask\"" },
		{ "completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"ext_ask\"}" },
		{ "logging/setLevel", "\"level\":\"debug\"" },
	};

	let(&world.a, "one", NULL);
	(void)say(&world.a, INITIALIZE("{}"));
	forget_lines();
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		(void)heard(&world.a);
		request(&world.a, cases[i].method, cases[i].params);
		assert_has(&world.a, "\"code\":-32601"); /* as in a fleet without such a domain */
	}
	assert_true(nothing_was_sent());
	let(&world.a, "ext", NULL);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		request(&world.a, cases[i].method, cases[i].params);
		assert_null(strstr(heard(&world.a), "\"error\""));
	}
}

/* --- news -------------------------------------------------------------------------------------- */

#define TOOLS_CHANGED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n"

static void test_changes(void **unused)
{
	come_up();
	let(&world.a, "two", NULL);
	(void)say(&world.a, INITIALIZE("{}"));
	(void)say(&world.b, INITIALIZE("{}"));
	(void)heard(&world.a);
	(void)heard(&world.b);
	offer(&world.domains[0], "[{\"name\":\"one_new\",\"inputSchema\":{}}]");
	assert_heard(&world.a, "");
	assert_heard(&world.b, TOOLS_CHANGED);
	offer(&world.domains[1], "[{\"name\":\"two_new\",\"inputSchema\":{}}]");
	assert_heard(&world.a, TOOLS_CHANGED);
	assert_heard(&world.b, TOOLS_CHANGED);
}

static void test_watches_end_with_the_right(void **unused)
{
	static const char updated[] =
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\","
		"\"params\":{\"uri\":\"x://a\"}}";

	let(&world.a, "ext", NULL);
	(void)say(&world.a, INITIALIZE("{}"));
	request(&world.a, "resources/subscribe", "\"uri\":\"ext+x://a\"");
	(void)heard(&world.a);
	ext_tells(updated, NULL, 0);
	assert_has(&world.a, "\"uri\":\"ext+x://a\"");
	let(&world.a, "one", NULL);
	assert_has(&world.a, "notifications/resources/list_changed"); /* it could see them before */
	ext_tells(updated, NULL, 0);
	assert_heard(&world.a, "");
}

static void test_rights_that_change(void **unused)
{
	struct client once = { 0 };

	come_up();
	open_once(&once);
	let(&once, "one", NULL);
	(void)say(&once, MODERN("7", "subscriptions/listen",
				 "\"notifications\":{\"toolsListChanged\":true,"
				 "\"promptsListChanged\":true}," META("{}", "")));
	let(&world.a, "two", NULL);
	assert_heard(&world.a, ""); /* whose it is begins with this */
	let(&world.a, "one", NULL);
	assert_heard(&world.a, ""); /* it has not said initialize */
	(void)say(&world.a, INITIALIZE("{}"));
	(void)heard(&world.a);
	let(&world.a, "one", NULL);
	assert_heard(&world.a, ""); /* the same rights */
	let(&world.a, "one", "one_read");
	assert_heard(&world.a, TOOLS_CHANGED);
	let(&world.a, NULL, NULL);
	assert_heard(&world.a, TOOLS_CHANGED);
	(void)heard(&once);
	let(&once, NULL, NULL);
	assert_has(&once, "notifications/tools/list_changed");
	let(&once, NULL, NULL);
	assert_heard(&once, "");
	session_gone(once.session);
	strbuf_done(&once.got);
}

static void test_listen(void **unused)
{
	struct client once = { 0 };

	open_once(&once);
	let(&once, "one", NULL);
	(void)say(&once,
		MODERN("7", "subscriptions/listen",
			"\"notifications\":{\"toolsListChanged\":true,"
			"\"promptsListChanged\":true,\"resourceSubscriptions\":[\"ext+x://a\"]}," META(
				"{}", "")));
	assert_has(&once, "\"params\":{\"notifications\":{\"toolsListChanged\":true},");
	offer(&world.domains[1], "[]");
	assert_heard(&once, "");
	offer(&world.domains[0], "[]");
	assert_has(&once, "notifications/tools/list_changed");
	session_gone(once.session);
	strbuf_done(&once.got);
}

/* --- scopes ------------------------------------------------------------------------------------ */

/* A token with the scope `narrow`, where there are others: one for the tools of `two`, none for one_write. */
static void let_token(struct client *client)
{
	static char narrow[] = "narrow";
	static char wide[] = "wide";
	static char one_read[] = "one_read";
	static char two[] = "two";
	static char *narrow_tools[] = { one_read };
	static char *wide_domains[] = { two };
	static struct conf_grant grants[] = {
		{ .scope = narrow, .tools = { .items = narrow_tools, .n = 1 } },
		{ .scope = wide, .domains = { .items = wide_domains, .n = 1 } },
	};
	auto_(principal_unrefp) struct principal *principal =
		principal_new(PRINCIPAL_TOKEN, "ann", "token:ann");
	const struct caller caller = { .principal = principal };

	principal_add_grant(principal, &grants[0]);
	session_set_caller(client->session, &caller);
	world_set_scopes((struct conf_grants){ .items = grants, .n = N_ELEMENTS(grants) });
}

static enum mcp_verdict call_with(
	struct client *client, const char *tool, struct strbuf *reply, struct strbuf *scopes)
{
	auto_free char *text =
		alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
			     "\"params\":{\"name\":\"%s\"}}",
			tool);
	const struct mcp_input input = { .text = text, .len = strlen(text), .scopes = scopes };
	enum mcp_verdict verdict = mcp_receive(world.mcp, client->session, &input, reply);

	loop_settle(world.loop);
	return verdict;
}

#define LACKS                                                                                                     \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"the scopes of this token do not " \
	"reach this tool: it takes narrow wide\"}}"

static void test_scopes(void **unused)
{
	auto_strbuf reply = { 0 };
	auto_strbuf scopes = { 0 };

	come_up();
	let_token(&world.a);
	forget_lines();
	assert_int_equal(call_with(&world.a, "two_read", &reply, &scopes), MCP_FORBIDDEN);
	assert_string_equal(strbuf_get(&scopes), "narrow wide");
	assert_string_equal(strbuf_get(&reply), LACKS);
	assert_heard(&world.a, "");
	/* Where there is no place for a challenge it is an answer. */
	request(&world.a, "tools/call", "\"name\":\"two_read\"");
	assert_heard(&world.a, LACKS "\n");
	assert_true(nothing_was_sent());
	/* What no scope reaches, and what there is not, are the same. */
	strbuf_cut(&scopes, 0);
	assert_int_equal(call_with(&world.a, "one_write", &reply, &scopes), MCP_ACCEPTED);
	assert_has(&world.a, "Unknown tool: one_write");
	assert_int_equal(call_with(&world.a, "none_read", &reply, &scopes), MCP_ACCEPTED);
	assert_has(&world.a, "Unknown tool: none_read");
	/* A NUL does not end a name. */
	assert_int_equal(call_with(&world.a, "two_read\\u0000", &reply, &scopes), MCP_ACCEPTED);
	assert_has(&world.a, "Unknown tool: ");
	/* A key gets no scopes, whatever they reach. */
	let(&world.a, "one", "one_read");
	assert_int_equal(call_with(&world.a, "two_read", &reply, &scopes), MCP_ACCEPTED);
	assert_has(&world.a, "Unknown tool: two_read");
	assert_int_equal(scopes.len, 0);
	world_set_scopes((struct conf_grants){ 0 });
}

/* --- ------------------------------------------------------------------------------------------- */

static int set_up_ext(void **unused)
{
	world_set_up_ext(true, true, LISTS, CAPABILITIES);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_list, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(test_call, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_workers_are_told, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(test_nothing, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(
			test_less_than_before, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(test_opening, set_up_ext, world_tear_down),
		cmocka_unit_test_setup_teardown(test_discover, set_up_ext, world_tear_down),
		cmocka_unit_test_setup_teardown(
			test_methods_of_what_is_hidden, set_up_ext, world_tear_down),
		cmocka_unit_test_setup_teardown(test_changes, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(
			test_watches_end_with_the_right, set_up_ext, world_tear_down),
		cmocka_unit_test_setup_teardown(
			test_rights_that_change, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(test_listen, set_up_ext, world_tear_down),
		cmocka_unit_test_setup_teardown(test_scopes, world_set_up, world_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
