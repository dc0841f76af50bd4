/* load: a load generator for MCP servers over HTTP+SSE, of any make.
 *
 * Each client has a stream of its own and one connection for its POSTs, and asks again as soon as it
 * has its answer. Every call carries a text that no other call has, and the answer must bring it back:
 * so a lost, a doubled and a misdelivered answer are all seen. With --hold it only opens sessions
 * and keeps them; with --per-minute all clients together make so many calls a minute, each of them at even distances and
 * none at the same time as another: the load of people and agents, not of a race. Tolerant as to framing (chunked or not, CRLF or LF), strict as to content.
 *
 * Prints one JSON object. One thread, epoll, no library, so that its own cost stays small. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/strbuf.h"

enum {
	READ_BYTES = 64 * 1024,
	EVENTS = 256,
	PATH_BYTES = 512,
};

enum step {
	STEP_CONNECT,    /* the stream was asked for */
	STEP_INITIALIZE, /* initialize was sent */
	STEP_READY,
	STEP_CALLING,
	STEP_IDLE, /* --hold */
	STEP_FAILED,
};

/* A connection and how its body is framed. */
struct wire {
	int fd;
	bool head_done;
	bool chunked;
	int64_t chunk_left; /* -1: a size line is next */
	int64_t body_left;  /* POST answers: Content-Length; -1: until chunk 0 */
	struct strbuf in;
	struct strbuf out;
};

struct client {
	unsigned no;
	enum step step;
	struct wire stream;
	struct wire post;
	struct strbuf event; /* the event being read */
	char path[PATH_BYTES];
	uint64_t seq;
	int64_t began_ns; /* of connecting, then of the call in flight */
	int64_t due_ns;   /* --per-minute: when the next call is to be made */
	bool accepted;    /* the POST in flight has its 202 */
	bool answered;
};

static struct options {
	struct sockaddr_in addr;
	const char *host;
	const char *path;
	const char *tool;
	const char *arg; /* the argument that takes the text */
	unsigned clients;
	double seconds;
	double warm;
	double per_minute; /* calls of all clients together; 0: as fast as they can */
	bool hold;
	bool unique_ids; /* no two clients use the same: for servers that mix their clients up */
} options = { .path = "/sse",
	.tool = "string_reverse",
	.arg = "text",
	.clients = 1,
	.seconds = 5,
	.warm = 0.5 };

static struct result {
	uint64_t calls;
	uint64_t errors;
	uint64_t lost;
	uint64_t doubled;
	uint64_t misdelivered;
	uint64_t refused; /* POST not 202 */
	uint64_t failed_clients;
	uint64_t late; /* calls that were made a second or more after they were due */
	uint64_t *latencies_ns;
	size_t n_latencies, max_latencies;
	uint64_t *connects_ns;
	size_t n_connects;
	uint64_t *per_100ms; /* answers in each tenth of a second since the first call */
	size_t n_per_100ms;
} result;

static int epoll_fd;
static int64_t started_ns; /* when the first call was made */
static int64_t measure_from_ns;
static int64_t end_ns;
static bool ending;

static int64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- connections ------------------------------------------------------------------------------- */

/* epoll's data: the client's address; the lowest bit says which of its two connections. */
static uint64_t tag_of(const struct client *c, const struct wire *wire)
{
	return (uint64_t)(uintptr_t)c | (wire == &c->post);
}

static void fail_client(struct client *c, const char *why)
{
	if (c->step == STEP_FAILED)
		return;
	if (!ending)
		(void)fprintf(stderr, "load: client %u: %s\n", c->no, why);
	if (c->step == STEP_CALLING)
		result.lost += !ending;
	c->step = STEP_FAILED;
	result.failed_clients++;
	(void)close(c->stream.fd);
	if (c->post.fd >= 0)
		(void)close(c->post.fd);
}

