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

static int victim(int newcomer, enum shares_set set)
{
	const struct share_entry *entry =
		shares_find_victim(world.shares, &world.entries[newcomer], set);

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
	assert_int_equal(victim(5, SHARES_ALL), 1);
	shares_stop_waiting(world.shares, &world.entries[1]); /* it has asked */
	shares_leave(world.shares, &world.entries[3]);
	assert_int_equal(victim(5, SHARES_ALL), 2);
	shares_wait(world.shares, &world.entries[1]); /* and waits again, as the youngest */
	assert_int_equal(victim(5, SHARES_ALL), 2);
	shares_leave(world.shares, &world.entries[2]);
	assert_int_equal(victim(5, SHARES_ALL), 4);
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
	assert_int_equal(victim(2, SHARES_UNKNOWN), 1);
	assert_int_equal(victim(2, SHARES_ALL), 0);
	shares_note_known(world.shares, &world.entries[1]);
	assert_int_equal(victim(2, SHARES_UNKNOWN), -1); /* not the newcomer */
}

static void test_nobody_waits(void **unused)
{
	join(0, "192.0.2.1");
	join(1, "192.0.2.1");
	shares_stop_waiting(world.shares, &world.entries[0]);
	assert_int_equal(victim(1, SHARES_ALL), -1);
}

enum { MANY = 200, ADDRESSES = 17 };

static struct share_entry many[MANY];

/* The plain way: a look at each that there is. */
static const struct share_entry *look_for_victim(enum shares_set set)
{
	const struct share_entry *oldest[ADDRESSES] = { 0 };
	const struct share_entry *victim = NULL;
	unsigned n[ADDRESSES] = { 0 };
	unsigned most = 0;

	for (int i = 0; i < MANY; i++) {
		const struct share_entry *entry = &many[i];
		int of = i % ADDRESSES;

		if (!entry->share || !entry->is_waiting ||
			(set == SHARES_UNKNOWN && entry->is_known))
			continue;
		n[of]++;
		if (!oldest[of] || entry->turn < oldest[of]->turn)
			oldest[of] = entry;
	}
	for (int of = 0; of < ADDRESSES; of++)
		if (n[of] > most ||
			(n[of] == most && n[of] > 0 && oldest[of]->turn < victim->turn)) {
			most = n[of];
			victim = oldest[of];
		}
	return victim;
}

static void do_anything(struct shares *shares, int i, unsigned what)
{
	const struct client_addr addr = {
		.ip = { [10] = 0xff, 0xff, 10, 0, 0, (uint8_t)(i % ADDRESSES) }
	};

	if (!many[i].share)
		shares_join(shares, &many[i], &addr);
	else if (what == 0)
		shares_leave(shares, &many[i]);
	else if (what == 1)
		shares_note_known(shares, &many[i]);
	else if (what % 2 == 0)
		shares_wait(shares, &many[i]);
	else
		shares_stop_waiting(shares, &many[i]);
}

static void test_any_order(void **unused)
{
	struct shares *shares = shares_new();
	uint32_t dice = 1;

	for (int i = 0; i < 20000; i++) {
		dice = dice * 1664525 + 1013904223;
		do_anything(shares, (int)(dice >> 16) % MANY, dice >> 10 & 7);
		for (int set = 0; set < SHARES_SETS; set++)
			assert_ptr_equal(shares_find_victim(shares, NULL, (enum shares_set)set),
				look_for_victim((enum shares_set)set));
	}
	for (int i = 0; i < MANY; i++)
		shares_leave(shares, &many[i]);
	assert_int_equal(shares_count_unknown(shares), 0);
	assert_null(shares_find_victim(shares, NULL, SHARES_ALL));
	shares_free(shares);
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
	assert_int_equal(victim(3, SHARES_ALL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_oldest_of_who_has_most),
		TEST(who_is_known),
		TEST(nobody_waits),
		TEST(networks),
		TEST(any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
