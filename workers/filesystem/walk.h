/* What lies below a directory, one entry after the other, in the order of their paths' bytes.
 *
 * - Symlinks are never followed, other mounts never crossed, `.git` entered only if told. Each directory is
 *   opened below the one that the walk started in, and must be the one whose name was read.
 * - Memory is bounded, however wide or deep the tree is: at most WALK_OPEN_DIRS descriptors and
 *   WALK_NAME_BYTES of names are held. A directory with more names is read again, as often as needed.
 * - It changes nothing. The caller may: names that vanish meanwhile are passed over, so a tree can be
 *   deleted as it is walked (files at WALK_ENTRY, directories at WALK_LEAVE).
 *
 *	auto_(walk_freep) struct walk *walk = walk_new(&options, dir_fd, call);
 *	struct walk_entry entry;
 *	int r;
 *
 *	while ((r = walk_next(walk, &entry)) > 0)
 *		...
 *	if (r < 0)
 *		...
 *
 * tools.md section 7.6. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "shared/cleanup.h"

enum {
	WALK_OPEN_DIRS = 32,
	WALK_MAX_DEPTH = 4096,
	WALK_NAME_BYTES = 12 * 1024 * 1024,
};

struct call; /* workers/common/call.h */
struct walk;

enum walk_event {
	WALK_END,
	/* Each thing once: a file, a link, a device; a directory before what is in it. */
	WALK_ENTRY,
	/* A directory that was entered, after all that is in it. */
	WALK_LEAVE,
	/* A directory (path "": the start) that could not be entered or not be read to its end; `error`
	 * says why (-EXDEV: another mount, -ENAMETOOLONG: deeper than WALK_MAX_DEPTH). It is not left,
	 * and what is in it may be missing. */
	WALK_UNREADABLE,
};

/* Everything is valid until the next walk_next(). */
struct walk_entry {
	const char *path; /* from the start, "a/b" */
	const char *name; /* its last component */
	size_t depth;     /* components of the path */
	mode_t type;      /* S_IFREG, S_IFDIR, S_IFLNK … */
	int error;        /* WALK_UNREADABLE: -errno */
};

/* What a filter wants of an entry. */
enum walk_wish {
	WALK_PASS_OVER = 0,
	WALK_SEE = 1 << 0,   /* WALK_ENTRY */
	WALK_ENTER = 1 << 1, /* a directory: what is in it, and WALK_LEAVE */
};

struct walk_options {
	/* Asked for each name that is read, more than once for the same when there are very many, and
	 * not in order. NULL: WALK_SEE | WALK_ENTER. What nobody wants takes no memory. */
	unsigned (*filter)(void *arg, const struct walk_entry *entry);
	void *arg;
	/* Pass over what .gitignore files exclude: those from the start down to the entry. The filter
	 * is not asked about it. */
	bool respects_gitignore;
	bool enters_git; /* `.git` as any other directory */
	/* Tell the call's asker how many names were read (call_progress()). */
	bool tells_progress;
	size_t name_bytes; /* 0: WALK_NAME_BYTES */
};

/* Walks below the directory `dir_fd`, which is borrowed and must be open for reading. `options` and
 * `call` must outlive the walk. `call` (NULL: none) is asked whether to stop, at each name. */
struct walk *walk_new(const struct walk_options *options, int dir_fd, struct call *call) must_check;
void walk_free(struct walk *walk);
DEFINE_FREEP(struct walk, walk_free)

/* A walk_event, or -ECANCELED: the call has to stop. */
int walk_next(struct walk *walk, struct walk_entry *ret) must_check;

/* The directory that holds the entry of the last WALK_ENTRY or WALK_LEAVE, for openat() and its like
 * with entry.name: borrowed until the next walk_next(). -errno: it cannot be reached any more. */
int walk_dir_fd(struct walk *walk) must_check;

/* Names read so far (of those read twice, each counts once if it was kept). Only rises. */
size_t walk_n_seen(const struct walk *walk);

/* Directories so far that the system refused to let us read. */
size_t walk_n_refused(const struct walk *walk);

/* Opens what lies at `path` ("": itself) below a directory, however long the path is, without
 * following a symlink and without leaving the mount. A descriptor, or -errno. */
int walk_open(int dir_fd, const char *path, int flags) must_check;
