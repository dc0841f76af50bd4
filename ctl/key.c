/* mcp-fleetctl key: who may use the tools over HTTP. It changes the keys file, which the daemon reads again by itself;
 * without a daemon it works as well. A key is printed once, alone on standard output, so that a script can take it;
 * kept is its hash. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>

#include "ctl/args.h"
#include "ctl/key_private.h"
#include "ctl/output.h"
#include "shared/alloc.h"
#include "shared/amount.h"
#include "shared/clock.h"
#include "shared/quote.h"

#define DEFAULT_GRACE "1d"

extern const struct verb verb_key;

/* What every command works on. */
struct work {
	const struct ctl *ctl;
	const struct ctl_args *args;
	const char *name; /* NULL: it takes none */
	int64_t now_s;
	struct key_store store;
	char text[KEY_TEXT_SIZE]; /* of a new key; "": there is none */
};

static void work_done(struct work *work)
{
	key_store_done(&work->store);
	explicit_bzero(work->text, sizeof(work->text));
}

static int fail_unknown(const struct work *work, struct fail *fail)
{
	return fail_set(fail, -ENOENT, "there is no key %s in %s: 'mcp-fleetctl key list' has them",
		work->name, work->store.path);
}

/* --- a new text -------------------------------------------------------------------------------- */

static int make_text(struct work *work, struct keys_file_key *key, struct fail *fail)
{
	key_text_make(key->id, work->text);
	if (key_text_hash(work->text, strlen(work->text), key->hash) < 0)
		return fail_set(fail, -ENOTSUP,
			"the cryptographic policy of this system refuses SHA-256, by which keys are kept");
	key->has_hash = true;
	return 0;
}

static void print_json(const struct work *work, const struct keys_file_key *key)
{
	json_t *json = key_make_json(key, work->now_s);

	(void)json_object_set_new(json, "key", *work->text ? json_string(work->text) : json_null());
	(void)json_object_set_new(json, "path", out_text(work->store.path));
	out_json(json);
}

static void advise_first(const struct work *work)
{
	if (work->store.is_new)
		out_note(
			"this is the first key: from now on every client over HTTP has to show one, "
			"unless the settings say auth: none");
}

/* The key alone on standard output; what to know of it elsewhere. */
static void print_new(const struct work *work, const struct keys_file_key *key)
{
	if (work->ctl->is_json)
		print_json(work, key);
	else if (*work->text)
		(void)printf("%s\n", work->text);
	if (*work->text)
		out_note("a client sends it with each request, as 'Authorization: Bearer KEY' or "
			 "'X-API-Key: KEY'; it is shown this once, and its hash is kept in %s",
			work->store.path);
	else
		out_note("%s is told by its certificates alone; it is kept in %s", key->name,
			work->store.path);
	advise_first(work);
}

/* --- add --------------------------------------------------------------------------------------- */

static int check_new(const struct work *work, const struct keys_file_key *key, struct fail *fail)
{
	const struct keys_file *file = work->store.file;
	char shown[QUOTE_SIZE];

	if (keys_file_find(file, work->name))
		return fail_set(fail, -EEXIST,
			"there is a key %s in %s: 'mcp-fleetctl key rotate %s' gives it a new text, "
			"'mcp-fleetctl key revoke %s' takes it away",
			work->name, work->store.path, work->name, work->name);
	for (size_t i = 0; i < key->certificates.n; i++) {
		const char *certificate = key->certificates.items[i];
		const struct keys_file_key *other = keys_file_find_certificate(file, certificate);

		if (other)
			return fail_set(fail, -EEXIST, "the certificate %s is key %s already",
				quote(shown, certificate), other->name);
	}
	if (file->n >= KEYS_FILE_MAX_KEYS)
		return fail_set(fail, -E2BIG, "%s has %d keys, and more it cannot have",
			work->store.path, KEYS_FILE_MAX_KEYS);
	return 0;
}

/* Takes over what `wanted` holds. */
static struct keys_file_key *put_new(struct work *work, struct keys_file_key *wanted)
{
	struct keys_file *file = work->store.file;
	struct keys_file_key *key;

	do
		key_text_make_id(wanted->id);
	while (keys_file_find_id(file, wanted->id));
	wanted->name = alloc_str(work->name);
	wanted->created_s = work->now_s;
	key = keys_file_add(file);
	*key = *wanted;
	*wanted = (struct keys_file_key){ 0 };
	return key;
}

