/* What may stand at the end of a command line that is being typed, for the completions of shells.
 *
 * The scripts of 'mcp-fleetctl completion' are a few lines that call this for each Tab, so that they never disagree
 * with the tables. Names that a shell would not take as they are (a server chooses its tools' names) are left out. */
#pragma once

#include <jansson.h>

#include "ctl/verb.h"
#include "shared/strbuf.h"

/* What only a daemon knows. */
struct complete_ask {
	enum ctl_word word;
	const char *socket; /* --socket of the line; NULL: none */
	const char *tool;   /* CTL_WORD_TOOL_ARG: of which */
	const char *file;   /* --file of the line; NULL: none */
};

/* {"name": "description"}, the caller's; NULL: nothing is known. */
typedef json_t *complete_live_fn(void *arg, const struct complete_ask *ask);

/* `line` is the command with its name, up to the cursor, quoted as for a shell. Appends "word\tdescription\n" for
 * each candidate that begins with the last word, or ":files\n": names of files fit. */
void complete_line(const char *line, complete_live_fn *live, void *arg, struct strbuf *out);
