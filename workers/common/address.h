/* Which network addresses tools may talk to: global unicast ones only (tools.md section 8.1), so that
 * nobody reaches this machine or its private network through a tool. Nothing is looked up here. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

/* Whether an AF_INET or AF_INET6 address may be connected to. An IPv4 address inside of an IPv6 one
 * never may, because the network decides what such an address leads to. Other families: false. */
bool address_is_public(const struct sockaddr *address);

/* Whether `host` is "localhost" or below it, which is decided without a look-up. */
bool address_is_local_name(const char *host);
