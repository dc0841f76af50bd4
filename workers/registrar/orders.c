/* Messages of mcp-fleetd: settings, news of domains, and an operator's orders; see registrar.h.
 *
 * Notifications to us:
 *   registrar/settings    all of struct settings; what was told before is replaced
 *   registrar/domain      {name, is_ready, reason, description, tools: [whole tool objects]}; a domain that is
 *                         configured but was not told yet is unknown: its entry is left alone
 * Requests to us, each answered with the report (report.c):
 *   registrar/register    struct order; kept, and over the settings, from then on. Domains that it names come to
 *                         those that are registered already. Answered when all is there, when a person has
 *                         to do something, or after timeout_ms
 *   registrar/unregister  {domains?}; deletes ours and forgets the order. What is unregistered while the
 *                         settings have a URL stays away until the next register
 *   registrar/check       what differs, in `drift`; changes nothing at the gateway
 *   registrar/reconcile   a round now
 * From us: notification registrar/state, the report, when it changed and after each round. */
#include <errno.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "workers/registrar/registrar.h"

enum { SURE_FAILURES = 2 }; /* an address that cannot be reached so often is not just late */

static json_t *read_params(const struct rpc *rpc)
{
	json_t *params = rpc->params.at
				 ? json_loadb(rpc->params.at, rpc->params.len, JSON_ALLOW_NUL, NULL)
				 : NULL;

	return params ? params : json_object();
}

/* --- notifications -------------------------------------------------------------------------------- */

static void take_settings(struct registrar *registrar, json_t *params)
{
	struct settings settings = { 0 };
	struct fail fail = { 0 };

	if (settings_read(params, &settings, &fail) < 0) {
		log_warn("the settings cannot be used, the old ones stay: %s", fail.text);
		settings_done(&settings);
		return;
	}
	settings_done(&registrar->settings);
	registrar->settings = settings;
	registrar->has_settings = true;
	target_update(registrar);
	registrar_try_anew(registrar);
	registrar_soon(registrar, SETTLE_MS);
	report_publish(registrar, false);
}

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = alloc_str(value && *value ? value : NULL);
}

static void set_tools(struct domain *domain, json_t *tools)
{
	auto_free char *text = NULL;

	json_decref(domain->tools);
	domain->tools = json_is_array(tools) ? json_incref(tools) : json_array();
	text = json_dumps(domain->tools, JSON_COMPACT | JSON_SORT_KEYS);
	secret_mark("tools", text ? text : "", domain->tools_mark);
}

static void take_domain(struct registrar *registrar, json_t *params)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	struct domain *domain;

	if (!name || !*name)
		return;
	domain = domains_get(&registrar->domains, name);
	domain->is_told = true;
	if (!domain->is_ready)
		domain_forget_failures(domain); /* they may have come from that */
	domain->is_ready = json_is_true(json_object_get(params, "is_ready"));
	set_text(&domain->reason, json_string_value(json_object_get(params, "reason")));
	set_text(&domain->description, json_string_value(json_object_get(params, "description")));
	if (domain->is_ready || !domain->tools)
		set_tools(domain, json_object_get(params, "tools"));
	domain->is_configured = list_has(&registrar->settings.domains, name);
	registrar_soon(registrar, SETTLE_MS);
}

/* --- orders --------------------------------------------------------------------------------------- */

static void answer_fail(struct registrar *registrar, struct jspan id, int code, const char *text)
{
	aide_link_answer_error(&registrar->link, id, code, text);
}

static void answer_report(struct registrar *registrar, struct jspan id)
{
	aide_link_answer(&registrar->link, id, report_make(registrar));
}

static json_t *names_of(const struct str_list *list)
{
	json_t *names = json_array();

	for (size_t i = 0; i < list->n; i++)
		(void)json_array_append_new(names, json_string(list->items[i]));
	return names;
}

/* False: there is one that is not configured, which is answered. */
static bool check_names(struct registrar *registrar, struct jspan id, const struct str_list *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (!list_has(&registrar->settings.domains, names->items[i])) {
			auto_free char *text =
				alloc_printf("there is no domain '%s'", names->items[i]);

			answer_fail(registrar, id, RPC_INVALID_PARAMS, text);
			return false;
		}
	return true;
}

/* Domains that an order names come to those that are registered already; none: all of them. */
static json_t *join_domains(
	struct registrar *registrar, const struct order *order, bool is_same_place)
{
	json_t *names = json_array();
	const struct domain *domain;

	if (order->domains.n == 0)
		return names;
	TAILQ_FOREACH(domain, &registrar->domains, next)
		if (list_has(&order->domains, domain->name) ||
			(is_same_place && domain->is_configured &&
				target_selects(registrar, domain->name)))
			(void)json_array_append_new(names, json_string(domain->name));
	return names;
}

