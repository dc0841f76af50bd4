/* Which hosts and addresses the network tools may reach: public ones, but for what the operator's
 * rules (domains.network.allow and deny) add and take away. deny wins.
 *
 * A name is judged before it is looked up, and each address that it leads to before anything is
 * connected to. Nothing is looked up here.
 *
 * Source: tools.md section 8.1. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "shared/fail.h"
#include "workers/common/failure.h"
#include "workers/network/settings.h"

/* Reads the rules, once at start. -EINVAL: fail names the rule and what is wrong with it. */
int policy_start(const struct network_settings *settings, struct fail *fail) must_check;
void policy_stop(void);

/* 0; or a failure address_refused: the name is denied, or is localhost, and no rule allows it.
 * Also for a host that is an address: then nothing but 0 comes back. Both the name that was asked for
 * and all that it is an alias of are to be judged. */
int policy_check_name(const char *host, int port, struct failure *fail) must_check;

/* 0; or a failure address_refused with the reason. `host` is the name that led to the address (or its
 * text). An IPv4 address inside of an IPv6 one must be allowed as well. */
int policy_check_address(const struct sockaddr *address, const char *host, int port,
	struct failure *fail) must_check;

/* "203.0.113.5" or "2001:db8::1"; returns `ret`. */
const char *policy_address_text(const struct sockaddr *address, char ret[INET6_ADDRSTRLEN]);
