/* Who listens on a TCP port of this machine, as /proc tells. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/strbuf.h"

struct ports_listener {
	uint64_t inode; /* of its socket */
	unsigned uid;
};

/* Looks through a text like /proc/net/tcp or tcp6. False: nobody listens there. */
bool ports_parse(const char *text, uint16_t port, struct ports_listener *ret);

/* Appends "process 17 (nginx)", or as much as may be known. False: the port is free. */
bool ports_add_owner(struct strbuf *out, uint16_t port);