static int open_wire(struct client *c, struct wire *wire)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP };
	int on = 1;

	wire->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (wire->fd < 0)
		die("socket");
	(void)setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* Our own cost is to stay small: no pacing on loopback. */
	(void)setsockopt(wire->fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
	if (connect(wire->fd, (struct sockaddr *)&options.addr, sizeof(options.addr)) < 0)
		return -errno;
	wire->chunk_left = -1;
	event.data.u64 = tag_of(c, wire);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wire->fd, &event) < 0)
		die("epoll_ctl");
	return 0;
}

/* Requests are small: a socket that does not take one at once is a server that does not read. */
static bool send_all(const struct wire *wire, const char *bytes, size_t len)
{
	return send(wire->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void begin_client(struct client *c, unsigned no)
{
	auto_strbuf request = { 0 };

	c->no = no;
	c->post.fd = -1;
	c->began_ns = now_ns();
	if (open_wire(c, &c->stream) < 0) {
		fail_client(c, "cannot connect");
		return;
	}
	strbuf_addf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n",
		options.path, options.host);
	if (!send_all(&c->stream, request.data, request.len))
		fail_client(c, "cannot send GET");
}

static void post(struct client *c, const char *body, size_t len)
{
	auto_strbuf request = { 0 };

	if (c->post.fd < 0 && open_wire(c, &c->post) < 0) {
		fail_client(c, "cannot connect for POST");
		return;
	}
	c->post.head_done = false;
	c->accepted = false;
	strbuf_addf(&request,
		"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		c->path, options.host, len);
	strbuf_add(&request, body, len);
	if (!send_all(&c->post, request.data, request.len))
		fail_client(c, "cannot send POST");
}

/* --- calls ------------------------------------------------------------------------------------- */

/* Clients are free in their ids, so all of them count alike, unless told otherwise. */
static uint64_t id_base(const struct client *c)
{
	return options.unique_ids ? (uint64_t)c->no * 1000000000 : 0;
}

static void start_clock(int64_t now)
{
	started_ns = now;
	measure_from_ns = started_ns + (int64_t)(options.warm * 1e9);
	end_ns = measure_from_ns + (int64_t)(options.seconds * 1e9);
}

static void call(struct client *c)
{
	auto_strbuf body = { 0 };
	unsigned long long id = id_base(c) + ++c->seq;

	c->step = STEP_CALLING;
	c->answered = false;
	strbuf_addf(&body,
		"{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"tools/call\",\"params\":{\"name\":\"%s\","
		"\"arguments\":{\"%s\":\"x%uy%lluz\"}}}",
		id, options.tool, options.arg, c->no, (unsigned long long)c->seq);
	c->began_ns = now_ns();
	if (started_ns == 0)
		start_clock(c->began_ns);
	post(c, body.data, body.len);
}

static void note_answer(const struct client *c, int64_t now)
{
	size_t slot = (size_t)((now - started_ns) / 100000000);

	if (slot < result.n_per_100ms)
		result.per_100ms[slot]++;
	if (c->began_ns < measure_from_ns || now > end_ns)
		return;
	result.calls++;
	if (result.n_latencies < result.max_latencies)
		result.latencies_ns[result.n_latencies++] = (uint64_t)(now - c->began_ns);
}

/* The next call, when both the 202 and the answer are here. */
static void go_on(struct client *c)
{
	if (c->step != STEP_CALLING || !c->answered || !c->accepted)
		return;
	if (now_ns() < end_ns && options.per_minute == 0)
		call(c);
	else
		c->step = STEP_READY;
}

static bool id_of(const char *json, uint64_t *ret)
{
	const char *at = strstr(json, "\"id\":");

	if (!at)
		return false;
	at += 5;
	while (*at == ' ')
		at++;
	*ret = strtoull(at, NULL, 10);
	return *at >= '0' && *at <= '9';
}

/* "x12y7z", or the same backwards, as string_reverse gives it. */
static bool has_own_text(const struct client *c, const char *json)
{
	char text[64];
	char back[64];
	int n = snprintf(text, sizeof(text), "x%uy%lluz", c->no, (unsigned long long)c->seq);

	for (int i = 0; i < n; i++)
		back[i] = text[n - 1 - i];
	back[n] = '\0';
	return strstr(json, text) || strstr(json, back);
}

static void on_answer(struct client *c, const char *json)
{
	uint64_t id;

	if (!id_of(json, &id))
		return; /* a notification */
	if (c->step == STEP_INITIALIZE) {
		static const char initialized[] =
			"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";

		c->step = options.hold ? STEP_IDLE : STEP_READY;
		post(c, initialized, sizeof(initialized) - 1);
		return;
	}
	if (c->step == STEP_CALLING && id == id_base(c) + c->seq && !c->answered) {
		c->answered = true;
		if (strstr(json, "\"isError\":true") ||
			(strstr(json, "\"error\"") && !strstr(json, "\"result\"")))
			result.errors++;
		else if (!has_own_text(c, json))
			result.misdelivered++;
		else
			note_answer(c, now_ns());
		go_on(c);
	} else if (id >= id_base(c) && id <= id_base(c) + c->seq) {
		result.doubled++;
	} else {
		result.misdelivered++;
	}
}

static void on_endpoint(struct client *c, const char *data)
{
	auto_strbuf body = { 0 };
	const char *path = strstr(data, "://");

	path = path ? strchr(path + 3, '/') : data;
	(void)snprintf(c->path, sizeof(c->path), "%s%s", *path == '/' ? "" : "/", path);
	result.connects_ns[result.n_connects++] = (uint64_t)(now_ns() - c->began_ns);
	c->step = STEP_INITIALIZE;
	strbuf_adds(&body, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
			   "\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},"
			   "\"clientInfo\":{\"name\":\"load\",\"version\":\"1\"}}}");
	post(c, body.data, body.len);
}

/* One event, its lines without CR. */
static void on_event(struct client *c, char *text)
{
	const char *kind = "message";
	const char *data = NULL;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "event: ", 7) == 0)
			kind = line + 7;
		else if (strncmp(line, "data: ", 6) == 0)
			data = line + 6;
	}
	if (!data)
		return;
	if (strcmp(kind, "endpoint") == 0)
		on_endpoint(c, data);
	else if (strcmp(kind, "message") == 0)
		on_answer(c, data);
}

