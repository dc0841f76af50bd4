/* What sessions want to hear of a domain: resources whose changes are told, and log levels.
 *
 * Bounded: a session has WANTS_MAX_URIS resources at most, and all together WANTS_MAX_BYTES.
 * Source: MCP 2025-11-25 server/resources "Subscriptions", server/utilities/logging. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WANTS_MAX_URIS = 1024,
	WANTS_MAX_BYTES = 16 * 1024 * 1024,
};

struct wants;

struct wants *wants_new(void);
void wants_free(struct wants *wants);

/* 0: new. -EEXIST: it was there. -ENOBUFS: a limit is reached. `uri` is copied. */
int wants_add(struct wants *wants, uint64_t session, const char *uri);

/* These are true when something changed. */
bool wants_remove(struct wants *wants, uint64_t session, const char *uri);
bool wants_forget(struct wants *wants, uint64_t session);

/* What one session wants is wanted by the other from now on, beside what that wants; its level is that
 * of `from` if it has one. */
bool wants_move(struct wants *wants, uint64_t from, uint64_t to);

/* One of the levels of the protocol, "debug" to "emergency"; any other is ignored. */
bool wants_set_level(struct wants *wants, uint64_t session, const char *level);

bool wants_has_uris(const struct wants *wants);

/* The resources of one session or (NULL) of all, sorted, each once; their number. The texts are borrowed
 * until the next change, the array is yours to free. */
size_t wants_list(const struct wants *wants, const uint64_t *session, const char ***ret);

/* The least important level that one session or (NULL) any wants; NULL: none. A static text. */
const char *wants_get_level(const struct wants *wants, const uint64_t *session);
