/* From what the gateway has and what the fleet is to what has to be done. Pure: no I/O, no clock.
 *
 * An entry is ours when it has the tag of our instance (or of the one that we were before our address changed),
 * when it is the very one that was confirmed for the domain (its tags may have been edited), or when it has
 * the tag mcp-fleet, no tag of an instance, and the URL of a domain of ours. What is not ours is never
 * touched; what is right is not touched either. */
#pragma once

#include "workers/registrar/record.h"
#include "workers/registrar/secret.h"

#define PLAN_TAG "mcp-fleet"

enum {
	PLAN_INSTANCE_CHARS = 12
}; /* hexadecimal digits behind "mcp-fleet-": the tag of an instance */

enum plan_wish {
	WISH_HAVE,   /* it has to be there, just so */
	WISH_KEEP,   /* not known, or not ready: what is there stays as it is */
	WISH_REMOVE, /* not there, as far as it is ours */
};

/* A domain, as it should be at the gateway. All borrowed. */
struct plan_want {
	enum plan_wish wish;
	const char *name; /* of the domain */
	const char *gateway_name;
	const char *slug;
	const char *url; /* as slug_url() writes it */
	const char *transport;
	const char *visibility;
	const char *description;
	json_t *tags;
	bool has_key;
	bool has_ca;
	int64_t n_tools;
	const char *mark;           /* of all of it, secrets and tools included */
	const char *confirmed_mark; /* the mark that was last seen in place there; "": none */
	const char *confirmed_id;
	const char *confirmed_shown; /* record_mark() of the entry at that time */
	int64_t confirmed_tools;     /* its toolCount at that time; -1: unknown */
	int64_t confirmed_version;   /* its version at that time; 0: unknown */
	bool may_revive;             /* nothing was sent lately because it is unreachable */
};

enum plan_kind {
	PLAN_NOTHING, /* it is right, or not to be touched now */
	PLAN_CREATE,
	PLAN_UPDATE,
	PLAN_LOOK,     /* compare its tools, then decide */
	PLAN_PENDING,  /* the gateway works on it */
	PLAN_FOREIGN,  /* somebody else's */
	PLAN_DISABLED, /* switched off by hand */
	PLAN_ABSENT,   /* not there, and nothing to be done about it */
	PLAN_DELETE,
};

enum { PLAN_NO_WANT = -1 };

struct plan_step {
	enum plan_kind kind;
	int want;                    /* index; PLAN_NO_WANT: of none (a left-over) */
	const struct record *record; /* NULL: there is none */
	char why[160];               /* what differs */
};

/* Deletions first. Each want has exactly one step of another kind. */
struct plan {
	struct plan_step *steps;
	size_t n;
};

/* The tags by which we know what is ours; "": none. */
struct plan_tags {
	const char *instance;
	const char *former;
};

void plan_make(const struct plan_want *wants, size_t n_wants, const struct records *records,
	const struct plan_tags *tags, struct plan *ret);
void plan_done(struct plan *plan);

/* The first field of an entry that is not as wanted, in words; NULL: none. */
const char *plan_difference(const struct plan_want *want, const struct record *record);

/* All of an entry that plan_difference() looks at, as one text; yours to free. */
char *plan_shown(const struct record *record) must_check;

const char *plan_kind_name(enum plan_kind kind);
