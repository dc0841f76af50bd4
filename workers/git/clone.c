/* git_clone: a new repository below the roots, filled from a remote.
 *
 * Made of the same parts as git_init, git_fetch and git_checkout, so their rules hold. A clone that
 * fails is removed again, and nothing else: the directory must not have been there before. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/exchange.h"
#include "workers/git/guard.h"
#include "workers/git/newdir.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"
#include "workers/git/upstream.h"

DEFINE_FREEP(git_repository, git_repository_free)

struct clone_args {
	const char *url;
	const char *path;
	const char *branch;
	bool bare;
};

static const struct param clone_params[] = {
	PARAM(clone_args, url, RANGE(1, 2048), .required = true,
		.doc = "https, ssh or (if allowed) a repository inside the roots"),
	PARAM(clone_args, path, .required = true, .doc = "New directory"),
	PARAM(clone_args, branch, RANGE(1, 244), .doc = "Check out this branch"),
	PARAM(clone_args, bare, .doc = "Bare repository"),
	{ 0 },
};

struct clone {
	struct call *call;
	const struct clone_args *args;
	struct exchange x;
	struct repo repo;
	struct place place;
	char *real;   /* path of the new directory */
	bool is_made; /* it is ours to remove */
	char *branch; /* NULL: the remote has none */
	git_oid tip;  /* of the branch */
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)remove(path);
	return 0;
}

static void clone_done(struct clone *clone)
{
	enum { OPEN_DIRECTORIES = 32 };

	exchange_close(&clone->x); /* before the repository that it uses */
	repo_close(&clone->repo);
	if (clone->is_made)
		(void)nftw(clone->real, remove_one, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS);
	place_done(&clone->place);
	free(clone->real);
	free(clone->branch);
}

static int check_branch_name(struct clone *clone)
{
	const char *name = clone->args->branch;
	int is_valid = 0;

	if (!name)
		return 0;
	if (git_branch_name_is_valid(&is_valid, name) < 0)
		git_error_clear();

	return is_valid && !streq(name, "HEAD") ? 0
						: refuse(&clone->x.why, "invalid_argument",
							  "branch: %s is not a valid branch name. "
							  "Name a branch without refs/heads/.",
							  QUOTED(name));
}

/* Makes the directory and an empty repository in it. */
static int make_repository(struct clone *clone)
{
	git_repository_init_options options = OPTIONS(repository_init);
	auto_(git_repository_freep) git_repository *git = NULL;
	struct refusal *why = &clone->x.why;
	int rc;

	if (newdir_target(&clone->place, &clone->real, why) < 0)
		return -1;
	if (mkdir(clone->real, 0777) < 0)
		return refuse_errno(why, -errno, "cannot create the directory path");

	clone->is_made = true;
	options.flags =
		GIT_REPOSITORY_INIT_NO_REINIT | (clone->args->bare ? GIT_REPOSITORY_INIT_BARE : 0);
	options.initial_head = "main";
	rc = git_repository_init_ext(&git, clone->real, &options);
	if (rc < 0)
		return refuse_git(why, rc, "cannot create the repository");

	return repo_open(
		call_settings(clone->call), newdir_shown(&clone->place), &clone->repo, why);
}

/* The branch that is asked for, else the one that the remote's HEAD is on. */
static int choose_branch(struct clone *clone)
{
	static const char heads[] = "refs/heads/";
	auto_git_buf found = { 0 };
	auto_free char *ref = NULL;
	git_oid head;

	if (clone->args->branch)
		clone->branch = alloc_str(clone->args->branch);
	else if (git_remote_default_branch(&found, clone->x.remote) == 0 &&
		 strncmp(found.ptr, heads, strlen(heads)) == 0)
		clone->branch = alloc_str(found.ptr + strlen(heads));
	git_error_clear();
	if (!clone->branch)
		return exchange_find(&clone->x, "HEAD", &head)
			       ? refuse(&clone->x.why, "not_found",
					 "%s is on no branch. Say branch=…", clone->x.shown)
			       : 0;

	ref = alloc_printf("%s%s", heads, clone->branch);
	if (exchange_find(&clone->x, ref, &clone->tip))
		return 0;

	return refuse(&clone->x.why, "not_found",
		"%s has no branch %s. "
		"Leave branch out to get its default branch.",
		clone->x.shown, QUOTED(clone->branch));
}

