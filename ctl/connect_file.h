/* A client's configuration file, with one entry of ours put in and taken out.
 *
 * Before the first change the file is copied beside itself (FILE.mcp-fleet-backup). When nothing but our change was made
 * since, taking back puts that copy in its place, byte for byte; else only our entry is taken out. */
#pragma once

#include <jansson.h>

#include "ctl/put.h"
#include "shared/fail.h"
#include "shared/strbuf.h"

struct connect_file {
	char *path;             /* with symbolic links resolved */
	char *backup;           /* beside it */
	const char *const *way; /* names down to our entry; ends with NULL */
	struct strbuf text;     /* as it is now */
	bool is_there;
	struct put_owner owner; /* of it */
	json_t *entry;          /* what stands under our name; NULL: nothing */
};

/* -EINVAL: it is not JSON, or not of the form; the words begin with path:line:column. `way` is borrowed.
 * connect_file_done() afterwards. */
int connect_file_open(const char *path, const char *const *way, struct connect_file *ret,
	struct fail *fail) must_check;
void connect_file_done(struct connect_file *file);

/* Puts the entry in, in the place of one that is there. Nothing is changed on an error. */
int connect_file_put(struct connect_file *file, json_t *entry, struct fail *fail) must_check;

enum connect_undone {
	CONNECT_RESTORED, /* it is what it was, byte for byte */
	CONNECT_REMOVED,  /* it was not there before, and is not now */
	CONNECT_TAKEN_OUT /* somebody changed it since: only our entry is gone */
};

/* Takes the entry, which is there, out again. */
int connect_file_undo(struct connect_file *file, enum connect_undone *ret, struct fail *fail)
	must_check;
