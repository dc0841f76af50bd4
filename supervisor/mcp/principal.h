/* Who asks: a key, a token's subject, a certificate, a local process, or anybody where nobody is asked who they are.
 *
 * The front end finds it out for each request (front/guard.h); a session belongs to the one that opened it, and what
 * it may see and call is what its principal may. Counted: a session, a call and a request on its way each hold one.
 * What it allows never changes: a key that was changed is another principal with the same identity.
 *
 * Source: MCP security best practices, "Session Hijacking"; basic/authorization, all revisions. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/cleanup.h"
#include "shared/strbuf.h"
#include "supervisor/mcp/usage.h"

enum principal_kind {
	PRINCIPAL_ANYBODY, /* no credential is wanted */
	PRINCIPAL_LOCAL,   /* of this machine: standard input and output, the local socket */
	PRINCIPAL_KEY,
	PRINCIPAL_TOKEN,
	PRINCIPAL_CERTIFICATE,
};

struct principal {
	unsigned n_refs;
	enum principal_kind kind;
	char *name;       /* for people and the log: "ci", a token's subject; "" for anybody */
	char *identity;   /* the same for the same key or subject, of no other: "key:ci" */
	char *credential; /* which of its texts or certificates was shown, a token's issuer; no secret; NULL: there is but one */
	struct conf_strs domains; /* globs; empty: all */
	struct conf_strs tools;   /* globs of names as they are listed; empty: all */
	struct conf_grants
		grants;   /* of a token's scopes: one of them allows it, too; empty: no matter */
	bool has_nothing; /* it may reach no domain and no tool, whatever they say */
	bool is_admin;    /* may see /metrics and /status */
	struct conf_quota
		quota;     /* of its own, in the place of limits.per_key where a number is not 0 */
	int64_t expires_s; /* wall clock; 0: never */
};

/* All rights; the caller may narrow what it got before anybody else has it. One reference, the caller's. */
struct principal *principal_new(enum principal_kind kind, const char *name, const char *identity);
struct principal *principal_ref(struct principal *principal);
void principal_unref(struct principal *principal); /* NULL is fine */
DEFINE_FREEP(struct principal, principal_unref)

/* One more grant, copied. Two grants are two ways in: what is of the domains of one and of the tools of the other is
 * allowed by neither. */
void principal_add_grant(struct principal *principal, const struct conf_grant *grant);

/* Whether this grant by itself allows the domain, and the tool of it where `tool` is not NULL. */
bool principal_is_granted(const struct conf_grant *grant, const char *domain, const char *tool);

const char *principal_kind_name(enum principal_kind kind);

/* NULL is anybody, here and below. */
bool principal_same(const struct principal *a, const struct principal *b);

/* Both see and may call the same, whatever the fleet offers. */
bool principal_same_rights(const struct principal *a, const struct principal *b);

/* It may reach some tool of this domain, by what is known of domains alone. */
bool principal_allows_domain(const struct principal *principal, const char *domain);

/* `tool` as it is listed, of this domain. */
bool principal_allows_tool(const struct principal *principal, const char *domain, const char *tool);

/* It may use all of this domain, whatever its tools are called. */
bool principal_allows_whole(const struct principal *principal, const char *domain);

/* It sees and may call everything: no list has to be filtered for it. */
bool principal_allows_all(const struct principal *principal);

/* Appends the scopes with which this token could use a domain, and a tool of it where `tool` is not NULL: those that it
 * has, and of `scopes` (auth.scopes) the first that reaches there. False, nothing appended: no scope would help, or it
 * is no token. */
bool principal_add_needed_scopes(const struct principal *principal,
	const struct conf_grants *scopes, const char *domain, const char *tool, struct strbuf *out);

enum { CALLER_ADDRESS_SIZE = 48 };

/* Who is at the other end, as the front end found out; borrowed for a call. */
struct caller {
	struct principal *principal;
	struct usage *usages[USAGE_OFS]; /* of the key (or subject), of the address; NULL: none */
	/* Of the client, behind trusted proxies too: "192.0.2.7"; "": none. */
	char address[CALLER_ADDRESS_SIZE];
};
