#include "workers/git/out.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "shared/alloc.h"
#include "shared/utf8.h"

/* References read for commit.refs; more would only slow the answer down. */
enum { MAX_REFS = 20000 };

json_t *out_strn(const char *bytes, size_t len)
{
	auto_strbuf mended = { 0 };

	if (!utf8_valid(bytes, len)) {
		utf8_repair(&mended, bytes, len);
		bytes = mended.data;
		len = mended.len;
	}
	return json_stringn_nocheck(bytes, len);
}

json_t *out_str(const char *text)
{
	return out_strn(text, strlen(text));
}

json_t *out_oid(const git_oid *id)
{
	char hex[GIT_OID_HEXSZ + 1];

	return json_string_nocheck(git_oid_tostr(hex, sizeof(hex), id));
}

/* Dates */

const char *out_date(git_time when, char ret[OUT_DATE_SIZE])
{
	enum { DAY_MINUTES = 24 * 60, MAX_YEAR = 9999 };
	int offset = when.offset > -DAY_MINUTES && when.offset < DAY_MINUTES ? when.offset : 0;
	int minutes = offset < 0 ? -offset : offset;
	time_t local = 0;
	struct tm tm;

	if (__builtin_add_overflow(when.time, (git_time_t)offset * 60, &local) ||
		!gmtime_r(&local, &tm) || tm.tm_year + 1900 > MAX_YEAR || tm.tm_year + 1900 < 0) {
		local = 0;
		(void)gmtime_r(&local, &tm); /* what no calendar has: as git, the epoch */
		offset = minutes = 0;
	}
	(void)snprintf(ret, OUT_DATE_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d",
		tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
	return ret;
}

json_t *out_date_json(git_time when)
{
	char text[OUT_DATE_SIZE];

	return json_string_nocheck(out_date(when, text));
}

/* Names */

static bool needs_quotes(const char *name)
{
	if (*name == '"')
		return true;
	for (; *name; name++)
		if ((unsigned char)*name < 0x20 || *name == 0x7f)
			return true;

	return false;
}

void out_name(struct strbuf *buf, const char *name)
{
	auto_strbuf mended = { 0 };

	utf8_repair(&mended, name, strlen(name));
	if (needs_quotes(strbuf_get(&mended)))
		strbuf_add_json(buf, mended.data, mended.len);
	else
		strbuf_add(buf, strbuf_get(&mended), mended.len);
}

void out_names(struct strbuf *buf, const char *const *names, size_t n, const char *between)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			strbuf_adds(buf, between);
		out_name(buf, names[i]);
	}
}

/* Changes */

const char *out_status(git_delta_t status)
{
	switch (status) {
	case GIT_DELTA_ADDED:
	case GIT_DELTA_UNTRACKED:
		return "added";
	case GIT_DELTA_DELETED:
		return "deleted";
	case GIT_DELTA_RENAMED:
		return "renamed";
	case GIT_DELTA_COPIED:
		return "copied";
	case GIT_DELTA_TYPECHANGE:
		return "typechange";
	default:
		return "modified";
	}
}

static const char *path_of(const git_diff_delta *delta)
{
	return delta->status == GIT_DELTA_DELETED ? delta->old_file.path : delta->new_file.path;
}

json_t *out_change(const git_diff_delta *delta)
{
	json_t *change = json_pack(
		"{s:o, s:s}", "path", out_str(path_of(delta)), "status", out_status(delta->status));

	if (delta->status == GIT_DELTA_RENAMED || delta->status == GIT_DELTA_COPIED)
		json_object_set_new(change, "old_path", out_str(delta->old_file.path));

	return change;
}

json_t *out_filestat(
	const git_diff_delta *delta, size_t additions, size_t deletions, bool is_binary)
{
	json_t *file = out_change(delta);

	json_object_set_new(file, "additions", json_integer((json_int_t)additions));
	json_object_set_new(file, "deletions", json_integer((json_int_t)deletions));
	json_object_set_new(file, "binary", json_boolean(is_binary));
	return file;
}

/* References by commit */

