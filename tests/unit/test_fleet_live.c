/* A fleet with real processes under load: what an operator does to it, and that no call is lost by a rolling
 * restart. Sessions keep one call each running all the time, and none of these may be run twice. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/fleet/fleet.h"

enum { PATIENCE_S = 60, SESSIONS = 8, ALL = 3, CALL_MS = 15 };

static struct world {
	struct loop *loop;
	struct fleet *fleet;
	struct conf *conf;
	char folder[40];
	char *server; /* a link to what is run */
	uint64_t last_no;
	unsigned n_running; /* calls */
	unsigned n_ok, n_errors, n_lost;
	bool may_rerun;
	bool is_over; /* no new calls */
	bool has_stopped;
	unsigned n_done; /* of restarts */
	bool ok;
	char text[200];
	bool (*is_reached)(void); /* what the loop runs for */
} world;

static struct domain *get_domain(void)
{
	return fleet_get(world.fleet, fleet_find(world.fleet, "probe"));
}

static struct domain_stats stats(void)
{
	struct domain_stats ret;

	domain_get_stats(get_domain(), &ret);
	return ret;
}

/* --- the load ----------------------------------------------------------------------------------- */

static void call(uint64_t session)
{
	uint64_t no = ++world.last_no * SESSIONS + session;
	struct domain_call one = { .no = no, .session = session + 1, .may_rerun = world.may_rerun };

	one.line = alloc_printf(
		"{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"tools/call\",\"params\":"
		"{\"name\":\"probe_wait\",\"arguments\":{\"ms\":%d}}}",
		(unsigned long long)no, CALL_MS);
	one.len = strlen(one.line);
	assert_int_equal(domain_call(get_domain(), &one), 0);
	world.n_running++;
}

static void look(void)
{
	if (world.is_reached && world.is_reached())
		loop_stop(world.loop);
}

static void end_call(uint64_t no)
{
	world.n_running--;
	if (!world.is_over)
		call(no % SESSIONS);
	look();
}

static void on_answered(void *arg, uint64_t no, const struct rpc *rpc)
{
	if (rpc->kind == RPC_RESULT)
		world.n_ok++;
	else
		world.n_errors++;
	end_call(no);
}

static void on_lost(void *arg, uint64_t no, enum domain_loss loss, const char *cause)
{
	world.n_lost++;
	end_call(no);
}

static void on_progress(void *arg, uint64_t no, const struct rpc *rpc)
{
}

static void on_changed(void *arg, struct domain *domain)
{
	look();
}

static void on_asked(
	void *arg, struct domain *domain, const struct domain_speaker *who, const struct rpc *rpc)
{
}

static void on_worker_ended(void *arg, struct domain *domain, unsigned worker)
{
}

static void on_offering(void *arg, struct domain *domain, const struct offering *offering)
{
}

static const struct domain_hooks hooks = {
	.answered = on_answered,
	.progress = on_progress,
	.lost = on_lost,
	.changed = on_changed,
	.asked = on_asked,
	.told = on_asked,
	.worker_ended = on_worker_ended,
	.offering = on_offering,
};

static void run_until(bool (*is_reached)(void))
{
	world.is_reached = is_reached;
	while (!is_reached()) /* it may be stopped for what was waited for before */
		assert_int_equal(loop_run(world.loop), 0);
	world.is_reached = NULL;
}

/* --- the fleet ---------------------------------------------------------------------------------- */

static bool all_ready(void)
{
	return stats().n_ready == ALL && stats().n_processes == ALL;
}

static bool none_runs(void)
{
	return world.n_running == 0;
}

static void link_server(const char *target)
{
	(void)unlink(world.server);
	assert_int_equal(symlink(target, world.server), 0);
}

static void link_probe(void)
{
	auto_free char *here = getcwd(NULL, 0);
	auto_free char *probe = alloc_printf("%s/tests/probe/worker-probe", here);

	link_server(probe);
}

