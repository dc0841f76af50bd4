/* Runs handlers of tools without the frame of a worker: decodes arguments by the tool's own table,
 * keeps what the handler answers, and checks an answer against the tool's own output schema. */
#pragma once

#include <jansson.h>

#include "shared/tool.h"

struct fake_answer {
	int r;          /* of the handler */
	json_t *result; /* NULL: it failed */
	const char
		*code; /* of a failure, "invalid_argument" also for arguments that were refused */
	const char *error; /* its words */
};

/* Calls `name` of a table with arguments as JSON text. The answer is valid until the next call. Ends
 * the test when there is no such tool, or when its answer does not fit its output schema. */
const struct fake_answer *fake_run(const struct tool *table, const char *name, const char *args);

/* A text of the last answer; "" when there is none. */
const char *fake_text(const char *key);

/* What worker_get_fleet() gives: borrowed. */
void fake_set_fleet(json_t *fleet);

void fake_done(void);
