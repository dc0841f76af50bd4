/* See fleet.h. */
#include "supervisor/fleet/fleet.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "shared/quote.h"
#include "supervisor/fleet/store.h"

/* The note of the store: names of disabled domains, one a line. */
#define DISABLED_NOTE "disabled"

struct member {
	TAILQ_ENTRY(member) next;
	struct domain *domain;
	uint32_t id;
	bool leaving;
};

struct fleet {
	struct loop *loop;
	struct launcher *launcher;
	struct domain_hooks hooks;
	void *arg;
	char *libexec;
	char *wrapper; /* mcp-fleet-exec */
	struct confine_support support;
	char *state_dir;     /* the setting */
	struct store *store; /* NULL: none is needed, or there is none */
	bool has_looked_for_store;
	TAILQ_HEAD(, member) members; /* in the order of names */
	uint32_t last_id;
	void (*on_stopped)(void *arg);
	void *on_stopped_arg;
};

static void free_member(void *arg)
{
	struct member *member = arg;

	domain_free(member->domain);
	free(member);
}

static void tell_when_empty(struct fleet *fleet)
{
	void (*fn)(void *arg) = fleet->on_stopped;

	if (!fn || !TAILQ_EMPTY(&fleet->members))
		return;
	fleet->on_stopped = NULL;
	loop_defer(fleet->loop, fn, fleet->on_stopped_arg);
}

static void on_domain_stopped(void *arg, struct domain *domain)
{
	struct fleet *fleet = arg;
	struct member *member;

	TAILQ_FOREACH(member, &fleet->members, next)
		if (member->domain == domain)
			break;
	if (!member)
		return;
	TAILQ_REMOVE(&fleet->members, member, next);
	loop_defer(fleet->loop, free_member, member);
	tell_when_empty(fleet);
}

/* The hooks get the arg of the layer above; only `stopped` is ours. */
static void pass_answered(void *arg, uint64_t no, const struct rpc *rpc)
{
	struct fleet *fleet = arg;

	fleet->hooks.answered(fleet->arg, no, rpc);
}

static void pass_progress(void *arg, uint64_t no, const struct rpc *rpc)
{
	struct fleet *fleet = arg;

	fleet->hooks.progress(fleet->arg, no, rpc);
}

static void pass_lost(void *arg, uint64_t no, enum domain_loss loss, const char *cause)
{
	struct fleet *fleet = arg;

	fleet->hooks.lost(fleet->arg, no, loss, cause);
}

static void pass_changed(void *arg, struct domain *domain)
{
	struct fleet *fleet = arg;

	fleet->hooks.changed(fleet->arg, domain);
}

static void pass_asked(
	void *arg, struct domain *domain, const struct domain_speaker *who, const struct rpc *rpc)
{
	struct fleet *fleet = arg;

	fleet->hooks.asked(fleet->arg, domain, who, rpc);
}

static void pass_told(
	void *arg, struct domain *domain, const struct domain_speaker *who, const struct rpc *rpc)
{
	struct fleet *fleet = arg;

	fleet->hooks.told(fleet->arg, domain, who, rpc);
}

static void pass_worker_ended(void *arg, struct domain *domain, unsigned worker)
{
	struct fleet *fleet = arg;

	fleet->hooks.worker_ended(fleet->arg, domain, worker);
}

static void pass_offering(void *arg, struct domain *domain, const struct offering *offering)
{
	struct fleet *fleet = arg;

	fleet->hooks.offering(fleet->arg, domain, offering);
}

static const struct domain_hooks own_hooks = {
	.answered = pass_answered,
	.progress = pass_progress,
	.lost = pass_lost,
	.changed = pass_changed,
	.asked = pass_asked,
	.told = pass_told,
	.worker_ended = pass_worker_ended,
	.offering = pass_offering,
	.stopped = on_domain_stopped,
};

struct fleet *fleet_new(
	struct loop *loop, const char *libexec, const struct domain_hooks *hooks, void *arg)
{
	struct fleet *fleet = alloc_zero(sizeof(*fleet));

	fleet->loop = loop;
	fleet->launcher = launcher_new(loop);
	fleet->libexec = alloc_str(libexec);
	fleet->wrapper = alloc_printf("%s/mcp-fleet-exec", libexec);
	confine_probe(fleet->launcher, &fleet->support);
	fleet->hooks = *hooks;
	fleet->arg = arg;
	TAILQ_INIT(&fleet->members);
	return fleet;
}

