/* See mcp.h. */
#include "ctl/mcp.h"

#include <errno.h>

#include "config.h"

#include "ctl/member.h"
#include "ctl/signals.h"
#include "ctl/wire.h"
#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/jx.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "shared/rpc.h"

#define REVISION "2025-11-25"

enum { FIRST_ID = 1, CALL_ID = 2, PROBE_ID = 3, PARTING_MS = 1000, LOOK_MS = 1000 };

struct mcp {
	struct wire wire;
	char *path;
	int64_t timeout_ms;
	int64_t heard_ms;  /* when the last message came */
	int64_t probed_ms; /* when a ping was sent since then; 0: none was */
};

/* What is waited for. */
struct waiting {
	int id;
	int signals; /* -1: none */
	int64_t deadline_ms;
	mcp_progress_fn *on_progress;
	void *arg;
};

/* --- sending ----------------------------------------------------------------------------------- */

/* Takes `message` over. */
static int send_message(struct mcp *mcp, json_t *message, struct fail *fail)
{
	json_auto_t *owned = message;
	auto_strbuf line = { 0 };
	int r;

	if (!owned)
		return fail_set(fail, -EINVAL, "what is to be sent is not UTF-8");
	jx_dump(&line, owned);
	r = wire_send(&mcp->wire, strbuf_get(&line), line.len, clock_now_ms() + mcp->timeout_ms);
	/* What it says before it closes can be read still. */
	if (r == 0 || r == -EPIPE)
		return 0;
	(void)fail_set(fail, r, "cannot send to the local socket %s: %s", mcp->path, strerror(-r));
	if (fail)
		fail->code = -ENOTCONN;
	return -ENOTCONN;
}

/* A request of the server: only ping has an answer here. */
static int refuse(struct mcp *mcp, json_t *id, const char *method, struct fail *fail)
{
	auto_free char *text = NULL;

	if (streq(method, "ping"))
		return send_message(mcp,
			json_pack("{s:s, s:O, s:{}}", "jsonrpc", "2.0", "id", id, "result"), fail);
	text = alloc_printf("mcp-fleetctl call cannot answer '%s': nobody is asked there", method);
	return send_message(mcp,
		json_pack("{s:s, s:O, s:{s:i, s:s}}", "jsonrpc", "2.0", "id", id, "error", "code",
			RPC_METHOD_NOT_FOUND, "message", text),
		fail);
}

static void cancel(struct mcp *mcp, int id, const char *reason)
{
	mcp->timeout_ms = PARTING_MS;
	(void)!send_message(mcp,
		json_pack("{s:s, s:s, s:{s:i, s:s}}", "jsonrpc", "2.0", "method",
			"notifications/cancelled", "params", "requestId", id, "reason", reason),
		NULL);
}

/* --- reading ----------------------------------------------------------------------------------- */

static int fail_read(const struct mcp *mcp, int r, struct fail *fail)
{
	if (r == -EPIPE)
		return fail_set(fail, -ENOTCONN,
			"the daemon has closed the connection to its local socket %s: has it been "
			"stopped, or the session been closed?",
			mcp->path);
	if (r == -EMSGSIZE)
		return fail_set(
			fail, -ENOTCONN, "the answer has more than %d bytes", 2 * LIMIT_LINE_BYTES);
	(void)fail_set(fail, r, "the connection to %s broke: %s", mcp->path, strerror(-r));
	if (fail)
		fail->code = -ENOTCONN;
	return -ENOTCONN;
}

/* One message, the caller's; *ret is NULL when there is none yet. */
static int read_message(struct mcp *mcp, json_t **ret, struct fail *fail)
{
	const char *line;
	size_t len;
	int r = wire_read(&mcp->wire, 0, &line, &len); /* what is there, no waiting */
	auto_strbuf shown = { 0 };

	*ret = NULL;
	if (r == -ETIMEDOUT)
		return 0;
	if (r < 0)
		return fail_read(mcp, r, fail);
	mcp->heard_ms = clock_now_ms();
	mcp->probed_ms = 0;
	*ret = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	if (json_is_object(*ret))
		return 0;
	json_decref(*ret);
	*ret = NULL;
	quote_add(&shown, line, len);
	return fail_set(fail, -ENOTCONN, "what listens at %s does not speak MCP; it sent %s",
		mcp->path, strbuf_get(&shown));
}

