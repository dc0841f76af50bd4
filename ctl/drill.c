/* mcp-fleetctl drill: a fault on purpose, and what becomes of it. The daemon does the fault; we watch its status
 * until what broke is whole again. */
#include <errno.h>
#include <limits.h>

#include "ctl/ask.h"
#include "ctl/client.h"
#include "ctl/healing.h"
#include "ctl/live.h"
#include "ctl/output.h"
#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/utf8.h"

enum { WATCH_MS = 200, LOOK_MS = 1000, DEFAULT_PATIENCE_MS = 120000 };

extern const struct verb verb_drill;

static const struct ctl_option options[] = {
	{ "yes", 'y', NULL, CTL_WORD_NONE, NULL, false, "do not ask" },
	{ 0 },
};

struct drill {
	const struct ctl *ctl;
	const char *kind;
	const char *domain; /* NULL: the registrar */
	const char *victim; /* what is told of it: "git/1"; borrowed from `done` */
	json_t *before;     /* the status */
	json_t *done;       /* the daemon's answer */
	json_t *after;
	int64_t began_ms, healed_ms;
	struct healing_end end;
	bool is_healed;
};

static void drill_done(struct drill *drill)
{
	json_decref(drill->before);
	json_decref(drill->done);
	json_decref(drill->after);
}

/* --- asking ------------------------------------------------------------------------------------ */

static const char *what_happens(const char *kind)
{
	if (streq(kind, "stop"))
		return "stop a process (SIGSTOP), as if it hung";
	if (streq(kind, "garbage"))
		return "let a process send garbage";
	return "kill a process";
}

/* False: not to be done. */
static bool is_agreed(const struct drill *drill)
{
	auto_free char *question =
		alloc_printf("This will %s of %s. Calls in flight there may be lost. Go on?",
			what_happens(drill->kind), drill->domain ? drill->domain : "the registrar");

	return ask_yes(question);
}

/* --- watching ---------------------------------------------------------------------------------- */

static void show(const struct drill *drill, struct live *live)
{
	auto_strbuf line = { 0 };

	out_clean(&line, drill->victim);
	strbuf_adds(&line, ": ");
	out_clean(&line, drill->end.state ? drill->end.state : "");
	strbuf_addf(&line, ", %lld s\n",
		(long long)((clock_now_ms() - drill->began_ms) / CLOCK_SECOND_MS));
	live_draw(live, strbuf_get(&line));
}

/* 0: healed, or the time is over; -ENOTCONN with words. */
static int watch(struct drill *drill, struct client *client, int64_t patience_ms, struct fail *fail)
{
	const struct healing healing = { drill->domain, drill->victim,
		json_integer_value(json_object_get(drill->done, "pid")), drill->before };
	struct live live = live_begin(drill->ctl);
	int r = 0;

	while (r == 0 && !drill->is_healed) {
		int64_t left_ms = drill->began_ms + patience_ms - clock_now_ms();
		const char *method;
		json_t *params = NULL;

		if (left_ms <= 0)
			break;
		r = client_next(
			client, left_ms < LOOK_MS ? left_ms : LOOK_MS, &method, &params, fail);
		if (r == -ETIMEDOUT) {
			r = client_check_alive(client, fail);
			continue;
		}
		if (r < 0)
			break;
		if (!streq(method, "status")) {
			json_decref(params);
			continue;
		}
		json_decref(drill->after);
		drill->after = params;
		drill->is_healed = healing_look(&healing, params, &drill->end);
		show(drill, &live);
	}
	drill->healed_ms = clock_now_ms() - drill->began_ms;
	live_end(&live);
	return r;
}

/* What was told before the fault is of no use: its first word may be there already. */
static int begin(struct drill *drill, struct client *client, struct fail *fail)
{
	json_auto_t *watching = NULL;

	drill->before = client_call(client, "status", NULL, fail);
	if (!drill->before)
		return fail->code;
	watching = client_call(client, "watch", json_pack("{s:i}", "interval_ms", WATCH_MS), fail);
	if (!watching)
		return fail->code;
	drill->began_ms = clock_now_ms();
	drill->done = client_call(client, "drill",
		json_pack("{s:s, s:s*}", "kind", drill->kind, "domain", drill->domain), fail);
	if (!drill->done)
		return fail->code;
	drill->victim = json_string_value(json_object_get(drill->done, "process"));
	if (!drill->victim)
		drill->victim = drill->domain ? drill->domain : "the registrar";
	return 0;
}

/* --- telling ----------------------------------------------------------------------------------- */

static void print_json(const struct drill *drill)
{
	const struct healing_end *end = &drill->end;

	out_json(json_pack("{s:s, s:s?, s:s?, s:I, s:b, s:o, s:o, s:I, s:I, s:I, s:s}", "kind",
		drill->kind, "domain", drill->domain, "process",
		json_string_value(json_object_get(drill->done, "process")), "pid",
		json_integer_value(json_object_get(drill->done, "pid")), "healed", drill->is_healed,
		"new_pid", end->pid > 0 ? json_integer(end->pid) : json_null(), "healed_ms",
		drill->is_healed ? json_integer(drill->healed_ms) : json_null(), "calls_lost",
		(json_int_t)end->calls_lost, "restarts_before", (json_int_t)end->restarts_before,
		"restarts_after", (json_int_t)end->restarts_after, "state",
		end->state ? end->state : ""));
}

