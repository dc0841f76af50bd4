/* Whom trusted proxies speak for.
 *
 * What X-Forwarded-For says is believed only as far as each hop that says it is trusted: the list is walked
 * from its right end, where the nearest proxy writes, and the first address that is not a trusted proxy is the
 * client, whatever stands before it.
 *
 * Source: X-Forwarded-* has no standard: this is what nginx, HAProxy and Envoy agree on. RFC 7239 8.1 says why
 * the rest of the list is not to be believed. */
#pragma once

#include "shared/ipnet.h"
#include "supervisor/client_addr.h"
#include "supervisor/front/http1.h"

/* Proxies that are believed. */
struct forwarded_trust {
	struct ipnet *nets;
	size_t n;
};

/* A request's origin as far as it can be believed. */
struct client_origin {
	struct client_addr addr;
	bool is_https;   /* how the client asked: here, or a trusted proxy on its behalf */
	bool is_proxied; /* a trusted proxy is the peer */
};

/* `texts` are addresses and networks as the settings have checked them ("10.0.0.0/8", "::1"); what is not one is
 * left out. */
void forwarded_trust_init(struct forwarded_trust *trust, char *const *texts, size_t n);
void forwarded_trust_done(struct forwarded_trust *trust);

bool forwarded_trust_has(const struct forwarded_trust *trusted, const struct client_addr *addr);

/* Whom the request comes from: the peer, or, where the peer is trusted, whom it speaks for by
 * X-Forwarded-For and X-Forwarded-Proto (of the latter, what the nearest proxy says). A value that cannot be
 * read ends the walk: the client is then the hop that sent it. `peer_is_https`: the peer came over TLS. */
void forwarded_find_client(const struct client_addr *peer, bool peer_is_https,
	const struct http1_request *req, const struct forwarded_trust *trusted,
	struct client_origin *ret);
