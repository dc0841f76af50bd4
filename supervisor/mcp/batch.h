/* Batches: what an array of messages holds, and how many answers it gets. Pure.
 *
 * A door that waits for all answers counts them before the messages are handled, and the handler
 * answers: both go by batch_answers_message(), so that no door waits for an answer that does not come.
 *
 * Source: MCP 2025-03-26 basic/transports "Sending Messages to the Server"; JSON-RPC 2.0 section 6. */
#pragma once

#include "shared/rpc.h"

size_t batch_count(struct jspan batch);

/* One of the messages names the stateless revision, which has no batches. */
bool batch_has_modern(struct jspan batch);

/* It must not be part of a batch, and is answered so, whatever else is wrong with it. */
bool batch_is_initialize(struct jspan item);

/* Whether a message is answered, be it with an error. `r` is what rpc_parse() said of it: a malformed
 * notification is not answered, and what is no message at all is. */
bool batch_answers_message(int r, const struct rpc *rpc);

/* Of `text`, an array; 0 where it is none. */
unsigned batch_count_answers(const char *text, size_t len);
