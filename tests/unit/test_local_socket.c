/* The file of the local socket: its mode, what may be replaced and what not, what is removed; and who may
 * connect. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "shared/fd.h"
#include "supervisor/front/local_socket.h"

static char folder[64];
static char path[96];
static struct fail fail;

static int set_up(void **unused)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/test_local_socket.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/mcp.sock", folder);
	fail = (struct fail){ 0 };
	return 0;
}

static int tear_down(void **unused)
{
	(void)unlink(path);
	return rmdir(folder);
}

static struct local_socket *must_open(void)
{
	struct local_socket *sock = NULL;

	if (local_socket_open(path, getegid(), &sock, &fail) < 0)
		fail_msg("%s", fail.text);
	return sock;
}

static void check_refused(const char *where, int code, const char *words)
{
	struct local_socket *sock = NULL;

	assert_int_equal(local_socket_open(where, getegid(), &sock, &fail), code);
	assert_null(sock);
	if (!strstr(fail.text, words))
		fail_msg("'%s' is not in '%s'", words, fail.text);
}

/* A socket of any type with a name, as somebody else would have it. */
static int foreign_socket(int type, bool listens)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (listens)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static bool is_there(void)
{
	return access(path, F_OK) == 0;
}

static void test_mode(void **unused)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };

	for (size_t i = 0; i < N_ELEMENTS(masks); i++) {
		mode_t old = umask(masks[i]);
		struct local_socket *sock = must_open();
		struct stat st;

		assert_int_equal(umask(old), masks[i]); /* as it was */
		assert_int_equal(lstat(path, &st), 0);
		assert_int_equal(st.st_mode, S_IFSOCK | 0660);
		assert_int_equal(st.st_gid, getegid());
		assert_int_equal(fcntl(local_socket_get_fd(sock), F_GETFD), FD_CLOEXEC);
		assert_true(fcntl(local_socket_get_fd(sock), F_GETFL) & O_NONBLOCK);
		local_socket_free(sock);
		assert_false(is_there());
	}
}

static void test_stale_one_is_replaced(void **unused)
{
	struct local_socket *sock;

	(void)fd_close(foreign_socket(SOCK_STREAM, true));
	assert_true(is_there());
	sock = must_open();
	assert_string_equal(local_socket_get_path(sock), path);
	local_socket_free(sock);
}

static void test_living_one_is_not(void **unused)
{
	char words[64];
	struct local_socket *sock = must_open();

	(void)snprintf(words, sizeof(words), "the process %d does", (int)getpid());
	check_refused(path, -EADDRINUSE, words);
	assert_true(local_socket_is_there(sock));
	local_socket_free(sock);
}

/* Its backlog is full: connect(2) says EAGAIN, and it lives. */
static void test_busy_one_is_not(void **unused)
{
	int fd = foreign_socket(SOCK_STREAM, true);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int waiting[8];

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	for (size_t i = 0; i < N_ELEMENTS(waiting); i++) {
		waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(waiting[i], (struct sockaddr *)&addr, sizeof(addr));
	}
	check_refused(path, -EADDRINUSE, "another program does");
	assert_true(is_there());
	for (size_t i = 0; i < N_ELEMENTS(waiting); i++)
		(void)fd_close(waiting[i]);
	(void)fd_close(fd);
}

static void test_other_things_are_not(void **unused)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	(void)fd_close(fd);
	check_refused(path, -EEXIST, "something is there that is no socket");
	assert_true(is_there());
	(void)unlink(path);

	assert_int_equal(symlink("nowhere", path), 0);
	check_refused(path, -EEXIST, "something is there that is no socket");
	(void)unlink(path);

	fd = foreign_socket(SOCK_DGRAM, false);
	check_refused(path, -EPROTOTYPE, "whether it is in use cannot be told");
	assert_true(is_there());
	(void)fd_close(fd);
}

static void test_bad_places(void **unused)
{
	char longer[200];

	check_refused("/nowhere/mcp.sock", -ENOENT, "cannot open the folder '/nowhere'");
	check_refused("/dev/null/mcp.sock", -ENOTDIR, "cannot open the folder '/dev/null'");
	(void)snprintf(longer, sizeof(longer), "/%0*d", 107, 0);
	check_refused(longer, -ENAMETOOLONG, "at most 107 bytes");
}

/* Between the look and the removal nobody else may put a socket there. */
static void test_two_at_once(void **unused)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	check_refused(path, -EWOULDBLOCK, "is another daemon starting there?");
	(void)fd_close(fd);
	local_socket_free(must_open());
}

