/* What messages mean: clients of both eras and workers of other make say whatever they like, in any order, and
 * the time goes on, processes die, sessions end.
 *
 * The input is a script. Its first byte says what the workers of "ext" speak and whether the fleet has settled;
 * then each line is a step: a letter (see steps[]) and the rest. What must hold: what goes out is one line of
 * JSON, to a worker a message; each question of a worker is answered once at most, and each call that is in
 * flight ends; when all clients are gone and enough time has passed, nothing is left. */
#include <errno.h>

#include "shared/log.h"
#include "supervisor/mcp/mcp.h"
#include "tests/fuzz/fuzz.h"

enum {
	MAX_CALLS = 40,
	MAX_ASKS = 40,
	N_CLIENTS = 8,
	N_STEADY = 3,
	MAX_STEPS = 400,
	TOKEN_TEXT = 64
};

struct domain {
	const char *name;
	enum domain_state state;
};

struct client {
	struct session *session;
	bool is_once;
	bool is_busy;
};

/* "a" and "b" are event streams, "s" is a line transport; the others are for one request each. */
static struct world {
	struct loop *loop;
	struct mcp *mcp;
	struct domain one, ext;
	struct client clients[N_CLIENTS];
	uint64_t calls[MAX_CALLS]; /* in flight in the one worker of "ext" */
	unsigned n_calls;
	char *asks[MAX_ASKS]; /* the ids of its questions */
	unsigned n_asks;
	bool refuses;
	bool takes_legacy, takes_modern;
	char token[TOKEN_TEXT]; /* the last requestState that a client heard */
} world;

/* --- in the place of the fleet --------------------------------------------------------------------- */

uint32_t fleet_find(const struct fleet *fleet, const char *name)
{
	return streq(name, "one") ? 1 : streq(name, "ext") ? 2 : 0;
}

struct domain *fleet_get(const struct fleet *fleet, uint32_t id)
{
	return id == 1 ? &world.one : id == 2 ? &world.ext : NULL;
}

void fleet_each(const struct fleet *fleet, void (*fn)(void *arg, struct domain *domain), void *arg)
{
	fn(arg, &world.one);
	fn(arg, &world.ext);
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
	return d->state == DOMAIN_STARTING;
}

const char *domain_state_name(enum domain_state state)
{
	return "state";
}

void domain_set_fleet_state(struct domain *d, const char *params)
{
}

static void check_request(const char *line, size_t len)
{
	const char *why;
	struct rpc rpc;

	CHECK(!memchr(line, '\n', len));
	CHECK(rpc_parse(line, len, &rpc, &why) == 0 && rpc.kind == RPC_REQUEST);
}

static void check_call(const struct domain_call *call)
{
	auto_strbuf whole = { 0 };

	check_request(call->line, call->len);
	if (!call->envelope)
		return;
	CHECK(call->meta_at <= call->len);
	strbuf_add(&whole, call->line, call->meta_at);
	strbuf_adds(&whole, call->envelope);
	strbuf_add(&whole, call->line + call->meta_at, call->len - call->meta_at);
	check_request(whole.data, whole.len);
}

int domain_call(struct domain *d, const struct domain_call *call)
{
	check_call(call);
	free(call->line);
	free(call->envelope);
	if (world.refuses || world.n_calls == MAX_CALLS)
		return -ENOBUFS;
	world.calls[world.n_calls++] = call->no;
	return 0;
}

static bool take_call(uint64_t no)
{
	for (unsigned i = 0; i < world.n_calls; i++)
		if (world.calls[i] == no) {
			world.calls[i] = world.calls[--world.n_calls];
			return true;
		}
	return false;
}

void domain_tell_worker(struct domain *d, unsigned worker, const char *line, size_t len)
{
	check_request(line, len);
}

void domain_hold(struct domain *d, unsigned worker, bool hold)
{
}

unsigned domain_get_answering(const struct domain *d)
{
	return 1;
}

