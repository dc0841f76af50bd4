/* The fleet: ids and names, what a reload does to whom, and the end. Domains are fakes of this file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "supervisor/fleet/fleet.h"

struct domain {
	char *name;
	const struct domain_hooks *hooks;
	void *arg;
	enum domain_state state;
};

static struct world {
	struct loop *loop;
	struct fleet *fleet;
	struct strbuf story;
	enum domain_state first_state; /* of the domains that are made */
	unsigned n_domains;
	unsigned n_stopped;
} world;

static char a_launcher;

struct launcher *launcher_new(struct loop *loop)
{
	return (struct launcher *)(void *)&a_launcher;
}

void launcher_free(struct launcher *launcher)
{
}

const struct cgroups *launcher_get_cgroups(const struct launcher *launcher, const char **ret_why)
{
	*ret_why = "there are none in this test";
	return NULL;
}

bool launcher_finds_orphans(const struct launcher *launcher)
{
	return true;
}

static struct {
	process_ended_fn *fn;
	void *arg;
	struct process_end end;
} child;

static void on_child_end(void *arg)
{
	child.fn(child.arg, &child.end);
}

/* At once, but its end is told later. */
int process_fork(struct launcher *launcher, int (*task)(const void *data), const void *data,
	process_ended_fn *fn, void *arg)
{
	child.fn = fn;
	child.arg = arg;
	child.end = (struct process_end){ .wait_status = task(data) << 8 };
	loop_defer(world.loop, on_child_end, NULL);
	return 0;
}

struct domain *domain_new(struct loop *loop, struct launcher *launcher,
	const struct conf_domain *conf, const struct domain_programs *programs,
	const struct domain_hooks *hooks, void *arg)
{
	struct domain *d = alloc_zero(sizeof(*d));

	d->name = alloc_str(conf->name);
	d->hooks = hooks;
	d->arg = arg;
	d->state = world.first_state;
	world.n_domains++;
	strbuf_addf(
		&world.story, "new:%s:%s ", conf->name, programs->native ? programs->native : "-");
	return d;
}

void domain_free(struct domain *d)
{
	world.n_domains--;
	free(d->name);
	free(d);
}

void domain_use_store(struct domain *d, struct store *store, bool recall)
{
	if (store)
		strbuf_addf(&world.story, "store:%s:%s ", d->name, recall ? "recall" : "keep");
}

void domain_start(struct domain *d)
{
	strbuf_addf(&world.story, "start:%s ", d->name);
}

void domain_reload(struct domain *d, const struct conf_domain *conf,
	const struct domain_programs *programs, bool replace, int64_t drain_ms)
{
	strbuf_addf(&world.story, "%s:%s ", replace ? "replace" : "reload", d->name);
}

void domain_stop(struct domain *d, int64_t drain_ms)
{
	if (d->state == DOMAIN_STOPPED)
		return;
	d->state = DOMAIN_STOPPED;
	strbuf_addf(&world.story, "stop:%s:%d ", d->name, (int)drain_ms);
	d->hooks->changed(d->arg, d);
}

int domain_restart(
	struct domain *d, int64_t drain_ms, domain_done_fn *fn, void *arg, struct fail *fail)
{
	strbuf_addf(&world.story, "restart:%s:%d ", d->name, (int)drain_ms);
	return 0;
}

int domain_drill(
	struct domain *d, enum drill_kind kind, struct domain_drill *ret, struct fail *fail)
{
	strbuf_addf(&world.story, "drill:%s:%d ", d->name, (int)kind);
	return 0;
}

void domain_disable(struct domain *d, int64_t drain_ms)
{
	strbuf_addf(&world.story, "disable:%s:%d ", d->name, (int)drain_ms);
	d->state = DOMAIN_DISABLED;
}

void domain_enable(struct domain *d)
{
	strbuf_addf(&world.story, "enable:%s ", d->name);
	d->state = DOMAIN_STARTING;
}

const char *domain_get_name(const struct domain *d)
{
	return d->name;
}

enum domain_state domain_get_state(const struct domain *d)
{
	return d->state;
}

static void finish(struct domain *d)
{
	d->hooks->stopped(d->arg, d);
}

