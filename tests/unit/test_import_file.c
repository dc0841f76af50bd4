/* Configuration files of clients as servers: the files of each client, the forms, what is refused and why. */
#include "ctl/import_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"

#define CLIENTS TOP_SRCDIR "/tests/data/clients/"

static char *get_env(const char *name)
{
	static char key[] = "k-1";
	static char empty[] = "";

	if (streq(name, "API_KEY") || streq(name, "WEB_KEY"))
		return key;
	return streq(name, "EMPTY") ? empty : NULL;
}

struct fixture {
	struct forms forms;
	json_t *names;
	json_t *renames;
	struct import_file file;
	struct fail fail;
};

static int set_up(void **state)
{
	struct fixture *fx = alloc_zero(sizeof(*fx));

	fx->forms =
		(struct forms){ .home = "/home/ada", .given = json_object(), .get_env = get_env };
	fx->names = json_array();
	fx->renames = json_object();
	*state = fx;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fx = *state;

	import_done(&fx->file);
	json_decref(fx->forms.given);
	json_decref(fx->names);
	json_decref(fx->renames);
	free(fx);
	return 0;
}

static int read_text(struct fixture *fx, const char *text)
{
	import_done(&fx->file);
	return import_read(text, strlen(text), &fx->forms,
		&(struct import_choice){ .names = fx->names, .renames = fx->renames }, &fx->file,
		&fx->fail);
}

static void read_client(struct fixture *fx, const char *name)
{
	auto_free char *path = alloc_printf("%s%s", CLIENTS, name);
	auto_strbuf text = { 0 };

	assert_int_equal(fd_read_file(path, 1 << 20, &text), 0);
	assert_int_equal(read_text(fx, strbuf_get(&text)), 0);
}

static const struct import_item *item(const struct fixture *fx, const char *name)
{
	for (size_t i = 0; i < fx->file.n; i++) {
		if (streq(fx->file.items[i].name, name))
			return &fx->file.items[i];
	}
	fail_msg("no item %s", name);
	return NULL;
}

static void assert_json(json_t *json, const char *text)
{
	json_auto_t *expected = json_loads(text, 0, NULL);

	assert_non_null(expected);
	assert_true(json_equal(json, expected));
}

static void assert_refused(const struct fixture *fx, const char *name, const char *why)
{
	assert_int_equal(item(fx, name)->state, IMPORT_REFUSED);
	assert_string_equal(item(fx, name)->why, why);
}

static const struct server *assert_found(const struct fixture *fx, const char *name)
{
	const struct import_item *found = item(fx, name);

	if (found->state != IMPORT_FOUND)
		fail_msg("%s: %s", name, found->why ? found->why : "disabled");
	return &found->server;
}

static void test_claude_desktop(void **state)
{
	struct fixture *fx = *state;
	const struct server *server;

	read_client(fx, "claude_desktop.json");
	assert_int_equal(fx->file.n, 3);
	server = assert_found(fx, "filesystem");
	assert_json(server->command,
		"[\"npx\", \"-y\", \"@modelcontextprotocol/server-filesystem\", \"/home/ada/Documents\"]");
	assert_false(server->is_private);
	server = assert_found(fx, "github");
	assert_json(server->secrets,
		"{\"GITHUB_PERSONAL_ACCESS_TOKEN\": \"ghp_0123456789abcdefghijABCDEFGHIJ012345\"}");
	assert_int_equal(json_object_size(server->env), 0);
	/* A form that the program itself puts in, from what it gets as its environment. */
	server = assert_found(fx, "linear");
	assert_string_equal(json_string_value(json_array_get(server->command, 5)),
		"Authorization:${AUTH_HEADER}");
}

static void test_claude_code(void **state)
{
	struct fixture *fx = *state;
	const struct server *server;

	read_client(fx, "claude_code_project.json");
	server = assert_found(fx, "api");
	assert_string_equal(server->url, "https://api.example.org/mcp");
	assert_string_equal(server->transport, "streamable");
	assert_json(server->headers, "{\"Authorization\": \"Bearer k-1\"}");
	assert_string_equal(assert_found(fx, "legacy")->transport, "sse");
	server = assert_found(fx, "db");
	assert_true(server->is_private);
	assert_json(server->env, "{\"LOG_LEVEL\": \"info\"}");
	assert_json(item(fx, "db")->extra, "[\"timeout\"]");
}

