/* The keys file (shared/keys_file.h) as mcp-fleetctl changes it: where it is, one change at a time, and written whole.
 *
 * The daemon sees the new file by itself. Two who change it at once wait for each other at a lock beside it: the file
 * itself is replaced, and cannot be what is locked. */
#pragma once

#include "ctl/verb.h"
#include "shared/fail.h"
#include "shared/keys_file.h"

struct key_store {
	char *path; /* links followed */
	struct keys_file *file;
	bool is_new;       /* there is no file yet */
	bool is_of_daemon; /* a running daemon reads it */
	gid_t daemon_gid;  /* its group, when is_of_daemon and known; else (gid_t)-1 */
	int lock;          /* -1: only read */
};

/* Finds the file, `path`, or NULL: that of the running daemon, else the default beside the default settings, and
 * reads it; one that is not there is empty. `for_change` locks it until key_store_done(); as long as another has the
 * lock it waits, at most ctl->timeout_ms. 0; -errno with words that name the remedy. key_store_done() in any case. */
int key_store_open(const struct ctl *ctl, const char *path, bool for_change, struct key_store *ret,
	struct fail *fail) must_check;

/* Writes it: mode 0640, owner and group as they were; of a new one ours, and the group of the folder or, as root, of
 * the daemon. Nothing is written that the daemon would refuse. */
int key_store_save(const struct key_store *store, struct fail *fail) must_check;

void key_store_done(struct key_store *store);
