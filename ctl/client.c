/* See client.h. */
#include "ctl/client.h"

#include <errno.h>

#include "config.h"

#include "ctl/client_socket.h"
#include "ctl/notices.h"
#include "ctl/output.h"
#include "ctl/wire.h"
#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/jx.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "shared/rpc.h"

enum {
	PROBE_ID = 0,   /* no question has this number */
	SHORT_MS = 100, /* before the end: too late to ask */
};

struct client {
	struct wire wire;
	char *path;
	char *version;
	char *settings;
	char *keys_path;
	char *state_dir;
	pid_t pid;
	uid_t uid;
	bool may_change;
	int64_t timeout_ms;
	json_int_t last_id;
	int last_error;
	struct notices notices; /* what waits for client_next() */
	char *given_method;     /* by client_next() */
	int64_t heard_ms;       /* when the last message came */
	int64_t probed_ms;      /* when a sign of life was asked for since then; 0: it was not */
};

/* --- messages ---------------------------------------------------------------------------------- */

static int fail_wire(const struct client *client, int r, const char *method, struct fail *fail)
{
	switch (r) {
	case -ETIMEDOUT:
		(void)fail_set(fail, -ENOTCONN,
			"the daemon at %s (process %d) does not answer '%s' within %g s: is it "
			"stopped or overloaded? --timeout lets it have more time",
			client->path, (int)client->pid, method, (double)client->timeout_ms / 1000);
		break;
	case -EPIPE:
		(void)fail_set(fail, -ENOTCONN,
			"the daemon at %s has closed the connection: has it been stopped? Its log "
			"tells: journalctl -u mcp-fleet",
			client->path);
		break;
	case -EMSGSIZE:
		(void)fail_set(fail, -ENOTCONN,
			"what listens at %s sends a line of more than %d bytes: it is no mcp-fleetd, "
			"or a broken one",
			client->path, LIMIT_LINE_BYTES);
		break;
	default:
		(void)fail_set(
			fail, r, "the connection to %s broke: %s", client->path, strerror(-r));
		if (fail)
			fail->code = -ENOTCONN;
	}
	return -ENOTCONN;
}

static int fail_garbage(
	const struct client *client, const char *line, size_t len, struct fail *fail)
{
	auto_strbuf shown = { 0 };

	quote_add(&shown, line, len);
	return fail_set(fail, -ENOTCONN,
		"what listens at %s does not speak the control protocol of mcp-fleetd; it sent %s",
		client->path, strbuf_get(&shown));
}

/* One message, an object; the caller's. */
static int read_message(struct client *client, int64_t deadline_ms, const char *method,
	json_t **ret, struct fail *fail)
{
	json_auto_t *message = NULL;
	const char *line;
	size_t len;
	int r = wire_read(&client->wire, deadline_ms, &line, &len);

	if (r == -ETIMEDOUT && !method)
		return r;
	if (r < 0)
		return fail_wire(client, r, method ? method : "", fail);
	client->heard_ms = clock_now_ms();
	client->probed_ms = 0;
	message = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	if (!json_is_object(message))
		return fail_garbage(client, line, len, fail);
	*ret = TAKE(message);
	return 0;
}

static bool is_notice(const json_t *message)
{
	return json_is_string(json_object_get(message, "method")) &&
	       !json_object_get(message, "id");
}

static int keep_notice(struct client *client, const json_t *message, struct fail *fail)
{
	if (notices_add(&client->notices, message))
		return 0;
	return fail_set(fail, -ENOTCONN, "the daemon at %s tells without end and does not answer",
		client->path);
}

static bool is_answer_to(const json_t *message, json_int_t id)
{
	const json_t *of = json_object_get(message, "id");

	if (json_object_get(message, "method"))
		return false;
	/* An error without an id is of whom the daemon refuses before it reads. */
	if (json_is_object(json_object_get(message, "error")) && (!of || json_is_null(of)))
		return true;
	return json_is_integer(of) && json_integer_value(of) == id;
}

