/* The fair queue: whose turn it is, what a session's calls count, held lanes, moving. */
#include "supervisor/fleet/fairq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"

static struct fairq *q;

static int set_up(void **unused)
{
	q = fairq_new();
	return 0;
}

static int tear_down(void **unused)
{
	struct request *request;

	while ((request = fairq_oldest(q))) {
		fairq_remove(q, request);
		request_free(request);
	}
	assert_int_equal(fairq_count(q), 0);
	assert_int_equal(fairq_bytes(q), 0);
	fairq_free(q);
	return 0;
}

static struct request *make(uint64_t no, uint64_t session)
{
	struct request *request = alloc_zero(sizeof(*request));

	request->no = no;
	request->session = session;
	request->len = 10;
	return request;
}

static struct request *add(uint64_t no, uint64_t session)
{
	struct request *request = make(no, session);

	fairq_add(q, request);
	return request;
}

/* A worker takes the next one; its number, 0 for none. */
static uint64_t next(struct request **ret)
{
	struct request *request = fairq_first(q);

	if (!request)
		return 0;
	fairq_take(q, request);
	*ret = request;
	return request->no;
}

/* The same, and it ends at once. */
static uint64_t run_one(void)
{
	struct request *request = NULL;
	uint64_t no = next(&request);

	request_free(request);
	return no;
}

static void test_one_session_keeps_its_order(void **unused)
{
	for (uint64_t no = 1; no <= 5; no++)
		add(no, 7);
	assert_int_equal(fairq_count(q), 5);
	assert_int_equal(fairq_bytes(q), 50);
	for (uint64_t no = 1; no <= 5; no++)
		assert_int_equal(run_one(), no);
	assert_int_equal(run_one(), 0);
}

/* 50 calls of one session, then one of another: that one waits for one call at most. */
static void test_a_first_call_does_not_wait_behind_many(void **unused)
{
	for (uint64_t no = 1; no <= 50; no++)
		add(no, 1);
	add(51, 2);
	assert_int_equal(run_one(), 1);
	assert_int_equal(run_one(), 51);
	assert_int_equal(run_one(), 2);
}

static void test_lanes_go_round(void **unused)
{
	static const uint64_t expected[] = { 1, 3, 5, 2, 4, 6 };

	for (uint64_t session = 1; session <= 3; session++) {
		add(2 * session - 1, session);
		add(2 * session, session);
	}
	for (size_t i = 0; i < N_ELEMENTS(expected); i++)
		assert_int_equal(run_one(), expected[i]);
}

static void test_fewest_running_first(void **unused)
{
	struct request *running[3] = { NULL };

	add(1, 1);
	add(2, 1);
	assert_int_equal(next(&running[0]), 1);
	assert_int_equal(next(&running[1]), 2);
	add(3, 1);
	add(4, 2);
	assert_int_equal(next(&running[2]), 4);
	add(5, 2); /* 2 has one running, 1 has two */
	assert_int_equal(fairq_first(q)->no, 5);
	assert_int_equal(fairq_count_running(q, 1), 2);
	assert_int_equal(fairq_count_running(q, 2), 1);
	request_free(running[0]);
	request_free(running[1]);
	assert_int_equal(fairq_first(q)->no, 3); /* 1 has none now */
	request_free(running[2]);
}

/* Sessions that ask once must not keep one that asks often from its turn. */
static void test_new_sessions_queue_up_behind_those_that_wait(void **unused)
{
	add(1, 1);
	add(2, 1);
	for (uint64_t session = 100; session < 110; session++)
		add(session, session);
	assert_int_equal(run_one(), 1);
	for (uint64_t no = 100; no < 110; no++) {
		assert_int_equal(run_one(), no);
		add(no + 1000, no + 1000);
	}
	assert_int_equal(run_one(), 2);
}

static void test_given_back(void **unused)
{
	struct request *first = NULL;

	add(1, 1);
	add(2, 1);
	assert_int_equal(next(&first), 1);
	fairq_add_first(q, first);
	assert_int_equal(fairq_count_running(q, 1), 0);
	assert_int_equal(fairq_oldest(q)->no, 1);
	assert_int_equal(fairq_after(fairq_oldest(q))->no, 2);
	assert_int_equal(run_one(), 1);
	assert_int_equal(run_one(), 2);
}

