/* The world around mcp/ for its tests: a fake fleet, fake transports, a fake clock. Real: mcp, router,
 * bridge, news, methods, sessions, catalog. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/mcp/mcp.h"

enum { WORLD_DOMAINS = 3, EXT_WORKER = 1 };

struct domain {
	const char *name;
	enum domain_state state;
	bool has_failed; /* at its first start */
	uint32_t id;     /* 0: it has left */
	int refusal;     /* what domain_call() says; 0: it takes the call */
	uint64_t last_no;
	bool may_rerun;
	unsigned worker;         /* that the last call was for; 0: any */
	unsigned n_holds;        /* of its worker */
	struct strbuf told;      /* to its worker alone */
	struct strbuf line;      /* the last call */
	struct strbuf cancelled; /* the numbers */
	struct strbuf envelope;  /* of the last call, and where it goes in */
	size_t meta_at;
	struct strbuf reply;  /* what its worker was answered */
	struct strbuf wishes; /* what sessions want to hear, and what becomes of them */
};

struct client {
	struct session *session;
	struct strbuf got; /* messages, each with a line break */
	int code;          /* of the last answer */
	bool busy;
	bool closed;
};

/* The domains "one" and "two" are native, "two" wants the roots of clients; "ext", the third, is of other make. */
struct world {
	struct loop *loop;
	struct mcp *mcp;
	struct domain domains[WORLD_DOMAINS];
	struct client a, b; /* event streams */
	struct client s;    /* a line transport; world_add_ext() opens it */
	unsigned n_idle, n_settled;
	unsigned n_unsure;       /* calls of "ext" that were given up and may still run, */
	uint64_t unsure_session; /* of one session, or (0) of several */
};

extern struct world world;
extern const struct sink_ops sink_ops; /* of the event streams */

int world_set_up(void **unused); /* with "one" and "two" */
int world_tear_down(void **unused);

/* "ext" comes too, and offers what is given as JSON: {"tools":[…],"resources":[…],…}. */
void world_set_up_ext(
	bool takes_legacy, bool takes_modern, const char *lists, const char *capabilities);

/* audit.target, "" or "log"; borrowed for good. */
void world_set_audit(char *target);

/* auth.scopes; borrowed until it is set again. */
void world_set_scopes(struct conf_grants scopes);

void open_client(struct client *client, const char *domain);

/* A transport for one modern request on the whole fleet. */
void open_once(struct client *client);
void offer(struct domain *d, const char *tools_text);
void change(struct domain *d, enum domain_state state);

/* "one" and "two" are up; "one" has the tools one_read, one_write, one_slow, one_odd. */
void come_up(void);

/* What the client has heard since the last time. */
const char *heard(struct client *client);
enum mcp_verdict say(struct client *client, const char *text);
const char *last_refusal(void);
void call_tool(struct client *client, const char *id, const char *tool);
void answer_with(uint64_t no, enum rpc_kind kind, const char *body);
void answer(uint64_t no);

/* The same from a process of one's choice. */
void ext_speaks(const struct domain_speaker *who, const char *text, bool asks);

/* What a worker of "ext" says while it has these calls. */
void ext_asks(const char *text, const uint64_t *calls, unsigned n_calls);
void ext_tells(const char *text, const uint64_t *calls, unsigned n_calls);

#define assert_heard(client, text) assert_string_equal(heard(client), text)
#define assert_has(client, text) assert_non_null(strstr(heard(client), text))

/* What "ext" offers, and messages. */
#define LISTS                                                                                      \
	"{\"tools\":[{\"name\":\"work\",\"inputSchema\":{\"type\":\"object\"}}],"                  \
	"\"resources\":[{\"uri\":\"x://a\",\"name\":\"a\"}],\"templates\":[{\"uriTemplate\":"      \
	"\"x://t/{id}\",\"name\":\"t\"}],\"prompts\":[{\"name\":\"ask\"}]}"
#define CAPABILITIES                                                                               \
	"{\"tools\":{},\"resources\":{\"subscribe\":true},\"prompts\":{},\"completions\":{},"      \
	"\"logging\":{}}"

#define META(capabilities, more)                                                                   \
	"\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                   \
	"\"io.modelcontextprotocol/clientCapabilities\":" capabilities more "}"

#define MODERN(id, method, params)                                                                 \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":{" params "}}"

#define INITIALIZE(capabilities)                                                                   \
	"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":" \
	"\"2025-11-25\",\"capabilities\":" capabilities "}}"
