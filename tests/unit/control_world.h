/* The control socket for its tests: real are control, status, health, the ring of the log and mcp/; a fake are the
 * fleet below (mcp_world.h), the registrar, the clock. Clients hold the other end of a socket pair. */
#pragma once

#include "supervisor/ops/control_private.h"
#include "tests/unit/mcp_world.h"

enum { ADMIN_UID = 4242, READER_UID = 4243 };

struct user {
	int fd;
	struct strbuf got;
};

/* An order that somebody below has taken, and will end. */
struct pending {
	domain_done_fn *restarted;
	registration_fn *answered;
	void *arg;
	char method[32];
	char *params; /* JSON */
};

enum { MAX_PENDING = 64 };

extern struct control_world {
	struct control *control; /* NULL: freed */
	struct status *status;
	struct health *health;
	struct log_ring *log;
	struct user admin, reader; /* both have said hello */
	struct pending pending[MAX_PENDING];
	unsigned n_pending;
	unsigned n_reloads;
	int result; /* of the fleet's orders */
	json_t *report;
	struct domain_stats stats;     /* of the domain "one", but for its state */
	struct domain_process process; /* its only one; without a name: it has none */
	unsigned n_stats;              /* how often the fleet was looked at, in domains */
} here;

int set_up_control(void **unused);
int tear_down_control(void **unused);
#define CONTROL_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up_control, tear_down_control)

void free_control(void);

void join(struct user *user, uid_t uid); /* without hello */
void leave(struct user *user);
void send_bytes(struct user *user, const char *bytes, size_t len);
void ask(struct user *user, const char *line); /* and a turn */

/* What has come since the last time; borrowed until the next call. "": nothing. */
const char *hears(struct user *user);
bool is_closed(struct user *user);

#define REQUEST(id, method, params)                                                                \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":" params "}"
#define HELLO REQUEST("0", "hello", "{\"protocol\":1}")

#define assert_part(text, part) assert_non_null(strstr(text, part))
#define assert_no_part(text, part) assert_null(strstr(text, part))

/* Times that `part` is in `text`. */
unsigned count_parts(const char *text, const char *part);
