/* Timers of the fake loop, and queues of equal deadlines on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/strbuf.h"
#include "supervisor/expiry.h"

struct thing {
	struct expiry_entry entry;
	char name;
};

static struct strbuf expired;

static void on_expired(struct expiry_entry *entry, void *arg)
{
	struct thing *thing = (struct thing *)(void *)entry;

	assert_false(expiry_has(entry));
	strbuf_addc(arg, thing->name);
}

static void test_order_and_restart(void **unused)
{
	struct loop *loop = loop_new_fake();
	struct expiry *expiry = expiry_new(loop, 100, on_expired, &expired);
	struct thing a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' };

	loop_fake_advance(loop, 1);
	expiry_add(expiry, &a.entry);
	loop_fake_advance(loop, 50);
	expiry_add(expiry, &b.entry);
	expiry_add(expiry, &c.entry);
	loop_fake_advance(loop, 49);
	assert_string_equal(strbuf_get(&expired), "");
	expiry_add(expiry, &a.entry); /* starts anew */
	expiry_remove(expiry, &c.entry);
	expiry_remove(expiry, &c.entry); /* not in it: nothing */
	loop_fake_advance(loop, 51);
	assert_string_equal(strbuf_get(&expired), "b");
	loop_fake_advance(loop, 49);
	assert_string_equal(strbuf_get(&expired), "ba");
	loop_fake_advance(loop, 1000);
	assert_string_equal(strbuf_get(&expired), "ba");
	expiry_free(expiry);
	loop_free(loop);
	strbuf_done(&expired);
}

/* The timer that still runs for what has left must not make the next one late. */
static void test_a_shorter_time_for_an_empty_queue(void **unused)
{
	struct loop *loop = loop_new_fake();
	struct expiry *expiry = expiry_new(loop, 1000, on_expired, &expired);
	struct thing a = { .name = 'a' };

	expiry_add(expiry, &a.entry);
	assert_false(expiry_is_empty(expiry));
	expiry_remove(expiry, &a.entry);
	assert_true(expiry_is_empty(expiry));
	expiry_set_after(expiry, 10);
	expiry_add(expiry, &a.entry);
	loop_fake_advance(loop, 20);
	assert_string_equal(strbuf_get(&expired), "a");
	expiry_free(expiry);
	loop_free(loop);
	strbuf_done(&expired);
}

static void test_many_at_once(void **unused)
{
	enum { MANY = 1000 };
	static struct thing things[MANY];
	struct loop *loop = loop_new_fake();
	struct expiry *expiry = expiry_new(loop, 10, on_expired, &expired);

	loop_fake_advance(loop, 1);
	for (int i = 0; i < MANY; i++) {
		things[i].name = 'x';
		expiry_add(expiry, &things[i].entry);
	}
	loop_fake_advance(loop, 10);
	assert_int_equal(expired.len, MANY);
	expiry_free(expiry);
	loop_free(loop);
	strbuf_done(&expired);
}

static void add_letter(void *arg)
{
	strbuf_addc(&expired, *(const char *)arg);
}

static void test_timers_and_deferred(void **unused)
{
	static char x = 'x', y = 'y', z = 'z';
	struct loop *loop = loop_new_fake();
	struct timer *slow = timer_new(loop, add_letter, &x);
	struct timer *fast = timer_new(loop, add_letter, &y);

	timer_start(slow, 20);
	timer_start(fast, 10);
	loop_defer(loop, add_letter, &z);
	loop_fake_advance(loop, 30);
	assert_string_equal(strbuf_get(&expired), "zyx");
	assert_false(timer_is_running(slow));
	timer_start(slow, 5);
	timer_stop(slow);
	loop_fake_advance(loop, 10);
	assert_string_equal(strbuf_get(&expired), "zyx");
	timer_free(slow);
	timer_free(fast);
	loop_free(loop);
	strbuf_done(&expired);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_restart),
		cmocka_unit_test(test_a_shorter_time_for_an_empty_queue),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_timers_and_deferred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
