/* See control_world.h. */
#include "tests/unit/control_world.h"

#include <errno.h>
#include <sys/socket.h>

#include "shared/fd.h"

struct control_world here;

/* --- in the place of the fleet and the registrar ------------------------------------------------- */

void domain_get_stats(const struct domain *d, struct domain_stats *ret)
{
	static const struct histogram none;

	here.n_stats++;
	*ret = streq(d->name, "one") ? here.stats : (struct domain_stats){ .last_error = "" };
	ret->state = d->state;
	ret->latency = &none;
	ret->last_death = ret->last_death ? ret->last_death : "";
}

void domain_each_process(const struct domain *d,
	void (*fn)(void *arg, const struct domain_process *process), void *arg)
{
	if (here.process.name && streq(d->name, "one"))
		fn(arg, &here.process);
}

const struct confine_support *fleet_get_support(const struct fleet *fleet)
{
	static const struct confine_support support = { .cgroup_missing = "none in this test" };

	return &support;
}

static struct pending *take_order(const char *method)
{
	struct pending *pending = &here.pending[here.n_pending++];

	assert_true(here.n_pending <= MAX_PENDING);
	*pending = (struct pending){ 0 };
	(void)snprintf(pending->method, sizeof(pending->method), "%s", method);
	return pending;
}

int fleet_restart(struct fleet *fleet, const char *name, int64_t drain_ms, fleet_done_fn *fn,
	void *arg, struct fail *fail)
{
	struct pending *pending;

	if (here.result < 0)
		return fail_set(fail, here.result, "not now");
	pending = take_order("restart");
	pending->restarted = fn;
	pending->arg = arg;
	return 0;
}

int fleet_disable(struct fleet *fleet, const char *name, int64_t drain_ms, bool *ret_is_kept,
	struct fail *fail)
{
	struct domain *domain = fleet_get(fleet, fleet_find(fleet, name));

	if (!domain)
		return fail_set(fail, -ENOENT, "there is no such domain");
	*ret_is_kept = true;
	change(domain, DOMAIN_DISABLED);
	control_note_change(here.control);
	return 0;
}

int fleet_enable(struct fleet *fleet, const char *name, bool *ret_is_kept, struct fail *fail)
{
	(void)fail_set(fail, 0, "it cannot be kept");
	return here.result;
}

int fleet_drill(struct fleet *fleet, const char *name, enum drill_kind kind,
	struct domain_drill *ret, struct fail *fail)
{
	*ret = (struct domain_drill){ .process = "one/1", .pid = 7 };
	return here.result < 0 ? fail_set(fail, here.result, "not now") : 0;
}

void registration_ask(struct registration *registration, const char *method, json_t *params,
	registration_fn *fn, void *arg)
{
	struct pending *pending = take_order(method);

	pending->answered = fn;
	pending->arg = arg;
	pending->params = json_dumps(params, JSON_COMPACT);
	json_decref(params);
}

json_t *registration_make_report(const struct registration *registration)
{
	return here.report ? json_deep_copy(here.report) : NULL;
}

pid_t registration_kill(struct registration *registration, uint64_t *ret_restarts)
{
	*ret_restarts = 0;
	return 0;
}

bool http_conn_tells_all(const struct http_conn *conn)
{
	return true;
}

void http_conn_answer(struct http_conn *conn, const struct http_reply *reply)
{
}

/* --- the control --------------------------------------------------------------------------------- */

static const char *no_path(void *arg)
{
	return NULL;
}

static void no_addresses(void *arg, struct strbuf *out)
{
}

static int reload(void *arg, json_t **ret, struct fail *fail)
{
	here.n_reloads++;
	if (here.result < 0)
		return fail_set(fail, here.result, "the settings are wrong");
	*ret = json_object();
	return 0;
}

static const struct control_hooks control_hooks = { .reload = reload };

