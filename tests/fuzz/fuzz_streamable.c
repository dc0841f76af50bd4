/* Streamable HTTP from the socket to the session: whatever clients send and however they leave, each
 * connection hears HTTP, nothing is used after it has gone, and nothing is left over. What messages mean
 * is a fake: it answers at once, later, or not at all.
 *
 * The input is what a client sends; "$ID" stands for the id of an open session. A byte 1 is followed by
 * what happens next: see run_step(). */
#include <sys/socket.h>
#include <unistd.h>

#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/front/httpd.h"
#include "supervisor/front/streamable.h"
#include "tests/fuzz/fuzz.h"

enum { N_CLIENTS = 4, HEARTBEAT_MS = 1000, MAX_PENDING = 16, MAX_STEPS = 200 };

struct client {
	int fd;
	bool has_heard;
};

static struct world {
	struct loop *loop;
	struct sessions *sessions;
	struct guard *guard;
	struct http_shared shared;
	struct streamable *door;
	struct http_route routes[STREAMABLE_ROUTES];
	struct client clients[N_CLIENTS];
	unsigned now; /* the client whose turn it is */
	char id[SESSION_ID_TEXT];
	/* Requests that were accepted and not answered. */
	struct {
		struct session *session;
		uint64_t via;
	} pending[MAX_PENDING];
	unsigned n_pending;
	bool at_once;
} world;

static const struct conf conf = {
	.auth.mode = CONF_AUTH_NONE,
	.sse_heartbeat_ms = HEARTBEAT_MS,
	.limits = { .sessions = 3,
		.session_idle_ms = 20 * HEARTBEAT_MS,
		.sweep_ms = HEARTBEAT_MS,
		.request_bytes = 2000,
		.session_queue_bytes = 400,
		.session_queue_messages = 6,
		.session_replay_bytes = 300,
		.session_replay_events = 5,
		.connections = 2 * N_CLIENTS,
		.header_bytes = 2000,
		.header_timeout_ms = 5 * HEARTBEAT_MS,
		.body_timeout_ms = 5 * HEARTBEAT_MS,
		.keepalive_timeout_ms = 10 * HEARTBEAT_MS },
};

/* --- in the place of mcp.c and httpd.c ------------------------------------------------------------- */

static char whole, git; /* two endpoints */

struct endpoint *mcp_find_endpoint(const struct mcp *mcp, const char *domain)
{
	return (struct endpoint *)(void *)(domain ? &git : &whole);
}

const char *endpoint_get_domain(const struct endpoint *endpoint)
{
	return (const void *)endpoint == &git ? "git" : NULL;
}

bool mcp_can_serve(const struct mcp *mcp, const struct endpoint *endpoint)
{
	return true;
}

struct sessions *mcp_get_sessions(const struct mcp *mcp)
{
	return world.sessions;
}

struct session *mcp_open(struct mcp *mcp, const struct sink_ops *ops, void *sink,
	struct endpoint *endpoint, const struct caller *caller)
{
	struct session *session = session_open(world.sessions, ops, sink, endpoint);

	if (session)
		session_set_caller(session, caller);
	return session;
}

enum mcp_verdict mcp_receive(struct mcp *mcp, struct session *session,
	const struct mcp_input *input, struct strbuf *reply)
{
	if (input->len % 16 == 7) {
		strbuf_adds(reply, "{}");
		return input->len % 32 == 7 ? MCP_INVALID : MCP_BUSY;
	}
	session_touch(session);
	if (input->via == 0)
		return MCP_ACCEPTED;
	if (world.at_once || world.n_pending == MAX_PENDING) {
		session_answer(session, input->via, "{}", 2, 0);
		return MCP_ACCEPTED;
	}
	world.pending[world.n_pending].session = session;
	world.pending[world.n_pending++].via = input->via;
	return MCP_ACCEPTED;
}

const struct http_route *httpd_find_route(
	const struct httpd *httpd, const char *path, size_t *ret_prefix, bool *ret_is_domain)
{
	*ret_is_domain = strncmp(path, "/git/", 5) == 0;
	*ret_prefix = *ret_is_domain ? 4 : 0;
	return streq(path + *ret_prefix, world.routes[0].path) ? &world.routes[0] : NULL;
}

/* --------------------------------------------------------------------------------------------------- */

static void forget(unsigned i)
{
	world.pending[i] = world.pending[--world.n_pending];
}

static void on_session_closed(void *arg, struct session *session)
{
	for (unsigned i = world.n_pending; i-- > 0;)
		if (world.pending[i].session == session)
			forget(i);
}

static void connect_client(struct client *client)
{
	int pair[2];

	CHECK(fd_socketpair(pair) == 0);
	CHECK(fd_set_nonblock(pair[0], true) == 0 && fd_set_nonblock(pair[1], true) == 0);
	*client = (struct client){ .fd = pair[0] };
	http_conn_new(&world.shared, pair[1], &(struct client_addr){ 0 },
		&(struct http_door){ .is_loopback = true });
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		loop_fake_turn(world.loop);
}

static void say(const char *text, size_t len)
{
	struct client *client = &world.clients[world.now];

	if (client->fd < 0)
		connect_client(client);
	(void)!send(client->fd, text, len, MSG_NOSIGNAL);
	turn();
}