void domain_cancel(struct domain *d, uint64_t no, const char *reason)
{
	CHECK(reason);
	(void)take_call(no);
}

/* NULL: it has no such question. */
static char **find_ask(struct jspan id)
{
	for (unsigned i = 0; i < world.n_asks; i++)
		if (jspan_same((struct jspan){ world.asks[i], strlen(world.asks[i]) }, id))
			return &world.asks[i];
	return NULL;
}

static bool take_ask(struct jspan id)
{
	char **ask = id.at ? find_ask(id) : NULL;

	if (!ask)
		return false;
	free(*ask);
	*ask = world.asks[--world.n_asks];
	return true;
}

void domain_reply(struct domain *d, unsigned worker, const char *line, size_t len)
{
	const char *why;
	struct rpc rpc;

	CHECK(!memchr(line, '\n', len));
	CHECK(rpc_parse(line, len, &rpc, &why) == 0);
	CHECK(rpc.kind == RPC_RESULT || rpc.kind == RPC_ERROR);
	CHECK(take_ask(rpc.id));
}

void domain_tell(struct domain *d, uint64_t session, const char *line, size_t len)
{
	const char *why;
	struct rpc rpc;

	CHECK(rpc_parse(line, len, &rpc, &why) == 0 && rpc.kind == RPC_NOTIFICATION);
}

void domain_forget_session(struct domain *d, uint64_t session)
{
}

void domain_adopt(struct domain *d, uint64_t from, uint64_t to)
{
}

void domain_subscribe(struct domain *d, uint64_t session, const char *uri)
{
	CHECK(uri);
}

void domain_unsubscribe(struct domain *d, uint64_t session, const char *uri)
{
	CHECK(uri);
}

void domain_set_level(struct domain *d, uint64_t session, const char *level)
{
	CHECK(!streq(level, "none"));
}

/* --- clients ----------------------------------------------------------------------------------------- */

static int sink_send(void *arg, const struct outgoing *out)
{
	static const char state[] = "\"requestState\":\"mcp-fleet:";
	struct client *client = arg;
	struct jspan value;
	const char *at;

	if (client->is_busy)
		return -EAGAIN;
	CHECK(jspan_check(out->json, out->len, &value, NULL) == 0);
	CHECK(jspan_type(value) == JSPAN_OBJECT && !memchr(out->json, '\n', out->len));
	at = memmem(out->json, out->len, state, sizeof(state) - 1);
	if (at)
		(void)snprintf(world.token, sizeof(world.token), "%.42s",
			at + strlen("\"requestState\":\""));
	return 0;
}

static void sink_close(void *arg, const char *reason)
{
	((struct client *)arg)->session = NULL;
}

static const struct sink_ops stream_ops = {
	.send = sink_send, .close = sink_close, .answers_each = true
};
static const struct sink_ops stdio_ops = {
	.send = sink_send, .close = sink_close, .is_stdio = true
};
static const struct sink_ops once_ops = { .send = sink_send, .close = sink_close, .is_once = true };

static struct client *open_client(size_t i)
{
	struct client *client = &world.clients[i];
	const struct sink_ops *ops = i >= N_STEADY ? &once_ops : i == 2 ? &stdio_ops : &stream_ops;

	if (!client->session)
		client->session = mcp_open(world.mcp, ops, client,
			mcp_find_endpoint(world.mcp, i == 1 ? "ext" : NULL), NULL);
	return client;
}

static void close_client(struct client *client)
{
	if (client->session)
		session_gone(client->session);
	client->session = NULL;
}

/* With each "$T" as the last requestState. */
static void add_script(struct strbuf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (i + 1 < len && text[i] == '$' && text[i + 1] == 'T') {
			strbuf_adds(out, world.token);
			i++;
		} else {
			strbuf_addc(out, text[i]);
		}
	}
}

