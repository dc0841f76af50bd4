/* What the service manager hears, over a datagram socket of our own in its place, and the sockets
 * that it hands over. */
#include "supervisor/ops/notify.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <cmocka.h>

#include "shared/alloc.h"

#ifdef HAVE_SYSTEMD

enum { FIRST_PASSED = 3 };

static char folder[] = "/tmp/test_notify.XXXXXX";
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int manager = -1;

static int setup_manager(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", folder);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return manager < 0 || bind(manager, (const struct sockaddr *)&address, sizeof(address)) < 0;
}

static int teardown_manager(void **state)
{
	(void)close(manager);
	return unlink(address.sun_path) || rmdir(folder);
}

static int listen_to_manager(void **state)
{
	return setenv("NOTIFY_SOCKET", address.sun_path, 1);
}

/* The next message, or "" when there is none. */
static const char *heard(void)
{
	static char text[512];
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void test_states(void **state)
{
	notify_ready("2/2 domains up, 47 tools");
	assert_string_equal(heard(), "READY=1\nSTATUS=2/2 domains up, 47 tools");
	notify_status("1/2 domains up");
	assert_string_equal(heard(), "STATUS=1/2 domains up");
	notify_stopping("waiting for 3 calls");
	assert_string_equal(heard(), "STOPPING=1\nSTATUS=waiting for 3 calls");
	notify_watchdog();
	assert_string_equal(heard(), "WATCHDOG=1");
	assert_string_equal(heard(), "");
}

/* A status must not forge another variable. */
static void test_status_is_one_line(void **state)
{
	notify_status("bad\nMAINPID=1\r");
	assert_string_equal(heard(), "STATUS=bad MAINPID=1 ");
	notify_status(NULL);
	assert_string_equal(heard(), "STATUS=");
}

static void test_reloading(void **state)
{
	struct timespec before;
	struct timespec after;
	static const char head[] = "RELOADING=1\nMONOTONIC_USEC=";
	long long usec;
	const char *text;
	char *end = NULL;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &before), 0);
	notify_reloading();
	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &after), 0);
	text = heard();
	assert_memory_equal(text, head, strlen(head));
	usec = strtoll(text + strlen(head), &end, 10);
	assert_string_equal(end, "");
	assert_true(usec >= (long long)before.tv_sec * 1000000 + before.tv_nsec / 1000);
	assert_true(usec <= (long long)after.tv_sec * 1000000 + after.tv_nsec / 1000);
}

static void test_no_manager(void **state)
{
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	notify_ready("x");
	notify_watchdog();
	assert_string_equal(heard(), "");
}

/* Nobody reads there any more: nothing happens to us. */
static void test_dead_manager(void **state)
{
	assert_int_equal(setenv("NOTIFY_SOCKET", "/tmp/test_notify.absent", 1), 0);
	notify_ready("x");
	notify_reloading();
	assert_string_equal(heard(), "");
}

static void test_watchdog_interval(void **state)
{
	static const struct {
		const char *usec;
		int64_t ms;
	} cases[] = { { "30000000", 15000 }, { "2000", 1 }, { "100", 1 }, { "abc", 0 } };

	assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
	assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
	assert_int_equal(notify_watchdog_ms(), 0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		assert_int_equal(setenv("WATCHDOG_USEC", cases[i].usec, 1), 0);
		assert_int_equal(notify_watchdog_ms(), cases[i].ms);
	}
	/* Meant for another process. */
	assert_int_equal(setenv("WATCHDOG_USEC", "30000000", 1), 0);
	assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
	assert_int_equal(notify_watchdog_ms(), 0);
	assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
	assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
}

/* Puts `fd` where the next passed descriptor is looked for. */
static void pass(int fd, int place)
{
	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, FIRST_PASSED + place), FIRST_PASSED + place);
	(void)close(fd);
}

static void promise(int n, const char *names)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%d", (int)getpid());
	assert_int_equal(setenv("LISTEN_PID", text, 1), 0);
	(void)snprintf(text, sizeof(text), "%d", n);
	assert_int_equal(setenv("LISTEN_FDS", text, 1), 0);
	assert_int_equal(setenv("LISTEN_FDNAMES", names, 1), 0);
}

/* Out of the way of the descriptors that are passed. */
static int high(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 50);

	(void)close(fd);
	return moved;
}

