/* See registration.h.
 *
 * What the registrar is told is told whole: its settings, and each domain that has changed since it was
 * told. A registrar that was started anew is told everything again. Orders that come before it is ready
 * wait for that. */
#include "supervisor/ops/registration.h"

#include <errno.h>
#include <stdio.h>

#include "config.h"

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/conf_dump.h"
#include "supervisor/fleet/store.h"

enum {
	TELL_DELAY_MS = 100, /* several changes make one message */
	START_TIMEOUT_MS = 10000,
	HEALTH_INTERVAL_MS = 15000,
	HEALTH_TIMEOUT_MS = 30000,
	STOP_MS = 200,
	MAX_ORDERS = 16,
	MAX_KNOWN = 64, /* domains */
};

static const struct backoff_rules restart_rules = {
	.first_ms = 200, .cap_ms = 30000, .park_ms = 300000, .stable_ms = 60000, .park_after = 10
};

/* What a domain was when it was told. */
struct told {
	char *name;
	uint64_t hash;
};

/* A question to the registrar. */
struct order {
	TAILQ_ENTRY(order) next;
	uint64_t no;
	char *method;
	json_t *params;
	registration_fn *fn;
	void *arg;
	bool is_sent;
};

struct registration {
	struct registration_parts parts;
	struct worker *worker; /* NULL: not wanted up to now */
	bool is_started;       /* registration_start() */
	bool is_stopping;
	bool is_ready;
	struct told told[MAX_KNOWN];
	size_t n_told;
	struct timer *tell_timer;
	struct timer *ping_timer; /* while it has orders: to ping it, then to have its answer */
	uint64_t ping_no;         /* of the ping without an answer; 0: there is none */
	TAILQ_HEAD(, order) orders;
	unsigned n_orders;
	uint64_t last_no;
	json_t *report; /* NULL: none up to now */
	struct log_limit unreadable;
	uint64_t n_restarts;
	void (*on_stopped)(void *arg);
	void *on_stopped_arg;
};

/* --- what it is told ---------------------------------------------------------------------------- */

static void set_text(json_t *json, const char *name, const char *text)
{
	(void)json_object_set_new(json, name, json_string(text));
}

static void add_where_we_are(const struct registration *reg, json_t *json)
{
	const struct conf_gateway *gateway = &reg->parts.conf->gateway;
	auto_strbuf url = { 0 };
	auto_free char *state = reg->parts.state_dir
					? alloc_printf("%s/registration.json", reg->parts.state_dir)
					: NULL;

	strbuf_adds(&url, gateway->public_url);
	if (url.len == 0)
		reg->parts.add_url(reg->parts.arg, &url);
	set_text(json, "public_url", strbuf_get(&url));
	set_text(json, "state_file", state ? state : "");
}

static json_t *make_settings(const struct registration *reg)
{
	const struct conf *conf = reg->parts.conf;
	const struct conf_gateway *gateway = &conf->gateway;
	json_t *names = json_array();
	json_t *json = json_object();

	set_text(json, "url", gateway->url);
	set_text(json, "token_file", gateway->token_file);
	set_text(json, "auth_header", gateway->auth_header);
	set_text(json, "ca_file", gateway->ca_file);
	set_text(json, "client_cert", gateway->client_cert);
	set_text(json, "client_key", gateway->client_key);
	(void)json_object_set_new(json, "verify", json_boolean(gateway->verify));
	add_where_we_are(reg, json);
	set_text(json, "transport", gateway->transport == CONF_GATEWAY_SSE ? "sse" : "streamable");
	set_text(json, "name_prefix", gateway->name_prefix);
	set_text(json, "visibility", gateway->visibility);
	(void)json_object_set_new(json, "tags", conf_dump_texts(&gateway->tags));
	(void)json_object_set_new(json, "domains_filter", conf_dump_texts(&gateway->domains));
	set_text(json, "server", gateway->server);
	(void)json_object_set_new(json, "interval_ms", json_integer(gateway->interval_ms));
	set_text(json, "peer_key_file", gateway->key_file);
	set_text(json, "peer_ca_file", gateway->peer_ca_file);
	for (size_t i = 0; i < conf->n_domains; i++)
		(void)json_array_append_new(names, json_string(conf->domains[i].name));
	(void)json_object_set_new(json, "domains", names);
	return json;
}

