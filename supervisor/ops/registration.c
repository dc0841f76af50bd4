/* See registration.h.
 *
 * A registrar that was started anew is told everything again. */
#include "supervisor/ops/registration.h"

#include <errno.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/ops/registration_private.h"

enum {
	TELL_DELAY_MS = 100, /* several changes make one message */
	MAX_ORDERS = 16,     /* without an answer yet */
};

/* --- the process -------------------------------------------------------------------------------- */

static struct worker_setup *make_setup(void *arg)
{
	const struct registration *reg = arg;
	const char *state_dir = reg->parts.state_dir;

	/* It is let into this folder, if there is one by then. */
	if (state_dir && mkdir(state_dir, 0700) < 0 && errno != EEXIST)
		log_warn("cannot make the folder '%s' (%s): what is registered is not kept",
			state_dir, strerror(errno));
	return aide_make_setup(reg->parts.libexec, "registrar",
		confine_make_registrar_plan(state_dir), "MCPGATEWAY_BEARER_TOKEN");
}

static void on_ready(void *arg)
{
	struct registration *reg = arg;

	registration_forget_told(reg);
	registration_tell_settings(reg);
	registration_tell(reg);
}

static void on_told(void *arg, const struct rpc *rpc)
{
	struct registration *reg = arg;
	json_t *report;

	if (!jspan_is(rpc->method, "registrar/state"))
		return;
	report = rpc->params.at ? json_loadb(rpc->params.at, rpc->params.len, 0, NULL) : NULL;
	if (!report) {
		if (log_limit_ok(&reg->unreadable, 1, "reports of the registrar"))
			log_warn("a report of the registrar cannot be read, the one before stays");
		return;
	}
	json_decref(reg->report);
	reg->report = report;
	reg->parts.changed(reg->parts.arg);
}

static void on_moved(void *arg)
{
	struct registration *reg = arg;

	reg->parts.changed(reg->parts.arg);
}

static const struct aide_hooks aide_hooks = {
	.make_setup = make_setup,
	.ready = on_ready,
	.told = on_told,
	.moved = on_moved,
};

static bool has_kept_order(const struct registration *reg)
{
	auto_free char *path = reg->parts.state_dir
				       ? alloc_printf("%s/registration.json", reg->parts.state_dir)
				       : NULL;

	return path && access(path, F_OK) == 0;
}

static void start_if_wanted(struct registration *reg)
{
	if (reg->is_started && (*reg->parts.conf->gateway.url || has_kept_order(reg)))
		aide_start(reg->aide);
}

/* --- orders ------------------------------------------------------------------------------------- */

struct asked {
	registration_fn *fn;
	void *arg;
};

static void on_answer(void *arg, struct jspan result, const struct fail *fail)
{
	struct asked *asked = arg;
	json_auto_t *json = result.at ? json_loadb(result.at, result.len, 0, NULL) : NULL;
	struct fail unreadable = { 0 };

	if (result.at && !json)
		(void)fail_set(&unreadable, -EREMOTEIO,
			"the registrar gave an answer that cannot be read");
	asked->fn(asked->arg, json, json || fail ? fail : &unreadable);
	free(asked);
}

/* --- public ------------------------------------------------------------------------------------- */

struct registration *registration_new(const struct registration_parts *parts)
{
	struct registration *reg = alloc_zero(sizeof(*reg));

	reg->parts = *parts;
	reg->aide = aide_new(parts->loop, fleet_get_launcher(mcp_get_fleet(parts->mcp)),
		"registrar", MAX_ORDERS, &aide_hooks, reg);
	reg->tell_timer = timer_new(parts->loop, registration_tell, reg);
	return reg;
}

void registration_free(struct registration *reg)
{
	if (!reg)
		return;
	reg->is_stopping = true;
	aide_free(reg->aide);
	timer_free(reg->tell_timer);
	registration_forget_told(reg);
	json_decref(reg->report);
	free(reg);
}

void registration_start(struct registration *reg)
{
	reg->is_started = true;
	start_if_wanted(reg);
}

void registration_set_conf(struct registration *reg, const struct conf *conf)
{
	reg->parts.conf = conf;
	registration_forget_removed(reg);
	start_if_wanted(reg);
	if (!aide_is_ready(reg->aide))
		return;
	registration_tell_settings(reg);
	registration_note_change(reg);
}

void registration_stop(struct registration *reg, void (*fn)(void *arg), void *arg)
{
	reg->is_stopping = true;
	aide_stop(reg->aide, fn, arg);
}

void registration_note_change(struct registration *reg)
{
	if (aide_is_ready(reg->aide) && !timer_is_running(reg->tell_timer))
		timer_start(reg->tell_timer, TELL_DELAY_MS);
}

/* What is known before the registrar has said anything: all the members of a report, or who reads them finds
 * some of them missing now and then. */
static json_t *make_empty_report(const struct registration *reg)
{
	const char *url = reg->parts.conf->gateway.url;
	json_t *gateway = json_pack("{s:s?, s:s, s:n, s:n, s:n, s:n}", "url", *url ? url : NULL,
		"state", "unknown", "error", "remedy", "last_contact", "next_try_ms");

	(void)json_object_set_new(gateway, "token",
		json_pack("{s:s, s:n, s:n}", "source", "none", "expires", "days_left"));
	return json_pack("{s:o, s:[], s:n, s:[], s:{s:i, s:i, s:i, s:i, s:i, s:i}}", "gateway",
		gateway, "domains", "server", "drift", "counters", "requests", 0, "creates", 0,
		"updates", 0, "deletes", 0, "errors", 0, "rounds", 0);
}

json_t *registration_make_report(const struct registration *reg)
{
	const struct worker *worker = aide_get_worker(reg->aide);
	json_t *report;

	if (!worker)
		return NULL;
	report = reg->report ? json_deep_copy(reg->report) : make_empty_report(reg);
	(void)json_object_set_new(report, "process",
		json_pack("{s:i, s:s, s:I, s:s}", "pid", (int)worker_get_pid(worker), "state",
			worker_state_name(worker_get_state(worker)), "restarts",
			(json_int_t)aide_get_restarts(reg->aide), "last_end",
			worker_get_last_end(worker)));
	return report;
}

void registration_ask(struct registration *reg, const char *method, json_t *params,
	registration_fn *fn, void *arg)
{
	bool is_first = streq(method, "registrar/register");
	struct fail fail = { 0 };
	struct asked *asked;
	char *text;

	if (!aide_get_worker(reg->aide) && !is_first) {
		(void)fail_set(&fail, -ENOENT,
			"no gateway is known: mcp-fleetctl register names one, or gateway.url");
		json_decref(params);
		fn(arg, NULL, &fail);
		return;
	}
	asked = alloc_zero(sizeof(*asked));
	asked->fn = fn;
	asked->arg = arg;
	text = json_dumps(params, JSON_COMPACT);
	json_decref(params);
	aide_ask(reg->aide, method, text ? text : alloc_str("{}"), on_answer, asked);
}

pid_t registration_kill(struct registration *reg, uint64_t *ret_restarts)
{
	return aide_kill(reg->aide, ret_restarts);
}
