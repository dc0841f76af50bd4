/* git_stash_list, git_remote_list, git_worktree_list. */
#include <fcntl.h>

#include "shared/alloc.h"
#include "shared/utf8.h"
#include "workers/common/call.h"
#include "workers/git/layout.h"
#include "workers/git/out.h"
#include "workers/git/remotes.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"

/* What each of the three has: a list for programs and a text for readers. */
struct list {
	struct repo *repo;
	json_t *entries;
	struct strbuf text;
};

static void list_done(struct list *list)
{
	json_decref(list->entries);
	strbuf_done(&list->text);
}

static int answer(struct call *call, struct list *list, const char *key, const char *none)
{
	if (list->text.len == 0)
		strbuf_adds(&list->text, none);

	return call_result(call, json_pack("{s:O}", key, list->entries), strbuf_get(&list->text),
		list->text.len);
}

#define LIST(name, the_repo)                                                                       \
	auto_(list_done) struct list name = { .repo = (the_repo), .entries = json_array() }

/* Stashes */

struct git_stash_list_args {
	const char *repo_path;
};

static const struct param git_stash_list_params[] = {
	PARAM_REPO(git_stash_list_args),
	{ 0 },
};

static int on_stash(size_t index, const char *message, const git_oid *id, void *arg)
{
	struct list *list = arg;
	auto_strbuf words = { 0 };

	utf8_repair(&words, message, strcspn(message, "\n"));
	json_array_append_new(
		list->entries, json_pack("{s:I, s:s, s:o}", "index", (json_int_t)index, "message",
				       strbuf_get(&words), "hash", out_oid(id)));
	strbuf_addf(&list->text, "stash@{%zu}: %s\n", index, strbuf_get(&words));
	return 0;
}

static int git_stash_list(struct call *call, const void *args)
{
	const struct git_stash_list_args *a = args;
	auto_repo repo = { 0 };
	LIST(list, &repo);
	struct refusal why;
	int rc;

	if (repo_open(call_settings(call), a->repo_path, &repo, &why) < 0)
		return refusal_answer(call, &why);
	rc = git_stash_foreach(repo.git, on_stash, &list);
	if (rc < 0 && rc != GIT_ENOTFOUND) {
		(void)refuse_git(&why, rc, "cannot read the stashes");
		return refusal_answer(call, &why);
	}
	return answer(call, &list, "stashes", "No stashes.");
}

/* Remotes */

struct git_remote_list_args {
	const char *repo_path;
};

static const struct param git_remote_list_params[] = {
	PARAM_REPO(git_remote_list_args),
	{ 0 },
};

static void add_remote_line(
	struct strbuf *text, const char *name, const char *url, const char *what)
{
	out_name(text, name);
	strbuf_adds(text, "  ");
	out_name(text, url);
	strbuf_addf(text, " (%s)\n", what);
}

static int add_remote(struct list *list, const char *name, struct refusal *why)
{
	auto_free char *fetch = NULL;
	auto_free char *push = NULL;
	auto_free char *fetch_shown = NULL;
	auto_free char *push_shown = NULL;
	int r = remotes_url(list->repo, name, false, &fetch, why);

	if (r == 0)
		r = remotes_url(list->repo, name, true, &push, why);
	if (r < 0)
		return r;
	fetch_shown = out_url(fetch ? fetch : "");
	push_shown = out_url(push ? push : "");
	json_array_append_new(
		list->entries, json_pack("{s:o, s:s, s:s}", "name", out_str(name), "fetch_url",
				       fetch_shown, "push_url", push_shown));
	add_remote_line(&list->text, name, fetch_shown, "fetch");
	add_remote_line(&list->text, name, push_shown, "push");
	return 0;
}

static int git_remote_list_tool(struct call *call, const void *args)
{
	const struct git_remote_list_args *a = args;
	auto_repo repo = { 0 };
	auto_(remotes_done) struct remotes remotes = { 0 };
	LIST(list, &repo);
	struct refusal why;
	int r = repo_open(call_settings(call), a->repo_path, &repo, &why);

	if (r == 0)
		r = remotes_read(&repo, &remotes, &why);
	for (size_t i = 0; i < remotes.n && r == 0; i++)
		r = add_remote(&list, remotes.names[i], &why);
	if (r < 0)
		return refusal_answer(call, &why);

	return answer(call, &list, "remotes", "No remotes.");
}

/* Worktrees */

struct git_worktree_list_args {
	const char *repo_path;
};

static const struct param git_worktree_list_params[] = {
	PARAM_REPO(git_worktree_list_args),
	{ 0 },
};

struct worktree {
	const char *path; /* as libgit2 has it */
	char *branch;     /* full name, "refs/heads/main"; NULL: detached, or nothing known */
	git_oid head;
	bool has_head; /* false before the first commit */
	bool is_locked;
	bool is_prunable;
	bool is_main;
	bool is_bare;
};

static void worktree_done(struct worktree *tree)
{
	free(tree->branch);
}

/* "refs/heads/main" is shown as "main". */
static const char *short_branch(const struct worktree *tree)
{
	static const char heads[] = "refs/heads/";

	return strncmp(tree->branch, heads, strlen(heads)) == 0 ? tree->branch + strlen(heads)
								: tree->branch;
}