static json_t *without(json_t *names, const struct str_list *taken)
{
	json_t *rest = json_array();
	json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
		if (!list_has(taken, json_string_value(name)))
			(void)json_array_append(rest, name);
	return rest;
}

static const char *text_of(json_t *order, const char *name)
{
	const char *text = json_string_value(json_object_get(order, name));

	return text ? text : "";
}

/* What an order leaves open stays as the last one had it. */
static const char *prefer(const char *text, json_t *old, const char *name)
{
	return *text ? text : text_of(old, name);
}

static void keep_verify(const struct order *order, json_t *old, json_t *kept)
{
	json_t *verify = json_object_get(order->json, "verify");

	if (!verify)
		verify = json_object_get(old, "verify");
	if (json_is_boolean(verify))
		(void)json_object_set(kept, "verify", verify);
}

static void keep_order(struct registrar *registrar, const struct order *order, const char *url)
{
	struct keep *keep = &registrar->keep;
	bool is_same_place = registrar->url && streq(registrar->url, url);
	json_t *old = is_same_place ? keep->order : NULL;
	json_t *kept =
		json_pack("{s:s, s:s, s:s, s:o}", "gateway", prefer(order->gateway, old, "gateway"),
			"token_file", prefer(order->token_file, old, "token_file"), "server",
			prefer(order->server, old, "server"), "domains",
			join_domains(registrar, order, is_same_place));
	json_t *unregistered = order->domains.n > 0 && json_is_array(keep->unregistered)
				       ? without(keep->unregistered, &order->domains)
				       : NULL;

	keep_verify(order, old, kept);
	json_decref(keep->order);
	json_decref(keep->unregistered);
	keep->order = kept;
	keep->unregistered = unregistered;
}

static void add_waiter(struct registrar *registrar, struct jspan id, const struct order *order)
{
	struct waiter *waiter = alloc_zero(sizeof(*waiter));

	waiter->id = alloc_mem(id.at, id.len);
	waiter->domains = names_of(&order->domains);
	waiter->until_ms = clock_now_ms() + order->timeout_ms;
	TAILQ_INSERT_TAIL(&registrar->waiters, waiter, next);
}

static void take_order(struct registrar *registrar, struct jspan id, const struct order *order)
{
	const char *url = *order->gateway ? order->gateway : registrar->settings.url;
	auto_free char *checked = NULL;
	struct fail fail = { 0 };

	if (!*url)
		url = registrar->url ? registrar->url : "";
	if (!*url) {
		answer_fail(registrar, id, RPC_INVALID_PARAMS,
			"no gateway is known: name its URL (--gateway), or set gateway.url");
		return;
	}
	if (settings_check_url(url, &checked, &fail) < 0) {
		(void)fail_prefix(&fail, "the gateway's URL cannot be used: ");
		answer_fail(registrar, id, RPC_INVALID_PARAMS, fail.text);
		return;
	}
	if (!check_names(registrar, id, &order->domains))
		return;
	keep_order(registrar, order, checked);
	target_update(registrar);
	target_save(registrar);
	registrar_try_anew(registrar);
	registrar_soon(registrar, 0);
	add_waiter(registrar, id, order);
}

static void on_register(struct registrar *registrar, struct jspan id, json_t *params)
{
	struct order order = { 0 };
	struct fail fail = { 0 };

	if (order_read(params, &order, &fail) < 0)
		answer_fail(registrar, id, RPC_INVALID_PARAMS, fail.text);
	else
		take_order(registrar, id, &order);
	order_done(&order);
}

/* They stay away although the settings would have them. */
static void note_unregistered(struct registrar *registrar, json_t *names)
{
	struct keep *keep = &registrar->keep;
	json_t *name;
	size_t i;

	if (!names) {
		json_decref(keep->order);
		json_decref(keep->unregistered);
		keep->order = NULL;
		keep->unregistered = *registrar->settings.url ? json_true() : NULL;
		return;
	}
	if (!json_is_array(keep->unregistered)) {
		json_decref(keep->unregistered);
		keep->unregistered = json_array();
	}
	json_array_foreach(names, i, name)
		(void)json_array_append(keep->unregistered, name);
}

static void forget_domains(struct registrar *registrar, json_t *names)
{
	struct domain *domain;

	TAILQ_FOREACH(domain, &registrar->domains, next) {
		if (target_selects(registrar, domain->name) && names)
			continue;
		domain_forget(domain);
		domain_set(domain, DOMAIN_UNREGISTERED, NULL, NULL);
	}
}