/* --- reading ----------------------------------------------------------------------------------- */

/* Takes the head from wire->in. -1: not all there; else the status. */
static int take_head(struct wire *wire)
{
	char *end = wire->in.data ? strstr(wire->in.data, "\r\n\r\n") : NULL;
	const char *length;
	int status;

	if (!end)
		return -1;
	*end = '\0';
	status = (int)strtol(wire->in.data + 9, NULL, 10);
	wire->chunked = strcasestr(wire->in.data, "transfer-encoding: chunked") != NULL;
	length = strcasestr(wire->in.data, "content-length:");
	wire->body_left = length ? strtoll(length + 15, NULL, 10) : 0;
	wire->chunk_left = -1;
	wire->head_done = true;
	size_t used = (size_t)(end - wire->in.data) + 4;
	memmove(wire->in.data, wire->in.data + used, wire->in.len - used);
	strbuf_cut(&wire->in, wire->in.len - used);
	return status;
}

/* Appends the body bytes that are there to `out`; false: a size line is incomplete. */
static void unchunk(struct wire *wire, struct strbuf *out)
{
	char *at = wire->in.data;
	char *end = at + wire->in.len;

	while (at < end) {
		if (wire->chunk_left < 0) {
			char *eol = memchr(at, '\n', (size_t)(end - at));

			if (!eol)
				break;
			if (*at != '\r' && *at != '\n')
				wire->chunk_left = strtoll(at, NULL, 16);
			at = eol + 1;
			continue;
		}
		size_t n = (size_t)(end - at);

		if ((int64_t)n > wire->chunk_left)
			n = (size_t)wire->chunk_left;
		strbuf_add(out, at, n);
		at += n;
		wire->chunk_left -= (int64_t)n;
		if (wire->chunk_left == 0)
			wire->chunk_left = -1;
	}
	memmove(wire->in.data, at, (size_t)(end - at));
	strbuf_cut(&wire->in, (size_t)(end - at));
}

