/* The courier, and with it what it shares with the registrar (ops/aide): orders, their answers, and what becomes of
 * them when its process dies, hangs, or is not wanted any more. The process is a fake. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "supervisor/ops/courier.h"
#include "tests/unit/fake_process.h"

static struct courier *courier;
static struct strbuf heard; /* of answers: a word each */
static char text_none[] = "";
static char text_url[] = "http://collector";
static char text_file[] = "/etc/hostname";
static struct conf conf;

/* In the place of fleet/launch.c, where fake_process.c has none. */
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

static void on_answer(void *arg, const struct courier_answer *answer, const struct fail *fail)
{
	const char *name = arg;

	assert_true(!answer != !fail);
	if (fail)
		strbuf_addf(&heard, "%s:%d:%s ", name, fail->code, fail->text);
	else if (answer)
		strbuf_addf(&heard, "%s:%d:%.*s:%lld:%lld ", name, answer->status,
			(int)answer->body_len, answer->body, (long long)answer->max_age_s,
			(long long)answer->retry_after_s);
}

static const char *answers(void)
{
	static char text[4000];

	loop_settle(world.loop);
	(void)snprintf(text, sizeof(text), "%s", strbuf_get(&heard));
	strbuf_cut(&heard, 0);
	return text;
}

static void fetch(char *name)
{
	const struct courier_fetch ask = { .url = "http://a/\"x\"", .max_bytes = 1000 };

	courier_fetch(courier, &ask, on_answer, name);
}

static void post(char *name)
{
	const struct courier_post ask = { .url = "http://b/",
		.headers_file = "/h",
		.content_type = "application/json",
		.body = "{\"a\":1}",
		.body_len = 7,
		.timeout_ms = 5000 };

	courier_post(courier, &ask, on_answer, name);
}

static void come_to_life(void)
{
	turn();
	assert_has(peer_hears(), "\"method\":\"initialize\"");
	peer_says(NEW(""));
	assert_has(peer_hears(), "\"method\":\"tools/list\"");
	peer_says(ERROR("tools", "-32601", "no such method"));
}

static void use(char *url, char *file)
{
	conf.otlp.url = url;
	conf.otlp.headers_file = file;
	conf.otlp.ca_file = text_none;
	conf.auth.jwks_url = text_none;
	conf.auth.jwks_ca_file = text_none;
	courier_set_conf(courier, &conf);
	turn();
}

static int set_up_courier(void **unused)
{
	(void)set_up(unused);
	courier = courier_new(world.loop, NULL, "/nowhere");
	return 0;
}

static int tear_down_courier(void **unused)
{
	courier_free(courier);
	courier = NULL;
	strbuf_done(&heard);
	return tear_down(unused);
}

static void start_ready(void)
{
	use(text_url, text_none);
	come_to_life();
	(void)peer_hears();
}

static char one[] = "one";
static char two[] = "two";

/* --- orders ------------------------------------------------------------------------------------- */

static void test_an_order_and_its_answer(void **unused)
{
	const char *text;

	start_ready();
	fetch(one);
	text = peer_hears();
	assert_has(text, "\"method\":\"courier/fetch\",\"params\":{\"url\":\"http://a/\\\"x\\\"\","
			 "\"max_bytes\":1000}");
	post(two);
	text = peer_hears();
	assert_has(text, "\"method\":\"courier/post\"");
	assert_has(text, "\"headers_file\":\"/h\"");
	assert_has(text, "\"body\":\"{\\\"a\\\":1}\",\"timeout_ms\":5000");
	assert_string_equal(answers(), "");
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"status\":503,\"retry_after_s\":7}}");
	assert_string_equal(answers(), "two:503::-1:7 ");
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"status\":200,\"body\":\"a\\nb\","
		  "\"max_age_s\":60}}");
	assert_string_equal(answers(), "one:200:a\nb:60:0 ");
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"status\":200}}"); /* not twice */
	assert_string_equal(answers(), "");
}

static void test_what_cannot_be_done(void **unused)
{
	start_ready();
	fetch(one);
	(void)peer_hears();
	peer_says(
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"http://a: "
		"refused\"}}");
	assert_string_equal(answers(), "one:-121:http://a: refused ");
}