static void say(size_t i, const char *text, size_t len)
{
	struct client *client = open_client(i);
	auto_strbuf script = { 0 };
	auto_strbuf reply = { 0 };
	auto_free char *exact = NULL;
	struct jspan value;

	if (!client->session)
		return; /* the fleet is stopping */
	add_script(&script, text, len);
	exact = fuzz_copy(strbuf_get(&script), script.len);
	const struct mcp_input input = { .text = exact, .len = script.len, .via = i };

	if (mcp_receive(world.mcp, client->session, &input, &reply) == MCP_ACCEPTED)
		CHECK(reply.len == 0);
	else
		CHECK(jspan_check(reply.data, reply.len, &value, NULL) == 0);
}

static void on_a(const char *text, size_t len)
{
	say(0, text, len);
}

static void on_b(const char *text, size_t len)
{
	say(1, text, len);
}

static void on_s(const char *text, size_t len)
{
	say(2, text, len);
}

/* One request alone: "3" to "7" in front say which client. */
static void on_once(const char *text, size_t len)
{
	if (len > 0 && *text >= '0' + N_STEADY && *text < '0' + N_CLIENTS)
		say((size_t)(*text - '0'), text + 1, len - 1);
}

static struct client *client_of(const char *text, size_t len)
{
	return &world.clients[len > 0 ? (unsigned char)*text % N_CLIENTS : 0];
}

static void on_gone(const char *text, size_t len)
{
	close_client(client_of(text, len));
}

static void on_busy(const char *text, size_t len)
{
	client_of(text, len)->is_busy = true;
}

static void on_reads(const char *text, size_t len)
{
	struct client *client = client_of(text, len);

	client->is_busy = false;
	if (client->session)
		session_drained(client->session);
}

/* --- workers ----------------------------------------------------------------------------------------- */

/* The call that the first byte names. */
static bool pick_call(const char *text, size_t len, uint64_t *ret)
{
	if (len == 0 || world.n_calls == 0)
		return false;
	*ret = world.calls[(unsigned char)*text % world.n_calls];
	return true;
}

static void answer(const char *member, const char *text, size_t len)
{
	auto_strbuf line = { 0 };
	const char *why;
	struct rpc rpc;
	uint64_t no;

	if (!pick_call(text, len, &no))
		return;
	strbuf_addf(
		&line, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"%s\":", (unsigned long long)no, member);
	strbuf_add(&line, text + 1, len - 1);
	strbuf_addc(&line, '}');
	if (rpc_parse(line.data, line.len, &rpc, &why) != 0)
		return;
	CHECK(take_call(no));
	mcp_domain_hooks.answered(world.mcp, no, &rpc);
}

static void on_result(const char *text, size_t len)
{
	answer("result", text, len);
}

static void on_error(const char *text, size_t len)
{
	answer("error", text, len);
}

static void on_lost(const char *text, size_t len)
{
	uint64_t no;

	if (!pick_call(text, len, &no))
		return;
	CHECK(take_call(no));
	mcp_domain_hooks.lost(world.mcp, no, DOMAIN_LOST_DIED, "test");
}

static void on_progress(const char *text, size_t len)
{
	auto_strbuf line = { 0 };
	const char *why;
	struct rpc rpc;
	uint64_t no;

	if (!pick_call(text, len, &no))
		return;
	strbuf_addf(&line,
		"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"progressToken\":%llu%s",
		(unsigned long long)no, len > 1 ? "," : "");
	strbuf_add(&line, text + 1, len - 1);
	strbuf_adds(&line, "}}");
	if (rpc_parse(line.data, line.len, &rpc, &why) == 0 &&
		jspan_member(rpc.params, "progressToken", NULL).at)
		mcp_domain_hooks.progress(world.mcp, no, &rpc);
}

static void clear_asks(void)
{
	while (world.n_asks > 0)
		free(world.asks[--world.n_asks]);
}

static void on_death(const char *text, size_t len)
{
	bool again = len > 0 && *text == '+'; /* its calls wait for the next process */

	while (world.n_calls > 0 && !again)
		mcp_domain_hooks.lost(
			world.mcp, world.calls[--world.n_calls], DOMAIN_LOST_DIED, "test");
	clear_asks();
	mcp_domain_hooks.worker_ended(world.mcp, &world.ext, 1);
}