/* Cuts whole events out of c->event. */
static void take_events(struct client *c)
{
	struct strbuf *buf = &c->event;
	size_t used = 0;
	size_t n = 0;

	for (size_t i = 0; i < buf->len; i++) /* CRLF to LF */
		if (buf->data[i] != '\r')
			buf->data[n++] = buf->data[i];
	strbuf_cut(buf, n);
	while (c->step != STEP_FAILED) {
		char *end = used < buf->len ? strstr(buf->data + used, "\n\n") : NULL;

		if (!end)
			break;
		*end = '\0';
		on_event(c, buf->data + used);
		used = (size_t)(end - buf->data) + 2;
	}
	if (used > 0) {
		memmove(buf->data, buf->data + used, buf->len - used);
		strbuf_cut(buf, buf->len - used);
	}
}

static void on_stream_bytes(struct client *c)
{
	struct wire *wire = &c->stream;

	if (!wire->head_done) {
		int status = take_head(wire);

		if (status < 0)
			return;
		if (status != 200) {
			fail_client(c, "GET was refused");
			return;
		}
	}
	if (wire->in.len == 0)
		return;
	if (wire->chunked) {
		unchunk(wire, &c->event);
	} else {
		strbuf_add(&c->event, wire->in.data, wire->in.len);
		strbuf_cut(&wire->in, 0);
	}
	take_events(c);
}

/* Drops the body of an answer to a POST as it comes; true: all of it is here. */
static bool drop_body(struct wire *wire)
{
	size_t n = wire->in.len;

	if ((int64_t)n > wire->body_left)
		n = (size_t)wire->body_left;
	wire->body_left -= (int64_t)n;
	if (n > 0)
		memmove(wire->in.data, wire->in.data + n, wire->in.len - n);
	strbuf_cut(&wire->in, wire->in.len - n);
	return wire->body_left == 0;
}

static void on_post_bytes(struct client *c)
{
	struct wire *wire = &c->post;

	if (!wire->head_done) {
		int status = take_head(wire);

		if (status < 0)
			return;
		if (status != 202 && status != 200 && status != 204) {
			result.refused++;
			fail_client(c, "POST was refused");
			return;
		}
	}
	if (c->accepted || !drop_body(wire))
		return;
	c->accepted = true;
	if (c->step == STEP_READY && !options.hold && options.per_minute == 0)
		call(c);
	else
		go_on(c);
}

static void on_ready(struct client *c, struct wire *wire)
{
	ssize_t n;

	if (c->step == STEP_FAILED)
		return;
	n = recv(wire->fd, strbuf_reserve(&wire->in, READ_BYTES), READ_BYTES, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (wire == &c->post && c->accepted && (c->answered || c->step == STEP_READY)) {
			(void)close(wire->fd); /* no keep-alive: the next call opens another */
			wire->fd = -1;
			return;
		}
		fail_client(c, wire == &c->post ? "POST connection ended" : "stream ended");
		return;
	}
	wire->in.len += (size_t)n;
	wire->in.data[wire->in.len] = '\0';
	if (wire == &c->stream)
		on_stream_bytes(c);
	else
		on_post_bytes(c);
}

