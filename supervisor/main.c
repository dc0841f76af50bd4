/* mcp-fleetd: arguments, settings, construction, signals, the end. The one file that sees all layers.
 *
 * The end has three phases: calls (no new requests; those in flight may finish for `drain`), output
 * (what was answered is written), workers (all processes end). A second SIGTERM skips what is left. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "config.h"

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/libexec.h"
#include "shared/log.h"
#include "supervisor/conf_dump.h"
#include "supervisor/fleet/store.h"
#include "supervisor/front/httpd.h"
#include "supervisor/front/local.h"
#include "supervisor/front/sse.h"
#include "supervisor/front/stream.h"
#include "supervisor/front/streamable.h"
#include "supervisor/mcp/mcp.h"
#include "supervisor/ops/control.h"
#include "supervisor/ops/health.h"
#include "supervisor/ops/notify.h"
#include "supervisor/ops/registration.h"
#include "supervisor/ops/status.h"
#include "supervisor/options.h"

enum {
	EXIT_SETTINGS = 2,
	STATUS_DELAY_MS = 200, /* several changes make one STATUS line */
	FLUSH_POLL_MS = 10,
	WORKERS_DRAIN_MS = 500,
};

enum phase {
	PHASE_SERVING,
	PHASE_CALLS,
	PHASE_OUTPUT,
	PHASE_WORKERS,
};

