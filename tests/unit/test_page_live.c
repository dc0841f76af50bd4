/* The page over real connections (socket pairs): what each path answers, and the streams of events: changes, signs
 * of life, the bound on streams, clients that do not read or go. The status and the clock are fakes of this file. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "supervisor/conf.h"
#include "supervisor/ops/page.h"

enum {
	BIG_BYTES = 4 * MIB, /* no socket takes that at once */
	N_CLIENTS = PAGE_MAX_STREAMS + 1,
};

static const struct conf open_conf = { .auth.mode = CONF_AUTH_NONE,
	.admin_auth = CONF_ADMIN_AUTH_NONE };

static struct world {
	struct loop *loop;
	struct guard *guard;
	struct http_shared shared;
	struct page *page;
	struct http_route routes[PAGE_ROUTES];
	int clients[N_CLIENTS];
	struct strbuf got;
	/* of the status */
	json_int_t n_calls;
	const char *words;
	bool is_big;
	unsigned n_made;
} world;

static const struct conf_limits limits = {
	.request_bytes = 1000,
	.header_bytes = 500,
	.header_timeout_ms = 10000,
	.body_timeout_ms = 30000,
	.keepalive_timeout_ms = 600000,
	.connections = N_CLIENTS,
};

/* --- in the place of status.c and httpd.c --------------------------------------------------------- */

json_t *status_make(const struct status *status)
{
	auto_free char *big = alloc_zero(BIG_BYTES + 1);

	world.n_made++;
	memset(big, 'x', world.is_big ? BIG_BYTES : 0);
	return json_pack("{s:s, s:I, s:b, s:[s], s:[{s:s, s:{s:I}, s:{s:s, s:I}}], s:s}", "version",
		"1", "uptime_ms", (json_int_t)loop_now_ms(world.loop), "ready", 1, "reasons",
		world.words, "domains", "name", "git", "calls", "total", world.n_calls,
		"last_error", "text", "e", "age_ms", (json_int_t)loop_now_ms(world.loop), "sandbox",
		big);
}

const struct http_route *httpd_find_route(
	const struct httpd *httpd, const char *path, size_t *ret_prefix, bool *ret_is_domain)
{
	*ret_prefix = 0;
	*ret_is_domain = false;
	for (size_t i = 0; i < PAGE_ROUTES; i++)
		if (streq(world.routes[i].path, path))
			return &world.routes[i];
	return NULL;
}

/* --- clients -------------------------------------------------------------------------------------- */

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		loop_fake_turn(world.loop);
}

static int connect_one(void)
{
	int pair[2];

	assert_int_equal(fd_socketpair(pair), 0);
	assert_int_equal(fd_set_nonblock(pair[0], true), 0);
	assert_int_equal(fd_set_nonblock(pair[1], true), 0);
	http_conn_new(&world.shared, pair[1], &(struct client_addr){ 0 },
		&(struct http_door){ .is_loopback = true });
	return pair[0];
}

