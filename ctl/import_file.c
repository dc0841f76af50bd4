/* See import_file.h. */
#include "ctl/import_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "ctl/jsonc.h"
#include "shared/alloc.h"
#include "shared/header_name.h"
#include "shared/jx.h"
#include "shared/quote.h"

/* What is read here; `type` is what says how a server is spoken to. */
static const char *const known_keys[] = { "type", "command", "args", "env", "cwd", "url",
	"serverUrl", "headers", "transport", "disabled", "enabled" };

struct reading {
	struct forms *forms;
	struct import_item *item;
	json_t *object;
};

void import_refuse(struct import_item *item, const char *fmt, ...)
{
	va_list args;

	item->state = IMPORT_REFUSED;
	free(TAKE(item->why));
	va_start(args, fmt);
	if (vasprintf(&item->why, fmt, args) < 0)
		abort();
	va_end(args);
}

/* --- one server --- */

/* A text, or a number or truth value that stands for one. NULL: something else. */
static char *scalar_text(json_t *value)
{
	auto_strbuf text = { 0 };

	if (json_is_string(value)) {
		if (strlen(json_string_value(value)) != json_string_length(value))
			return NULL; /* a NUL */
		return alloc_str(json_string_value(value));
	}
	if (!json_is_number(value) && !json_is_boolean(value))
		return NULL;
	jx_dump(&text, value);
	return strbuf_take(&text);
}

/* The value with its forms put in; false: the item is refused. */
static bool expand(
	struct reading *rd, json_t *value, const char *what, char **ret, bool *ret_secret)
{
	auto_free char *text = scalar_text(value);
	auto_strbuf out = { 0 };
	struct fail fail = { 0 };
	char shown[QUOTE_SIZE];

	if (!text) {
		import_refuse(rd->item, "%s is not a text", quote(shown, what));
		return false;
	}
	if (forms_expand(rd->forms, text, &out, ret_secret, &fail) < 0) {
		import_refuse(rd->item, "%s: %s", quote(shown, what), fail.text);
		return false;
	}
	*ret = strbuf_take(&out);
	return true;
}

/* For what stands in the settings themselves: a secret among it closes them. */
static bool expand_open(struct reading *rd, json_t *value, const char *what, char **ret)
{
	bool is_secret = false;

	if (!expand(rd, value, what, ret, &is_secret))
		return false;
	if (is_secret) {
		rd->item->server.is_private = true;
		(void)json_array_append_new(rd->item->server.hidden, json_string_nocheck(*ret));
	}
	return true;
}

static bool take_argument(struct reading *rd, json_t *value, const char *what)
{
	auto_free char *text = NULL;

	if (!expand_open(rd, value, what, &text))
		return false;
	(void)json_array_append_new(rd->item->server.command, json_string_nocheck(text));
	return true;
}

/* A program that is named by where it lies in the workspace. */
static void anchor_program(struct reading *rd)
{
	struct server *server = &rd->item->server;
	const char *program = json_string_value(json_array_get(server->command, 0));
	const char *base = server->cwd ? server->cwd : rd->forms->workspace;

	if (*program == '/' || !strchr(program, '/') || !base || *base != '/')
		return;
	if (strncmp(program, "./", 2) == 0)
		program += 2;
	(void)json_array_set_new(server->command, 0, json_sprintf("%s/%s", base, program));
}

static bool take_command(struct reading *rd)
{
	json_t *args = json_object_get(rd->object, "args");
	size_t i;
	json_t *arg;

	if (!take_argument(rd, json_object_get(rd->object, "command"), "command"))
		return false;
	if (args && !json_is_array(args)) {
		import_refuse(rd->item, "\"args\" is not a list");
		return false;
	}
	json_array_foreach(args, i, arg) {
		if (!take_argument(rd, arg, "args"))
			return false;
	}
	anchor_program(rd);
	return true;
}

static bool take_cwd(struct reading *rd)
{
	json_t *cwd = json_object_get(rd->object, "cwd");
	struct server *server = &rd->item->server;
	auto_free char *text = NULL;

	if (!cwd || json_is_null(cwd))
		return true;
	if (!expand_open(rd, cwd, "cwd", &text))
		return false;
	if (*text != '/' && rd->forms->workspace)
		server->cwd = alloc_printf("%s/%s", rd->forms->workspace, text);
	else
		server->cwd = TAKE(text);
	return true;
}