/* The first byte: which call alone, or (a blank) all of them; the second: whose process it is. */
static void speak(const char *text, size_t len, bool asks)
{
	struct domain_speaker who = { .worker = 1, .calls = world.calls, .n_calls = world.n_calls };
	const char *why;
	struct rpc rpc;
	uint64_t no;

	if (len < 2 || rpc_parse(text + 2, len - 2, &rpc, &why) != 0 ||
		rpc.kind != (asks ? RPC_REQUEST : RPC_NOTIFICATION))
		return;
	if (*text != ' ' && pick_call(text, len, &no)) {
		who.calls = &no;
		who.n_calls = 1;
	}
	if (text[1] >= '1' && text[1] <= '9')
		who.session = (uint64_t)(text[1] - '0');
	if (!asks) {
		if (jspan_is(rpc.method, "notifications/cancelled") &&
			!take_ask(jspan_member(rpc.params, "requestId", NULL)))
			return;
		mcp_domain_hooks.told(world.mcp, &world.ext, &who, &rpc);
	} else if (world.n_asks < MAX_ASKS && !find_ask(rpc.id)) {
		world.asks[world.n_asks++] = alloc_mem(rpc.id.at, rpc.id.len);
		mcp_domain_hooks.asked(world.mcp, &world.ext, &who, &rpc);
	}
}

static void on_question(const char *text, size_t len)
{
	speak(text, len, true);
}

static void on_news(const char *text, size_t len)
{
	speak(text, len, false);
}

/* --- the fleet --------------------------------------------------------------------------------------- */

static void offer(struct domain *d, const char *lists, const char *capabilities)
{
	auto_free char *members = alloc_mem(lists + 1, strlen(lists) - 2); /* without { and } */
	auto_free char *text =
		alloc_printf("{\"info\":{\"capabilities\":%s},%s}", capabilities, members);
	bool is_ext = d == &world.ext;
	struct offering offering;

	CHECK(offering_from_text(text, &offering) == 0);
	offering.takes_legacy = !is_ext || world.takes_legacy;
	offering.takes_modern = is_ext && world.takes_modern;
	mcp_domain_hooks.offering(world.mcp, d, &offering);
	offering_done(&offering);
}

static void offer_ext(void)
{
	offer(&world.ext,
		"{\"tools\":[{\"name\":\"work\",\"inputSchema\":{\"type\":\"object\"}}],"
		"\"resources\":[{\"uri\":\"x://a\",\"name\":\"a\"}],\"templates\":[{\"uriTemplate\":"
		"\"x://t/{id}\",\"name\":\"t\"}],\"prompts\":[{\"name\":\"ask\"}]}",
		"{\"tools\":{},\"resources\":{\"subscribe\":true},\"prompts\":{},"
		"\"completions\":{},\"logging\":{}}");
}

static void change(struct domain *d, enum domain_state state)
{
	d->state = state;
	mcp_domain_hooks.changed(world.mcp, d);
}

static void come_up(void)
{
	offer(&world.one, "{\"tools\":[{\"name\":\"one_read\",\"inputSchema\":{}}]}", "{}");
	change(&world.one, DOMAIN_UP);
	offer_ext();
	change(&world.ext, DOMAIN_UP);
}

static void on_up(const char *text, size_t len)
{
	come_up();
}

static void on_offer(const char *text, size_t len)
{
	if (len == 0)
		mcp_domain_hooks.offering(world.mcp, &world.ext, NULL);
	else
		offer_ext();
}

static void on_era(const char *text, size_t len)
{
	world.takes_modern = len > 0 && *text != 'l';
	world.takes_legacy = len == 0 || *text != 'm';
	offer_ext();
}

static void on_time(const char *text, size_t len)
{
	loop_fake_advance(world.loop, len > 0 ? (*text & 15) * 20 : 1000);
}

