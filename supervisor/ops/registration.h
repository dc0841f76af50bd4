/* Registration with the gateway: the one process that does it, mcp-fleet-registrar, and what it said last.
 *
 * The process is a worker in the way it is started, watched and replaced (fleet/worker); towards it we
 * only tell what the fleet is, and pass on what an operator orders. We never see the gateway's token.
 * It runs while the settings name a gateway, or an order of an earlier `mcp-fleetctl register` is kept in
 * the state folder, or one comes.
 *
 * Source: promise 8 of ARCHITECTURE.md; doc/registration.md has the protocol. */
#pragma once

#include <jansson.h>

#include "supervisor/mcp/mcp.h"

struct registration;

struct registration_parts {
	struct loop *loop;
	struct mcp *mcp;
	const struct conf *conf; /* until registration_set_conf() */
	const char *libexec;     /* where mcp-fleet-registrar lies */
	const char *state_dir;   /* NULL: nothing is kept */
	/* Appends "http://127.0.0.1:8000": where the gateway reaches us when public_url is not set. */
	void (*add_url)(void *arg, struct strbuf *out);
	/* What the registrar says has changed. */
	void (*changed)(void *arg);
	void *arg;
};

struct registration *registration_new(const struct registration_parts *parts);
void registration_free(struct registration *registration);

/* The fleet has its domains: from now on they are told. */
void registration_start(struct registration *registration);
void registration_set_conf(struct registration *registration, const struct conf *conf);

/* Ends the process; `fn` runs when it has ended (maybe at once). Registrations stay as they are. */
void registration_stop(struct registration *registration, void (*fn)(void *arg), void *arg);

/* A domain's state or lists may have changed: may be called often. */
void registration_note_change(struct registration *registration);

/* What the registrar said last, with what is known of its process; NULL: there is no gateway. The
 * caller's. */
json_t *registration_make_report(const struct registration *registration) must_check;

/* Asks the registrar; "registrar/register" starts it if it does not run yet. `params` is taken over.
 * `fn` runs once, maybe at once, and at the latest in registration_free(): with its result (borrowed), or without and
 * with words. -ENOENT: there is no gateway. -EBUSY: too many orders at a time. -ESHUTDOWN: it stops. -EPIPE: it
 * has ended. -EREMOTEIO: it refused, or failed. */
typedef void registration_fn(void *arg, json_t *result, const struct fail *fail);
void registration_ask(struct registration *registration, const char *method, json_t *params,
	registration_fn *fn, void *arg);

/* Kills the process, to see it come back: its pid; 0: it does not run. `ret_restarts` before that. */
pid_t registration_kill(struct registration *registration, uint64_t *ret_restarts);
