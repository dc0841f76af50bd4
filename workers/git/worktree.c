/* git_worktree_add and git_worktree_remove. Listing is in lists.c.
 *
 * Where a worktree lies stands in a file of the repository, which may say anything. So a directory is
 * removed only when it lies in the roots, the caller named it, and its own .git file points back to
 * the very entry of this repository. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/quote.h"
#include "workers/common/call.h"
#include "workers/git/checkout.h"
#include "workers/git/newdir.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/special.h"
#include "workers/git/tools.h"

enum { NAME_MAX_LEN = 100, NAMES_TRIED = 1000 };

struct worktree_add_args {
	const char *repo_path;
	const char *worktree_path;
	const char *branch_name;
	const char *base_branch;
};

static const struct param worktree_add_params[] = {
	PARAM_REPO(worktree_add_args),
	PARAM(worktree_add_args, worktree_path, .required = true, .doc = "New directory"),
	PARAM(worktree_add_args, branch_name,
		.doc = "Branch to check out; created when it does not exist; default: named like the directory"),
	PARAM(worktree_add_args, base_branch, .doc = "Start of a new branch"),
	{ 0 },
};

/* A name for .git/worktrees: of harmless characters, from the directory's name, not taken yet. */
static int choose_name(struct writer *w, const char *path, char **ret)
{
	auto_close int fd = open(git_repository_commondir(w->repo.git), O_PATH | O_CLOEXEC);
	auto_strbuf base = { 0 };
	const char *from = strrchr(path, '/') + 1;

	for (; *from && base.len < NAME_MAX_LEN; from++) {
		bool is_plain = (*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z') ||
				(*from >= '0' && *from <= '9') || *from == '_' || *from == '-' ||
				(*from == '.' && base.len > 0);

		strbuf_addc(&base, (char)(is_plain ? *from : '-'));
	}

	for (int i = 0; i < NAMES_TRIED; i++) {
		auto_free char *name = i == 0 ? alloc_str(strbuf_get(&base))
					      : alloc_printf("%s%d", strbuf_get(&base), i);
		auto_free char *entry = alloc_printf("worktrees/%s", name);

		if (faccessat(fd, entry, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
			*ret = TAKE(name);
			return 0;
		}
	}

	return refuse(&w->why, "already_exists",
		"there is no free name for the worktree. "
		"Give the directory another name.");
}

/* The branch of the new worktree; *ret_is_new: it was created for it. */
static int find_branch(struct writer *w, const struct worktree_add_args *a, const char *name,
	git_reference **ret, bool *ret_is_new)
{
	const char *branch = a->branch_name ? a->branch_name : name;
	auto_git(git_commit) commit = NULL;
	int rc;

	if (writer_check_branch_name(w, "branch_name", branch) < 0)
		return -1;
	if (!branch_exists(w, branch)) {
		if (branch_create(w, branch, a->base_branch, &commit) < 0)
			return -1;
		*ret_is_new = true;
	} else if ((w->branch && streq(w->branch, branch)) || writer_is_elsewhere(w, branch)) {
		return refuse(&w->why, "checked_out_elsewhere",
			"branch %s is already checked out. "
			"Name another branch, or a new one.",
			QUOTED(branch));
	}

	rc = git_branch_lookup(ret, w->repo.git, branch, GIT_BRANCH_LOCAL);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read branch '%s'", branch);

	return 0;
}

/* What libgit2 leaves behind when it fails halfway: its entry, and a directory without files. */
static void undo_add(struct writer *w, const char *name, const char *path)
{
	static const char *const files[] = { "HEAD", "commondir", "gitdir", "index" };
	auto_free char *entry =
		alloc_printf("%sworktrees/%s", git_repository_commondir(w->repo.git), name);
	git_worktree_prune_options options = OPTIONS(worktree_prune);
	auto_git(git_worktree) worktree = NULL;

	options.flags = GIT_WORKTREE_PRUNE_VALID | GIT_WORKTREE_PRUNE_WORKING_TREE;
	if (git_worktree_lookup(&worktree, w->repo.git, name) == 0)
		(void)git_worktree_prune(worktree, &options);
	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		auto_free char *file = alloc_printf("%s/%s", entry, files[i]);

		(void)unlink(file);
	}
	(void)rmdir(entry);
	(void)rmdir(path);
	git_error_clear();
}

static int add_worktree(struct writer *w, const char *name, const char *path, git_reference *branch)
{
	git_worktree_add_options options = OPTIONS(worktree_add);
	auto_git(git_worktree) worktree = NULL;
	int rc;

	options.ref = branch;
	options.checkout_options.checkout_strategy =
		GIT_CHECKOUT_SAFE | GIT_CHECKOUT_RECREATE_MISSING;
	rc = git_worktree_add(&worktree, w->repo.git, name, path, &options);
	if (rc < 0) {
		(void)refuse_git(&w->why, rc, "cannot add the worktree");
		if (rc != GIT_EEXISTS) /* then it is somebody else's */
			undo_add(w, name, path);
		return -1;
	}

	return 0;
}

static int add(struct writer *w, const struct worktree_add_args *a, struct place *place,
	git_reference **ret)
{
	auto_free char *path = NULL;
	auto_free char *name = NULL;
	auto_git(git_reference) branch = NULL;
	bool is_new = false;

	if (newdir_find("worktree_path", a->worktree_path, place, &w->why) < 0 ||
		newdir_target(place, &path, &w->why) < 0 || choose_name(w, path, &name) < 0 ||
		find_branch(w, a, name, &branch, &is_new) < 0)
		return -1;
	if (add_worktree(w, name, path, branch) < 0) {
		if (is_new)
			(void)git_reference_delete(branch);
		return -1;
	}

	*ret = TAKE(branch);
	return 0;
}

static int run_worktree_add(struct call *call, const void *args)
{
	const struct worktree_add_args *a = args;
	auto_writer w = { 0 };
	auto_(place_done) struct place place = { 0 };
	auto_git(git_reference) branch = NULL;
	auto_free char *text = NULL;
	const char *name;

	if (writer_open(&w, call, a->repo_path, WRITER_ANY) < 0 || add(&w, a, &place, &branch) < 0)
		return refusal_answer(call, &w.why);

	text = newdir_text(&place);
	name = git_reference_shorthand(branch);
	return call_resultf(call,
		json_pack("{s:o, s:o, s:o}", "path", out_str(newdir_shown(&place)), "branch",
			out_str(name), "head", out_oid(git_reference_target(branch))),
		"Added worktree %s on %s", text, name);
}

struct worktree_remove_args {
	const char *repo_path;
	const char *worktree_path;
	bool force;
};

static const struct param worktree_remove_params[] = {
	PARAM_REPO(worktree_remove_args),
	PARAM(worktree_remove_args, worktree_path, .required = true, .doc = "Directory"),
	PARAM(worktree_remove_args, force, .doc = "Although it has changes"),
	{ 0 },
};

struct removal {
	struct writer *w;
	const struct worktree_remove_args *args;
	struct place place;
	char *real; /* of the directory; NULL when it is gone already */
	git_worktree *worktree;
};

static void removal_done(struct removal *removal)
{
	place_done(&removal->place);
	free(removal->real);
	git_worktree_free(removal->worktree);
}

static int find_directory(struct removal *removal)
{
	struct refusal *why = &removal->w->why;
	auto_close int fd = -1;

	if (newdir_find("worktree_path", removal->args->worktree_path, &removal->place, why) < 0)
		return -1;

	fd = place_open(&removal->place, O_PATH | O_DIRECTORY, 0);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return refuse_errno(why, fd, "cannot open worktree_path");

	removal->real = path_of_fd(fd);
	if (!removal->real || !root_has(removal->place.root, removal->real))
		return refuse(why, "outside_roots",
			"worktree_path: leads outside of the allowed directories. "
			"git_worktree_list shows the worktrees.");

	return 0;
}

/* The entry whose directory this is. */
static int find_worktree(struct removal *removal)
{
	struct writer *w = removal->w;
	const char *path = removal->real ? removal->real : removal->place.full;
	auto_git_strarray names = { 0 };
	char quoted[QUOTE_SIZE];
	int rc = git_worktree_list(&names, w->repo.git);

	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read the worktrees");

	for (size_t i = 0; i < names.count; i++) {
		auto_git(git_worktree) worktree = NULL;

		if (git_worktree_lookup(&worktree, w->repo.git, names.strings[i]) < 0) {
			git_error_clear();
			continue;
		}
		if (streq(git_worktree_path(worktree), path)) {
			removal->worktree = TAKE(worktree);
			return 0;
		}
	}

	return refuse(&w->why, "not_found",
		"%s is no worktree of this repository%s. "
		"git_worktree_list shows them.",
		quote(quoted, newdir_shown(&removal->place)),
		removal->real && streq(removal->real, w->repo.dir) ? " besides the main one" : "");
}

/* The directory's .git file must lead back to the entry. */
static int check_link(struct removal *removal)
{
	struct writer *w = removal->w;
	auto_free char *path = alloc_printf("%s/.git", removal->real);
	auto_free char *expected = alloc_printf("gitdir: %sworktrees/%s",
		git_repository_commondir(w->repo.git), git_worktree_name(removal->worktree));
	auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[4200];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n > 0) {
		text[n] = '\0';
		text[strcspn(text, "\n")] = '\0';
		n = (ssize_t)strlen(text);
		if (n > 0 && text[n - 1] == '/')
			text[n - 1] = '\0';
	}
	if (n <= 0 || !streq(text, expected))
		return refuse(&w->why, "repo_refused",
			"the repository calls this directory its worktree, but the directory does not. "
			"Remove the directory by other means, if it is not needed.");

	return 0;
}