/* --- the run ----------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double quantile_us(uint64_t *values, size_t n, double q)
{
	if (n == 0)
		return 0;
	return (double)values[(size_t)ceil(q * (double)n) - (q > 0)] / 1000;
}

static void wait_events(int timeout_ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll_fd, events, EVENTS, timeout_ms);

	for (int i = 0; i < n; i++) {
		struct client *c = (struct client *)(uintptr_t)(events[i].data.u64 & ~UINT64_C(1));

		on_ready(c, events[i].data.u64 & 1 ? &c->post : &c->stream);
	}
}

static void print_result(void)
{
	qsort(result.latencies_ns, result.n_latencies, sizeof(uint64_t), compare);
	qsort(result.connects_ns, result.n_connects, sizeof(uint64_t), compare);
	(void)printf("{\"clients\":%u,\"seconds\":%g,\"calls\":%llu,\"calls_per_second\":%.1f,"
		     "\"p50_us\":%.1f,\"p95_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,"
		     "\"connect_p50_us\":%.1f,\"connect_p99_us\":%.1f,"
		     "\"errors\":%llu,\"lost\":%llu,\"doubled\":%llu,\"misdelivered\":%llu,"
		     "\"refused\":%llu,\"failed_clients\":%llu,\"late\":%llu,"
		     "\"answers_per_100ms\":[",
		options.clients, options.seconds, (unsigned long long)result.calls,
		(double)result.calls / options.seconds,
		quantile_us(result.latencies_ns, result.n_latencies, 0.5),
		quantile_us(result.latencies_ns, result.n_latencies, 0.95),
		quantile_us(result.latencies_ns, result.n_latencies, 0.99),
		quantile_us(result.latencies_ns, result.n_latencies, 1),
		quantile_us(result.connects_ns, result.n_connects, 0.5),
		quantile_us(result.connects_ns, result.n_connects, 0.99),
		(unsigned long long)result.errors, (unsigned long long)result.lost,
		(unsigned long long)result.doubled, (unsigned long long)result.misdelivered,
		(unsigned long long)result.refused, (unsigned long long)result.failed_clients,
		(unsigned long long)result.late);
	for (size_t i = 0; i < result.n_per_100ms; i++)
		(void)printf("%s%llu", i ? "," : "", (unsigned long long)result.per_100ms[i]);
	(void)printf("]}\n");
}

static unsigned count(const struct client *clients, enum step step)
{
	unsigned n = 0;

	for (unsigned i = 0; i < options.clients; i++)
		n += clients[i].step == step;
	return n;
}

/* Opens the sessions, a few at a time. */
static void open_all(struct client *clients)
{
	int64_t give_up_ns = now_ns() + 60000000000;

	for (unsigned i = 0; i < options.clients; i++) {
		begin_client(&clients[i], i);
		wait_events(0);
	}
	if (!options.hold)
		return;
	while (count(clients, STEP_IDLE) + count(clients, STEP_FAILED) < options.clients &&
		now_ns() < give_up_ns)
		wait_events(10);
}

/* Makes the calls that are due. A client whose answer is not here yet makes its next call when it is. */
static void call_due(struct client *clients, int64_t interval_ns)
{
	int64_t now = now_ns();

	for (unsigned i = 0; i < options.clients; i++) {
		struct client *c = &clients[i];

		if (c->step != STEP_READY || !c->accepted || c->due_ns > now)
			continue;
		result.late += now - c->due_ns >= 1000000000;
		c->due_ns += interval_ns;
		call(c);
	}
}

/* --per-minute: begins when all sessions are open. */
static void run_paced(struct client *clients)
{
	int64_t interval_ns = (int64_t)(60e9 * options.clients / options.per_minute);
	int64_t give_up_ns = now_ns() + 60000000000;

	while (count(clients, STEP_READY) + count(clients, STEP_FAILED) < options.clients &&
		now_ns() < give_up_ns)
		wait_events(10);
	start_clock(now_ns());
	for (unsigned i = 0; i < options.clients; i++)
		clients[i].due_ns = started_ns + interval_ns * i / options.clients;
	while (now_ns() < end_ns && count(clients, STEP_FAILED) < options.clients) {
		call_due(clients, interval_ns);
		wait_events(1);
	}
}

