/* Registration: what the registrar is told, what it is asked, and what becomes of that when it dies. The registrar is
 * a fake process: the test holds its side of the link. */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "shared/fd.h"
#include "supervisor/ops/registration.h"
#include "tests/unit/mcp_world.h"

static struct {
	struct registration *reg;
	struct conf conf;
	int peer; /* the process' side; -1: none runs */
	process_ended_fn *ended;
	void *ended_arg;
	int last_signal;
	unsigned n_starts;
	bool is_broken; /* each start fails */
	unsigned n_reports;
	unsigned n_stopped;
	struct strbuf answers; /* to orders: a line each */
	struct strbuf heard;
} here;

/* --- in the place of the fleet, the launcher and the process -------------------------------------- */

void domain_get_stats(const struct domain *d, struct domain_stats *ret)
{
	*ret = (struct domain_stats){ .state = d->state,
		.last_death = d->has_failed ? "exit status 1" : "",
		.last_error = "" };
}

struct launcher *fleet_get_launcher(const struct fleet *fleet)
{
	return NULL;
}

int process_start(struct launcher *launcher, const struct process_spec *spec, process_ended_fn *fn,
	void *arg, struct process **ret, int *ret_fd, int *ret_err_fd)
{
	int pair[2], err[2];

	here.n_starts++;
	if (here.is_broken)
		return -ENOENT;
	assert_string_equal(spec->argv[0], "/nowhere/mcp-fleet-registrar");
	assert_int_equal(fd_socketpair(pair), 0);
	assert_int_equal(fd_pipe(err), 0);
	assert_int_equal(fd_set_nonblock(err[0], true), 0);
	assert_int_equal(fd_set_nonblock(pair[1], true), 0);
	(void)fd_close(err[1]);
	here.peer = pair[1];
	here.ended = fn;
	here.ended_arg = arg;
	here.last_signal = 0;
	*ret = (struct process *)(void *)&here;
	*ret_fd = pair[0];
	*ret_err_fd = err[0];
	return 0;
}

pid_t process_pid(const struct process *process)
{
	return 4711;
}

void process_kill(struct process *process, int signo)
{
	here.last_signal = signo;
}

void process_end_text(const struct process_end *end, char ret[PROCESS_END_TEXT])
{
	(void)snprintf(ret, PROCESS_END_TEXT, "it ended");
}

int process_fork(struct launcher *launcher, int (*task)(const void *data), const void *data,
	process_ended_fn *fn, void *arg)
{
	return -ENOSYS;
}

const struct cgroups *launcher_get_cgroups(const struct launcher *launcher, const char **ret_why)
{
	return NULL;
}

bool launcher_finds_orphans(const struct launcher *launcher)
{
	return false;
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		loop_fake_turn(world.loop);
}

static void wait_ms(int64_t ms)
{
	loop_fake_advance(world.loop, ms);
	turn();
}

static void end_process(void)
{
	const struct process_end end = { 0 };

	here.peer = fd_close(here.peer);
	here.ended(here.ended_arg, &end);
	loop_settle(world.loop);
}

