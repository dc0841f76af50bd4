/* See mcp_world.h. */
#include "tests/unit/mcp_world.h"

#include <errno.h>

#include "shared/rpc.h"

struct world world;

/* --- in the place of fleet.c and domain.c -------------------------------------------------------- */

uint32_t fleet_find(const struct fleet *fleet, const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(world.domains); i++)
		if (streq(world.domains[i].name, name))
			return world.domains[i].id;
	return 0;
}

struct domain *fleet_get(const struct fleet *fleet, uint32_t id)
{
	for (size_t i = 0; i < N_ELEMENTS(world.domains); i++)
		if (id && world.domains[i].id == id)
			return &world.domains[i];
	return NULL;
}

void fleet_each(const struct fleet *fleet, void (*fn)(void *arg, struct domain *domain), void *arg)
{
	for (size_t i = 0; i < N_ELEMENTS(world.domains); i++)
		if (world.domains[i].id)
			fn(arg, &world.domains[i]);
}

const char *domain_get_name(const struct domain *d)
{
	return d->name;
}

enum domain_state domain_get_state(const struct domain *d)
{
	return d->state;
}

bool domain_is_new(const struct domain *d)
{
	return d->state == DOMAIN_STARTING && !d->has_failed;
}

const char *domain_state_name(enum domain_state state)
{
	return "state";
}

void domain_set_fleet_state(struct domain *d, const char *params)
{
}

int domain_call(struct domain *d, const struct domain_call *call)
{
	assert_int_equal(strlen(call->line), call->len);
	strbuf_cut(&d->line, 0);
	strbuf_add(&d->line, call->line, call->len);
	free(call->line);
	strbuf_cut(&d->envelope, 0);
	strbuf_adds(&d->envelope, call->envelope ? call->envelope : "");
	free(call->envelope);
	d->meta_at = call->meta_at;
	d->last_no = call->no;
	d->may_rerun = call->may_rerun;
	d->worker = call->worker;
	return d->refusal;
}

void domain_tell_worker(struct domain *d, unsigned worker, const char *line, size_t len)
{
	assert_int_equal(worker, EXT_WORKER);
	strbuf_add(&d->told, line, len);
}

void domain_hold(struct domain *d, unsigned worker, bool hold)
{
	assert_int_equal(worker, EXT_WORKER);
	d->n_holds += hold ? 1U : -1U;
}

unsigned domain_get_answering(const struct domain *d)
{
	return EXT_WORKER;
}

void domain_subscribe(struct domain *d, uint64_t session, const char *uri)
{
	strbuf_addf(&d->wishes, "+%s ", uri);
}

void domain_unsubscribe(struct domain *d, uint64_t session, const char *uri)
{
	strbuf_addf(&d->wishes, "-%s ", uri);
}

void domain_set_level(struct domain *d, uint64_t session, const char *level)
{
	strbuf_addf(&d->wishes, "%s ", level);
}

void domain_forget_session(struct domain *d, uint64_t session)
{
	strbuf_addf(&d->wishes, "forget:%d ", (int)session);
}

void domain_tell(struct domain *d, uint64_t session, const char *line, size_t len)
{
	strbuf_addf(&d->wishes, "tell:%d ", (int)session);
}

void domain_adopt(struct domain *d, uint64_t old_session, uint64_t new_session)
{
	strbuf_addf(&d->wishes, "adopt:%d>%d ", (int)old_session, (int)new_session);
}

void domain_reply(struct domain *d, unsigned worker, const char *line, size_t len)
{
	strbuf_add(&d->reply, line, len);
}

void domain_cancel(struct domain *d, uint64_t no, const char *reason)
{
	assert_non_null(reason);
	strbuf_addf(&d->cancelled, "%d ", (int)no);
}

/* --- the rest of the world ----------------------------------------------------------------------- */

static int sink_send(void *arg, const struct outgoing *out)
{
	struct client *client = arg;

	if (client->busy)
		return -EAGAIN;
	if (out->is_answer)
		client->code = out->code;
	strbuf_add(&client->got, out->json, out->len);
	strbuf_addc(&client->got, '\n');
	return 0;
}

static void sink_close(void *arg, const char *reason)
{
	struct client *client = arg;

	client->closed = true;
	client->session = NULL;
}

