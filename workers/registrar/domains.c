/* See domains.h. */
#include "workers/registrar/domains.h"

#include "shared/alloc.h"

struct domain *domains_find(const struct domains *domains, const char *name)
{
	struct domain *domain;

	TAILQ_FOREACH(domain, domains, next)
		if (streq(domain->name, name))
			return domain;
	return NULL;
}

struct domain *domains_get(struct domains *domains, const char *name)
{
	struct domain *domain = domains_find(domains, name);

	if (domain)
		return domain;
	domain = alloc_zero(sizeof(*domain));
	domain->name = alloc_str(name);
	domain->state = DOMAIN_UNREGISTERED;
	domain->confirmed.n_tools = -1;
	TAILQ_INSERT_TAIL(domains, domain, next);
	return domain;
}

static void free_domain(struct domain *domain)
{
	free(domain->name);
	free(domain->reason);
	free(domain->description);
	json_decref(domain->tools);
	free(domain->error);
	free(domain->remedy);
	free(domain->id);
	json_decref(domain->tool_ids);
	free(domain);
}

void domains_remove(struct domains *domains, struct domain *domain)
{
	TAILQ_REMOVE(domains, domain, next);
	free_domain(domain);
}

void domains_done(struct domains *domains)
{
	struct domain *domain;

	while ((domain = TAILQ_FIRST(domains)))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the analyzer loses TAILQ_REMOVE */
		domains_remove(domains, domain);
}

void domain_set(
	struct domain *domain, enum domain_state state, const char *error, const char *remedy)
{
	char *new_error = alloc_str(error); /* they may be its own */
	char *new_remedy = alloc_str(remedy);

	domain->state = state;
	free(domain->error);
	free(domain->remedy);
	domain->error = new_error;
	domain->remedy = new_remedy;
}

void domain_failed(struct domain *domain, const char *mark, int64_t retry_at_ms)
{
	(void)memcpy(domain->tried, mark, sizeof(domain->tried));
	domain->retry_at_ms = retry_at_ms;
}

void domain_forget_failures(struct domain *domain)
{
	domain->n_failures = 0;
	domain->retry_at_ms = 0;
	domain->tried[0] = '\0';
	domain->revived_at_ms = 0;
}

void domain_set_id(struct domain *domain, const char *id)
{
	char *copy = alloc_str(id); /* it may be its own */

	free(domain->id);
	domain->id = copy;
}

void domain_forget(struct domain *domain)
{
	free(domain->id);
	domain->id = NULL;
	domain->n_found = 0;
	domain->confirmed = (struct confirmed){ .n_tools = -1 };
	json_decref(domain->tool_ids);
	domain->tool_ids = NULL;
	domain->last_sync[0] = '\0';
}

const char *domain_state_name(enum domain_state state)
{
	static const char *const names[DOMAIN_STATES] = {
		[DOMAIN_WAITING] = "waiting",
		[DOMAIN_UNREGISTERED] = "unregistered",
		[DOMAIN_REGISTERING] = "registering",
		[DOMAIN_REGISTERED] = "registered",
		[DOMAIN_DEGRADED] = "degraded",
		[DOMAIN_REFUSED] = "refused",
		[DOMAIN_FOREIGN] = "foreign",
		[DOMAIN_DISABLED] = "disabled",
		[DOMAIN_UNREACHABLE] = "unreachable",
	};

	return names[state];
}
