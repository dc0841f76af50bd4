/* A peer as the gateway has it: one entry of GET /v1/gateways. Foreign: only what is needed is taken over, and
 * what is missing or of another type is as absent.
 *
 * Source: ContextForge 1.0.7, GatewayRead; snake_case inside the answers of /state. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "shared/cleanup.h"

enum {
	RECORD_MAX = 10000, /* of one list, the first; the others are not looked at */
};

struct record {
	char *id;
	char *name;
	char *slug;
	char *url;
	char *transport; /* "SSE", "STREAMABLEHTTP" */
	char *description;
	char *visibility;
	char *status; /* "active", "pending", "deleting" */
	char *auth_type;
	char *created_at; /* compares as text */
	char *last_seen;
	char *last_error;
	json_t *tags;    /* array of texts */
	json_t *skipped; /* skippedTools; NULL: none */
	bool has_token;
	bool has_ca;
	bool is_enabled;
	bool is_reachable;
	int64_t n_tools;
	int64_t version; /* moves with each write, by whomever; 0: it does not say */
};

struct records {
	struct record *items;
	size_t n;
};

/* False: no entry that could be ours (no object, no id). record_done() in any case. */
bool record_read(json_t *json, struct record *ret);
void record_done(struct record *record);

/* A bare list, or {"gateways": [...]}. False: it is neither. */
bool records_read(json_t *json, struct records *ret);
void records_done(struct records *records);

bool record_has_tag(const struct record *record, const char *tag);