static void on_changed(void *arg, struct domain *domain)
{
	assert_ptr_equal(arg, &world);
	strbuf_adds(&world.story, "changed ");
}

static const struct domain_hooks hooks = { .changed = on_changed };

static void on_stopped(void *arg)
{
	world.n_stopped++;
}

static char name_a[] = "a";
static char name_b[] = "b";
static struct conf_domain conf_domains[] = { { .name = name_a },
	{ .name = name_b, .native = "utils" } };
static const struct conf both = { .domains = conf_domains, .n_domains = 2, .drain_ms = 9 };
static const struct conf only_a = { .domains = conf_domains, .n_domains = 1, .drain_ms = 9 };

static int set_up(void **unused)
{
	world = (struct world){ .loop = loop_new_fake() };
	world.fleet = fleet_new(world.loop, "/libexec", &hooks, &world);
	fleet_apply(world.fleet, &both, NULL);
	return 0;
}

static int tear_down(void **unused)
{
	fleet_free(world.fleet);
	loop_free(world.loop);
	assert_int_equal(world.n_domains, 0);
	strbuf_done(&world.story);
	return 0;
}

static const char *story(void)
{
	static char text[300];

	(void)snprintf(text, sizeof(text), "%s", strbuf_get(&world.story));
	strbuf_cut(&world.story, 0);
	return text;
}

static struct domain *get(const char *name)
{
	return fleet_get(world.fleet, fleet_find(world.fleet, name));
}

static void apply(const struct conf *conf, char *name, enum conf_domain_change change)
{
	struct conf_domain_diff one = { .name = name, .change = change };
	const struct conf_diff diff = { .domains = &one, .n_domains = 1 };

	fleet_apply(world.fleet, conf, &diff);
}

static void add_name(void *arg, struct domain *domain)
{
	strbuf_addf(&world.story, "%s ", domain->name);
}

static void test_names_and_ids(void **unused)
{
	assert_string_equal(story(), "new:a:- start:a new:b:/libexec/worker-utils start:b ");
	assert_true(fleet_find(world.fleet, "a") != fleet_find(world.fleet, "b"));
	assert_string_equal(get("b")->name, "b");
	assert_int_equal(fleet_find(world.fleet, "c"), 0);
	assert_null(fleet_get(world.fleet, 0));
	assert_null(fleet_get(world.fleet, 99));
	fleet_each(world.fleet, add_name, NULL);
	assert_string_equal(story(), "a b ");
}

static void test_removed_and_added_again(void **unused)
{
	uint32_t id = fleet_find(world.fleet, "b");
	struct domain *old = get("b");

	(void)story();
	apply(&only_a, name_b, CONF_DOMAIN_REMOVED);
	assert_string_equal(story(), "stop:b:9 changed ");
	assert_int_equal(fleet_find(world.fleet, "b"), 0);
	assert_ptr_equal(fleet_get(world.fleet, id), old); /* its calls may still end */
	fleet_each(world.fleet, add_name, NULL);
	assert_string_equal(story(), "a ");
	apply(&both, name_b, CONF_DOMAIN_ADDED);
	assert_true(fleet_find(world.fleet, "b") > id); /* never the same */
	assert_ptr_not_equal(get("b"), old);
	finish(old);
	assert_null(fleet_get(world.fleet, id));
	loop_settle(world.loop);
	assert_int_equal(world.n_domains, 2);
	assert_non_null(get("b"));
}

static void test_changed(void **unused)
{
	(void)story();
	apply(&both, name_a, CONF_DOMAIN_REPLACED);
	assert_string_equal(story(), "replace:a ");
	get("b")->state = DOMAIN_PARKED; /* a reload is another chance for it, once */
	apply(&both, name_a, CONF_DOMAIN_REPLACED);
	assert_string_equal(story(), "replace:a replace:b ");
	apply(&both, name_b, CONF_DOMAIN_REPLACED);
	assert_string_equal(story(), "replace:b ");
}

