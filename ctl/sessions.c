/* mcp-fleetctl sessions: who is connected, and closing sessions. */
#include <errno.h>
#include <limits.h>

#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/member.h"
#include "ctl/output.h"

/* --- list -------------------------------------------------------------------------------------- */

static void add_row(struct table *table, const json_t *session)
{
	auto_strbuf age = { 0 };
	auto_strbuf idle = { 0 };
	auto_strbuf queue = { 0 };

	out_duration(&age, member_int(session, "age_ms"));
	out_duration(&idle, member_int(session, "idle_ms"));
	out_bytes(&queue, (uint64_t)member_int(session, "queued_bytes"));
	table_add(table, COLOR_NONE, member_text(session, "id"));
	table_add(table, COLOR_NONE, member_text(session, "domain"));
	table_add(table, COLOR_NONE, member_text(session, "transport"));
	table_add(table, COLOR_NONE, member_text(session, "revision"));
	table_addf(table, COLOR_NONE, "%s%s%s", member_text(session, "client"),
		*member_text(session, "client_version") ? " " : "",
		member_text(session, "client_version"));
	table_add(table, COLOR_NONE, strbuf_get(&age));
	table_add(table, COLOR_NONE, strbuf_get(&idle));
	table_addf(table, COLOR_NONE, "%lld", (long long)member_int(session, "calls"));
	table_add(table, member_int(session, "queued_bytes") ? COLOR_WARN : COLOR_NONE,
		strbuf_get(&queue));
}

static void print_table(const struct ctl *ctl, const json_t *sessions)
{
	static const struct column columns[] = { { "SESSION", false }, { "DOMAIN", false },
		{ "TRANSPORT", false }, { "REVISION", false }, { "CLIENT", false }, { "AGE", true },
		{ "IDLE", true }, { "RUNNING", true }, { "QUEUED", true } };
	auto_(table_freep) struct table *table = table_new(columns, N_ELEMENTS(columns));
	size_t i;
	json_t *session;

	json_array_foreach(sessions, i, session)
		add_row(table, session);
	table_print(ctl, table, out_columns());
}

static int list(const struct ctl *ctl)
{
	int status = CTL_DONE;
	json_auto_t *result = client_ask(ctl, "sessions", NULL, &status);

	if (!result)
		return status;
	if (ctl->is_json)
		out_json(json_incref(result));
	else if (json_array_size(json_object_get(result, "sessions")) == 0)
		out_line(ctl, COLOR_DIM, "no sessions");
	else
		print_table(ctl, json_object_get(result, "sessions"));
	return CTL_DONE;
}

/* --- close ------------------------------------------------------------------------------------- */

/* The lists take the ids as they are closed or not. */
struct closing {
	struct client *client;
	json_t *closed;
	json_t *failed;
	bool is_all; /* one that has gone by itself is no failure */
};

/* 0, or -ENOTCONN with words. */
static int close_one(struct closing *c, const char *id, struct fail *fail)
{
	struct fail of_one = { 0 };
	json_auto_t *params = json_pack("{s:s}", "id", id);
	json_auto_t *result = NULL;
	auto_strbuf shown = { 0 }; /* an argument need not be UTF-8 */

	out_clean(&shown, id);
	if (!params) {
		(void)fail_set(&of_one, -EREMOTEIO, "this is no session");
	} else {
		result = client_call(c->client, "session/close", json_incref(params), &of_one);
		if (!result && of_one.code == -ENOTCONN) {
			if (fail)
				*fail = of_one;
			return -ENOTCONN;
		}
	}
	if (result || (c->is_all && client_get_error(c->client) == CLIENT_UNKNOWN))
		(void)json_array_append_new(c->closed, json_string(strbuf_get(&shown)));
	else
		(void)json_array_append_new(c->failed,
			json_pack("{s:s, s:s}", "id", strbuf_get(&shown), "error", of_one.text));
	return 0;
}

static int close_all(struct closing *c, struct fail *fail)
{
	json_auto_t *result = client_call(c->client, "sessions", NULL, fail);
	size_t i;
	json_t *session;

	if (!result)
		return fail->code;
	c->is_all = true;
	json_array_foreach(json_object_get(result, "sessions"), i, session) {
		int r = close_one(c, member_text(session, "id"), fail);

		if (r < 0)
			return r;
	}
	return 0;
}

static int close_named(struct closing *c, const struct ctl_args *args, struct fail *fail)
{
	for (size_t i = 1; i < args_count(args); i++) {
		int r = close_one(c, args_at(args, i), fail);

		if (r < 0)
			return r;
	}
	return 0;
}

static int tell(const struct ctl *ctl, const struct closing *c)
{
	size_t n_closed = json_array_size(c->closed);
	size_t n_failed = json_array_size(c->failed);
	size_t i;
	json_t *item;

	if (ctl->is_json)
		out_json(json_pack("{s:O, s:O}", "closed", c->closed, "failed", c->failed));
	else
		out_line(ctl, COLOR_NONE, "%zu session%s closed", n_closed,
			n_closed == 1 ? "" : "s");
	json_array_foreach(c->failed, i, item)
		out_note("session %s: %s", member_text(item, "id"), member_text(item, "error"));
	if (n_failed == 0)
		return CTL_DONE;
	return n_closed ? CTL_PARTLY : CTL_FAILED;
}

static int close_sessions(const struct ctl *ctl, const struct ctl_args *args)
{
	auto_(client_freep) struct client *client = NULL;
	json_auto_t *closed = json_array();
	json_auto_t *failed = json_array();
	struct closing c = { .closed = closed, .failed = failed };
	struct fail fail = { 0 };
	int r = client_open(ctl, &client, &fail);

	if (r < 0)
		return ctl_fail(ctl, &fail);
	c.client = client;
	r = args_has(args, "all") ? close_all(&c, &fail) : close_named(&c, args, &fail);
	return r < 0 ? ctl_fail(ctl, &fail) : tell(ctl, &c);
}

/* --- the verb ---------------------------------------------------------------------------------- */

const struct verb verb_sessions;

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	const char *what = args_at(args, 0);
	bool is_close = what && streq(what, "close");
	bool is_all = args_has(args, "all");

	if (!is_close && is_all)
		return ctl_usage(&verb_sessions, "--all belongs to 'close'");
	if (!is_close && args_count(args) > 1)
		return ctl_usage(&verb_sessions, "unexpected argument '%s'", args_at(args, 1));
	if (is_close && is_all && args_count(args) > 1)
		return ctl_usage(&verb_sessions, "either sessions or --all");
	if (is_close && !is_all && args_count(args) < 2)
		return ctl_usage(&verb_sessions, "which sessions? Name them, or use --all");
	return is_close ? close_sessions(ctl, args) : list(ctl);
}

static const struct ctl_option options[] = {
	{ "all", 'a', NULL, CTL_WORD_NONE, NULL, false, "with close: all that are open" },
	{ 0 },
};

const struct verb verb_sessions = {
	.name = "sessions",
	.args = "[list | close SESSION...]",
	.summary = "list the open sessions, or close some",
	.help = "The calls of a session that is closed are cancelled, and its client hears that it has ended.\n"
		"Exits 4 when only some could be closed.",
	.options = options,
	.word = CTL_WORD_CHOICE,
	.choices = "list close",
	.lone = "list",
	.more = CTL_WORD_SESSION,
	.max_args = UINT_MAX,
	.run = run,
};
