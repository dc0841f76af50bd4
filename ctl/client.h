/* The client of the daemon's control socket: one question at a time, and what the daemon tells.
 *
 * Blocking, with a time limit for each answer. What comes from the socket is foreign: bounded, checked.
 * Source: doc/control.md. */
#pragma once

#include <jansson.h>

#include "ctl/verb.h"

struct client;

#define CLIENT_PROTOCOL 1
#define CLIENT_SYSTEM_SOCKET "/run/mcp-fleet/control.sock"

/* Connects to ctl->socket, or to the first of the usual places where a daemon listens (the system's, then
 * $XDG_RUNTIME_DIR/mcp-fleet/control.sock), and says hello.
 * 0, or -errno with words that name the cause and the remedy: -ECONNREFUSED when there is no daemon,
 * -ENOTCONN when it does not answer in time, -EACCES, -EPROTO when it is of another protocol. fail->code is
 * -ENOTCONN in all of them: to the exit status they are one. */
int client_open(const struct ctl *ctl, struct client **ret, struct fail *fail) must_check;
void client_free(struct client *client);
DEFINE_FREEP(struct client, client_free)

/* Asks; takes `params` over (NULL: none). The result, the caller's; NULL with words: what the daemon said,
 * with its remedy (-EREMOTEIO), or -ENOTCONN as above. What the daemon tells meanwhile waits for
 * client_next(). */
json_t *client_call(struct client *client, const char *method, json_t *params, struct fail *fail)
	must_check;

/* The same for what may take long: `limit_ms` (< 0: none) is another limit of time, `on_notice` (may be NULL)
 * gets what the daemon tells meanwhile. Without a limit it waits as long as the daemon lives, which it is
 * asked as in client_check_alive(). With one NULL is also -ETIMEDOUT: it lives, and is not done yet. */
typedef void client_notice_fn(void *arg, const char *method, json_t *params);
json_t *client_call_long(struct client *client, const char *method, json_t *params,
	int64_t limit_ms, client_notice_fn *on_notice, void *arg, struct fail *fail) must_check;

/* For who waits for what the daemon tells; to be called now and then, when everything that has come was
 * taken. A daemon that has said nothing for the time of an answer is asked for a sign of life, which comes at
 * once. 0; -ENOTCONN with words: it has not come in the time of an answer either. */
int client_check_alive(struct client *client, struct fail *fail) must_check;

/* The next thing that the daemon tells: 0 with *ret_params the caller's and *ret_method borrowed until the
 * next call; -ETIMEDOUT (timeout_ms < 0: none); -ENOTCONN with words. */
int client_next(struct client *client, int64_t timeout_ms, const char **ret_method,
	json_t **ret_params, struct fail *fail) must_check;

/* The code of the last error that the daemon answered with; 0: the last answer was none. */
int client_get_error(const struct client *client);

enum {
	CLIENT_NOT_ALLOWED = -31010,
	CLIENT_NOT_DONE = -31011,
	CLIENT_UNKNOWN = -31012, /* no such domain, session, tool */
	CLIENT_BUSY = -31013,    /* already under way */
};

/* To wait for it together with other things; what is readable is not always a whole message. */
int client_get_fd(const struct client *client);
bool client_has_notice(const struct client *client); /* one waits already */

/* What the daemon said of itself in its hello. */
bool client_may_change(const struct client *client); /* this user may, not only read */
const char *client_get_version(const struct client *client);
pid_t client_get_daemon(const struct client *client);
const char *client_get_state_dir(const struct client *client); /* NULL: it keeps nothing */
const char *client_get_settings(const struct client *client);  /* their file; NULL: there is none */
const char *client_get_keys(const struct client *client); /* the keys file; NULL: it has none */
const char *client_get_path(const struct client *client);
uid_t client_get_uid(const struct client *client); /* the daemon's user, as the kernel says */

/* The whole of a verb that asks one question: opens, asks, hands back the result; NULL: it has been told
 * by ctl_fail(), *ret_exit is set. */
json_t *client_ask(const struct ctl *ctl, const char *method, json_t *params, int *ret_exit)
	must_check;
