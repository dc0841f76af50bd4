/* A round: what the gateway has, what differs, and putting it right; see registrar.h. */
#include <errno.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "workers/registrar/registrar.h"

/* A round's own. */
struct round {
	struct registrar *registrar;
	bool changes;
	struct domain **domains;
	struct target_peer *peers;
	struct plan_want *wants;
	bool *is_kept; /* by want: it could not be deleted */
	size_t n;
	struct records records;
	struct plan plan;
	struct answer answer; /* the last one */
};

/* --- the gateway as a whole ----------------------------------------------------------------------- */

static void set_contact(
	struct registrar *registrar, enum contact contact, const char *error, const char *remedy)
{
	char *new_error = alloc_str(error);
	char *new_remedy = alloc_str(remedy);

	if (registrar->contact != contact && contact == CONTACT_CONNECTED)
		log_info("the gateway at %s is connected", registrar->url);
	else if (contact > CONTACT_CONNECTED &&
		 (registrar->contact != contact || !registrar->error || !error ||
			 !streq(registrar->error, error)))
		log_warn("the gateway is %s: %s%s%s", contact_name(contact), error ? error : "",
			remedy ? ". Remedy: " : "", remedy ? remedy : "");
	registrar->contact = contact;
	free(registrar->error);
	free(registrar->remedy);
	registrar->error = new_error;
	registrar->remedy = new_remedy;
}

static void wait_for_next(struct registrar *registrar, int64_t wait_ms)
{
	registrar->round_at_ms = clock_now_ms() + wait_ms;
}

/* One request: a token may be mended at the gateway, where we do not see it. */
static int64_t refused_ms(const struct registrar *registrar)
{
	int64_t interval_ms = registrar->settings.interval_ms;

	return interval_ms < SLOW_MS ? interval_ms : SLOW_MS;
}

static void fail_round(struct registrar *registrar, const struct answer *answer)
{
	int64_t interval_ms = registrar->settings.interval_ms;

	switch (answer->kind) {
	case ANSWER_STOPPED:
		break;
	case ANSWER_AUTH:
	case ANSWER_REFUSED:
		set_contact(registrar, CONTACT_REFUSED, answer->error, answer->remedy);
		wait_for_next(registrar, refused_ms(registrar));
		break;
	case ANSWER_LIMITED:
	case ANSWER_BUSY:
		set_contact(registrar, CONTACT_LIMITED, answer->error, answer->remedy);
		wait_for_next(registrar,
			answer->retry_after_ms > 0 ? answer->retry_after_ms : PACE_CAP_MS);
		break;
	default:
		set_contact(registrar, CONTACT_UNREACHABLE, answer->error, answer->remedy);
		wait_for_next(registrar,
			pace_backoff_ms(++registrar->n_failures, interval_ms, registrar_random()));
		break;
	}
}

static void note_contact(struct registrar *registrar)
{
	if (registrar->contact == CONTACT_UNREACHABLE)
		registrar_try_anew(registrar); /* what it refused it may take now */
	clock_wall_text(registrar->last_contact);
	registrar->n_failures = 0;
	set_contact(registrar, CONTACT_CONNECTED, NULL, NULL);
}

/* False: the round cannot begin. */
static bool begin(struct registrar *registrar)
{
	struct fail fail = { 0 };

	if (target_load_secrets(registrar, &fail) < 0) {
		set_contact(registrar, CONTACT_REFUSED, fail.text,
			"put a token of the gateway into the token's file, or set MCPGATEWAY_BEARER_TOKEN");
		wait_for_next(registrar, refused_ms(registrar));
		return false;
	}
	registrar->gateway.url = registrar->url;
	registrar->gateway.settings = &registrar->settings;
	registrar->gateway.token = registrar->token.text;
	registrar->gateway.peer_key = registrar->peer_key;
	registrar->gateway.verify = registrar->verify;
	return true;
}

/* The token may have been replaced since it was read. */
static bool has_new_token(struct registrar *registrar)
{
	struct fail fail = { 0 };
	auto_(secret_freep) char *old = TAKE(registrar->token.text);

	if (target_load_secrets(registrar, &fail) < 0)
		return false;
	registrar->gateway.token = registrar->token.text;
	registrar->gateway.peer_key = registrar->peer_key;
	return !streq(old, registrar->token.text);
}

/* False: no list; answer says why. */
static bool list(struct round *round)
{
	struct registrar *registrar = round->registrar;

	answer_done(&round->answer);
	gateway_list(&registrar->gateway, &round->answer);
	if (round->answer.kind == ANSWER_AUTH && has_new_token(registrar)) {
		answer_done(&round->answer);
		gateway_list(&registrar->gateway, &round->answer);
	}
	if (round->answer.kind != ANSWER_OK)
		return false;
	records_done(&round->records);
	if (!records_read(round->answer.json, &round->records)) {
		round->answer.kind = ANSWER_TROUBLE;
		round->answer.error = alloc_str("its list of gateways is no list");
		return false;
	}
	note_contact(registrar);
	return true;
}

