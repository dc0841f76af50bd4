/* The control socket: what mcp-fleetctl and other programs of an operator ask and change.
 *
 * JSON-RPC 2.0, one message a line, over a Unix socket of the mode 0660: who may connect may read;
 * root, the daemon's user and control.admins may also change. A connection that does not read is
 * closed, one that asks too much at a time is refused, and each turn of the loop answers only so many.
 * Source: doc/control.md. */
#pragma once

#include <jansson.h>

#include "shared/fail.h"
#include "supervisor/ops/log_ring.h"
#include "supervisor/ops/status.h"

struct control;

struct control_hooks {
	/* Reads the settings again: 0 with *ret what changed, the caller's; -errno with words, and
	 * nothing has changed. */
	int (*reload)(void *arg, json_t **ret, struct fail *fail);
};

/* All is borrowed and must outlive it; `conf` until control_set_conf(). */
struct control_parts {
	struct loop *loop;
	struct mcp *mcp;
	struct status *status;
	struct registration *registration;
	struct log_ring *log;
	const struct conf *conf;
};

/* Listens nowhere yet. */
struct control *control_new(
	const struct control_parts *parts, const struct control_hooks *hooks, void *arg);
void control_free(struct control *control); /* closes all connections */

void control_set_conf(struct control *control, const struct conf *conf);

/* 0, or -errno with words. */
int control_listen(struct control *control, const char *path, const char *group, struct fail *fail)
	must_check;
void control_stop_listening(struct control *control);

/* The fleet is stopping: nothing is changed any more, but it may be looked at until the end. */
void control_set_stopping(struct control *control);

/* NULL: it listens nowhere. */
const char *control_get_path(const struct control *control);

/* States or lists changed: who watches is told soon. */
void control_note_change(struct control *control);

/* What the registrar says has changed. */
void control_note_report(struct control *control);
