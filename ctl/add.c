/* mcp-fleetctl add: one more domain, in a file of its own in conf.d. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "ctl/args.h"
#include "ctl/ask.h"
#include "ctl/confd_verb.h"
#include "ctl/output.h"
#include "shared/alloc.h"
#include "shared/quote.h"
#include "shared/span.h"
#include "shared/utf8.h"

/* Options that are keys of a domain under the same or another name. */
static const struct {
	const char *option;
	const char *key;     /* in the settings */
	const char *section; /* NULL: at the top of the domain */
} keys[] = {
	{ "sandbox", "sandbox", NULL },
	{ "concurrency", "concurrency", NULL },
	{ "processes", "max", "processes" },
	{ "isolation", "isolation", NULL },
	{ "start", "start", NULL },
	{ "protocol", "protocol", NULL },
	{ "names", "names", NULL },
	{ "call-timeout", "call_timeout", NULL },
};

static int fail_form(struct fail *fail, const char *option, const char *form)
{
	return fail_set(fail, -EINVAL, "--%s: %s is expected", option, form);
}

/* "K=V"; a variable that is named alone has the value of our own environment. */
static int take_env(struct server *server, const char *text, struct fail *fail)
{
	const char *equals = strchr(text, '=');
	auto_free char *name = alloc_mem(text, equals ? (size_t)(equals - text) : strlen(text));
	const char *value = equals ? equals + 1 : getenv(name);

	if (!*name)
		return fail_form(fail, "env", "NAME=VALUE, or NAME for one that is set here");
	if (!value)
		return fail_set(
			fail, -EINVAL, "--env: %.100s is not set here: give its value", name);
	server_set_env(server, name, value, false);
	return 0;
}

/* The value is in our environment, or is asked for: on a command line everybody could read it. */
static int take_secret(
	const struct ctl *ctl, struct server *server, const char *name, struct fail *fail)
{
	const char *value = getenv(name);
	auto_free char *question = alloc_printf("%.100s", name);
	auto_free char *answer = NULL;
	int r = 0;

	if (!*name || strchr(name, '='))
		return fail_form(fail, "secret",
			"the name alone (the value comes from the environment or is asked for)");
	if (!value && (ctl->is_json || !ask_is_possible()))
		return fail_set(fail, -EINVAL,
			"--secret: %.100s is not set in the environment, and nobody can be asked for it",
			name);
	if (!value) {
		r = ask_line(question, true, &answer, fail);
		value = answer;
	}
	if (r == 0)
		server_set_env(server, name, value, true);
	if (answer)
		explicit_bzero(answer, strlen(answer));
	return r;
}

static int take_header(struct server *server, const char *text, struct fail *fail)
{
	const char *colon = strchr(text, ':');
	auto_free char *name = colon ? alloc_mem(text, (size_t)(colon - text)) : NULL;

	if (!name || !*name)
		return fail_form(fail, "header", "'Name: value'");
	colon++;
	(void)json_object_set_new_nocheck(
		server->headers, name, json_string_nocheck(colon + strspn(colon, " \t")));
	return 0;
}

static int take_repeated(const struct ctl *ctl, const struct ctl_args *args, struct server *server,
	struct fail *fail)
{
	const char *text;
	int r = 0;

	for (size_t i = 0; r == 0 && (text = args_get_nth(args, "env", i)); i++)
		r = take_env(server, text, fail);
	for (size_t i = 0; r == 0 && (text = args_get_nth(args, "secret", i)); i++)
		r = take_secret(ctl, server, text, fail);
	for (size_t i = 0; r == 0 && (text = args_get_nth(args, "header", i)); i++)
		r = take_header(server, text, fail);
	return r;
}

static void take_keys(const struct ctl_args *args, struct server *server)
{
	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		const char *value = args_get(args, keys[i].option);
		json_t *json = value ? json_string_nocheck(value) : NULL;

		if (json && keys[i].section)
			json = json_pack("{s:o}", keys[i].key, json);
		if (json)
			(void)json_object_set_new(server->keys,
				keys[i].section ? keys[i].section : keys[i].key, json);
	}
}

static bool is_confined(const struct server *server, const char *profile)
{
	if (!profile || streq(profile, "auto"))
		return server->url != NULL; /* a command has no profile of its own */
	return !streq(profile, "none");
}