static void ask(unsigned who, const char *method, const char *path, const char *headers)
{
	auto_free char *text =
		alloc_printf("%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", method, path, headers);

	if (world.clients[who] < 0)
		world.clients[who] = connect_one();
	assert_int_equal(
		send(world.clients[who], text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turn();
}

/* What has come since the last time; ends with "<EOF>" when the connection has ended. */
static const char *hear(unsigned who)
{
	ssize_t n;

	strbuf_cut(&world.got, 0);
	do {
		char bytes[65536];

		turn();
		n = recv(world.clients[who], bytes, sizeof(bytes), 0);
		if (n > 0)
			strbuf_add(&world.got, bytes, (size_t)n);
	} while (n > 0);
	if (n == 0 || errno != EAGAIN)
		strbuf_adds(&world.got, "<EOF>");
	return strbuf_get(&world.got);
}

static void leave(unsigned who)
{
	world.clients[who] = fd_close(world.clients[who]);
	turn();
}

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		n++;
	return n;
}

static unsigned count_events(unsigned who)
{
	return count(hear(who), "event: fleet\n");
}

#define assert_part(text, part) assert_non_null(strstr(text, part))

static int set_up(void **unused)
{
	world = (struct world){ .loop = loop_new_fake(), .words = "w" };
	for (unsigned i = 0; i < N_CLIENTS; i++)
		world.clients[i] = -1;
	loop_fake_advance(world.loop, 1000);
	world.page = page_new(world.loop, NULL);
	page_get_routes(world.page, world.routes);
	world.guard = guard_new(&(struct guard_parts){ 0 }, &open_conf);
	http_shared_init(&world.shared, world.loop, NULL, world.guard);
	http_shared_set_limits(&world.shared, &limits);
	return 0;
}

static int tear_down(void **unused)
{
	http_shared_done(&world.shared);
	guard_free(world.guard);
	page_free(world.page);
	for (unsigned i = 0; i < N_CLIENTS; i++)
		(void)fd_close(world.clients[i]);
	loop_free(world.loop);
	strbuf_done(&world.got);
	return 0;
}

/* --- answers -------------------------------------------------------------------------------------- */

static void test_paths(void **unused)
{
	static const struct {
		const char *path;
		const char *accept;
		const char *type;
		const char *part;
	} cases[] = {
		{ "/status", "", "text/html; charset=utf-8", "<!doctype html>" },
		{ "/status?x=1", "Accept: text/html\r\n", "text/html; charset=utf-8", "</html>" },
		{ "/status", "Accept: application/json\r\n", "application/json",
			"\"version\": \"1\"" },
		{ "/status.json", "", "application/json", "\"version\": \"1\"" },
		{ "/status.css", "", "text/css; charset=utf-8", "color-scheme" },
		{ "/status.js", "", "text/javascript; charset=utf-8", "EventSource" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_free char *type = alloc_printf("Content-Type: %s\r\n", cases[i].type);

		ask(0, "GET", cases[i].path, cases[i].accept);
		assert_part(hear(0), "HTTP/1.1 200 OK\r\n");
		assert_part(world.got.data, type);
		assert_part(world.got.data, "Content-Security-Policy: default-src 'none'; ");
		assert_part(world.got.data, "X-Content-Type-Options: nosniff\r\n");
		assert_part(world.got.data, "Cache-Control: no-store\r\n");
		assert_null(strstr(world.got.data, "unsafe-"));
		assert_part(world.got.data, cases[i].part);
		assert_null(strstr(world.got.data, "<EOF>"));
		ask(0, "HEAD", cases[i].path, cases[i].accept);
		assert_part(hear(0), type);
		assert_string_equal(world.got.data + world.got.len - 4, "\r\n\r\n");
	}
	ask(0, "POST", "/status", "Content-Length: 0\r\n");
	assert_part(hear(0), "405 Method Not Allowed\r\n");
	assert_part(world.got.data, "Allow: GET, HEAD\r\n");
}

/* The files are whole: what is in the program is what is in the tree. */
static void test_files(void **unused)
{
	static const struct {
		const char *path;
		const char *file;
	} cases[] = { { "/status.css", "supervisor/ops/page/status.css" },
		{ "/status.js", "supervisor/ops/page/status.js" } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const char *srcdir = getenv("srcdir");
		auto_free char *path = alloc_printf("%s/%s", srcdir ? srcdir : ".", cases[i].file);
		auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
		auto_free char *text = alloc_zero(MIB);
		ssize_t len = read(fd, text, MIB);

		assert_true(len > 0);
		ask(0, "GET", cases[i].path, "");
		assert_string_equal(strstr(hear(0), "\r\n\r\n") + 4, text);
	}
}

/* --- events --------------------------------------------------------------------------------------- */

static void test_first_event(void **unused)
{
	world.words = "two\nlines";
	ask(0, "GET", "/status/events", "");
	assert_part(hear(0), "Content-Type: text/event-stream\r\n");
	assert_part(world.got.data, "Content-Security-Policy: ");
	assert_part(world.got.data, "event: fleet\ndata: <div id=\"state\"");
	assert_part(world.got.data, "two\ndata: lines");
	assert_part(world.got.data, "</div>\n\n");
	assert_int_equal(count(world.got.data, "event: "), 1);
}

static void test_head_of_events(void **unused)
{
	ask(0, "HEAD", "/status/events", "");
	assert_part(hear(0), "Content-Type: text/event-stream\r\n");
	assert_null(strstr(world.got.data, "event: fleet"));
	loop_fake_advance(world.loop, INT64_C(2) * PAGE_BEAT_MS);
	assert_string_equal(hear(0), "");
}

static void test_changes_and_beats(void **unused)
{
	ask(0, "GET", "/status/events", "");
	assert_int_equal(count_events(0), 1);
	loop_fake_advance(world.loop, PAGE_BEAT_MS - PAGE_TICK_MS);
	assert_int_equal(count_events(0), 0); /* ages alone are no change */
	loop_fake_advance(world.loop, PAGE_TICK_MS);
	assert_int_equal(count_events(0), 1); /* a sign of life */
	for (int i = 0; i < 10; i++) {
		world.n_calls++;
		loop_fake_advance(world.loop, PAGE_TICK_MS / 10);
	}
	assert_int_equal(count_events(0), 1); /* many changes, one event */
	loop_fake_advance(world.loop, PAGE_TICK_MS);
	assert_int_equal(count_events(0), 0);
}

/* Who comes later takes nothing from who was there. */
static void test_two_clients(void **unused)
{
	ask(0, "GET", "/status/events", "");
	assert_int_equal(count_events(0), 1);
	world.n_calls = 4711;
	ask(1, "GET", "/status/events", "");
	assert_part(hear(1), "4,711");
	loop_fake_advance(world.loop, PAGE_TICK_MS);
	assert_part(hear(0), "4,711");
	leave(0);
	world.n_calls++;
	loop_fake_advance(world.loop, PAGE_TICK_MS);
	assert_part(hear(1), "4,712");
}

/* While nobody watches nothing is done. */
static void test_nobody_watches(void **unused)
{
	unsigned n_made;

	ask(0, "GET", "/status/events", "");
	leave(0);
	n_made = world.n_made;
	loop_fake_advance(world.loop, INT64_C(10) * PAGE_BEAT_MS);
	assert_int_equal(world.n_made, n_made);
	ask(1, "GET", "/status/events", "");
	assert_int_equal(count_events(1), 1);
	loop_fake_advance(world.loop, PAGE_BEAT_MS);
	assert_int_equal(count_events(1), 1);
}

static void test_too_many(void **unused)
{
	for (unsigned i = 0; i < PAGE_MAX_STREAMS; i++) {
		ask(i, "GET", "/status/events", "");
		assert_int_equal(count_events(i), 1);
	}
	ask(PAGE_MAX_STREAMS, "GET", "/status/events", "");
	assert_part(hear(PAGE_MAX_STREAMS), "503 Service Unavailable\r\n");
	assert_part(world.got.data, "Retry-After: ");
	assert_part(world.got.data, "too many watch the status page");
	ask(PAGE_MAX_STREAMS, "GET", "/status", "");
	assert_part(hear(PAGE_MAX_STREAMS), "200 OK\r\n");
	leave(7);
	ask(PAGE_MAX_STREAMS, "GET", "/status/events", "");
	assert_int_equal(count_events(PAGE_MAX_STREAMS), 1);
}

/* One event at most is kept for it, however many come; then it is dropped. */
static void test_slow_reader(void **unused)
{
	world.is_big = true;
	ask(0, "GET", "/status/events", "");
	world.is_big = false;
	ask(1, "GET", "/status/events", "");
	assert_int_equal(count_events(1), 1);
	for (int i = 0; i < PAGE_STALL_MS / PAGE_TICK_MS - 1; i++) {
		world.n_calls++;
		loop_fake_advance(world.loop, PAGE_TICK_MS);
		assert_int_equal(count_events(1), 1);
	}
	assert_int_equal(count_events(0), 1);
	assert_null(strstr(world.got.data, "<EOF>"));
	world.n_calls++;
	loop_fake_advance(world.loop, PAGE_TICK_MS);
	assert_int_equal(count_events(0), 1); /* it has read: it is told again */
}

static void test_no_reader(void **unused)
{
	world.is_big = true;
	ask(0, "GET", "/status/events", "");
	world.is_big = false;
	ask(1, "GET", "/status/events", "");
	loop_fake_advance(world.loop, PAGE_STALL_MS + PAGE_TICK_MS);
	loop_fake_advance(world.loop, 5000); /* what was left it might still have read */
	assert_null(strstr(hear(0), "</div>\n\n"));
	assert_part(world.got.data, "<EOF>");
	world.n_calls++;
	loop_fake_advance(world.loop, PAGE_TICK_MS);
	assert_true(count_events(1) > 0);
}

/* Who would not be let in any more does not go on watching. */
static void test_admitted_no_more(void **unused)
{
	static const struct conf closed_conf = { .auth.mode = CONF_AUTH_NONE,
		.admin_auth = CONF_ADMIN_AUTH_REQUIRED };

	ask(0, "GET", "/status/events", "");
	assert_int_equal(count_events(0), 1);
	loop_fake_advance(world.loop, PAGE_TICK_MS);
	assert_string_equal(hear(0), "");
	guard_set_conf(world.guard, &closed_conf);
	world.n_calls++;
	loop_fake_advance(world.loop, PAGE_TICK_MS);
	assert_string_equal(hear(0), "<EOF>");
	loop_fake_advance(world.loop, PAGE_BEAT_MS);
}

/* With clients that still watch. */
static void test_end(void **unused)
{
	ask(0, "GET", "/status/events", "");
	ask(1, "GET", "/status/events", "");
	ask(2, "GET", "/status", "");
}

#define PAGE_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAGE_TEST(test_paths),
		PAGE_TEST(test_files),
		PAGE_TEST(test_first_event),
		PAGE_TEST(test_head_of_events),
		PAGE_TEST(test_changes_and_beats),
		PAGE_TEST(test_two_clients),
		PAGE_TEST(test_nobody_watches),
		PAGE_TEST(test_too_many),
		PAGE_TEST(test_slow_reader),
		PAGE_TEST(test_no_reader),
		PAGE_TEST(test_admitted_no_more),
		PAGE_TEST(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
