/* What the checks of mcp-fleetctl doctor share. Each looks at one side of the fleet, and adds what it finds. */
#pragma once

#include <jansson.h>

#include "ctl/access.h"
#include "ctl/client.h"
#include "ctl/finding.h"

struct doctor {
	const struct ctl *ctl;
	struct client *client;   /* NULL: the daemon cannot be asked */
	json_t *status;          /* the daemon's; NULL as above */
	json_t *settings;        /* as --dump-config prints them; NULL: they are wrong */
	struct access_user user; /* as whom the daemon runs, or would */
	int root_fd;             /* what the daemon sees as / */
	struct findings findings;
};

/* Is there a daemon, of our version, ready, and how are its domains? Sets client and status. */
void doctor_check_daemon(struct doctor *doctor);
/* Are the settings right, can the daemon use what they name? Sets settings, user and root_fd. */
void doctor_check_settings(struct doctor *doctor);
void doctor_check_paths(struct doctor *doctor);
void doctor_check_programs(struct doctor *doctor);
/* The keys file: who may read and write it, and which keys end. */
void doctor_check_keys(struct doctor *doctor);
/* Listeners, with that of admin.listen, and sockets. */
void doctor_check_listeners(struct doctor *doctor);
/* The certificate that a listener shows; `host` is where it is reached from here, in brackets if it is of IPv6. */
void doctor_check_tls(struct doctor *doctor, const char *address, const char *host, uint16_t port);
void doctor_check_sockets(struct doctor *doctor);
/* The kernel and the machine. */
void doctor_check_host(struct doctor *doctor);
/* The gateway: we to it, and it to us. */
void doctor_check_gateway(struct doctor *doctor);

/* The member at "a.b" of `json`: its text, "" when there is none. Its number, 0. */
const json_t *doctor_get(const json_t *json, const char *path);
const char *doctor_text(const json_t *json, const char *path);
json_int_t doctor_number(const json_t *json, const char *path);
/* NULL instead of "". */
const char *doctor_text_or_null(const json_t *json, const char *path);
