/* /health, /ready and the status line. The fleet is a fake of this file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "supervisor/ops/health.h"

struct domain {
	const char *name;
	struct domain_stats stats;
	size_t n_tools;
};

static struct world {
	struct loop *loop;
	struct health *health;
	struct http_route routes[HEALTH_ROUTES];
	struct domain domains[2];
	const char *loser; /* has names that another domain has; NULL: nobody has */
	bool is_closed;    /* others need a credential here */
	int status;
	json_t *answer;
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
	return 7;
}

struct endpoint *catalog_endpoint(struct catalog *catalog, const char *domain)
{
	for (size_t i = 0; domain && i < 2; i++)
		if (streq(world.domains[i].name, domain))
			return (struct endpoint *)(void *)&world.domains[i];
	return NULL;
}

size_t endpoint_count_tools(const struct endpoint *endpoint)
{
	return ((const struct domain *)(const void *)endpoint)->n_tools;
}

void catalog_each_clash(const struct catalog *catalog, catalog_clash_fn *each, void *arg)
{
	if (world.loser)
		each(arg, world.loser, "tool \"x\" is left out");
}

const struct confine_support *fleet_get_support(const struct fleet *fleet)
{
	static const struct confine_support support = {
		.landlock_abi = 7, .seccomp = true, .cgroup_missing = "none in this test"
	};

	return &support;
}

void fleet_each(const struct fleet *fleet, void (*fn)(void *arg, struct domain *domain), void *arg)
{
	for (size_t i = 0; i < 2; i++)
		fn(arg, &world.domains[i]);
}

const char *domain_get_name(const struct domain *d)
{
	return d->name;
}

const char *domain_state_name(enum domain_state state)
{
	return state == DOMAIN_UP ? "up" : "not up";
}

void domain_get_stats(const struct domain *d, struct domain_stats *ret)
{
	*ret = d->stats;
}

bool http_conn_tells_all(const struct http_conn *conn)
{
	return !world.is_closed;
}

void http_conn_answer(struct http_conn *conn, const struct http_reply *reply)
{
	world.status = reply->status;
	json_decref(world.answer);
	world.answer = json_loadb(reply->body, reply->body_len, 0, NULL);
	assert_non_null(world.answer);
	assert_string_equal(reply->content_type, "application/json");
}

/* ------------------------------------------------------------------------------------------------- */

static char name_one[] = "one";
static char name_two[] = "two";
static struct conf_domain conf_domains[] = { { .name = name_one, .required = true },
	{ .name = name_two } };
static const struct conf conf = { .domains = conf_domains, .n_domains = 2 };

static int set_up(void **unused)
{
	const struct domain_stats up = { .state = DOMAIN_UP, .n_processes = 1, .last_death = "" };

	world = (struct world){ .loop = loop_new_fake(),
		.domains = { { name_one, up, 3 }, { name_two, up, 4 } } };
	world.health = health_new(world.loop, NULL, &conf);
	health_get_routes(world.health, world.routes);
	return 0;
}

static int tear_down(void **unused)
{
	health_free(world.health);
	loop_free(world.loop);
	json_decref(world.answer);
	return 0;
}

static void get(const char *path)
{
	for (size_t i = 0; i < HEALTH_ROUTES; i++)
		if (streq(world.routes[i].path, path))
			assert_false(world.routes[i].head(world.routes[i].arg, NULL, NULL));
}

static const char *reason(size_t i)
{
	const char *text =
		json_string_value(json_array_get(json_object_get(world.answer, "reasons"), i));

	return text ? text : "";
}

static void test_health(void **unused)
{
	loop_fake_advance(world.loop, 90500);
	world.domains[0].stats.state = DOMAIN_PARKED;
	get("/health"); /* it lives, whatever its workers do */
	assert_int_equal(world.status, 200);
	assert_int_equal(json_integer_value(json_object_get(world.answer, "uptime_seconds")), 90);
	assert_int_equal(json_integer_value(json_object_get(world.answer, "sessions")), 7);
}

static void test_ready(void **unused)
{
	get("/ready");
	assert_int_equal(world.status, 200);
	assert_true(json_is_true(json_object_get(world.answer, "ready")));
	json_t *one = json_object_get(json_object_get(world.answer, "domains"), "one");
	assert_int_equal(json_integer_value(json_object_get(one, "tools")), 3);
	assert_string_equal(json_string_value(json_object_get(one, "state")), "up");
}

