/* Which network addresses tools may talk to: global unicast ones only (tools.md section 8.1), so that
 * nobody reaches this machine or its private network through a tool. Nothing is looked up here. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* Why an AF_INET or AF_INET6 address may not be connected to, as a noun: "a private address"; a
 * literal. NULL: it is a public one. An IPv4 address inside of an IPv6 one never is, because the
 * network decides what such an address leads to. Other families are refused. */
const char *address_refusal(const struct sockaddr *address);

bool address_is_public(const struct sockaddr *address);

/* The IPv4 addresses that an IPv6 one stands for: mapped, compatible, NAT64, 6to4, Teredo (its server
 * and its client). How many. */
enum { ADDRESS_MAX_INNER = 2 };
size_t address_inner(const struct sockaddr *address, struct sockaddr_in ret[ADDRESS_MAX_INNER]);

/* The same AF_INET or AF_INET6 address and port. */
bool address_is_same(const struct sockaddr *a, const struct sockaddr *b);

/* Whether `host` is "localhost" or below it, which is decided without a look-up. */
bool address_is_local_name(const char *host);
