/* git_push and git_push_feature.
 *
 * A branch goes to the branch of the same name. Protected branches are never pushed. A forced push has
 * always a lease: the remote's branch must be where we last saw it. That is compared with what the
 * remote tells in the same exchange, and it takes the update only from there. */
#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/exchange.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"
#include "workers/git/upstream.h"
#include "workers/git/write.h"

struct push_args {
	const char *repo_path;
	const char *remote;
	const char *branch;
	bool set_upstream;
	bool tags;
	bool force_with_lease;
};

static const struct param push_params[] = {
	PARAM_REPO(push_args),
	PARAM(push_args, remote, RANGE(1, 244), .def_str = "origin", .doc = "Remote"),
	PARAM(push_args, branch, RANGE(1, 244), .doc = "Local branch; default the current one"),
	PARAM(push_args, set_upstream, .doc = "Record the upstream"),
	PARAM(push_args, tags, .doc = "Push tags too"),
	PARAM(push_args, force_with_lease,
		.doc = "Replace the remote branch if it is where we last saw it"),
	{ 0 },
};

struct push {
	struct repo repo;
	struct exchange x;
	struct remote_config config;
	const char *remote;
	char *branch;
	char *ref;      /* of the branch, here and there */
	char *tracking; /* our reference for the remote's; NULL: none */
	git_oid local;
	const char *result;
	bool force;
};

static void push_done(struct push *push)
{
	exchange_close(&push->x); /* before the repository that it uses */
	repo_close(&push->repo);
	remote_config_done(&push->config);
	free(push->branch);
	free(push->ref);
	free(push->tracking);
}

static int check_rules(struct push *push)
{
	const struct git_settings *settings = push->repo.settings;

	if (git_settings_is_protected(settings, push->branch))
		return refuse(&push->x.why, "policy",
			"branch '%s' is protected: it is not pushed from here. Push a feature branch.",
			push->branch);
	if (push->force && !settings->allow_force_push)
		return refuse(&push->x.why, "policy",
			"this server does not allow to replace remote branches (allow_force_push). "
			"Pull, and push the result.");

	return 0;
}

/* Opens the repository and finds the branch; `name` NULL: the current one. */
static int find_branch(
	struct push *push, struct call *call, const char *repo_path, const char *name)
{
	struct refusal *why = &push->x.why;
	auto_git(git_reference) ref = NULL;
	bool is_unborn;
	int rc;

	if (repo_open(call_settings(call), repo_path, &push->repo, why) < 0 ||
		repo_need_writable(&push->repo, why) < 0)
		return -1;
	if (name)
		push->branch = alloc_str(name);
	else if (rev_branch(&push->repo, &push->branch, &is_unborn, why) < 0)
		return -1;
	if (!push->branch)
		return refuse(why, "invalid_argument", "HEAD is detached. Say branch=…");
	if (check_rules(push) < 0)
		return -1;

	rc = git_branch_lookup(&ref, push->repo.git, push->branch, GIT_BRANCH_LOCAL);
	if (rc == GIT_ENOTFOUND || rc == GIT_EINVALIDSPEC)
		return refuse(why, "not_found",
			"there is no local branch %s with a commit. "
			"git_branch lists them.",
			QUOTED(push->branch));
	push->ref = alloc_printf("refs/heads/%s", push->branch);
	if (rc == 0)
		rc = git_reference_name_to_id(&push->local, push->repo.git, push->ref);

	return rc < 0 ? refuse_git(why, rc, "cannot read branch '%s'", push->branch) : 0;
}

static int find_remote(struct push *push, struct call *call)
{
	struct refusal *why = &push->x.why;
	auto_git(git_config) config = NULL;
	int rc;

	if (remote_config_read(&push->repo, push->remote, &push->config, why) < 0)
		return -1;
	rc = git_repository_config_snapshot(&config, push->repo.git);
	if (rc < 0)
		return refuse_git(why, rc, "cannot read the configuration");

	push->tracking = upstream_map(config, push->remote, push->ref);
	return exchange_open(&push->x, call, push->config.push_url, push->repo.dir);
}