static void test_file_of_another_stays(void **unused)
{
	struct local_socket *sock = must_open();
	int fd;

	assert_true(local_socket_is_there(sock));
	assert_int_equal(unlink(path), 0);
	assert_false(local_socket_is_there(sock));
	fd = foreign_socket(SOCK_STREAM, true);
	assert_false(local_socket_is_there(sock));
	assert_int_equal(local_socket_set_group(sock, getegid()), -ESTALE);
	local_socket_free(sock);
	assert_true(is_there());
	(void)fd_close(fd);
}

static void test_adopted_file_stays(void **unused)
{
	struct local_socket *sock = local_socket_adopt(foreign_socket(SOCK_STREAM, true));
	struct stat st;

	assert_string_equal(local_socket_get_path(sock), path);
	assert_int_equal(chmod(path, 0606), 0);
	local_socket_get_stat(sock, &st);
	assert_int_equal(st.st_mode & 0777, 0606);
	local_socket_free(sock);
	assert_true(is_there());
}

static void test_without_a_file(void **unused)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct local_socket *sock;
	struct stat st;

	/* The kernel chooses an abstract name. */
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr.sun_family)), 0);
	sock = local_socket_adopt(fd);
	assert_string_equal(local_socket_get_path(sock), "");
	local_socket_get_stat(sock, &st);
	assert_int_equal(st.st_mode, 0);
	local_socket_free(sock);
}

static void test_groups(void **unused)
{
	gid_t group = 77;

	assert_int_equal(local_socket_find_group("", &group, &fail), 0);
	assert_int_equal(group, getegid());
	assert_int_equal(local_socket_find_group("root", &group, &fail), 0);
	assert_int_equal(group, 0);
	assert_int_equal(local_socket_find_group("no-such-group", &group, &fail), -ENOENT);
	assert_string_equal(fail.text, "local.group: there is no group 'no-such-group'");
}

static void test_peer(void **unused)
{
	auto_(peer_done) struct peer peer = { 0 };
	gid_t groups[512];
	int n = getgroups(N_ELEMENTS(groups), groups);
	int pair[2];

	assert_int_equal(fd_socketpair(pair), 0);
	assert_int_equal(peer_read(pair[0], &peer), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	assert_int_equal(peer.n_groups, n);
	assert_memory_equal(peer.groups ? peer.groups : groups, groups, (size_t)n * sizeof(gid_t));
	(void)fd_close(pair[0]);
	(void)fd_close(pair[1]);
	assert_int_equal(peer_read(-1, &peer), -EBADF);
}

enum { OWN = 100, OWNER = 200, GROUP = 300, OTHER = 400 };

static void test_who_may(void **unused)
{
	static gid_t groups[] = { 5, GROUP };
	static const struct {
		uid_t uid;
		gid_t gid;
		size_t n_groups;
		mode_t mode;
		bool may;
	} cases[] = {
		{ 0, OTHER, 0, 0, true },
		{ OWN, OTHER, 0, 0, true },
		{ OWNER, OTHER, 0, 0600, true },
		{ OWNER, GROUP, 2, 0466, false }, /* the first class that fits decides */
		{ OTHER, GROUP, 0, 0660, true },
		{ OTHER, OTHER, 2, 0660, true },
		{ OTHER, OTHER, 1, 0660, false },
		{ OTHER, OTHER, 0, 0660, false },
		{ OTHER, GROUP, 0, 0640, false },
		{ OTHER, GROUP, 0, 0606, false },
		{ OTHER, OTHER, 0, 0662, true },
		{ OTHER, OTHER, 0, 0664, false },
		{ OTHER, 0, 0, 0, false },
		{ (uid_t)-1, (gid_t)-1, 0, 0660, false },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct peer peer = { .uid = cases[i].uid,
			.gid = cases[i].gid,
			.groups = groups,
			.n_groups = cases[i].n_groups };
		const struct stat file = {
			.st_mode = S_IFSOCK | cases[i].mode, .st_uid = OWNER, .st_gid = GROUP
		};

		if (peer_may_connect(&peer, &file, OWN) != cases[i].may)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_mode),
		TEST(test_stale_one_is_replaced),
		TEST(test_living_one_is_not),
		TEST(test_busy_one_is_not),
		TEST(test_other_things_are_not),
		TEST(test_bad_places),
		TEST(test_two_at_once),
		TEST(test_file_of_another_stays),
		TEST(test_adopted_file_stays),
		TEST(test_without_a_file),
		TEST(test_groups),
		TEST(test_peer),
		TEST(test_who_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
