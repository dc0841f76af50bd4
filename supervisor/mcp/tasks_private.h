/* The inside of mcp/tasks.h: shared by tasks.c (whose they are, what workers say of them, how they end) and
 * tasks_ask.c (what clients ask about them). */
#pragma once

#include "supervisor/mcp/router_private.h"

#define TASK_RELATED "io.modelcontextprotocol/related-task"

enum {
	TASK_ID_SIZE = 40,
	TASK_BUCKETS = 1024,                 /* a power of two */
	TASK_MAX_LIFE_MS = 24 * 3600 * 1000, /* of one whose worker sets no limit */
};

/* The members of a task beside its id, as the schema has them. */
enum task_member {
	TASK_STATUS,
	TASK_MESSAGE,
	TASK_CREATED,
	TASK_UPDATED,
	TASK_TTL,
	TASK_POLL,
	TASK_MEMBERS,
};

struct task {
	LIST_ENTRY(task) in_session;
	LIST_ENTRY(task) in_bucket;
	LIST_ENTRY(task) in_calls;
	struct session *session;
	uint64_t no;
	char id[TASK_ID_SIZE];
	char *worker_id; /* as text */
	uint32_t domain;
	unsigned worker;  /* 0: it has ended, and the task with it */
	uint64_t call_no; /* of the call that made it: the worker's progress token */
	char *token;      /* the client's, as it wrote it; NULL: it wants no progress */
	char *label;      /* of the tool */
	int64_t timeout_ms;
	int64_t created_ms;
	int64_t life_ms;
	bool has_ended;
	char *members[TASK_MEMBERS]; /* JSON, as they were last heard; NULL: absent */
};

struct tasks {
	struct timer *sweeper;
	uint64_t last_no;
	unsigned n;
	struct task_list buckets[TASK_BUCKETS]; /* by the worker's id */
	struct task_list calls[TASK_BUCKETS];   /* by the number of the call that made it */
};

/* By our id; NULL: the session has no such task. */
struct task *tasks_find(struct session *session, struct jspan id);

/* What it says of the task in `state`, an object, is so from now on. */
void task_note(struct router *router, struct task *task, struct jspan state);

/* Appends the task as its client sees it. */
void task_add_state(const struct task *task, struct strbuf *out);

void task_replace_id(const struct task *task, struct jspan where, struct splices *splices);
void task_forget(struct router *router, struct task *task);

/* The result of a call that may make a task; false: the call was failed. */
bool tasks_take_new(
	struct router *router, struct call *call, struct jspan result, struct splices *splices);
