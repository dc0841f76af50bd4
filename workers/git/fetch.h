/* Fetching from a configured remote: the work behind git_fetch and the first half of git_pull. */
#pragma once

#include <jansson.h>

#include "shared/strbuf.h"
#include "workers/git/repo.h"

struct call; /* workers/common/call.h */

struct fetch_what {
	const char *remote;
	const char *branch; /* this branch must be fetched in any case; NULL: as configured */
	bool prune;
	bool tags;
};

struct fetched {
	json_t *updated;    /* of {ref, old?, new}; NULL after a failure */
	json_t *pruned;     /* names */
	struct strbuf text; /* a line for each of them; "" when there was nothing new */
	git_oid tip;        /* of `branch` */
};

#define auto_fetched auto_(fetched_done) struct fetched
void fetched_done(struct fetched *fetched);

/* not_found, remote_refused, repo_refused, auth_failed, address_refused, and what refuses connections. */
int fetch(struct call *call, struct repo *repo, const struct fetch_what *what, struct fetched *ret,
	struct refusal *why) must_check;