static void says(const char *line)
{
	auto_free char *text = alloc_printf("%s\n", line);

	assert_int_equal(send(here.peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turn();
}

static const char *hears(void)
{
	char text[65536];
	ssize_t n;

	strbuf_cut(&here.heard, 0);
	turn();
	while ((n = recv(here.peer, text, sizeof(text), 0)) > 0)
		strbuf_add(&here.heard, text, (size_t)n);
	return strbuf_get(&here.heard);
}

#define assert_part(text, part) assert_non_null(strstr(text, part))
#define assert_no_part(text, part) assert_null(strstr(text, part))
#define ANSWER(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"
#define STATE(params) "{\"jsonrpc\":\"2.0\",\"method\":\"registrar/state\",\"params\":" params "}"

static void come_to_life(void)
{
	turn();
	assert_part(hears(), "\"method\":\"initialize\"");
	says(ANSWER("\"initialize\"",
		"{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"serverInfo\":{\"name\":"
		"\"mcp-fleet-registrar\",\"version\":\"1\"}}"));
	assert_part(hears(), "\"method\":\"tools/list\"");
	says("{\"jsonrpc\":\"2.0\",\"id\":\"tools\",\"error\":{\"code\":-32601,\"message\":\"no such "
	     "method\"}}");
}

/* --- the registration ----------------------------------------------------------------------------- */

static void add_url(void *arg, struct strbuf *out)
{
	strbuf_adds(out, "http://127.0.0.1:1");
}

static void on_report(void *arg)
{
	here.n_reports++;
}

static void on_stopped(void *arg)
{
	here.n_stopped++;
}

static void on_answer(void *arg, json_t *result, const struct fail *fail)
{
	auto_free char *text = result ? json_dumps(result, JSON_COMPACT) : NULL;

	strbuf_addf(&here.answers, "%s:%s ", (const char *)arg, text ? text : fail->text);
}

static const char *answers(void)
{
	static char text[1000];

	(void)snprintf(text, sizeof(text), "%s", strbuf_get(&here.answers));
	strbuf_cut(&here.answers, 0);
	return text;
}

static char name_of_first[] = "a";

static void order(const char *method)
{
	registration_ask(here.reg, method, json_object(), on_answer, name_of_first);
	turn();
}

static char text_none[] = "";
static char text_url[] = "http://gateway";
static char text_server[] = "everything";
static char name_one[] = "one";
static char name_two[] = "two";
static struct conf_domain conf_domains[] = { { .name = name_one }, { .name = name_two } };

static struct conf make_conf(char *url)
{
	return (struct conf){ .domains = conf_domains,
		.n_domains = 2,
		.gateway = { .url = url,
			.token_file = text_none,
			.auth_header = text_none,
			.ca_file = text_none,
			.client_cert = text_none,
			.client_key = text_none,
			.public_url = text_none,
			.name_prefix = text_none,
			.visibility = text_none,
			.server = text_none,
			.key_file = text_none,
			.peer_ca_file = text_none } };
}

static void make_registration(char *url)
{
	const struct registration_parts parts = { .loop = world.loop,
		.mcp = world.mcp,
		.conf = &here.conf,
		.libexec = "/nowhere",
		.add_url = add_url,
		.changed = on_report };

	here.conf = make_conf(url);
	here.reg = registration_new(&parts);
	registration_start(here.reg);
	turn();
}

static int set_up(void **unused)
{
	(void)world_set_up(unused);
	memset(&here, 0, sizeof(here));
	here.peer = -1;
	return 0;
}

static int tear_down(void **unused)
{
	registration_free(here.reg);
	(void)fd_close(here.peer);
	strbuf_done(&here.answers);
	strbuf_done(&here.heard);
	return world_tear_down(unused);
}

static const char *process_state(void)
{
	static char text[40];
	json_auto_t *report = registration_make_report(here.reg);
	json_t *state = json_object_get(json_object_get(report, "process"), "state");

	(void)snprintf(text, sizeof(text), "%s", json_string_value(state));
	return text;
}

static void start_ready(void)
{
	come_up();
	make_registration(text_url);
	come_to_life();
	(void)hears();
}

/* --- what it is told ------------------------------------------------------------------------------ */

static void test_it_is_told_all_when_it_is_ready(void **unused)
{
	const char *text;

	come_up();
	make_registration(text_url);
	come_to_life();
	text = hears();
	assert_part(text, "\"method\":\"registrar/settings\"");
	assert_part(text, "\"url\":\"http://gateway\"");
	assert_part(text, "\"public_url\":\"http://127.0.0.1:1\"");
	assert_part(text, "\"domains\":[\"one\",\"two\"]");
	assert_part(text, "\"name\":\"one\",\"is_ready\":true,\"reason\":\"\"");
	assert_part(text, "\"tools\":[{\"name\":\"one_read\"");
	assert_part(text, "\"name\":\"two\",\"is_ready\":true");
	assert_string_equal(process_state(), "ready");
}

static void test_it_does_not_run_without_a_gateway(void **unused)
{
	json_auto_t *report = NULL;

	come_up();
	make_registration(text_none);
	assert_int_equal(here.n_starts, 0);
	report = registration_make_report(here.reg);
	assert_null(report);
	order("registrar/check");
	assert_part(answers(), "no gateway is known");
	here.conf = make_conf(text_url);
	registration_set_conf(here.reg, &here.conf);
	assert_int_equal(here.n_starts, 1);
}

static void test_changes_are_told_and_nothing_else(void **unused)
{
	const char *text;

	start_ready();
	registration_note_change(here.reg);
	wait_ms(100);
	assert_string_equal(hears(), "");
	world.domains[1].has_failed = true;
	change(&world.domains[1], DOMAIN_DOWN);
	for (int i = 0; i < 10; i++)
		registration_note_change(here.reg);
	wait_ms(99);
	assert_string_equal(hears(), "");
	wait_ms(1);
	text = hears();
	assert_part(text, "\"name\":\"two\",\"is_ready\":false,\"reason\":\"exit status 1\"");
	assert_no_part(text, "\"name\":\"one\",\"is_ready\"");
	offer(&world.domains[0], "[{\"name\":\"one_new\",\"inputSchema\":{}}]");
	loop_settle(world.loop);
	registration_note_change(here.reg);
	wait_ms(100);
	text = hears();
	assert_part(text, "\"tools\":[{\"name\":\"one_new\"");
	assert_no_part(text, "\"name\":\"two\"");
}

/* A domain that was not ready once is not "not ready": it is not told. */
static void test_a_new_domain_is_not_told(void **unused)
{
	const char *text;

	offer(&world.domains[0], "[{\"name\":\"one_x\",\"inputSchema\":{}}]");
	change(&world.domains[0], DOMAIN_UP);
	make_registration(text_url);
	come_to_life();
	text = hears();
	assert_part(text, "\"name\":\"one\",\"is_ready\":true");
	assert_no_part(text, "\"name\":\"two\",\"is_ready\"");
}

static void test_settings_are_told_again(void **unused)
{
	struct conf next = make_conf(text_url);
	const char *text;

	start_ready();
	next.gateway.server = text_server;
	registration_set_conf(here.reg, &next);
	wait_ms(100);
	text = hears();
	assert_part(text, "\"server\":\"everything\"");
	assert_no_part(text, "registrar/domain");
}

/* It may look the same as before; the registrar has forgotten it all the same. */
static void test_a_domain_that_comes_again(void **unused)
{
	struct conf without = make_conf(text_url);
	struct conf with = make_conf(text_url);

	start_ready();
	without.n_domains = 1;
	world.domains[1].id = 0;
	registration_set_conf(here.reg, &without);
	wait_ms(100);
	assert_part(hears(), "\"domains\":[\"one\"]");
	world.domains[1].id = 2;
	registration_set_conf(here.reg, &with);
	wait_ms(100);
	assert_part(hears(), "\"name\":\"two\",\"is_ready\":true");
}

/* The end of the fleet is no reason to take anything away from the gateway. */
static void test_the_end_of_the_fleet_is_not_told(void **unused)
{
	start_ready();
	change(&world.domains[0], DOMAIN_STOPPED);
	registration_note_change(here.reg);
	wait_ms(100);
	assert_string_equal(hears(), "");
}

static void test_a_new_process_is_told_all(void **unused)
{
	start_ready();
	end_process();
	wait_ms(1000);
	assert_int_equal(here.n_starts, 2);
	come_to_life();
	const char *text = hears();
	assert_part(text, "\"method\":\"registrar/settings\"");
	assert_part(text, "\"name\":\"one\",\"is_ready\":true");
}

/* --- what it says --------------------------------------------------------------------------------- */

static void test_reports(void **unused)
{
	json_auto_t *report = NULL;
	unsigned n;

	start_ready();
	n = here.n_reports;
	says(STATE("{\"domains\":[\"x\"]}"));
	assert_int_equal(here.n_reports, n + 1);
	says(STATE("{\"domains\":[\"\\u0000\"]}"));
	says("{\"jsonrpc\":\"2.0\",\"method\":\"registrar/state\"}");
	says("{\"jsonrpc\":\"2.0\",\"method\":\"registrar/other\",\"params\":{}}");
	assert_int_equal(here.n_reports, n + 1);
	report = registration_make_report(here.reg);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(report, "domains"), 0)), "x");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(report, "process"), "pid")),
		4711);
}

