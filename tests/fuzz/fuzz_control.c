/* Lines of a client of the control socket: whatever it says, in any order and with any timing.
 *
 * The first byte says who it is: an admin, or one who may only look. Then each line is for the socket, but for one
 * that begins with '!': a step of the world (see steps[]). What must hold: each line that comes out is a message of
 * JSON-RPC; each request has one answer, however late; nothing is ordered by who may only look; orders end in peace
 * when the client or the control itself has gone. */
#include <errno.h>
#include <sys/socket.h>

#include "shared/fd.h"
#include "shared/log.h"
#include "supervisor/ops/control_private.h"
#include "tests/fuzz/fuzz.h"

enum { MAX_INPUT = 64 * KIB, MAX_PENDING = 256, OWN_PID = 1 };

struct domain {
	const char *name;
	enum domain_state state;
};

struct pending {
	domain_done_fn *restarted;
	registration_fn *answered;
	void *arg;
};

static struct world {
	struct loop *loop;
	struct control *control;
	struct domain domain;
	struct pending pending[MAX_PENDING];
	unsigned n_pending;
	unsigned n_orders; /* that change something */
	unsigned n_wanted; /* answers */
	unsigned n_answers;
	bool is_odd; /* the fleet refuses */
	int peer;
	struct strbuf heard;
} world;

/* --- in the place of the layers ------------------------------------------------------------------ */

struct fleet *mcp_get_fleet(const struct mcp *mcp)
{
	return NULL;
}

struct catalog *mcp_get_catalog(const struct mcp *mcp)
{
	return NULL;
}

struct sessions *mcp_get_sessions(const struct mcp *mcp)
{
	return NULL;
}

unsigned sessions_count(const struct sessions *sessions)
{
	return 1;
}

void sessions_get_totals(const struct sessions *sessions, struct sessions_totals *ret)
{
	*ret = (struct sessions_totals){ 0 };
}

static struct session *a_session(void)
{
	return (struct session *)(void *)&world;
}

void sessions_each(
	struct sessions *sessions, void (*fn)(void *arg, struct session *session), void *arg)
{
	fn(arg, a_session());
}

struct session *session_find(struct sessions *sessions, const char *id, size_t len)
{
	return len == 1 && *id == 's' ? a_session() : NULL;
}

struct session *session_find_number(struct sessions *sessions, uint64_t number)
{
	return NULL;
}

void session_get_id(const struct session *session, char ret[SESSION_ID_TEXT])
{
	(void)snprintf(ret, SESSION_ID_TEXT, "s");
}

void session_get_shown_id(const struct session *session, char ret[SESSION_SHOWN_TEXT])
{
	(void)snprintf(ret, SESSION_SHOWN_TEXT, "s");
}

void session_get_report(const struct session *session, struct session_report *ret)
{
	*ret = (struct session_report){ .id = "s", .transport = "sse", .revision = "" };
}

bool session_is_once(const struct session *session)
{
	return false;
}

const char *session_get_transport(const struct session *session)
{
	return "sse";
}

void session_close_later(struct session *session, const char *reason)
{
	world.n_orders++;
}

struct endpoint *catalog_endpoint(struct catalog *catalog, const char *domain)
{
	return (struct endpoint *)(void *)&world;
}

size_t endpoint_count_tools(const struct endpoint *endpoint)
{
	return 2;
}

void endpoint_each_page(const struct endpoint *endpoint, enum catalog_list list,
	void (*each)(void *arg, const char *page), void *arg)
{
	each(arg, "{\"tools\":[{\"name\":\"a\"},{}]}");
	each(arg, "{\"tools\":[]}");
}

void catalog_each_clash(const struct catalog *catalog, catalog_clash_fn *each, void *arg)
{
}

const struct confine_support *fleet_get_support(const struct fleet *fleet)
{
	static const struct confine_support support = { .cgroup_missing = "none" };

	return &support;
}

void fleet_each(const struct fleet *fleet, void (*fn)(void *arg, struct domain *domain), void *arg)
{
	fn(arg, &world.domain);
}

uint32_t fleet_find(const struct fleet *fleet, const char *name)
{
	return streq(name, world.domain.name) ? 1 : 0;
}

struct domain *fleet_get(const struct fleet *fleet, uint32_t id)
{
	return id ? &world.domain : NULL;
}

const char *domain_get_name(const struct domain *d)
{
	return d->name;
}

const char *domain_state_name(enum domain_state state)
{
	return "up";
}

void domain_get_stats(const struct domain *d, struct domain_stats *ret)
{
	static const struct histogram none;

	*ret = (struct domain_stats){
		.state = d->state, .last_death = "", .last_error = "\xff", .latency = &none
	};
}

