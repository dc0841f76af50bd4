/* Who listens on a port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "ctl/ports.h"

static const char table[] =
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
	"inode                                                     \n"
	"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
	"12345 1 0000000000000000 100 0 0 10 0                     \n"
	"   1: 0100007F:1F91 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1001        0 "
	"777 1 0000000000000000 20 4 30 10 -1                      \n"
	"  12: 00000000000000000000000001000000:1F92 00000000000000000000000000000000:0000 0A "
	"00000000:00000000 00:00000000 00000000     0        0 18446744073709551615 1 0 100 0 0 10 0\n";

static void test_parse(void **unused)
{
	struct ports_listener found;

	assert_true(ports_parse(table, 8080, &found));
	assert_int_equal(found.inode, 12345);
	assert_int_equal(found.uid, 1000);
	assert_false(ports_parse(table, 8081, &found)); /* a connection, no listener */
	assert_true(ports_parse(table, 8082, &found));
	assert_true(found.inode == UINT64_MAX);
	assert_false(ports_parse(table, 40000, &found)); /* the other end's */
	assert_false(ports_parse("", 8080, &found));
	assert_false(ports_parse("nonsense\n\n0: zz:1F90\n", 8080, &found));
}

static void test_ours(void **unused)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(addr);
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_strbuf owner = { 0 };
	char expected[64];

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	assert_false(ports_add_owner(&owner, ntohs(addr.sin_port)));
	assert_int_equal(listen(fd, 1), 0);
	assert_true(ports_add_owner(&owner, ntohs(addr.sin_port)));
	(void)snprintf(expected, sizeof(expected), "process %d (test_ports)", (int)getpid());
	assert_string_equal(strbuf_get(&owner), expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
