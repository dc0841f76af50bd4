/* See tasks.h. */
#include "supervisor/mcp/tasks.h"

#include <stdio.h>
#include <sys/random.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/keyed_hash.h"
#include "shared/limits.h"
#include "supervisor/mcp/tasks_private.h"

enum {
	MAX_MEMBER =
		512, /* bytes of what is kept of a member of a task; longer ones are left out */
	GRACE_MS = 60 * CLOCK_SECOND_MS,
	SWEEP_MS = 30 * CLOCK_SECOND_MS,
};

static const char *const member_names[TASK_MEMBERS] = {
	[TASK_STATUS] = "status",
	[TASK_MESSAGE] = "statusMessage",
	[TASK_CREATED] = "createdAt",
	[TASK_UPDATED] = "lastUpdatedAt",
	[TASK_TTL] = "ttl",
	[TASK_POLL] = "pollInterval",
};

/* --- the table ----------------------------------------------------------------------------------- */

static size_t bucket_of(const char *worker_id)
{
	return keyed_hash_text(0, worker_id) & (TASK_BUCKETS - 1);
}

/* The worker's id as text; false: no string, too long, or with a NUL in it. */
static bool read_id(struct jspan id, struct strbuf *ret)
{
	return jspan_type(id) == JSPAN_STRING && id.len <= LIMIT_ID_BYTES &&
	       jspan_get_str(id, ret) && ret->len > 0 && strlen(ret->data) == ret->len;
}

static struct task *find_of_worker(
	struct tasks *tasks, uint32_t domain, unsigned worker, struct jspan id)
{
	struct task *task;
	auto_strbuf text = { 0 };

	if (!read_id(id, &text))
		return NULL;
	LIST_FOREACH(task, &tasks->buckets[bucket_of(text.data)], in_bucket)
		if (task->domain == domain && task->worker == worker &&
			streq(task->worker_id, text.data))
			return task;
	return NULL;
}

struct task *tasks_find(struct session *session, struct jspan id)
{
	struct task *task;

	LIST_FOREACH(task, &session_get_info(session)->tasks, in_session)
		if (jspan_is(id, task->id))
			return task;
	return NULL;
}

/* Its process may go when it is idle, as far as this task is concerned. */
static void end(struct router *router, struct task *task)
{
	struct domain *domain = fleet_get(router->fleet, task->domain);

	if (!task->has_ended && domain && task->worker)
		domain_hold(domain, task->worker, false);
	task->has_ended = true;
}

void task_forget(struct router *router, struct task *task)
{
	end(router, task);
	LIST_REMOVE(task, in_bucket);
	LIST_REMOVE(task, in_calls);
	LIST_REMOVE(task, in_session);
	session_get_info(task->session)->n_tasks--;
	router->tasks->n--;
	for (int i = 0; i < TASK_MEMBERS; i++)
		free(task->members[i]);
	free(task->worker_id);
	free(task->token);
	free(task->label);
	free(task);
}

static void on_sweep(void *arg)
{
	struct router *router = arg;
	struct tasks *tasks = router->tasks;
	int64_t now_ms = loop_now_ms(router->loop);
	struct task *task;
	struct task *after;

	for (size_t i = 0; i < TASK_BUCKETS; i++)
		for (task = LIST_FIRST(&tasks->buckets[i]); task; task = after) {
			after = LIST_NEXT(task, in_bucket);
			if (now_ms - task->created_ms > task->life_ms + GRACE_MS)
				task_forget(router, task);
		}
	if (tasks->n > 0)
		timer_start(tasks->sweeper, SWEEP_MS);
}

/* --- what a worker says of a task ------------------------------------------------------------------ */

static void set_member(struct task *task, enum task_member member, struct jspan value)
{
	enum jspan_type type = jspan_type(value);

	free(TAKE(task->members[member]));
	if (value.at && value.len <= MAX_MEMBER && type != JSPAN_OBJECT && type != JSPAN_ARRAY)
		task->members[member] = alloc_mem(value.at, value.len);
}