static void test_cursor(void **state)
{
	struct fixture *fx = *state;
	const struct server *server;

	read_client(fx, "cursor_tabs.json");
	assert_json(assert_found(fx, "web")->headers, "{\"X-Api-Key\": \"k-1\"}");
	assert_refused(fx, "local",
		"\"args\": ${workspaceFolder} is used: say which folder that is with --workspace DIR");
	fx->forms.workspace = "/srv/w";
	read_client(fx, "cursor_tabs.json");
	server = assert_found(fx, "local");
	assert_json(server->command,
		"[\"python3\", \"/srv/w/tools/server.py\", \"--home\", \"/home/ada\"]");
	assert_json(server->env, "{\"TEAM\": \"ä ö\", \"DEBUG\": \"no\"}");
}

static void test_vscode(void **state)
{
	struct fixture *fx = *state;
	const struct server *server;

	read_client(fx, "vscode_mcp.json");
	assert_refused(fx, "Perplexity Search",
		"\"PERPLEXITY_API_KEY\": the input \"perplexity-key\" has no value: give --input "
		"perplexity-key=VALUE");
	(void)assert_found(fx, "fetch");
	(void)json_object_set_new(fx->forms.given, "perplexity-key", json_string("hunter2"));
	read_client(fx, "vscode_mcp.json");
	server = assert_found(fx, "Perplexity Search");
	assert_string_equal(server->name, "perplexity-search");
	assert_json(server->command, "[\"uvx\", \"perplexity-mcp\", \"--region=eu\"]");
	assert_json(server->secrets, "{\"PERPLEXITY_API_KEY\": \"hunter2\"}");
	(void)json_object_set_new(fx->forms.given, "region", json_string("mars"));
	read_client(fx, "vscode_mcp.json");
	assert_refused(
		fx, "Perplexity Search", "\"args\": the input \"region\" must be one of: eu, us");
	read_client(fx, "vscode_settings.json");
	assert_json(assert_found(fx, "time")->command, "[\"uvx\", \"mcp-server-time\"]");
	read_client(fx, "windows_bom.json");
	assert_json(assert_found(fx, "old")->command, "[\"x\"]");
}

/* A password that is an argument closes the settings, and is not shown. */
static void test_password_in_arguments(void **state)
{
	struct fixture *fx = *state;
	const struct server *server;
	auto_strbuf text = { 0 };

	(void)json_object_set_new(fx->forms.given, "p", json_string("hunter2"));
	assert_int_equal(
		read_text(fx,
			"{\"inputs\": [{\"id\": \"p\", \"password\": true}], \"servers\": {\"a\": "
			"{\"command\": \"x\", \"args\": [\"-u\", \"ada,${input:p}\"]}}}"),
		0);
	server = assert_found(fx, "a");
	assert_true(server->is_private);
	server_print(server, "/d", "import", true, &text);
	assert_null(strstr(text.data, "hunter2"));
	strbuf_cut(&text, 0);
	server_print(server, "/d", "import", false, &text);
	assert_non_null(strstr(text.data, "\"ada,hunter2\""));
}

static void test_refused_servers(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(
		read_text(fx,
			"{\"mcpServers\": {\"a\": 5, \"b\": {}, \"c\": {\"command\": \"\"}, "
			"\"d\": {\"command\": \"./x\"}, \"e\": {\"command\": \"x\", \"args\": 1}, "
			"\"f\": {\"command\": \"x\", \"env\": {\"A=B\": \"1\"}}, "
			"\"g\": {\"url\": \"ftp://h/\"}, \"h\": {\"url\": \"http://h/\", \"type\": "
			"\"ws\"}, \"i\": {\"command\": \"x\", \"type\": \"sse\"}, "
			"\"j\": {\"command\": \"x\", \"args\": [\"${NO_SUCH}\"]}, "
			"\"k\": {\"url\": \"http://h/\", \"headers\": {\"A\": \"b\\nC: d\"}}, "
			"\"l\": {\"command\": \"x\", \"args\": [\"a\\u0000b\"]}, "
			"\"m\": {\"url\": \"http://u:p@h/\"}, \"n\": {\"command\": \"x\", \"cwd\": "
			"\"rel\"}}}"),
		0);
	assert_refused(fx, "a", "it is not an object");
	assert_refused(fx, "b", "it has neither a command nor a url");
	assert_refused(fx, "c", "the program's name is empty");
	assert_refused(fx, "d",
		"the program \"./x\" is neither an absolute path nor a name to look up in PATH");
	assert_refused(fx, "e", "\"args\" is not a list");
	assert_refused(
		fx, "f", "\"A=B\" is not a variable's name: letters, digits and _, no digit first");
	assert_refused(
		fx, "g", "the url \"ftp://h/\" is not http://HOST/PATH or https://HOST/PATH");
	assert_refused(fx, "h", "a transport of the type \"ws\" is not known");
	assert_refused(fx, "i", "it has a command, and its type is \"sse\"");
	assert_refused(fx, "j",
		"\"args\": the variable NO_SUCH is not set: set it for this call, or write its value into "
		"the file");
	assert_refused(fx, "k", "the header \"A\" has a control character in it");
	assert_refused(fx, "l", "\"args\" is not a text");
	assert_refused(
		fx, "m", "the url has a user name in it: give an Authorization header instead");
	assert_refused(fx, "n", "the working directory is not an absolute path");
}