static void test_answers_that_cannot_be_read(void **unused)
{
	static const char *const results[] = { "{}", "{\"status\":99}", "{\"status\":1000}",
		"{\"status\":\"200\"}", "{\"status\":-200}", "{\"status\":200,\"body\":1}", "[]",
		"7", "{\"status\":200,\"status\":200}" };

	for (size_t i = 0; i < N_ELEMENTS(results); i++) {
		struct jspan span = { results[i], strlen(results[i]) };
		struct courier_answer answer;
		auto_strbuf body = { 0 };

		if (courier_read_answer(span, &answer, &body))
			fail_msg("accepted: %s", results[i]);
	}
	start_ready();
	fetch(one);
	(void)peer_hears();
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"status\":0}}");
	assert_string_equal(answers(), "one:-121:the courier gave an answer that cannot be read ");
}

static void test_numbers_out_of_range_count_as_none(void **unused)
{
	const char *text = "{\"status\":200,\"max_age_s\":99999999999,\"retry_after_s\":-1}";
	struct courier_answer answer;
	auto_strbuf body = { 0 };

	assert_true(courier_read_answer((struct jspan){ text, strlen(text) }, &answer, &body));
	assert_int_equal(answer.max_age_s, -1);
	assert_int_equal(answer.retry_after_s, 0);
	assert_string_equal(answer.body, "");
}

static void test_only_so_many_at_a_time(void **unused)
{
	start_ready();
	for (int i = 0; i < COURIER_MAX_ORDERS; i++)
		post(one);
	assert_string_equal(answers(), "");
	post(two);
	assert_string_equal(answers(), "two:-16:too many orders at a time; try again later ");
}

static void test_a_body_that_is_too_big(void **unused)
{
	auto_free char *body = alloc_zero(COURIER_MAX_BYTES + 1);
	struct courier_post ask = { .url = "http://b/", .body = body };

	start_ready();
	ask.body_len = COURIER_MAX_BYTES + 1;
	courier_post(courier, &ask, on_answer, one);
	assert_has(answers(), "one:-90:");
	assert_string_equal(peer_hears(), "");
}

/* --- the process -------------------------------------------------------------------------------- */

static void test_it_runs_while_there_is_a_use_for_it(void **unused)
{
	use(text_none, text_none);
	assert_int_equal(world.n_starts, 0);
	assert_int_equal(courier_get_pid(courier), 0);
	use(text_url, text_none);
	assert_int_equal(world.n_starts, 1);
	assert_int_equal(courier_get_pid(courier), 4711);
	come_to_life();
	use(text_none, text_none);
	loop_fake_advance(world.loop, 1000);
	end_process();
	loop_fake_advance(world.loop, 60000);
	assert_int_equal(world.n_starts, 1);
	use(text_url, text_none);
	assert_int_equal(world.n_starts, 2);
	come_to_life();
	assert_int_equal(courier_get_restarts(courier), 0);
}

/* Who waits for a process that never came up is told when none is wanted any more: the next one, maybe much later, is
 * not for an order of today. */
static void test_an_order_that_was_never_sent(void **unused)
{
	use(text_url, text_none);
	end_process();
	post(one);
	use(text_none, text_none);
	loop_fake_advance(world.loop, 1000);
	assert_string_equal(answers(), "one:-32:the courier is not wanted any more ");
	use(text_url, text_none);
	come_to_life();
	assert_null(strstr(peer_hears(), "courier/post"));
}

static void test_an_order_starts_it_too(void **unused)
{
	use(text_none, text_none);
	fetch(one);
	assert_int_equal(world.n_starts, 1);
	come_to_life();
	assert_has(peer_hears(), "courier/fetch");
}