static json_t *take_answer(
	struct client *client, const char *method, const json_t *message, struct fail *fail)
{
	json_t *result = json_object_get(message, "result");
	const json_t *error = json_object_get(message, "error");
	const char *text = json_string_value(json_object_get(error, "message"));
	const char *remedy =
		json_string_value(json_object_get(json_object_get(error, "data"), "remedy"));

	if (json_is_object(error)) {
		client->last_error = (int)json_integer_value(json_object_get(error, "code"));
		if (client->last_error == RPC_METHOD_NOT_FOUND) {
			(void)fail_set(fail, -EREMOTEIO,
				"the daemon, mcp-fleetd %s, does not know '%s': it is older than this "
				"mcp-fleetctl " PACKAGE_VERSION,
				client->version ? client->version : "", method);
			return NULL;
		}
		(void)fail_set(fail, -EREMOTEIO, "%s%s%s",
			text ? text : "the daemon gives no reason", remedy ? "; " : "",
			remedy ? remedy : "");
		return NULL;
	}
	if (!result) {
		(void)fail_set(fail, -ENOTCONN,
			"the daemon at %s answers '%s' with neither a result nor an error",
			client->path, method);
		return NULL;
	}
	return json_incref(result);
}

static int send_request(
	struct client *client, json_int_t id, const char *method, json_t *params, struct fail *fail)
{
	json_auto_t *request = json_pack("{s:s, s:I, s:s, s:o*}", "jsonrpc", "2.0", "id", id,
		"method", method, "params", params);
	auto_strbuf line = { 0 };
	int r;

	if (!request)
		return fail_set(fail, -EINVAL, "what is asked for is not UTF-8");
	jx_dump(&line, request);
	r = wire_send(
		&client->wire, strbuf_get(&line), line.len, clock_now_ms() + client->timeout_ms);
	/* A daemon that refuses says why before it closes: that can be read still. */
	return r < 0 && r != -EPIPE ? fail_wire(client, r, method, fail) : 0;
}

static json_t *make_hello(void)
{
	return json_pack("{s:s, s:s, s:i}", "client", "mcp-fleetctl", "version", PACKAGE_VERSION,
		"protocol", CLIENT_PROTOCOL);
}

static int ask_whether_alive(struct client *client, struct fail *fail)
{
	client->probed_ms = clock_now_ms();
	return send_request(client, PROBE_ID, "hello", make_hello(), fail);
}

int client_check_alive(struct client *client, struct fail *fail)
{
	int64_t now_ms = clock_now_ms();

	if (now_ms < client->heard_ms + client->timeout_ms)
		return 0;
	if (!client->probed_ms)
		return ask_whether_alive(client, fail);
	if (now_ms < client->probed_ms + client->timeout_ms)
		return 0;
	return fail_set(fail, -ENOTCONN,
		"the daemon at %s (process %d) has said nothing for %lld s, and does not answer when "
		"it is asked whether it lives: is it stopped or overloaded?",
		client->path, (int)client->pid,
		(long long)((now_ms - client->heard_ms) / CLOCK_SECOND_MS));
}

/* The time is over. A daemon that lives goes on with it, one that does not is not reachable. */
static int fail_late(const struct client *client, const char *method, struct fail *fail)
{
	if (client->probed_ms)
		return fail_wire(client, -ETIMEDOUT, method, fail);
	return fail_set(fail, -ETIMEDOUT,
		"'%s' is not done within %g s; the daemon goes on with it. --timeout lets it have more "
		"time",
		method, (double)client->timeout_ms / CLOCK_SECOND_MS);
}

/* The next message of a daemon that is at something long. Before the end of the time it is asked whether it
 * lives, so that this is known then. */