static void tell_settings(struct registration *reg)
{
	json_auto_t *json = make_settings(reg);
	auto_free char *text = json_dumps(json, JSON_COMPACT);

	if (text)
		worker_notify(reg->worker, "registrar/settings", text);
}

/* The items of a page's list, behind those of the pages before. */
static void add_page(void *arg, const char *page)
{
	struct strbuf *out = arg;
	struct jspan text;
	struct jspan tools;

	if (jspan_check(page, strlen(page), &text, NULL) < 0)
		return;
	tools = jspan_member(text, "tools", NULL);
	if (jspan_type(tools) != JSPAN_ARRAY || tools.len <= 2)
		return;
	if (out->data[out->len - 1] != '[')
		strbuf_addc(out, ',');
	strbuf_add(out, tools.at + 1, tools.len - 2);
}

static const char *why_not_ready(const struct domain_stats *stats, size_t n_tools)
{
	if (!domain_state_is_up(stats->state))
		return *stats->last_death ? stats->last_death : domain_state_name(stats->state);
	return n_tools > 0 ? "" : "it lists no tools";
}

static void tell_domain(struct registration *reg, const char *name, const char *reason,
	const char *summary, const struct endpoint *endpoint)
{
	auto_strbuf text = { 0 };

	strbuf_adds(&text, "{\"name\":");
	strbuf_add_json(&text, name, strlen(name));
	strbuf_addf(&text, ",\"is_ready\":%s,\"reason\":", *reason ? "false" : "true");
	strbuf_add_json(&text, reason, strlen(reason));
	strbuf_adds(&text, ",\"description\":");
	strbuf_add_json(&text, summary, strlen(summary));
	strbuf_adds(&text, ",\"tools\":[");
	if (endpoint)
		endpoint_each_page(endpoint, CATALOG_TOOLS, add_page, &text);
	strbuf_adds(&text, "]}");
	worker_notify(reg->worker, "registrar/domain", text.data);
}

/* True: it is to be told, and counts as told now. */
static bool note_told(struct registration *reg, const char *name, uint64_t hash)
{
	struct told *told = NULL;

	for (size_t i = 0; i < reg->n_told && !told; i++)
		if (streq(reg->told[i].name, name))
			told = &reg->told[i];
	if (told && told->hash == hash)
		return false;
	if (!told && reg->n_told == MAX_KNOWN)
		return true;
	if (!told) {
		told = &reg->told[reg->n_told++];
		told->name = alloc_str(name);
	}
	told->hash = hash;
	return true;
}

static void forget_told(struct registration *reg)
{
	while (reg->n_told > 0)
		free(reg->told[--reg->n_told].name);
}

/* One that comes again is told again, whatever it was before. */
static void forget_removed(struct registration *reg)
{
	size_t i = 0;

	while (i < reg->n_told) {
		if (conf_find_domain(reg->parts.conf, reg->told[i].name)) {
			i++;
			continue;
		}
		free(reg->told[i].name);
		reg->told[i] = reg->told[--reg->n_told];
	}
}

static void look_at_domain(void *arg, struct domain *domain)
{
	struct registration *reg = arg;
	struct catalog *catalog = mcp_get_catalog(reg->parts.mcp);
	const char *name = domain_get_name(domain);
	const struct endpoint *endpoint = catalog_endpoint(catalog, name);
	const char *summary = catalog_get_summary(catalog, name);
	uint64_t version = endpoint ? endpoint_get_version(endpoint, CATALOG_TOOLS) : 0;
	struct domain_stats stats;
	const char *reason;
	uint64_t hash;

	domain_get_stats(domain, &stats);
	if (stats.state == DOMAIN_STOPPED) /* the fleet ends: what is registered stays so */
		return;
	reason = why_not_ready(&stats, endpoint ? endpoint_count_tools(endpoint) : 0);
	hash = store_fingerprint(STORE_FINGERPRINT_START ^ version, reason);
	hash = store_fingerprint(hash, summary);
	if (domain_is_new(domain) || !note_told(reg, name, hash))
		return;
	tell_domain(reg, name, reason, summary, endpoint);
}

static void tell(void *arg)
{
	struct registration *reg = arg;

	if (reg->is_ready && !reg->is_stopping)
		fleet_each(mcp_get_fleet(reg->parts.mcp), look_at_domain, reg);
}

