/* What is known of a domain from the list of entries alone, before anything is asked for or changed: so what
 * is told is true from then on; see registrar.h. */
#include "shared/alloc.h"
#include "shared/log.h"
#include "workers/registrar/registrar.h"

enum { MAX_WHY_CHARS = 400 };

static const char remedy_disabled[] =
	"it was switched off by hand: switch it on again at the gateway";
const char peer_remedy_foreign[] =
	"rename or delete that entry at the gateway, or choose another name_prefix or public_url";
static const char remedy_change[] = "change what is named here; it is tried again then";

char *peer_clean(const struct registrar *registrar, const char *text)
{
	const char *secrets[] = { registrar->token.text, registrar->peer_key };

	return secret_clean(text, MAX_WHY_CHARS, secrets, N_ELEMENTS(secrets));
}

void peer_pend(
	struct registrar *registrar, struct domain *domain, int64_t after_ms, const char *why)
{
	auto_free char *clean = peer_clean(registrar, why);
	int64_t wait_ms = pace_backoff_ms(
		++domain->n_failures, registrar->settings.interval_ms, registrar_random());

	domain_set(domain, DOMAIN_REGISTERING, *clean ? clean : NULL, NULL);
	domain->retry_at_ms = clock_now_ms() + (after_ms > 0 ? after_ms : wait_ms);
}

static void settle_known(
	struct domain *domain, const struct target_peer *peer, const struct record *record)
{
	if (peer->error)
		domain_set(domain, DOMAIN_REFUSED, peer->error, remedy_change);
	else if (peer->want.wish == WISH_KEEP)
		domain_set(domain, DOMAIN_WAITING, domain->reason, NULL);
	else if (!record->is_reachable && domain->revived_at_ms == 0)
		domain_set(domain, DOMAIN_UNREACHABLE, "the gateway has it as unreachable", NULL);
	else
		domain_set(domain, DOMAIN_REGISTERED, NULL, NULL);
	if (peer->want.wish == WISH_HAVE)
		domain->n_found = peer->want.n_tools;
	if (record->is_reachable)
		domain->revived_at_ms = 0;
}

static void settle_absent(struct domain *domain, const struct target_peer *peer)
{
	domain_forget(domain);
	if (peer->want.wish == WISH_REMOVE)
		domain_set(domain, DOMAIN_UNREGISTERED, NULL, NULL);
	else if (peer->error)
		domain_set(domain, DOMAIN_REFUSED, peer->error, remedy_change);
	else
		domain_set(domain, DOMAIN_WAITING, domain->reason, NULL);
}

static void settle_foreign(struct domain *domain, const struct plan_step *step)
{
	struct log_about about = { .domain = domain->name };
	auto_free char *error = alloc_printf("%s, which is not ours", step->why);

	domain_forget(domain);
	if (domain->state != DOMAIN_FOREIGN)
		log_warn_about(
			&about, "%s: %s. Remedy: %s", domain->name, error, peer_remedy_foreign);
	domain_set(domain, DOMAIN_FOREIGN, error, peer_remedy_foreign);
}

/* It was there, and is not any more; one that failed keeps its words. */
static void settle_missing(struct domain *domain)
{
	bool was_there = domain->id || domain->state == DOMAIN_WAITING;

	domain_forget(domain);
	if (was_there)
		domain_set(domain, DOMAIN_UNREGISTERED, NULL, NULL);
}

static void settle_differing(
	struct domain *domain, const struct plan_step *step, const struct record *record)
{
	if (domain->state == DOMAIN_REGISTERED || domain->state == DOMAIN_WAITING)
		domain_set(domain, record->is_reachable ? DOMAIN_DEGRADED : DOMAIN_UNREACHABLE,
			step->why, NULL);
}

static void settle_there(struct registrar *registrar, struct domain *domain,
	const struct target_peer *peer, const struct plan_step *step, const struct record *record)
{
	switch (step->kind) {
	case PLAN_NOTHING:
		settle_known(domain, peer, record);
		break;
	case PLAN_PENDING:
		peer_pend(registrar, domain, 0, record->last_error);
		break;
	case PLAN_DISABLED:
		domain_set(domain, DOMAIN_DISABLED, step->why, remedy_disabled);
		break;
	case PLAN_UPDATE:
		settle_differing(domain, step, record);
		break;
	case PLAN_LOOK:
	case PLAN_DELETE:
	case PLAN_FOREIGN:
	case PLAN_ABSENT:
	case PLAN_CREATE:
		break;
	}
}

void peer_settle(struct registrar *registrar, struct domain *domain, const struct target_peer *peer,
	const struct plan_step *step)
{
	const struct record *record = step->record;

	if (step->kind == PLAN_FOREIGN) {
		settle_foreign(domain, step);
	} else if (record) {
		domain_set_id(domain, record->id);
		settle_there(registrar, domain, peer, step, record);
	} else if (step->kind == PLAN_CREATE) {
		settle_missing(domain);
	} else {
		settle_absent(domain, peer);
	}
}