/* --- orders --------------------------------------------------------------------------------------- */

static void test_orders(void **unused)
{
	start_ready();
	order("registrar/check");
	assert_string_equal(hears(),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"registrar/check\",\"params\":{}}\n");
	order("registrar/reconcile");
	(void)hears();
	says("{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-1,\"message\":\"w\\u00f6rds\"}}");
	assert_string_equal(answers(), "a:w\xc3\xb6rds ");
	says(ANSWER("1", "{\"x\":1}"));
	assert_string_equal(answers(), "a:{\"x\":1} ");
	says(ANSWER("1", "{\"x\":1}")); /* twice */
	order("registrar/check");
	says(ANSWER("3", "5"));
	assert_part(answers(), "cannot be read");
}

static void test_orders_before_it_is_ready(void **unused)
{
	const char *text;

	come_up();
	make_registration(text_none);
	order("registrar/register"); /* starts it */
	assert_int_equal(here.n_starts, 1);
	order("registrar/check");
	come_to_life();
	text = hears();
	assert_true(strstr(text, "registrar/settings") < strstr(text, "registrar/register"));
	assert_true(strstr(text, "registrar/register") < strstr(text, "registrar/check"));
	says(ANSWER("1", "{}"));
	assert_string_equal(answers(), "a:{} ");
}