void fleet_free(struct fleet *fleet)
{
	struct member *member;

	if (!fleet)
		return;
	launcher_free(fleet->launcher);
	while ((member = TAILQ_FIRST(&fleet->members))) {
		TAILQ_REMOVE(&fleet->members, member, next);
		free_member(member);
	}
	store_free(fleet->store);
	free(fleet->state_dir);
	free(fleet->libexec);
	free(fleet->wrapper);
	free(fleet);
}

static struct member *find_member(const struct fleet *fleet, const char *name)
{
	struct member *member;

	TAILQ_FOREACH(member, &fleet->members, next)
		if (!member->leaving && streq(domain_get_name(member->domain), name))
			return member;
	return NULL;
}

static char *program_of(const struct fleet *fleet, const struct conf_domain *conf)
{
	if (conf->native)
		return alloc_printf("%s/worker-%s", fleet->libexec, conf->native);
	return conf_domain_is_remote(conf) ? alloc_printf("%s/mcp-fleet-remote", fleet->libexec)
					   : NULL;
}

/* What is not enforced is never passed over in silence. */
static void tell_plan(const struct fleet *fleet, const struct conf_domain *conf, const char *plan)
{
	const struct log_about about = { .domain = conf->name };
	auto_strbuf missing = { 0 };

	log_debug_about(&about, "%s: plan for mcp-fleet-exec: %s", conf->name, plan);
	confine_add_missing(conf, &fleet->support, &missing);
	if (missing.len > 0)
		log_warn_about(&about, "%s: %s", conf->name, missing.data);
}

static void insert_sorted(struct fleet *fleet, struct member *member)
{
	struct member *other;

	TAILQ_FOREACH(other, &fleet->members, next)
		if (strcmp(domain_get_name(other->domain), domain_get_name(member->domain)) > 0)
			break;
	if (other)
		TAILQ_INSERT_BEFORE(other, member, next);
	else
		TAILQ_INSERT_TAIL(&fleet->members, member, next);
}

static int open_store(struct fleet *fleet, struct fail *fail)
{
	auto_free char *folder = NULL;

	if (fleet->store)
		return 0;
	folder = store_find_folder(fleet->state_dir);
	if (!folder)
		return fail_set(fail, -ENOENT, "there is no folder for state (state_dir)");
	return store_open(folder, fleet->launcher, &fleet->store, fail);
}

/* At the first need; what is missing is said once. */
static void need_store(struct fleet *fleet, const struct conf *conf)
{
	struct fail fail = { 0 };
	bool any = false;

	for (size_t i = 0; i < conf->n_domains; i++)
		any |= conf->domains[i].start == CONF_START_LAZY;
	if (!any || fleet->has_looked_for_store)
		return;
	fleet->has_looked_for_store = true;
	if (open_store(fleet, &fail) < 0)
		log_warn("%s: lazy domains are started at once", fail.text);
}

/* --- disabled domains --------------------------------------------------------------------------- */

/* What an earlier run has noted, yours to free; NULL: nothing. Without a note no folder is made. */
static char *recall_disabled(struct fleet *fleet)
{
	auto_free char *folder = store_find_folder(fleet->state_dir);
	auto_free char *path = alloc_printf("%s/" DISABLED_NOTE, folder ? folder : "");
	struct fail fail = { 0 };

	if (!folder || access(path, F_OK) < 0)
		return NULL;
	if (open_store(fleet, &fail) == 0)
		return store_read_note(fleet->store, DISABLED_NOTE);
	log_warn("%s: which domains are disabled is not known, none is", fail.text);
	return NULL;
}

static bool has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	while (text && *text) {
		size_t n = strcspn(text, "\n");

		if (n == len && memcmp(text, line, n) == 0)
			return true;
		text += text[n] ? n + 1 : n;
	}
	return false;
}

/* It names what is not in the settings. */
static bool is_stale(const char *note, const struct conf *conf)
{
	while (note && *note) {
		size_t n = strcspn(note, "\n");
		auto_free char *name = alloc_mem(note, n);

		if (!conf_find_domain(conf, name))
			return true;
		note += note[n] ? n + 1 : n;
	}
	return false;
}

