/* The matches of code_search_content: looks through one file after the other and gathers what there is
 * to answer, with the lines around.
 *
 * A match is one line. A text is looked for in many lines at once, a regular expression in each. */
#pragma once

#include <jansson.h>

#include "workers/common/call.h"
#include "workers/common/failure.h"

enum { HITS_MAX_CONTEXT = 20 };

struct hits_options {
	bool is_regex;
	bool is_case_sensitive;
	int64_t context_lines; /* at most HITS_MAX_CONTEXT */
	int64_t max_results;
};

struct hits;

/* A failure has the code that the call fails with. */
int hits_new(struct call *call, const char *query, const struct hits_options *options,
	struct hits **ret, struct failure *fail) must_check;
void hits_free(struct hits *hits);
DEFINE_FREEP(struct hits, hits_free)

/* Searches the bytes of the file that the asker knows as `path`. 0. -ECANCELED: the call has to stop.
 * -EINVAL: it has failed. */
int hits_search(struct hits *hits, const char *path, const char *bytes, size_t len) must_check;

size_t hits_count(const struct hits *hits);

/* There is more, or the answer is full: there is no use in going on. */
bool hits_truncated(const struct hits *hits);

/* Both borrowed: the structured content's `matches`; the text, each line with a line break before. */
json_t *hits_json(const struct hits *hits);
const struct strbuf *hits_text(const struct hits *hits);