enum ref_rank { RANK_HEAD, RANK_BRANCH, RANK_TAG, RANK_REMOTE };

struct ref_name {
	git_oid commit;
	enum ref_rank rank;
	char *name;
};

struct out_refs {
	struct ref_name *items; /* sorted by commit, rank, name */
	size_t n;
};

static int compare_refs(const void *a, const void *b)
{
	const struct ref_name *x = a, *y = b;
	int r = git_oid_cmp(&x->commit, &y->commit);

	if (r == 0)
		r = (int)x->rank - (int)y->rank;

	return r ? r : strcmp(x->name, y->name);
}

static void add_ref(struct out_refs *refs, const git_oid *commit, enum ref_rank rank, char *name)
{
	/* Grows by doubling: n is a power of two, or nothing yet. */
	if ((refs->n & (refs->n - 1)) == 0)
		refs->items =
			alloc_resize(refs->items, refs->n ? refs->n * 2 : 1, sizeof(*refs->items));
	refs->items[refs->n++] = (struct ref_name){ *commit, rank, name };
}

static void read_ref(struct out_refs *refs, git_reference *ref)
{
	auto_git(git_object) object = NULL;
	const char *name = git_reference_name(ref);
	const char *shown = git_reference_shorthand(ref);
	bool is_tag = strncmp(name, "refs/tags/", 10) == 0;
	bool is_remote = strncmp(name, "refs/remotes/", 13) == 0;

	if (!is_tag && !is_remote && strncmp(name, "refs/heads/", 11) != 0)
		return;
	if (git_reference_peel(&object, ref, GIT_OBJECT_COMMIT) < 0)
		return;
	add_ref(refs, git_object_id(object),
		is_tag      ? RANK_TAG
		: is_remote ? RANK_REMOTE
			    : RANK_BRANCH,
		alloc_printf("%s%s", is_tag ? "tag: " : "", shown));
}

struct out_refs *out_refs_new(const struct repo *repo)
{
	struct out_refs *refs = alloc_zero(sizeof(*refs));
	auto_git(git_reference_iterator) it = NULL;
	git_reference *ref = NULL;
	git_oid head;

	if (git_reference_name_to_id(&head, repo->git, "HEAD") == 0)
		add_ref(refs, &head, RANK_HEAD, alloc_str("HEAD"));
	if (git_reference_iterator_new(&it, repo->git) == 0)
		for (size_t i = 0; i < MAX_REFS && git_reference_next(&ref, it) == 0; i++) {
			read_ref(refs, ref);
			git_reference_free(ref);
		}
	if (refs->n > 0)
		qsort(refs->items, refs->n, sizeof(*refs->items), compare_refs);
	return refs;
}

void out_refs_free(struct out_refs *refs)
{
	if (!refs)
		return;
	for (size_t i = 0; i < refs->n; i++)
		free(refs->items[i].name);
	free(refs->items);
	free(refs);
}