static struct conf *make_conf(void)
{
	static const char *const names[] = { "probe" };
	const struct conf_sources sources = { .domains = names, .n_domains = 1 };
	auto_free char *text = alloc_printf("state_dir: %s\n"
					    "domains:\n"
					    "  probe:\n"
					    "    command: [%s]\n"
					    "    sandbox: none\n"
					    "    processes: {min: %d, max: %d}\n"
					    "    queue: 100\n"
					    "    health: {interval: 200ms, timeout: 2s}\n",
		world.folder, world.server, ALL, ALL);
	struct fail fail = { 0 };
	struct conf *conf = NULL;

	if (conf_load_text(&sources, "test", text, strlen(text), &conf, &fail) < 0)
		fail_msg("%s", fail.text);
	return conf;
}

static int set_up(void **unused)
{
	auto_free char *here = getcwd(NULL, 0);

	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	(void)alarm(PATIENCE_S);
	(void)signal(SIGPIPE, SIG_IGN);
	world = (struct world){ .loop = loop_new() };
	(void)snprintf(world.folder, sizeof(world.folder), "/tmp/test_fleet_live.XXXXXX");
	assert_non_null(mkdtemp(world.folder));
	world.server = alloc_printf("%s/server", world.folder);
	link_probe();
	world.conf = make_conf();
	world.fleet = fleet_new(world.loop, here, &hooks, &world);
	fleet_apply(world.fleet, world.conf, NULL);
	run_until(all_ready);
	return 0;
}

static void on_stopped(void *arg)
{
	world.has_stopped = true;
	loop_stop(world.loop);
}

static bool has_stopped(void)
{
	return world.has_stopped;
}