/* --- what it is asked --------------------------------------------------------------------------- */

static void end_order(
	struct registration *reg, struct order *order, json_t *result, const struct fail *fail)
{
	TAILQ_REMOVE(&reg->orders, order, next);
	reg->n_orders--;
	order->fn(order->arg, result, fail);
	json_decref(order->params);
	free(order->method);
	free(order);
}

static void fail_orders(struct registration *reg, bool only_sent, const char *why)
{
	struct fail fail = { 0 };
	struct order *order;
	struct order *after;

	(void)fail_set(&fail, -EPIPE, "%s", why);
	for (order = TAILQ_FIRST(&reg->orders); order; order = after) {
		after = TAILQ_NEXT(order, next);
		if (order->is_sent || !only_sent)
			end_order(reg, order, NULL, &fail);
	}
}

static void send_order(struct registration *reg, struct order *order)
{
	struct request *request = alloc_zero(sizeof(*request));
	auto_free char *params = json_dumps(order->params, JSON_COMPACT);

	request->no = order->no;
	request->is_beside = true;
	request->line =
		alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"%s\",\"params\":%s}",
			(unsigned long long)order->no, order->method, params ? params : "{}");
	request->len = strlen(request->line);
	order->is_sent = true;
	if (worker_call(reg->worker, request) < 0)
		request_free(request); /* its end is told, and with it that of the order */
	if (!timer_is_running(reg->ping_timer))
		timer_start(reg->ping_timer, HEALTH_INTERVAL_MS);
}

static void send_orders(struct registration *reg)
{
	struct order *order;

	TAILQ_FOREACH(order, &reg->orders, next)
		if (!order->is_sent)
			send_order(reg, order);
}

/* A worker that has a call is not pinged by itself: the deadline of the call is enough. Orders have none, for only
 * the registrar knows how long its gateway may take; that it lives, we ask. It answers pings in the middle of
 * whatever it waits for. */
static void on_ping_timer(void *arg)
{
	struct registration *reg = arg;
	struct request *request;

	if (!reg->is_ready || reg->n_orders == 0)
		return;
	if (reg->ping_no) {
		if (worker_drill(reg->worker, DRILL_KILL) == 0)
			log_warn("the registrar did not answer a ping while it had an order; "
				 "killing it");
		return;
	}
	request = alloc_zero(sizeof(*request));
	request->no = reg->ping_no = ++reg->last_no;
	request->is_beside = true;
	request->line = alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"ping\"}",
		(unsigned long long)request->no);
	request->len = strlen(request->line);
	if (worker_call(reg->worker, request) < 0)
		request_free(request);
	timer_start(reg->ping_timer, HEALTH_TIMEOUT_MS);
}

static void on_pong(struct registration *reg)
{
	reg->ping_no = 0;
	timer_stop(reg->ping_timer);
	if (reg->n_orders > 0)
		timer_start(reg->ping_timer, HEALTH_INTERVAL_MS);
}

static struct order *find_order(struct registration *reg, uint64_t no)
{
	struct order *order;

	TAILQ_FOREACH(order, &reg->orders, next)
		if (order->no == no)
			return order;
	return NULL;
}

/* --- what it says ------------------------------------------------------------------------------- */

static void on_ready(void *arg, struct worker *worker, const struct offering *offering)
{
	struct registration *reg = arg;

	reg->is_ready = true;
	forget_told(reg);
	tell_settings(reg);
	tell(reg);
	send_orders(reg);
}

static void on_answered(void *arg, const struct request *request, const struct rpc *rpc)
{
	struct registration *reg = arg;
	struct order *order = find_order(reg, request->no);
	struct jspan message = jspan_member(rpc->error, "message", NULL);
	auto_strbuf words = { 0 };
	struct fail fail = { 0 };
	json_auto_t *result = NULL;

	if (request->no == reg->ping_no)
		on_pong(reg);
	if (!order)
		return;
	if (rpc->kind == RPC_RESULT)
		result = json_loadb(rpc->result.at, rpc->result.len, 0, NULL);
	if (!result && !jspan_get_str(message, &words))
		strbuf_adds(&words, "the registrar gave an answer that cannot be read");
	if (!result)
		(void)fail_set(&fail, -EREMOTEIO, "%s", strbuf_get(&words));
	end_order(reg, order, result, result ? NULL : &fail);
}

