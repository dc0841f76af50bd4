/* git_list_repos and git_get_safety_rules: what there is, and what holds. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/tools.h"

/* Repositories */

struct git_list_repos_args {
	const char *path;
	int64_t max_depth;
};

static const struct param git_list_repos_params[] = {
	PARAM(git_list_repos_args, path, RANGE(1, 4096),
		.doc = "Look under this directory; default: every root."),
	PARAM(git_list_repos_args, max_depth, RANGE(0, 8), .def_int = 3,
		.doc = "How deep to look."),
	{ 0 },
};

enum { MAX_REPOS = 1000, MAX_DIRECTORIES = 50000 };

/* A directory that waits to be looked at. */
struct waiting {
	char *path; /* real path */
	int64_t depth;
};

struct finder {
	struct call *call;
	const struct git_settings *settings;
	const struct git_list_repos_args *args;
	char *default_dir; /* of the default repository; NULL: none */
	bool relative;
	struct waiting *queue; /* [at, n): first come, first looked at */
	size_t at;
	size_t n;
	json_t *repos;
	struct strbuf text;
	bool truncated;
};

static void finder_done(struct finder *finder)
{
	for (size_t i = finder->at; i < finder->n; i++)
		free(finder->queue[i].path);
	free(finder->queue);
	free(finder->default_dir);
	json_decref(finder->repos);
	strbuf_done(&finder->text);
}

static void enqueue(struct finder *finder, char *path, int64_t depth)
{
	if (finder->n >= MAX_DIRECTORIES) {
		finder->truncated = true;
		free(path);
		return;
	}
	if ((finder->n & (finder->n - 1)) == 0)
		finder->queue = alloc_resize(
			finder->queue, finder->n ? finder->n * 2 : 1, sizeof(*finder->queue));
	finder->queue[finder->n++] = (struct waiting){ path, depth };
}

static bool has_name(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool looks_like_repo(int dir_fd)
{
	return has_name(dir_fd, ".git") ||
	       (has_name(dir_fd, "HEAD") && has_name(dir_fd, "objects") &&
		       has_name(dir_fd, "refs"));
}

static void add_branch(const struct repo *repo, json_t *entry)
{
	auto_free char *branch = NULL;
	bool is_unborn = false;
	struct refusal ignored;

	if (rev_branch(repo, &branch, &is_unborn, &ignored) == 0 && branch)
		json_object_set_new(entry, "branch", out_str(branch));
}

static void add_repo(struct finder *finder, const char *dir)
{
	auto_repo repo = { 0 };
	auto_free char *shown = NULL;
	struct refusal why;
	json_t *entry;

	/* One that is refused is no repository for these tools. */
	if (repo_open(finder->settings, dir, &repo, &why) < 0 || !streq(repo.dir, dir))
		return;
	if (json_array_size(finder->repos) >= MAX_REPOS) {
		finder->truncated = true;
		return;
	}
	repo.relative = finder->relative;
	shown = out_path(&repo, dir);
	entry = json_pack("{s:o, s:b, s:b}", "path", out_str(shown), "bare", repo.is_bare,
		"default", finder->default_dir && streq(finder->default_dir, dir));
	add_branch(&repo, entry);
	json_array_append_new(finder->repos, entry);
	out_name(&finder->text, shown);
	strbuf_addc(&finder->text, '\n');
}

static bool is_directory(int dir_fd, const struct dirent *entry)
{
	struct stat st;

	if (streq(entry->d_name, ".") || streq(entry->d_name, "..") || streq(entry->d_name, ".git"))
		return false;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;

	return fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct waiting *)a)->path, ((const struct waiting *)b)->path);
}

static void enqueue_children(struct finder *finder, DIR *dir, const char *path, int64_t depth)
{
	size_t first = finder->n;
	struct dirent *entry;

	while ((entry = readdir(dir)))
		if (is_directory(dirfd(dir), entry))
			enqueue(finder,
				alloc_printf("%s/%s", streq(path, "/") ? "" : path, entry->d_name),
				depth + 1);
	if (finder->n > first)
		qsort(finder->queue + first, finder->n - first, sizeof(*finder->queue), by_name);
}

/* Symlinks are never followed, and other file systems are entered only as roots. */
static void look_at(struct finder *finder, const struct waiting *waiting, dev_t device)
{
	auto_close int fd = open(waiting->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	DIR *dir;
	bool is_bare;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != device)
		return;
	if (looks_like_repo(fd))
		add_repo(finder, waiting->path);
	is_bare = !has_name(fd, ".git") && looks_like_repo(fd);
	if (is_bare || waiting->depth >= finder->args->max_depth)
		return;
	dir = fdopendir(fd);
	if (!dir)
		return;
	(void)TAKE_FD(fd);
	enqueue_children(finder, dir, waiting->path, waiting->depth);
	(void)closedir(dir);
}

static int find_below(struct finder *finder, const char *start, struct refusal *why)
{
	struct stat st;

	if (stat(start, &st) < 0)
		return refuse_errno(why, -errno, "cannot look at the directory");
	enqueue(finder, alloc_str(start), 0);
	while (finder->at < finder->n) {
		struct waiting waiting = finder->queue[finder->at++];

		look_at(finder, &waiting, st.st_dev);
		free(waiting.path);
		if (call_stopped(finder->call))
			return refuse_stopped(why, "not all directories were looked at");
	}
	return 0;
}