static void test_orders_are_lost_with_it(void **unused)
{
	start_ready();
	order("registrar/check");
	end_process();
	assert_part(answers(), "the registrar ended while it was at work");
	order("registrar/reconcile"); /* waits for the next one */
	assert_string_equal(answers(), "");
	wait_ms(1000);
	come_to_life();
	assert_part(hears(), "registrar/reconcile");
	says(ANSWER("2", "{}"));
	assert_string_equal(answers(), "a:{} ");
}

static void test_too_many_orders(void **unused)
{
	start_ready();
	for (int i = 0; i < 20; i++)
		order("registrar/check");
	assert_string_equal(answers(), "a:too many orders at a time; try again later "
				       "a:too many orders at a time; try again later "
				       "a:too many orders at a time; try again later "
				       "a:too many orders at a time; try again later ");
	for (int i = 1; i <= 16; i++) {
		auto_free char *line = alloc_printf(ANSWER("%d", "{}"), i);

		says(line);
	}
	assert_string_equal(answers(),
		"a:{} a:{} a:{} a:{} a:{} a:{} a:{} a:{} a:{} a:{} a:{} a:{} "
		"a:{} a:{} a:{} a:{} ");
	order("registrar/check");
	assert_string_equal(answers(), "");
}

static void test_parked(void **unused)
{
	come_up();
	here.is_broken = true;
	make_registration(text_url);
	order("registrar/check");
	for (int i = 0; i < 20 && !streq(process_state(), "parked"); i++)
		wait_ms(30000);
	assert_string_equal(process_state(), "parked");
	assert_part(answers(), "a:"); /* with its last end */
	here.is_broken = false;
	order("registrar/check"); /* an order is a reason to try again */
	come_to_life();
	assert_part(hears(), "registrar/check");
}

