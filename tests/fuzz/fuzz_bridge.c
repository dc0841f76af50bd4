/* The bridge of mcp-fleetctl stdio between a hostile client and a hostile daemon. Each line of the input is a
 * step: its first byte says who does what.
 *
 * What must hold: what the client gets are messages, one a line; a request is answered once, unless it was
 * cancelled, when all is over; the daemons together get no call of a tool oftener than the client made it,
 * but for those that a daemon which is stopping gave back. */
#include "ctl/bridge.h"
#include "shared/rpc.h"
#include "tests/fuzz/fuzz.h"

enum { MAX_STEPS = 300, MAX_IDS = 1024, WAIT_MS = 1000 };

/* How often something was seen of an id. */
struct tally {
	char *id;
	int asked;    /* by the client, and not answered yet */
	int calls;    /* of tools, that may still be written */
	bool may_lag; /* it was cancelled: no answer is due */
};

static struct world {
	struct bridge *bridge;
	struct tally tallies[MAX_IDS];
	size_t n_tallies;
	struct strbuf wire; /* what the daemon of now has read */
	char *last_id;      /* that it was asked */
	int64_t now_ms;
	bool is_connected;
} world;

static struct tally *tally_of(struct jspan id)
{
	struct tally *t = world.tallies;

	for (; t < world.tallies + world.n_tallies; t++)
		if (jspan_same((struct jspan){ t->id, strlen(t->id) }, id))
			return t;
	CHECK(world.n_tallies < MAX_IDS);
	world.n_tallies++;
	*t = (struct tally){ .id = alloc_mem(id.at, id.len) };
	return t;
}

/* --- what comes out ---------------------------------------------------------------------------------- */

static void say(void *arg, const char *line, size_t len)
{
	auto_free char *exact = fuzz_copy(line, len);
	const char *why;
	struct rpc rpc;

	CHECK(!memchr(exact, '\n', len));
	CHECK(rpc_parse(exact, len, &rpc, &why) == 0);
	if (rpc.kind == RPC_RESULT || rpc.kind == RPC_ERROR)
		if (rpc.id.at)
			CHECK(tally_of(rpc.id)->asked-- > 0);
}

static void take_wire_line(const char *line, size_t len)
{
	const char *why;
	struct rpc rpc;

	CHECK(rpc_parse(line, len, &rpc, &why) == 0);
	if (rpc.kind != RPC_REQUEST)
		return;
	if (jspan_is(rpc.method, "tools/call"))
		CHECK(tally_of(rpc.id)->calls-- > 0);
	free(world.last_id);
	world.last_id = alloc_mem(rpc.id.at, rpc.id.len);
}

static void read_wire(size_t n)
{
	const char *bytes;
	size_t len;
	char *end;

	while (world.is_connected && n > 0 && bridge_peek(world.bridge, &bytes, &len)) {
		size_t part = len < n ? len : n;

		CHECK(part > 0);
		strbuf_add(&world.wire, bytes, part);
		bridge_wrote(world.bridge, part);
		n -= part;
	}
	while (world.wire.len > 0 && (end = memchr(world.wire.data, '\n', world.wire.len))) {
		size_t used = (size_t)(end - world.wire.data);

		take_wire_line(world.wire.data, used);
		memmove(world.wire.data, end + 1, world.wire.len - used - 1);
		strbuf_cut(&world.wire, world.wire.len - used - 1);
	}
}

/* --- steps ------------------------------------------------------------------------------------------- */

static void note_said(struct jspan item)
{
	const char *why;
	struct rpc rpc;
	int r = rpc_parse(item.at, item.len, &rpc, &why);
	struct jspan id = jspan_member(rpc.params, "requestId", NULL);

	if (rpc.id.at && (r != 0 || rpc.kind == RPC_REQUEST)) {
		tally_of(rpc.id)->asked++;
		tally_of(rpc.id)->calls += r == 0 && jspan_is(rpc.method, "tools/call");
	} else if (r == 0 && jspan_is(rpc.method, "notifications/cancelled") && id.at) {
		tally_of(id)->may_lag = true;
	}
}