static int keep_disabled(struct fleet *fleet, struct fail *fail)
{
	auto_strbuf names = { 0 };
	struct member *member;
	int r = open_store(fleet, fail);

	if (r < 0) {
		(void)fail_prefix(fail, "not kept for the time after the daemon's end: ");
		return r;
	}
	TAILQ_FOREACH(member, &fleet->members, next)
		if (!member->leaving && domain_get_state(member->domain) == DOMAIN_DISABLED)
			strbuf_addf(&names, "%s\n", domain_get_name(member->domain));
	store_write_note(fleet->store, DISABLED_NOTE, strbuf_get(&names));
	return 0;
}

/* At the start what a lazy domain offered last is read; later that would hold up the loop. */
static void add_domain(
	struct fleet *fleet, const struct conf_domain *conf, bool at_start, bool is_disabled)
{
	auto_free char *native = program_of(fleet, conf);
	auto_free char *plan = confine_make_plan(conf, &fleet->support);
	const struct domain_programs programs = { native, fleet->wrapper, plan };
	struct member *member = alloc_zero(sizeof(*member));

	tell_plan(fleet, conf, plan);
	member->id = ++fleet->last_id;
	member->domain =
		domain_new(fleet->loop, fleet->launcher, conf, &programs, &own_hooks, fleet);
	insert_sorted(fleet, member);
	domain_use_store(member->domain, fleet->store, at_start && !is_disabled);
	if (is_disabled)
		domain_disable(member->domain, 0);
	else
		domain_start(member->domain);
}

static void reload_domain(struct fleet *fleet, struct member *member,
	const struct conf_domain *conf, bool replace, int64_t drain_ms)
{
	auto_free char *native = program_of(fleet, conf);
	auto_free char *plan = confine_make_plan(conf, &fleet->support);
	const struct domain_programs programs = { native, fleet->wrapper, plan };

	if (replace)
		tell_plan(fleet, conf, plan);
	domain_use_store(member->domain, fleet->store, false);
	domain_reload(member->domain, conf, &programs, replace, drain_ms);
}

/* One that comes again under this name is another one: it is not disabled. */
static void remove_domain(struct fleet *fleet, struct member *member, int64_t drain_ms)
{
	bool was_disabled = domain_get_state(member->domain) == DOMAIN_DISABLED;
	struct fail fail = { 0 };

	member->leaving = true;
	domain_stop(member->domain, drain_ms);
	if (was_disabled && keep_disabled(fleet, &fail) < 0)
		log_debug("%s", fail.text);
}

static void apply_change(
	struct fleet *fleet, const struct conf *conf, const struct conf_domain_diff *change)
{
	const struct conf_domain *domain = conf_find_domain(conf, change->name);
	struct member *member = find_member(fleet, change->name);

	if (!domain) {
		if (member)
			remove_domain(fleet, member, conf->drain_ms);
		return;
	}
	if (!member) {
		add_domain(fleet, domain, false, false);
		return;
	}
	reload_domain(
		fleet, member, domain, change->change == CONF_DOMAIN_REPLACED, conf->drain_ms);
}

static bool is_replaced(const struct conf_diff *diff, const char *name)
{
	for (size_t i = 0; i < diff->n_domains; i++)
		if (streq(diff->domains[i].name, name))
			return diff->domains[i].change == CONF_DOMAIN_REPLACED;
	return false;
}

/* A reload is also how an operator says that the cause of a parked domain is mended. */
static void retry_parked(struct fleet *fleet, const struct conf *conf, const struct conf_diff *diff)
{
	for (size_t i = 0; i < conf->n_domains; i++) {
		const struct conf_domain_diff again = { .name = conf->domains[i].name,
			.change = CONF_DOMAIN_REPLACED };
		struct member *member = find_member(fleet, again.name);

		if (member && domain_get_state(member->domain) == DOMAIN_PARKED &&
			!is_replaced(diff, again.name))
			apply_change(fleet, conf, &again);
	}
}

/* A name that has left the settings while no daemon ran may come back as that of another domain. */
static void add_all(struct fleet *fleet, const struct conf *conf)
{
	auto_free char *disabled = recall_disabled(fleet);
	struct fail fail = { 0 };

	for (size_t i = 0; i < conf->n_domains; i++)
		add_domain(
			fleet, &conf->domains[i], true, has_line(disabled, conf->domains[i].name));
	if (is_stale(disabled, conf) && keep_disabled(fleet, &fail) < 0)
		log_debug("%s", fail.text);
}

