/* The gateway: its REST calls, at its pace, with its token. One request at a time. */
#pragma once

#include "workers/registrar/answer.h"
#include "workers/registrar/pace.h"
#include "workers/registrar/record.h"
#include "workers/registrar/settings.h"

struct gateway_counters {
	int64_t requests;
	int64_t creates;
	int64_t updates;
	int64_t deletes;
	int64_t errors;
};

struct gateway {
	struct http *http;
	struct pace pace;
	struct {
		enum answer_kind kind;
		const char *remedy; /* static, or NULL */
	} closed;                   /* by which answer the pace was closed */
	struct gateway_counters counters;
	bool is_unversioned; /* older than 1.0.5: no /v1 */
	/* Borrowed, for the time of a round: */
	const char *url; /* without a slash at its end */
	const struct settings *settings;
	const char *token;
	const char *peer_key; /* NULL: none */
	bool verify;          /* its certificate is checked */
};

/* Answers of these: answer_done() in any case. */
void gateway_list(struct gateway *gateway, struct answer *ret);
void gateway_get(struct gateway *gateway, const char *id, struct answer *ret);
void gateway_tools(struct gateway *gateway, const char *id, struct answer *ret);
void gateway_create(struct gateway *gateway, json_t *body, struct answer *ret);
void gateway_update(struct gateway *gateway, const char *id, json_t *body, struct answer *ret);
void gateway_delete(struct gateway *gateway, const char *id, struct answer *ret);

/* Virtual servers. */
void gateway_servers(struct gateway *gateway, struct answer *ret);
void gateway_create_server(struct gateway *gateway, json_t *body, struct answer *ret);
void gateway_update_server(
	struct gateway *gateway, const char *id, json_t *body, struct answer *ret);
void gateway_delete_server(struct gateway *gateway, const char *id, struct answer *ret);