static int run_add(struct work *work, struct fail *fail)
{
	/* In a file of its own, which frees it on each way out. */
	auto_(keys_file_freep) struct keys_file *aside = keys_file_new();
	struct keys_file_key *wanted = keys_file_add(aside);
	struct keys_file_key *key;
	int r = key_read_options(work->args, work->now_s, wanted, fail);

	if (r == 0)
		r = check_new(work, wanted, fail);
	if (r < 0)
		return r;
	key = put_new(work, wanted);
	if (!args_has(work->args, "no-key"))
		r = make_text(work, key, fail);
	if (r == 0)
		r = key_store_save(&work->store, fail);
	if (r == 0)
		print_new(work, key);
	return r;
}

/* --- the others -------------------------------------------------------------------------------- */

static int run_list(struct work *work, struct fail *fail)
{
	key_print_list(work->ctl, &work->store, work->now_s);
	return 0;
}

static int run_revoke(struct work *work, struct fail *fail)
{
	struct keys_file_key *key = keys_file_find(work->store.file, work->name);
	int r;

	if (!key)
		return fail_unknown(work, fail);
	keys_file_remove(work->store.file, key);
	r = key_store_save(&work->store, fail);
	if (r < 0)
		return r;
	if (work->ctl->is_json)
		out_json(json_pack("{s:s, s:o, s:i}", "revoked", work->name, "path",
			out_text(work->store.path), "left", (int)work->store.file->n));
	else
		out_line(work->ctl, COLOR_GOOD, "Revoked.");
	if (work->store.file->n == 0)
		out_note(
			"no key is left, and a client over HTTP still has to show one: add a key, or "
			"remove %s to serve without keys",
			work->store.path);
	return 0;
}

static int read_grace(const struct work *work, int64_t *ret_s, struct fail *fail)
{
	const char *text = args_get(work->args, "grace");
	int64_t ms = 0;

	if (amount_parse_duration(text ? text : DEFAULT_GRACE, &ms) < 0 ||
		ms / 1000 > KEYS_FILE_MAX_TIME - work->now_s)
		return fail_set(fail, -EINVAL, "--grace: " AMOUNT_FORM_DURATION);
	*ret_s = ms / 1000;
	return 0;
}

static int check_old(const struct work *work, const struct keys_file_key *key, struct fail *fail)
{
	if (!key->has_hash)
		return fail_set(fail, -EINVAL,
			"%s is told by its certificates alone and has no key that could be replaced",
			key->name);
	if (key->expires_s && key->expires_s <= work->now_s && !args_has(work->args, "expires"))
		return fail_set(fail, -EINVAL,
			"%s has expired, and a new text does not change that: give --expires, too",
			key->name);
	return 0;
}

static void keep_old_text(const struct work *work, struct keys_file_key *key, int64_t grace_s)
{
	key->has_rotated = grace_s > 0;
	memcpy(key->rotated_hash, key->hash, sizeof(key->hash));
	key->rotated_until_s = work->now_s + grace_s;
}

static void advise_rotated(const struct work *work, const struct keys_file_key *key)
{
	char until[KEYS_FILE_TIME_SIZE];

	keys_file_print_time(key->rotated_until_s, until);
	if (key->has_rotated)
		out_note("the one before it is taken until %s", until);
	else
		out_note("the one before it is taken no more");
}

static int run_rotate(struct work *work, struct fail *fail)
{
	struct keys_file_key *key = keys_file_find(work->store.file, work->name);
	const char *end = args_get(work->args, "expires");
	int64_t grace_s = 0;
	int r;

	if (!key)
		return fail_unknown(work, fail);
	r = check_old(work, key, fail);
	if (r == 0)
		r = read_grace(work, &grace_s, fail);
	if (r == 0 && end)
		r = key_read_end(end, work->now_s, &key->expires_s, fail);
	if (r < 0)
		return r;
	keep_old_text(work, key, grace_s);
	r = make_text(work, key, fail);
	if (r == 0)
		r = key_store_save(&work->store, fail);
	if (r < 0)
		return r;
	print_new(work, key);
	advise_rotated(work, key);
	return 0;
}

/* --- the verb ---------------------------------------------------------------------------------- */

