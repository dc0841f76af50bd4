/* Names for looking up an address backwards: in-addr.arpa and ip6.arpa.
 *
 * Source: RFC 1035 section 3.5; RFC 3596 section 2.5. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "shared/cleanup.h"

enum { REVERSE_MAX_NAME = 73 }; /* of an IPv6 address */

/* "4.3.2.1.in-addr.arpa" */
void reverse_write(const struct sockaddr_storage *address, char ret[REVERSE_MAX_NAME + 1]);

/* The address that a name stands for, in any case of letters, with or without the dot of the root.
 * False: it is no such name, or one of a whole zone. */
bool reverse_parse(const char *name, struct sockaddr_storage *ret) must_check;
