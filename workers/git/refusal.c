#include "workers/git/refusal.h"

#include <errno.h>
#include <git2.h>
#include <stdarg.h>
#include <stdio.h>

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

static void add_words(struct refusal *why, const char *words)
{
	size_t len = strlen(why->text);

	(void)snprintf(why->text + len, sizeof(why->text) - len, ": %s", words);
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
}

void refusal_set_errno(struct refusal *why, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set_words(why, path_error_code(err), fmt, args);
	va_end(args);
	add_words(why, strerror(err < 0 ? -err : err));
}

int refuse_stopped(struct refusal *why, const char *how_far)
{
	return refuse(why, stopped, "%s", how_far);
}

int refusal_answer(struct call *call, const struct refusal *why)
{
	if (why->code == stopped)
		return call_fail_stopped(call, why->text);

	return call_fail(call, why->code, "%s", why->text);
}
