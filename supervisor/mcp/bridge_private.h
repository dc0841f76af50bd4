/* The inside of the bridge: shared by bridge.c (what workers ask, what clients answer), bridge_ask.c (the open
 * questions), bridge_park.c (modern clients) and bridge_input.c (modern workers). */
#pragma once

#include "supervisor/mcp/bridge.h"
#include "supervisor/mcp/router_private.h"

enum {
	MAX_ASKS_PER_CALL = 16,
	MAX_ROUNDS = 32,
};

/* Something that is wanted of a client. */
struct ask {
	LIST_ENTRY(ask) in_all;
	LIST_ENTRY(ask) in_call;    /* when it has a call */
	LIST_ENTRY(ask) in_session; /* when it has a session */
	struct expiry_entry deadline;
	uint64_t no;
	struct session *
		session; /* who was asked; NULL: the call is parked, it is told when it asks again */
	struct call *call; /* NULL: outside of any */
	uint64_t task_no;  /* of the task that it belongs to; 0: none */
	uint32_t domain;
	unsigned worker;
	char *worker_id; /* of a legacy worker: its id, as it wrote it; NULL: */
	char *key;       /* the name in inputRequests */
	char *request;   /* towards a modern client: {"method":…,"params":…} */
	char *answer;    /* what a legacy client said, for a modern worker; JSON */
	size_t bytes;    /* that count for its call */
};

struct wish {
	const char *method;
	const char *capability; /* as it is named in an error */
	const char *json;       /* as it is named in data.requiredCapabilities */
	unsigned bit;
};

/* bridge_ask.c */

/* NULL: nothing that a client can be asked. */
const struct wish *bridge_find_wish(struct jspan method, struct jspan params);
struct ask *ask_new(struct router *router, struct call *call, uint32_t domain);
void ask_free(struct router *router, struct ask *ask);
void ask_leave_session(struct ask *ask); /* which has answered, or is not to hear of it any more */

/* The worker that asked hears `body`, a member "result" or "error" with its value; or that there will be no
 * answer, and the question is freed. */
void ask_reply(struct router *router, const struct ask *ask, const char *member, struct jspan body);
void ask_give_up(struct router *router, struct ask *ask, const char *why);

/* A client that was asked hears that the answer is not wanted any more. */
void ask_withdraw(const struct ask *ask);

/* The question goes to a legacy client. */
void ask_client(struct router *router, struct ask *ask, struct session *session,
	const struct task *task, struct jspan method, struct jspan params);

/* bridge_park.c */
bool bridge_has_room_to_park(const struct router *router, uint32_t domain);
void bridge_ask_modern(
	struct router *router, struct ask *ask, struct jspan method, struct jspan params);
void bridge_on_gathered(struct expiry_entry *entry, void *arg);

/* bridge_input.c: a legacy client has answered what a modern worker wants. */
void bridge_take_answer(struct router *router, struct ask *ask, const struct rpc *rpc);
