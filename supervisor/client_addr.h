/* Addresses of clients: sixteen bytes, IPv4 as the IPv6 address that stands for it (::ffff:192.0.2.1), so that
 * one comparison serves both, and networks of shared/ipnet.h too.
 *
 * Source: RFC 4291 2.5.5.2. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "shared/span.h"

enum {
	CLIENT_ADDR_TEXT_SIZE = INET6_ADDRSTRLEN,
};

/* All zero: none, as of a Unix socket. */
struct client_addr {
	uint8_t ip[16];
	uint16_t port; /* in the machine's order; 0: not known */
};

/* What is neither IPv4 nor IPv6 becomes no address. */
struct client_addr client_addr_of(const struct sockaddr_storage *addr);

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80": an address as proxies write
 * it. -EINVAL: anything else; names and zones ("%eth0") too. */
int client_addr_parse(struct span text, struct client_addr *ret) must_check;

/* Without the port; IPv4 in its own form; "" for none. Returns `ret`. */
const char *client_addr_format(const struct client_addr *addr, char ret[CLIENT_ADDR_TEXT_SIZE]);

bool client_addr_is_none(const struct client_addr *addr);
bool client_addr_is_loopback(const struct client_addr *addr);

/* The same machine, whatever the port. */
bool client_addr_same_ip(const struct client_addr *a, const struct client_addr *b);