/* "--read" or "--write": a list of the mapping `sandbox`. */
static int take_paths(
	const struct ctl_args *args, const char *option, json_t *sandbox, struct fail *fail)
{
	json_t *list = json_array();
	const char *path;

	(void)json_object_set_new(sandbox, option, list);
	for (size_t i = 0; (path = args_get_nth(args, option, i)); i++) {
		auto_free char *real = realpath(path, NULL);

		if (!real)
			return fail_set(
				fail, -errno, "--%s: %.300s: %s", option, path, strerror(errno));
		if (!utf8_valid(real, strlen(real)))
			return fail_set(fail, -EINVAL, "--%s: the path is not UTF-8", option);
		(void)json_array_append_new(list, json_string(real));
	}
	if (json_array_size(list) == 0)
		(void)json_object_del(sandbox, option);
	return 0;
}

/* The name of a profile alone stays one line of the settings. */
static int take_sandbox(const struct ctl_args *args, struct server *server, struct fail *fail)
{
	const char *profile = args_get(args, "sandbox");
	json_auto_t *sandbox = json_pack("{s:s}", "profile", profile ? profile : "auto");
	int r = take_paths(args, "read", sandbox, fail);

	if (r == 0)
		r = take_paths(args, "write", sandbox, fail);
	if (r < 0 || json_object_size(sandbox) == 1)
		return r;
	if (!is_confined(server, profile))
		return fail_set(fail, -EINVAL,
			"--read, --write: nothing confines this server to them; %s",
			server->url ? "leave --sandbox none out"
				    : "give --sandbox strict, node or python, too");
	(void)json_object_set_new(server->keys, "sandbox", TAKE(sandbox));
	return 0;
}

/* A program or folder that is named by where we are is meant from here, not from where the daemon is. */
static char *anchored(const char *path)
{
	auto_free char *real = strchr(path, '/') && *path != '/' ? realpath(path, NULL) : NULL;

	return real ? TAKE(real) : alloc_str(path);
}

static void take_command(const struct ctl_args *args, struct server *server)
{
	for (size_t i = 1; i < args_count(args); i++) {
		auto_free char *word =
			i == 1 ? anchored(args_at(args, i)) : alloc_str(args_at(args, i));

		(void)json_array_append_new(server->command, json_string_nocheck(word));
	}
}

static int take_all(const struct ctl *ctl, const struct ctl_args *args, struct server *server,
	struct fail *fail)
{
	const char *cwd = args_get(args, "cwd");
	const char *url = args_get(args, "url");
	const char *transport = args_get(args, "transport");
	int r;

	take_command(args, server);
	take_keys(args, server);
	server->url = alloc_str(url);
	server->transport = alloc_str(transport);
	if (cwd) {
		server->cwd = realpath(cwd, NULL);
		if (!server->cwd)
			return fail_set(fail, -errno, "--cwd: %.300s: %s", cwd, strerror(errno));
	}
	if (transport && !url)
		return fail_set(
			fail, -EINVAL, "--transport: there is no --url that it could be for");
	r = take_sandbox(args, server, fail);
	if (r == 0)
		r = take_repeated(ctl, args, server, fail);
	return r < 0 ? r : server_check(server, fail);
}

static int check_name(const struct place *place, const char *name, struct fail *fail)
{
	const char *wrong = server_check_name(name);
	const struct place_domain *there = place_find(place, name, NULL);
	auto_free char *path = NULL;
	char shown[QUOTE_SIZE];

	if (wrong)
		return fail_set(fail, -EINVAL, "%s: %s", quote(shown, name), wrong);
	if (there)
		return fail_set(fail, -EEXIST, "there is a domain %s already, in %.300s:%d", name,
			there->file, there->line);
	path = confd_find_file(place, name);
	if (path)
		return fail_set(
			fail, -EEXIST, "%s is there already, with something else in it", path);
	return 0;
}

static int finish(const struct ctl *ctl, const struct ctl_args *args, const struct place *place,
	const struct server *server)
{
	auto_(confd_done) struct confd_change change = { .place = place };
	struct fail fail = { 0 };
	json_auto_t *reload = json_object();
	bool keeps;
	int status;

	confd_add_server(&change, server, "add");
	keeps = confd_keep_built_in(&change);
	if (confd_apply(&change, &fail) < 0)
		return ctl_fail(ctl, &fail);
	if (!ctl->is_json) {
		out_line(ctl, COLOR_GOOD, "%s is a domain now:", server->name);
		confd_verb_show(ctl, place, server, "add");
		if (keeps)
			out_line(ctl, COLOR_NONE,
				"The settings named no domains: conf.d/00-built-in.yaml keeps those that "
				"are built in.");
	}
	status = confd_verb_reload(ctl, args, reload);
	if (ctl->is_json) {
		json_t *json = confd_verb_json(place, server, "add");

		(void)json_object_set_new(json, "domain", json_string(server->name));
		(void)json_object_update(json, reload);
		out_json(json);
	}
	return status;
}

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	auto_(place_done) struct place place = { 0 };
	auto_(server_done) struct server server = server_new(args_at(args, 0));
	struct fail fail = { 0 };
	int r;

	if (args_count(args) == 1 && !args_has(args, "url"))
		return ctl_usage(args->verb, "a command behind --, or --url, is expected");
	if (confd_verb_check(args) != CTL_DONE)
		return CTL_USAGE;
	r = place_open(ctl, args_get(args, "conf-dir"), false, &place, &fail);
	if (r == 0)
		r = check_name(&place, server.name, &fail);
	if (r == 0)
		r = take_all(ctl, args, &server, &fail);
	return r < 0 ? ctl_fail(ctl, &fail) : finish(ctl, args, &place, &server);
}