/* A registrar that hangs while it has an order: nobody else would notice. */
static void test_hung_with_an_order(void **unused)
{
	start_ready();
	order("registrar/register");
	(void)hears();
	wait_ms(15000);
	assert_string_equal(hears(), "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n");
	says(ANSWER("2", "{}"));
	assert_string_equal(answers(), "");
	wait_ms(15000); /* the next one */
	assert_part(hears(), "\"id\":3,\"method\":\"ping\"");
	wait_ms(29999);
	assert_int_equal(here.last_signal, 0);
	wait_ms(1);
	assert_int_equal(here.last_signal, SIGKILL);
	end_process();
	assert_part(answers(), "the registrar ended while it was at work");
	wait_ms(100000);
	assert_int_equal(here.n_starts, 2);
}

static void test_no_ping_without_orders(void **unused)
{
	start_ready();
	order("registrar/register");
	says(ANSWER("1", "{}"));
	(void)hears();
	wait_ms(15000);
	assert_no_part(hears(), "\"id\":2,");
}

/* --- the end -------------------------------------------------------------------------------------- */

static void test_kill(void **unused)
{
	uint64_t restarts = 5;

	make_registration(text_none);
	assert_int_equal(registration_kill(here.reg, &restarts), 0);
	assert_int_equal(restarts, 0);
	here.conf = make_conf(text_url);
	registration_set_conf(here.reg, &here.conf);
	come_to_life();
	assert_int_equal(registration_kill(here.reg, &restarts), 4711);
	assert_int_equal(here.last_signal, SIGKILL);
	end_process();
	assert_int_equal(registration_kill(here.reg, &restarts), 0);
	assert_int_equal(restarts, 1);
}

static void test_stop(void **unused)
{
	start_ready();
	order("registrar/check");
	registration_stop(here.reg, on_stopped, NULL);
	turn();
	assert_string_equal(answers(), "a:the fleet is stopping ");
	assert_int_equal(here.n_stopped, 0);
	order("registrar/check");
	assert_string_equal(answers(), "a:the fleet is stopping ");
	end_process();
	assert_int_equal(here.n_stopped, 1);
	registration_note_change(here.reg);
	wait_ms(60000);
	assert_int_equal(here.n_starts, 1);
}

static void test_stop_without_a_process(void **unused)
{
	make_registration(text_none);
	registration_stop(here.reg, on_stopped, NULL);
	turn();
	assert_int_equal(here.n_stopped, 1);
	here.conf = make_conf(text_url);
	registration_set_conf(here.reg, &here.conf);
	assert_int_equal(here.n_starts, 0);
}

static void test_stop_in_backoff(void **unused)
{
	start_ready();
	end_process();
	registration_stop(here.reg, on_stopped, NULL);
	turn();
	assert_int_equal(here.n_stopped, 1);
	wait_ms(60000);
	assert_int_equal(here.n_starts, 1);
}

/* A second SIGTERM: nobody waits for its end. */
static void test_free_with_orders(void **unused)
{
	start_ready();
	order("registrar/check");
	registration_free(here.reg);
	here.reg = NULL;
	assert_string_equal(answers(), "a:the fleet is stopping ");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_it_is_told_all_when_it_is_ready),
		TEST(test_it_does_not_run_without_a_gateway),
		TEST(test_changes_are_told_and_nothing_else),
		TEST(test_a_new_domain_is_not_told),
		TEST(test_settings_are_told_again),
		TEST(test_a_domain_that_comes_again),
		TEST(test_the_end_of_the_fleet_is_not_told),
		TEST(test_a_new_process_is_told_all),
		TEST(test_reports),
		TEST(test_orders),
		TEST(test_orders_before_it_is_ready),
		TEST(test_orders_are_lost_with_it),
		TEST(test_too_many_orders),
		TEST(test_parked),
		TEST(test_hung_with_an_order),
		TEST(test_no_ping_without_orders),
		TEST(test_kill),
		TEST(test_stop),
		TEST(test_stop_without_a_process),
		TEST(test_stop_in_backoff),
		TEST(test_free_with_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