static bool take_env(struct reading *rd)
{
	json_t *env = json_object_get(rd->object, "env");
	const char *name;
	json_t *value;

	if (env && !json_is_null(env) && !json_is_object(env)) {
		import_refuse(rd->item, "\"env\" is not an object");
		return false;
	}
	json_object_foreach(env, name, value) {
		auto_free char *text = NULL;
		bool is_secret = false;

		if (json_is_null(
			    value)) /* the variable is to be unset, as it is without being named */
			continue;
		if (!expand(rd, value, name, &text, &is_secret))
			return false;
		server_set_env(&rd->item->server, name, text, is_secret);
	}
	return true;
}

static bool take_headers(struct reading *rd)
{
	json_t *headers = json_object_get(rd->object, "headers");
	const char *name;
	json_t *value;

	if (headers && !json_is_null(headers) && !json_is_object(headers)) {
		import_refuse(rd->item, "\"headers\" is not an object");
		return false;
	}
	json_object_foreach(headers, name, value) {
		auto_free char *text = NULL;
		bool is_secret = false;

		/* Our client of remote servers sets these itself. */
		if (header_name_is_reserved((struct span){ name, strlen(name) })) {
			(void)json_array_append_new(
				rd->item->extra, json_sprintf("headers.%s", name));
			continue;
		}
		if (!expand(rd, value, name, &text, &is_secret))
			return false;
		(void)json_object_set_new_nocheck(
			rd->item->server.headers, name, json_string_nocheck(text));
	}
	return true;
}

static bool take_transport(struct reading *rd)
{
	static const struct {
		const char *type;
		const char *transport;
	} types[] = {
		{ "sse", "sse" },
		{ "http", "streamable" },
		{ "streamable-http", "streamable" },
		{ "streamableHttp", "streamable" },
		{ "streamable_http", "streamable" },
	};
	json_t *value = json_object_get(rd->object, "type");
	const char *type;
	char shown[QUOTE_SIZE];

	if (!value)
		value = json_object_get(rd->object, "transport");
	type = json_string_value(value);
	for (size_t i = 0; type && i < N_ELEMENTS(types); i++) {
		if (streq(type, types[i].type)) {
			rd->item->server.transport = alloc_str(types[i].transport);
			return true;
		}
	}
	if (value)
		import_refuse(rd->item, "a transport of the type %s is not known",
			quote(shown, type ? type : "?"));
	return !value;
}

static json_t *url_of(const struct reading *rd)
{
	json_t *url = json_object_get(rd->object, "url");

	return url ? url : json_object_get(rd->object, "serverUrl");
}

static void read_remote(struct reading *rd)
{
	if (!take_transport(rd) || !take_headers(rd))
		return;
	(void)expand_open(rd, url_of(rd), "url", &rd->item->server.url);
	if (json_object_size(json_object_get(rd->object, "env")))
		(void)json_array_append_new(rd->item->extra, json_string("env"));
}

static void read_local(struct reading *rd)
{
	const char *type = json_string_value(json_object_get(rd->object, "type"));
	char shown[QUOTE_SIZE];

	if (type && !streq(type, "stdio") && !streq(type, "local")) {
		import_refuse(rd->item, "it has a command, and its type is %s", quote(shown, type));
		return;
	}
	if (!take_cwd(rd) || !take_command(rd) || !take_env(rd))
		return;
	if (json_object_size(json_object_get(rd->object, "headers")))
		(void)json_array_append_new(rd->item->extra, json_string("headers"));
}

static void note_extra(struct reading *rd)
{
	const char *key;
	json_t *value;

	json_object_foreach(rd->object, key, value) {
		bool is_known = false;

		for (size_t i = 0; i < N_ELEMENTS(known_keys); i++)
			is_known |= streq(key, known_keys[i]) != 0;
		if (!is_known)
			(void)json_array_append_new(rd->item->extra, json_string_nocheck(key));
	}
}

static void read_server(struct reading *rd)
{
	struct fail fail = { 0 };

	if (!json_is_object(rd->object)) {
		import_refuse(rd->item, "it is not an object");
		return;
	}
	note_extra(rd);
	if (json_is_true(json_object_get(rd->object, "disabled")) ||
		json_is_false(json_object_get(rd->object, "enabled"))) {
		rd->item->state = IMPORT_DISABLED;
		return;
	}
	rd->forms->own_env = json_object_get(rd->object, "env");
	if (json_object_get(rd->object, "command"))
		read_local(rd);
	else if (url_of(rd))
		read_remote(rd);
	else
		import_refuse(rd->item, "it has neither a command nor a url");
	rd->forms->own_env = NULL;
	if (rd->item->state == IMPORT_FOUND && server_check(&rd->item->server, &fail) < 0)
		import_refuse(rd->item, "%s", fail.text);
}