static void apply_lazy(const char *state_dir)
{
	static char dir[64];
	struct conf_domain domains[] = { { .name = name_a },
		{ .name = name_b, .start = CONF_START_LAZY } };
	const struct conf conf = { .domains = domains, .n_domains = 2, .state_dir = dir };

	(void)snprintf(dir, sizeof(dir), "%s", state_dir);
	(void)story();
	fleet_free(world.fleet);
	world.fleet = fleet_new(world.loop, "/libexec", &hooks, &world);
	fleet_apply(world.fleet, &conf, NULL);
}

static void test_lazy_domains_get_a_store(void **unused)
{
	static char folder[] = "/tmp/test_fleet.XXXXXX";
	auto_free char *inner = NULL;

	assert_non_null(mkdtemp(folder));
	inner = alloc_printf("%s/offerings", folder);
	apply_lazy(folder);
	assert_non_null(strstr(story(), "store:b:recall start:b"));
	assert_int_equal(rmdir(inner), 0);
	apply_lazy("/proc/none");
	assert_null(strstr(story(), "store:"));
	assert_int_equal(rmdir(folder), 0);
}

static void test_restart(void **unused)
{
	struct fail fail = { 0 };

	(void)story();
	assert_int_equal(fleet_restart(world.fleet, "b", 70, NULL, NULL, &fail), 0);
	assert_string_equal(story(), "restart:b:70 ");
	assert_int_equal(fleet_drill(world.fleet, "b", DRILL_STOP, NULL, &fail), 0);
	assert_string_equal(story(), "drill:b:1 ");
	assert_int_equal(fleet_drill(world.fleet, "c", DRILL_STOP, NULL, &fail), -ENOENT);
	assert_int_equal(fleet_restart(world.fleet, "c\n", 70, NULL, NULL, &fail), -ENOENT);
	assert_string_equal(fail.text, "there is no domain \"c\\n\"");
}

static char state_folder[] = "/tmp/test_fleet.XXXXXX";

static struct conf with_state(void)
{
	struct conf conf = both;

	conf.state_dir = state_folder;
	return conf;
}

static void begin_anew_with(const struct conf *conf)
{
	loop_settle(world.loop);
	fleet_free(world.fleet);
	(void)story();
	world.fleet = fleet_new(world.loop, "/libexec", &hooks, &world);
	fleet_apply(world.fleet, conf, NULL);
}

static void begin_anew(void)
{
	const struct conf conf = with_state();

	begin_anew_with(&conf);
}

static void remove_state(void)
{
	auto_free char *inner = alloc_printf("%s/offerings", state_folder);
	auto_free char *note = alloc_printf("%s/disabled", state_folder);

	assert_int_equal(unlink(note), 0);
	assert_int_equal(rmdir(inner), 0);
	assert_int_equal(rmdir(state_folder), 0);
}

static void test_disable_is_kept(void **unused)
{
	const struct conf conf = with_state();
	struct conf without = only_a;
	struct fail fail = { 0 };
	bool is_kept = false;

	assert_non_null(mkdtemp(state_folder));
	without.state_dir = state_folder;
	begin_anew();
	assert_string_equal(story(), "new:a:- start:a new:b:/libexec/worker-utils start:b ");
	assert_int_equal(fleet_disable(world.fleet, "b", 70, &is_kept, &fail), 0);
	assert_true(is_kept);
	assert_string_equal(story(), "disable:b:70 ");
	is_kept = false;
	assert_int_equal(fleet_disable(world.fleet, "b", 70, &is_kept, &fail), 0); /* as it is */
	assert_true(is_kept);
	assert_string_equal(story(), "");
	begin_anew();
	assert_string_equal(story(), "new:a:- store:a:recall start:a "
				     "new:b:/libexec/worker-utils store:b:keep disable:b:0 ");
	fleet_each(world.fleet, add_name, NULL);
	assert_string_equal(story(), "a b "); /* it is there */
	is_kept = false;
	assert_int_equal(fleet_enable(world.fleet, "b", &is_kept, &fail), 0);
	assert_true(is_kept);
	assert_string_equal(story(), "enable:b ");
	assert_int_equal(fleet_enable(world.fleet, "b", &is_kept, &fail), 0);
	assert_string_equal(story(), "");
	begin_anew();
	assert_non_null(strstr(story(), "start:b"));
	/* Another one of the name has nothing to do with it. */
	assert_int_equal(fleet_disable(world.fleet, "b", 70, &is_kept, &fail), 0);
	apply(&only_a, name_b, CONF_DOMAIN_REMOVED);
	fleet_apply(world.fleet, &conf,
		&(struct conf_diff){ .domains = &(struct conf_domain_diff){ .name = name_b,
					     .change = CONF_DOMAIN_ADDED },
			.n_domains = 1 });
	assert_non_null(strstr(story(), "start:b"));
	begin_anew();
	assert_non_null(strstr(story(), "start:b"));
	/* Also when it left while no daemon ran. */
	assert_int_equal(fleet_disable(world.fleet, "b", 70, &is_kept, &fail), 0);
	begin_anew_with(&without);
	fleet_apply(world.fleet, &conf,
		&(struct conf_diff){ .domains = &(struct conf_domain_diff){ .name = name_b,
					     .change = CONF_DOMAIN_ADDED },
			.n_domains = 1 });
	assert_non_null(strstr(story(), "start:b"));
	begin_anew();
	assert_non_null(strstr(story(), "start:b"));
	remove_state();
}

