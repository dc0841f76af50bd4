/* What clients ask about their tasks: see tasks.h. */
#include "supervisor/mcp/tasks.h"

#include "shared/alloc.h"
#include "supervisor/mcp/tasks_private.h"

enum { PAGE_TASKS = 32 };

/* --- asking about it ----------------------------------------------------------------------------------- */

static struct task *find_of_call(const struct call *call)
{
	struct task *task;

	LIST_FOREACH(task, &session_get_info(call->session)->tasks, in_session)
		if (task->no == call->task_no)
			return task;
	return NULL;
}

/* A result of tasks/result must name its task. */
static void name_task(const struct task *task, struct jspan result, struct splices *splices)
{
	struct jspan meta = jspan_member(result, "_meta", NULL);
	auto_free char *text = alloc_printf("\"" TASK_RELATED "\":{\"taskId\":\"%s\"}", task->id);
	auto_free char *whole = alloc_printf("\"_meta\":{%s}", text);

	tasks_map_to_client(task, result, splices);
	if (jspan_type(meta) == JSPAN_OBJECT && !jspan_member(meta, TASK_RELATED, NULL).at)
		splice_members(splices, meta, text);
	else if (!meta.at)
		splice_members(splices, result, whole);
}

bool tasks_take_result(
	struct router *router, struct call *call, struct jspan result, struct splices *splices)
{
	struct task *task = call->task_no ? find_of_call(call) : NULL;
	struct jspan id = jspan_member(result, "taskId", NULL);

	if (call->makes_task)
		return tasks_take_new(router, call, result, splices);
	if (!task)
		return true;
	if (call->kind == FORWARD_TASK_RESULT) {
		name_task(task, result, splices);
		return true;
	}
	task_note(router, task, result);
	if (id.at)
		task_replace_id(task, id, splices);
	tasks_map_to_client(task, result, splices);
	return true;
}

/* One that its worker does not know any more is not listed either. */
void tasks_take_error(struct router *router, const struct call *call, struct jspan error)
{
	struct task *task = call->task_no ? find_of_call(call) : NULL;
	struct jspan code = jspan_member(error, "code", NULL);

	if (task && (call->kind == FORWARD_TASK_GET || call->kind == FORWARD_TASK_LIST) &&
		code.len == 6 && memcmp(code.at, "-32602", code.len) == 0)
		task_forget(router, task);
}

bool tasks_are_for(const struct origin *origin, const struct catalog_target *target)
{
	return !origin->is_modern && target->takes_tasks && target->takes_legacy &&
	       revision_has_tasks(session_get_info(origin->session)->revision);
}

/* It may take as long as the task may. Few lengths, because each has a queue of its own. */
static int64_t get_timeout(const struct task *task, enum forward_kind kind)
{
	int64_t ms = task->timeout_ms;

	if (kind == FORWARD_TASK_RESULT)
		while (ms < task->life_ms && ms < TASK_MAX_LIFE_MS)
			ms *= 2;
	return ms;
}

/* The process that had it is gone. */
static void answer_lost(
	const struct origin *origin, enum forward_kind kind, const struct task *task)
{
	auto_strbuf state = { 0 };

	if (kind == FORWARD_TASK_GET) {
		task_add_state(task, &state);
		answer_text(origin, state.data, 0);
	} else if (kind == FORWARD_TASK_CANCEL) {
		answer_error(origin, RPC_INVALID_PARAMS,
			"the task is over: the process that worked on it has ended", NULL);
	} else {
		answer_error(origin, RPC_WORKER_DIED,
			"the process that worked on the task has ended; what it did may have "
			"taken effect",
			NULL);
	}
}

static void fill_target(struct router *router, const struct task *task, enum forward_kind kind,
	struct catalog_target *target, struct forward *ret)
{
	*target = (struct catalog_target){ .domain = domain_get_name(
						   fleet_get(router->fleet, task->domain)),
		.name = task->label,
		.worker_name = task->worker_id,
		.takes_legacy = true,
		.timeout_ms = get_timeout(task, kind) };
	ret->kind = kind;
	ret->target = target;
	ret->task_no = task->no;
	ret->worker = task->worker;
}

/* The tool that made it is for this session still; of a domain that has left nothing is known. */
static bool may_see(
	const struct router *router, const struct session *session, const struct task *task)
{
	const struct principal *viewer = session_get_restriction(session);
	const struct domain *domain = fleet_get(router->fleet, task->domain);

	return !viewer ||
	       (domain && principal_allows_tool(viewer, domain_get_name(domain), task->label));
}

/* One of its own that is not for it any more is as if it were not there. */
static const struct task *find_own(
	const struct router *router, struct session *session, struct jspan id)
{
	const struct task *task = id.at ? tasks_find(session, id) : NULL;

	return task && may_see(router, session, task) ? task : NULL;
}

bool tasks_find_target(struct router *router, const struct origin *origin, enum forward_kind kind,
	struct jspan params, struct catalog_target *target, struct forward *ret)
{
	struct jspan id = jspan_member(params, "taskId", NULL);
	const struct task *task = find_own(router, origin->session, id);
	const struct domain *domain = task ? fleet_get(router->fleet, task->domain) : NULL;