/* The real directory that `path` names. */
static int find_start(struct finder *finder, char **ret, struct refusal *why)
{
	auto_(place_done) struct place place = { 0 };
	struct fail fail = { 0 };
	auto_close int fd = -1;
	int r = place_find(finder->args->path, &place, &fail);

	if (r < 0)
		return refuse(why, path_error_code(r),
			"path: %s. Leave it out to look in all of them.", fail.text);
	fd = place_open(&place, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return refuse_errno(why, fd, "cannot open the directory path");
	*ret = path_of_fd(fd);
	if (!*ret || !root_has(place.root, *ret))
		return refuse(why, "outside_roots",
			"path leads outside of the allowed directories. "
			"Leave it out to look in all of them.");
	finder->relative = place.relative;
	return 0;
}

static int find_all(struct finder *finder, struct refusal *why)
{
	auto_free char *start = NULL;
	auto_repo repo = { 0 };
	struct refusal ignored;
	int r = 0;

	if (repo_open(finder->settings, NULL, &repo, &ignored) == 0)
		finder->default_dir = alloc_str(repo.dir);
	if (finder->args->path) {
		r = find_start(finder, &start, why);
		return r < 0 ? r : find_below(finder, start, why);
	}
	for (size_t i = 0; i < roots_count() && r == 0; i++)
		r = find_below(finder, roots_get(i)->path, why);

	return r;
}

static int git_list_repos(struct call *call, const void *args)
{
	auto_(finder_done) struct finder finder = {
		.call = call,
		.settings = call_settings(call),
		.args = args,
		.repos = json_array(),
	};
	struct refusal why;

	if (find_all(&finder, &why) < 0)
		return refusal_answer(call, &why);

	if (finder.text.len == 0)
		strbuf_adds(&finder.text, "No repositories.");
	if (finder.truncated)
		strbuf_addf(&finder.text,
			"… cut. Look under one directory with path, or less deep with max_depth.\n");

	return call_result(call,
		json_pack(
			"{s:O, s:b}", "repositories", finder.repos, "truncated", finder.truncated),
		strbuf_get(&finder.text), finder.text.len);
}

/* Rules */

static void add_rule(json_t *rules, char *text)
{
	json_array_append_new(rules, out_str(text));
	free(text);
}

static char *joined(struct str_list list)
{
	auto_strbuf text = { 0 };

	out_names(&text, list.items, list.n, ", ");
	return list.n > 0 ? strbuf_take(&text) : alloc_str("(none)");
}

static json_t *list_json(struct str_list list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list.n; i++)
		json_array_append_new(array, out_str(list.items[i]));

	return array;
}

static json_t *make_rules(const struct git_settings *settings)
{
	auto_free char *branches = joined(git_settings_protected(settings));
	auto_free char *protocols = joined(git_settings_protocols(settings));
	json_t *rules = json_array();

	add_rule(rules, alloc_printf("Protected branches: %s.", branches));
	add_rule(rules,
		alloc_printf("Feature branches start with '%s': git_start_feature names them "
			     "%stask-ID-SLUG.",
			settings->feature_prefix, settings->feature_prefix));
	add_rule(rules,
		alloc_str("git_smart_commit commits on feature branches only, never on a protected "
			  "one, and refuses added lines that look like secrets."));
	add_rule(rules, alloc_str("git_push never pushes a protected branch."));
	add_rule(rules,
		alloc_str(
			settings->enforce_protected
				? "git_add, git_commit, git_merge and git_reset refuse to work on a "
				  "protected branch."
				: "git_add, git_commit, git_merge and git_reset work on every branch."));
	add_rule(rules, alloc_str(settings->allow_force_push
					  ? "Force pushes are allowed, always with a lease."
					  : "Force pushes are not allowed."));
	add_rule(rules, alloc_printf("Remotes are reached by: %s.", protocols));
	add_rule(rules,
		alloc_str("Hooks, filters and external programs never run; commits are never "
			  "signed."));
	add_rule(
		rules, alloc_str("Nothing outside of the allowed directories is read or written."));
	return rules;
}

static int git_get_safety_rules(struct call *call, const void *args)
{
	const struct git_settings *settings = call_settings(call);
	json_t *rules = make_rules(settings);
	auto_strbuf text = { 0 };
	json_t *rule;
	size_t i;

	(void)args;
	json_array_foreach(rules, i, rule)
		strbuf_addf(&text, "%zu. %s\n", i + 1, json_string_value(rule));

	return call_result(call,
		json_pack("{s:o, s:o, s:o, s:b, s:b}", "rules", rules, "protected_branches",
			list_json(git_settings_protected(settings)), "feature_prefix",
			out_str(settings->feature_prefix), "enforced", settings->enforce_protected,
			"force_push_allowed", settings->allow_force_push),
		strbuf_get(&text), text.len);
}

const struct tool git_repos_tools[] = {
	TOOL(git_list_repos, "List repositories",
		.doc = "Find the repositories under the allowed directories.",
		.out = "repositories {path string, bare boolean, branch? string, "
		       "default boolean}[], truncated boolean",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT),
	TOOL_PLAIN(git_get_safety_rules, "Safety rules",
		.doc = "The branch and safety rules this server applies.",
		.out = "rules string[], protected_branches string[], feature_prefix string, "
		       "enforced boolean, force_push_allowed boolean",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT),
	{ 0 },
};
