/* What mcp-fleetd tells us to do: notification registrar/settings, and the orders of an operator. */
#pragma once

#include <jansson.h>

#include "shared/fail.h"
#include "shared/schema.h"

struct settings {
	const char *url; /* of the gateway; "": registration is off */
	const char *token_file;
	const char *auth_header; /* that carries the token */
	const char *ca_file;
	const char *client_cert;
	const char *client_key;
	bool verify;
	const char *public_url; /* of the fleet, as the gateway reaches it */
	const char *transport;  /* "sse", "streamable" */
	const char *name_prefix;
	const char *visibility;
	struct str_list tags;
	struct str_list domains_filter; /* none: all of them */
	const char *server;             /* name of a virtual server; "": none */
	int64_t interval_ms;
	const char *peer_key_file; /* the key that the gateway has to send to us */
	const char *peer_ca_file;  /* that the gateway is to trust for us */
	const char *state_file;    /* "": nothing is kept */
	struct str_list domains;   /* names of all that are configured */
	/* Not in the table: */
	json_t *json;
};

/* The params of registrar/register. */
struct order {
	const char *gateway; /* "": as the settings have it; so are the others */
	const char *token_file;
	struct str_list domains; /* none: all */
	const char *server;
	bool verify; /* true also where the order leaves it open: `json` knows */
	int64_t timeout_ms;
	json_t *json;
};

/* Takes a reference of `json`. 0, or -EINVAL with words; settings_done() in any case. */
int settings_read(json_t *json, struct settings *ret, struct fail *fail) must_check;
void settings_done(struct settings *settings);

int order_read(json_t *json, struct order *ret, struct fail *fail) must_check;
void order_done(struct order *order);

/* An http or https URL with a host, without user name and password; no slash is left at its end.
 * 0 and a text of yours, or -EINVAL with words. */
int settings_check_url(const char *url, char **ret, struct fail *fail) must_check;

bool list_has(const struct str_list *list, const char *name);