static int check_clean(struct removal *removal)
{
	git_status_options options = OPTIONS(status);
	struct writer *w = removal->w;
	auto_repo repo = { 0 };
	auto_names dirty = { 0 };
	auto_free char *list = NULL;
	git_status_list *status = NULL;
	int rc;

	if (repo_open(w->repo.settings, removal->real, &repo, &w->why) < 0 ||
		special_find(&repo, w->call, NULL, &w->why) < 0)
		return -1;

	options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
	options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_EXCLUDE_SUBMODULES;
	rc = git_status_list_new(&status, repo.git, &options);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read the worktree's state");

	for (size_t i = 0; i < git_status_list_entrycount(status); i++) {
		const git_status_entry *entry = git_status_byindex(status, i);
		const git_diff_delta *delta =
			entry->head_to_index ? entry->head_to_index : entry->index_to_workdir;

		names_add(&dirty, delta->new_file.path);
	}
	git_status_list_free(status);
	if (dirty.n == 0)
		return 0;

	list = names_text(&dirty);
	return refuse(&w->why, "dirty_tree",
		"the worktree has changes: %s. Commit them there, or say force=true to lose them.",
		list);
}

static int remove_worktree(struct removal *removal)
{
	struct writer *w = removal->w;
	git_worktree_prune_options options = OPTIONS(worktree_prune);
	int rc;

	if (find_directory(removal) < 0 || find_worktree(removal) < 0)
		return -1;
	if (git_worktree_is_locked(NULL, removal->worktree) != 0)
		return refuse(&w->why, "policy",
			"the worktree is locked (git worktree lock). "
			"Who locked it has to unlock it (git worktree unlock).");
	if (removal->real &&
		(check_link(removal) < 0 || (!removal->args->force && check_clean(removal) < 0)))
		return -1;

	options.flags = GIT_WORKTREE_PRUNE_VALID | GIT_WORKTREE_PRUNE_WORKING_TREE;
	rc = git_worktree_prune(removal->worktree, &options);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot remove the worktree");

	return 0;
}

static int run_worktree_remove(struct call *call, const void *args)
{
	const struct worktree_remove_args *a = args;
	auto_writer w = { 0 };
	auto_(removal_done) struct removal removal = { .w = &w, .args = a };
	auto_free char *text = NULL;

	if (writer_open(&w, call, a->repo_path, WRITER_ANY) < 0 || remove_worktree(&removal) < 0)
		return refusal_answer(call, &w.why);

	text = newdir_text(&removal.place);
	return call_resultf(call, json_pack("{s:o}", "path", out_str(newdir_shown(&removal.place))),
		"Removed worktree %s", text);
}

const struct tool git_worktree_tools[] = {
	GIT_WRITE_TOOL(worktree_add, "Add worktree",
		.doc = "Add a worktree inside the allowed directories. Its path starts at the first "
		       "allowed directory, not at the repository.",
		.out = "path string, branch? string, head string", .hints = TOOL_WRITES),
	GIT_WRITE_TOOL(worktree_remove, "Remove worktree",
		.doc = "Remove a worktree with its directory; one with changes only with force.",
		.out = "path string", .hints = TOOL_DESTRUCTIVE),
	{ 0 },
};
