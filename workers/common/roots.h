/* The directories a worker may use, opened once at start, and paths below them.
 *
 * A relative path starts at the first root; an absolute one must lie in a root by whole components.
 * `~`, `%2e`, `file://`, backslashes have no meaning. Opening is openat2() below the root's
 * descriptor, so `..`, symlinks and races that leave it end in EXDEV. For the time of a call the set can
 * be narrowed; then all below speaks of the narrowed set. tools.md sections 7.1, 7.2. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/cleanup.h"
#include "shared/fail.h"

struct root {
	const char *path; /* real path, absolute, no slash at the end (but "/") */
	int fd;           /* O_PATH */
	bool writable;
};

struct place {
	const struct root *root;
	char *rest;    /* below the root, "." for itself; freed by place_done() */
	char *full;    /* root->path/rest */
	bool relative; /* asked with a relative path */
};

/* Opens one more root. The same directory again only adds what it allows. */
int roots_open(const char *path, bool writable, struct fail *fail) must_check;
void roots_close(void);

/* Until roots_widen(): of the roots that were opened only what lies in these directories too, in their
 * order. `paths` are absolute; what is none, does not exist, is no directory or leads outside of the roots
 * counts for nothing. One that holds a root leaves that whole; one below a root is opened there
 * and has that one's access. None left: nothing can be reached. */
void roots_narrow(const char *const *paths, size_t n);
void roots_widen(void); /* all again; nothing that was borrowed is valid any more */
bool roots_are_narrow(void);

size_t roots_count(void);
const struct root *roots_get(size_t i);

/* Which root and rest `path` names, by text alone (".." resolved by text is refused where it would
 * leave the root). -EINVAL: NUL, empty, too long. -EXDEV: outside every root. Words in fail. */
int place_find(const char *path, struct place *ret, struct fail *fail) must_check;
void place_done(struct place *place);

/* openat2(root, rest, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS); O_CLOEXEC is added; EAGAIN is tried
 * again up to 32 times. A descriptor, or -errno (-EXDEV: it leads outside). */
int place_open(const struct place *place, int flags, unsigned mode) must_check;

/* The same from any directory's descriptor, with more resolve flags. */
int path_open_beneath(int dir_fd, const char *rest, int flags, unsigned mode, uint64_t resolve)
	must_check;

/* The real path of an open descriptor (from /proc/self/fd); yours to free; NULL when it has none. */
char *path_of_fd(int fd) must_check;

/* Whether absolute, normalised `path` lies in `root` by whole components. */
bool root_has(const struct root *root, const char *path);

/* Whether a root that may be written holds this path, narrowed or not: whoever changes something there may
 * be another caller. */
bool roots_let_write(const char *path);

/* The code of section 4 ("outside_roots", "not_found", "permission_denied", …) of an -errno. */
const char *path_error_code(int err);
