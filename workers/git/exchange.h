/* One exchange with a remote repository: finding and judging the remote, connecting with the right
 * credentials, progress, being stopped, and telling why it failed.
 *
 * Of the remote's configuration only url, pushurl, fetch and tagOpt are read, here and not by libgit2:
 * uploadpack, receivepack, vcs, proxy and credential helpers mean nothing. Used by git_clone,
 * git_fetch, git_pull and git_push. */
#pragma once

#include "workers/git/names.h"
#include "workers/git/repo.h"
#include "workers/git/stream.h"
#include "workers/git/transport.h"

/* What a remote's section of the configuration says. */
struct remote_config {
	char *url;      /* after url.*.insteadOf */
	char *push_url; /* after url.*.pushInsteadOf, else as url */
	struct names fetch;
	git_remote_autotag_option_t tags;
};

struct ref_update {
	char *ref;
	git_oid old; /* zero: it is new */
	git_oid new; /* zero: it is gone */
};

struct exchange {
	struct call *call;
	const struct git_settings *settings;
	struct refusal why;
	struct target target;
	char *shown; /* the URL as answers show it */
	struct stream_watch watch;
	git_remote *remote;
	unsigned n_asked;           /* times that credentials were asked for */
	size_t next_key;            /* of the service's SSH keys */
	struct ref_update *updates; /* of our references, in the order in which they were made */
	size_t n_updates;
	char *rejected; /* by the remote: which reference, and why */
	char how_far[96];
};

#define auto_exchange auto_(exchange_close) struct exchange

/* not_found: there is no such remote, or it has no URL. */
int remote_config_read(const struct repo *repo, const char *name, struct remote_config *ret,
	struct refusal *why) must_check;
void remote_config_done(struct remote_config *config);

#define auto_remote_config auto_(remote_config_done) struct remote_config

/* Judges the URL and finds out what it is. A path starts at `base` (NULL: the first root).
 * remote_refused, address_refused; x->why. exchange_close() it, also after a failure. */
int exchange_open(struct exchange *x, struct call *call, const char *url, const char *base)
	must_check;
void exchange_close(struct exchange *x);

/* Connects for `repo`, which must outlive the exchange. To a file remote for pushing only when it may
 * be written to: read_only. */
int exchange_connect(struct exchange *x, const struct repo *repo, git_direction direction)
	must_check;

/* What the remote's reference is, after connecting. False: it has none. */
bool exchange_find(struct exchange *x, const char *ref, git_oid *ret);

/* Fetches by refspecs; x->updates has what changed. Disconnects. */
struct fetch_how {
	const struct names *specs;
	git_remote_autotag_option_t tags;
	bool prune;
	const char *reflog;
};
int exchange_fetch(struct exchange *x, const struct fetch_how *how) must_check;

/* Pushes by refspecs. not_fast_forward; remote_refused when the remote rejects one. */
int exchange_push(struct exchange *x, const struct names *specs) must_check;

/* The refusal for a libgit2 call on x->remote that returned `rc` < 0. */
int exchange_failed(struct exchange *x, int rc, const char *what);

/* Who stands in the reflogs of what is fetched. */
void exchange_sign_reflogs(const struct repo *repo);

/* Where this service keeps its SSH keys and known hosts, whatever HOME says. Yours to free. */
char *exchange_ssh_dir(void) must_check;