const struct sink_ops sink_ops = { .send = sink_send, .close = sink_close };
static const struct sink_ops stdio_ops = {
	.send = sink_send, .close = sink_close, .is_stdio = true
};
static const struct sink_ops once_ops = { .send = sink_send, .close = sink_close, .is_once = true };

static void on_idle(void *arg)
{
	world.n_idle++;
}

static void on_settled(void *arg)
{
	world.n_settled++;
}

static void on_changed(void *arg)
{
}

static const struct mcp_hooks hooks = { on_idle, on_settled, on_changed };

static char empty[] = "";
static char name_one[] = "one";
static char name_two[] = "two";
static char name_ext[] = "ext";

static char any[] = "*";
static char *any_items[] = { any };

#define ANY                                                                                        \
	{                                                                                          \
		.items = any_items, .n = 1                                                         \
	}

static struct conf_domain conf_domains[] = {
	{ .name = name_one, .native = "one", .call_timeout_ms = 5000, .tools_allow = ANY },
	{ .name = name_two,
		.native = "two",
		.call_timeout_ms = 5000,
		.tools_allow = ANY,
		.filesystem = { .use_client_roots = true } },
	{ .name = name_ext, .call_timeout_ms = 5000, .tools_allow = ANY },
};

static char no_text[] = "";

static struct conf conf = {
	.audit.target = no_text,
	.limits = { .sessions = 10,
		.session_idle_ms = 3600000,
		.sweep_ms = 300000,
		.session_queue_bytes = 4000,
		.session_queue_messages = 4,
		.calls_per_session = 3,
		.input_timeout_ms = 60000 },
	.tools = { .federation_prefix = empty, .max_result_bytes = 1000 },
	.domains = conf_domains,
};

void world_set_audit(char *target)
{
	conf.audit.target = target;
	mcp_set_conf(world.mcp, &conf);
}

void world_set_scopes(struct conf_grants scopes)
{
	conf.auth.scopes = scopes;
	mcp_set_conf(world.mcp, &conf);
}

static void open_with(struct client *client, const struct sink_ops *ops, const char *domain)
{
	client->session =
		mcp_open(world.mcp, ops, client, mcp_find_endpoint(world.mcp, domain), NULL);
	assert_non_null(client->session);
}

void open_client(struct client *client, const char *domain)
{
	open_with(client, &sink_ops, domain);
}

void open_once(struct client *client)
{
	open_with(client, &once_ops, NULL);
}

static int begin(size_t n_domains)
{
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	conf.n_domains = n_domains;
	world = (struct world){ .loop = loop_new_fake(),
		.domains = { { .name = name_one, .id = 1 }, { .name = name_two, .id = 2 },
			{ .name = name_ext, .id = n_domains > 2 ? 3 : 0 } } };
	loop_fake_advance(world.loop, 1000);
	world.mcp = mcp_new(world.loop, &conf, &hooks, &world);
	mcp_set_fleet(world.mcp, (struct fleet *)(void *)&world);
	open_client(&world.a, NULL);
	open_client(&world.b, NULL);
	return 0;
}

int world_set_up(void **unused)
{
	return begin(2);
}

void world_set_up_ext(
	bool takes_legacy, bool takes_modern, const char *lists, const char *capabilities)
{
	auto_free char *members = alloc_mem(lists + 1, strlen(lists) - 2); /* without { and } */
	auto_free char *text = alloc_printf("{\"info\":{\"capabilities\":%s},\"takes_legacy\":%s,"
					    "\"takes_modern\":%s%s%s}",
		capabilities, takes_legacy ? "true" : "false", takes_modern ? "true" : "false",
		*members ? "," : "", members);
	struct offering offering;

	assert_int_equal(offering_from_text(text, &offering), 0);
	(void)begin(WORLD_DOMAINS);
	open_with(&world.s, &stdio_ops, NULL);
	come_up();
	mcp_domain_hooks.offering(world.mcp, &world.domains[2], &offering);
	offering_done(&offering);
	change(&world.domains[2], DOMAIN_UP);
}

int world_tear_down(void **unused)
{
	loop_settle(world.loop);
	mcp_free(world.mcp);
	loop_free(world.loop);
	for (size_t i = 0; i < WORLD_DOMAINS; i++) {
		strbuf_done(&world.domains[i].line);
		strbuf_done(&world.domains[i].cancelled);
		strbuf_done(&world.domains[i].reply);
		strbuf_done(&world.domains[i].wishes);
		strbuf_done(&world.domains[i].told);
		strbuf_done(&world.domains[i].envelope);
	}
	strbuf_done(&world.a.got);
	strbuf_done(&world.b.got);
	strbuf_done(&world.s.got);
	return 0;
}

