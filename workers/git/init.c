/* git_init: a new repository below the roots. One that is there already is opened by the rules of
 * repo.h and left as it is. */
#include <errno.h>
#include <fcntl.h>
#include <git2/sys/repository.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/newdir.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"
#include "workers/git/write.h"

DEFINE_FREEP(git_repository, git_repository_free)

struct init_args {
	const char *path;
	const char *initial_branch;
	bool bare;
};

static const struct param init_params[] = {
	PARAM(init_args, path, .required = true, .doc = "Directory; created if needed"),
	PARAM(init_args, initial_branch, RANGE(1, 244), .def_str = "main", .doc = "First branch"),
	PARAM(init_args, bare, .doc = "Bare repository"),
	{ 0 },
};

struct init {
	struct call *call;
	const struct init_args *args;
	struct refusal why;
	struct place place;
	char *branch;
	bool is_bare;
	bool is_new;
};

static void init_done(struct init *init)
{
	place_done(&init->place);
	free(init->branch);
}

static bool has(int fd, const char *name)
{
	return faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int describe_existing(struct init *init, const char *real)
{
	auto_repo repo = { 0 };
	bool is_unborn;

	if (repo_open(call_settings(init->call), newdir_shown(&init->place), &repo, &init->why) < 0)
		return -1;
	if (!streq(repo.dir, real))
		return refuse(&init->why, "repo_refused",
			"what is there is no repository of its own, but looks like one. "
			"Choose another path, or remove what is there.");
	if (rev_branch(&repo, &init->branch, &is_unborn, &init->why) < 0)
		return -1;

	init->is_bare = repo.is_bare;
	return 0;
}

static int create(struct init *init, const char *real)
{
	const struct init_args *a = init->args;
	git_repository_init_options options = OPTIONS(repository_init);
	auto_(git_repository_freep) git_repository *git = NULL;
	int rc;

	options.flags = GIT_REPOSITORY_INIT_NO_REINIT | GIT_REPOSITORY_INIT_MKDIR |
			(a->bare ? GIT_REPOSITORY_INIT_BARE : 0);
	options.initial_head = a->initial_branch;
	rc = git_repository_init_ext(&git, real, &options);
	if (rc < 0)
		return refuse_git(&init->why, rc, "cannot create the repository");

	init->is_new = true;
	init->is_bare = a->bare;
	init->branch = alloc_str(a->initial_branch);
	return 0;
}

static int initialise(struct init *init)
{
	const struct init_args *a = init->args;
	auto_close int fd = -1;
	auto_free char *real = NULL;
	int is_valid = 0;

	if (git_branch_name_is_valid(&is_valid, a->initial_branch) < 0)
		git_error_clear();
	if (!is_valid || streq(a->initial_branch, "HEAD"))
		return refuse(&init->why, "invalid_argument",
			"initial_branch: %s is not a valid branch name. "
			"Choose a name without blanks, \"..\", or a leading \"-\".",
			QUOTED(a->initial_branch));
	if (newdir_find("path", a->path, &init->place, &init->why) < 0)
		return -1;

	fd = newdir_make(&init->place, &init->why);
	if (fd < 0)
		return -1;
	real = path_of_fd(fd);
	if (!real || !root_has(init->place.root, real))
		return refuse(&init->why, "outside_roots",
			"path: leads outside of the allowed directories. "
			"Name a path inside of them; git_list_repos shows where they are.");
	if (repo_is_git_path(real + strlen(init->place.root->path)))
		return refuse(&init->why, "protected",
			"path: leads into a .git directory. Choose another path.");

	if (has(fd, ".git") || (has(fd, "HEAD") && has(fd, "objects") && has(fd, "refs")))
		return describe_existing(init, real);

	return create(init, real);
}

static int run_init(struct call *call, const void *args)
{
	auto_(init_done) struct init init = { .call = call, .args = args };
	auto_free char *text = NULL;

	if (initialise(&init) < 0)
		return refusal_answer(call, &init.why);

	text = newdir_text(&init.place);
	return call_resultf(call,
		json_pack("{s:o, s:o, s:b, s:b}", "path", out_str(newdir_shown(&init.place)),
			"initial_branch", out_str(init.branch ? init.branch : ""), "bare",
			init.is_bare, "created", init.is_new),
		"%s Git repository in %s",
		init.is_new ? "Initialized empty" : "Reinitialized existing", text);
}

const struct tool git_init_tools[] = {
	GIT_WRITE_TOOL(init, "Create repository",
		.doc = "Create a repository inside the allowed directories. An existing one is left as "
		       "it is.",
		.out = "path string, initial_branch string, bare boolean, created boolean",
		.hints = TOOL_IDEMPOTENT),
	{ 0 },
};
