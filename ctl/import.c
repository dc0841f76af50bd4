/* mcp-fleetctl import: the servers in the configuration file of a client become domains in conf.d.
 *
 * It shows first what it would write, with secrets masked; it writes everything that can be taken, or
 * nothing. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "ctl/args.h"
#include "ctl/ask.h"
#include "ctl/confd_verb.h"
#include "ctl/import_file.h"
#include "ctl/jsonc.h"
#include "ctl/output.h"
#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/quote.h"

struct import {
	const struct ctl *ctl;
	const struct ctl_args *args;
	struct place place;
	struct import_file file;
	struct confd_change change;
	char *origin;
	bool keeps_built_in;
	size_t n_new;
	size_t n_same;
	size_t n_refused;
};

static void import_free(struct import *im)
{
	confd_done(&im->change);
	import_done(&im->file);
	place_done(&im->place);
	free(im->origin);
}

/* --- what was asked for --- */

/* "ID=VALUE" and "OLD=NEW"; false: told. */
static bool read_pairs(const struct ctl_args *args, const char *option, json_t *ret)
{
	const char *pair;

	for (size_t i = 0; (pair = args_get_nth(args, option, i)); i++) {
		const char *equals = strchr(pair, '=');
		auto_free char *name = equals ? alloc_mem(pair, (size_t)(equals - pair)) : NULL;

		if (!name || !*name)
			return false;
		(void)json_object_set_new_nocheck(ret, name, json_string_nocheck(equals + 1));
	}
	return true;
}

static json_t *read_names(const struct ctl_args *args)
{
	json_t *names = json_array();
	const char *name;

	for (size_t i = 0; (name = args_get_nth(args, "name", i)); i++)
		(void)json_array_append_new(names, json_string_nocheck(name));
	return names;
}

static int read_file(const char *path, struct import *im, struct forms *forms,
	const struct import_choice *choice, struct fail *fail)
{
	auto_strbuf text = { 0 };
	int r = fd_read_file(path, JSONC_MAX_BYTES, &text);

	if (r < 0)
		return fail_set(fail, r, "%.300s: %s", path,
			r == -EFBIG ? "larger than 8 MiB" : strerror(-r));
	r = import_read(strbuf_get(&text), text.len, forms, choice, &im->file, fail);
	explicit_bzero(text.data, text.size);
	return r < 0 ? fail_prefix(fail, "%.300s:%s", path, fail->line ? "" : " ") : 0;
}

/* --- which of them can be taken --- */

static bool is_name_twice(const struct import *im, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		const struct import_item *other = &im->file.items[k];

		if (other->state == IMPORT_FOUND &&
			streq(other->server.name, im->file.items[i].server.name))
			return true;
	}
	return false;
}

/* Ours from the last time, and the same. */
static bool is_same(const struct import *im, const struct server *server)
{
	auto_(confd_done) struct confd_change change = { .place = &im->place };

	confd_add_server(&change, server, im->origin);
	return confd_is_done(&change);
}

static void refuse_name(const struct import *im, size_t i)
{
	struct import_item *item = &im->file.items[i];
	const char *name = item->server.name;
	const char *wrong = server_check_name(name);
	const struct place_domain *there = place_find(&im->place, name, NULL);
	auto_free char *path = confd_find_file(&im->place, name);
	char shown[QUOTE_SIZE];

	if (wrong)
		import_refuse(item, "the name %s: %s; give another with --rename %.100s=NEW",
			quote(shown, name), wrong, item->name);
	else if (is_name_twice(im, i))
		import_refuse(item,
			"another one in this file becomes the domain %s too; give it another name with "
			"--rename %.100s=NEW",
			name, item->name);
	else if (there && !is_same(im, &item->server))
		import_refuse(item,
			"there is a domain %s already, in %.300s:%d; give this one another name with "
			"--rename %.100s=NEW, or take that one away: mcp-fleetctl remove %s",
			name, there->file, there->line, item->name, name);
	else if (!there && path)
		import_refuse(item,
			"%.300s is there already, with something else in it; give this one another "
			"name with --rename %.100s=NEW",
			path, item->name);
}