/* --- the file --- */

static json_t *find_servers(json_t *root, json_t **ret_inputs)
{
	json_t *mcp = json_object_get(root, "mcp");
	json_t *servers = json_object_get(root, "mcpServers");

	*ret_inputs = json_object_get(root, "inputs");
	if (!json_is_object(servers))
		servers = json_object_get(root, "servers");
	if (!json_is_object(servers)) {
		servers = json_object_get(mcp, "servers");
		*ret_inputs = json_object_get(mcp, "inputs");
	}
	return json_is_object(servers) ? servers : NULL;
}

static bool is_wanted(const struct import_choice *choice, const char *name)
{
	size_t i;
	json_t *wanted;

	json_array_foreach(choice->names, i, wanted) {
		if (streq(json_string_value(wanted), name))
			return true;
	}
	return json_array_size(choice->names) == 0;
}

static void add_item(struct import_file *file, struct forms *forms,
	const struct import_choice *choice, const char *name, json_t *object)
{
	const char *renamed = json_string_value(json_object_get(choice->renames, name));
	auto_free char *domain = renamed ? alloc_str(renamed) : server_name_of(name);
	struct import_item *item;

	file->items = alloc_resize(file->items, file->n + 1, sizeof(*file->items));
	item = &file->items[file->n++];
	*item = (struct import_item){
		.name = alloc_str(name), .server = server_new(domain), .extra = json_array()
	};
	read_server(&(struct reading){ .forms = forms, .item = item, .object = object });
}

/* A name that was given and is not in the file is a mistake. */
static int check_choice(const struct import_choice *choice, json_t *servers, struct fail *fail)
{
	char shown[QUOTE_SIZE];
	const char *old;
	json_t *value;
	size_t i;

	json_array_foreach(choice->names, i, value) {
		old = json_string_value(value);
		if (!json_object_get(servers, old))
			return fail_set(fail, -EINVAL, "--name: there is no server %s in the file",
				quote(shown, old));
	}
	json_object_foreach(choice->renames, old, value) {
		if (!json_object_get(servers, old))
			return fail_set(fail, -EINVAL,
				"--rename: there is no server %s in the file", quote(shown, old));
	}
	return 0;
}

static int parse(const char *text, size_t len, json_t **ret, struct fail *fail)
{
	auto_(jsonc_done) struct jsonc doc = { 0 };
	int r = jsonc_parse(text, len, &doc, fail);

	if (r < 0)
		return r;
	if (doc.n == 0)
		return fail_set(fail, -EINVAL, "nothing is in it");
	*ret = jsonc_to_json(&doc, 0, fail);
	return *ret ? 0 : -EINVAL;
}

int import_read(const char *text, size_t len, struct forms *forms,
	const struct import_choice *choice, struct import_file *ret, struct fail *fail)
{
	json_auto_t *root = NULL;
	json_t *inputs = NULL;
	json_t *servers = NULL;
	const char *name;
	json_t *object;
	int r = parse(text, len, &root, fail);

	if (r == 0) {
		servers = find_servers(root, &inputs);
		r = servers ? check_choice(choice, servers, fail)
			    : fail_set(fail, -EINVAL,
				      "no servers are in it: \"mcpServers\" (Claude, Cursor) or "
				      "\"servers\" (Visual Studio Code) is looked for");
	}
	if (r < 0)
		return r;
	*ret = (struct import_file){ .inputs = json_is_array(inputs) ? json_incref(inputs)
								     : json_array() };
	forms->inputs = ret->inputs;
	json_object_foreach(servers, name, object) {
		if (is_wanted(choice, name))
			add_item(ret, forms, choice, name, object);
	}
	return 0;
}

void import_done(struct import_file *file)
{
	for (size_t i = 0; i < file->n; i++) {
		free(file->items[i].name);
		free(file->items[i].why);
		json_decref(file->items[i].extra);
		server_done(&file->items[i].server);
	}
	free(file->items);
	json_decref(file->inputs);
	*file = (struct import_file){ 0 };
}
