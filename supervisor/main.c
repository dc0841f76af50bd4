/* mcp-fleetd: arguments, settings, construction, and what the service manager is told. */
#include <assert.h>
#include <signal.h>
#include <stdio.h>

#include "config.h"

#include "shared/fd.h"
#include "shared/libexec.h"
#include "shared/log.h"
#include "supervisor/conf_dump.h"
#include "supervisor/fleet/store.h"
#include "supervisor/main_private.h"

enum {
	EXIT_SETTINGS = 2,
	STATUS_DELAY_MS = 200, /* several changes make one STATUS line */
};

/* --- what is told ------------------------------------------------------------------------------ */

static void tell_status(void *arg)
{
	struct daemon *d = arg;
	auto_strbuf text = { 0 };

	if (d->phase != PHASE_SERVING)
		return;
	health_add_summary(d->health, &text);
	notify_status(strbuf_get(&text));
}

static void on_changed(void *arg)
{
	struct daemon *d = arg;

	if (d->registration)
		registration_note_change(d->registration);
	if (d->control)
		control_note_change(d->control);
	if (d->phase == PHASE_SERVING && !timer_is_running(d->status_timer))
		timer_start(d->status_timer, STATUS_DELAY_MS);
}

static void on_watchdog(void *arg)
{
	struct daemon *d = arg;

	notify_watchdog();
	timer_start(d->watchdog_timer, notify_watchdog_ms());
}

/* --- construction ------------------------------------------------------------------------------ */

static bool is_domain(void *arg, const char *name)
{
	const struct daemon *d = arg;

	return fleet_find(d->fleet, name) != 0;
}

static const struct mcp_hooks mcp_hooks = {
	.idle = main_on_idle,
	.settled = main_on_settled,
	.changed = on_changed,
};

/* What clients are served, and with admin.public what others are served elsewhere. */
static void get_routes(struct daemon *d)
{
	struct http_route *at = d->routes;

	sse_get_routes(d->sse, at);
	at += SSE_ROUTES;
	streamable_get_routes(d->streamable, at);
	at += STREAMABLE_ROUTES;
	health_get_routes(d->health, at);
	at += HEALTH_ROUTES;
	resource_meta_get_routes(&d->conf, at);
	at += RESOURCE_META_ROUTES;
	if (!d->conf->admin_public)
		return;
	metrics_get_routes(d->metrics, at);
	at += METRICS_ROUTES;
	page_get_routes(d->page, at);
}

static int serve_sse(struct daemon *d, struct fail *fail)
{
	const struct httpd_parts parts = {
		.loop = d->loop,
		.guard = d->guard,
		.routes = d->routes,
		.is_domain = is_domain,
		.arg = d,
		.is_public = true,
	};
	auto_strbuf addresses = { 0 };
	int r;

	d->sse = sse_new(d->loop, d->mcp, d->conf->sse_heartbeat_ms);
	d->streamable = streamable_new(d->loop, d->mcp, d->conf);
	get_routes(d);
	d->httpd = httpd_new(&parts, &d->conf->limits);
	httpd_set_trusted(
		d->httpd, d->conf->http.trusted_proxies.items, d->conf->http.trusted_proxies.n);
	main_share_tls(d);
	r = main_open_listeners(d, fail);
	if (r == 0)
		r = main_open_local(d, fail);
	if (r < 0)
		return r;
	httpd_add_addresses(d->httpd, &addresses);
	if (local_get_path(d->local))
		strbuf_addf(&addresses, ", %s", local_get_path(d->local));
	log_info("mcp-fleetd " PACKAGE_VERSION " listens on %s", strbuf_get(&addresses));
	return 0;
}

static int serve_stdio(struct daemon *d, struct fail *fail)
{
	d->stream = stream_new(d->loop, d->mcp, STDIN_FILENO, STDOUT_FILENO,
		d->conf->limits.request_bytes, mcp_find_endpoint(d->mcp, NULL), &main_stream_hooks,
		d);
	assert(d->stream); /* the first session of all */
	return main_open_local(d, fail);
}

/* What the signals do when we do not watch them any more is what they did before: then the end is near,
 * and one more must not make a failure of it. */