/* --- what is wanted ------------------------------------------------------------------------------- */

static bool may_revive(const struct registrar *registrar, const struct domain *domain)
{
	int64_t again_ms = domain->revived_at_ms + registrar->settings.interval_ms;

	return domain->revived_at_ms == 0 || clock_now_ms() >= again_ms;
}

static void make_wants(struct round *round)
{
	struct registrar *registrar = round->registrar;
	struct domain *domain;
	size_t n = 0;

	TAILQ_FOREACH(domain, &registrar->domains, next)
		n++;
	round->domains = alloc_zero((n + 1) * sizeof(*round->domains));
	round->peers = alloc_zero((n + 1) * sizeof(*round->peers));
	round->wants = alloc_zero((n + 1) * sizeof(*round->wants));
	round->is_kept = alloc_zero(n + 1);
	TAILQ_FOREACH(domain, &registrar->domains, next) {
		struct target_peer *peer = &round->peers[round->n];

		if (domain->retry_at_ms <= clock_now_ms())
			domain->retry_at_ms = 0; /* this is the time */

		target_peer_make(registrar, domain, peer);
		peer->want.mark = peer->mark;
		peer->want.may_revive = may_revive(registrar, domain);
		round->domains[round->n] = domain;
		round->wants[round->n++] = peer->want;
	}
}

static void plan_round(struct round *round)
{
	const struct plan_tags tags = { round->registrar->instance_tag,
		round->registrar->former_tag };

	plan_make(round->wants, round->n, &round->records, &tags, &round->plan);
}

static void done(struct round *round)
{
	for (size_t i = 0; i < round->n; i++)
		target_peer_done(&round->peers[i]);
	free(round->domains);
	free(round->peers);
	free(round->wants);
	free(round->is_kept);
	plan_done(&round->plan);
	records_done(&round->records);
	answer_done(&round->answer);
}

/* --- carrying out --------------------------------------------------------------------------------- */

/* A request that was not answered in time: is it the gateway, or only that peer? */
static bool is_gone(struct round *round)
{
	auto_(answer_done) struct answer late = round->answer;

	round->answer = (struct answer){ 0 };
	gateway_list(&round->registrar->gateway, &round->answer);
	return round->answer.kind != ANSWER_OK;
}

/* Is what a domain had there to be deleted first? Then it is not gone before that is done. */
static bool is_to_be_deleted(const struct round *round, const struct plan_step *step)
{
	for (size_t i = 0; i < round->plan.n; i++)
		if (round->plan.steps[i].kind == PLAN_DELETE &&
			round->plan.steps[i].want == step->want)
			return true;
	return false;
}

static void settle(struct round *round, const struct plan_step *step)
{
	peer_settle(round->registrar, round->domains[step->want], &round->peers[step->want], step);
}

/* The domain whose entry cannot be deleted keeps it, and is told so; others' left-overs come again. */
static bool run_delete(struct round *round, struct plan_step *step)
{
	struct domain *domain = step->want == PLAN_NO_WANT ? NULL : round->domains[step->want];

	if (!round->changes)
		return false;
	if (peer_delete(round->registrar, step->record, &round->answer))
		return true;
	if (domain && round->answer.error && round->answer.kind != ANSWER_MISSING) {
		domain_set(domain, DOMAIN_DEGRADED, round->answer.error, round->answer.remedy);
		round->is_kept[step->want] = true;
	}
	return false;
}

static bool run_step(struct round *round, struct plan_step *step)
{
	struct registrar *registrar = round->registrar;
	bool is_global = false;

	answer_done(&round->answer);
	if (step->kind == PLAN_DELETE) {
		is_global = run_delete(round, step);
	} else if (step->kind == PLAN_ABSENT) {
		if (round->changes && !round->is_kept[step->want])
			settle(round, step);
		report_publish(registrar, false);
	} else {
		is_global = peer_run(registrar, round->domains[step->want],
			&round->peers[step->want], step, round->changes, &round->answer);
		report_publish(registrar, false);
	}
	if (!is_global && round->answer.kind == ANSWER_LATE)
		is_global = is_gone(round);
	return is_global;
}

static void settle_all(struct round *round)
{
	for (size_t i = 0; i < round->plan.n; i++) {
		const struct plan_step *step = &round->plan.steps[i];

		if (step->kind != PLAN_DELETE &&
			!(step->kind == PLAN_ABSENT && is_to_be_deleted(round, step)))
			settle(round, step);
	}
	report_publish(round->registrar, false);
}

/* False: the gateway is in trouble, or somebody wants something else. */
static bool run_plan(struct round *round)
{
	struct registrar *registrar = round->registrar;

	settle_all(round);

	for (size_t i = 0; i < round->plan.n; i++) {
		if (run_step(round, &round->plan.steps[i])) {
			fail_round(registrar, &round->answer);
			return false;
		}
		if (registrar->link.n_orders > 0 || registrar->link.is_over) {
			registrar_soon(registrar, 0);
			return false;
		}
	}
	answer_done(&round->answer);
	if (server_run(registrar, round->changes, &round->answer)) {
		fail_round(registrar, &round->answer);
		return false;
	}
	return true;
}