	if (jspan_type(id) != JSPAN_STRING) {
		answer_error(origin, RPC_INVALID_PARAMS,
			"params.taskId must be there, once, and be a string", NULL);
		return false;
	}
	if (!task) {
		answer_quoting(
			origin, RPC_INVALID_PARAMS, "This session has no such task (any more)", id);
		return false;
	}
	if (!domain || !task->worker) {
		answer_lost(origin, kind, task);
		return false;
	}
	*ret = (struct forward){ .origin = origin, .params = params, .where = id };
	fill_target(router, task, kind, target, ret);
	return true;
}

/* --- the list -------------------------------------------------------------------------------------- */

/* A worker need not tell that a task has ended: those of a page that may have are asked about, one after
 * another, by the one call that answers the client. A page is the newest tasks below a number; a cursor is
 * the number of the last one that was listed. */

static bool read_cursor(const struct tasks *tasks, struct jspan cursor, uint64_t *ret_before)
{
	*ret_before = UINT64_MAX;
	if (!cursor.at || jspan_type(cursor) == JSPAN_NULL)
		return true;
	if (jspan_type(cursor) != JSPAN_STRING || cursor.len <= 2)
		return false;
	return jspan_get_u64((struct jspan){ cursor.at + 1, cursor.len - 2 }, ret_before) &&
	       *ret_before <= tasks->last_no;
}

/* The first one of the page below `below` of which more may be known by now; NULL: none. */
static const struct task *find_open(
	const struct router *router, struct session *session, uint64_t before, uint64_t below)
{
	const struct task *task;
	unsigned n = 0;

	LIST_FOREACH(task, &session_get_info(session)->tasks, in_session) {
		if (task->no >= before || !may_see(router, session, task))
			continue;
		if (n++ == PAGE_TASKS)
			return NULL;
		if (task->no < below && !task->has_ended && task->worker)
			return task;
	}
	return NULL;
}

static void add_page(
	const struct router *router, struct session *session, uint64_t before, struct strbuf *out)
{
	const struct task *task;
	uint64_t last = 0;
	unsigned n = 0;

	strbuf_adds(out, "{\"tasks\":[");
	LIST_FOREACH(task, &session_get_info(session)->tasks, in_session) {
		if (task->no >= before || !may_see(router, session, task))
			continue;
		if (n == PAGE_TASKS) {
			strbuf_addf(out, "],\"nextCursor\":\"%llu\"}", (unsigned long long)last);
			return;
		}
		strbuf_adds(out, n++ ? "," : "");
		task_add_state(task, out);
		last = task->no;
	}
	strbuf_adds(out, "]}");
}

/* `text` is for the params, which `ret` borrows. */
static void ask_for_list(struct router *router, const struct task *task, struct strbuf *text,
	struct catalog_target *target, struct forward *ret)
{
	strbuf_addf(text, "{\"taskId\":\"%s\"}", task->id);
	ret->params = (struct jspan){ text->data, text->len };
	ret->where = jspan_member(ret->params, "taskId", NULL);
	fill_target(router, task, FORWARD_TASK_LIST, target, ret);
}

void tasks_list(const struct tasks_asking *asking, struct jspan params)
{
	static const struct envelope nothing;
	struct session *session = asking->origin->session;
	struct jspan cursor = jspan_member(params, "cursor", NULL);
	struct origin origin = *asking->origin;
	struct forward ask = { .origin = &origin };
	struct catalog_target target;
	const struct task *task;
	auto_strbuf text = { 0 };

	if (!read_cursor(asking->router->tasks, cursor, &ask.list_before)) {
		answer_quoting(&origin, RPC_INVALID_PARAMS, "No such cursor", cursor);
		return;
	}
	task = find_open(asking->router, session, ask.list_before, UINT64_MAX);
	if (!task || !fleet_get(asking->router->fleet, task->domain)) {
		add_page(asking->router, session, ask.list_before, &text);
		answer_text(&origin, text.data, 0);
		return;
	}
	origin.envelope = &nothing;
	origin.token = (struct jspan){ 0 };
	ask_for_list(asking->router, task, &text, &target, &ask);
	asking->forward(asking->arg, &ask);
}

void tasks_end_list(struct router *router, struct call *call)
{
	auto_strbuf text = { 0 };

	add_page(router, call->session, call->list_before, &text);
	router_answer(router, call, (struct jspan){ text.data, text.len });
}

void tasks_go_on_with_list(struct router *router, struct call *call, struct jspan result)
{
	static const struct envelope nothing;
	struct task *task = find_of_call(call);
	struct origin origin = call_origin(call);
	struct forward ask = { .origin = &origin };
	struct catalog_target target;
	const struct task *next;
	auto_strbuf text = { 0 };

	if (task && jspan_type(result) == JSPAN_OBJECT)
		task_note(router, task, result);
	next = find_open(router, call->session, call->list_before, call->task_no);
	if (!next || !fleet_get(router->fleet, next->domain)) {
		tasks_end_list(router, call);
		return;
	}
	origin.envelope = &nothing;
	ask_for_list(router, next, &text, &target, &ask);
	call->domain = next->domain;
	call->worker = next->worker;
	call->task_no = next->no;
	router_renumber(router, call);
	if (router_send(router, call, &ask, NULL) < 0)
		tasks_end_list(router, call);
}