/* The index of the first name of `commit`, or of where it would be. */
static size_t find_refs(const struct out_refs *refs, const git_oid *commit)
{
	size_t low = 0, high = refs->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (git_oid_cmp(&refs->items[middle].commit, commit) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static json_t *refs_json(const struct out_refs *refs, const git_oid *commit)
{
	json_t *list = json_array();

	for (size_t i = refs ? find_refs(refs, commit) : 0; refs && i < refs->n; i++) {
		if (!git_oid_equal(&refs->items[i].commit, commit))
			break;
		json_array_append_new(list, out_str(refs->items[i].name));
	}
	return list;
}

/* Commits */

/* Latin 1 is the one old encoding that needs no tables: a byte is a code point. */
static bool is_latin1(const git_commit *commit)
{
	static const char *const names[] = { "ISO-8859-1", "ISO8859-1", "ISO_8859-1", "LATIN1",
		"LATIN-1" };
	const char *encoding = git_commit_message_encoding(commit);

	for (size_t i = 0; encoding && i < N_ELEMENTS(names); i++)
		if (strcasecmp(encoding, names[i]) == 0)
			return true;

	return false;
}

void out_commit_text(struct strbuf *buf, const git_commit *commit, const char *bytes)
{
	size_t len = strlen(bytes);

	if (utf8_valid(bytes, len) || !is_latin1(commit)) {
		utf8_repair(buf, bytes, len);
		return;
	}
	for (const char *at = bytes; *at; at++) {
		unsigned char c = (unsigned char)*at;

		if (c < 0x80) {
			strbuf_addc(buf, *at);
		} else {
			strbuf_addc(buf, (char)(0xc0 | c >> 6));
			strbuf_addc(buf, (char)(0x80 | (c & 0x3f)));
		}
	}
}

void out_subject(struct strbuf *buf, git_commit *commit)
{
	const char *subject = git_commit_summary(commit);

	out_commit_text(buf, commit, subject ? subject : "");
}

static json_t *commit_text(const git_commit *commit, const char *bytes)
{
	auto_strbuf text = { 0 };

	out_commit_text(&text, commit, bytes ? bytes : "");
	return json_stringn_nocheck(strbuf_get(&text), text.len);
}

json_t *out_commit(struct repo *repo, git_commit *commit, const struct out_refs *refs)
{
	const git_signature *author = git_commit_author(commit);
	const git_signature *committer = git_commit_committer(commit);
	const git_oid *id = git_commit_id(commit);
	char abbrev[REPO_SHORT_SIZE];
	json_t *parents = json_array();

	for (unsigned i = 0; i < git_commit_parentcount(commit); i++)
		json_array_append_new(parents, out_oid(git_commit_parent_id(commit, i)));

	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "hash",
		out_oid(id), "short_hash", repo_short(repo, id, abbrev), "author_name",
		commit_text(commit, author->name), "author_email",
		commit_text(commit, author->email), "author_date", out_date_json(author->when),
		"committer_name", commit_text(commit, committer->name), "committer_date",
		out_date_json(committer->when), "subject",
		commit_text(commit, git_commit_summary(commit)), "body",
		commit_text(commit, git_commit_body(commit)), "parents", parents, "refs",
		refs_json(refs, id));
}

/* URLs and paths */

static bool has_digits_only(const char *from, const char *to)
{
	for (; from < to; from++)
		if (*from < '0' || *from > '9')
			return false;

	return true;
}

/* Where the host begins: behind the last @ of the authority. A colon without a port behind it says
 * that a password holds a slash, and then the last @ of all counts. */
static const char *find_host(const char *authority)
{
	const char *end = authority + strcspn(authority, "/?#");
	const char *at = memrchr(authority, '@', (size_t)(end - authority));
	const char *colon = memchr(authority, ':', (size_t)(end - authority));

	if (!at && *authority != '[' && colon && !has_digits_only(colon + 1, end))
		at = strrchr(end, '@');

	return at ? at + 1 : authority;
}

char *out_url(const char *url)
{
	const char *scheme_end = strstr(url, "://");
	auto_strbuf shown = { 0 };

	if (scheme_end) {
		const char *host = find_host(scheme_end + 3);
		const char *query = strchr(host, '?');

		utf8_repair(&shown, url, (size_t)(scheme_end + 3 - url));
		if (host != scheme_end + 3)
			strbuf_adds(&shown, "***@");
		utf8_repair(&shown, host, query ? (size_t)(query - host) : strlen(host));
		if (query)
			strbuf_adds(&shown, "?***");
	} else {
		/* user@host:path, or a path */
		const char *end = url + strcspn(url, "/");
		const char *at = memrchr(url, '@', (size_t)(end - url));

		if (at)
			strbuf_adds(&shown, "***@");
		url = at ? at + 1 : url;
		utf8_repair(&shown, url, strlen(url));
	}
	return strbuf_take(&shown);
}

char *out_path(const struct repo *repo, const char *full)
{
	const struct root *first = roots_get(0);
	size_t len = streq(first->path, "/") ? 0 : strlen(first->path);

	if (!repo->relative || !root_has(first, full))
		return alloc_str(full);
	if (full[len] == '\0' || full[len + 1] == '\0')
		return alloc_str(".");

	return alloc_str(full + len + 1);
}
