/* The loop, the real one and the fake: deferred calls, timers, signals. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/fd.h"
#include "supervisor/loop.h"

static struct world {
	struct loop *loop;
	struct strbuf story;
	struct timer *timer;
} world;

static int set_up(void **unused)
{
	(void)alarm(20);
	world = (struct world){ .loop = loop_new() };
	return 0;
}

static int set_up_fake(void **unused)
{
	world = (struct world){ .loop = loop_new_fake() };
	return 0;
}

static int tear_down(void **unused)
{
	timer_free(world.timer);
	loop_free(world.loop);
	strbuf_done(&world.story);
	return 0;
}

static void say(void *arg)
{
	strbuf_adds(&world.story, arg);
}

static void stop(void *arg)
{
	loop_stop(world.loop);
}

static void defer_again(void *arg)
{
	strbuf_adds(&world.story, "1");
	loop_defer(world.loop, say, (void *)(uintptr_t) "3");
}

/* Nothing else happens in this loop: it must not wait for an event first. */
static void test_deferred_before_the_first_turn(void **unused)
{
	loop_defer(world.loop, say, (void *)(uintptr_t) "deferred");
	loop_defer(world.loop, stop, NULL);
	assert_int_equal(loop_run(world.loop), 0);
	assert_string_equal(strbuf_get(&world.story), "deferred");
}

static void test_order_of_deferred(void **unused)
{
	loop_defer(world.loop, defer_again, NULL);
	loop_defer(world.loop, say, (void *)(uintptr_t) "2");
	loop_settle(world.loop);
	assert_string_equal(strbuf_get(&world.story), "123");
}

static void test_real_timer(void **unused)
{
	int64_t before_ms = loop_now_ms(world.loop);

	world.timer = timer_new(world.loop, stop, NULL);
	timer_start(world.timer, 1000000);
	timer_start(world.timer, 5); /* moved */
	assert_true(timer_is_running(world.timer));
	assert_int_equal(loop_run(world.loop), 0);
	assert_false(timer_is_running(world.timer));
	assert_true(loop_now_ms(world.loop) - before_ms >= 5);
	assert_true(loop_turns(world.loop) > 0);
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
	strbuf_addf(&world.story, "signal:%d", (int)signo);
	loop_stop(world.loop);
}

static void test_signal(void **unused)
{
	struct event *event = loop_on_signal(world.loop, SIGUSR1, on_signal, NULL);

	(void)raise(SIGUSR1);
	assert_int_equal(loop_run(world.loop), 0);
	assert_int_equal(strncmp(strbuf_get(&world.story), "signal:", 7), 0);
	ev_free(event);
	ev_free(NULL);
}

static void test_fake_time(void **unused)
{
	struct timer *other = timer_new(world.loop, say, (void *)(uintptr_t) "b");
	struct timer *never = timer_new(world.loop, say, (void *)(uintptr_t) "never");

	world.timer = timer_new(world.loop, say, (void *)(uintptr_t) "a");
	timer_start(world.timer, 20);
	timer_start(other, 10);
	timer_start(never, 15);
	timer_stop(never);
	loop_fake_advance(world.loop, 9);
	assert_int_equal(world.story.len, 0);
	loop_fake_advance(world.loop, 100);
	assert_string_equal(strbuf_get(&world.story), "ba");
	assert_int_equal(loop_now_ms(world.loop), 109);
	timer_free(other);
	timer_free(never);
	timer_free(NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	char byte;

	assert_int_equal(read(fd, &byte, 1), 1);
	strbuf_addc(&world.story, byte);
}

static void test_fake_turn(void **unused)
{
	int ends[2];

	assert_int_equal(fd_pipe(ends), 0);
	struct event *event =
		loop_watch(world.loop, ends[0], EV_READ | EV_PERSIST, on_readable, NULL);
	(void)event_add(event, NULL);
	loop_fake_turn(world.loop); /* does not wait */
	assert_int_equal(fd_write_all(ends[1], "x", 1), 0);
	loop_fake_turn(world.loop);
	assert_string_equal(strbuf_get(&world.story), "x");
	ev_free(event);
	(void)fd_close(ends[0]);
	(void)fd_close(ends[1]);
}

int main(void)
{
#define REAL(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
#define FAKE(fn) cmocka_unit_test_setup_teardown(fn, set_up_fake, tear_down)
	const struct CMUnitTest tests[] = {
		REAL(test_deferred_before_the_first_turn),
		REAL(test_order_of_deferred),
		REAL(test_real_timer),
		REAL(test_signal),
		FAKE(test_fake_time),
		FAKE(test_fake_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
