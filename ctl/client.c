/* See client.h. */
#include "ctl/client.h"

#include <errno.h>
#include <grp.h>
#include <sys/stat.h>

#include "config.h"

#include "ctl/output.h"
#include "ctl/wire.h"
#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/jx.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "shared/rpc.h"

/* What waits for client_next() while an answer is awaited. A daemon that tells more than this instead of
 * answering is broken. */
enum { MAX_NOTICES = 4096 };
#define MAX_NOTICE_BYTES (64 * MIB)

struct notice {
	char *method;
	json_t *params;
	size_t bytes;
};

struct client {
	struct wire wire;
	char *path;
	char *version;
	char *settings;
	pid_t pid;
	uid_t uid;
	bool may_change;
	int64_t timeout_ms;
	json_int_t last_id;
	int last_error;
	struct notice *notices; /* a ring is not worth it: they are few */
	size_t n_notices;
	size_t first_notice;
	size_t notice_bytes;
	char *given_method; /* by client_next() */
};

/* --- where the daemon is ----------------------------------------------------------------------- */

/* Who may connect, for who may not. */
static void add_permission(struct strbuf *out, const char *path)
{
	struct stat st;
	const struct group *group;

	if (stat(path, &st) < 0) {
		strbuf_adds(out, "its folder is closed to you; ask the daemon's operator for the "
				 "group of the socket (setting control.group)");
		return;
	}
	group = getgrgid(st.st_gid);
	if (group)
		strbuf_addf(out, "members of the group '%s' may connect", group->gr_name);
	else
		strbuf_addf(out, "members of the group %u may connect", (unsigned)st.st_gid);
	strbuf_adds(out, " (setting control.group)");
}

static int fail_connect(int r, const char *path, int64_t timeout_ms, struct fail *fail)
{
	auto_strbuf who = { 0 };

	switch (r) {
	case -ENOENT:
	case -ENOTDIR:
	case -ECONNREFUSED:
		return fail_set(fail, -ENOTCONN,
			"no daemon listens at %s: is mcp-fleetd running? Try 'systemctl status "
			"mcp-fleetd', or name its socket with --socket",
			path);
	case -EACCES:
	case -EPERM:
		add_permission(&who, path);
		(void)fail_set(fail, -ENOTCONN, "no permission to connect to %s: %s", path,
			strbuf_get(&who));
		return -EACCES;
	case -ENAMETOOLONG:
		return fail_set(fail, -ENOTCONN,
			"the path of the socket is longer than a socket's address: %s", path);
	case -ETIMEDOUT:
		return fail_set(fail, -ENOTCONN,
			"the daemon at %s has not taken the connection within %lld ms: is it stopped "
			"or overloaded?",
			path, (long long)timeout_ms);
	default:
		(void)fail_set(fail, r, "cannot connect to %s: %s", path, strerror(-r));
		if (fail)
			fail->code = -ENOTCONN;
		return -ENOTCONN;
	}
}

static int connect_to(struct client *client, const char *path, struct fail *fail)
{
	int r = wire_open(&client->wire, path, clock_now_ms() + client->timeout_ms);

	if (r < 0)
		return fail_connect(r, path, client->timeout_ms, fail);
	client->path = alloc_str(path);
	return 0;
}

/* The daemon of the system, else the one of the user. What is told is what went wrong with the first that
 * is there. */
static int connect_somewhere(struct client *client, struct fail *fail)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	auto_free char *own = NULL;
	struct fail of_own = { 0 };
	int r = connect_to(client, CLIENT_SYSTEM_SOCKET, fail);
	int r_own;

	if (r == 0 || !runtime || *runtime != '/')
		return r;
	own = alloc_printf("%s/mcp-fleet/control.sock", runtime);
	r_own = connect_to(client, own, &of_own);
	if (r_own == 0)
		return 0;
	if (access(CLIENT_SYSTEM_SOCKET, F_OK) < 0 && errno == ENOENT && access(own, F_OK) == 0) {
		if (fail)
			*fail = of_own;
		return r_own;
	}
	if (r == -ENOTCONN && access(CLIENT_SYSTEM_SOCKET, F_OK) < 0)
		return fail_set(fail, -ENOTCONN,
			"no daemon listens at " CLIENT_SYSTEM_SOCKET
			" or %s: is mcp-fleetd running? Try 'systemctl status mcp-fleetd', or name "
			"its socket with --socket",
			own);
	return r;
}

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
			"tells: journalctl -u mcp-fleetd",
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
	const char *line;
	size_t len;
	int r = wire_read(&client->wire, deadline_ms, &line, &len);

	if (r == -ETIMEDOUT && !method)
		return r;
	if (r < 0)
		return fail_wire(client, r, method ? method : "", fail);
	*ret = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	if (json_is_object(*ret))
		return 0;
	json_decref(*ret);
	return fail_garbage(client, line, len, fail);
}

