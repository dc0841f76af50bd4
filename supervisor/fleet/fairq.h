/* Fair queue: the calls that wait for a worker of one domain, and whose turn it is.
 *
 * Each session has a lane of its own: what it asks keeps its order. The next call is that of the session
 * with the fewest calls running; among equals the lanes go round, so that a session's first call waits for
 * one call of each session that waits already, however many those have queued. Taking and adding cost the
 * logarithm of the number of sessions that wait.
 *
 * A lane can be held: it waits for a worker of its own, and is not among those whose turn it is. */
#pragma once

#include "supervisor/fleet/worker.h"

struct fairq;

struct fairq *fairq_new(void);
void fairq_free(struct fairq *queue); /* empty; no call that was taken from it is left */

/* Takes over the request: at the end of its session's lane, or (given back by a worker) at its head. */
void fairq_add(struct fairq *queue, struct request *request);
void fairq_add_first(struct fairq *queue, struct request *request);

/* Whose turn it is; NULL: none waits but those of held lanes. */
struct request *fairq_first(const struct fairq *queue);

/* The first one of a session, also of a held lane; NULL: none. */
struct request *fairq_first_of(const struct fairq *queue, uint64_t session);

/* Takes it out, because a worker gets it: it counts as running until it is freed or added again. */
void fairq_take(struct fairq *queue, struct request *request);

/* Takes it out: nobody runs it. */
void fairq_remove(struct fairq *queue, struct request *request);

/* The one that has waited longest, in any lane, and the one behind it; NULL: none. */
struct request *fairq_oldest(const struct fairq *queue);
struct request *fairq_after(struct request *request);

/* A waiting one by its number; NULL: none. */
struct request *fairq_find(const struct fairq *queue, uint64_t no);

void fairq_hold(struct fairq *queue, uint64_t session, bool hold);

/* What one session has waiting and running counts for the other from now on. A held lane is no longer. */
void fairq_move(struct fairq *queue, uint64_t from, uint64_t to);

unsigned fairq_count(const struct fairq *queue);
size_t fairq_bytes(const struct fairq *queue);
unsigned fairq_count_running(const struct fairq *queue, uint64_t session);

/* Used by request_free(). */
void fairq_forget(struct request *request);