static void test_find_and_remove(void **unused)
{
	struct request *second;

	add(1, 1);
	second = add(2, 1);
	add(3, 2);
	assert_ptr_equal(fairq_find(q, 2), second);
	assert_null(fairq_find(q, 9));
	fairq_remove(q, second);
	request_free(second);
	assert_null(fairq_find(q, 2));
	assert_int_equal(fairq_count(q), 2);
}

static void test_a_held_lane_has_no_turn(void **unused)
{
	fairq_hold(q, 1, true);
	add(1, 1);
	assert_null(fairq_first(q));
	assert_int_equal(fairq_first_of(q, 1)->no, 1);
	add(2, 2);
	assert_int_equal(run_one(), 2);
	assert_int_equal(run_one(), 0);
	fairq_hold(q, 1, false);
	assert_int_equal(run_one(), 1);
	fairq_hold(q, 3, false); /* no such lane */
	assert_null(fairq_first_of(q, 3));
}

static void test_move(void **unused)
{
	struct request *running = NULL;

	add(1, 1);
	add(2, 1);
	assert_int_equal(next(&running), 1);
	fairq_move(q, 1, 257); /* the same bucket */
	assert_null(fairq_first_of(q, 1));
	assert_int_equal(fairq_first_of(q, 257)->no, 2);
	assert_int_equal(fairq_count_running(q, 257), 1);
	fairq_add_first(q, running); /* it died: it is one of the new session now */
	assert_int_equal(fairq_first_of(q, 257)->no, 1);
	fairq_move(q, 5, 6);
	fairq_move(q, 257, 257);
	assert_int_equal(fairq_count(q), 2);
}

static void test_move_to_one_that_waits(void **unused)
{
	struct request *running = NULL;

	add(1, 1);
	add(2, 1);
	add(3, 257);
	assert_int_equal(next(&running), 1);
	fairq_move(q, 1, 257);
	assert_int_equal(fairq_count_running(q, 257), 0);
	assert_int_equal(fairq_first_of(q, 257)->no, 3);
	fairq_add_first(q, running);
	assert_int_equal(run_one(), 1);
	assert_int_equal(run_one(), 3);
	assert_int_equal(run_one(), 2);
}

/* What still runs of the first one is the third one's in the end. */
static void test_move_twice(void **unused)
{
	struct request *running = NULL;

	add(1, 1);
	assert_int_equal(next(&running), 1);
	add(2, 2);
	fairq_move(q, 1, 2);
	fairq_move(q, 2, 3);
	fairq_add_first(q, running);
	assert_null(fairq_first_of(q, 2));
	assert_int_equal(fairq_first_of(q, 3)->no, 1);
	assert_int_equal(run_one(), 1);
	assert_int_equal(run_one(), 2);
}

/* Whatever happens in which order: all come out, each once, each session's in its order. */
static void test_random_schedules(void **unused)
{
	enum { SESSIONS = 300, CALLS = 20000, MAX_RUNNING = 8 };
	struct request *running[MAX_RUNNING] = { NULL };
	uint64_t last[SESSIONS] = { 0 };
	unsigned seed = 12345;
	unsigned n_running = 0;
	uint64_t n_done = 0;

	for (uint64_t no = 1; no <= CALLS || fairq_count(q) > 0;) {
		seed = seed * 1103515245 + 12345;
		if (no <= CALLS && (seed >> 16) % 2)
			add(no++, (seed >> 18) % SESSIONS);
		if (n_running == MAX_RUNNING || (n_running > 0 && (seed >> 17) % 2)) {
			unsigned i = (seed >> 20) % n_running;

			request_free(running[i]);
			running[i] = running[--n_running];
		} else if (fairq_first(q)) {
			struct request *request = fairq_first(q);

			fairq_take(q, request);
			assert_true(request->no > last[request->session]);
			last[request->session] = request->no;
			running[n_running++] = request;
			n_done++;
		}
	}
	while (n_running > 0)
		request_free(running[--n_running]);
	assert_int_equal(n_done, CALLS);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_one_session_keeps_its_order),
		TEST(test_a_first_call_does_not_wait_behind_many),
		TEST(test_lanes_go_round),
		TEST(test_fewest_running_first),
		TEST(test_new_sessions_queue_up_behind_those_that_wait),
		TEST(test_given_back),
		TEST(test_find_and_remove),
		TEST(test_a_held_lane_has_no_turn),
		TEST(test_move),
		TEST(test_move_to_one_that_waits),
		TEST(test_move_twice),
		TEST(test_random_schedules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