static void run_raced(struct client *clients)
{
	while (started_ns == 0 && count(clients, STEP_FAILED) < options.clients)
		wait_events(10);
	while (now_ns() < end_ns)
		wait_events(10);
}

static void run_calls(struct client *clients)
{
	if (options.per_minute > 0)
		run_paced(clients);
	else
		run_raced(clients);
	/* What is in flight gets time to be answered: what does not come is lost. */
	int64_t until = now_ns() + 10000000000;
	while (count(clients, STEP_CALLING) > 0 && now_ns() < until)
		wait_events(10);
	result.lost += count(clients, STEP_CALLING);
	for (int i = 0; i < 20; i++)
		wait_events(10); /* a second answer would come now */
	ending = true;
}

/* --hold: says that all sessions are open, and keeps them until standard input ends. */
static void hold(void)
{
	char byte;

	(void)printf("held\n");
	(void)fflush(stdout);
	(void)!read(STDIN_FILENO, &byte, 1);
	ending = true;
}

static bool parse_address(const char *text)
{
	const char *colon = strrchr(text, ':');
	auto_free char *host = colon ? alloc_mem(text, (size_t)(colon - text)) : NULL;

	if (!colon || inet_pton(AF_INET, host, &options.addr.sin_addr) != 1)
		return false;
	options.addr.sin_family = AF_INET;
	options.addr.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
	options.host = text;
	return true;
}

static const char usage[] =
	"Usage: load --address HOST:PORT [--path /sse] [--clients N] [--seconds S] [--warm S]\n"
	"            [--tool NAME] [--arg NAME] [--per-minute CALLS] [--unique-ids] [--hold]\n";

static bool parse_options(int argc, char **argv)
{
	static const struct option list[] = { { "address", 1, NULL, 'a' }, { "path", 1, NULL, 'p' },
		{ "clients", 1, NULL, 'c' }, { "seconds", 1, NULL, 's' }, { "warm", 1, NULL, 'w' },
		{ "tool", 1, NULL, 't' }, { "arg", 1, NULL, 'g' }, { "hold", 0, NULL, 'H' },
		{ "unique-ids", 0, NULL, 'u' }, { "per-minute", 1, NULL, 'm' }, { 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", list, NULL)) != -1) {
		switch (option) {
		case 'a':
			if (!parse_address(optarg))
				return false;
			break;
		case 'p':
			options.path = optarg;
			break;
		case 'c':
			options.clients = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			options.seconds = strtod(optarg, NULL);
			break;
		case 'w':
			options.warm = strtod(optarg, NULL);
			break;
		case 'm':
			options.per_minute = strtod(optarg, NULL);
			break;
		case 't':
			options.tool = optarg;
			break;
		case 'g':
			options.arg = optarg;
			break;
		case 'H':
			options.hold = true;
			break;
		case 'u':
			options.unique_ids = true;
			break;
		default:
			return false;
		}
	}
	return options.host && options.clients > 0;
}

int main(int argc, char **argv)
{
	struct client *clients;
	struct rlimit limit;

	if (!parse_options(argc, argv)) {
		(void)fputs(usage, stderr);
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	clients = alloc_zero(options.clients * sizeof(*clients));
	result.max_latencies = 4000000;
	result.latencies_ns = alloc_resize(NULL, result.max_latencies, sizeof(uint64_t));
	result.connects_ns = alloc_zero(options.clients * sizeof(uint64_t));
	result.n_per_100ms = (size_t)((options.warm + options.seconds) * 10);
	result.per_100ms = alloc_zero((result.n_per_100ms + 1) * sizeof(uint64_t));
	open_all(clients);
	if (options.hold)
		hold();
	else
		run_calls(clients);
	print_result();
	return 0;
}