static void test_disable_without_a_folder(void **unused)
{
	struct conf conf = both;
	static char nowhere[] = "/proc/none";
	struct fail fail = { 0 };
	bool is_kept = true;

	conf.state_dir = nowhere;
	fleet_apply(world.fleet, &conf, &(struct conf_diff){ 0 });
	(void)story();
	assert_int_equal(fleet_disable(world.fleet, "a", 70, &is_kept, &fail), 0);
	assert_false(is_kept);
	assert_non_null(strstr(fail.text, "not kept for the time after the daemon's end: "));
	assert_non_null(strstr(fail.text, "/proc/none"));
	assert_string_equal(story(), "disable:a:70 ");
	apply(&both, name_a, CONF_DOMAIN_REPLACED);
	assert_string_equal(story(), "replace:a "); /* domain_reload() lets it be */
}

static void test_what_cannot_be_switched(void **unused)
{
	struct fail fail = { 0 };
	bool is_kept;

	assert_int_equal(fleet_disable(world.fleet, "c", 0, &is_kept, &fail), -ENOENT);
	assert_int_equal(fleet_enable(world.fleet, "c", &is_kept, &fail), -ENOENT);
	fleet_stop(world.fleet, 500, on_stopped, &world);
	assert_int_equal(fleet_disable(world.fleet, "a", 0, &is_kept, &fail), -ESHUTDOWN);
	assert_int_equal(fleet_enable(world.fleet, "a", &is_kept, &fail), -ESHUTDOWN);
	assert_string_equal(fail.text, "domain a is being stopped");
}

static void test_stop(void **unused)
{
	struct domain *a = get("a");
	struct domain *b = get("b");

	fleet_stop(world.fleet, 500, on_stopped, &world);
	finish(a);
	loop_settle(world.loop);
	assert_int_equal(world.n_stopped, 0);
	finish(b);
	assert_int_equal(world.n_stopped, 0); /* not from inside */
	loop_settle(world.loop);
	assert_int_equal(world.n_stopped, 1);
}

static void test_stop_while_one_leaves(void **unused)
{
	struct domain *a = get("a");
	struct domain *b = get("b");

	apply(&only_a, name_b, CONF_DOMAIN_REMOVED);
	fleet_stop(world.fleet, 500, on_stopped, &world);
	finish(a);
	loop_settle(world.loop);
	assert_int_equal(world.n_stopped, 0);
	finish(b);
	loop_settle(world.loop);
	assert_int_equal(world.n_stopped, 1);
}

static void test_stop_without_domains(void **unused)
{
	finish(get("a"));
	finish(get("b"));
	fleet_stop(world.fleet, 500, on_stopped, &world);
	loop_settle(world.loop);
	assert_int_equal(world.n_stopped, 1);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_names_and_ids),
		TEST(test_removed_and_added_again),
		TEST(test_changed),
		TEST(test_lazy_domains_get_a_store),
		TEST(test_restart),
		TEST(test_disable_is_kept),
		TEST(test_disable_without_a_folder),
		TEST(test_what_cannot_be_switched),
		TEST(test_stop),
		TEST(test_stop_while_one_leaves),
		TEST(test_stop_without_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