static int await_message(struct client *client, int64_t deadline_ms, const char *method,
	json_t **ret, struct fail *fail)
{
	int r;

	do {
		int64_t now_ms = clock_now_ms();
		int64_t left_ms = deadline_ms - now_ms;
		int64_t wait_ms = left_ms > SHORT_MS ? left_ms / 2 : left_ms;

		if (left_ms <= 0)
			return fail_late(client, method, fail);
		if (wait_ms > client->timeout_ms)
			wait_ms = client->timeout_ms;
		r = read_message(client, now_ms + wait_ms, NULL, ret, fail);
		if (r != -ETIMEDOUT)
			return r;
		if (deadline_ms == WIRE_NO_DEADLINE)
			r = client_check_alive(client, fail);
		else
			r = client->probed_ms || left_ms <= SHORT_MS
				    ? 0
				    : ask_whether_alive(client, fail);
	} while (r == 0);
	return r;
}

/* With `on_notice` it is something long. */
static json_t *call(struct client *client, const char *method, json_t *params, int64_t deadline_ms,
	client_notice_fn *on_notice, void *arg, struct fail *fail)
{
	client->last_error = 0;
	if (send_request(client, ++client->last_id, method, params, fail) < 0)
		return NULL;
	for (;;) {
		json_auto_t *message = NULL;

		if ((on_notice ? await_message : read_message)(
			    client, deadline_ms, method, &message, fail) < 0)
			return NULL;
		if (is_answer_to(message, client->last_id))
			return take_answer(client, method, message, fail);
		if (!is_notice(message))
			continue; /* an answer that came too late, or a sign of life */
		if (on_notice)
			on_notice(arg, json_string_value(json_object_get(message, "method")),
				json_object_get(message, "params"));
		else if (keep_notice(client, message, fail) < 0)
			return NULL;
	}
}

json_t *client_call(struct client *client, const char *method, json_t *params, struct fail *fail)
{
	return call(client, method, params, clock_now_ms() + client->timeout_ms, NULL, NULL, fail);
}

static void drop_notice(void *arg, const char *method, json_t *params)
{
}

json_t *client_call_long(struct client *client, const char *method, json_t *params,
	int64_t limit_ms, client_notice_fn *on_notice, void *arg, struct fail *fail)
{
	return call(client, method, params,
		limit_ms < 0 ? WIRE_NO_DEADLINE : clock_now_ms() + limit_ms,
		on_notice ? on_notice : drop_notice, arg, fail);
}

/* --- what the daemon tells --------------------------------------------------------------------- */

static void give_notice(
	struct client *client, char *method, json_t *params, const char **ret_method, json_t **ret)
{
	free(client->given_method);
	client->given_method = method;
	*ret_method = method;
	*ret = params ? params : json_object();
}

int client_next(struct client *client, int64_t timeout_ms, const char **ret_method,
	json_t **ret_params, struct fail *fail)
{
	int64_t deadline_ms = timeout_ms < 0 ? WIRE_NO_DEADLINE : clock_now_ms() + timeout_ms;
	char *method;
	json_t *params;

	if (notices_take(&client->notices, &method, &params)) {
		give_notice(client, method, params, ret_method, ret_params);
		return 0;
	}
	for (;;) {
		json_t *message = NULL;
		int r = read_message(client, deadline_ms, NULL, &message, fail);

		if (r < 0)
			return r;
		if (is_notice(message)) {
			give_notice(client,
				alloc_str(json_string_value(json_object_get(message, "method"))),
				json_incref(json_object_get(message, "params")), ret_method,
				ret_params);
			json_decref(message);
			return 0;
		}
		json_decref(message);
	}
}

bool client_has_notice(const struct client *client)
{
	return !notices_is_empty(&client->notices) || wire_has_line(&client->wire);
}

/* --- opening and closing ----------------------------------------------------------------------- */

static int fail_protocol(
	const struct client *client, const char *version, json_int_t protocol, struct fail *fail)
{
	(void)fail_set(fail, -ENOTCONN,
		"the daemon at %s is mcp-fleetd %s and speaks version %lld of the control protocol, "
		"this mcp-fleetctl " PACKAGE_VERSION
		" speaks %d: use the mcp-fleetctl that belongs to the daemon",
		client->path, version, (long long)protocol, CLIENT_PROTOCOL);
	return -EPROTO;
}