void domain_each_process(const struct domain *d,
	void (*fn)(void *arg, const struct domain_process *process), void *arg)
{
	static const struct histogram none;
	const struct domain_process process = { .name = "one/1",
		.pid = 7,
		.state = "ready",
		.last_end = "\xff",
		.session = 5,
		.latency = &none };

	fn(arg, &process);
}

static struct pending *take_order(void *arg)
{
	struct pending *pending = &world.pending[world.n_pending++];

	*pending = (struct pending){ .arg = arg };
	return pending;
}

static int refuse(const char *name, struct fail *fail)
{
	if (!streq(name, world.domain.name))
		return fail_set(fail, -ENOENT, "there is no such domain");
	if (world.is_odd || world.n_pending == MAX_PENDING)
		return fail_set(fail, -EALREADY, "not now");
	world.n_orders++;
	return 0;
}

int fleet_restart(struct fleet *fleet, const char *name, int64_t drain_ms, fleet_done_fn *fn,
	void *arg, struct fail *fail)
{
	int r = refuse(name, fail);

	if (r == 0)
		take_order(arg)->restarted = fn;
	return r;
}

int fleet_disable(struct fleet *fleet, const char *name, int64_t drain_ms, bool *ret_is_kept,
	struct fail *fail)
{
	return refuse(name, fail);
}

int fleet_enable(struct fleet *fleet, const char *name, bool *ret_is_kept, struct fail *fail)
{
	*ret_is_kept = true;
	return refuse(name, fail);
}

int fleet_drill(struct fleet *fleet, const char *name, enum drill_kind kind,
	struct domain_drill *ret, struct fail *fail)
{
	*ret = (struct domain_drill){ .process = "one/1" };
	return refuse(name, fail);
}

void registration_ask(struct registration *registration, const char *method, json_t *params,
	registration_fn *fn, void *arg)
{
	const struct fail fail = { .text = "too many" };

	CHECK(json_is_object(params));
	json_decref(params);
	world.n_orders += !streq(method, "registrar/check");
	if (world.is_odd || world.n_pending == MAX_PENDING)
		fn(arg, NULL, &fail);
	else
		take_order(arg)->answered = fn;
}

json_t *registration_make_report(const struct registration *registration)
{
	return json_pack("{s:n}", "server");
}

pid_t registration_kill(struct registration *registration, uint64_t *ret_restarts)
{
	world.n_orders++;
	*ret_restarts = 1;
	return world.is_odd ? 0 : 7;
}

bool http_conn_tells_all(const struct http_conn *conn)
{
	return true;
}

void http_conn_answer(struct http_conn *conn, const struct http_reply *reply)
{
}

/* --- steps --------------------------------------------------------------------------------------- */

static void end_orders(void)
{
	unsigned n = world.n_pending;
	struct pending pending[MAX_PENDING];
	json_auto_t *result = json_pack("{s:b}", "ok", 1);
	const struct fail fail = { .text = "no" };

	memcpy(pending, world.pending, sizeof(pending));
	world.n_pending = 0;
	for (unsigned i = 0; i < n; i++)
		if (pending[i].restarted)
			pending[i].restarted(pending[i].arg, i % 2, "done");
		else
			pending[i].answered(pending[i].arg, i % 2 ? NULL : result, &fail);
}

static void let_time_pass(void)
{
	loop_fake_advance(world.loop, 137);
}

static void tell_change(void)
{
	control_note_change(world.control);
}

static void tell_report(void)
{
	control_note_report(world.control);
}

static void write_log(void)
{
	const struct log_about about = { .domain = "one" };

	log_warn_about(&about, "a line \xff");
}

static void be_odd(void)
{
	world.is_odd = !world.is_odd;
}

static void stop(void)
{
	control_set_stopping(world.control);
}

static const struct {
	char letter;
	void (*run)(void);
} steps[] = { { 'e', end_orders }, { 't', let_time_pass }, { 'c', tell_change },
	{ 'r', tell_report }, { 'l', write_log }, { 'o', be_odd }, { 's', stop } };

static void take_step(char letter)
{
	for (size_t i = 0; i < N_ELEMENTS(steps); i++)
		if (steps[i].letter == letter)
			steps[i].run();
}

/* --- the client ---------------------------------------------------------------------------------- */

static void hear_line(const char *line, size_t len)
{
	const char *why;
	struct rpc rpc;

	CHECK(rpc_parse(line, len, &rpc, &why) == 0);
	CHECK(rpc.kind != RPC_REQUEST);
	world.n_answers += rpc.kind != RPC_NOTIFICATION;
}

