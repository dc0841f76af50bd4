/* A JSON text with some of its parts replaced: payloads go through us as the bytes they are, but for a
 * name, a token, a URI here and there. Zero-initialised is "nothing is replaced". */
#pragma once

#include "shared/jspan.h"

struct splice {
	const char *at; /* in the whole */
	size_t len;     /* of what is replaced; 0: an insertion */
	char *with;
	size_t with_len;
};

struct splices {
	struct splice *items;
	size_t n;
};

void splices_done(struct splices *splices);
#define auto_splices auto_(splices_done) struct splices

/* The part `where` of the whole becomes `with` (copied). Parts must not overlap. */
void splice_replace(struct splices *splices, struct jspan where, const char *with, size_t len);

/* `with` comes in front of the byte at `at`. */
void splice_insert(struct splices *splices, const char *at, const char *with, size_t len);

/* Puts members ("\"a\":1", no comma at the ends) first in an object. */
void splice_members(struct splices *splices, struct jspan object, const char *members);

/* Takes the members of this name out of an object that has others too. */
void splice_remove(struct splices *splices, struct jspan object, const char *name);

/* Appends `whole` with all that was asked for, in whatever order it was. */
void splices_apply(struct splices *splices, struct jspan whole, struct strbuf *out);