static int check_hello(struct client *client, const json_t *hello, struct fail *fail)
{
	const char *version = json_string_value(json_object_get(hello, "version"));
	const json_t *protocol = json_object_get(hello, "protocol");
	const json_t *pid = json_object_get(hello, "pid");

	if (!version || !json_is_integer(protocol)) {
		(void)fail_set(fail, -ENOTCONN,
			"what listens at %s does not speak the control protocol of mcp-fleetd: its "
			"hello names no version and no protocol",
			client->path);
		return -EPROTO;
	}
	if (json_integer_value(protocol) != CLIENT_PROTOCOL)
		return fail_protocol(client, version, json_integer_value(protocol), fail);
	client->version = alloc_str(version);
	if (json_is_integer(pid) && json_integer_value(pid) > 0)
		client->pid = (pid_t)json_integer_value(pid);
	client->may_change = json_is_true(json_object_get(hello, "may_change"));
	client->settings = alloc_str(json_string_value(json_object_get(hello, "settings")));
	client->state_dir = alloc_str(json_string_value(json_object_get(hello, "state_dir")));
	client->keys_path = alloc_str(json_string_value(json_object_get(hello, "keys_path")));
	return 0;
}

/* A daemon that refuses this protocol at all says so with an error. */
static int say_hello(struct client *client, struct fail *fail)
{
	json_auto_t *hello = client_call(client, "hello", make_hello(), fail);

	if (hello)
		return check_hello(client, hello, fail);
	if (client->last_error == 0)
		return -ENOTCONN;
	(void)fail_prefix(fail, "the daemon at %s refuses: ", client->path);
	if (fail)
		fail->code = -ENOTCONN;
	return -EPROTO;
}

int client_open(const struct ctl *ctl, struct client **ret, struct fail *fail)
{
	auto_(client_freep) struct client *client = alloc_zero(sizeof(*client));
	int r;

	client->wire.fd = -1;
	client->timeout_ms = ctl->timeout_ms;
	r = client_socket_open(ctl->socket, client->timeout_ms, &client->wire, &client->path, fail);
	if (r < 0)
		return r;
	/* Without it `pid` is what the daemon says; nothing depends on it. */
	(void)!wire_get_peer(&client->wire, &client->pid, &client->uid);
	r = say_hello(client, fail);
	if (r < 0)
		return r;
	*ret = TAKE(client);
	return 0;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	wire_done(&client->wire);
	notices_done(&client->notices);
	free(client->given_method);
	free(client->version);
	free(client->settings);
	free(client->keys_path);
	free(client->state_dir);
	free(client->path);
	free(client);
}

json_t *client_ask(const struct ctl *ctl, const char *method, json_t *params, int *ret_exit)
{
	auto_(client_freep) struct client *client = NULL;
	struct fail fail = { 0 };
	json_t *result = NULL;

	if (client_open(ctl, &client, &fail) == 0)
		result = client_call(client, method, params, &fail);
	else
		json_decref(params);
	if (!result)
		*ret_exit = ctl_fail(ctl, &fail);
	return result;
}

int client_get_fd(const struct client *client)
{
	return client->wire.fd;
}

int client_get_error(const struct client *client)
{
	return client->last_error;
}

const char *client_get_version(const struct client *client)
{
	return client->version;
}

const char *client_get_state_dir(const struct client *client)
{
	return client->state_dir;
}

const char *client_get_keys(const struct client *client)
{
	return client->keys_path;
}

const char *client_get_settings(const struct client *client)
{
	return client->settings;
}

pid_t client_get_daemon(const struct client *client)
{
	return client->pid;
}

const char *client_get_path(const struct client *client)
{
	return client->path;
}

uid_t client_get_uid(const struct client *client)
{
	return client->uid;
}

bool client_may_change(const struct client *client)
{
	return client->may_change;
}
