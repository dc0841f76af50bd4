/* A change of conf.d: files that are written or removed together, or not at all.
 *
 * After writing the daemon's own loader is asked; what it does not take is taken back, and the folder is as it was. */
#pragma once

#include "ctl/place.h"
#include "ctl/server.h"

struct confd_file {
	char *path;
	char *text; /* NULL: it is to be removed */
	size_t len;
	bool is_secret; /* for the daemon alone */
};

struct confd_change {
	const struct place *place;
	struct confd_file *files;
	size_t n;
};

void confd_done(struct confd_change *change);

/* The files of a server, none of which may be there (confd_find_file()). */
void confd_add_server(struct confd_change *change, const struct server *server, const char *origin);

/* A file that a server of this name would have and that is there already, yours; NULL: none. */
char *confd_find_file(const struct place *place, const char *name) must_check;

/* The settings of NAME, and the files of secrets that they name beside them. */
void confd_remove(struct confd_change *change, const char *name);

/* Where no settings name any domain, the four that are built in are served, but with the first domain that is
 * named they would be gone: adds a file that names them. True: it was necessary. */
bool confd_keep_built_in(struct confd_change *change);

/* All is on the disk already as the change would make it. */
bool confd_is_done(const struct confd_change *change);

/* 0, or an error with words after which everything is as it was. */
int confd_apply(const struct confd_change *change, struct fail *fail) must_check;