void fleet_apply(struct fleet *fleet, const struct conf *conf, const struct conf_diff *diff)
{
	free(fleet->state_dir);
	fleet->state_dir = alloc_str(conf->state_dir ? conf->state_dir : "");
	need_store(fleet, conf);
	if (!diff) {
		add_all(fleet, conf);
		return;
	}
	for (size_t i = 0; i < diff->n_domains; i++)
		apply_change(fleet, conf, &diff->domains[i]);
	retry_parked(fleet, conf, diff);
}

void fleet_stop(struct fleet *fleet, int64_t drain_ms, void (*fn)(void *arg), void *arg)
{
	struct member *member;
	struct member *after;

	fleet->on_stopped = fn;
	fleet->on_stopped_arg = arg;
	for (member = TAILQ_FIRST(&fleet->members); member; member = after) {
		after = TAILQ_NEXT(member, next);
		domain_stop(member->domain, drain_ms);
	}
	tell_when_empty(fleet);
}

static struct member *find_or_fail(const struct fleet *fleet, const char *name, struct fail *fail)
{
	struct member *member = find_member(fleet, name);
	char words[QUOTE_SIZE];

	if (!member)
		(void)fail_set(fail, -ENOENT, "there is no domain %s", quote(words, name));
	return member;
}

int fleet_restart(struct fleet *fleet, const char *name, int64_t drain_ms, fleet_done_fn *fn,
	void *arg, struct fail *fail)
{
	struct member *member = find_or_fail(fleet, name, fail);

	return member ? domain_restart(member->domain, drain_ms, fn, arg, fail) : -ENOENT;
}

int fleet_drill(struct fleet *fleet, const char *name, enum drill_kind kind,
	struct domain_drill *ret, struct fail *fail)
{
	struct member *member = find_or_fail(fleet, name, fail);

	return member ? domain_drill(member->domain, kind, ret, fail) : -ENOENT;
}

/* True: it may be switched on or off. */
static bool is_switchable(const struct member *member, struct fail *fail)
{
	if (domain_get_state(member->domain) != DOMAIN_STOPPED)
		return true;
	(void)fail_set(
		fail, -ESHUTDOWN, "domain %s is being stopped", domain_get_name(member->domain));
	return false;
}

static bool is_disabled(const struct member *member)
{
	return domain_get_state(member->domain) == DOMAIN_DISABLED;
}

int fleet_disable(struct fleet *fleet, const char *name, int64_t drain_ms, bool *ret_is_kept,
	struct fail *fail)
{
	struct member *member = find_or_fail(fleet, name, fail);

	if (!member || !is_switchable(member, fail))
		return member ? -ESHUTDOWN : -ENOENT;
	if (!is_disabled(member))
		domain_disable(member->domain, drain_ms);
	*ret_is_kept = keep_disabled(fleet, fail) == 0;
	return 0;
}

int fleet_enable(struct fleet *fleet, const char *name, bool *ret_is_kept, struct fail *fail)
{
	struct member *member = find_or_fail(fleet, name, fail);

	if (!member || !is_switchable(member, fail))
		return member ? -ESHUTDOWN : -ENOENT;
	if (is_disabled(member))
		domain_enable(member->domain);
	*ret_is_kept = keep_disabled(fleet, fail) == 0;
	return 0;
}

const struct confine_support *fleet_get_support(const struct fleet *fleet)
{
	return &fleet->support;
}

struct launcher *fleet_get_launcher(const struct fleet *fleet)
{
	return fleet->launcher;
}

uint32_t fleet_find(const struct fleet *fleet, const char *name)
{
	const struct member *member = find_member(fleet, name);

	return member ? member->id : 0;
}

struct domain *fleet_get(const struct fleet *fleet, uint32_t id)
{
	struct member *member;

	TAILQ_FOREACH(member, &fleet->members, next)
		if (member->id == id)
			return member->domain;
	return NULL;
}

void fleet_each(const struct fleet *fleet, void (*fn)(void *arg, struct domain *domain), void *arg)
{
	struct member *member;

	TAILQ_FOREACH(member, &fleet->members, next)
		if (!member->leaving)
			fn(arg, member->domain);
}