static void on_unregister(struct registrar *registrar, struct jspan id, json_t *params)
{
	json_t *list = json_object_get(params, "domains");
	json_t *names = json_array_size(list) > 0 ? list : NULL;
	struct order order = { 0 };
	struct fail fail = { 0 };
	bool is_good = false;

	if (order_read(params, &order, &fail) < 0)
		answer_fail(registrar, id, RPC_INVALID_PARAMS, fail.text);
	else
		is_good = check_names(registrar, id, &order.domains);
	order_done(&order);
	if (!is_good)
		return;
	if (registrar->url && reconcile_remove(registrar, names, &fail) < 0) {
		answer_fail(registrar, id, RPC_UNAVAILABLE, fail.text);
		return;
	}
	note_unregistered(registrar, names);
	forget_domains(registrar, names);
	target_update(registrar);
	target_save(registrar);
	registrar_soon(registrar, SETTLE_MS);
	report_publish(registrar, false);
	answer_report(registrar, id);
}

static void on_check(struct registrar *registrar, struct jspan id, json_t *params)
{
	if (registrar->url) {
		int64_t at = registrar->round_at_ms;

		reconcile(registrar, false);
		if (at > 0)
			registrar_soon(registrar, at - clock_now_ms());
	}
	answer_report(registrar, id);
}

static void on_reconcile(struct registrar *registrar, struct jspan id, json_t *params)
{
	registrar_try_anew(registrar);
	if (registrar->url)
		reconcile(registrar, true);
	answer_report(registrar, id);
}

static const struct {
	const char *name;
	void (*run)(struct registrar *registrar, struct jspan id, json_t *params);
} requests[] = {
	{ "registrar/register", on_register },
	{ "registrar/unregister", on_unregister },
	{ "registrar/check", on_check },
	{ "registrar/reconcile", on_reconcile },
};

void orders_take(struct registrar *registrar, const struct aide_note *note)
{
	json_auto_t *params = read_params(&note->rpc);

	if (jspan_is(note->rpc.method, "registrar/settings"))
		take_settings(registrar, params);
	else if (jspan_is(note->rpc.method, "registrar/domain"))
		take_domain(registrar, params);
	else if (!registrar->has_settings)
		answer_fail(registrar, note->rpc.id, RPC_UNAVAILABLE, "there are no settings yet");
	else
		for (size_t i = 0; i < N_ELEMENTS(requests); i++)
			if (jspan_is(note->rpc.method, requests[i].name))
				requests[i].run(registrar, note->rpc.id, params);
}

/* --- who waits ------------------------------------------------------------------------------------ */

/* Nothing is to be waited for any more: it is there, or a person has to do something. */
static bool is_final(const struct domain *domain)
{
	switch (domain->state) {
	case DOMAIN_REGISTERED:
	case DOMAIN_REFUSED:
	case DOMAIN_FOREIGN:
	case DOMAIN_DISABLED:
		return true;
	case DOMAIN_DEGRADED:
		return domain->retry_at_ms > clock_now_ms() + PACE_CAP_MS;
	case DOMAIN_UNREACHABLE:
		return domain->n_failures >= SURE_FAILURES;
	case DOMAIN_WAITING:
	case DOMAIN_UNREGISTERED:
	case DOMAIN_REGISTERING:
	case DOMAIN_STATES:
		break;
	}
	return false;
}

static bool is_meant(const struct waiter *waiter, const char *name)
{
	json_t *each;
	size_t i;

	json_array_foreach(waiter->domains, i, each)
		if (streq(json_string_value(each), name))
			return true;
	return json_array_size(waiter->domains) == 0;
}

static bool is_done(const struct registrar *registrar, const struct waiter *waiter)
{
	const struct domain *domain;
	bool is_round_due = registrar->round_at_ms > 0 && registrar->round_at_ms <= clock_now_ms();

	if (registrar->contact == CONTACT_REFUSED)
		return true;
	if (registrar->contact != CONTACT_CONNECTED || is_round_due)
		return false;
	TAILQ_FOREACH(domain, &registrar->domains, next)
		if (domain->is_configured && target_selects(registrar, domain->name) &&
			is_meant(waiter, domain->name) && !is_final(domain))
			return false;
	return true;
}

static void free_waiter(struct registrar *registrar, struct waiter *waiter)
{
	TAILQ_REMOVE(&registrar->waiters, waiter, next);
	free(waiter->id);
	json_decref(waiter->domains);
	free(waiter);
}

void orders_settle(struct registrar *registrar)
{
	struct waiter *waiter = TAILQ_FIRST(&registrar->waiters);

	while (waiter) {
		struct waiter *next = TAILQ_NEXT(waiter, next);

		if (registrar->link.is_over || clock_now_ms() >= waiter->until_ms ||
			is_done(registrar, waiter)) {
			answer_report(registrar, (struct jspan){ waiter->id, strlen(waiter->id) });
			free_waiter(registrar, waiter);
		}
		waiter = next;
	}
}

int64_t orders_next_ms(const struct registrar *registrar)
{
	const struct waiter *waiter;
	int64_t next = INT64_MAX;

	TAILQ_FOREACH(waiter, &registrar->waiters, next)
		if (waiter->until_ms < next)
			next = waiter->until_ms;
	return next;
}