static void on_refusal(const char *text, size_t len)
{
	world.refuses = len > 0;
}

static void on_stop(const char *text, size_t len)
{
	mcp_refuse_new(world.mcp);
}

static const struct step {
	char letter;
	void (*run)(const char *text, size_t len);
} steps[] = {
	{ 'a', on_a },
	{ 'b', on_b },
	{ 's', on_s },
	{ 'o', on_once },
	{ 'x', on_gone },
	{ '!', on_busy },
	{ '.', on_reads },
	{ 'R', on_result },
	{ 'E', on_error },
	{ 'L', on_lost },
	{ 'P', on_progress },
	{ 'D', on_death },
	{ 'Q', on_question },
	{ 'N', on_news },
	{ 'U', on_up },
	{ 'O', on_offer },
	{ 'M', on_era },
	{ 'T', on_time },
	{ 'F', on_refusal },
	{ 'Z', on_stop },
};

/* --- one run ----------------------------------------------------------------------------------------- */

static void on_hook(void *arg)
{
}

static const struct mcp_hooks hooks = { on_hook, on_hook, on_hook };

static char empty[] = "";
static char name_one[] = "one";
static char name_ext[] = "ext";
static char any[] = "*";
static char *any_items[] = { any };

static struct conf_domain conf_domains[] = {
	{ .name = name_one,
		.native = "one",
		.call_timeout_ms = 5000,
		.tools_allow = { .items = any_items, .n = 1 } },
	{ .name = name_ext,
		.call_timeout_ms = 5000,
		.tools_allow = { .items = any_items, .n = 1 } },
};

static char no_text[] = "";

static const struct conf conf = {
	.audit.target = no_text,
	.limits = { .sessions = 10,
		.session_idle_ms = 3600000,
		.sweep_ms = 300000,
		.session_queue_bytes = 8000,
		.session_queue_messages = 8,
		.calls_per_session = 5,
		.input_timeout_ms = 60000 },
	.tools = { .federation_prefix = empty, .max_result_bytes = 4000 },
	.domains = conf_domains,
	.n_domains = N_ELEMENTS(conf_domains),
};

static void run_step(const char *line, size_t len)
{
	for (size_t i = 0; i < N_ELEMENTS(steps); i++)
		if (steps[i].letter == *line)
			steps[i].run(line + 1, len - 1);
	loop_settle(world.loop);
}

static void run_script(const char *text, size_t len)
{
	for (int i = 0; i < MAX_STEPS && len > 0; i++) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		if (line > 0)
			run_step(text, line);
		text += line + (end != NULL);
		len -= line + (end != NULL);
	}
}

/* Nobody comes back, and no worker answers any more. */
static void end_all(void)
{
	for (size_t i = 0; i < N_CLIENTS; i++)
		close_client(&world.clients[i]);
	loop_settle(world.loop);
	loop_fake_advance(world.loop, 200000);
	CHECK(mcp_count_pending(world.mcp) == 0);
	CHECK(world.n_asks == 0 && world.n_calls == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	log_init("fuzz", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	world = (struct world){ .loop = loop_new_fake(),
		.one = { .name = name_one },
		.ext = { .name = name_ext },
		.takes_legacy = (data[0] & 3) != 2,
		.takes_modern = (data[0] & 3) >= 2 };
	loop_fake_advance(world.loop, 1000);
	world.mcp = mcp_new(world.loop, &conf, &hooks, &world);
	mcp_set_fleet(world.mcp, (struct fleet *)(void *)&world);
	for (size_t i = 0; i < N_STEADY; i++)
		(void)open_client(i);
	if (!(data[0] & 4))
		come_up();
	loop_settle(world.loop);
	run_script((const char *)data + 1, size - 1);
	if (!(data[0] & 8))
		end_all();
	loop_settle(world.loop);
	mcp_free(world.mcp); /* a second SIGTERM comes when it comes */
	loop_free(world.loop);
	clear_asks();
	return 0;
}