/* The lease: what we last saw must be what is there. */
static int check_lease(struct push *push, const git_oid *theirs)
{
	git_oid seen;

	if (!push->tracking ||
		git_reference_name_to_id(&seen, push->repo.git, push->tracking) < 0 ||
		!git_oid_equal(&seen, theirs)) {
		git_error_clear();
		return refuse(&push->x.why, "not_fast_forward",
			"'%s' at '%s' is not where it was last seen: somebody else pushed. Fetch, look "
			"at it and try again.",
			push->branch, push->remote);
	}

	return 0;
}

/* Adds the refspec of the branch, unless it is there already. */
static int add_branch(struct push *push, struct names *specs)
{
	auto_free char *spec = NULL;
	git_oid theirs;
	bool is_there = exchange_find(&push->x, push->ref, &theirs);
	bool is_ahead;

	push->result = is_there ? "updated" : "created";
	if (is_there && git_oid_equal(&theirs, &push->local)) {
		push->result = "up_to_date";
		return 0;
	}
	is_ahead = is_there && git_graph_descendant_of(push->repo.git, &push->local, &theirs) == 1;
	git_error_clear();
	if (is_there && !is_ahead && !push->force)
		return refuse(&push->x.why, "not_fast_forward",
			"'%s' at '%s' has commits that are not here. Pull first (git_pull).",
			push->branch, push->remote);
	if (push->force && is_there) {
		if (check_lease(push, &theirs) < 0)
			return -1;
		push->result = is_ahead ? "updated" : "forced";
	}

	spec = alloc_printf("%s%s:%s", push->force && is_there ? "+" : "", push->ref, push->ref);
	names_add(specs, spec);
	return 0;
}

/* Tags that the remote does not have. One that it has elsewhere is never replaced. */
static int add_tags(struct push *push, struct names *specs)
{
	auto_git_strarray tags = { 0 };
	int rc = git_tag_list(&tags, push->repo.git);

	if (rc < 0)
		return refuse_git(&push->x.why, rc, "cannot list the tags");

	for (size_t i = 0; i < tags.count; i++) {
		auto_free char *ref = alloc_printf("refs/tags/%s", tags.strings[i]);
		auto_free char *spec = alloc_printf("%s:%s", ref, ref);
		git_oid here, there;

		if (git_reference_name_to_id(&here, push->repo.git, ref) < 0) {
			git_error_clear();
			continue;
		}
		if (!exchange_find(&push->x, ref, &there))
			names_add(specs, spec);
		else if (!git_oid_equal(&here, &there))
			return refuse(&push->x.why, "already_exists",
				"'%s' has another tag %s. Nothing was pushed.", push->remote,
				QUOTED(tags.strings[i]));
	}

	return 0;
}

/* As git does: our reference for the remote's branch follows at once. */
static int update_tracking(struct push *push)
{
	auto_git(git_reference) ref = NULL;
	int rc;

	if (!push->tracking || strncmp(push->tracking, "refs/remotes/", 13) != 0)
		return 0;

	exchange_sign_reflogs(&push->repo);
	rc = git_reference_create(
		&ref, push->repo.git, push->tracking, &push->local, 1, "update by push");
	return rc < 0 ? refuse_git(&push->x.why, rc, "pushed, but cannot record it in %s",
				push->tracking)
		      : 0;
}

static int push_branch(struct push *push, struct call *call, bool with_tags)
{
	auto_names specs = { 0 };

	if (find_remote(push, call) < 0 ||
		exchange_connect(&push->x, &push->repo, GIT_DIRECTION_PUSH) < 0 ||
		add_branch(push, &specs) < 0 || (with_tags && add_tags(push, &specs) < 0))
		return -1;
	if (specs.n > 0 && exchange_push(&push->x, &specs) < 0)
		return -1;

	return update_tracking(push);
}

