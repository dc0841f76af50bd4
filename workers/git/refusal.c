#include "workers/git/refusal.h"

#include <errno.h>
#include <git2.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/utf8.h"
#include "workers/common/call.h"
#include "workers/common/roots.h"

/* The code of calls that were stopped; call_fail_stopped() finds out whether cancelled or late. */
static const char stopped[] = "stopped";

static void set_words(struct refusal *why, const char *code, const char *fmt, va_list args)
	printf_like(3, 0);

static void set_words(struct refusal *why, const char *code, const char *fmt, va_list args)
{
	why->code = code;
	(void)vsnprintf(why->text, sizeof(why->text), fmt, args);
}

void refusal_set(struct refusal *why, const char *code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set_words(why, code, fmt, args);
	va_end(args);
}

/* They may repeat what the caller said, of which no more than this is shown. */
enum { MAX_WORDS = 200 };

static void add_words(struct refusal *why, const char *words)
{
	size_t len = strlen(why->text);
	int cut = (int)utf8_cut(words, strlen(words), MAX_WORDS);

	(void)snprintf(why->text + len, sizeof(why->text) - len, ": %.*s", cut, words);
}

/* Codes for what libgit2 returns; GIT_ERROR itself says nothing, then the class of the error does. */
static const char *code_of_return(int rc)
{
	static const struct {
		int rc;
		const char *code;
	} codes[] = {
		{ GIT_ENOTFOUND, "not_found" },
		{ GIT_EEXISTS, "already_exists" },
		{ GIT_EAMBIGUOUS, "bad_revision" },
		{ GIT_EBAREREPO, "repo_refused" },
		{ GIT_EUNBORNBRANCH, "bad_revision" },
		{ GIT_EUNMERGED, "merge_conflict" },
		{ GIT_EMERGECONFLICT, "merge_conflict" },
		{ GIT_ENONFASTFORWARD, "not_fast_forward" },
		{ GIT_EINVALIDSPEC, "invalid_argument" },
		{ GIT_EPEEL, "bad_revision" },
		{ GIT_ECONFLICT, "dirty_tree" },
		{ GIT_EUNCOMMITTED, "dirty_tree" },
		{ GIT_EINDEXDIRTY, "dirty_tree" },
		{ GIT_ELOCKED, "busy" },
		{ GIT_EMODIFIED, "busy" },
		{ GIT_EAUTH, "auth_failed" },
		{ GIT_ECERTIFICATE, "tls_failed" },
		{ GIT_EMISMATCH, "repo_refused" },
		{ GIT_EOWNER, "repo_refused" },
	};

	for (size_t i = 0; i < N_ELEMENTS(codes); i++)
		if (codes[i].rc == rc)
			return codes[i].code;

	return NULL;
}

static const char *code_of_class(int class)
{
	switch (class) {
	case GIT_ERROR_CONFIG:
	case GIT_ERROR_ODB:
	case GIT_ERROR_ZLIB:
	case GIT_ERROR_OBJECT:
	case GIT_ERROR_TREE:
	case GIT_ERROR_INDEX:
	case GIT_ERROR_REFERENCE:
	case GIT_ERROR_REPOSITORY:
	case GIT_ERROR_SUBMODULE:
		return "repo_refused";
	case GIT_ERROR_NET:
	case GIT_ERROR_HTTP:
	case GIT_ERROR_SSH:
		return "connect_failed";
	case GIT_ERROR_SSL:
		return "tls_failed";
	default:
		return "internal";
	}
}

/* Codes for what the system said, which stands at the end of libgit2's words: errno itself is often that
 * of the cleaning up by now. */
static const char *code_of_words(const git_error *last)
{
	static const struct {
		int err;
		const char *code;
	} codes[] = {
		{ EACCES, "permission_denied" },
		{ EPERM, "permission_denied" },
		{ EROFS, "read_only" },
	};
	const char *words = last && last->message ? last->message : "";
	size_t len = strlen(words);

	for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
		const char *end = strerror(codes[i].err);

		if (len > strlen(end) && streq(words + len - strlen(end), end))
			return codes[i].code;
	}
	return NULL;
}

/* What libgit2 says, without a code of its own, when a file is no longer what it was when libgit2 read
 * its directory. */
static bool has_changed_meanwhile(const git_error *last)
{
	static const char *const words[] = {
		"error reading file for hashing",
		"file changed before we could read it",
	};

	for (size_t i = 0; last && last->message && i < N_ELEMENTS(words); i++)
		if (strncmp(last->message, words[i], strlen(words[i])) == 0)
			return true;

	return false;
}

/* What to do about it, where the place that failed cannot know better. */
static void add_hint(struct refusal *why)
{
	static const struct {
		const char *code;
		const char *hint;
	} hints[] = {
		{ "permission_denied", "The user that this server runs as needs the permission." },
		{ "read_only", "Use another allowed directory." },
		{ "busy", "Try again." },
		{ "not_a_directory", "Choose another path." },
		{ "is_a_directory", "Choose another path." },
		{ "already_exists", "Choose another name." },
		{ "special_file", "Choose another path." },
		{ "invalid_argument", "Choose another value." },
		{ "too_large", "Choose less." },
		{ "repo_refused", "The git program tells more about it (git fsck)." },
		{ "dirty_tree", "Commit local changes, or put them aside with git_stash." },
		{ "bad_revision", "git_log and git_branch show what there is." },
		{ "not_found", "git_get_status and git_log show what there is." },
		{ "outside_roots", "Name a path inside of the allowed directories." },
		{ "connect_failed", "Try again later." },
		{ "internal", "Try again; if it stays, tell the operator of this server." },
	};
	size_t len = strlen(why->text);

	for (size_t i = 0; i < N_ELEMENTS(hints); i++)
		if (streq(hints[i].code, why->code))
			(void)snprintf(
				why->text + len, sizeof(why->text) - len, ". %s", hints[i].hint);
}

void refusal_set_git(struct refusal *why, int rc, const char *fmt, ...)
{
	const git_error *last = git_error_last();
	int class = last ? last->klass : GIT_ERROR_NONE;
	const char *code = code_of_return(rc);
	va_list args;

	if (!code && class == GIT_ERROR_OS)
		code = code_of_words(last);
	if (!code && has_changed_meanwhile(last))
		code = "busy";

	va_start(args, fmt);
	set_words(why, code ? code : code_of_class(class), fmt, args);
	va_end(args);

	/* The parser of configurations repeats words of the file, which may be any file. */
	if (class == GIT_ERROR_CONFIG)
		add_words(why, "its configuration cannot be read");
	else if (last && last->message && *last->message)
		add_words(why, last->message);
	add_hint(why);
}

void refusal_set_errno(struct refusal *why, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set_words(why, path_error_code(err), fmt, args);
	va_end(args);
	add_words(why, strerror(err < 0 ? -err : err));
	add_hint(why);
}

int refuse_stopped(struct refusal *why, const char *how_far)
{
	return refuse(why, stopped, "%s", how_far);
}

int refusal_answer(struct call *call, const struct refusal *why)
{
	/* Whatever failed in a call that is to stop, failed because of that (stop.h). */
	if (why->code == stopped || call_stopped(call))
		return call_fail_stopped(call, why->text);

	return call_fail(call, why->code, "%s", why->text);
}