static void note_progress(const struct waiting *waiting, const json_t *params)
{
	const json_t *token = json_object_get(params, "progressToken");

	if (waiting->on_progress && json_is_integer(token) &&
		json_integer_value(token) == waiting->id)
		waiting->on_progress(waiting->arg,
			json_number_value(json_object_get(params, "progress")),
			json_number_value(json_object_get(params, "total")),
			member_text(params, "message"));
}

/* A request or a notification. */
static int take_told(
	struct mcp *mcp, const struct waiting *waiting, const json_t *message, struct fail *fail)
{
	const char *method = member_text(message, "method");
	json_t *id = json_object_get(message, "id");

	if (id)
		return refuse(mcp, id, method, fail);
	if (streq(method, "notifications/progress"))
		note_progress(waiting, json_object_get(message, "params"));
	return 0;
}

static json_t *take_result(const struct mcp *mcp, const json_t *message, struct fail *fail)
{
	json_t *result = json_object_get(message, "result");
	const json_t *error = json_object_get(message, "error");
	const char *text = member_text(error, "message");

	if (json_is_object(result))
		return json_incref(result);
	if (json_is_object(error))
		(void)fail_set(fail, -EREMOTEIO, "%s", *text ? text : "the server gives no reason");
	else
		(void)fail_set(fail, -ENOTCONN,
			"what listens at %s answers with neither a result nor an error", mcp->path);
	return NULL;
}

static bool is_answer(const json_t *message, int id)
{
	const json_t *of = json_object_get(message, "id");

	/* An error without an id is of whom the daemon refuses before it reads. */
	if (json_is_object(json_object_get(message, "error")) && (!of || json_is_null(of)))
		return true;
	return json_is_integer(of) && json_integer_value(of) == id;
}

/* Takes what is there; true: it is over, *ret_result is the caller's, or NULL with words. */
static bool take_messages(
	struct mcp *mcp, const struct waiting *waiting, json_t **ret_result, struct fail *fail)
{
	*ret_result = NULL;
	for (;;) {
		json_auto_t *message = NULL;

		if (read_message(mcp, &message, fail) < 0)
			return true;
		if (!message)
			return false;
		if (json_is_string(json_object_get(message, "method"))) {
			if (take_told(mcp, waiting, message, fail) < 0)
				return true;
		} else if (is_answer(message, waiting->id)) {
			*ret_result = take_result(mcp, message, fail);
			return true;
		}
	}
}

/* A call may take as long as it likes: whether the daemon still lives is another question, which it answers
 * itself. 0, -ENOTCONN with words. */
static int check_alive(struct mcp *mcp, struct fail *fail)
{
	int64_t now_ms = clock_now_ms();

	if (now_ms < mcp->heard_ms + mcp->timeout_ms)
		return 0;
	if (!mcp->probed_ms) {
		mcp->probed_ms = now_ms;
		return send_message(mcp,
			json_pack("{s:s, s:i, s:s}", "jsonrpc", "2.0", "id", PROBE_ID, "method",
				"ping"),
			fail);
	}
	if (now_ms < mcp->probed_ms + mcp->timeout_ms)
		return 0;
	return fail_set(fail, -ENOTCONN,
		"the daemon has said nothing at its local socket %s for %lld s, and does not answer a "
		"ping: is it stopped or overloaded? Whether the call took effect is not known",
		mcp->path, (long long)((now_ms - mcp->heard_ms) / CLOCK_SECOND_MS));
}