static void test_not_ready(void **unused)
{
	static const enum domain_state states[] = { DOMAIN_STARTING, DOMAIN_DOWN, DOMAIN_PARKED,
		DOMAIN_STOPPED };

	for (size_t i = 0; i < N_ELEMENTS(states); i++) {
		world.domains[0].stats.state = states[i];
		world.domains[0].stats.last_death = "exit status 1";
		get("/ready");
		assert_int_equal(world.status, 503);
		assert_memory_equal(reason(0), "one: ", 5);
		assert_int_equal(
			strstr(reason(0), "exit status 1") != NULL, states[i] != DOMAIN_STOPPED);
	}
}

/* Whoever has shown nothing learns yes or no, and nothing of what there is. */
static void test_a_closed_door(void **unused)
{
	world.is_closed = true;
	get("/health");
	assert_int_equal(world.status, 200);
	assert_int_equal(json_object_size(world.answer), 1);
	get("/ready");
	assert_int_equal(world.status, 200);
	assert_int_equal(json_object_size(world.answer), 1);
	assert_true(json_is_true(json_object_get(world.answer, "ready")));
	world.domains[0].stats.state = DOMAIN_DOWN;
	world.domains[0].stats.last_death = "exit status 1; its last words: secret";
	get("/ready");
	assert_int_equal(world.status, 503);
	assert_int_equal(json_object_size(world.answer), 1);
	assert_true(json_is_false(json_object_get(world.answer, "ready")));
}

/* As with all other reasons: what is not required keeps nobody from being ready. */
static void test_names_that_are_taken(void **unused)
{
	world.loser = name_one;
	get("/ready");
	assert_int_equal(world.status, 503);
	assert_string_equal(reason(0), "one: tool \"x\" is left out");
	world.loser = name_two;
	get("/ready");
	assert_int_equal(world.status, 200);
}

static void test_asleep_is_ready(void **unused)
{
	auto_strbuf text = { 0 };

	world.domains[0].stats.state = DOMAIN_ASLEEP;
	world.domains[0].stats.n_processes = 0;
	get("/ready");
	assert_int_equal(world.status, 200);
	health_add_summary(world.health, &text);
	assert_non_null(strstr(strbuf_get(&text), "2/2 domains up"));
	world.domains[0].n_tools = 0;
	get("/ready");
	assert_int_equal(world.status, 503);
}

static void test_without_tools_is_not_ready(void **unused)
{
	world.domains[0].n_tools = 0;
	get("/ready");
	assert_int_equal(world.status, 503);
	assert_non_null(strstr(reason(0), "no tools"));
}

static void test_who_is_not_required(void **unused)
{
	world.domains[1].stats.state = DOMAIN_PARKED;
	get("/ready");
	assert_int_equal(world.status, 200);
}

/* A reason that cannot be written is a reason all the same. */
static void test_words_that_are_no_text(void **unused)
{
	world.domains[0].stats.state = DOMAIN_PARKED;
	world.domains[0].stats.last_death = "caf\xe9";
	get("/ready");
	assert_int_equal(world.status, 503);
	assert_int_equal(json_array_size(json_object_get(world.answer, "reasons")), 1);
}

static void test_stopping(void **unused)
{
	health_set_stopping(world.health);
	get("/ready");
	assert_int_equal(world.status, 503);
	assert_non_null(strstr(reason(0), "stopping"));
}

/* Somebody wanted it so: that is no reason not to be ready. */
static void test_disabled(void **unused)
{
	auto_strbuf text = { 0 };

	world.domains[0].stats.state = DOMAIN_DISABLED;
	world.domains[0].n_tools = 0;
	get("/ready");
	assert_int_equal(world.status, 200);
	health_add_summary(world.health, &text);
	assert_non_null(strstr(strbuf_get(&text), "1/1 domains up"));
	assert_non_null(strstr(strbuf_get(&text), ", 1 domain disabled"));
}

static void test_summary(void **unused)
{
	auto_strbuf text = { 0 };

	world.domains[1].stats.state = DOMAIN_DOWN;
	health_add_summary(world.health, &text);
	assert_non_null(strstr(strbuf_get(&text), "1/2 domains up"));
	assert_non_null(strstr(strbuf_get(&text), "7 sessions"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_health),
		TEST(test_ready),
		TEST(test_not_ready),
		TEST(test_a_closed_door),
		TEST(test_names_that_are_taken),
		TEST(test_asleep_is_ready),
		TEST(test_without_tools_is_not_ready),
		TEST(test_who_is_not_required),
		TEST(test_words_that_are_no_text),
		TEST(test_stopping),
		TEST(test_disabled),
		TEST(test_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