struct daemon {
	struct loop *loop;
	const struct options *options;
	struct conf *conf;
	struct mcp *mcp;
	struct fleet *fleet;
	struct health *health;
	char *libexec;   /* where our programs lie */
	char *state_dir; /* NULL: none */
	struct registration *registration;
	struct status *status;
	struct control *control;
	struct log_ring *log;
	struct httpd *httpd;           /* transport sse */
	struct sse *sse;               /* transport sse */
	struct streamable *streamable; /* transport sse */
	struct stream *stream;         /* transport stdio */
	struct local *local;           /* the Unix socket, if any, beside either transport */
	struct http_route routes[SSE_ROUTES + STREAMABLE_ROUTES + HEALTH_ROUTES + 1];
	struct event *signals[3];
	struct timer *status_timer;
	struct timer *watchdog_timer;
	struct timer *drain_timer;
	struct timer *flush_timer;
	enum phase phase;
	int64_t drain_until_ms;
	bool input_ended;
	bool has_passed_sockets; /* for HTTP, by the service manager: `listen` is not used */
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

/* --- the end ----------------------------------------------------------------------------------- */

static void on_registrar_stopped(void *arg)
{
	struct daemon *d = arg;

	loop_stop(d->loop);
}

static void on_fleet_stopped(void *arg)
{
	struct daemon *d = arg;

	registration_stop(d->registration, on_registrar_stopped, d);
}

static void note_pending(void *arg, struct session *session)
{
	bool *pending = arg;

	*pending |= session_is_pending(session);
}

static bool is_writing(const struct daemon *d)
{
	bool pending = false;

	sessions_each(mcp_get_sessions(d->mcp), note_pending, &pending);
	return pending || (d->httpd && httpd_is_writing(d->httpd)) ||
	       (d->stream && stream_is_writing(d->stream)) || local_is_writing(d->local);
}

/* The client of stdio asked for the end itself: it gets all, however slow it is. */
static bool is_awaited(const struct daemon *d)
{
	const struct session *session = d->stream ? stream_get_session(d->stream) : NULL;

	return d->input_ended && session &&
	       (session_is_pending(session) || stream_is_writing(d->stream));
}

static void end_output(void *arg)
{
	struct daemon *d = arg;

	if (d->phase != PHASE_OUTPUT)
		return;
	if (is_awaited(d) || (is_writing(d) && loop_now_ms(d->loop) < d->drain_until_ms)) {
		timer_start(d->flush_timer, FLUSH_POLL_MS);
		return;
	}
	d->phase = PHASE_WORKERS;
	sessions_close_all(mcp_get_sessions(d->mcp), "the fleet is stopping");
	if (d->httpd)
		httpd_close_idle(d->httpd);
	fleet_stop(d->fleet, WORKERS_DRAIN_MS, on_fleet_stopped, d);
}

static void end_calls(void *arg)
{
	struct daemon *d = arg;

	if (d->phase != PHASE_CALLS || mcp_count_pending(d->mcp) > 0)
		return;
	timer_stop(d->drain_timer);
	d->phase = PHASE_OUTPUT;
	end_output(d);
}

static void on_drain_over(void *arg)
{
	struct daemon *d = arg;

	log_warn("stopping: %u calls did not end within `drain`; they are told so",
		mcp_count_pending(d->mcp));
	mcp_fail_pending(d->mcp, "the fleet is stopping and the call did not end in time (drain); "
				 "it may have taken effect");
	end_calls(d);
}

static void begin_stop(struct daemon *d)
{
	if (d->phase != PHASE_SERVING)
		return;
	d->phase = PHASE_CALLS;
	d->drain_until_ms = loop_now_ms(d->loop) + d->conf->drain_ms;
	mcp_refuse_new(d->mcp);
	health_set_stopping(d->health);
	control_set_stopping(d->control);
	if (d->httpd)
		httpd_stop_listening(d->httpd);
	local_stop_listening(d->local);
	timer_start(d->drain_timer, d->conf->drain_ms);
	end_calls(d);
}

/* What the client of stdio has asked for is answered; those at the local socket have `drain`. */
static bool is_stdio_done(const struct daemon *d)
{
	const struct session *session = d->stream ? stream_get_session(d->stream) : NULL;

	return d->input_ended && (!session || mcp_count_pending_of(d->mcp, session) == 0);
}

static void on_calls_ended(void *arg)
{
	struct daemon *d = arg;

	if (d->phase == PHASE_SERVING && is_stdio_done(d))
		begin_stop(d);
	end_calls(d);
}

/* The lists are complete: what came before that was answered now. */
static void on_settled(void *arg)
{
	struct daemon *d = arg;
	auto_strbuf text = { 0 };

	if (d->phase != PHASE_SERVING)
		return;
	health_add_summary(d->health, &text);
	log_info("ready: %s", strbuf_get(&text));
	notify_ready(strbuf_get(&text));
	if (d->input_ended)
		loop_defer(d->loop, on_calls_ended, d);
}

/* Comes from deep inside the router: what follows waits for the end of the turn. */
static void on_idle(void *arg)
{
	struct daemon *d = arg;

	if (d->phase == PHASE_CALLS || d->input_ended)
		loop_defer(d->loop, on_calls_ended, d);
}

static void on_stop_signal(evutil_socket_t signo, short what, void *arg)
{
	struct daemon *d = arg;

	if (d->phase != PHASE_SERVING) {
		log_notice("stopping at once, on a second signal");
		loop_stop(d->loop);
		return;
	}
	log_info("stopping on SIG%s: %u calls in flight, %u sessions", sigabbrev_np(signo),
		mcp_count_pending(d->mcp), sessions_count(mcp_get_sessions(d->mcp)));
	notify_stopping("letting calls end");
	begin_stop(d);
}

/* --- stdio ------------------------------------------------------------------------------------- */

static void on_input_ended(void *arg)
{
	struct daemon *d = arg;

	d->input_ended = true;
	loop_defer(d->loop, on_calls_ended, d);
}

static void on_output_drained(void *arg)
{
	on_calls_ended(arg);
	end_output(arg);
}

static void on_output_broken(void *arg)
{
	struct daemon *d = arg;

	if (d->phase == PHASE_WORKERS)
		return;
	log_notice("nobody reads our output any more, ending");
	if (stream_get_session(d->stream))
		session_close(stream_get_session(d->stream), "the client is gone");
	d->input_ended = true;
	on_calls_ended(d);
}

/* --- reload ------------------------------------------------------------------------------------ */

static void log_reload(const struct conf_diff *diff)
{
	for (size_t i = 0; i < diff->keys.n; i++)
		log_info("reload: %s changed", diff->keys.items[i]);
	for (size_t i = 0; i < diff->n_domains; i++)
		log_info("reload: domain %s changed", diff->domains[i].name);
	for (size_t i = 0; i < diff->restart.n; i++)
		log_warn("reload: %s holds only after a restart", diff->restart.items[i]);
	if (diff->keys.n == 0 && diff->n_domains == 0)
		log_info("reload: nothing changed");
}

static void apply(struct daemon *d, struct conf *conf, const struct conf_diff *diff)
{
	struct conf *old = d->conf;

	d->conf = conf;
	if (diff->log)
		log_init("mcp-fleetd", conf->log_format, conf->log_level);
	health_set_conf(d->health, conf);
	mcp_set_conf(d->mcp, conf);
	status_set_conf(d->status, conf);
	control_set_conf(d->control, conf);
	local_set_limits(d->local, &conf->limits);
	if (d->httpd)
		httpd_set_limits(d->httpd, &conf->limits);
	if (d->sse)
		sse_set_heartbeat(d->sse, conf->sse_heartbeat_ms);
	if (d->streamable)
		streamable_set_conf(d->streamable, conf);
	if (d->stream)
		stream_set_max_line(d->stream, conf->limits.request_bytes);
	fleet_apply(d->fleet, conf, diff);
	registration_set_conf(d->registration, conf);
	conf_free(old);
}

/* Sockets that nobody asked for, in a folder that nobody made, are done without when they cannot be had:
 * another daemon was started by hand before. */
static int excuse(const struct conf *conf, const char *path, const char *setting, int r,
	const struct fail *fail)
{
	if (r == 0 || !conf->owns_runtime_dir || !streq(setting, "auto"))
		return r;
	log_notice("no socket at '%s': %s", path, fail->text);
	return 0;
}

/* All of it or nothing: the local socket is made ready first, and used last. */
static int listen_anew(struct daemon *d, const struct conf *conf, struct fail *fail)
{
	int r = local_prepare(d->local, conf->local_socket, conf->local.group, fail);

	r = excuse(conf, conf->local_socket, conf->local.path, r, fail);
	if (r == 0 && d->httpd && !d->has_passed_sockets)
		r = httpd_listen(d->httpd, conf->listeners, conf->n_listeners, fail);
	if (r == 0)
		local_commit(d->local);
	else
		local_abandon(d->local);
	return r;
}

static json_t *texts_of(const struct conf_strs *texts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < texts->n; i++)
		(void)json_array_append_new(list, json_string(texts->items[i]));
	return list;
}

