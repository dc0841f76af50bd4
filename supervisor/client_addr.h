/* Addresses of clients, and blocks of addresses.
 *
 * An address is sixteen bytes, IPv4 as the IPv6 address that stands for it (::ffff:192.0.2.1), so that one
 * comparison serves both.
 *
 * Source: RFC 4291 2.5.5.2 (IPv4-mapped), RFC 4632 (blocks). */
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

/* The addresses whose first bits are the same. */
struct client_block {
	uint8_t ip[16];
	uint8_t bits; /* of the sixteen bytes: 96 + 8 for 10.0.0.0/8 */
};

struct client_blocks {
	struct client_block *items;
	size_t n;
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

/* "10.0.0.0/8", "2001:db8::/32", or one address. -EINVAL: *ret_why is a static text; bits behind the prefix
 * are refused: who writes them means something else than the block. */
int client_block_parse(const char *text, struct client_block *ret, const char **ret_why) must_check;

/* A block of IPv6 that holds all of the mapped addresses (::/0) does not hold IPv4: it says nothing of it. */
bool client_block_has(const struct client_block *block, const struct client_addr *addr);
bool client_blocks_have(const struct client_blocks *blocks, const struct client_addr *addr);

/* Takes all that can be read of the texts, which were checked before; client_blocks_done() frees it. */
void client_blocks_init(struct client_blocks *blocks, char *const *texts, size_t n);
void client_blocks_done(struct client_blocks *blocks);