static bool is_drift(const struct round *round, const struct plan_step *step)
{
	switch (step->kind) {
	case PLAN_NOTHING:
	case PLAN_ABSENT:
	case PLAN_PENDING:
		return false;
	case PLAN_CREATE:
	case PLAN_UPDATE:
	case PLAN_LOOK:
		return round->domains[step->want]->state != DOMAIN_REGISTERED || !round->changes;
	case PLAN_DELETE:
		return !round->changes;
	case PLAN_FOREIGN:
	case PLAN_DISABLED:
		break;
	}
	return true;
}

/* What is not as it should be, now at the end. */
static void note_drift(struct round *round)
{
	struct registrar *registrar = round->registrar;

	for (size_t i = 0; i < round->plan.n; i++) {
		const struct plan_step *step = &round->plan.steps[i];
		auto_free char *name = step->want == PLAN_NO_WANT
					       ? peer_clean(registrar, step->record->name)
					       : alloc_str(round->domains[step->want]->name);

		if (is_drift(round, step))
			(void)json_array_append_new(registrar->drift,
				json_pack("{s:s, s:s, s:s}", "domain", name, "what", step->why,
					"action", plan_kind_name(step->kind)));
	}
}

/* The next one: after the interval, or when something is to be tried again. */
static void schedule(struct registrar *registrar)
{
	int64_t now = clock_now_ms();
	int64_t at = now + pace_interval_ms(registrar->settings.interval_ms, registrar_random());
	const struct domain *domain;

	TAILQ_FOREACH(domain, &registrar->domains, next)
		if (domain->retry_at_ms > 0 && domain->retry_at_ms < at)
			at = domain->retry_at_ms;
	if (at < now + SETTLE_MS)
		at = now + SETTLE_MS;
	if (registrar->round_at_ms == 0 || at < registrar->round_at_ms)
		registrar->round_at_ms = at;
}

/* Domains that are not configured any more are kept as long as they are there. */
static void forget_gone(struct registrar *registrar)
{
	struct domain *domain = TAILQ_FIRST(&registrar->domains);

	while (domain) {
		struct domain *next = TAILQ_NEXT(domain, next);

		if (!domain->is_configured && !domain->id)
			domains_remove(&registrar->domains, domain);
		domain = next;
	}
}

void reconcile(struct registrar *registrar, bool changes)
{
	struct round round = { .registrar = registrar, .changes = changes };

	registrar->round_at_ms = 0;
	registrar->n_rounds++;
	if (!begin(registrar)) {
		report_publish(registrar, true);
		return;
	}
	json_decref(registrar->drift);
	registrar->drift = json_array();
	make_wants(&round);
	if (!list(&round)) {
		fail_round(registrar, &round.answer);
	} else {
		plan_round(&round);
		if (run_plan(&round))
			schedule(registrar);
		note_drift(&round);
	}
	done(&round);
	if (changes)
		forget_gone(registrar);
	target_save(registrar);
	report_publish(registrar, true);
}

/* --- removing ------------------------------------------------------------------------------------- */

static bool is_named(json_t *names, const char *name)
{
	json_t *each;
	size_t i;

	json_array_foreach(names, i, each)
		if (streq(json_string_value(each), name))
			return true;
	return !names;
}

static int remove_listed(struct round *round, json_t *names)
{
	for (size_t i = 0; i < round->plan.n; i++) {
		const struct plan_step *step = &round->plan.steps[i];

		if (step->kind != PLAN_DELETE)
			continue;
		if (step->want != PLAN_NO_WANT &&
			!is_named(names, round->domains[step->want]->name))
			continue;
		if (step->want == PLAN_NO_WANT && names)
			continue;
		answer_done(&round->answer);
		if (peer_delete(round->registrar, step->record, &round->answer) ||
			round->answer.error)
			return -EIO;
	}
	return 0;
}

int reconcile_remove(struct registrar *registrar, json_t *names, struct fail *fail)
{
	struct round round = { .registrar = registrar, .changes = true };
	int r = 0;

	if (!begin(registrar))
		return fail_set(fail, -EACCES, "%s", registrar->error);
	make_wants(&round);
	for (size_t i = 0; i < round.n; i++)
		if (is_named(names, round.domains[i]->name))
			round.wants[i].wish = WISH_REMOVE;
	if (list(&round)) {
		plan_round(&round);
		r = remove_listed(&round, names);
		answer_done(&round.answer);
		if (r == 0 && !names && server_remove(registrar, &round.answer))
			r = -EIO;
	} else {
		r = -EIO;
	}
	if (r < 0 && answer_is_global(&round.answer))
		fail_round(registrar, &round.answer);
	if (r < 0)
		(void)fail_set(
			fail, r, "the gateway: %s", round.answer.error ? round.answer.error : "?");
	done(&round);
	return r;
}