static void sort_out(struct import *im)
{
	for (size_t i = 0; i < im->file.n; i++) {
		struct import_item *item = &im->file.items[i];

		if (item->state == IMPORT_FOUND)
			refuse_name(im, i);
		if (item->state == IMPORT_REFUSED)
			im->n_refused++;
		if (item->state != IMPORT_FOUND)
			continue;
		if (place_find(&im->place, item->server.name, NULL)) {
			im->n_same++;
			continue;
		}
		im->n_new++;
		confd_add_server(&im->change, &item->server, im->origin);
	}
	im->keeps_built_in = im->n_new && confd_keep_built_in(&im->change);
}

/* --- telling --- */

static void add_list(struct strbuf *out, json_t *texts)
{
	size_t i;
	json_t *text;

	json_array_foreach(texts, i, text) {
		strbuf_adds(out, i ? ", " : "");
		out_clean(out, json_string_value(text));
	}
}

static void show_item(const struct import *im, const struct import_item *item)
{
	const struct ctl *ctl = im->ctl;
	auto_strbuf name = { 0 };
	auto_strbuf why = { 0 };
	auto_strbuf extra = { 0 };

	out_clean(&name, item->name);
	out_clean(&why, item->why ? item->why : "");
	add_list(&extra, item->extra);
	if (item->state == IMPORT_REFUSED) {
		out_line(ctl, COLOR_BAD, "%s: not taken: %s", strbuf_get(&name), strbuf_get(&why));
	} else if (item->state == IMPORT_DISABLED) {
		out_line(ctl, COLOR_DIM, "%s: left out: it is disabled there", strbuf_get(&name));
	} else if (place_find(&im->place, item->server.name, NULL)) {
		out_line(ctl, COLOR_DIM, "%s: there already, as domain %s", strbuf_get(&name),
			item->server.name);
	} else {
		out_line(ctl, COLOR_GOOD, "%s: becomes the domain %s", strbuf_get(&name),
			item->server.name);
		confd_verb_show(ctl, &im->place, &item->server, im->origin);
		if (extra.len)
			out_line(ctl, COLOR_WARN, "  not carried over: %s", strbuf_get(&extra));
	}
}

static void show(const struct import *im)
{
	for (size_t i = 0; i < im->file.n; i++)
		show_item(im, &im->file.items[i]);
	if (im->keeps_built_in)
		out_line(im->ctl, COLOR_NONE,
			"The settings name no domains yet: conf.d/00-built-in.yaml keeps those that are "
			"built in.");
}

static json_t *json_of_item(const struct import *im, const struct import_item *item)
{
	const char *state = item->state == IMPORT_REFUSED                     ? "refused"
			    : item->state == IMPORT_DISABLED                  ? "disabled"
			    : place_find(&im->place, item->server.name, NULL) ? "unchanged"
									      : "new";
	json_t *json = json_pack("{s:s, s:s, s:s, s:s?, s:O}", "name", item->name, "domain",
		item->server.name, "state", state, "reason", item->why, "not_carried_over",
		item->extra);

	if (item->state == IMPORT_FOUND) {
		json_auto_t *files = confd_verb_json(&im->place, &item->server, im->origin);

		(void)json_object_update(json, files);
	}
	return json;
}

/* `reload` as confd_verb_reload() has made it; empty: nothing was written. */
static void print_json(const struct import *im, bool is_written, json_t *reload)
{
	json_t *servers = json_array();
	json_t *json = json_pack("{s:o, s:o, s:b, s:b}", "file", out_text(args_at(im->args, 0)),
		"conf_dir", out_text(im->place.dir), "written", is_written, "reloaded", 0);

	for (size_t i = 0; i < im->file.n; i++)
		(void)json_array_append_new(servers, json_of_item(im, &im->file.items[i]));
	(void)json_object_update(json, reload);
	(void)json_object_set_new(json, "servers", servers);
	out_json(json);
}

/* --- doing --- */

static int status_of(const struct import *im)
{
	if (im->n_refused == 0)
		return CTL_DONE;
	return im->n_new + im->n_same ? CTL_PARTLY : CTL_FAILED;
}

/* Whether it shall be written: asked for, or answered. */
static bool is_agreed(const struct import *im)
{
	if (im->n_new == 0 || args_has(im->args, "dry-run"))
		return false;
	if (args_has(im->args, "yes"))
		return true;
	if (!im->ctl->is_json && ask_is_possible())
		return ask_yes("Write this?");
	out_note("nothing was written: --yes writes it");
	return false;
}

