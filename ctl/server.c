/* See server.h. What is refused here would be refused by the daemon's loader too, which has the last word; but
 * here it is one server of several, and the reason can name the server. */
#include "ctl/server.h"

#include <errno.h>

#include "ctl/secrets.h"
#include "ctl/yaml_out.h"
#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/header_name.h"
#include "shared/quote.h"
#include "shared/uri.h"
#include "shared/utf8.h"

/* As supervisor/conf_*.c and workers/common/headers.c have them. */
enum {
	MAX_ARGUMENTS = 256,
	MAX_ARGUMENT = 4096,
	MAX_URL = 8192,
	MAX_ENV = 256,
	MAX_ENV_VALUE = 32768,
	MAX_HEADERS = 64,
	MAX_HEADER_BYTES = 60000
};

static const char mask[] = "********";

/* Domains that are programs of ours, and endpoints of the whole fleet. */
static const char *const natives[] = { "git", "filesystem", "network", "utils" };
static const char *const endpoints[] = { "sse", "messages", "mcp", "health", "ready", "metrics",
	"status", "admin" };

struct server server_new(const char *name)
{
	return (struct server){ .name = alloc_str(name),
		.command = json_array(),
		.env = json_object(),
		.secrets = json_object(),
		.headers = json_object(),
		.keys = json_object(),
		.hidden = json_array() };
}

void server_done(struct server *server)
{
	free(server->name);
	json_decref(server->command);
	free(server->url);
	free(server->transport);
	free(server->cwd);
	json_decref(server->env);
	json_decref(server->secrets);
	json_decref(server->headers);
	json_decref(server->keys);
	json_decref(server->hidden);
	*server = (struct server){ 0 };
}

void server_set_env(struct server *server, const char *name, const char *value, bool is_secret)
{
	bool hide = is_secret || secret_is(name, value);

	(void)json_object_del(server->env, name);
	(void)json_object_del(server->secrets, name);
	/* Unchecked: what is not UTF-8 is for server_check() to refuse, not to be lost here. */
	(void)json_object_set_new_nocheck(
		hide ? server->secrets : server->env, name, json_string_nocheck(value));
}

/* --- names --- */

char *server_name_of(const char *name)
{
	auto_strbuf out = { 0 };

	for (const char *c = name; *c; c++) {
		char small = ascii_to_lower(*c);
		bool fits = (small >= 'a' && small <= 'z') || (ascii_is_digit(small) && out.len);

		if (fits)
			strbuf_addc(&out, small);
		else if (ascii_is_digit(small)) /* a letter has to be the first */
			strbuf_addf(&out, "x%c", small);
		else if (out.len && out.data[out.len - 1] != '-')
			strbuf_addc(&out, '-');
	}
	strbuf_cut(&out, SERVER_NAME_MAX);
	while (out.len && out.data[out.len - 1] == '-')
		strbuf_cut(&out, out.len - 1);
	return strbuf_take(&out);
}

const char *server_check_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	if (*name < 'a' || *name > 'z' || name[strspn(name, allowed)] ||
		strlen(name) > SERVER_NAME_MAX)
		return "not a domain's name: allowed are small letters, digits and -, a letter first, "
		       "at most 32";
	for (size_t i = 0; i < N_ELEMENTS(natives); i++) {
		if (streq(natives[i], name))
			return "the domain of this name is built in";
	}
	for (size_t i = 0; i < N_ELEMENTS(endpoints); i++) {
		if (streq(endpoints[i], name))
			return "an endpoint of the whole fleet has this name";
	}
	return NULL;
}

/* --- whether it can be a domain --- */

static bool has_hidden(const struct server *server, const char *text)
{
	size_t i;
	json_t *hidden;

	json_array_foreach(server->hidden, i, hidden) {
		const char *secret = json_string_value(hidden);

		if (*secret && strstr(text, secret))
			return true;
	}
	return false;
}

/* Texts from JSON and from the command line. */
static int check_text(json_t *text, size_t max, const char *what, struct fail *fail)
{
	const char *bytes = json_string_value(text);
	size_t len = json_string_length(text);
	char shown[QUOTE_SIZE];

	if (memchr(bytes, '\0', len))
		return fail_set(fail, -EINVAL, "%s has a NUL character", quote(shown, what));
	if (!utf8_valid(bytes, len))
		return fail_set(fail, -EINVAL, "%s is not UTF-8", quote(shown, what));
	if (len > max)
		return fail_set(
			fail, -EINVAL, "%s has more than %zu bytes", quote(shown, what), max);
	return 0;
}

