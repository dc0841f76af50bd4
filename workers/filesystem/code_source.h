/* The files that a path argument of a code tool means: one, or all Python below a directory.
 *
 * A file is read, and written again, by way of its directory's descriptor: symlinks are followed
 * where the asker names one that stays inside its root, never on a walk. */
#pragma once

#include <sys/stat.h>

#include "workers/filesystem/code_program.h"
#include "workers/filesystem/paths.h"

enum { CODE_FILE_BYTES = 5 * MIB };

struct code_source {
	char *shown; /* in the form in which it was asked for, safe in a line */
	char *rest;  /* below dir_fd */
	enum code_kind kind;
};

struct code_sources {
	bool is_open;              /* the descriptors are some, or -1 */
	int dir_fd;                /* the file's directory, or the one that was named */
	char *dir;                 /* its real path */
	bool is_dir;               /* a directory was named */
	bool is_cut;               /* there are more than are listed */
	struct code_source *items; /* sorted by name */
	size_t n;
	int project_fd; /* where the project begins that dir belongs to: the nearest directory above */
	char *project; /* with one of its customary files, else the root; its real path */
};

/* False: the call has failed. Zero it before, and code_sources_done() it in any case. */
bool code_sources_find(struct call *call, const char *path, struct code_sources *ret) must_check;
void code_sources_done(struct code_sources *sources);

/* The whole file, as it is now: 0, or -errno: -EFBIG over CODE_FILE_BYTES, -ENXIO not a file,
 * -ECANCELED when the call was stopped. */
int code_source_read(struct call *call, const struct code_sources *sources,
	const struct code_source *source, struct strbuf *ret, struct stat *ret_stat) must_check;

/* Its path below the project, for a program; NULL when a name in it cannot be shown in a line. Yours
 * to free. */
char *code_source_name(const struct code_sources *sources, const struct code_source *source);

/* Whether it may be written: 0, -EROFS its root may only be read, -EPERM it lies in .git. */
int code_source_may_write(const struct code_sources *sources, const struct code_source *source,
	bool protect_git_dir) must_check;

/* Puts other contents in its place at once, with the attributes of the old ones: 0, or -errno: -ESTALE it
 * is not as `was` any more. */
int code_source_replace(const struct code_sources *sources, const struct code_source *source,
	const struct stat *was, const struct strbuf *bytes) must_check;