/* For who asked by the control socket. */
static json_t *describe_diff(const struct conf_diff *diff)
{
	static const char *const changes[] = { [CONF_DOMAIN_ADDED] = "added",
		[CONF_DOMAIN_REMOVED] = "removed",
		[CONF_DOMAIN_TUNED] = "tuned",
		[CONF_DOMAIN_REPLACED] = "replaced" };
	json_t *domains = json_array();

	for (size_t i = 0; i < diff->n_domains; i++)
		(void)json_array_append_new(
			domains, json_pack("{s:s, s:s}", "name", diff->domains[i].name, "change",
					 changes[diff->domains[i].change]));
	return json_pack("{s:o, s:o, s:o}", "changed", texts_of(&diff->keys), "domains", domains,
		"needs_restart", texts_of(&diff->restart));
}

/* Read, check, compare; then change only what differs. On an error the old set stays. */
static int reload(struct daemon *d, json_t **ret, struct fail *fail)
{
	auto_(conf_freep) struct conf *conf = NULL;
	struct conf_sources sources = d->options->sources;
	struct conf_diff diff;
	int r;

	/* A file that was found at the start is missed when it is gone, not replaced by the default. */
	if (!sources.path)
		sources.path = d->conf->path;
	r = conf_load(&sources, &conf, fail);
	if (r == 0)
		r = confine_check_required(conf, fleet_get_support(d->fleet), fail);
	if (r < 0)
		return r;
	conf_diff(d->conf, conf, &diff);
	if (diff.listeners)
		r = listen_anew(d, conf, fail);
	if (r == 0) {
		log_reload(&diff);
		*ret = describe_diff(&diff);
		apply(d, TAKE(conf), &diff);
	}
	conf_diff_done(&diff);
	return r;
}

/* Told to the service manager and to the log, whoever asked for it. */
static int reload_aloud(void *arg, json_t **ret, struct fail *fail)
{
	struct daemon *d = arg;
	auto_strbuf status = { 0 };
	int r;

	if (d->phase != PHASE_SERVING)
		return fail_set(fail, -ESHUTDOWN, "the fleet is stopping");
	notify_reloading();
	r = reload(d, ret, fail);
	if (r < 0) {
		(void)log_err(0, "reload refused, the old settings stay: %s", fail->text);
		strbuf_addf(&status, "reload refused, the old settings stay: %s", fail->text);
	} else {
		health_add_summary(d->health, &status);
	}
	notify_ready(strbuf_get(&status));
	return r;
}

static void on_reload_signal(evutil_socket_t signo, short what, void *arg)
{
	struct fail fail = { 0 };
	json_auto_t *changes = NULL;

	(void)reload_aloud(arg, &changes, &fail);
}

/* --- construction ------------------------------------------------------------------------------ */

static bool is_domain(void *arg, const char *name)
{
	const struct daemon *d = arg;

	return fleet_find(d->fleet, name) != 0;
}

static const struct mcp_hooks mcp_hooks = {
	.idle = on_idle,
	.settled = on_settled,
	.changed = on_changed,
};

