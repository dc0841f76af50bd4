/* A worker from start to end: what becomes of its calls, and when it is killed. */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "tests/unit/fake_process.h"

static void test_calls(void **unused)
{
	start(true);
	assert_true(worker_has_room(world.worker));
	call(1);
	assert_false(worker_has_room(world.worker));
	assert_string_equal(peer_hears(), "{\"call\":1}\n");
	peer_says(
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1}}");
	peer_says(
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":2}}");
	answer(1);
	answer(1);
	answer(7);
	assert_string_equal(story(), "progress:1 answered:1 freed ");
	assert_true(worker_is_idle(world.worker));
}

static void test_cancelled_call_that_ends(void **unused)
{
	start(true);
	call(1);
	(void)peer_hears();
	assert_true(worker_cancel(world.worker, 1, "why \"so\""));
	assert_false(worker_cancel(world.worker, 2, "none"));
	const char *text = peer_hears();

	assert_non_null(strstr(text, "\"requestId\":1,\"reason\":\"why \\\"so\\\"\""));
	assert_non_null(strstr(text, "\"id\":\"probe-1\",\"method\":\"ping\""));
	assert_false(worker_has_room(world.worker));
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":\"probe-1\",\"result\":{}}");
	assert_string_equal(story(), "freed ");
	loop_fake_advance(world.loop, 10000);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
}

/* A server of other make answers the probe beside its call, which may go on. */
static void test_cancelled_calls_that_may_still_run(void **unused)
{
	uint64_t session = 1;

	start(false);
	assert_int_equal(worker_count_unsure(world.worker, &session), 0);
	assert_int_equal(session, 0);
	call_of(1, 7);
	call_of(2, 7);
	call_of(3, 8);
	(void)worker_cancel(world.worker, 1, "test");
	assert_int_equal(worker_count_unsure(world.worker, &session), 1);
	peer_says(RESULT("probe-1", "{}"));
	assert_int_equal(worker_count_calls(world.worker), 2);
	assert_int_equal(worker_count_unsure(world.worker, &session), 1);
	(void)worker_cancel(world.worker, 2, "test");
	assert_int_equal(worker_count_unsure(world.worker, &session), 2);
	assert_int_equal(session, 7);
	peer_says(RESULT("probe-2", "{}"));
	loop_fake_advance(world.loop, 1000);
	(void)worker_cancel(world.worker, 3, "test");
	peer_says(RESULT("probe-3", "{}"));
	assert_int_equal(worker_count_unsure(world.worker, &session), 3);
	assert_int_equal(session, 0);
	answer(1); /* it did not listen, and is over */
	answer(9);
	assert_int_equal(worker_count_unsure(world.worker, &session), 2);
	loop_fake_advance(world.loop, 1000); /* cancel_grace of two of them */
	assert_int_equal(worker_count_unsure(world.worker, &session), 1);
	assert_int_equal(session, 8);
	(void)story();
	end_process();
	assert_int_equal(worker_count_unsure(world.worker, &session), 0);
	assert_int_equal(session, 0);
}

/* However many are cancelled, little is kept of them, and none is forgotten too early. */
static void test_many_calls_that_may_still_run(void **unused)
{
	uint64_t session;

	start(false);
	for (int no = 1; no <= 200; no++) {
		auto_free char *probe = alloc_printf(RESULT("probe-%d", "{}"), no);

		call_of((uint64_t)no, no == 100 ? 8 : 7);
		(void)worker_cancel(world.worker, (uint64_t)no, "test");
		peer_says(probe);
		(void)peer_hears();
		assert_in_range(worker_count_unsure(world.worker, &session), 1, 64);
		assert_int_equal(session, no < 100 ? 7 : 0);
		if (no == 150)
			loop_fake_advance(world.loop, 1000);
	}
	loop_fake_advance(world.loop, 1999);
	assert_int_equal(worker_count_unsure(world.worker, &session), 1);
	loop_fake_advance(world.loop, 1);
	assert_int_equal(worker_count_unsure(world.worker, &session), 0);
}

/* What nobody has asked for ends no call. */
static void test_probes_out_of_nothing(void **unused)
{
	start(false);
	call(0);
	call(1);
	peer_says(RESULT("probe-templates", "{}"));
	peer_says(RESULT("probe-", "{}"));
	peer_says(RESULT("probe- 1", "{}"));
	peer_says(RESULT("probe-1", "{}"));
	assert_int_equal(worker_count_calls(world.worker), 2);
	answer(0);
	answer(1);
	assert_string_equal(story(), "answered:0 freed answered:1 freed ");
}