static json_t *wait_answer(struct mcp *mcp, const struct waiting *waiting, struct fail *fail)
{
	json_t *result;

	while (!take_messages(mcp, waiting, &result, fail)) {
		int64_t left_ms = waiting->deadline_ms - clock_now_ms();

		if (waiting->signals >= 0 && signals_next(waiting->signals)) {
			cancel(mcp, waiting->id, "interrupted by the user");
			(void)fail_set(fail, -ECANCELED, "interrupted; the call was cancelled");
			return NULL;
		}
		if (left_ms <= 0) {
			cancel(mcp, waiting->id, "it took too long");
			(void)fail_set(
				fail, -ETIMEDOUT, "no answer in time; the call was cancelled");
			return NULL;
		}
		if (waiting->id == CALL_ID && check_alive(mcp, fail) < 0)
			return NULL;
		signals_wait(
			waiting->signals, mcp->wire.fd, -1, left_ms < LOOK_MS ? left_ms : LOOK_MS);
	}
	return result;
}

/* --- calling ----------------------------------------------------------------------------------- */

json_t *mcp_call_tool(struct mcp *mcp, const char *name, json_t *args, int signals,
	int64_t timeout_ms, mcp_progress_fn *on_progress, void *arg, struct fail *fail)
{
	struct waiting waiting = { CALL_ID, signals,
		timeout_ms < 0 ? WIRE_NO_DEADLINE : clock_now_ms() + timeout_ms, on_progress, arg };
	json_t *call = json_pack("{s:s, s:i, s:s, s:{s:s, s:o, s:{s:i}}}", "jsonrpc", "2.0", "id",
		CALL_ID, "method", "tools/call", "params", "name", name, "arguments", args, "_meta",
		"progressToken", CALL_ID);

	if (send_message(mcp, call, fail) < 0)
		return NULL;
	return wait_answer(mcp, &waiting, fail);
}

/* --- opening ----------------------------------------------------------------------------------- */

static int fail_connect(int r, const char *path, struct fail *fail)
{
	if (r == -EACCES || r == -EPERM)
		return fail_set(fail, -ENOTCONN,
			"no permission to connect to the daemon's local socket %s: its group is the "
			"setting local.group",
			path);
	(void)fail_set(
		fail, r, "cannot connect to the daemon's local socket %s: %s", path, strerror(-r));
	if (fail)
		fail->code = -ENOTCONN;
	return -ENOTCONN;
}

static int initialize(struct mcp *mcp, struct fail *fail)
{
	struct waiting waiting = { FIRST_ID, -1, clock_now_ms() + mcp->timeout_ms, NULL, NULL };
	json_auto_t *result = NULL;
	int r = send_message(mcp,
		json_pack("{s:s, s:i, s:s, s:{s:s, s:{}, s:{s:s, s:s}}}", "jsonrpc", "2.0", "id",
			FIRST_ID, "method", "initialize", "params", "protocolVersion", REVISION,
			"capabilities", "clientInfo", "name", "mcp-fleetctl", "version",
			PACKAGE_VERSION),
		fail);

	if (r < 0)
		return r;
	result = wait_answer(mcp, &waiting, fail);
	if (!result) {
		(void)fail_prefix(fail, "the local socket %s: ", mcp->path);
		if (fail)
			fail->code = -ENOTCONN;
		return -ENOTCONN;
	}
	return send_message(mcp,
		json_pack("{s:s, s:s}", "jsonrpc", "2.0", "method", "notifications/initialized"),
		fail);
}

int mcp_open(const char *path, int64_t timeout_ms, struct mcp **ret, struct fail *fail)
{
	auto_(mcp_freep) struct mcp *mcp = alloc_zero(sizeof(*mcp));
	int r;

	mcp->wire.fd = -1;
	mcp->timeout_ms = timeout_ms;
	mcp->path = alloc_str(path);
	r = wire_open(&mcp->wire, path, clock_now_ms() + timeout_ms);
	if (r < 0)
		return fail_connect(r, path, fail);
	/* A worker's answer has at most LIMIT_LINE_BYTES; the daemon may add to it. */
	mcp->wire.max_bytes = 2 * (size_t)LIMIT_LINE_BYTES;
	r = initialize(mcp, fail);
	if (r < 0)
		return r;
	*ret = TAKE(mcp);
	return 0;
}

void mcp_free(struct mcp *mcp)
{
	if (!mcp)
		return;
	wire_done(&mcp->wire);
	free(mcp->path);
	free(mcp);
}
