/* Where a walk starts: the directory (or file) that the asker names, held open; and how what lies
 * below is called in the answer, relative or absolute as was asked. */
#pragma once

#include "workers/filesystem/paths.h"
#include "workers/filesystem/walk.h"

struct start {
	struct place place;
	int fd;       /* open for reading */
	bool is_file; /* a regular file, not a directory */
	struct strbuf shown;
	size_t shown_len; /* of what stands before the paths */
};

#define auto_start auto_(start_done) struct start

/* Opens `path`; a regular file only if may_be_file. False: the call has failed. start_done() it (a
 * zero-initialised one too). */
bool start_open(struct call *call, const char *path, bool may_be_file, struct start *ret)
	must_check;
void start_done(struct start *start);

/* How the asker would name what lies at `below` ("": the start): borrowed until the next time. */
const char *start_path(struct start *start, const char *below);

/* Says in a text that `n` files or directories were left out because the system refuses them; nothing
 * when there are none. */
void start_tell_refused(struct strbuf *text, size_t n);

/* Whether this step of a walk says that the start itself cannot be read; then the call has failed. */
bool start_failed(struct call *call, const char *path, int event, const struct walk_entry *entry);