static const struct command {
	const char *name;
	const char *options; /* that mean something to it, beside those of all */
	bool has_name;
	bool changes;
	int (*run)(struct work *work, struct fail *fail);
} commands[] = {
	{ "add",
		"domains tools rate burst sessions streams calls bytes-rate expires certificate "
		"no-key admin",
		true, true, run_add },
	{ "list", "", false, false, run_list },
	{ "revoke", "", true, true, run_revoke },
	{ "rotate", "grace expires", true, true, run_rotate },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(commands); i++)
		if (streq(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* NULL, or an option that was given and means nothing to this command. */
static const char *find_idle_option(const struct command *command, const struct ctl_args *args)
{
	for (const struct ctl_option *o = verb_key.options; o->name; o++)
		if (args_has(args, o->name) && !streq(o->name, "file") &&
			!args_is_choice(command->options, o->name))
			return o->name;
	return NULL;
}

static int check_line(const struct command *command, const struct ctl_args *args)
{
	const char *name = args_at(args, 1);
	char shown[QUOTE_SIZE];
	const char *idle;

	if (!command)
		return ctl_usage(&verb_key, "%s is no command: add, list, revoke and rotate are",
			quote(shown, args_at(args, 0)));
	idle = find_idle_option(command, args);
	if (idle)
		return ctl_usage(&verb_key, "--%s means nothing to '%s'", idle, command->name);
	if (command->has_name != (name != NULL))
		return ctl_usage(&verb_key,
			name ? "'%s' takes no name" : "'%s' wants the name of a key",
			command->name);
	if (name && !keys_file_is_name(name))
		return ctl_usage(&verb_key,
			"%s is no name of a key: 1 to %d letters, digits and ._@+-, the first a letter "
			"or digit",
			quote(shown, name), KEYS_FILE_MAX_NAME);
	return CTL_DONE;
}

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	auto_(work_done) struct work work = {
		.ctl = ctl,
		.args = args,
		.name = args_at(args, 1),
		.now_s = clock_wall_ms() / 1000,
		.store = { .lock = -1 },
	};
	const struct command *command = find_command(args_at(args, 0));
	struct fail fail = { 0 };
	int status = check_line(command, args);
	int r;

	if (!command || status != CTL_DONE)
		return status;
	r = key_store_open(ctl, args_get(args, "file"), command->changes, &work.store, &fail);
	if (r == 0)
		r = command->run(&work, &fail);
	return r < 0 ? ctl_fail(ctl, &fail) : CTL_DONE;
}

static const struct ctl_option options[] = {
	{ .name = "domains",
		.arg = "LIST",
		.word = CTL_WORD_DOMAIN,
		.doc = "with add: only these domains; globs with commas between" },
	{ .name = "tools",
		.arg = "LIST",
		.word = CTL_WORD_TOOL,
		.doc = "with add: only these tools, by their listed names; globs with commas between" },
	{ .name = "rate", .arg = "N", .word = CTL_WORD_TEXT, .doc = "with add: requests a second" },
	{ .name = "burst",
		.arg = "N",
		.word = CTL_WORD_TEXT,
		.doc = "with add: requests at once, above the rate" },
	{ .name = "sessions", .arg = "N", .word = CTL_WORD_TEXT, .doc = "with add: open sessions" },
	{ .name = "streams", .arg = "N", .word = CTL_WORD_TEXT, .doc = "with add: open streams" },
	{ .name = "calls", .arg = "N", .word = CTL_WORD_TEXT, .doc = "with add: calls in flight" },
	{ .name = "bytes-rate",
		.arg = "SIZE",
		.word = CTL_WORD_TEXT,
		.doc = "with add: bytes a second that are sent to it, such as 1MiB" },
	{ .name = "expires",
		.arg = "WHEN",
		.word = CTL_WORD_TEXT,
		.doc = "with add, rotate: a duration such as 90d, or a date in UTC such as 2027-01-31" },
	{ .name = "certificate",
		.arg = "NAME",
		.word = CTL_WORD_TEXT,
		.repeats = true,
		.doc = "with add: a client certificate of this name stands for it, too" },
	{ .name = "no-key", .doc = "with add: only certificates, no key" },
	{ .name = "admin", .doc = "with add: may also see /metrics and /status" },
	{ .name = "grace",
		.arg = "DURATION",
		.word = CTL_WORD_TEXT,
		.doc = "with rotate: how long the old key is still taken (" DEFAULT_GRACE
		       "; 0s: no more)" },
	{ .name = "file",
		.arg = "PATH",
		.word = CTL_WORD_FILE,
		.doc = "the keys file (else that of the running daemon, or the default)" },
	{ 0 },
};

const struct verb verb_key = {
	.name = "key",
	.args = "COMMAND [NAME]",
	.summary = "make, list, replace and revoke the keys of clients over HTTP",
	.help = "  add NAME      make a key, and print it\n"
		"  list          show the keys, what each may use, and until when\n"
		"  revoke NAME   take a key away\n"
		"  rotate NAME   make a new key in its place; the old one is taken for a while\n\n"
		"A key is printed once, alone on standard output: KEY=$(mcp-fleetctl key add ci). Only its hash "
		"is kept. The daemon takes a change at once, without a reload. As soon as there is a keys file, every "
		"client over HTTP has to show a key; standard input and output and the local socket need none.",
	.options = options,
	.word = CTL_WORD_CHOICE,
	.choices = "add list revoke rotate",
	.lone = "list",
	.more = CTL_WORD_KEY,
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