static int finish(struct import *im)
{
	int status = status_of(im);
	bool is_written = false;
	json_auto_t *reload = json_object();
	struct fail fail = { 0 };
	int reloaded;

	if (!im->ctl->is_json)
		show(im);
	if (is_agreed(im)) {
		if (confd_apply(&im->change, &fail) < 0)
			return ctl_fail(im->ctl, &fail);
		is_written = true;
		if (!im->ctl->is_json)
			out_line(im->ctl, COLOR_GOOD, "Written: %zu domain%s.", im->n_new,
				im->n_new == 1 ? "" : "s");
		reloaded = confd_verb_reload(im->ctl, im->args, reload);
		if (reloaded != CTL_DONE)
			status = reloaded;
	}
	if (im->ctl->is_json)
		print_json(im, is_written, reload);
	return status;
}

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	auto_(import_free) struct import im = { .ctl = ctl, .args = args };
	const char *workspace = args_get(args, "workspace");
	auto_free char *real = workspace ? realpath(workspace, NULL) : NULL;
	auto_free char *path = realpath(args_at(args, 0), NULL);
	json_auto_t *given = json_object();
	json_auto_t *renames = json_object();
	json_auto_t *names = read_names(args);
	struct forms forms = { .workspace = real,
		.home = getenv("HOME"),
		.can_ask = !ctl->is_json && ask_is_possible(),
		.given = given };
	struct fail fail = { 0 };
	char shown[QUOTE_SIZE];
	int r;

	if (confd_verb_check(args) != CTL_DONE)
		return CTL_USAGE;
	if (!read_pairs(args, "input", given))
		return ctl_usage(args->verb, "--input: ID=VALUE is expected");
	if (!read_pairs(args, "rename", renames))
		return ctl_usage(args->verb, "--rename: OLD=NEW is expected");
	if (workspace && !real) {
		(void)fail_set(
			&fail, -errno, "--workspace: %.300s: %s", workspace, strerror(errno));
		return ctl_fail(ctl, &fail);
	}
	im.origin = alloc_printf("import, from %s", quote(shown, path ? path : args_at(args, 0)));
	im.change.place = &im.place;
	r = place_open(ctl, args_get(args, "conf-dir"), false, &im.place, &fail);
	if (r == 0)
		r = read_file(args_at(args, 0), &im, &forms,
			&(struct import_choice){ .names = names, .renames = renames }, &fail);
	if (r < 0)
		return ctl_fail(ctl, &fail);
	sort_out(&im);
	return finish(&im);
}

static const struct ctl_option options[] = {
	CONFD_VERB_DIR,
	{ .name = "name",
		.arg = "NAME",
		.word = CTL_WORD_TEXT,
		.repeats = true,
		.doc = "only this server of the file" },
	{ .name = "rename",
		.arg = "OLD=NEW",
		.word = CTL_WORD_TEXT,
		.repeats = true,
		.doc = "the domain's name for a server of the file" },
	{ .name = "input",
		.arg = "ID=VALUE",
		.word = CTL_WORD_TEXT,
		.repeats = true,
		.doc = "the value of ${input:ID}" },
	{ .name = "workspace",
		.arg = "DIR",
		.word = CTL_WORD_FILE,
		.doc = "the folder that ${workspaceFolder} stands for" },
	{ .name = "yes", .letter = 'y', .doc = "write without asking" },
	{ .name = "dry-run", .letter = 'n', .doc = "show only what would be written" },
	CONFD_VERB_RELOAD,
	CONFD_VERB_WAIT,
	{ 0 },
};

const struct verb verb_import = {
	.name = "import",
	.args = "FILE",
	.summary = "take the servers of a client's configuration file over into the fleet",
	.help = "FILE is claude_desktop_config.json, .mcp.json, Cursor's or Visual Studio Code's mcp.json, or a "
		"settings.json with \"mcp\" in it; comments and trailing commas are read.\n\n"
		"Each server becomes conf.d/NAME.yaml beside the daemon's settings. What looks like a secret, "
		"all headers, and answers to password inputs go into NAME.env or NAME.headers beside it, which "
		"nobody else may read. ${VAR}, ${VAR:-default}, ${env:VAR}, ${workspaceFolder}, ${userHome} and "
		"${input:ID} are put in now.\n\n"
		"It shows what it would write and asks; where nobody can be asked it writes with --yes only. The "
		"daemon's own check follows, and what it refuses is taken back. It exits 4 when some servers "
		"could not be taken, 1 when none could.",
	.options = options,
	.word = CTL_WORD_FILE,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