static bool is_notice(const json_t *message)
{
	return json_is_string(json_object_get(message, "method")) &&
	       !json_object_get(message, "id");
}

/* Takes the message over. */
static int keep_notice(struct client *client, json_t *message, struct fail *fail)
{
	json_auto_t *owned = message;
	size_t bytes = json_dumpb(message, NULL, 0, JSON_COMPACT);
	struct notice *notice;

	if (client->n_notices - client->first_notice >= MAX_NOTICES ||
		bytes > (size_t)MAX_NOTICE_BYTES - client->notice_bytes)
		return fail_set(fail, -ENOTCONN,
			"the daemon at %s tells without end and does not answer", client->path);
	client->notices =
		alloc_resize(client->notices, client->n_notices + 1, sizeof(*client->notices));
	notice = &client->notices[client->n_notices++];
	*notice = (struct notice){
		.method = alloc_str(json_string_value(json_object_get(message, "method"))),
		.params = json_incref(json_object_get(message, "params")),
		.bytes = bytes,
	};
	client->notice_bytes += bytes;
	return 0;
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
	struct client *client, const char *method, json_t *message, struct fail *fail)
{
	json_auto_t *owned = message;
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
	struct client *client, const char *method, json_t *params, struct fail *fail)
{
	json_auto_t *request = json_pack("{s:s, s:I, s:s, s:o*}", "jsonrpc", "2.0", "id",
		++client->last_id, "method", method, "params", params);
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

static json_t *call(struct client *client, const char *method, json_t *params, int64_t deadline_ms,
	client_notice_fn *on_notice, void *arg, struct fail *fail)
{
	client->last_error = 0;
	if (send_request(client, method, params, fail) < 0)
		return NULL;
	for (;;) {
		json_t *message = NULL;

		if (read_message(client, deadline_ms, method, &message, fail) < 0)
			return NULL;
		if (is_answer_to(message, client->last_id))
			return take_answer(client, method, message, fail);
		if (is_notice(message) && !on_notice) {
			if (keep_notice(client, message, fail) < 0)
				return NULL;
			continue;
		}
		if (on_notice && is_notice(message))
			on_notice(arg, json_string_value(json_object_get(message, "method")),
				json_object_get(message, "params"));
		json_decref(message); /* or an answer that came too late */
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
	client_notice_fn *on_notice, void *arg, struct fail *fail)
{
	return call(client, method, params, WIRE_NO_DEADLINE, on_notice ? on_notice : drop_notice,
		arg, fail);
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

static bool take_kept(struct client *client, const char **ret_method, json_t **ret)
{
	struct notice *notice = client->notices + client->first_notice;

	if (client->first_notice == client->n_notices)
		return false;
	client->notice_bytes -= notice->bytes;
	give_notice(client, notice->method, notice->params, ret_method, ret);
	if (++client->first_notice == client->n_notices)
		client->first_notice = client->n_notices = 0;
	return true;
}

int client_next(struct client *client, int64_t timeout_ms, const char **ret_method,
	json_t **ret_params, struct fail *fail)
{
	int64_t deadline_ms = timeout_ms < 0 ? WIRE_NO_DEADLINE : clock_now_ms() + timeout_ms;

	if (take_kept(client, ret_method, ret_params))
		return 0;
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
	return client->first_notice < client->n_notices || wire_has_line(&client->wire);
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
	return 0;
}

/* A daemon that refuses this protocol at all says so with an error. */
static int say_hello(struct client *client, struct fail *fail)
{
	json_auto_t *hello = client_call(client, "hello",
		json_pack("{s:s, s:s, s:i}", "client", "mcp-fleetctl", "version", PACKAGE_VERSION,
			"protocol", CLIENT_PROTOCOL),
		fail);

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
	r = ctl->socket ? connect_to(client, ctl->socket, fail) : connect_somewhere(client, fail);
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
	for (size_t i = client->first_notice; i < client->n_notices; i++) {
		free(client->notices[i].method);
		json_decref(client->notices[i].params);
	}
	free(client->notices);
	free(client->given_method);
	free(client->version);
	free(client->settings);
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