static json_t *push_json(const struct push *push)
{
	return json_pack("{s:o, s:o, s:o, s:s}", "remote", out_str(push->remote), "branch",
		out_str(push->branch), "hash", out_oid(&push->local), "result", push->result);
}

static int run_push(struct call *call, const void *args)
{
	const struct push_args *a = args;
	auto_(push_done) struct push push = { .remote = a->remote, .force = a->force_with_lease };
	struct refusal *why = &push.x.why;
	char id[REPO_SHORT_SIZE];

	if (find_branch(&push, call, a->repo_path, a->branch) < 0 ||
		push_branch(&push, call, a->tags) < 0)
		return refusal_answer(call, why);
	if (a->set_upstream && upstream_set(&push.repo, push.branch, push.remote, why) < 0)
		return refusal_answer(call, why);

	(void)repo_short(&push.repo, &push.local, id);
	return call_resultf(call, push_json(&push),
		streq(push.result, "up_to_date") ? "%s is already up to date at %s (%s)"
						 : "Pushed %s to %s (%s)",
		push.branch, push.remote, id);
}

struct push_feature_args {
	const char *repo_path;
	bool force;
	bool no_verify;
	const char *remote;
};

static const struct param push_feature_params[] = {
	PARAM_REPO(push_feature_args),
	PARAM(push_feature_args, force,
		.doc = "Replace the remote branch (with lease); needs git.allow_force_push"),
	PARAM(push_feature_args, no_verify, .doc = "Accepted for compatibility; hooks never run"),
	PARAM(push_feature_args, remote, RANGE(1, 244), .def_str = "origin", .doc = "Remote"),
	{ 0 },
};

/* Asks the remote afresh where the branch is now. */
static int verify(struct push *push)
{
	git_oid theirs;

	(void)git_remote_disconnect(push->x.remote);
	if (exchange_connect(&push->x, &push->repo, GIT_DIRECTION_FETCH) < 0)
		return -1;
	if (exchange_find(&push->x, push->ref, &theirs) && git_oid_equal(&theirs, &push->local))
		return 0;

	return refuse(&push->x.why, "conflict",
		"the push was accepted, but '%s' at '%s' is elsewhere now: somebody else pushed too. "
		"Fetch and look.",
		push->branch, push->remote);
}

static int run_push_feature(struct call *call, const void *args)
{
	const struct push_feature_args *a = args;
	auto_(push_done) struct push push = { .remote = a->remote, .force = a->force };
	struct refusal *why = &push.x.why;
	char id[REPO_SHORT_SIZE];

	if (find_branch(&push, call, a->repo_path, NULL) < 0)
		return refusal_answer(call, why);
	if (!git_settings_is_feature(push.repo.settings, push.branch)) {
		(void)refuse(why, "policy",
			"'%s' is no feature branch (they start with '%s'). Start one with "
			"git_start_feature.",
			push.branch, push.repo.settings->feature_prefix);
		return refusal_answer(call, why);
	}
	if (push_branch(&push, call, false) < 0 || verify(&push) < 0)
		return refusal_answer(call, why);

	(void)repo_short(&push.repo, &push.local, id);
	return call_resultf(
		call, push_json(&push), "Verified push to %s (Hash: %s).", push.branch, id);
}

#define PUSH_OUT "remote string, branch string, hash string, result string"

const struct tool git_push_tools[] = {
	GIT_WRITE_TOOL(push, "Push",
		.doc = "Push a branch to the branch of the same name. Protected branches are refused; "
		       "a remote branch is only replaced with a lease. No hook is run here.",
		.out = PUSH_OUT, .hints = TOOL_DESTRUCTIVE | TOOL_OPEN_WORLD, .timeout_s = 300),
	{ 0 },
};

const struct tool git_push_feature_tools[] = {
	GIT_WRITE_TOOL(push_feature, "Push feature",
		.doc = "Push the current feature branch and ask the remote whether it arrived. No hook "
		       "is run here.",
		.out = PUSH_OUT, .hints = TOOL_DESTRUCTIVE | TOOL_OPEN_WORLD, .timeout_s = 300),
	{ 0 },
};
