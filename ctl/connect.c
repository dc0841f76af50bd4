/* mcp-fleetctl connect: an entry for this fleet in the configuration file of a client of MCP, which then starts
 * mcp-fleetctl's bridge (the verb stdio). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "ctl/args.h"
#include "ctl/ask.h"
#include "ctl/clients.h"
#include "ctl/connect_file.h"
#include "ctl/jsonc_edit.h"
#include "ctl/output.h"
#include "shared/alloc.h"
#include "shared/utf8.h"

struct connect {
	const struct ctl *ctl;
	const struct ctl_args *args;
	const struct client_app *app;
	const char *name; /* of the entry */
	const char *way[CLIENTS_PATH + 2];
	struct connect_file file;
	json_t *entry;
};

static void connect_free(struct connect *c)
{
	connect_file_done(&c->file);
	json_decref(c->entry);
}

/* --- the entry --- */

static void add_arg(json_t *args, const char *text)
{
	(void)json_array_append_new(args, json_string_nocheck(text));
}

/* Where this program is, yours; NULL: that cannot be told. */
static char *find_self(void)
{
	return realpath("/proc/self/exe", NULL);
}

/* The client starts it from somewhere: paths are absolute. */
static int add_path(json_t *args, const char *option, const char *path, struct fail *fail)
{
	auto_free char *real = realpath(path, NULL);

	if (!real)
		return fail_set(fail, -errno, "%s: %.300s: %s", option, path, strerror(errno));
	add_arg(args, option);
	add_arg(args, real);
	return 0;
}

static int make_entry(struct connect *c, struct fail *fail)
{
	const char *url = args_get(c->args, "url");
	const char *key_file = args_get(c->args, "key-file");
	const char *mcp_socket = args_get(c->args, "mcp-socket");
	auto_free char *program = find_self();
	json_auto_t *args = json_array();
	int r = 0;

	if (!program)
		return fail_set(
			fail, -ENOENT, "where mcp-fleetctl is cannot be told: is /proc there?");
	add_arg(args, "stdio");
	if (key_file)
		r = add_path(args, "--key-file", key_file, fail);
	if (url)
		add_arg(args, url);
	if (mcp_socket) {
		add_arg(args, "--mcp-socket");
		add_arg(args, mcp_socket);
	}
	if (r == 0)
		c->entry = clients_make_entry(c->app, program, args);
	return r;
}

static json_t *snippet(const struct connect *c)
{
	json_t *inner = json_incref(c->entry);
	size_t n = 0;

	while (c->way[n])
		n++;
	for (; n > 0; n--)
		inner = json_pack("{s:o}", c->way[n - 1], inner);
	return inner;
}

static void find_way(struct connect *c, const char *path)
{
	const char *const *members = clients_get_members(c->app, path);
	size_t n = 0;

	for (; members[n]; n++)
		c->way[n] = members[n];
	c->way[n] = c->name;
}

/* --- telling --- */

static void print_lines(
	const struct ctl *ctl, enum color color, char sign, const char *name, json_t *entry)
{
	json_auto_t *member = json_pack("{s:O}", name, entry);
	auto_strbuf text = { 0 };
	const char *at;

	jsonc_print(&text, member);
	at = strbuf_get(&text) + 2; /* without the braces around it */
	while (*at && at[strcspn(at, "\n")]) {
		size_t len = strcspn(at, "\n");
		auto_free char *line = alloc_mem(at, len);
		auto_strbuf clean = { 0 };

		out_clean(&clean, line);
		out_line(ctl, color, "%c %s", sign, strbuf_get(&clean));
		at += len + 1;
	}
}

/* Only of what is changed: the rest of the file may hold secrets. */
static void show(const struct connect *c, json_t *old, json_t *new)
{
	auto_strbuf path = { 0 };

	out_clean(&path, c->file.path);
	out_line(c->ctl, COLOR_BOLD, "%s%s", strbuf_get(&path),
		c->file.is_there ? "" : " (it is made)");
	if (old)
		print_lines(c->ctl, COLOR_BAD, '-', c->name, old);
	if (new)
		print_lines(c->ctl, COLOR_GOOD, '+', c->name, new);
}

static int tell(const struct connect *c, const char *state, const char *words)
{
	if (c->ctl->is_json)
		out_json(json_pack("{s:s, s:o, s:s, s:s, s:O}", "client", c->app->name, "file",
			out_text(c->file.path), "name", c->name, "state", state, "entry",
			c->entry));
	else
		out_line(c->ctl, COLOR_NONE, "%s", words);
	return CTL_DONE;
}

static bool is_agreed(const struct connect *c, const char *question)
{
	if (args_has(c->args, "yes"))
		return true;
	if (!c->ctl->is_json && ask_is_possible())
		return ask_yes(question);
	out_note("nothing was changed: --yes does it");
	return false;
}

/* --- doing --- */

static int refuse_foreign(const struct connect *c, const char *remedy)
{
	struct fail fail = { 0 };

	(void)fail_set(&fail, -EEXIST, "%.300s has an entry %.100s that is not this fleet's: %s",
		c->file.path, c->name, remedy);
	return ctl_fail(c->ctl, &fail);
}