static bool is_final(const struct task *task)
{
	const char *status = task->members[TASK_STATUS];

	return status && (streq(status, "\"completed\"") || streq(status, "\"failed\"") ||
				 streq(status, "\"cancelled\""));
}

static int64_t read_life(struct jspan ttl)
{
	uint64_t ms;

	return jspan_get_u64(ttl, &ms) && ms < TASK_MAX_LIFE_MS ? (int64_t)ms
								: (int64_t)TASK_MAX_LIFE_MS;
}

/* `state`: an object with the members of a task. */
void task_note(struct router *router, struct task *task, struct jspan state)
{
	for (int i = 0; i < TASK_MEMBERS; i++)
		set_member(task, (enum task_member)i, jspan_member(state, member_names[i], NULL));
	task->life_ms = read_life(jspan_member(state, member_names[TASK_TTL], NULL));
	if (is_final(task))
		end(router, task);
}

void task_add_state(const struct task *task, struct strbuf *out)
{
	strbuf_addf(out, "{\"taskId\":\"%s\"", task->id);
	for (int i = 0; i < TASK_MEMBERS; i++)
		if (task->members[i])
			strbuf_addf(out, ",\"%s\":%s", member_names[i], task->members[i]);
	strbuf_addc(out, '}');
}

void task_replace_id(const struct task *task, struct jspan where, struct splices *splices)
{
	auto_free char *json = alloc_printf("\"%s\"", task->id);

	splice_replace(splices, where, json, strlen(json));
}

static struct jspan find_related(struct jspan holder)
{
	struct jspan meta = jspan_member(holder, "_meta", NULL);

	return jspan_member(jspan_member(meta, TASK_RELATED, NULL), "taskId", NULL);
}

void tasks_map_to_client(const struct task *task, struct jspan holder, struct splices *splices)
{
	struct jspan id = find_related(holder);

	if (id.at)
		task_replace_id(task, id, splices);
}

void tasks_map_related(struct session *session, struct jspan related, struct splices *splices)
{
	struct jspan id = jspan_member(related, "taskId", NULL);
	const struct task *task = id.at ? tasks_find(session, id) : NULL;
	auto_strbuf json = { 0 };

	if (!task)
		return;
	strbuf_add_json(&json, task->worker_id, strlen(task->worker_id));
	splice_replace(splices, id, json.data, json.len);
}

void tasks_map_to_worker(struct session *session, struct jspan holder, struct splices *splices)
{
	struct jspan meta = jspan_member(holder, "_meta", NULL);

	tasks_map_related(session, jspan_member(meta, TASK_RELATED, NULL), splices);
}

/* --- making one -------------------------------------------------------------------------------------- */

static void make_id(char ret[TASK_ID_SIZE])
{
	uint64_t bits[2];

	if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
		abort(); /* an id that can be guessed would be worse */
	(void)snprintf(ret, TASK_ID_SIZE, "task-%016llx%016llx", (unsigned long long)bits[0],
		(unsigned long long)bits[1]);
}

static struct task *add(
	struct router *router, const struct call *call, unsigned worker, const char *worker_id)
{
	struct tasks *tasks = router->tasks;
	struct session_info *info = session_get_info(call->session);
	struct task *task = alloc_zero(sizeof(*task));

	make_id(task->id);
	task->session = call->session;
	task->no = ++tasks->last_no;
	task->worker_id = alloc_str(worker_id);
	task->domain = call->domain;
	task->worker = worker;
	task->call_no = call->no;
	task->token = call->token_len ? alloc_mem(call->ids + call->id_len, call->token_len) : NULL;
	task->label = alloc_str(call->label);
	task->timeout_ms = call->timeout_ms;
	task->created_ms = loop_now_ms(router->loop);
	LIST_INSERT_HEAD(&info->tasks, task, in_session);
	LIST_INSERT_HEAD(&tasks->buckets[bucket_of(worker_id)], task, in_bucket);
	LIST_INSERT_HEAD(&tasks->calls[call->no & (TASK_BUCKETS - 1)], task, in_calls);
	info->n_tasks++;
	tasks->n++;
	if (!timer_is_running(tasks->sweeper))
		timer_start(tasks->sweeper, SWEEP_MS);
	domain_hold(fleet_get(router->fleet, call->domain), worker, true);
	return task;
}