static void watch_signals(struct daemon *d)
{
	static const int ignored[] = { SIGPIPE, SIGTERM, SIGINT, SIGHUP };

	for (size_t i = 0; i < N_ELEMENTS(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	d->signals[0] = loop_on_signal(d->loop, SIGTERM, main_on_stop_signal, d);
	d->signals[1] = loop_on_signal(d->loop, SIGINT, main_on_stop_signal, d);
	d->signals[2] = loop_on_signal(d->loop, SIGHUP, main_on_reload_signal, d);
}

/* What holds the workers, told before the first of them runs. */
static int check_sandbox(const struct daemon *d, struct fail *fail)
{
	const struct confine_support *support = fleet_get_support(d->fleet);
	auto_strbuf words = { 0 };

	confine_describe(support, &words);
	log_info("sandbox: %s", words.data);
	return confine_check_required(d->conf, support, fail);
}

/* What the settings ask for and may not be had. */
static int open_doors(struct daemon *d, struct fail *fail)
{
	struct tls *tls = NULL;
	int r = check_sandbox(d, fail);

	if (r == 0)
		r = main_load_tls(d->conf, &tls, fail);
	if (r == 0)
		main_use_tls(d, tls);
	if (r == 0)
		r = token_door_prepare(d->tokens, d->conf, fail);
	if (r == 0)
		r = main_open_control(d, fail);
	if (r == 0)
		r = main_open_admin(d, fail);
	if (r < 0)
		return r;
	return d->conf->transport == CONF_TRANSPORT_SSE ? serve_sse(d, fail) : serve_stdio(d, fail);
}

static int construct(struct daemon *d, struct fail *fail)
{
	int r;

	d->loop = loop_new();
	d->log = log_ring_new(d->loop);
	d->status_timer = timer_new(d->loop, tell_status, d);
	d->watchdog_timer = timer_new(d->loop, on_watchdog, d);
	d->drain_timer = timer_new(d->loop, main_on_drain_over, d);
	d->stop_timer = timer_new(d->loop, main_go_on_stopping, d);
	watch_signals(d);
	d->mcp = mcp_new(d->loop, d->conf, &mcp_hooks, d);
	d->libexec = libexec_find();
	main_find_state_dir(d);
	d->fleet = fleet_new(d->loop, d->libexec, &mcp_domain_hooks, d->mcp);
	mcp_set_fleet(d->mcp, d->fleet);
	d->health = health_new(d->loop, d->mcp, d->conf);
	d->local = local_new(d->loop, d->mcp, &d->conf->limits);
	main_make_registration(d);
	main_make_courier(d);
	main_make_tokens(d);
	main_make_guard(d);
	main_make_status(d);
	main_make_control(d);
	main_make_metrics(d);
	d->page = page_new(d->loop, d->status);
	main_make_runtime_dir(d);
	r = open_doors(d, fail);
	if (r < 0)
		return r;
	fleet_apply(d->fleet, d->conf, NULL);
	registration_start(d->registration);
	main_set_courier(d);
	token_door_commit(d->tokens);
	if (notify_watchdog_ms() > 0)
		timer_start(d->watchdog_timer, notify_watchdog_ms());
	return 0;
}

/* From the outside in: what uses goes before what is used. Sessions that are still there (a second
 * SIGTERM) end first, while all that they and their calls lead to exists. */
static void destroy(struct daemon *d)
{
	static const struct tracer nobody;

	d->phase = PHASE_WORKERS;
	sessions_close_all(mcp_get_sessions(d->mcp), "the supervisor ends");
	loop_settle(d->loop);
	mcp_set_tracer(d->mcp, &nobody);
	stream_free(d->stream);
	local_free(d->local);
	control_free(d->control);
	d->control = NULL;
	fleet_free(d->fleet);
	registration_free(d->registration);
	d->registration = NULL;
	courier_free(d->courier); /* and tells otlp */
	mcp_free(d->mcp);
	otlp_free(d->otlp); /* the last calls have ended */
	httpd_free(d->httpd);
	httpd_free(d->admin);
	token_door_free(d->tokens); /* the courier tells it no more */
	sse_free(d->sse);
	streamable_free(d->streamable);
	main_free_guard(d);
	metrics_free(d->metrics);
	page_free(d->page);
	status_free(d->status);
	health_free(d->health);
	for (size_t i = 0; i < N_ELEMENTS(d->signals); i++)
		ev_free(d->signals[i]);
	tls_unref(d->tls);
	timer_free(d->tls_timer);
	timer_free(d->status_timer);
	timer_free(d->watchdog_timer);
	timer_free(d->drain_timer);
	timer_free(d->stop_timer);
	log_ring_free(d->log);
	loop_free(d->loop);
	conf_free(d->conf);
	free(d->libexec);
	free(d->state_dir);
}

static int run(const struct options *options, struct conf *conf)
{
	struct daemon d = { .options = options, .conf = conf };
	struct fail fail = { 0 };
	int r;

	log_use_journal();
	log_init("mcp-fleetd", conf->log_format, conf->log_level);
	r = construct(&d, &fail);
	if (r < 0)
		(void)log_err(0, "%s", fail.text);
	else
		r = loop_run(d.loop);
	destroy(&d);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int check_config(const struct conf *conf)
{
	auto_(tls_unrefp) struct tls *tls = NULL;
	struct fail fail = { 0 };

	if (main_load_tls(conf, &tls, &fail) < 0) {
		(void)fprintf(stderr, "mcp-fleetd: %s\n", fail.text);
		return EXIT_SETTINGS;
	}
	(void)printf("the settings are right: %s, domains: %zu, listeners: %zu\n",
		conf->path ? conf->path : "the built-in default", conf->n_domains,
		conf->n_listeners);
	return EXIT_SUCCESS;
}

static int dump_config(const struct conf *conf)
{
	auto_free char *state_dir = store_find_folder(conf->state_dir);
	json_auto_t *dump = conf_dump(conf, state_dir);

	if (json_dumpf(dump, stdout, JSON_INDENT(2)) < 0 || printf("\n") < 0 || fflush(stdout) != 0)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options options;
	struct conf *conf = NULL;
	struct fail fail = { 0 };
	enum options_action action;
	int code;

	if (fd_hold_standard() < 0)
		return EXIT_FAILURE;
	action = options_parse(argc, argv, &options);
	code = action == OPTIONS_WRONG ? EXIT_SETTINGS : EXIT_SUCCESS;

	if (action == OPTIONS_CHECK_CONFIG || action == OPTIONS_DUMP_CONFIG)
		fd_judge_for_others();
	if (action != OPTIONS_DONE && action != OPTIONS_WRONG) {
		if (conf_load(&options.sources, &conf, &fail) < 0) {
			(void)fprintf(stderr, "mcp-fleetd: %s\n", fail.text);
			code = EXIT_SETTINGS;
		} else if (action == OPTIONS_CHECK_CONFIG) {
			code = check_config(conf);
			conf_free(conf);
		} else if (action == OPTIONS_DUMP_CONFIG) {
			code = dump_config(conf);
			conf_free(conf);
		} else {
			code = run(&options, conf);
		}
	}
	options_done(&options);
	return code;
}