static void add_worktree_text(struct list *list, const struct worktree *tree, const char *shown)
{
	char abbrev[REPO_SHORT_SIZE];

	out_name(&list->text, shown);
	strbuf_addf(&list->text, "  %s",
		tree->has_head ? repo_short(list->repo, &tree->head, abbrev) : "-");
	if (tree->is_bare) {
		strbuf_adds(&list->text, " (bare)");
	} else if (tree->branch) {
		strbuf_adds(&list->text, " [");
		out_name(&list->text, short_branch(tree));
		strbuf_addc(&list->text, ']');
	} else if (tree->has_head) {
		strbuf_adds(&list->text, " (detached HEAD)");
	}
	strbuf_adds(&list->text, tree->is_locked ? " locked" : "");
	strbuf_adds(&list->text, tree->is_prunable ? " prunable\n" : "\n");
}

static void add_worktree(struct list *list, const struct worktree *tree)
{
	auto_free char *path = alloc_str(tree->path);
	auto_free char *shown = NULL;
	size_t len = strlen(path);
	json_t *entry;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	shown = repo_path_is_inside(path) ? out_path(list->repo, path)
					  : alloc_str("(outside the allowed directories)");
	entry = json_pack("{s:o, s:o, s:b, s:b, s:b, s:b}", "path", out_str(shown), "head",
		tree->has_head ? out_oid(&tree->head) : json_string(""), "detached",
		tree->has_head && !tree->branch, "locked", tree->is_locked, "prunable",
		tree->is_prunable, "main", tree->is_main);
	if (tree->branch)
		json_object_set_new(entry, "branch", out_str(short_branch(tree)));
	json_array_append_new(list->entries, entry);
	add_worktree_text(list, tree, shown);
}

/* Takes over what a HEAD file says, from `dir_fd` of .git: a branch or a commit. What libgit2 has for
 * it opens the worktree itself, which may lie outside of the roots. */
static void read_head(struct list *list, int dir_fd, const char *file, struct worktree *tree)
{
	static const char ref[] = "ref: ";
	auto_close int fd = openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[1024];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return;

	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	if (strncmp(text, ref, strlen(ref)) == 0) {
		tree->branch = alloc_str(text + strlen(ref));
		tree->has_head =
			git_reference_name_to_id(&tree->head, list->repo->git, tree->branch) == 0;
	} else {
		tree->has_head = git_oid_fromstr(&tree->head, text) == 0;
	}
	git_error_clear();
}

/* The main working tree lies around the common directory; opened from a linked one it is looked at
 * through that directory alone, which repo_open() has checked. */
static void add_main(struct list *list, int dir_fd)
{
	const char *common = git_repository_commondir(list->repo->git);
	auto_free char *path = alloc_str(common);
	auto_(worktree_done) struct worktree tree = { .path = path, .is_main = true };
	size_t len = strlen(path);

	if (len > 6 && streq(path + len - 6, "/.git/"))
		path[len - 5] = '\0';
	else
		tree.is_bare = true;
	read_head(list, dir_fd, "HEAD", &tree);
	add_worktree(list, &tree);
}

static void add_linked(struct list *list, int dir_fd, const char *name)
{
	git_worktree_prune_options options;
	auto_git(git_worktree) worktree = NULL;
	auto_free char *head = alloc_printf("worktrees/%s/HEAD", name);
	auto_(worktree_done) struct worktree tree = { 0 };

	(void)git_worktree_prune_options_init(&options, GIT_WORKTREE_PRUNE_OPTIONS_VERSION);
	if (git_worktree_lookup(&worktree, list->repo->git, name) < 0)
		return;
	tree.path = git_worktree_path(worktree);
	tree.is_locked = git_worktree_is_locked(NULL, worktree) > 0;
	tree.is_prunable = git_worktree_is_prunable(worktree, &options) > 0;
	read_head(list, dir_fd, head, &tree);
	add_worktree(list, &tree);
}

static int git_worktree_list_tool(struct call *call, const void *args)
{
	const struct git_worktree_list_args *a = args;
	auto_repo repo = { 0 };
	auto_git_strarray names = { 0 };
	LIST(list, &repo);
	auto_close int dir_fd = -1;
	struct refusal why;
	int rc;

	if (repo_open(call_settings(call), a->repo_path, &repo, &why) < 0)
		return refusal_answer(call, &why);
	dir_fd = open(git_repository_commondir(repo.git), O_PATH | O_DIRECTORY | O_CLOEXEC);
	rc = dir_fd < 0 ? GIT_ERROR : git_worktree_list(&names, repo.git);
	if (rc < 0) {
		(void)refuse_git(&why, rc, "cannot read the worktrees");
		return refusal_answer(call, &why);
	}
	add_main(&list, dir_fd);
	for (size_t i = 0; i < names.count; i++)
		add_linked(&list, dir_fd, names.strings[i]);

	return answer(call, &list, "worktrees", "No worktrees.");
}

const struct tool git_lists_tools[] = {
	TOOL(git_stash_list, "List stashes", .doc = "List stashes.",
		.out = "stashes {index integer, message string, hash string}[]",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT),
	{
		.name = "git_remote_list", /* libgit2 has a function of this name */
		.title = "List remotes",
		.doc = "List remotes; user names and passwords in URLs are shown as ***.",
		.run = git_remote_list_tool,
		.params = git_remote_list_params,
		.args_size = sizeof(struct git_remote_list_args),
		.out = "remotes {name string, fetch_url string, push_url string}[]",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
	},
	{
		.name = "git_worktree_list", /* libgit2 has a function of this name */
		.title = "List worktrees",
		.doc = "List worktrees.",
		.run = git_worktree_list_tool,
		.params = git_worktree_list_params,
		.args_size = sizeof(struct git_worktree_list_args),
		.out = "worktrees {path string, head string, branch? string, detached boolean, "
		       "locked boolean, prunable boolean, main boolean}[]",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
	},
	{ 0 },
};