static int stream_socket(bool listening)
{
	int fd = high(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	if (listening)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void test_sockets(void **state)
{
	struct notify_sockets sockets = { 0 };
	struct fail fail = { 0 };
	int first = stream_socket(true);
	int second = stream_socket(true);

	pass(first, 0);
	pass(second, 1);
	promise(2, "mcp-fleetd.socket:git");
	assert_int_equal(notify_take_sockets(&sockets, &fail), 0);
	assert_int_equal(sockets.n, 2);
	assert_int_equal(sockets.items[0].fd, FIRST_PASSED);
	assert_string_equal(sockets.items[0].name, "mcp-fleetd.socket");
	assert_string_equal(sockets.items[1].name, "git");
	assert_true(fcntl(FIRST_PASSED, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(FIRST_PASSED, F_GETFL) & O_NONBLOCK);
	assert_null(getenv("LISTEN_FDS"));

	sockets.items[1].fd = -1; /* taken */
	notify_sockets_done(&sockets);
	assert_int_equal(fcntl(FIRST_PASSED, F_GETFD), -1);
	assert_true(fcntl(FIRST_PASSED + 1, F_GETFD) >= 0);
	(void)close(FIRST_PASSED + 1);

	/* Once only. */
	assert_int_equal(notify_take_sockets(&sockets, &fail), 0);
	assert_int_equal(sockets.n, 0);
	notify_sockets_done(&sockets);
}

static void expect_refusal(int r, const char *words)
{
	struct notify_sockets sockets = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(notify_take_sockets(&sockets, &fail), r);
	assert_string_equal(fail.text, words);
	assert_int_equal(sockets.n, 0);
	assert_null(sockets.items);
}

static void test_not_a_listener(void **state)
{
	int first = stream_socket(true);
	int second = stream_socket(false);

	pass(first, 0);
	pass(second, 1);
	promise(2, "a:b");
	expect_refusal(-EINVAL, "LISTEN_FDS: descriptor 4 is not a listening stream socket");
	assert_int_equal(fcntl(FIRST_PASSED, F_GETFD), -1);
	assert_int_equal(fcntl(FIRST_PASSED + 1, F_GETFD), -1);
}

static void test_not_a_socket(void **state)
{
	int fd = high(open("/dev/null", O_RDONLY | O_CLOEXEC));

	pass(fd, 0);
	promise(1, "a");
	expect_refusal(-EINVAL, "LISTEN_FDS: descriptor 3 is not a listening stream socket");
}

static void test_broken_promise(void **state)
{
	promise(1, "a");
	expect_refusal(-EBADF, "LISTEN_FDS: Bad file descriptor");
	assert_int_equal(setenv("LISTEN_FDS", "x", 1), 0);
	promise(0, "");
	assert_int_equal(setenv("LISTEN_FDS", "x", 1), 0);
	expect_refusal(-EINVAL, "LISTEN_FDS: Invalid argument");
}

/* The descriptors 3 and up belong to the tests: whatever the runner left open there goes away. */
static int close_inherited(void **state)
{
	for (int fd = FIRST_PASSED; fd < FIRST_PASSED + 2; fd++) {
		if (fd != manager)
			(void)close(fd);
	}
	return 0;
}

static int setup(void **state)
{
	int r = setup_manager(state);

	manager = high(manager);
	return r || close_inherited(state);
}

#	define TEST(name) cmocka_unit_test_setup(test_##name, listen_to_manager)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(states),
		TEST(status_is_one_line),
		TEST(reloading),
		TEST(no_manager),
		TEST(dead_manager),
		TEST(watchdog_interval),
		TEST(sockets),
		TEST(not_a_listener),
		TEST(not_a_socket),
		TEST(broken_promise),
	};

	return cmocka_run_group_tests(tests, setup, teardown_manager);
}

#else /* no libsystemd: everything is there and does nothing */

static void test_nothing_happens(void **state)
{
	struct notify_sockets sockets = { 0 };
	struct fail fail = { 0 };

	notify_ready("x");
	notify_status("x");
	notify_stopping("x");
	notify_reloading();
	notify_watchdog();
	assert_int_equal(notify_watchdog_ms(), 0);
	assert_int_equal(notify_take_sockets(&sockets, &fail), 0);
	assert_int_equal(sockets.n, 0);
	notify_sockets_done(&sockets);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