static void test_cancelled_call_that_goes_on(void **unused)
{
	start(true);
	call(1);
	(void)worker_cancel(world.worker, 1, "test");
	loop_fake_advance(world.loop, 1999);
	assert_int_equal(world.last_signal, 0);
	loop_fake_advance(world.loop, 1);
	assert_int_equal(world.last_signal, SIGKILL);
	loop_fake_advance(world.loop, 10000); /* nothing more while it is not reaped */
	assert_string_equal(story(), "killed ");
	end_process();
	assert_non_null(strstr(worker_get_last_end(world.worker), "cancel_grace"));
	(void)story();
	loop_fake_advance(world.loop, 2000);
	assert_int_equal(world.n_starts, 2);
}

static void test_health(void **unused)
{
	start(true);
	(void)peer_hears();
	loop_fake_advance(world.loop, 30000);
	assert_non_null(strstr(peer_hears(), "\"id\":\"ping\""));
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":\"ping\",\"result\":{}}");
	loop_fake_advance(world.loop, 20000);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
	loop_fake_advance(world.loop, 30000);
	assert_int_equal(worker_get_state(world.worker), WORKER_KILLED);
}

static void test_busy_is_not_pinged(void **unused)
{
	start(true);
	call(1);
	(void)peer_hears();
	loop_fake_advance(world.loop, 200000);
	assert_string_equal(peer_hears(), "");
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
}

