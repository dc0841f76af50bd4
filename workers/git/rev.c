#include "workers/git/rev.h"

#include "shared/alloc.h"
#include "shared/quote.h"

enum { MAX_SPEC = 1024 };

static int refuse_spec(struct refusal *why, int rc, const char *spec)
{
	char quoted[QUOTE_SIZE];

	if (rc == GIT_EAMBIGUOUS)
		return refuse(why, "bad_revision",
			"the revision %s is ambiguous: more than one object starts like this. Give more "
			"digits.",
			quote(quoted, spec));
	if (rc == GIT_ENOTFOUND || rc == GIT_EINVALIDSPEC || rc == GIT_ERROR)
		return refuse(why, "bad_revision",
			"there is no revision %s in this repository. git_branch, git_tag_list and "
			"git_log show what there is.",
			quote(quoted, spec));
	if (rc == GIT_EUNBORNBRANCH)
		return refuse(why, "bad_revision",
			"the repository has no commit yet. "
			"Make one with git_commit first.");

	return refuse_git(why, rc, "cannot look up the revision %s", quote(quoted, spec));
}

/* ":/words" and "x^{/words}" search messages with a regular expression, and release 1.5 of libgit2
 * loses kilobytes for each commit that does not match: one call could use up the memory. */
static bool is_search(const char *spec)
{
	return strncmp(spec, ":/", 2) == 0 || strstr(spec, "^{/") != NULL;
}

int rev_object(const struct repo *repo, const char *spec, git_object **ret, struct refusal *why)
{
	char quoted[QUOTE_SIZE];
	int rc;

	if (strlen(spec) > MAX_SPEC)
		return refuse(why, "bad_revision",
			"a revision has at most %d bytes. git_branch, git_tag_list and git_log show "
			"what there is.",
			MAX_SPEC);
	if (is_search(spec))
		return refuse(why, "bad_revision",
			"%s searches messages, which this server does not do in a revision. "
			"git_log with grep finds commits by their message.",
			quote(quoted, spec));

	rc = *spec ? git_revparse_single(ret, repo->git, spec) : GIT_EINVALIDSPEC;
	if (rc == GIT_ENOTFOUND && streq(spec, "HEAD") &&
		git_repository_head_unborn(repo->git) == 1)
		rc = GIT_EUNBORNBRANCH;

	return rc < 0 ? refuse_spec(why, rc, spec) : 0;
}

static int peel(const struct repo *repo, const char *spec, git_object_t type, const char *what,
	git_object **ret, struct refusal *why)
{
	auto_git(git_object) object = NULL;
	char quoted[QUOTE_SIZE];
	int r = rev_object(repo, spec, &object, why);
	int rc;

	if (r < 0)
		return r;
	rc = git_object_peel(ret, object, type);
	if (rc == GIT_EPEEL || rc == GIT_EINVALIDSPEC || rc == GIT_EAMBIGUOUS)
		return refuse(why, "bad_revision",
			"%s is a %s, not a %s. "
			"git_log lists commits.",
			quote(quoted, spec), git_object_type2string(git_object_type(object)), what);

	return rc < 0 ? refuse_git(why, rc, "cannot read %s", quote(quoted, spec)) : 0;
}

int rev_commit(const struct repo *repo, const char *spec, git_commit **ret, struct refusal *why)
{
	git_object *object = NULL;
	int r = peel(repo, spec, GIT_OBJECT_COMMIT, "commit", &object, why);

	if (r == 0)
		*ret = (git_commit *)object;

	return r;
}

int rev_tree(const struct repo *repo, const char *spec, git_tree **ret, struct refusal *why)
{
	git_object *object = NULL;
	int r = peel(repo, spec, GIT_OBJECT_TREE, "tree", &object, why);

	if (r == 0)
		*ret = (git_tree *)object;

	return r;
}

int rev_head(const struct repo *repo, git_commit **ret, struct refusal *why)
{
	auto_git(git_reference) head = NULL;
	int rc = git_repository_head(&head, repo->git);

	*ret = NULL;
	if (rc == GIT_EUNBORNBRANCH || rc == GIT_ENOTFOUND)
		return 0;
	if (rc == 0)
		rc = git_reference_peel((git_object **)ret, head, GIT_OBJECT_COMMIT);

	return rc < 0 ? refuse_git(why, rc, "cannot read HEAD") : 0;
}

int rev_head_tree(const struct repo *repo, git_tree **ret, struct refusal *why)
{
	auto_git(git_commit) commit = NULL;
	int r = rev_head(repo, &commit, why);
	int rc;

	*ret = NULL;
	if (r < 0 || !commit)
		return r;
	rc = git_commit_tree(ret, commit);

	return rc < 0 ? refuse_git(why, rc, "cannot read the tree of HEAD") : 0;
}

int rev_tree_of(const struct repo *repo, const git_oid *id, git_tree **ret, struct refusal *why)
{
	auto_git(git_commit) commit = NULL;
	int rc = git_commit_lookup(&commit, repo->git, id);

	if (rc == 0)
		rc = git_commit_tree(ret, commit);

	return rc < 0 ? refuse_git(why, rc, "cannot read a commit") : 0;
}

static int commit_id(const struct repo *repo, const char *spec, git_oid *ret, struct refusal *why)
{
	auto_git(git_commit) commit = NULL;
	int r = rev_commit(repo, *spec ? spec : "HEAD", &commit, why);

	if (r == 0)
		*ret = *git_commit_id(commit);

	return r;
}

static int parse_range(const struct repo *repo, const char *spec, const char *dots,
	struct rev_range *ret, struct refusal *why)
{
	auto_free char *left = alloc_mem(spec, (size_t)(dots - spec));
	bool has_three = dots[2] == '.';
	int r = commit_id(repo, left, &ret->from, why);

	if (r == 0)
		r = commit_id(repo, dots + (has_three ? 3 : 2), &ret->to, why);
	ret->kind = has_three ? REV_MERGE_BASE : REV_RANGE;

	return r;
}

int rev_range(const struct repo *repo, const char *spec, struct rev_range *ret, struct refusal *why)
{
	const char *dots = strstr(spec, "..");
	struct refusal ignored;
	int r;

	if (!dots) {
		ret->kind = REV_ONE;
		return commit_id(repo, spec, &ret->to, why);
	}
	r = parse_range(repo, spec, dots, ret, why);
	/* Two dots may also stand inside of one revision: HEAD^{/wait..}. */
	if (r < 0 && commit_id(repo, spec, &ret->to, &ignored) == 0) {
		ret->kind = REV_ONE;
		r = 0;
	}
	return r;
}

int rev_branch(const struct repo *repo, char **ret_branch, bool *ret_is_unborn, struct refusal *why)
{
	static const char heads[] = "refs/heads/";
	auto_git(git_reference) head = NULL;
	const char *target;
	int rc = git_reference_lookup(&head, repo->git, "HEAD");

	if (rc < 0)
		return refuse_git(why, rc, "cannot read HEAD");

	*ret_branch = NULL;
	*ret_is_unborn = git_repository_head_unborn(repo->git) == 1;
	target = git_reference_symbolic_target(head);
	if (target)
		*ret_branch = alloc_str(strncmp(target, heads, strlen(heads)) == 0
						? target + strlen(heads)
						: target);

	return 0;
}