void offer(struct domain *d, const char *tools_text)
{
	auto_free char *tools = alloc_str(tools_text);
	json_auto_t *info = json_pack("{s:{s:{s:{s:{s:i, s:i}}}}}", "capabilities", "experimental",
		"mcp-fleet", "timeouts_ms", "one_slow", 60000, "one_odd", -1);

	const struct offering offering = { .info = info, .tools = tools, .takes_legacy = true };

	mcp_domain_hooks.offering(world.mcp, d, tools ? &offering : NULL);
}

void change(struct domain *d, enum domain_state state)
{
	d->state = state;
	mcp_domain_hooks.changed(world.mcp, d);
	loop_settle(world.loop);
}

/* Both domains are up; "one" has the tools, one_read, one_write, one_slow, one_odd. */
void come_up(void)
{
	offer(&world.domains[0],
		"[{\"name\":\"one_read\",\"inputSchema\":{},\"annotations\":{\"readOnlyHint\":true}},"
		"{\"name\":\"one_write\",\"inputSchema\":{}},"
		"{\"name\":\"one_slow\",\"inputSchema\":{}},"
		"{\"name\":\"one_odd\",\"inputSchema\":{}}]");
	change(&world.domains[0], DOMAIN_UP);
	offer(&world.domains[1], "[{\"name\":\"two_read\",\"inputSchema\":{}}]");
	change(&world.domains[1], DOMAIN_UP);
}

/* What the client has heard since the last time. */
const char *heard(struct client *client)
{
	static char text[8192];

	(void)snprintf(text, sizeof(text), "%s", strbuf_get(&client->got));
	strbuf_cut(&client->got, 0);
	return text;
}

static char reply_text[1000];

const char *last_refusal(void)
{
	return reply_text;
}

enum mcp_verdict say(struct client *client, const char *text)
{
	auto_strbuf reply = { 0 };
	auto_free char *copy = alloc_str(text);
	const struct mcp_input input = { .text = copy, .len = strlen(copy) };
	enum mcp_verdict verdict = mcp_receive(world.mcp, client->session, &input, &reply);

	(void)snprintf(reply_text, sizeof(reply_text), "%s", strbuf_get(&reply));
	assert_int_equal(reply.len > 0, verdict != MCP_ACCEPTED);
	loop_settle(world.loop);
	return verdict;
}

void call_tool(struct client *client, const char *id, const char *tool)
{
	auto_free char *text = alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":"
					    "\"tools/call\",\"params\":{\"name\":\"%s\"}}",
		id, tool);

	assert_int_equal(say(client, text), MCP_ACCEPTED);
}

void answer_with(uint64_t no, enum rpc_kind kind, const char *body)
{
	const struct jspan span = { .at = body, .len = strlen(body) };
	const struct rpc rpc = { .kind = kind, .result = span, .error = span };

	mcp_domain_hooks.answered(world.mcp, no, &rpc);
	loop_settle(world.loop);
}

void answer(uint64_t no)
{
	answer_with(no, RPC_RESULT, "{\"ok\":1}");
}

void ext_speaks(const struct domain_speaker *who, const char *text, bool asks)
{
	const char *why;
	struct rpc rpc;

	assert_int_equal(rpc_parse(text, strlen(text), &rpc, &why), 0);
	strbuf_cut(&world.domains[2].reply, 0);
	if (asks)
		mcp_domain_hooks.asked(world.mcp, &world.domains[2], who, &rpc);
	else
		mcp_domain_hooks.told(world.mcp, &world.domains[2], who, &rpc);
	loop_settle(world.loop);
}

static void from_ext(const char *text, const uint64_t *calls, unsigned n_calls, bool asks)
{
	const struct domain_speaker who = { .worker = EXT_WORKER,
		.calls = calls,
		.n_calls = n_calls,
		.n_unsure = world.n_unsure,
		.unsure_session = world.unsure_session };

	ext_speaks(&who, text, asks);
}

void ext_asks(const char *text, const uint64_t *calls, unsigned n_calls)
{
	from_ext(text, calls, n_calls, true);
}

void ext_tells(const char *text, const uint64_t *calls, unsigned n_calls)
{
	from_ext(text, calls, n_calls, false);
}