/* Nobody will ask for it. */
static void cancel_in_worker(struct domain *domain, unsigned worker, const char *worker_id)
{
	auto_strbuf line = { 0 };

	strbuf_adds(&line, "{\"jsonrpc\":\"2.0\",\"id\":\"task-cancel\",\"method\":"
			   "\"tasks/cancel\",\"params\":{\"taskId\":");
	strbuf_add_json(&line, worker_id, strlen(worker_id));
	strbuf_adds(&line, "}}");
	domain_tell_worker(domain, worker, line.data, line.len);
}

/* The result of a call that may make a task. */
bool tasks_take_new(
	struct router *router, struct call *call, struct jspan result, struct splices *splices)
{
	struct domain *domain = fleet_get(router->fleet, call->domain);
	struct jspan state = jspan_member(result, "task", NULL);
	struct jspan id = jspan_member(state, "taskId", NULL);
	unsigned worker = domain ? domain_get_answering(domain) : 0;
	struct task *task;
	auto_strbuf text = { 0 };

	if (!state.at)
		return true; /* it was done at once */
	if (!worker || !read_id(id, &text) ||
		find_of_worker(router->tasks, call->domain, worker, id)) {
		router_fail(router, call, RPC_INTERNAL_ERROR,
			"the worker began a task, but gave it no id that can be used", NULL);
		return false;
	}
	if (session_get_info(call->session)->n_tasks >= TASKS_PER_SESSION) {
		cancel_in_worker(domain, worker, text.data);
		router_fail(router, call, RPC_OVERLOADED, "this session has too many tasks", NULL);
		return false;
	}
	task = add(router, call, worker, text.data);
	task_note(router, task, state);
	task_replace_id(task, id, splices);
	tasks_map_to_client(task, result, splices);
	return true;
}

/* --- what a worker tells and asks -------------------------------------------------------------------------- */

struct session *task_get_session(const struct task *task)
{
	return task->session;
}

uint64_t task_get_number(const struct task *task)
{
	return task->no;
}

uint64_t tasks_get_via(struct session *session, uint64_t task_no)
{
	const struct call *call;

	LIST_FOREACH(call, &session_get_info(session)->calls, in_session)
		if (call->kind == FORWARD_TASK_RESULT && call->task_no == task_no)
			return call->via;
	return 0;
}

bool tasks_read_related(struct router *router, struct domain *domain, unsigned worker,
	struct jspan params, struct task **ret)
{
	struct jspan meta = jspan_member(params, "_meta", NULL);
	uint32_t id = fleet_find(router->fleet, domain_get_name(domain));

	*ret = NULL;
	if (!jspan_member(meta, TASK_RELATED, NULL).at)
		return false;
	*ret = find_of_worker(router->tasks, id, worker, find_related(params));
	return true;
}

static void tell(
	const struct task *task, const char *method, struct splices *splices, struct jspan params)
{
	auto_strbuf text = { 0 };

	if (session_is_slow(task->session))
		return;
	strbuf_addf(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":", method);
	splices_apply(splices, params, &text);
	strbuf_addc(&text, '}');
	jspan_one_line(text.data, text.len);
	session_tell(task->session, tasks_get_via(task->session, task->no), text.data, text.len);
}