static void test_other_files_need_another_process(void **unused)
{
	start_ready();
	post(one);
	(void)peer_hears();
	use(text_url, text_none);
	assert_int_equal(world.n_starts, 1);
	use(text_url, text_file);
	post(two); /* waits for the next process */
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"status\":200}}");
	assert_string_equal(answers(), "one:200::-1:0 ");
	assert_int_equal(world.n_starts, 1);
	loop_fake_advance(world.loop, 1000);
	end_process();
	loop_fake_advance(world.loop, 0);
	assert_int_equal(world.n_starts, 2);
	come_to_life();
	assert_has(peer_hears(), "\"id\":2,\"method\":\"courier/post\"");
	assert_int_equal(courier_get_restarts(courier), 0);
}

static void test_it_dies_with_orders(void **unused)
{
	start_ready();
	fetch(one);
	(void)peer_hears();
	end_process();
	assert_string_equal(
		answers(), "one:-32:the courier ended while it was at work; ask again ");
	post(two); /* comes before the next process is there */
	assert_string_equal(answers(), "");
	loop_fake_advance(world.loop, 1000);
	come_to_life();
	assert_has(peer_hears(), "courier/post");
	assert_int_equal(courier_get_restarts(courier), 1);
}

static void on_answer_again(void *arg, const struct courier_answer *answer, const struct fail *fail)
{
	on_answer(arg, answer, fail);
	post(two);
}

/* Whoever asks again from inside of the answer is not answered for ever. */
static void test_asked_again_from_inside(void **unused)
{
	const struct courier_fetch ask = { .url = "http://a/" };

	start_ready();
	courier_fetch(courier, &ask, on_answer_again, one);
	(void)peer_hears();
	end_process();
	assert_string_equal(
		answers(), "one:-32:the courier ended while it was at work; ask again ");
	courier_free(TAKE(courier));
	assert_string_equal(answers(), "two:-108:the fleet is stopping ");
}

static void test_a_process_that_cannot_be_kept_alive(void **unused)
{
	use(text_url, text_none);
	fetch(one);
	for (int i = 0; i < 20 && !strstr(strbuf_get(&heard), "one"); i++) {
		end_process();
		loop_fake_advance(world.loop, 40000);
		turn();
	}
	assert_has(answers(), "one:-32:");
}

static void test_it_hangs(void **unused)
{
	start_ready();
	fetch(one);
	(void)peer_hears();
	loop_fake_advance(world.loop, 15000);
	assert_has(peer_hears(), "\"method\":\"ping\"");
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
	loop_fake_advance(world.loop, 15000);
	assert_has(peer_hears(), "\"method\":\"ping\"");
	loop_fake_advance(world.loop, 29999);
	assert_int_equal(world.last_signal, 0);
	loop_fake_advance(world.loop, 1);
	assert_int_equal(world.last_signal, SIGKILL);
	end_process();
	assert_has(answers(), "one:-32:");
}

static void on_stopped(void *arg)
{
	strbuf_adds(&heard, "stopped ");
}

static void test_the_end(void **unused)
{
	start_ready();
	fetch(one);
	courier_stop(courier, on_stopped, NULL);
	assert_string_equal(answers(), "one:-108:the fleet is stopping ");
	loop_fake_advance(world.loop, 1000);
	end_process();
	assert_string_equal(answers(), "stopped ");
	fetch(two);
	assert_string_equal(answers(), "two:-108:the fleet is stopping ");
}

static void test_the_end_of_what_never_ran(void **unused)
{
	courier_stop(courier, on_stopped, NULL);
	assert_string_equal(answers(), "stopped ");
}

#undef TEST
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up_courier, tear_down_courier)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_order_and_its_answer),
		TEST(test_what_cannot_be_done),
		TEST(test_answers_that_cannot_be_read),
		TEST(test_numbers_out_of_range_count_as_none),
		TEST(test_only_so_many_at_a_time),
		TEST(test_a_body_that_is_too_big),
		TEST(test_it_runs_while_there_is_a_use_for_it),
		TEST(test_an_order_that_was_never_sent),
		TEST(test_an_order_starts_it_too),
		TEST(test_other_files_need_another_process),
		TEST(test_it_dies_with_orders),
		TEST(test_asked_again_from_inside),
		TEST(test_a_process_that_cannot_be_kept_alive),
		TEST(test_it_hangs),
		TEST(test_the_end),
		TEST(test_the_end_of_what_never_ran),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