static void hear(void)
{
	char bytes[16 * KIB];
	size_t used = 0;
	ssize_t n;
	char *end;

	do {
		loop_fake_turn(world.loop);
		n = recv(world.peer, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n > 0)
			strbuf_add(&world.heard, bytes, (size_t)n);
	} while (n > 0);
	while (used < world.heard.len &&
		(end = memchr(world.heard.data + used, '\n', world.heard.len - used))) {
		hear_line(world.heard.data + used, (size_t)(end - world.heard.data) - used);
		used = (size_t)(end - world.heard.data) + 1;
	}
	CHECK(used == world.heard.len);
	strbuf_cut(&world.heard, 0);
}

static void say_line(const char *line, size_t len)
{
	static char newline[] = "\n";
	auto_free char *copy = fuzz_copy(line, len);
	const char *why;
	struct rpc rpc;

	if (len > 0)
		world.n_wanted += rpc_parse(copy, len, &rpc, &why) != 0 || rpc.kind == RPC_REQUEST;
	CHECK(send(world.peer, copy, len, MSG_NOSIGNAL) == (ssize_t)len);
	CHECK(send(world.peer, newline, 1, MSG_NOSIGNAL) == 1);
}

static void run_script(const char *text, size_t len)
{
	size_t at = 0;
	unsigned n_said = 0;

	while (at < len) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end ? (size_t)(end - text) - at : len - at;

		if (n > 0 && text[at + n - 1] == '\r')
			n--;
		if (n > 1 && text[at] == '!') {
			hear();
			take_step(text[at + 1]);
		} else if (!memchr(text + at, '\r', n)) {
			say_line(text + at, n);
		}
		if (++n_said % 16 == 0 || n > KIB) /* some at once, so that they have to wait */
			hear();
		at += end ? (size_t)(end - text) - at + 1 : n;
	}
	for (int i = 0; i < 5; i++) { /* those that wait */
		hear();
		loop_fake_advance(world.loop, 0);
	}
}

/* --- the world ----------------------------------------------------------------------------------- */

static int reload(void *arg, json_t **ret, struct fail *fail)
{
	world.n_orders++;
	if (world.is_odd)
		return fail_set(fail, -EINVAL, "the settings are wrong");
	*ret = json_object();
	return 0;
}

static const struct control_hooks hooks = { .reload = reload };

static const char *no_path(void *arg)
{
	return NULL;
}

static void add_addresses(void *arg, struct strbuf *out)
{
	strbuf_adds(out, "127.0.0.1:1, [::1]:1");
}

static void no_journal(const struct iovec *fields, int n)
{
}

static char name_one[] = "one";
static struct conf_domain conf_domains[] = { { .name = name_one } };
static const struct conf conf = { .domains = conf_domains, .n_domains = 1 };

static void join(bool is_admin)
{
	struct peer peer = {
		.pid = OWN_PID, .uid = is_admin ? geteuid() : (uid_t)-2, .gid = (gid_t)-2
	};
	int pair[2];

	CHECK(fd_socketpair(pair) == 0);
	world.peer = pair[1];
	control_conn_open(world.control, pair[0], &peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loop *loop = loop_new_fake();
	struct health *health = health_new(loop, NULL, &conf);
	struct log_ring *log = log_ring_new(loop);
	const struct status_parts status_parts = { .loop = loop,
		.health = health,
		.conf = &conf,
		.add_addresses = add_addresses,
		.get_local_socket = no_path,
		.get_control_socket = no_path };
	struct status *status = status_new(&status_parts);
	const struct control_parts parts = {
		.loop = loop, .status = status, .log = log, .conf = &conf
	};
	bool is_admin = size > 0 && data[0] % 2;

	log_set_journal(no_journal);
	log_init("fuzz", LOG_TARGET_JOURNAL, LOG_LEVEL_DEBUG);
	world = (struct world){ .loop = loop, .domain = { name_one, DOMAIN_UP } };
	world.control = control_new(&parts, &hooks, NULL);
	join(is_admin);
	if (size > 1 && size <= MAX_INPUT)
		run_script((const char *)data + 1, size - 1);
	CHECK(is_admin || world.n_orders == 0);
	if (size % 2) { /* else they end when all has gone */
		end_orders();
		hear();
		CHECK(world.n_answers == world.n_wanted);
	}
	(void)fd_close(world.peer);
	control_free(world.control);
	end_orders();
	status_free(status);
	health_free(health);
	log_ring_free(log);
	loop_free(loop);
	strbuf_done(&world.heard);
	return 0;
}
