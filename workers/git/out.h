/* How the git tools show things: JSON objects and text lines of commits, changes, names and dates.
 *
 * Names and messages are bytes inside and valid UTF-8 on the way out (other bytes become U+FFFD). */
#pragma once

#include <jansson.h>

#include "shared/strbuf.h"
#include "workers/git/repo.h"

/* Notations for tool.out. */
#define OUT_CHANGE "{path string, status string, old_path? string}"
#define OUT_FILESTAT                                                                               \
	"{path string, old_path? string, status string, additions integer, deletions integer, "    \
	"binary boolean}"
#define OUT_COMMIT                                                                                 \
	"{hash string, short_hash string, author_name string, author_email string, "               \
	"author_date string, committer_name string, committer_date string, subject string, "       \
	"body string, parents string[], refs string[], files? " OUT_FILESTAT "[]}"

/* A JSON string of any bytes, made valid UTF-8. Never NULL. */
json_t *out_str(const char *text) must_check;
json_t *out_strn(const char *bytes, size_t len) must_check;
json_t *out_oid(const git_oid *id) must_check;

/* ISO 8601 with offset: 2026-01-31T12:00:00+01:00. */
enum { OUT_DATE_SIZE = 48 };
const char *out_date(git_time when, char ret[OUT_DATE_SIZE]);
json_t *out_date_json(git_time when) must_check;

/* Adds a name to a text so that it cannot forge a line: as it is, or as JSON string when it has a
 * control character or a quote at its start. */
void out_name(struct strbuf *buf, const char *name);
void out_names(struct strbuf *buf, const char *const *names, size_t n, const char *between);

/* "added", "modified", "deleted", "renamed", "copied", "typechange". */
const char *out_status(git_delta_t status);

/* OUT_CHANGE of a delta. */
json_t *out_change(const git_diff_delta *delta) must_check;

/* OUT_FILESTAT of a delta; counts are 0 for a binary file. */
json_t *out_filestat(
	const git_diff_delta *delta, size_t additions, size_t deletions, bool is_binary) must_check;

/* Names of references by the commit they lead to, for commit.refs: "HEAD", "main", "origin/main",
 * "tag: v1". out_refs_new never fails; a repository with very many references is read in part. */
struct out_refs;
struct out_refs *out_refs_new(const struct repo *repo) must_check;
void out_refs_free(struct out_refs *refs);
DEFINE_FREEP(struct out_refs, out_refs_free)

/* OUT_COMMIT without files. `refs` may be NULL: then commit.refs is empty. */
json_t *out_commit(struct repo *repo, git_commit *commit, const struct out_refs *refs) must_check;

/* A part of a commit (message, author), in the encoding that the commit names, as valid UTF-8. */
void out_commit_text(struct strbuf *buf, const git_commit *commit, const char *bytes);

/* The subject (first paragraph as one line). */
void out_subject(struct strbuf *buf, git_commit *commit);

/* A URL with user, password and query replaced by ***: yours to free. */
char *out_url(const char *url) must_check;

/* A path in the form in which the repository was asked for (relative or absolute); `full` is absolute
 * and inside of the repository's root. Yours to free. */
char *out_path(const struct repo *repo, const char *full) must_check;