static void on_client(const char *text, size_t len)
{
	auto_free char *exact = fuzz_copy(text, len);
	struct jspan value;
	struct jspan item;
	size_t cursor = 0;

	if (jspan_check(exact, len, &value, NULL) == 0 && jspan_type(value) == JSPAN_ARRAY)
		while (jspan_next(value, &cursor, NULL, &item))
			note_said(item);
	else
		note_said((struct jspan){ exact, len });
	bridge_hear_client(world.bridge, exact, len, world.now_ms);
}

/* A line that goes on for longer than is read. */
static void on_too_long(const char *text, size_t len)
{
	auto_free char *exact = fuzz_copy(text, len);
	struct jspan id = rpc_find_request_id(exact, len);

	CHECK(!id.at || (id.at > exact && id.at + id.len < exact + len));
	if (id.at)
		tally_of(id)->asked++;
	bridge_hear_too_long(world.bridge, exact, len);
}

static void lose(const char *cause)
{
	bridge_lost(world.bridge, cause, world.now_ms);
	world.is_connected = false;
	strbuf_cut(&world.wire, 0);
}

static void hear(const char *text, size_t len)
{
	auto_free char *exact = fuzz_copy(text, len);
	int r = 0;

	if (world.is_connected)
		r = bridge_hear_daemon(world.bridge, exact, len);
	if (r < 0)
		lose(NULL);
}

/* The answer to what it was asked last, with these further members. */
static void on_answer(const char *text, size_t len)
{
	auto_strbuf line = { 0 };
	const char *why;
	struct rpc rpc;

	if (!world.last_id)
		return;
	strbuf_addf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%s,", world.last_id);
	strbuf_add(&line, text, len);
	strbuf_addc(&line, '}');
	if (world.is_connected && rpc_parse(line.data, line.len, &rpc, &why) == 0 &&
		rpc_has_code(&rpc, RPC_UNAVAILABLE))
		tally_of(rpc.id)->calls++; /* it may be given back */
	hear(line.data, line.len);
}

static void on_connect(const char *text, size_t len)
{
	if (world.is_connected)
		return;
	world.is_connected = true;
	free(world.last_id);
	world.last_id = NULL;
	bridge_connected(world.bridge, world.now_ms);
}

static void on_loss(const char *text, size_t len)
{
	if (world.is_connected)
		lose("lost");
	else
		bridge_unreachable(world.bridge, "nobody", len > 0);
}

static void on_read(const char *text, size_t len)
{
	read_wire(len > 0 ? (size_t)(unsigned char)*text : SIZE_MAX);
}

static void on_time(const char *text, size_t len)
{
	world.now_ms += len > 0 ? (unsigned char)*text * INT64_C(200) : 1;
	CHECK(bridge_next_ms(world.bridge) > 0);
	if (bridge_turn(world.bridge, world.now_ms) < 0)
		lose(NULL);
}

static const struct step {
	char letter;
	void (*run)(const char *text, size_t len);
} steps[] = {
	{ 'c', on_client },
	{ 'l', on_too_long },
	{ 'd', hear },
	{ 'a', on_answer },
	{ '+', on_connect },
	{ '-', on_loss },
	{ 'r', on_read },
	{ 't', on_time },
};

/* --- one run ----------------------------------------------------------------------------------------- */

static void run_step(const char *line, size_t len)
{
	for (size_t i = 0; i < N_ELEMENTS(steps); i++)
		if (steps[i].letter == *line)
			steps[i].run(line + 1, len - 1);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bridge_settings settings = {
		.place = "/s", .tag = "tag", .wait_ms = WAIT_MS, .say = say
	};

	if (size > MAX_IDS)
		return 0; /* so many ids there cannot be then */
	world = (struct world){ .now_ms = 1 };
	world.bridge = bridge_new(&settings);
	run_script((const char *)data, size);
	bridge_give_up(world.bridge, "over");
	CHECK(bridge_is_idle(world.bridge));
	for (size_t i = 0; i < world.n_tallies; i++) {
		CHECK(world.tallies[i].asked == 0 || world.tallies[i].may_lag);
		free(world.tallies[i].id);
	}
	bridge_free(world.bridge);
	strbuf_done(&world.wire);
	free(world.last_id);
	return 0;
}
