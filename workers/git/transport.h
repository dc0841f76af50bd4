/* Remotes: which URLs are allowed, and which credentials belong to them. Pure: nothing is opened or
 * looked up here, the texts of files are handed in. Rules: tools.md section 6.4.
 *
 * What is used is never the URL that was written but one that is rebuilt from the parts that were
 * checked, so there is no second reading of a URL that libgit2 could disagree with. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "workers/git/refusal.h"
#include "workers/git/settings.h"

enum target_kind {
	TARGET_HTTPS,
	TARGET_SSH,
	TARGET_FILE,
};

struct target {
	enum target_kind kind;
	char *url;  /* rebuilt; https without user, none with a password. Files: as `path` */
	char *host; /* files: NULL */
	char *user; /* https: may be NULL; ssh: "git" unless another one was given */
	char *path; /* files: as written, not yet looked up; else NULL */
	unsigned port;
};

#define auto_target auto_(target_done) struct target

/* Reads and judges a URL: remote_refused, address_refused. target_done() it, also after a failure. */
int target_parse(const struct git_settings *settings, const char *url, struct target *ret,
	struct refusal *why) must_check;
void target_done(struct target *target); /* also one that is all zero */

/* A file: URL that libgit2 takes for nothing but this absolute path. Yours to free. */
char *target_file_url(const char *path) must_check;

struct credentials {
	char *user;
	char *password;
};

/* Looks in the text of a credentials file, lines of `https://user:password@host[:port]` with %XX for
 * special characters; empty lines and those with a # are left out. False: nothing for this target.
 * credentials_done() it. */
bool credentials_find(const char *text, const struct target *target, struct credentials *ret);
void credentials_done(struct credentials *credentials);

#define auto_credentials auto_(credentials_done) struct credentials

/* Whether the text of a known_hosts file has the host (key NULL), or the host with this key, and does
 * not revoke it. Hashed names and patterns match nothing. Source: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */
bool known_hosts_has(const char *text, const struct target *target, const void *key, size_t len);
