/* The guard at the door: judges each HTTP request by its head, before any handler sees it.
 *
 * Three questions, in this order. Is it for us, and from a page that may ask (hosts.h)? Whom does its credential
 * stand for? May they ask for this zone and domain? A request is let in with a principal, or refused with a status,
 * words for the client that tell nothing of what there is, and a line in the log that tells the operator why. What
 * was asked for plays no part before the credential has been judged: a path that does not exist is refused like one
 * that does.
 *
 * Whether a credential is wanted at all is decided with the settings and the keys (conf_wants_credential()), and once it was, it
 * stays so until a restart, or until `auth: none` is written out: a keys file that vanishes must not open the door.
 *
 * Who comes by standard input, the local socket or the control socket is known by the kernel and never comes here.
 *
 * Source: MCP 2025-11-25 basic/authorization and basic/transports, "Security Warning"; RFC 6750; RFC 7617; RFC 9110
 * 15.5. */
#pragma once

#include "supervisor/front/forwarded.h"
#include "supervisor/front/keys.h"
#include "supervisor/front/tls.h"
#include "supervisor/front/token_door.h"
#include "supervisor/stats.h"

enum guard_zone {
	GUARD_ZONE_TOOLS, /* sessions, calls, and paths that do not exist */
	GUARD_ZONE_PROBE, /* for machines that only want to know whether we live: no credential */
	GUARD_ZONE_ADMIN, /* for machines and people that look after us: admin.auth. Nothing but GET, without effects:
			   * a browser may log in here */
	GUARD_ZONE_OPEN, /* what a client has to read before it has a credential */
};

/* What is known of a request when its head is there; borrowed. */
struct guard_ask {
	const struct http1_request *request;
	const struct client_origin *origin; /* as far as trusted proxies say */
	const char *path;                   /* of the route, for the log; NULL: it has none */
	const char *whole_path;             /* as it was asked for, decoded; NULL: no text */
	const struct tls_names *names;      /* of the client's certificate; NULL: none */
	const char *domain;                 /* NULL: the whole fleet */
	enum guard_zone zone;
	bool is_loopback; /* its listener is */
	bool is_public;   /* its listener is one for clients, not that of admin.listen */
	int64_t now_s;    /* wall clock */
};

struct guard_verdict {
	int status; /* 0: let in. 204: a preflight; `grants` is all of its answer. Else refused. */
	const char *why;    /* of a refusal, for the client: a static text */
	struct fail reason; /* more of it, for the log only; mostly empty */
	enum stats_refusal refusal;
	struct strbuf challenge;     /* lines for the head of the refusal */
	struct strbuf grants;        /* lines for the head of each answer to this request */
	struct principal *principal; /* of whom it lets in; a reference of the verdict's */
};

void guard_verdict_done(struct guard_verdict *verdict);
#define auto_guard_verdict auto_(guard_verdict_done) struct guard_verdict

struct guard;

/* What a guard asks; borrowed, both outlive it. */
struct guard_parts {
	struct keys *keys;
	struct token_door *tokens;
};

/* `conf` is borrowed until guard_set_conf() gives another. */
struct guard *guard_new(const struct guard_parts *parts, const struct conf *conf);
void guard_free(struct guard *guard); /* NULL is fine */
DEFINE_FREEP(struct guard, guard_free)
void guard_set_conf(struct guard *guard, const struct conf *conf);

/* Fills *ret, which the caller gives to guard_verdict_done(). A refusal has been counted and logged. */
void guard_judge(struct guard *guard, const struct guard_ask *ask, struct guard_verdict *ret);

/* A request that was let in, and that wants what the scopes of its token do not reach. Borrowed. */
struct guard_scopes {
	const struct principal *principal; /* a token's */
	const struct client_origin *origin;
	struct span host;   /* that it was sent to; absent: it did not say */
	const char *path;   /* the same, decoded */
	const char *scopes; /* all that it needs, with blanks between */
};

/* Appends the line for the head of its 403. It has been counted and logged. */
void guard_refuse_scopes(
	struct guard *guard, const struct guard_scopes *refused, struct strbuf *out);

/* Appends the lines by which a page of an allowed origin may read the answer to a request that is refused unjudged. */
void guard_add_grants(const struct guard *guard, const struct guard_ask *ask, struct strbuf *out);

/* Other keys hold than before: the first one makes a credential wanted. */
void guard_note_keys(struct guard *guard);

/* What an open session's principal is now, which may allow other things than it did; NULL: it may not come in any more.
 * Borrowed until the next change of keys. */
struct principal *guard_renew(
	const struct guard *guard, struct principal *principal, int64_t now_s);

/* The same of a stream of the zone ADMIN: whether who opened it would be let in still. The listener is as in struct
 * guard_ask. */
bool guard_admits_still(const struct guard *guard, struct principal *principal, bool is_loopback,
	bool is_public, int64_t now_s);

/* This request has to show a credential. */
bool guard_asks_who(const struct guard *guard, const struct guard_ask *ask);

/* Whoever comes for tools has to show a credential. */
bool guard_wants_credential(const struct guard *guard);

/* Whoever probes this listener (as in struct guard_ask) would be let in without a credential for all else, too. */
bool guard_probe_tells_all(const struct guard *guard, bool is_loopback, bool is_public);