/* The first thing that a client hears is an answer. */
static void hear(struct client *client)
{
	static const char start[] = "HTTP/1.1 ";
	char bytes[65536];
	ssize_t n;

	while (client->fd >= 0 && (n = recv(client->fd, bytes, sizeof(bytes), 0)) > 0) {
		CHECK(client->has_heard || ((size_t)n > sizeof(start) &&
						   memcmp(bytes, start, sizeof(start) - 1) == 0));
		client->has_heard = true;
		turn();
	}
}

static void leave(struct client *client)
{
	if (client->fd >= 0)
		(void)close(client->fd);
	client->fd = -1;
	turn();
}

/* A message about the oldest request that waits. */
static void send_for_oldest(bool is_answer, const char *text)
{
	struct session *session = world.pending[0].session;
	uint64_t via = world.pending[0].via;

	if (world.n_pending == 0)
		return;
	if (is_answer)
		forget(0);
	if (is_answer)
		session_answer(session, via, text, strlen(text), 0);
	else
		session_tell(session, via, text, strlen(text));
}

static void tell_all(void *arg, struct session *session)
{
	session_tell(session, 0, "{\"all\":1}", 9);
}

static void run_step(char step)
{
	static char big[20000];

	switch (step) {
	case 'a':
		send_for_oldest(true, "{\"result\":1}");
		break;
	case 't':
		send_for_oldest(false, "{\"method\":1}");
		break;
	case 'b': /* more than a session may keep; 'w' is more than a socket takes too */
		memset(big, 'x', 300);
		send_for_oldest(false, big);
		break;
	case 's':
		sessions_each(world.sessions, tell_all, NULL);
		break;
	case 'l':
		leave(&world.clients[world.now]);
		break;
	case 'f':
		if (world.clients[world.now].fd >= 0)
			(void)shutdown(world.clients[world.now].fd, SHUT_WR);
		break;
	case 'r':
		hear(&world.clients[world.now]);
		break;
	case 'p':
		loop_fake_advance(world.loop, HEARTBEAT_MS);
		break;
	case 'e':
		sessions_close_all(world.sessions, "fuzz");
		break;
	case 'o':
		world.at_once = !world.at_once;
		break;
	default:
		world.now = (unsigned char)step % N_CLIENTS;
		break;
	}
	turn();
}

static void open_one(void)
{
	static const char request[] =
		"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		"Content-Length: 58\r\n\r\n"
		"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{}}";
	char answer[2000] = "";
	const char *at;

	world.at_once = true;
	say(request, sizeof(request) - 1);
	CHECK(recv(world.clients[0].fd, answer, sizeof(answer) - 1, 0) > 0);
	at = strstr(answer, "Mcp-Session-Id: ");
	CHECK(at && sscanf(at, "Mcp-Session-Id: %36s", world.id) == 1);
	world.clients[0].has_heard = true;
	world.at_once = false;
}

static void set_up(void)
{
	log_init("fuzz", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	world = (struct world){ .loop = loop_new_fake() };
	loop_fake_advance(world.loop, 1000);
	for (int i = 0; i < N_CLIENTS; i++)
		world.clients[i].fd = -1;
	world.sessions = sessions_new(world.loop, &conf.limits, on_session_closed, NULL);
	world.door = streamable_new(world.loop, NULL, &conf);
	streamable_get_routes(world.door, world.routes);
	world.guard = guard_new(&(struct guard_parts){ 0 }, &conf);
	http_shared_init(&world.shared, world.loop, NULL, world.guard);
	http_shared_set_limits(&world.shared, &conf.limits);
	open_one();
}

static void tear_down(void)
{
	for (int i = 0; i < N_CLIENTS; i++)
		hear(&world.clients[i]);
	for (int i = 0; i < N_CLIENTS; i++)
		leave(&world.clients[i]);
	sessions_close_all(world.sessions, "fuzz");
	turn();
	loop_fake_advance(world.loop, 20 * HEARTBEAT_MS);
	CHECK(world.shared.n_conns == 0 && world.n_pending == 0);
	http_shared_done(&world.shared);
	guard_free(world.guard);
	sessions_free(world.sessions);
	loop_settle(world.loop);
	streamable_free(world.door);
	loop_free(world.loop);
}

/* The bytes up to the next step, with the session's id put in. */
static size_t cut_text(const uint8_t *data, size_t size, struct strbuf *text)
{
	size_t i = 0;

	while (i < size && data[i] != 1) {
		if (size - i >= 3 && memcmp(data + i, "$ID", 3) == 0) {
			strbuf_adds(text, world.id);
			i += 3;
		} else {
			strbuf_addc(text, (char)data[i++]);
		}
	}
	return i;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t i = 0;

	set_up();
	for (int steps = 0; i < size && steps < MAX_STEPS; steps++) {
		auto_strbuf text = { 0 };

		i += cut_text(data + i, size - i, &text);
		if (text.len > 0)
			say(text.data, text.len);
		if (i + 1 < size)
			run_step((char)data[i + 1]);
		i += 2;
	}
	tear_down();
	return 0;
}