static void on_told(void *arg, struct worker *worker, const struct rpc *rpc)
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

static void on_lost(void *arg, struct worker *worker, struct request_list *calls)
{
	struct registration *reg = arg;
	struct request *request;

	while ((request = TAILQ_FIRST(calls))) {
		TAILQ_REMOVE(calls, request, next);
		request_free(request);
	}
	reg->ping_no = 0;
	timer_stop(reg->ping_timer);
	fail_orders(reg, true, "the registrar ended while it was at work; ask again");
}

static void tell_stopped(struct registration *reg)
{
	void (*fn)(void *arg) = reg->on_stopped;

	reg->on_stopped = NULL;
	if (fn)
		loop_defer(reg->parts.loop, fn, reg->on_stopped_arg);
}

static void on_moved(void *arg, struct worker *worker)
{
	struct registration *reg = arg;
	enum worker_state state = worker_get_state(worker);

	reg->is_ready = state == WORKER_READY;
	if (state == WORKER_BACKOFF || state == WORKER_PARKED)
		reg->n_restarts++;
	if (state == WORKER_PARKED)
		fail_orders(reg, false, worker_get_last_end(worker));
	if (state == WORKER_DOWN && reg->is_stopping)
		tell_stopped(reg);
	if (!reg->is_stopping)
		reg->parts.changed(reg->parts.arg);
}

/* What it has no use for: it is never cancelled, reports no progress, and asks nothing. */
static void on_freed(void *arg, struct worker *worker)
{
}

static void on_progress(void *arg, uint64_t no, const struct rpc *rpc)
{
}

static void on_asked(void *arg, struct worker *worker, const struct rpc *rpc)
{
}

static const struct worker_hooks worker_hooks = {
	.ready = on_ready,
	.answered = on_answered,
	.freed = on_freed,
	.progress = on_progress,
	.asked = on_asked,
	.told = on_told,
	.lost = on_lost,
	.moved = on_moved,
};

/* --- its process -------------------------------------------------------------------------------- */

/* It gets what it needs for its way to the gateway, and the token if that is in the environment. */
static char **make_env(void)
{
	static const char *const names[] = { "PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE",
		"SSL_CERT_DIR", "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY",
		"NO_PROXY", "ALL_PROXY", "CREDENTIALS_DIRECTORY", "MCPGATEWAY_BEARER_TOKEN",
		"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" };
	char **env = alloc_zero((N_ELEMENTS(names) + 1) * sizeof(*env));
	size_t n = 0;

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		const char *value = getenv(names[i]);

		if (value)
			env[n++] = alloc_printf("%s=%s", names[i], value);
	}
	return env;
}

static struct worker_setup *make_setup(const struct registration *reg)
{
	struct worker_setup *setup = alloc_zero(sizeof(*setup));

	setup->n_refs = 1;
	setup->domain = alloc_str("registrar");
	setup->argv = alloc_zero(2 * sizeof(*setup->argv));
	setup->argv[0] = alloc_printf("%s/mcp-fleet-registrar", reg->parts.libexec);
	setup->env = make_env();
	setup->wrapper = alloc_printf("%s/mcp-fleet-exec", reg->parts.libexec);
	setup->plan = confine_make_registrar_plan(reg->parts.state_dir);
	setup->native = true;
	setup->protocol = CONF_PROTOCOL_LEGACY;
	setup->concurrency = MAX_ORDERS;
	setup->start_timeout_ms = START_TIMEOUT_MS;
	setup->cancel_grace_ms = START_TIMEOUT_MS;
	setup->health_interval_ms = HEALTH_INTERVAL_MS;
	setup->health_timeout_ms = HEALTH_TIMEOUT_MS;
	setup->restart = restart_rules;
	return setup;
}

static void start_process(struct registration *reg)
{
	struct fleet *fleet = mcp_get_fleet(reg->parts.mcp);
	struct worker_setup *setup;

	if (reg->worker || !reg->is_started || reg->is_stopping)
		return;
	setup = make_setup(reg);
	reg->worker = worker_new(
		reg->parts.loop, fleet_get_launcher(fleet), setup, 1, &worker_hooks, reg);
	worker_setup_unref(setup);
	worker_start(reg->worker);
}

