/* net_tcp_check: whether a port accepts connections. Nothing is sent. */
#include <errno.h>

#include "shared/clock.h"
#include "workers/common/call.h"
#include "workers/network/answer.h"
#include "workers/network/connect.h"
#include "workers/network/policy.h"
#include "workers/network/tools.h"

struct net_tcp_check_args {
	const char *host;
	int64_t port;
	double timeout_seconds;
};

static const struct param net_tcp_check_params[] = {
	PARAM(net_tcp_check_args, host, .required = true, RANGE(1, 255), .doc = "Name or address."),
	PARAM(net_tcp_check_args, port, .required = true, RANGE(1, 65535), .doc = "Port."),
	PARAM(net_tcp_check_args, timeout_seconds, RANGE_NUM(0.1, 30), .def_num = 5,
		.doc = "Connect time."),
	{ 0 },
};

struct check {
	const struct net_tcp_check_args *args;
	char address[INET6_ADDRSTRLEN]; /* "" without one */
	const char *why;                /* NULL: it is open */
	int64_t elapsed_ms;
};

static int answer(struct call *call, const struct check *check)
{
	const struct net_tcp_check_args *a = check->args;
	json_t *out =
		json_pack("{s:s, s:I, s:b, s:I}", "host", a->host, "port", (json_int_t)a->port,
			"open", !check->why, "elapsed_ms", (json_int_t)check->elapsed_ms);

	if (out && *check->address)
		json_object_set_new(out, "address", json_string(check->address));
	if (out && check->why)
		json_object_set_new(out, "error", json_string(check->why));
	if (check->why)
		return call_resultf(call, out, "%s:%lld is closed (%s)", a->host,
			(long long)a->port, check->why);

	return call_resultf(call, out, "%s:%lld is open (%lld ms)", a->host, (long long)a->port,
		(long long)check->elapsed_ms);
}

/* That a name leads nowhere is an answer; what may not be asked is none. */
static int refuse(struct call *call, struct check *check, const struct failure *fail)
{
	if (streq(fail->code, "dns_failed") || streq(fail->code, "timeout")) {
		check->why = fail->text;
		return answer(call, check);
	}
	return answer_refusal(call, fail);
}

static int net_tcp_check(struct call *call, const void *args)
{
	const struct net_tcp_check_args *a = args;
	int64_t timeout_ms = (int64_t)(a->timeout_seconds * 1000);
	int64_t started_ms = clock_now_ms();
	struct check check = { .args = a };
	struct resolved resolved = { 0 };
	struct failure fail = { 0 };
	auto_close int fd = -1;
	size_t at = 0;
	int r = resolve_host(call, a->host, (int)a->port, timeout_ms, &resolved, &fail);

	check.elapsed_ms = clock_now_ms() - started_ms;
	if (r < 0 && r != -ECANCELED)
		return refuse(call, &check, &fail);
	if (r == 0)
		r = connect_to(call, &resolved, started_ms + timeout_ms, &fd, &at);
	if (r == -ECANCELED)
		return call_fail_stopped(call, "it is not known yet whether the port is open");

	check.elapsed_ms = clock_now_ms() - started_ms;
	policy_address_text((const struct sockaddr *)&resolved.addresses[at], check.address);
	check.why = r < 0 ? connect_reason(r) : NULL;
	return answer(call, &check);
}

const struct tool network_tcp_check_tools[] = {
	TOOL(net_tcp_check, "Check a TCP port", .doc = "Whether a TCP port accepts connections.",
		.out = "host string, port integer, open boolean, address? string, "
		       "elapsed_ms integer, error? string",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT | TOOL_OPEN_WORLD, .timeout_s = 35),
	{ 0 },
};