static int tear_down(void **unused)
{
	auto_free char *command = alloc_printf("rm -rf '%s'", world.folder);

	world.is_over = true;
	fleet_stop(world.fleet, 1000, on_stopped, NULL);
	run_until(has_stopped);
	fleet_free(world.fleet);
	conf_free(world.conf);
	loop_free(world.loop);
	free(world.server);
	return system(command) != 0; /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

static void load(void)
{
	for (uint64_t i = 0; i < SESSIONS; i++)
		call(i);
}

static void end_load(void)
{
	world.is_over = true;
	run_until(none_runs);
	assert_int_equal(stats().n_queued + stats().n_in_flight, 0);
}

struct pids {
	pid_t list[16];
	unsigned n;
};

static void add_pid(void *arg, const struct domain_process *process)
{
	struct pids *pids = arg;

	if (process->pid && pids->n < N_ELEMENTS(pids->list))
		pids->list[pids->n++] = process->pid;
}

static struct pids get_pids(void)
{
	struct pids ret = { 0 };

	domain_each_process(get_domain(), add_pid, &ret);
	return ret;
}

static bool are_strangers(const struct pids *a, const struct pids *b)
{
	for (unsigned i = 0; i < a->n; i++)
		for (unsigned j = 0; j < b->n; j++)
			if (a->list[i] == b->list[j])
				return false;
	return true;
}

static void on_done(void *arg, bool ok, const char *text)
{
	world.n_done++;
	world.ok = ok;
	(void)snprintf(world.text, sizeof(world.text), "%s", text);
	look();
}

static bool is_done(void)
{
	return world.n_done > 0;
}

static void restart(void)
{
	world.n_done = 0;
	assert_int_equal(fleet_restart(world.fleet, "probe", 10000, on_done, NULL, NULL), 0);
	run_until(is_done);
}

/* --- tests -------------------------------------------------------------------------------------- */

static void test_restart_under_load(void **unused)
{
	load();
	for (int i = 0; i < 3; i++) {
		struct pids before = get_pids();
		unsigned n_ok = world.n_ok;

		restart();
		assert_string_equal(world.text, "3 processes replaced");
		assert_true(world.ok);
		struct pids after = get_pids();
		assert_int_equal(after.n, ALL);
		assert_true(are_strangers(&before, &after));
		assert_true(world.n_ok > n_ok);
	}
	end_load();
	assert_int_equal(world.n_lost, 0);
	assert_int_equal(world.n_errors, 0);
	assert_int_equal(stats().n_restarts, 0);
	assert_int_equal(stats().n_ok, world.n_ok);
	assert_int_equal(stats().latency->n, world.n_ok);
	assert_true(histogram_quantile(stats().latency, 0.5) > CALL_MS * 1000 / 2);
}

/* The program was replaced by one that does not run: what serves goes on. */
static void test_restart_to_worse(void **unused)
{
	struct pids before = get_pids();

	load();
	link_server("/bin/false");
	restart();
	assert_false(world.ok);
	assert_non_null(strstr(
		world.text, "0 of 3 processes were replaced, the others stay; the next one: "));
	assert_non_null(strstr(world.text, "exit status 1"));
	struct pids after = get_pids();
	assert_memory_equal(&before, &after, sizeof(before));
	end_load();
	assert_int_equal(world.n_lost + world.n_errors, 0);
	link_probe();
	restart();
	assert_true(world.ok);
}

static bool replaced_all(void)
{
	return all_ready() && stats().n_restarts > 0;
}

static void drill(enum drill_kind kind, struct domain_drill *ret)
{
	struct fail fail = { 0 };

	if (fleet_drill(world.fleet, "probe", kind, ret, &fail) < 0)
		fail_msg("%s", fail.text);
	run_until(replaced_all);
}

/* Its call may run again, and does. */
static void test_drill_kill(void **unused)
{
	struct domain_drill one = { 0 };

	world.may_rerun = true;
	load();
	drill(DRILL_KILL, &one);
	assert_true(one.n_calls > 0);
	assert_int_equal(kill(one.pid, 0), -1);
	assert_non_null(strstr(stats().last_death, "killed by signal 9"));
	assert_non_null(strstr(stats().last_error, one.process));
	end_load();
	assert_int_equal(world.n_lost + world.n_errors, 0);
}

static void test_drill_stop(void **unused)
{
	struct domain_drill one = { 0 };

	drill(DRILL_STOP, &one);
	assert_int_equal(one.found_ms, 2300);
	assert_int_equal(kill(one.pid, 0), -1);
	assert_non_null(strstr(stats().last_death, "did not answer a health ping"));
}

static void test_drill_garbage(void **unused)
{
	struct domain_drill one = { 0 };

	drill(DRILL_GARBAGE, &one);
	assert_int_equal(kill(one.pid, 0), -1);
	assert_non_null(strstr(stats().last_death, "garbage on its link"));
}

static bool nothing_runs(void)
{
	return stats().n_processes == 0;
}

static void test_disable_and_enable(void **unused)
{
	struct pids before = get_pids();
	bool is_kept = false;

	load();
	world.is_over = true;
	assert_int_equal(fleet_disable(world.fleet, "probe", 10000, &is_kept, NULL), 0);
	assert_true(is_kept);
	run_until(nothing_runs);
	assert_int_equal(domain_get_state(get_domain()), DOMAIN_DISABLED);
	assert_int_equal(world.n_running, 0);
	assert_int_equal(world.n_ok, ALL); /* those that ran; the others had not begun */
	assert_int_equal(world.n_lost, SESSIONS - ALL);
	assert_int_equal(fleet_enable(world.fleet, "probe", &is_kept, NULL), 0);
	run_until(all_ready);
	struct pids after = get_pids();
	assert_true(are_strangers(&before, &after));
	world.is_over = false;
	load();
	end_load();
	assert_true(world.n_ok > ALL);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_restart_under_load),
		TEST(test_restart_to_worse),
		TEST(test_drill_kill),
		TEST(test_drill_stop),
		TEST(test_drill_garbage),
		TEST(test_disable_and_enable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