static int check_program(const char *program, struct fail *fail)
{
	char shown[QUOTE_SIZE];

	if (!*program)
		return fail_set(fail, -EINVAL, "the program's name is empty");
	if (*program != '/' && strchr(program, '/'))
		return fail_set(fail, -EINVAL,
			"the program %s is neither an absolute path nor a name to look up in PATH",
			quote(shown, program));
	return 0;
}

static int check_command(struct server *server, struct fail *fail)
{
	const char *before = NULL;
	size_t n = json_array_size(server->command);
	int r;

	if (n > MAX_ARGUMENTS)
		return fail_set(fail, -EINVAL, "more than %d arguments", MAX_ARGUMENTS);
	for (size_t i = 0; i < n; i++) {
		json_t *item = json_array_get(server->command, i);
		const char *text = json_string_value(item);

		r = check_text(item, MAX_ARGUMENT, "an argument", fail);
		if (r < 0)
			return r;
		server->is_private |=
			i > 0 && (secret_is_argument(before, text) || has_hidden(server, text));
		before = text;
	}
	return check_program(json_string_value(json_array_get(server->command, 0)), fail);
}

static int check_url(struct server *server, struct fail *fail)
{
	const char *url = server->url;
	const char *host = strstr(url, "://");
	struct uri_target parts;
	char shown[QUOTE_SIZE];

	server->is_private |= secret_is_url(url) || has_hidden(server, url);
	if (host && memchr(host + 3, '@', strcspn(host + 3, "/?#")))
		return fail_set(fail, -EINVAL,
			"the url has a user name in it: give an Authorization header instead");
	if ((strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0) &&
		strlen(url) <= MAX_URL && uri_split(url, strlen(url), &parts) == 0 &&
		parts.authority.len)
		return 0;
	return fail_set(fail, -EINVAL, "the url %s is not http://HOST/PATH or https://HOST/PATH",
		server->is_private ? mask : quote(shown, url));
}

static bool is_env_name(const char *name)
{
	for (const char *c = name; *c; c++) {
		if (!ascii_is_letter(*c) && *c != '_' && (c == name || !ascii_is_digit(*c)))
			return false;
	}
	return *name != '\0';
}

static int check_envs(json_t *envs, struct fail *fail)
{
	char shown[QUOTE_SIZE];
	const char *name;
	json_t *value;

	json_object_foreach(envs, name, value) {
		int r = check_text(value, MAX_ENV_VALUE, name, fail);

		if (r < 0)
			return r;
		if (!is_env_name(name))
			return fail_set(fail, -EINVAL,
				"%s is not a variable's name: letters, digits and _, no digit first",
				quote(shown, name));
	}
	return 0;
}

static int check_header(const char *name, json_t *value, struct fail *fail)
{
	const char *text = json_string_value(value);
	char shown[QUOTE_SIZE];
	int r = check_text(value, MAX_HEADER_BYTES, name, fail);

	if (r < 0)
		return r;
	if (!header_name_is_token(name, strlen(name)))
		return fail_set(fail, -EINVAL, "%s is not a header's name", quote(shown, name));
	if (header_name_is_reserved((struct span){ name, strlen(name) }))
		return fail_set(fail, -EINVAL,
			"the header %s belongs to the protocol: leave it out", quote(shown, name));
	if (!text[strspn(text, " \t")])
		return fail_set(fail, -EINVAL, "the header %s is empty", quote(shown, name));
	for (const char *c = text; *c; c++) {
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
			return fail_set(fail, -EINVAL,
				"the header %s has a control character in it", quote(shown, name));
	}
	return 0;
}

static int check_headers(json_t *headers, struct fail *fail)
{
	const char *name;
	json_t *value;
	size_t n_bytes = 0;

	if (json_object_size(headers) > MAX_HEADERS)
		return fail_set(fail, -EINVAL, "more than %d headers", MAX_HEADERS);
	json_object_foreach(headers, name, value) {
		int r = check_header(name, value, fail);

		if (r < 0)
			return r;
		n_bytes += strlen(name) + json_string_length(value);
	}
	if (n_bytes > MAX_HEADER_BYTES)
		return fail_set(fail, -EINVAL, "headers of more than %d bytes", MAX_HEADER_BYTES);
	return 0;
}