static bool on_status(struct router *router, uint32_t domain, unsigned worker, struct jspan params)
{
	struct jspan id = jspan_member(params, "taskId", NULL);
	struct task *task = find_of_worker(router->tasks, domain, worker, id);
	auto_splices splices = { 0 };

	if (!task)
		return false;
	task_note(router, task, params);
	task_replace_id(task, id, &splices);
	tasks_map_to_client(task, params, &splices);
	tell(task, "notifications/tasks/status", &splices, params);
	return true;
}

/* The token of the call that made it lives as long as the task. */
static bool on_progress(
	struct router *router, uint32_t domain, unsigned worker, struct jspan params)
{
	struct jspan token = jspan_member(params, "progressToken", NULL);
	struct task *task;
	auto_splices splices = { 0 };
	uint64_t no;

	if (!jspan_get_u64(token, &no))
		return false;
	LIST_FOREACH(task, &router->tasks->calls[no & (TASK_BUCKETS - 1)], in_calls)
		if (task->call_no == no && task->domain == domain && task->worker == worker)
			break;
	if (!task || !task->token || task->has_ended)
		return false;
	splice_replace(&splices, token, task->token, strlen(task->token));
	tasks_map_to_client(task, params, &splices);
	tell(task, "notifications/progress", &splices, params);
	return true;
}

bool tasks_told(
	struct router *router, struct domain *domain, unsigned worker, const struct rpc *rpc)
{
	uint32_t id = fleet_find(router->fleet, domain_get_name(domain));

	if (router->tasks->n == 0)
		return false;
	if (jspan_is(rpc->method, "notifications/progress"))
		return on_progress(router, id, worker, rpc->params);
	return on_status(router, id, worker, rpc->params);
}

/* --- ends ------------------------------------------------------------------------------------------------------- */

/* Nobody else would say so. */
static void fail_task(struct task *task)
{
	char now[CLOCK_TEXT_SIZE];
	auto_splices none = { 0 };
	auto_strbuf state = { 0 };

	task->worker = 0;
	if (task->has_ended)
		return;         /* what became of it is known; its result is lost */
	task->has_ended = true; /* its hold has ended with the process */
	clock_wall_text(now);
	free(task->members[TASK_STATUS]);
	free(task->members[TASK_MESSAGE]);
	free(task->members[TASK_UPDATED]);
	task->members[TASK_STATUS] = alloc_str("\"failed\"");
	task->members[TASK_MESSAGE] = alloc_str("\"the process that worked on it has ended\"");
	task->members[TASK_UPDATED] = alloc_printf("\"%s\"", now);
	task_add_state(task, &state);
	tell(task, "notifications/tasks/status", &none, (struct jspan){ state.data, state.len });
}

static struct task *find_in_process(struct task_list *bucket, uint32_t domain, unsigned worker)
{
	struct task *task;

	LIST_FOREACH(task, bucket, in_bucket)
		if (task->domain == domain && task->worker == worker)
			break;
	return task;
}

void tasks_worker_ended(struct router *router, struct domain *domain, unsigned worker)
{
	uint32_t id = fleet_find(router->fleet, domain_get_name(domain));
	struct task *task;

	for (size_t i = 0; router->tasks->n > 0 && i < TASK_BUCKETS; i++)
		while ((task = find_in_process(&router->tasks->buckets[i], id, worker)))
			fail_task(task); /* to tell may end its session, and with it other tasks */
}

void tasks_forget_session(struct router *router, struct session *session)
{
	struct task *task;

	while ((task = LIST_FIRST(&session_get_info(session)->tasks))) {
		struct domain *domain = fleet_get(router->fleet, task->domain);

		if (domain && task->worker && !task->has_ended)
			cancel_in_worker(domain, task->worker, task->worker_id);
		task_forget(router, task);
	}
}

struct tasks *tasks_new(struct router *router)
{
	struct tasks *tasks = alloc_zero(sizeof(*tasks));

	tasks->sweeper = timer_new(router->loop, on_sweep, router);
	return tasks;
}

void tasks_free(struct tasks *tasks)
{
	if (!tasks)
		return;
	timer_free(tasks->sweeper);
	free(tasks);
}