/* Records where it came from. The URL has no password. */
static int configure(struct clone *clone)
{
	auto_git(git_config) config = NULL;
	const char *url =
		clone->x.target.kind == TARGET_FILE ? clone->x.target.path : clone->x.target.url;
	int rc = git_repository_config(&config, clone->repo.git);

	if (rc == 0)
		rc = git_config_set_string(config, "remote.origin.url", url);
	if (rc == 0 && !clone->args->bare)
		rc = git_config_set_string(
			config, "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*");

	return rc < 0 ? refuse_git(&clone->x.why, rc, "cannot write the configuration") : 0;
}

/* Yours to free. */
static char *reflog_words(const struct clone *clone)
{
	auto_free char *words = alloc_printf("clone: from %s", clone->x.shown);

	return writer_one_line(words);
}

static int receive(struct clone *clone)
{
	bool is_bare = clone->args->bare;
	auto_free char *reflog = reflog_words(clone);
	auto_names specs = { 0 };
	struct fetch_how how = {
		.specs = &specs,
		.tags = is_bare ? GIT_REMOTE_DOWNLOAD_TAGS_ALL : GIT_REMOTE_DOWNLOAD_TAGS_AUTO,
		.reflog = reflog,
	};

	names_add(&specs,
		is_bare ? "+refs/heads/*:refs/heads/*" : "+refs/heads/*:refs/remotes/origin/*");
	exchange_sign_reflogs(&clone->repo);
	return exchange_fetch(&clone->x, &how);
}

/* HEAD is put on the branch. In a bare repository that is all. */
static int set_head(struct clone *clone)
{
	auto_free char *ref = alloc_printf("refs/heads/%s", clone->branch);
	auto_free char *tracking = alloc_printf("refs/remotes/origin/%s", clone->branch);
	auto_git(git_reference) origin = NULL;
	int rc = git_repository_set_head(clone->repo.git, ref);

	if (rc == 0 && !clone->args->bare)
		rc = git_reference_symbolic_create(
			&origin, clone->repo.git, "refs/remotes/origin/HEAD", tracking, 1, NULL);
	if (rc < 0)
		return refuse_git(&clone->x.why, rc, "cannot set HEAD");

	return clone->args->bare
		       ? 0
		       : upstream_set(&clone->repo, clone->branch, "origin", &clone->x.why);
}

static int check_out(struct clone *clone)
{
	auto_writer w = { 0 };
	auto_git(git_tree) tree = NULL;
	auto_free char *reflog = reflog_words(clone);

	if (writer_open(&w, clone->call, newdir_shown(&clone->place), WRITER_TREE) == 0 &&
		rev_tree_of(&w.repo, &clone->tip, &tree, &w.why) == 0 &&
		guard_switch(&w, tree, "cannot check out") == 0 &&
		writer_move_head(&w, &clone->tip, reflog) == 0)
		return 0;

	clone->x.why = w.why;
	return -1;
}

static int fill(struct clone *clone)
{
	if (make_repository(clone) < 0 ||
		exchange_connect(&clone->x, &clone->repo, GIT_DIRECTION_FETCH) < 0 ||
		choose_branch(clone) < 0 || configure(clone) < 0 || receive(clone) < 0)
		return -1;
	if (!clone->branch)
		return 0;
	if (set_head(clone) < 0)
		return -1;

	return clone->args->bare ? 0 : check_out(clone);
}

static int run_clone(struct call *call, const void *args)
{
	const struct clone_args *a = args;
	auto_(clone_done) struct clone clone = { .call = call, .args = a };
	const char *shown;
	json_t *answer;

	if (newdir_find("path", a->path, &clone.place, &clone.x.why) < 0 ||
		check_branch_name(&clone) < 0 || exchange_open(&clone.x, call, a->url, NULL) < 0 ||
		fill(&clone) < 0)
		return refusal_answer(call, &clone.x.why);

	clone.is_made = false;
	shown = newdir_shown(&clone.place);
	answer = json_pack("{s:o, s:o}", "path", out_str(shown), "url", out_str(clone.x.shown));
	if (clone.branch) {
		json_object_set_new(answer, "branch", out_str(clone.branch));
		json_object_set_new(answer, "head", out_oid(&clone.tip));
	}
	return call_resultf(call, answer, "Cloned %s into %s", clone.x.shown, shown);
}

const struct tool git_clone_tools[] = {
	GIT_WRITE_TOOL(clone, "Clone repository",
		.doc = "Clone a repository into a new directory inside the allowed directories. What "
		       "a failed clone made is removed.",
		.out = "path string, url string, branch? string, head? string",
		.hints = TOOL_OPEN_WORLD, .timeout_s = 300),
	{ 0 },
};
