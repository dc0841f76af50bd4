/* Path arguments of the filesystem tools: from the asker's text to a place, an open descriptor, or a
 * failed call; and back to the text that the asker sees. tools.md sections 3, 4, 7.1 and 7.2. */
#pragma once

#include "shared/strbuf.h"
#include "workers/common/call.h"
#include "workers/common/failure.h"
#include "workers/common/roots.h"

/* The place that `path` names. 0, or -EINVAL with the reason in *why. place_done() it. */
int paths_look(const char *path, struct place *ret, struct failure *why) must_check;

/* The same. False: the call has failed. */
bool paths_find(struct call *call, const char *path, struct place *ret) must_check;

/* Fails the call with the code and the words for -errno `err` on `path`; returns 0, as call_fail(). */
int paths_fail(struct call *call, const char *path, int err);

/* The same into *fail, for who does not want to fail the whole call; returns -EINVAL. */
int paths_failure(struct failure *fail, const char *path, int err);

/* Opens the regular file at `place` for reading; *ret_stat may be NULL. A FIFO is not opened at all,
 * so neither do we wait for a writer, nor does a writer take us for the reader it waits for.
 * A descriptor, or -errno: -EISDIR a directory, -ENXIO a special file. */
struct stat;
int paths_open_file(const struct place *place, struct stat *ret_stat) must_check;

/* Adds a path or name to a text so that it cannot forge a line: as it is, or as JSON string when it
 * has a control character or begins with a quote. */
void paths_show(struct strbuf *out, const char *path);

/* A JSON string of any bytes, made valid UTF-8: a new reference. */
json_t *paths_json(const char *path) must_check;