static void print_fault(const struct drill *drill)
{
	auto_strbuf line = { 0 };

	out_clean(&line, drill->victim);
	strbuf_addf(&line, " (process %lld) was %s",
		(long long)json_integer_value(json_object_get(drill->done, "pid")),
		streq(drill->kind, "stop")      ? "stopped"
		: streq(drill->kind, "garbage") ? "made to send garbage"
						: "killed");
	out_line(drill->ctl, COLOR_NONE, "%s", strbuf_get(&line));
}

static void print_end(const struct drill *drill)
{
	const struct healing_end *end = &drill->end;
	auto_strbuf state = { 0 };

	out_clean(&state, end->state ? end->state : "unknown");
	if (!drill->is_healed)
		out_line(drill->ctl, COLOR_BAD, "not healed within %lld s: it is %s",
			(long long)(drill->healed_ms / CLOCK_SECOND_MS), strbuf_get(&state));
	else if (end->pid > 0)
		out_line(drill->ctl, COLOR_GOOD,
			"a new process (%lld) was ready after %lld ms: it is %s",
			(long long)end->pid, (long long)drill->healed_ms, strbuf_get(&state));
	else
		out_line(drill->ctl, COLOR_GOOD, "after %lld ms no process was needed: it is %s",
			(long long)drill->healed_ms, strbuf_get(&state));
	if (drill->is_healed && !drill->domain)
		out_line(drill->ctl, COLOR_GOOD, "what was registered is confirmed again");
	if (drill->domain)
		out_line(drill->ctl, end->calls_lost > 0 ? COLOR_WARN : COLOR_NONE,
			"calls lost: %lld", (long long)end->calls_lost);
	out_line(drill->ctl, COLOR_NONE, "restarts: %lld before, %lld now",
		(long long)end->restarts_before, (long long)end->restarts_after);
}

static int do_drill(struct drill *drill, int64_t patience_ms)
{
	auto_(client_freep) struct client *client = NULL;
	struct fail fail = { 0 };

	if (client_open(drill->ctl, &client, &fail) < 0 || begin(drill, client, &fail) < 0)
		return ctl_fail(drill->ctl, &fail);
	if (!drill->ctl->is_json)
		print_fault(drill);
	if (watch(drill, client, patience_ms, &fail) < 0)
		return ctl_fail(drill->ctl, &fail);
	if (drill->ctl->is_json)
		print_json(drill);
	else
		print_end(drill);
	return drill->is_healed ? CTL_DONE : CTL_FAILED;
}

static int run_drill(const struct ctl *ctl, const struct ctl_args *args)
{
	auto_(drill_done) struct drill drill = {
		.ctl = ctl,
		.kind = args_at(args, 0),
		.domain = args_at(args, 1),
	};
	bool is_gateway = streq(drill.kind, "gateway");

	if (is_gateway && drill.domain)
		return ctl_usage(
			&verb_drill, "'drill gateway' is about the registrar, it takes no domain");
	if (!is_gateway && !drill.domain)
		return ctl_usage(&verb_drill, "'drill %s' needs a domain", drill.kind);
	if (drill.domain && !utf8_valid(drill.domain, strlen(drill.domain)))
		return ctl_usage(&verb_drill, "no domain has such a name: it is not UTF-8");
	if (!args_has(args, "yes")) {
		if (ctl->is_json || !ask_is_possible())
			return ctl_usage(&verb_drill,
				"a fault on purpose: where nobody can be asked, "
				"it needs --yes");
		if (!is_agreed(&drill)) {
			out_note("nothing was done");
			return CTL_FAILED;
		}
	}
	return do_drill(&drill, args_get(args, "timeout") ? ctl->timeout_ms : DEFAULT_PATIENCE_MS);
}

const struct verb verb_drill = {
	.name = "drill",
	.args = "kill|stop|garbage DOMAIN, or gateway",
	.summary = "do a fault on purpose, and see what becomes of it",
	.help = "kill: a process of the domain is killed. stop: it is stopped, as if it hung; that is noticed by\n"
		"the domain's health checks. garbage: what it sends is no MCP. gateway: the registrar is killed.\n"
		"Waits until all is as before (--timeout, 120 s), and tells how long it took, and whether calls\n"
		"were lost. Exit status: 0 it healed.",
	.options = options,
	.word = CTL_WORD_CHOICE,
	.choices = "kill stop garbage gateway",
	.lone = "gateway",
	.more = CTL_WORD_DOMAIN,
	.min_args = 1,
	.max_args = 2,
	.run = run_drill,
};