static int put(struct connect *c)
{
	auto_free char *done = alloc_printf("%s is connected: %s.", c->app->title, c->app->then);
	auto_free char *already = alloc_printf("%s is already connected.", c->app->title);
	struct fail fail = { 0 };

	if (c->file.entry && json_equal(c->file.entry, c->entry))
		return tell(c, "unchanged", already);
	if (c->file.entry && !clients_is_ours(c->file.entry) && !args_has(c->args, "replace"))
		return refuse_foreign(
			c, "give ours another name with --name, or replace it with --replace");
	if (!c->ctl->is_json)
		show(c, clients_is_ours(c->file.entry) ? c->file.entry : NULL, c->entry);
	if (!is_agreed(c, "Write this?"))
		return c->ctl->is_json ? tell(c, "not_connected", "") : CTL_DONE;
	if (connect_file_put(&c->file, c->entry, &fail) < 0)
		return ctl_fail(c->ctl, &fail);
	return tell(c, "connected", done);
}

static int undo(struct connect *c)
{
	static const char *const words[] = {
		[CONNECT_RESTORED] = "The file is what it was before, byte for byte.",
		[CONNECT_REMOVED] = "The file was not there before, and is gone.",
		[CONNECT_TAKEN_OUT] =
			"The file was changed since it was connected: only the entry was taken out.",
	};
	static const char *const states[] = {
		[CONNECT_RESTORED] = "restored",
		[CONNECT_REMOVED] = "removed",
		[CONNECT_TAKEN_OUT] = "taken_out",
	};
	auto_free char *nothing = alloc_printf("%s is not connected.", c->app->title);
	enum connect_undone undone = CONNECT_RESTORED;
	struct fail fail = { 0 };

	if (!c->file.entry)
		return tell(c, "not_connected", nothing);
	if (!clients_is_ours(c->file.entry))
		return refuse_foreign(c, "it is left as it is");
	if (!c->ctl->is_json)
		show(c, c->file.entry, NULL);
	if (!is_agreed(c, "Take this out?"))
		return c->ctl->is_json ? tell(c, "connected", "") : CTL_DONE;
	if (connect_file_undo(&c->file, &undone, &fail) < 0)
		return ctl_fail(c->ctl, &fail);
	return tell(c, states[undone], words[undone]);
}

static int print_snippet(const struct connect *c)
{
	out_json(snippet(c));
	return CTL_DONE;
}

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	const char *file = args_get(args, "file");
	auto_(connect_free) struct connect c = {
		.ctl = ctl,
		.args = args,
		.app = clients_find(args_at(args, 0)),
		.name = args_get(args, "name"),
	};
	auto_free char *path = NULL;
	struct fail fail = { 0 };
	int r;

	if (!c.app)
		return ctl_usage(args->verb, "'%s' is no client that is known", args_at(args, 0));
	if (args_has(args, "key-file") && !args_has(args, "url"))
		return ctl_usage(args->verb, "--key-file is for a fleet at a --url");
	if (args_has(args, "mcp-socket") &&
		(args_has(args, "url") || *args_get(args, "mcp-socket") != '/'))
		return ctl_usage(
			args->verb, "--mcp-socket: an absolute path is expected, and no --url");
	if (!c.name)
		c.name = "mcp-fleet";
	if (!*c.name || !utf8_valid(c.name, strlen(c.name)))
		return ctl_usage(args->verb, "--name: a text in UTF-8 is expected");
	r = file ? 0 : clients_get_file(c.app, &path, &fail);
	if (r == 0)
		r = make_entry(&c, &fail);
	if (r < 0)
		return ctl_fail(ctl, &fail);
	find_way(&c, file ? file : path);
	if (args_has(args, "print"))
		return print_snippet(&c);
	if (connect_file_open(file ? file : path, c.way, &c.file, &fail) < 0)
		return ctl_fail(ctl, &fail);
	return args_has(args, "undo") ? undo(&c) : put(&c);
}

static const struct ctl_option options[] = {
	{ .name = "print", .doc = "print the entry only" },
	{ .name = "undo", .doc = "take it back" },
	{ .name = "name", .arg = "NAME", .word = CTL_WORD_TEXT, .doc = "of the entry (mcp-fleet)" },
	{ .name = "url",
		.arg = "URL",
		.word = CTL_WORD_TEXT,
		.doc = "of a fleet elsewhere, in the place of the one on this machine" },
	{ .name = "mcp-socket",
		.arg = "PATH",
		.word = CTL_WORD_FILE,
		.doc = "the local socket of the fleet on this machine, where it is not the usual one" },
	{ .name = "key-file",
		.arg = "FILE",
		.word = CTL_WORD_FILE,
		.doc = "holds the key for the url" },
	{ .name = "file",
		.arg = "PATH",
		.word = CTL_WORD_FILE,
		.doc = "the client's file (else that of this user)" },
	{ .name = "replace", .doc = "also an entry of this name that is another server's" },
	{ .name = "yes", .letter = 'y', .doc = "write without asking" },
	{ 0 },
};

const struct verb verb_connect = {
	.name = "connect",
	.args = "CLIENT",
	.summary = "put this fleet into the configuration of a desktop client",
	.help = "CLIENT is claude-desktop, claude-code, cursor or vscode. One entry is put into the file in which it "
		"keeps its servers; everything else in it stays byte for byte, comments and layout included, and "
		"a copy is kept beside it (FILE.mcp-fleet-backup). The client then starts \"mcp-fleetctl stdio\".\n\n"
		"It shows the entry and asks; where nobody can be asked it writes with --yes only. Doing it again "
		"changes nothing. --undo gives the file back as it was; when it was changed since, it takes only the "
		"entry out.",
	.options = options,
	.word = CTL_WORD_CHOICE,
	.choices = "claude-desktop claude-code cursor vscode",
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