int server_check(struct server *server, struct fail *fail)
{
	bool has_command = json_array_size(server->command) > 0;
	int r;

	if (has_command == (server->url != NULL))
		return fail_set(fail, -EINVAL,
			has_command
				? "it has a command and a url: a domain is served by one of them"
				: "it has neither a command nor a url");
	r = has_command ? check_command(server, fail) : check_url(server, fail);
	if (r == 0)
		r = check_envs(server->env, fail);
	if (r == 0)
		r = check_envs(server->secrets, fail);
	if (r == 0)
		r = check_headers(server->headers, fail);
	if (r < 0)
		return r;
	if (json_object_size(server->env) + json_object_size(server->secrets) > MAX_ENV)
		return fail_set(fail, -EINVAL, "more than %d variables", MAX_ENV);
	if (json_object_size(server->headers) && has_command)
		return fail_set(fail, -EINVAL, "headers are for a url");
	if (server->cwd && (*server->cwd != '/' || strlen(server->cwd) > MAX_ARGUMENT ||
				   !utf8_valid(server->cwd, strlen(server->cwd))))
		return fail_set(fail, -EINVAL, "the working directory is not an absolute path");
	return 0;
}

/* --- its texts --- */

/* "--token=abc" as "--token=********". */
static json_t *masked_argument(
	const struct server *server, const char *before, const char *argument)
{
	size_t len = strcspn(argument, "=");

	if (!secret_is_argument(before, argument) && !has_hidden(server, argument))
		return json_string(argument);
	if (argument[len] && *argument == '-')
		return json_sprintf("%.*s=%s", (int)len, argument, mask);
	return json_string(mask);
}

static json_t *command_of(const struct server *server, bool is_masked)
{
	json_t *list = json_array();
	const char *before = NULL;

	for (size_t i = 0; i < json_array_size(server->command); i++) {
		const char *text = json_string_value(json_array_get(server->command, i));

		(void)json_array_append_new(list,
			i && is_masked ? masked_argument(server, before, text) : json_string(text));
		before = text;
	}
	return list;
}

static json_t *url_of(const struct server *server, bool is_masked)
{
	const char *host = strstr(server->url, "://");

	if (!is_masked || (!secret_is_url(server->url) && !has_hidden(server, server->url)))
		return json_string(server->url);
	host = host ? host + 3 : server->url;
	return json_sprintf("%.*s/%s", (int)(host - server->url) + (int)strcspn(host, "/?#"),
		server->url, mask);
}

static void set_path(
	json_t *domain, const char *key, const char *dir, const char *name, const char *ending)
{
	(void)json_object_set_new(domain, key, json_sprintf("%s/%s.%s", dir, name, ending));
}

static json_t *domain_of(const struct server *server, const char *dir, bool is_masked)
{
	json_t *domain = json_object();

	if (server->url)
		(void)json_object_set_new(domain, "url", url_of(server, is_masked));
	else
		(void)json_object_set_new(domain, "command", command_of(server, is_masked));
	if (server->transport)
		(void)json_object_set_new(domain, "transport", json_string(server->transport));
	if (json_object_size(server->headers))
		set_path(domain, "headers_file", dir, server->name, "headers");
	if (json_object_size(server->env))
		(void)json_object_set(domain, "env", server->env);
	if (json_object_size(server->secrets))
		set_path(domain, "env_file", dir, server->name, "env");
	if (server->cwd)
		(void)json_object_set_new(domain, "cwd", json_string(server->cwd));
	(void)json_object_update(domain, server->keys);
	return domain;
}

void server_print(const struct server *server, const char *dir, const char *origin, bool is_masked,
	struct strbuf *out)
{
	json_auto_t *tree =
		json_pack("{s:{s:o}}", "domains", server->name, domain_of(server, dir, is_masked));

	strbuf_addf(out,
		"# Written by mcp-fleetctl %s; \"mcp-fleetctl remove %s\" takes it away.\n", origin,
		server->name);
	yaml_print(out, tree);
}

/* As it is where it is one line; else as a JSON string (fleet.yaml(5), env_file). */
static void add_env_line(struct strbuf *out, const char *name, const char *value)
{
	size_t len = strlen(value);

	strbuf_addf(out, "%s=", name);
	if (*value == '"' || strchr(value, '\n') || (len && value[len - 1] == '\r'))
		strbuf_add_json(out, value, len);
	else
		strbuf_adds(out, value);
	strbuf_addc(out, '\n');
}

void server_print_env(const struct server *server, struct strbuf *out)
{
	const char *name;
	json_t *value;

	json_object_foreach(server->secrets, name, value)
		add_env_line(out, name, json_string_value(value));
}

void server_print_headers(const struct server *server, struct strbuf *out)
{
	const char *name;
	json_t *value;

	json_object_foreach(server->headers, name, value)
		strbuf_addf(out, "%s: %s\n", name, json_string_value(value));
}
