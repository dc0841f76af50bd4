/* The domains of the fleet: what mcp-fleetd told of each, and what became of it at the gateway. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "shared/clock.h"
#include "workers/registrar/secret.h"

enum domain_state {
	DOMAIN_WAITING,      /* not ready on our side yet */
	DOMAIN_UNREGISTERED, /* not there: not wanted, or not yet tried */
	DOMAIN_REGISTERING,
	DOMAIN_REGISTERED,  /* there, with all its tools */
	DOMAIN_DEGRADED,    /* there, but not as it should be */
	DOMAIN_REFUSED,     /* the gateway does not take it, or we know that it would not */
	DOMAIN_FOREIGN,     /* somebody else has its name or its URL */
	DOMAIN_DISABLED,    /* switched off by hand at the gateway */
	DOMAIN_UNREACHABLE, /* the gateway does not reach us */
	DOMAIN_STATES,
};

/* What was last confirmed; kept in the state file. */
struct confirmed {
	char id[65];                     /* at the gateway */
	char mark[SECRET_MARK_SIZE];     /* of all that we want, tools and secrets included */
	char key_mark[SECRET_MARK_SIZE]; /* of the key that the gateway has to send */
	char shown
		[SECRET_MARK_SIZE]; /* of what the gateway showed afterwards: it may write it its own way */
	int64_t n_tools;            /* its toolCount that went with it; -1: unknown */
	int64_t version;            /* its version at that time; 0: unknown */
};

struct domain {
	TAILQ_ENTRY(domain) next;
	char *name;
	/* Told by mcp-fleetd */
	bool is_configured;
	bool is_told;
	bool is_ready;
	char *reason; /* why it is not ready */
	char *description;
	json_t *tools;
	char tools_mark[SECRET_MARK_SIZE];
	/* At the gateway */
	enum domain_state state;
	char *error;
	char *remedy;
	char *id;
	int64_t n_found; /* of the tools that we have */
	char last_sync[CLOCK_TEXT_SIZE];
	struct confirmed confirmed;
	json_t *tool_ids; /* [{"id", "enabled"}] as last seen; NULL: not seen */
	/* When something may be tried again */
	unsigned n_failures;
	int64_t retry_at_ms;
	char tried
		[SECRET_MARK_SIZE]; /* the mark with which it failed: another one is tried at once */
	int64_t revived_at_ms;      /* the last PUT because it was unreachable; 0: none */
};

TAILQ_HEAD(domains, domain);

/* NULL: there is none of this name. */
struct domain *domains_find(const struct domains *domains, const char *name);

/* The one of this name, made when there is none. */
struct domain *domains_get(struct domains *domains, const char *name);

void domains_remove(struct domains *domains, struct domain *domain);
void domains_done(struct domains *domains);

/* Sets the state with its words; NULL: none. */
void domain_set(
	struct domain *domain, enum domain_state state, const char *error, const char *remedy);

/* It failed as it is wanted now (`mark`): not again before. */
void domain_failed(struct domain *domain, const char *mark, int64_t retry_at_ms);
void domain_forget_failures(struct domain *domain);

void domain_set_id(struct domain *domain, const char *id);

/* It is not at the gateway (any more). */
void domain_forget(struct domain *domain);

const char *domain_state_name(enum domain_state state);
