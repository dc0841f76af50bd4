/* What mcp-fleetctl writes about a server, read by the daemon's own loader: every text comes back as it was. */
#include "ctl/server.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "supervisor/conf.h"

static char dir[] = "/tmp/test_server_yaml.XXXXXX";

/* Pieces from which texts are made: what means something in YAML, in env files, or to a terminal. */
static const char *const pieces[] = { "no", "yes", "null", "~", "1e3", "0x1f", "!x", "&a", "*a",
	"#", " #", ": ", ":", "-", "- ", " ", "\t", "\n", "\r", "\r\n", "\"", "'", "\\", "{", "}",
	"[", "]", ",", "|", ">", "%", "@", "`", "?", "=", "<<", "\x01", "\x1b[31m", "\x7f",
	"\xc2\x85", "\xc2\xa0", "\xe2\x80\xa8", "\xef\xbb\xbf", "\xef\xbf\xbe", "\xf0\x9f\x98\x80",
	"\xc3\xa4", "abc", "A=b", "..", "...", "---", "$", "${X}", "/", "2024-01-01", "12:30:45" };

static char *random_text(unsigned *seed)
{
	auto_strbuf text = { 0 };
	int n = rand_r(seed) % 6;

	for (int i = 0; i < n; i++)
		strbuf_adds(&text, pieces[(size_t)rand_r(seed) % N_ELEMENTS(pieces)]);
	return strbuf_take(&text);
}

static void write_file(const char *name, const struct strbuf *text)
{
	auto_free char *path = alloc_printf("%s/%s", dir, name);
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, strbuf_get(text), text->len), 0);
}

static char *no_environment(const char *name)
{
	return NULL;
}

static struct conf *load(const struct server *server)
{
	auto_free char *path = alloc_printf("%s/fleet.yaml", dir);
	const char *const roots[] = { "/tmp" };
	const struct conf_sources src = {
		.path = path, .roots = roots, .n_roots = 1, .get_env = no_environment
	};
	auto_strbuf yaml = { 0 };
	auto_strbuf env = { 0 };
	struct conf *conf = NULL;
	struct fail fail = { 0 };

	server_print(server, dir, "add", false, &yaml);
	server_print_env(server, &env);
	write_file("fleet.yaml", &yaml);
	write_file("x.env", &env);
	if (conf_load(&src, &conf, &fail) < 0)
		fail_msg("%s\n%s", fail.text, strbuf_get(&yaml));
	return conf;
}

/* The environment is the mapping's first, then the file's. */
static void assert_same(const struct server *server, const struct conf_domain *domain)
{
	size_t n = 0;
	const char *name;
	json_t *value;

	assert_int_equal(domain->command.n, json_array_size(server->command));
	for (size_t i = 0; i < domain->command.n; i++)
		assert_string_equal(domain->command.items[i],
			json_string_value(json_array_get(server->command, i)));
	json_object_foreach(server->env, name, value) {
		assert_string_equal(domain->env.items[n].name, name);
		assert_string_equal(domain->env.items[n++].value, json_string_value(value));
	}
	json_object_foreach(server->secrets, name, value) {
		assert_string_equal(domain->env.items[n].name, name);
		assert_string_equal(domain->env.items[n++].value, json_string_value(value));
	}
	assert_int_equal(domain->env.n, n);
}

static void try_server(unsigned seed)
{
	auto_(server_done) struct server server = server_new("x");
	auto_free char *cwd = random_text(&seed);
	struct fail fail = { 0 };

	(void)json_array_append_new(server.command, json_string("prog"));
	for (int i = 0; i < 4; i++) {
		auto_free char *text = random_text(&seed);

		(void)json_array_append_new(server.command, json_string(text));
	}
	for (int i = 0; i < 6; i++) {
		auto_free char *text = random_text(&seed);
		auto_free char *name = alloc_printf("V%d", i);

		server_set_env(&server, name, text, i % 2 == 0);
	}
	server.cwd = alloc_printf("/%s", cwd);
	assert_int_equal(server_check(&server, &fail), 0);

	auto_(conf_freep) struct conf *conf = load(&server);

	assert_same(&server, &conf->domains[0]);
	assert_string_equal(conf->domains[0].cwd, server.cwd);
}

static void test_any_text(void **state)
{
	for (unsigned seed = 1; seed <= 400; seed++)
		try_server(seed);
}

/* Each piece alone, as a whole text. */
static void test_each_piece(void **state)
{
	auto_(server_done) struct server server = server_new("x");

	(void)json_array_append_new(server.command, json_string("prog"));
	for (size_t i = 0; i < N_ELEMENTS(pieces); i++) {
		auto_free char *name = alloc_printf("V%zu", i);

		(void)json_array_append_new(server.command, json_string(pieces[i]));
		server_set_env(&server, name, pieces[i], i % 2 == 0);
	}
	auto_(conf_freep) struct conf *conf = load(&server);

	assert_same(&server, &conf->domains[0]);
}

static void test_url(void **state)
{
	auto_(server_done) struct server server = server_new("x");
	auto_strbuf headers = { 0 };
	auto_free char *path = alloc_printf("%s/x.headers", dir);
	struct fail fail = { 0 };

	server.url = alloc_str("https://h.example/mcp?a=b#c");
	server.transport = alloc_str("sse");
	(void)json_object_set_new(server.headers, "Authorization", json_string("Bearer x: y"));
	assert_int_equal(server_check(&server, &fail), -22); /* a fragment */
	free(server.url);
	server.url = alloc_str("https://h.example/mcp?a=b");
	assert_int_equal(server_check(&server, &fail), 0);

	auto_(conf_freep) struct conf *conf = load(&server);

	assert_string_equal(conf->domains[0].url, server.url);
	assert_string_equal(conf->domains[0].headers_file, path);
	assert_int_equal(conf->domains[0].remote_transport, CONF_REMOTE_SSE);
	server_print_headers(&server, &headers);
	assert_string_equal(strbuf_get(&headers), "Authorization: Bearer x: y\n");
}

static void test_masked(void **state)
{
	auto_(server_done) struct server server = server_new("x");
	auto_strbuf text = { 0 };
	struct fail fail = { 0 };

	for (const char *const *arg = (const char *const[]){ "prog", "--token", "s3",
		     "--api-key=s3", "plain", NULL };
		*arg; arg++)
		(void)json_array_append_new(server.command, json_string(*arg));
	server_set_env(&server, "MY_TOKEN", "s3", false);
	assert_int_equal(server_check(&server, &fail), 0);
	assert_true(server.is_private);
	server_print(&server, "/d", "add", true, &text);
	assert_string_equal(strbuf_get(&text),
		"# Written by mcp-fleetctl add; \"mcp-fleetctl remove x\" takes it away.\n"
		"domains:\n  x:\n    command: [prog, \"--token\", \"********\", \"--api-key=********\", "
		"plain]\n    env_file: /d/x.env\n");
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	auto_free char *yaml = alloc_printf("%s/fleet.yaml", dir);
	auto_free char *env = alloc_printf("%s/x.env", dir);

	(void)unlink(yaml);
	(void)unlink(env);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_text),
		cmocka_unit_test(test_each_piece),
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_masked),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