static const struct ctl_option options[] = {
	{ .name = "url",
		.arg = "URL",
		.word = CTL_WORD_TEXT,
		.doc = "a server that runs elsewhere, in the place of a command" },
	{ .name = "header",
		.arg = "'NAME: VALUE'",
		.word = CTL_WORD_TEXT,
		.repeats = true,
		.doc = "a header for each request to the url" },
	{ .name = "transport",
		.arg = "NAME",
		.word = CTL_WORD_CHOICE,
		.choices = "auto streamable sse",
		.doc = "what the url speaks: auto, streamable or sse" },
	{ .name = "env",
		.letter = 'e',
		.arg = "NAME[=VALUE]",
		.word = CTL_WORD_TEXT,
		.repeats = true,
		.doc = "a variable of its environment" },
	{ .name = "secret",
		.arg = "NAME",
		.word = CTL_WORD_TEXT,
		.repeats = true,
		.doc = "the same, from the environment or asked for" },
	{ .name = "cwd", .arg = "DIR", .word = CTL_WORD_FILE, .doc = "its working directory" },
	{ .name = "sandbox",
		.arg = "PROFILE",
		.word = CTL_WORD_CHOICE,
		.choices = "auto strict node python none",
		.doc = "what confines it: auto, strict, node, python or none" },
	{ .name = "read",
		.arg = "PATH",
		.word = CTL_WORD_FILE,
		.repeats = true,
		.doc = "what it may read and execute beside what its profile allows" },
	{ .name = "write",
		.arg = "PATH",
		.word = CTL_WORD_FILE,
		.repeats = true,
		.doc = "what it may change, too" },
	{ .name = "concurrency",
		.arg = "N",
		.word = CTL_WORD_TEXT,
		.doc = "calls in flight in one process" },
	{ .name = "processes", .arg = "N", .word = CTL_WORD_TEXT, .doc = "processes under load" },
	{ .name = "isolation",
		.arg = "NAME",
		.word = CTL_WORD_CHOICE,
		.choices = "shared session",
		.doc = "shared, or session: a process for each session" },
	{ .name = "start",
		.arg = "NAME",
		.word = CTL_WORD_CHOICE,
		.choices = "eager lazy",
		.doc = "eager, or lazy: at the first call" },
	{ .name = "protocol",
		.arg = "NAME",
		.word = CTL_WORD_CHOICE,
		.choices = "auto legacy modern",
		.doc = "how it is opened: auto, legacy or modern" },
	{ .name = "names",
		.arg = "NAME",
		.word = CTL_WORD_CHOICE,
		.choices = "prefix dotted plain",
		.doc = "how its tools are named: prefix, dotted or plain" },
	{ .name = "call-timeout",
		.arg = "TIME",
		.word = CTL_WORD_TEXT,
		.doc = "time for a call, such as 60s" },
	CONFD_VERB_DIR,
	CONFD_VERB_RELOAD,
	CONFD_VERB_WAIT,
	{ 0 },
};

const struct verb verb_add = {
	.name = "add",
	.args = "NAME [-- COMMAND...]",
	.summary = "add a domain to the fleet: an MCP server of another make",
	.help = "The domain is written to conf.d/NAME.yaml beside the daemon's settings. Variables that look like "
		"secrets, those of --secret, and all headers go into NAME.env or NAME.headers beside it, which "
		"nobody else may read. The daemon's own check follows, and what it refuses is taken back.\n\n"
		"For example: mcp-fleetctl add search --secret API_KEY --reload --wait -- npx -y search-server",
	.options = options,
	.word = CTL_WORD_TEXT,
	.min_args = 1,
	.max_args = UINT_MAX,
	.run = run,
};