static bool has_kept_order(const struct registration *reg)
{
	auto_free char *path = reg->parts.state_dir
				       ? alloc_printf("%s/registration.json", reg->parts.state_dir)
				       : NULL;

	return path && access(path, F_OK) == 0;
}

static void start_if_wanted(struct registration *reg)
{
	if (*reg->parts.conf->gateway.url || has_kept_order(reg))
		start_process(reg);
}

/* --- public ------------------------------------------------------------------------------------- */

struct registration *registration_new(const struct registration_parts *parts)
{
	struct registration *reg = alloc_zero(sizeof(*reg));

	reg->parts = *parts;
	TAILQ_INIT(&reg->orders);
	reg->tell_timer = timer_new(parts->loop, tell, reg);
	reg->ping_timer = timer_new(parts->loop, on_ping_timer, reg);
	return reg;
}

void registration_free(struct registration *reg)
{
	if (!reg)
		return;
	reg->is_stopping = true;
	fail_orders(reg, false, "the fleet is stopping");
	worker_free(reg->worker);
	timer_free(reg->tell_timer);
	timer_free(reg->ping_timer);
	forget_told(reg);
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
	forget_removed(reg);
	start_if_wanted(reg);
	if (!reg->is_ready)
		return;
	tell_settings(reg);
	registration_note_change(reg);
}

void registration_stop(struct registration *reg, void (*fn)(void *arg), void *arg)
{
	reg->is_stopping = true;
	reg->on_stopped = fn;
	reg->on_stopped_arg = arg;
	fail_orders(reg, false, "the fleet is stopping");
	if (!reg->worker || worker_get_state(reg->worker) == WORKER_DOWN)
		tell_stopped(reg);
	else
		worker_stop(reg->worker, STOP_MS);
}

void registration_note_change(struct registration *reg)
{
	if (reg->is_ready && !timer_is_running(reg->tell_timer))
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
	json_t *report;

	if (!reg->worker)
		return NULL;
	report = reg->report ? json_deep_copy(reg->report) : make_empty_report(reg);
	(void)json_object_set_new(report, "process",
		json_pack("{s:i, s:s, s:I, s:s}", "pid", (int)worker_get_pid(reg->worker), "state",
			worker_state_name(worker_get_state(reg->worker)), "restarts",
			(json_int_t)reg->n_restarts, "last_end", worker_get_last_end(reg->worker)));
	return report;
}

static void refuse_order(json_t *params, registration_fn *fn, void *arg, int err, const char *why)
{
	struct fail fail = { 0 };

	(void)fail_set(&fail, err, "%s", why);
	json_decref(params);
	fn(arg, NULL, &fail);
}

void registration_ask(struct registration *reg, const char *method, json_t *params,
	registration_fn *fn, void *arg)
{
	bool is_first = streq(method, "registrar/register");
	struct order *order;

	if (!reg->worker && !is_first) {
		refuse_order(params, fn, arg, -ENOENT,
			"no gateway is known: mcp-fleetctl register names one, or gateway.url");
		return;
	}
	if (reg->is_stopping) {
		refuse_order(params, fn, arg, -ESHUTDOWN, "the fleet is stopping");
		return;
	}
	if (reg->n_orders >= MAX_ORDERS) {
		refuse_order(params, fn, arg, -EBUSY, "too many orders at a time; try again later");
		return;
	}
	order = alloc_zero(sizeof(*order));
	order->no = ++reg->last_no;
	order->method = alloc_str(method);
	order->params = params;
	order->fn = fn;
	order->arg = arg;
	TAILQ_INSERT_TAIL(&reg->orders, order, next);
	reg->n_orders++;
	start_process(reg);
	if (reg->worker && worker_get_state(reg->worker) == WORKER_PARKED)
		worker_start(reg->worker);
	if (reg->is_ready)
		send_orders(reg);
}

pid_t registration_kill(struct registration *reg, uint64_t *ret_restarts)
{
	pid_t pid = reg->worker ? worker_get_pid(reg->worker) : 0;

	*ret_restarts = reg->n_restarts;
	return pid > 0 && worker_drill(reg->worker, DRILL_KILL) == 0 ? pid : 0;
}
