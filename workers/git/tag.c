/* git_tag: create or delete a tag. Listing is in refs.c. */
#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"
#include "workers/git/write.h"

static const char *const tag_actions[] = { "create", "delete", NULL };

struct tag_args {
	const char *repo_path;
	const char *action;
	const char *name;
	const char *revision;
	const char *message;
	bool force;
};

static const struct param tag_params[] = {
	PARAM_REPO(tag_args),
	PARAM(tag_args, action, .choices = tag_actions, .def_str = "create", .doc = "What to do"),
	PARAM(tag_args, name, RANGE(1, 244), .required = true, .doc = "Tag"),
	PARAM(tag_args, revision, .def_str = "HEAD", .doc = "Tag this"),
	PARAM(tag_args, message, AT_MOST(65536), .doc = "Makes it an annotated tag"),
	PARAM(tag_args, force, .doc = "Replace an existing tag"),
	{ 0 },
};

static int check_name(struct writer *w, const char *name)
{
	int is_valid = 0;

	if (git_tag_name_is_valid(&is_valid, name) < 0)
		git_error_clear();
	if (is_valid && !streq(name, "HEAD"))
		return 0;

	return refuse(&w->why, "invalid_argument",
		"name: %s is not a valid tag name. "
		"Choose a name without blanks, \"..\", or a leading \"-\".",
		QUOTED(name));
}

static int write_tag(
	struct writer *w, const struct tag_args *a, const git_object *target, git_oid *ret)
{
	auto_git(git_signature) who = NULL;
	int rc;

	if (a->message && repo_identity(&w->repo, &who, &w->why) < 0)
		return -1;

	rc = LOCKED(w, a->message ? git_tag_create(ret, w->repo.git, a->name, target, who,
					    a->message, a->force)
				  : git_tag_create_lightweight(
					    ret, w->repo.git, a->name, target, a->force));
	if (rc == GIT_EEXISTS)
		return refuse(&w->why, "already_exists",
			"there is already a tag %s. Say force=true to replace it.",
			QUOTED(a->name));
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot create tag %s", QUOTED(a->name));

	return 0;
}

static int create(struct writer *w, const struct tag_args *a)
{
	auto_git(git_object) target = NULL;
	auto_git(git_object) commit = NULL;
	char short_id[REPO_SHORT_SIZE];
	git_oid id;

	if (a->message && writer_is_blank(a->message)) {
		(void)refuse(&w->why, "invalid_argument",
			"message: is blank. "
			"Leave it out for a tag without one.");
		return refusal_answer(w->call, &w->why);
	}
	if (check_name(w, a->name) < 0 || rev_object(&w->repo, a->revision, &target, &w->why) < 0 ||
		write_tag(w, a, target, &id) < 0)
		return refusal_answer(w->call, &w->why);

	if (git_object_peel(&commit, target, GIT_OBJECT_COMMIT) < 0)
		git_error_clear();
	return call_resultf(w->call,
		json_pack("{s:o, s:o, s:s}", "name", out_str(a->name), "hash", out_oid(&id),
			"action", "create"),
		"Created tag %s at %s", a->name,
		repo_short(&w->repo, git_object_id(commit ? commit : target), short_id));
}

static int remove_tag(struct writer *w, const struct tag_args *a)
{
	auto_free char *full = alloc_printf("refs/tags/%s", a->name);
	git_oid id = { 0 };
	int rc = GIT_ENOTFOUND;

	if (check_name(w, a->name) < 0)
		return refusal_answer(w->call, &w->why);

	rc = git_reference_name_to_id(&id, w->repo.git, full);
	if (rc == 0)
		rc = LOCKED(w, git_tag_delete(w->repo.git, a->name));
	if (rc == GIT_ENOTFOUND)
		(void)refuse(&w->why, "not_found",
			"there is no tag %s. "
			"git_tag_list lists them.",
			QUOTED(a->name));
	else if (rc < 0)
		(void)refuse_git(&w->why, rc, "cannot delete tag %s", QUOTED(a->name));
	if (rc < 0)
		return refusal_answer(w->call, &w->why);

	return call_resultf(w->call,
		json_pack("{s:o, s:o, s:s}", "name", out_str(a->name), "hash", out_oid(&id),
			"action", "delete"),
		"Deleted tag %s", a->name);
}

static int run_tag(struct call *call, const void *args)
{
	const struct tag_args *a = args;
	auto_writer w = { 0 };

	if (writer_open(&w, call, a->repo_path, WRITER_ANY) < 0)
		return refusal_answer(call, &w.why);

	return streq(a->action, "create") ? create(&w, a) : remove_tag(&w, a);
}

const struct tool git_tag_tools[] = {
	GIT_WRITE_TOOL(tag, "Create or delete tag",
		.doc = "Create or delete a tag. Tags are never signed.",
		.out = "name string, hash string, action string", .hints = TOOL_DESTRUCTIVE),
	{ 0 },
};