static void test_taken_servers(void **state)
{
	struct fixture *fx = *state;

	fx->forms.workspace = "/w";
	assert_int_equal(
		read_text(fx,
			"{\"mcpServers\": {\"off\": {\"command\": \"x\", \"disabled\": true}, \"d\": "
			"{\"command\": \"./x\"}, \"n\": {\"command\": \"x\", \"env\": {\"N\": 5, \"B\": "
			"true, \"U\": null, \"D\": \"${EMPTY:-def}\", \"L\": \"$HOME ${} ${a b} ${x\"}, "
			"\"alwaysAllow\": []}, \"h\": {\"url\": \"http://h/\", \"headers\": "
			"{\"Accept\": \"x\", \"A\": \"b\"}}}}"),
		0);
	assert_int_equal(item(fx, "off")->state, IMPORT_DISABLED);
	assert_json(assert_found(fx, "d")->command, "[\"/w/x\"]");
	assert_json(assert_found(fx, "n")->env,
		"{\"N\": \"5\", \"B\": \"true\", \"D\": \"def\", \"L\": \"$HOME ${} ${a b} ${x\"}");
	assert_json(item(fx, "n")->extra, "[\"alwaysAllow\"]");
	assert_json(assert_found(fx, "h")->headers, "{\"A\": \"b\"}");
	assert_json(item(fx, "h")->extra, "[\"headers.Accept\"]");
}

static void test_choice(void **state)
{
	struct fixture *fx = *state;
	static const char text[] =
		"{\"mcpServers\": {\"A b\": {\"command\": \"x\"}, \"2\": {\"command\": "
		"\"${NO_SUCH}\"}}}";

	(void)json_array_append_new(fx->names, json_string("A b"));
	(void)json_object_set_new(fx->renames, "A b", json_string("better"));
	assert_int_equal(read_text(fx, text), 0);
	assert_int_equal(fx->file.n, 1);
	assert_string_equal(fx->file.items[0].server.name, "better");
	(void)json_array_append_new(fx->names, json_string("c"));
	assert_int_equal(read_text(fx, text), -EINVAL);
	assert_string_equal(fx->fail.text, "--name: there is no server \"c\" in the file");
}

static void test_no_servers(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{ "", "nothing is in it" },
		{ "[]", "no servers are in it: \"mcpServers\" (Claude, Cursor) or \"servers\" (Visual Studio "
			"Code) is looked for" },
		{ "{\"mcpServers\": [}", "1:17: a value is expected here" },
	};
	struct fixture *fx = *state;

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		assert_int_equal(read_text(fx, cases[i].text), -EINVAL);
		assert_string_equal(fx->fail.text, cases[i].words);
	}
}

static void test_names(void **state)
{
	static const struct {
		const char *from;
		const char *to;
	} cases[] = {
		{ "github", "github" },
		{ "My Server", "my-server" },
		{ "../../etc/passwd", "etc-passwd" },
		{ "a__b..c", "a-b-c" },
		{ "21st.dev", "x21st-dev" },
		{ "\xc3\xa4\n", "" },
		{ "---", "" },
		{ "abcdefghijklmnopqrstuvwxyz01234 56789", "abcdefghijklmnopqrstuvwxyz01234" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_free char *name = server_name_of(cases[i].from);

		assert_string_equal(name, cases[i].to);
	}
	assert_null(server_check_name("my-server"));
	assert_non_null(server_check_name(""));
	assert_non_null(server_check_name("../x"));
	assert_non_null(server_check_name("git"));
	assert_non_null(server_check_name("mcp"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(claude_desktop),
		TEST(claude_code),
		TEST(cursor),
		TEST(vscode),
		TEST(password_in_arguments),
		TEST(refused_servers),
		TEST(taken_servers),
		TEST(choice),
		TEST(no_servers),
		TEST(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