static void test_last_answers_count(void **unused)
{
	start(false);
	call(1);
	call(2);
	assert_true(send(world.peer, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n", 38, 0) > 0);
	end_process(); /* before the loop has read it */
	assert_string_equal(story(), "answered:2 freed backoff lost call:1 ");
}

static void test_dies_while_it_serves(void **unused)
{
	start(true);
	call(1);
	answer(1);
	end_process();
	(void)story();
	loop_fake_advance(world.loop, 0); /* replaced at once */
	assert_string_equal(story(), "starting ");
	become_ready();
}

static void test_dies_before_it_is_ready(void **unused)
{
	make_worker(true);
	worker_start(world.worker);
	for (int i = 0; i < 2; i++) {
		end_process();
		assert_int_equal(worker_get_state(world.worker), WORKER_BACKOFF);
		loop_fake_advance(world.loop, 2000);
		assert_int_equal(worker_get_state(world.worker), WORKER_STARTING);
	}
	assert_int_equal(fd_write_all(world.peer_err, "bad luck\n", 9), 0);
	end_process();
	assert_int_equal(worker_get_state(world.worker), WORKER_PARKED);
	assert_string_equal(
		worker_get_last_end(world.worker), "it ended; its last words: bad luck");
	loop_fake_advance(world.loop, 120000);
	assert_int_equal(worker_get_state(world.worker), WORKER_KILLED); /* start_timeout */
}

static void test_cannot_start(void **unused)
{
	make_worker(true);
	world.start_result = -ENOENT;
	worker_start(world.worker);
	loop_settle(world.loop);
	assert_int_equal(worker_get_state(world.worker), WORKER_PARKED);
	assert_non_null(strstr(worker_get_last_end(world.worker), "/bin/fake"));
	world.start_result = -EMFILE; /* passes: tried again soon */
	worker_start(world.worker);
	loop_settle(world.loop);
	assert_int_equal(worker_get_state(world.worker), WORKER_BACKOFF);
	world.start_result = 0;
	loop_fake_advance(world.loop, 2000);
	become_ready();
}

static void test_stop_while_the_start_fails(void **unused)
{
	make_worker(true);
	world.start_result = -ENOENT;
	worker_start(world.worker);
	worker_stop(world.worker, 0);
	loop_settle(world.loop);
	assert_int_equal(worker_get_state(world.worker), WORKER_DOWN);
}

static void test_start_takes_too_long(void **unused)
{
	make_worker(true);
	worker_start(world.worker);
	loop_fake_advance(world.loop, 10000);
	assert_int_equal(world.last_signal, SIGKILL);
	end_process();
	assert_non_null(strstr(worker_get_last_end(world.worker), "start_timeout"));
}

static void test_stop_lets_calls_end(void **unused)
{
	char byte;

	start(true);
	call(1);
	(void)peer_hears();
	worker_stop(world.worker, 5000);
	assert_false(worker_has_room(world.worker));
	answer(1);
	assert_string_equal(story(), "draining answered:1 stopping ");
	assert_int_equal(recv(world.peer, &byte, 1, 0), 0); /* its input has ended */
	end_process();
	assert_string_equal(story(), "down lost ");
}

static void test_stop_goes_further_each_time(void **unused)
{
	start(true);
	call(1);
	worker_stop(world.worker, 5000);
	loop_fake_advance(world.loop, 5000);
	assert_int_equal(world.last_signal, SIGKILL);
	end_process();
	assert_string_equal(story(), "draining ending down lost call:1 ");
	worker_start(world.worker);
	become_ready();
	worker_stop(world.worker, 0);
	loop_fake_advance(world.loop, 1000);
	assert_int_equal(world.last_signal, SIGTERM);
	loop_fake_advance(world.loop, 1000);
	assert_int_equal(world.last_signal, SIGKILL);
	end_process();
	assert_int_equal(worker_get_state(world.worker), WORKER_DOWN);
}

static void test_ahead(void **unused)
{
	struct request_list back = TAILQ_HEAD_INITIALIZER(back);

	start(true);
	for (int no = 1; no < 100 && !worker_takes_ahead(world.worker); no++) {
		call((uint64_t)no); /* it has to show that it is fast */
		answer(no);
		call(1000);
		if (worker_takes_ahead(world.worker))
			break;
		answer(1000);
	}
	assert_true(worker_takes_ahead(world.worker));
	call(1001);
	call(1002);
	assert_true(worker_has_ahead(world.worker));
	assert_int_equal(worker_take_back(world.worker, 1000000, &back), 0);
	(void)usleep(6000); /* the age of a running call is real time */
	assert_false(worker_takes_ahead(world.worker));
	(void)worker_cancel(world.worker, 1002, "test");
	assert_int_equal(worker_take_back(world.worker, 1, &back), 1); /* the other is forgotten */
	struct request *request = TAILQ_FIRST(&back);
	assert_int_equal(request->no, 1001);
	assert_false(request->ahead);
	request_free(request);
	assert_false(worker_has_ahead(world.worker));
	assert_int_equal(worker_count_calls(world.worker), 1);
}

/* --- requests of the stateless revision */

static void start_both(void)
{
	start_process_of(false);
	peer_says(NEW(TOOLS));
	peer_says(DISCOVERED(""));
	peer_says(ONE_TOOL);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
}

static void call_with(const char *envelope, bool is_modern)
{
	struct request *request = alloc_zero(sizeof(*request));

	request->no = 1;
	request->line = alloc_str("{\"params\":{}}");
	request->len = strlen(request->line);
	request->meta_at = 11;
	request->envelope = envelope ? alloc_str(envelope) : NULL;
	request->is_modern = is_modern;
	(void)peer_hears();
	assert_int_equal(worker_call(world.worker, request), 0);
}

static void test_envelope(void **unused)
{
	static const struct {
		bool takes_legacy, takes_modern, is_modern;
		const char *line;
	} cases[] = {
		{ true, false, false, "{\"params\":{}}\n" },
		{ true, false, true, "{\"params\":{}}\n" },
		{ true, true, false, "{\"params\":{}}\n" },
		{ true, true, true, "{\"params\":{E}}\n" },
		{ false, true, false, "{\"params\":{E}}\n" },
		{ false, true, true, "{\"params\":{E}}\n" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		if (!cases[i].takes_legacy)
			start_modern(TOOLS);
		else if (cases[i].takes_modern)
			start_both();
		else
			start(false);
		call_with("E", cases[i].is_modern);
		assert_string_equal(peer_hears(), cases[i].line);
		(void)tear_down(NULL);
		(void)set_up(NULL);
	}
}

static void test_modern_health_and_cancellation(void **unused)
{
	start_modern(TOOLS);
	(void)peer_hears();
	loop_fake_advance(world.loop, 30000);
	const char *text = peer_hears();

	assert_has(text, "\"id\":\"ping\",\"method\":\"server/discover\",\"params\":{\"_meta\":{");
	peer_says(RESULT("ping", "{}"));
	call(1);
	(void)peer_hears();
	assert_true(worker_cancel(world.worker, 1, "why"));
	text = peer_hears();
	assert_has(text, "\"notifications/cancelled\",\"params\":{\"requestId\":1,");
	assert_has(text, "\"id\":\"probe-1\",\"method\":\"server/discover\"");
	peer_says(RESULT("probe-1", "{}"));
	assert_string_equal(story(), "freed ");
	loop_fake_advance(world.loop, 10000);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
}

static void test_modern_does_not_answer_for_its_health(void **unused)
{
	start_modern(TOOLS);
	loop_fake_advance(world.loop, 35000);
	assert_killed_for("it did not answer a health ping");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_calls),
		TEST(test_cancelled_call_that_ends),
		TEST(test_probes_out_of_nothing),
		TEST(test_cancelled_calls_that_may_still_run),
		TEST(test_many_calls_that_may_still_run),
		TEST(test_cancelled_call_that_goes_on),
		TEST(test_health),
		TEST(test_busy_is_not_pinged),
		TEST(test_last_answers_count),
		TEST(test_dies_while_it_serves),
		TEST(test_dies_before_it_is_ready),
		TEST(test_cannot_start),
		TEST(test_stop_while_the_start_fails),
		TEST(test_start_takes_too_long),
		TEST(test_stop_lets_calls_end),
		TEST(test_stop_goes_further_each_time),
		TEST(test_ahead),
		TEST(test_envelope),
		TEST(test_modern_health_and_cancellation),
		TEST(test_modern_does_not_answer_for_its_health),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