static const struct stream_hooks stream_hooks = {
	.ended = on_input_ended,
	.drained = on_output_drained,
	.broken = on_output_broken,
};

/* Promise 7 holds for a socket that was passed in as for one of ours. */
static int adopt(struct daemon *d, struct notify_socket *passed, struct fail *fail)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);
	bool names_domain = conf_find_domain(d->conf, passed->name) != NULL;

	if (getsockname(passed->fd, (struct sockaddr *)&addr, &len) < 0)
		return fail_set(fail, -errno, "cannot tell the address of a passed socket");
	if (!conf_may_listen_on(d->conf, &addr))
		return fail_set(fail, -EACCES,
			"the passed socket '%s' is not on loopback, and there are no keys: write 'auth: none' "
			"into the settings if everybody who reaches it may use the tools",
			passed->name);
	if (addr.ss_family == AF_UNIX && streq(passed->name, "local")) {
		local_adopt(d->local, TAKE_FD(passed->fd));
		return 0;
	}
	d->has_passed_sockets = true;
	httpd_adopt(d->httpd, TAKE_FD(passed->fd), names_domain ? passed->name : NULL);
	return 0;
}

/* Sockets of the service manager take the place of the configured ones: for HTTP, and, where it is a
 * Unix socket with the name "local", of local.path. */
static int open_listeners(struct daemon *d, struct fail *fail)
{
	struct notify_sockets sockets = { 0 };
	int r = notify_take_sockets(&sockets, fail);

	for (size_t i = 0; r == 0 && i < sockets.n; i++)
		r = adopt(d, &sockets.items[i], fail);
	if (r == 0 && !d->has_passed_sockets)
		r = httpd_listen(d->httpd, d->conf->listeners, d->conf->n_listeners, fail);
	notify_sockets_done(&sockets);
	return r;
}

/* The folder for sockets with path `auto`, when it is ours to make. */
static void make_runtime_dir(const struct daemon *d)
{
	const char *path = d->conf->runtime_dir;

	if (path && d->conf->owns_runtime_dir && mkdir(path, 0755) < 0 && errno != EEXIST)
		log_notice("cannot make the folder '%s': %s", path, strerror(errno));
}

static int open_local(struct daemon *d, struct fail *fail)
{
	int r = local_prepare(d->local, d->conf->local_socket, d->conf->local.group, fail);

	if (r == 0)
		local_commit(d->local);
	return excuse(d->conf, d->conf->local_socket, d->conf->local.path, r, fail);
}

/* --- for operators ----------------------------------------------------------------------------- */

static void add_addresses(void *arg, struct strbuf *out)
{
	const struct daemon *d = arg;

	if (d->httpd)
		httpd_add_addresses(d->httpd, out);
}

/* Of the first listener for the whole fleet: where a gateway on this machine reaches us. */
static void add_url(void *arg, struct strbuf *out)
{
	const struct daemon *d = arg;

	if (d->httpd)
		httpd_add_url(d->httpd, out);
}

static const char *get_local_socket(void *arg)
{
	const struct daemon *d = arg;

	return local_get_path(d->local);
}

static const char *get_control_socket(void *arg)
{
	const struct daemon *d = arg;

	return d->control ? control_get_path(d->control) : NULL;
}

static void on_report(void *arg)
{
	struct daemon *d = arg;

	if (d->control)
		control_note_report(d->control);
}

static void make_registration(struct daemon *d)
{
	const struct registration_parts parts = {
		.loop = d->loop,
		.mcp = d->mcp,
		.conf = d->conf,
		.libexec = d->libexec,
		.state_dir = d->state_dir,
		.add_url = add_url,
		.changed = on_report,
		.arg = d,
	};

	d->registration = registration_new(&parts);
}

static void make_status(struct daemon *d)
{
	const struct status_parts parts = {
		.loop = d->loop,
		.mcp = d->mcp,
		.health = d->health,
		.registration = d->registration,
		.conf = d->conf,
		.state_dir = d->state_dir,
		.add_addresses = add_addresses,
		.get_local_socket = get_local_socket,
		.get_control_socket = get_control_socket,
		.arg = d,
	};

	d->status = status_new(&parts);
}

static const struct control_hooks control_hooks = { .reload = reload_aloud };

static void make_control(struct daemon *d)
{
	const struct control_parts parts = {
		.loop = d->loop,
		.mcp = d->mcp,
		.status = d->status,
		.registration = d->registration,
		.log = d->log,
		.conf = d->conf,
	};

	d->control = control_new(&parts, &control_hooks, d);
}

