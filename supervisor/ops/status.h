/* The status: all that an operator sees, as one JSON object (doc/control.md, "status"). It reads the layers
 * and changes nothing. */
#pragma once

#include <jansson.h>

#include "supervisor/front/keys.h"
#include "supervisor/front/tls.h"
#include "supervisor/mcp/mcp.h"
#include "supervisor/ops/health.h"
#include "supervisor/ops/registration.h"

struct status;

/* What main.c alone knows; borrowed, as is all the rest. */
struct status_parts {
	struct loop *loop;
	struct mcp *mcp;
	const struct health *health;
	const struct registration *registration;
	const struct keys *keys; /* NULL: none */
	const struct conf *conf; /* until status_set_conf() */
	const char *state_dir;   /* NULL: none */
	/* Appends "127.0.0.1:8000, …"; NULL: there are no listeners. */
	void (*add_addresses)(void *arg, struct strbuf *out);
	/* The same of the listener of admin.listen. */
	void (*add_admin)(void *arg, struct strbuf *out);
	/* The certificate that is shown; NULL, as the hook itself: none. */
	const struct tls *(*get_tls)(void *arg);
	/* The paths of the Unix sockets that are open; NULL: none. */
	const char *(*get_local_socket)(void *arg);
	const char *(*get_control_socket)(void *arg);
	void *arg;
};

struct status *status_new(const struct status_parts *parts);
void status_free(struct status *status);
void status_set_conf(struct status *status, const struct conf *conf);

/* The caller's. */
json_t *status_make(const struct status *status) must_check;

/* What it is asked for beside the hello: "transport", "settings", "state_dir". The caller's. */
json_t *status_make_hello(const struct status *status) must_check;
