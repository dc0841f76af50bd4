/* Whose a session is: its owner with newer rights is let in and renews them, everybody else is refused and counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/log.h"
#include "supervisor/front/owner.h"
#include "supervisor/stats.h"

static struct world {
	struct loop *loop;
	struct sessions *sessions;
} world;

static const struct conf_limits limits = {
	.sessions = 9, .session_idle_ms = 1000, .sweep_ms = 1000
};
static const struct sink_ops ops = { .name = "test" };

static void on_closed(void *arg, struct session *session)
{
}

static int set_up(void **unused)
{
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	stats_reset();
	world.loop = loop_new_fake();
	world.sessions = sessions_new(world.loop, &limits, on_closed, NULL);
	return 0;
}

static int tear_down(void **unused)
{
	sessions_free(world.sessions);
	loop_settle(world.loop);
	loop_free(world.loop);
	return 0;
}

static struct session *open_session(const char *identity)
{
	auto_(principal_unrefp) struct principal *principal =
		identity ? principal_new(PRINCIPAL_KEY, identity, identity) : NULL;
	const struct caller caller = { .principal = principal, .address = "192.0.2.1" };
	struct session *session = session_open(world.sessions, &ops, NULL, NULL);

	session_set_caller(session, &caller);
	return session;
}

static bool admit(struct session *session, const char *identity)
{
	auto_(principal_unrefp) struct principal *principal =
		identity ? principal_new(PRINCIPAL_KEY, identity, identity) : NULL;
	const struct caller caller = { .principal = principal, .address = "192.0.2.2" };

	return owner_admit(session, &caller);
}

static void test_same_identity_renews(void **unused)
{
	struct session *session = open_session("key:ci");
	auto_(principal_unrefp) struct principal *newer =
		principal_new(PRINCIPAL_KEY, "ci", "key:ci");
	const struct caller caller = { .principal = newer, .address = "192.0.2.9" };

	assert_ptr_not_equal(session_get_principal(session), newer);
	assert_true(owner_admit(session, &caller));
	assert_ptr_equal(session_get_principal(session), newer);
	assert_string_equal(session_get_address(session), "192.0.2.9");
	assert_int_equal(stats_get_refusal(STATS_REFUSED_FOREIGN_SESSION), 0);
	session_gone(session);
}

static void test_others_are_refused(void **unused)
{
	struct session *session = open_session("key:ci");
	struct session *nobodys = open_session(NULL);
	struct principal *owner = session_get_principal(session);

	assert_false(admit(session, "key:CI"));
	assert_false(admit(session, "key:c"));
	assert_false(admit(session, "key:ci2"));
	assert_false(admit(session, ""));
	assert_false(admit(session, NULL));
	assert_false(admit(nobodys, "key:ci")); /* opened before credentials were wanted */
	assert_int_equal(stats_get_refusal(STATS_REFUSED_FOREIGN_SESSION), 6);
	assert_ptr_equal(session_get_principal(session), owner);
	assert_string_equal(session_get_address(session), "192.0.2.1");
	assert_true(admit(nobodys, NULL));
	session_gone(session);
	session_gone(nobodys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_identity_renews, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_others_are_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
