/* Whose connection goes when there is no room for another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/front/shares.h"

enum { N = 8 };

static struct {
	struct shares *shares;
	struct share_entry entries[N];
} world;

static int setup(void **unused)
{
	world.shares = shares_new();
	return 0;
}

static int teardown(void **unused)
{
	for (int i = 0; i < N; i++)
		shares_leave(world.shares, &world.entries[i]);
	assert_int_equal(shares_count_unknown(world.shares), 0);
	shares_free(world.shares);
	return 0;
}

static void join(int i, const char *text)
{
	struct client_addr addr;

	assert_int_equal(
		client_addr_parse((struct span){ .at = text, .len = strlen(text) }, &addr), 0);
	shares_join(world.shares, &world.entries[i], &addr);
}

static int victim(int newcomer, bool only_unknown)
{
	const struct share_entry *entry =
		shares_find_victim(world.shares, &world.entries[newcomer], only_unknown);

	return entry ? (int)(entry - world.entries) : -1;
}

static void test_the_oldest_of_who_has_most(void **unused)
{
	join(0, "192.0.2.1");
	join(1, "192.0.2.2");
	join(2, "192.0.2.2:81");
	join(3, "192.0.2.1");
	join(4, "192.0.2.2");
	join(5, "192.0.2.3");
	assert_int_equal(victim(5, false), 1);
	shares_stop_waiting(world.shares, &world.entries[1]); /* it has asked */
	shares_leave(world.shares, &world.entries[3]);
	assert_int_equal(victim(5, false), 2);
	shares_wait(world.shares, &world.entries[1]); /* and waits again, as the youngest */
	assert_int_equal(victim(5, false), 2);
	shares_leave(world.shares, &world.entries[2]);
	assert_int_equal(victim(5, false), 4);
}

static void test_who_is_known(void **unused)
{
	join(0, "192.0.2.1");
	join(1, "192.0.2.1");
	join(2, "192.0.2.2");
	assert_int_equal(shares_count_unknown(world.shares), 3);
	shares_note_known(world.shares, &world.entries[0]);
	shares_note_known(world.shares, &world.entries[0]);
	assert_int_equal(shares_count_unknown(world.shares), 2);
	assert_int_equal(victim(2, true), 1);
	assert_int_equal(victim(2, false), 0);
	shares_note_known(world.shares, &world.entries[1]);
	assert_int_equal(victim(2, true), -1); /* not the newcomer */
}

static void test_nobody_waits(void **unused)
{
	join(0, "192.0.2.1");
	join(1, "192.0.2.1");
	shares_stop_waiting(world.shares, &world.entries[0]);
	assert_int_equal(victim(1, false), -1);
}

/* One network of 64 bits is one address; IPv4 is not. */
static void test_networks(void **unused)
{
	static const struct {
		const char *text;
		const char *key;
	} cases[] = { { "192.0.2.7", "192.0.2.7" }, { "2001:db8:1:2:3::4", "2001:db8:1:2::/64" },
		{ "::1", "::1" } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct client_addr addr;
		char key[SHARES_KEY_SIZE];

		assert_int_equal(client_addr_parse((struct span){ .at = cases[i].text,
							   .len = strlen(cases[i].text) },
					 &addr),
			0);
		assert_string_equal(shares_key_text(&addr, key), cases[i].key);
	}
	join(0, "2001:db8::1");
	join(1, "2001:db8::2");
	join(2, "192.0.2.1");
	join(3, "192.0.2.2");
	assert_int_equal(victim(3, false), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_oldest_of_who_has_most),
		TEST(who_is_known),
		TEST(nobody_waits),
		TEST(networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
