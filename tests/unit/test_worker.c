/* The life of a worker: every pair of state and event, compared with the picture in ARCHITECTURE.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/fd.h"
#include "shared/limits.h"
#include "supervisor/fleet/worker.h"

static int find_state(const char *name)
{
	for (int i = 0; i < WORKER_STATES; i++)
		if (streq(worker_state_name((enum worker_state)i), name))
			return i;
	return -1;
}

static int find_event(const char *name)
{
	for (int i = 0; i < WORKER_EVENTS; i++)
		if (streq(worker_event_name((enum worker_event)i), name))
			return i;
	return -1;
}

/* Fills picture[][] with the states that follow, -1 where nothing is drawn. */
static void read_picture(int picture[WORKER_STATES][WORKER_EVENTS])
{
	const char *srcdir = getenv("srcdir");
	auto_strbuf text = { 0 };
	auto_strbuf path = { 0 };
	char *save = NULL;
	int n_lines = 0;

	memset(picture, -1, sizeof(int) * WORKER_STATES * WORKER_EVENTS);
	strbuf_addf(&path, "%s/ARCHITECTURE.md", srcdir ? srcdir : ".");
	assert_int_equal(fd_read_file(path.data, MIB, &text), 0);
	char *at = strstr(text.data, "```states\n");
	assert_non_null(at);
	at += strlen("```states\n");
	char *end = strstr(at, "```");
	assert_non_null(end);
	*end = '\0';
	for (char *line = strtok_r(at, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char state[32], event[32], next[32];

		assert_int_equal(sscanf(line, "%31s %31s -> %31s", state, event, next), 3);
		int s = find_state(state);
		int e = find_event(event);
		assert_true(s >= 0 && e >= 0 && find_state(next) >= 0);
		assert_int_equal(picture[s][e], -1); /* drawn once */
		picture[s][e] = find_state(next);
		n_lines++;
	}
	assert_true(n_lines > 0);
}

static void test_table_is_the_picture(void **unused)
{
	int picture[WORKER_STATES][WORKER_EVENTS];

	read_picture(picture);
	for (int s = 0; s < WORKER_STATES; s++) {
		for (int e = 0; e < WORKER_EVENTS; e++) {
			int next = worker_next_state((enum worker_state)s, (enum worker_event)e);

			if (next != picture[s][e])
				fail_msg("%s on %s: the table says %d, the picture %d",
					worker_state_name((enum worker_state)s),
					worker_event_name((enum worker_event)e), next,
					picture[s][e]);
		}
	}
}

/* Whatever happens, a worker that was told to stop ends, and one that runs can be told to stop. */
static void test_stop_leads_to_down(void **unused)
{
	for (int s = 0; s < WORKER_STATES; s++) {
		int state = worker_next_state((enum worker_state)s, WORKER_EV_STOP);
		int steps = 0;

		assert_true(state >= 0);
		while (state != WORKER_DOWN) {
			int next = worker_next_state((enum worker_state)state, WORKER_EV_DEADLINE);

			if (next < 0)
				next = worker_next_state((enum worker_state)state, WORKER_EV_EXIT);
			assert_true(next >= 0);
			assert_true(++steps < WORKER_STATES);
			state = next;
		}
	}
}

/* A process can end at any moment that it runs. */
static void test_every_running_state_knows_exit(void **unused)
{
	for (int s = 0; s < WORKER_STATES; s++) {
		bool runs = s != WORKER_DOWN && s != WORKER_BACKOFF && s != WORKER_PARKED;

		assert_int_equal(
			worker_next_state((enum worker_state)s, WORKER_EV_EXIT) >= 0, runs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_is_the_picture),
		cmocka_unit_test(test_stop_leads_to_down),
		cmocka_unit_test(test_every_running_state_knows_exit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