static int open_control(struct daemon *d, struct fail *fail)
{
	const struct conf *conf = d->conf;
	int r = control_listen(d->control, conf->control_socket, conf->control.group, fail);

	return excuse(conf, conf->control_socket, conf->control.path, r, fail);
}

static int serve_sse(struct daemon *d, struct fail *fail)
{
	auto_strbuf addresses = { 0 };
	int r;

	d->sse = sse_new(d->loop, d->mcp, d->conf->sse_heartbeat_ms);
	d->streamable = streamable_new(d->loop, d->mcp, d->conf);
	sse_get_routes(d->sse, d->routes);
	streamable_get_routes(d->streamable, d->routes + SSE_ROUTES);
	health_get_routes(d->health, d->routes + SSE_ROUTES + STREAMABLE_ROUTES);
	d->httpd = httpd_new(d->loop, &d->conf->limits, d->routes, is_domain, d);
	r = open_listeners(d, fail);
	if (r == 0)
		r = open_local(d, fail);
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
		d->conf->limits.request_bytes, mcp_find_endpoint(d->mcp, NULL), &stream_hooks, d);
	assert(d->stream); /* the first session of all */
	return open_local(d, fail);
}

/* What the signals do when we do not watch them any more is what they did before: then the end is near,
 * and one more must not make a failure of it. */
static void watch_signals(struct daemon *d)
{
	static const int ignored[] = { SIGPIPE, SIGTERM, SIGINT, SIGHUP };

	for (size_t i = 0; i < N_ELEMENTS(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	d->signals[0] = loop_on_signal(d->loop, SIGTERM, on_stop_signal, d);
	d->signals[1] = loop_on_signal(d->loop, SIGINT, on_stop_signal, d);
	d->signals[2] = loop_on_signal(d->loop, SIGHUP, on_reload_signal, d);
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

static int construct(struct daemon *d, struct fail *fail)
{
	int r = 0;

	d->loop = loop_new();
	d->log = log_ring_new(d->loop);
	d->status_timer = timer_new(d->loop, tell_status, d);
	d->watchdog_timer = timer_new(d->loop, on_watchdog, d);
	d->drain_timer = timer_new(d->loop, on_drain_over, d);
	d->flush_timer = timer_new(d->loop, end_output, d);
	watch_signals(d);
	d->mcp = mcp_new(d->loop, d->conf, &mcp_hooks, d);
	d->libexec = libexec_find();
	d->state_dir = store_find_folder(d->conf->state_dir);
	d->fleet = fleet_new(d->loop, d->libexec, &mcp_domain_hooks, d->mcp);
	mcp_set_fleet(d->mcp, d->fleet);
	d->health = health_new(d->loop, d->mcp, d->conf);
	d->local = local_new(d->loop, d->mcp, &d->conf->limits);
	make_registration(d);
	make_status(d);
	make_control(d);
	make_runtime_dir(d);
	r = check_sandbox(d, fail);
	if (r == 0)
		r = open_control(d, fail);
	if (r == 0 && d->conf->transport == CONF_TRANSPORT_SSE)
		r = serve_sse(d, fail);
	else if (r == 0)
		r = serve_stdio(d, fail);
	if (r < 0)
		return r;
	fleet_apply(d->fleet, d->conf, NULL);
	registration_start(d->registration);
	if (notify_watchdog_ms() > 0)
		timer_start(d->watchdog_timer, notify_watchdog_ms());
	return 0;
}

/* From the outside in: what uses goes before what is used. Sessions that are still there (a second
 * SIGTERM) end first, while all that they and their calls lead to exists. */
static void destroy(struct daemon *d)
{
	d->phase = PHASE_WORKERS;
	sessions_close_all(mcp_get_sessions(d->mcp), "the supervisor ends");
	loop_settle(d->loop);
	stream_free(d->stream);
	local_free(d->local);
	control_free(d->control);
	d->control = NULL;
	fleet_free(d->fleet);
	registration_free(d->registration);
	d->registration = NULL;
	mcp_free(d->mcp);
	httpd_free(d->httpd);
	sse_free(d->sse);
	streamable_free(d->streamable);
	status_free(d->status);
	health_free(d->health);
	for (size_t i = 0; i < N_ELEMENTS(d->signals); i++)
		ev_free(d->signals[i]);
	timer_free(d->status_timer);
	timer_free(d->watchdog_timer);
	timer_free(d->drain_timer);
	timer_free(d->flush_timer);
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
