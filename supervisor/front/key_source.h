/* Where the keys of tokens come from: a secret's file, a key set's file, or a key set's URL.
 *
 * What cannot be had at the start is refused there, but for the URL, whose keys come later. New keys take the place
 * of old ones as a whole, so that a key that left the set is not trusted any more; when no new ones can be had, the
 * old ones stay. A set is asked for anew when it is old, and when a token names a key that is not in it, but not for
 * each such token.
 *
 * Nothing here waits for the network: the fetch is somebody else's, by a hook. Files of keys are local and small.
 *
 * Source: RFC 7517 section 5; RFC 8725 sections 3.5, 3.10; RFC 9111 section 4.2 (max-age). */
#pragma once

#include "supervisor/conf.h"
#include "supervisor/front/jwks.h"
#include "supervisor/loop.h"

struct key_source;

struct key_source_hooks {
	/* Fetch what is at this URL, which ends in key_source_take() or key_source_miss() with the same number, later
	 * or at once. All is borrowed. */
	void (*fetch)(void *arg, uint64_t number, const char *url, const char *ca_file);
	/* There are other keys. */
	void (*changed)(void *arg);
};

/* For the key settings of `auth`, which is not kept; files are read here. NULL with words: they are not fit. */
struct key_source *key_source_new(struct loop *loop, const struct conf_auth *auth,
	const struct key_source_hooks *hooks, void *arg, struct fail *fail) must_check;
void key_source_free(struct key_source *source);
DEFINE_FREEP(struct key_source, key_source_free)

/* Begins to look for newer keys. `before` (may be NULL) is the source that is given up: from the same URL its keys
 * are taken over. */
void key_source_start(struct key_source *source, struct key_source *before);

/* Borrowed until the hook `changed`; NULL: they have not come yet. */
const struct jwks *key_source_get(const struct key_source *source);

enum key_source_hope {
	KEY_SOURCE_NONE,   /* it is not time to look again */
	KEY_SOURCE_COMING, /* newer keys are being fetched */
	KEY_SOURCE_NEW,    /* there are others now */
};

/* A token names a key that is not there: looks for newer ones, within bounds. */
enum key_source_hope key_source_seek(struct key_source *source) must_check;

/* What the hook `fetch` had to bring. `max_age_s` is how long it may be kept, -1: nobody says. Words of `why` are for
 * the log. Numbers of another source or time are nothing to us. */
void key_source_take(struct key_source *source, uint64_t number, const char *body, size_t len,
	int64_t max_age_s);
void key_source_miss(struct key_source *source, uint64_t number, const char *why);