static char name_one[] = "one";
static char name_two[] = "two";
static char path[] = "/";
static char admin[] = "daemon";
static char *admins[] = { admin };
static struct conf_domain conf_domains[] = { { .name = name_one, .required = true },
	{ .name = name_two } };
static struct conf control_conf = { .path = path,
	.domains = conf_domains,
	.n_domains = 2,
	.control = { .admins = { .items = admins, .n = 1 } } };

static void no_journal(const struct iovec *fields, int n)
{
}

static void make_control(void)
{
	const struct status_parts status = { .loop = world.loop,
		.mcp = world.mcp,
		.health = here.health,
		.conf = &control_conf,
		.add_addresses = no_addresses,
		.get_local_socket = no_path,
		.get_control_socket = no_path };
	struct control_parts parts = {
		.loop = world.loop, .mcp = world.mcp, .log = here.log, .conf = &control_conf
	};

	here.status = status_new(&status);
	parts.status = here.status;
	here.control = control_new(&parts, &control_hooks, NULL);
}

int set_up_control(void **unused)
{
	(void)world_set_up(unused);
	log_set_journal(no_journal); /* what is logged is seen in the ring */
	log_init("test", LOG_TARGET_JOURNAL, LOG_LEVEL_NOTICE);
	come_up();
	here = (struct control_world){ .health = health_new(world.loop, world.mcp, &control_conf),
		.log = log_ring_new(world.loop),
		.stats = { .last_error = "e" } };
	make_control();
	join(&here.admin, geteuid());
	join(&here.reader, READER_UID);
	ask(&here.admin, HELLO);
	assert_part(hears(&here.admin), "\"may_change\":true");
	ask(&here.reader, HELLO);
	assert_part(hears(&here.reader), "\"may_change\":false");
	return 0;
}

void free_control(void)
{
	control_free(TAKE(here.control));
}

int tear_down_control(void **unused)
{
	free_control();
	status_free(here.status);
	health_free(here.health);
	log_ring_free(here.log);
	leave(&here.admin);
	leave(&here.reader);
	json_decref(here.report);
	for (unsigned i = 0; i < here.n_pending; i++)
		free(here.pending[i].params);
	return world_tear_down(unused);
}

/* --- its users ----------------------------------------------------------------------------------- */

void join(struct user *user, uid_t uid)
{
	struct peer peer = { .pid = 1, .uid = uid, .gid = 4244 };
	int pair[2];

	assert_int_equal(fd_socketpair(pair), 0);
	assert_int_equal(fd_set_nonblock(pair[1], true), 0);
	*user = (struct user){ .fd = pair[1] };
	control_conn_open(here.control, pair[0], &peer);
}

void leave(struct user *user)
{
	user->fd = fd_close(user->fd);
	strbuf_done(&user->got);
}

void send_bytes(struct user *user, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(user->fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EPIPE) /* is_closed() tells */
			return;
		if (n < 0)
			assert_int_equal(errno, EAGAIN);
		if (n < 0)
			loop_fake_turn(world.loop);
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

void ask(struct user *user, const char *line)
{
	auto_free char *text = alloc_printf("%s\n", line);

	send_bytes(user, text, strlen(text));
	loop_fake_turn(world.loop);
}

static ssize_t read_some(struct user *user)
{
	char bytes[65536];
	ssize_t n = recv(user->fd, bytes, sizeof(bytes), 0);

	if (n > 0)
		strbuf_add(&user->got, bytes, (size_t)n);
	return n;
}

const char *hears(struct user *user)
{
	strbuf_cut(&user->got, 0);
	do
		loop_fake_turn(world.loop);
	while (read_some(user) > 0);
	return strbuf_get(&user->got);
}

bool is_closed(struct user *user)
{
	ssize_t n;

	do {
		loop_fake_turn(world.loop);
		n = read_some(user);
	} while (n > 0);
	return n == 0 || errno != EAGAIN;
}

unsigned count_parts(const char *text, const char *part)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		n++;
	return n;
}
