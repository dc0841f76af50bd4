#include "workers/git/repo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <strings.h>
#include <time.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "workers/git/layout.h"

extern char **environ;

/* Memory that libgit2 may keep: parsed objects, and mapped windows of packs. */
#define CACHE_BYTES ((ssize_t)64 * MIB)
#define MAPPED_BYTES ((size_t)1024 * MIB)

enum { MAX_PATH_BYTES = 4096 };

/* Start and end */

/* What git and libgit2 would listen to; none of it is about the repositories served here. */
static void drop_environment(void)
{
	static const char *const prefixes[] = { "GIT_", "XDG_", "HOME=", "EMAIL=" };
	char **at = environ;

	while (at && *at) {
		auto_free char *name = NULL;

		for (size_t i = 0; !name && i < N_ELEMENTS(prefixes); i++)
			if (strncmp(*at, prefixes[i], strlen(prefixes[i])) == 0)
				name = alloc_mem(*at, strcspn(*at, "="));
		if (name)
			(void)unsetenv(name); /* moves the rest up to `at` */
		else
			at++;
	}
}

static int set_options(void)
{
	static const git_config_level_t levels[] = { GIT_CONFIG_LEVEL_PROGRAMDATA,
		GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < N_ELEMENTS(levels); i++)
		rc = git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, (int)levels[i], "");
	if (rc == 0)
		rc = git_libgit2_opts(GIT_OPT_SET_TEMPLATE_PATH, "");
	if (rc == 0)
		rc = git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, CACHE_BYTES);
	if (rc == 0)
		rc = git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, MAPPED_BYTES);
	/* layout_check() has a rule of its own, for a service that works on others' repositories. */
	if (rc == 0)
		rc = git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);

	return rc;
}

int repo_start(struct fail *fail)
{
	int rc;

	drop_environment();
	rc = git_libgit2_init();
	if (rc < 0)
		return fail_set(fail, -EIO, "libgit2 cannot be initialised");
	rc = set_options();
	if (rc < 0) {
		(void)git_libgit2_shutdown();
		return fail_set(fail, -EIO, "libgit2 does not take the options that make it safe");
	}
	return 0;
}

void repo_stop(void)
{
	(void)git_libgit2_shutdown();
}

/* Opening */

void repo_close(struct repo *repo)
{
	if (!repo->git)
		return;
	git_repository_free(repo->git);
	free(repo->dir);
	(void)fd_close(repo->dir_fd);
	*repo = (struct repo){ 0 };
}

/* The path to open when the call names none. */
static int default_path(const struct git_settings *settings, const char **ret, struct refusal *why)
{
	if (settings->default_repository && *settings->default_repository)
		*ret = settings->default_repository;
	else if (roots_count() == 1)
		*ret = roots_get(0)->path;
	else
		return refuse(why, "invalid_argument",
			"repo_path is required, because this server has no default repository. "
			"git_list_repos shows the repositories.");

	return 0;
}

/* The real path of what `path` names, and the root it lies in. */
static int find_start(const char *path, struct place *place, char **ret_real, struct refusal *why)
{
	struct fail fail = { 0 };
	auto_close int fd = -1;
	int r = place_find(path, place, &fail);

	if (r < 0)
		return refuse(why, path_error_code(r),
			"repo_path: %s. git_list_repos shows the repositories inside.", fail.text);
	fd = place_open(place, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return refuse_errno(why, fd, "cannot open the directory repo_path");
	*ret_real = path_of_fd(fd);
	if (!*ret_real || !root_has(place->root, *ret_real))
		return refuse(why, "outside_roots",
			"repo_path leads outside of the allowed directories. "
			"git_list_repos shows the repositories inside.");

	return 0;
}

/* libgit2 obeys core.worktree and more: what it takes as the working tree must be the directory in
 * which .git was found. */
static int check_workdir(git_repository *git, const struct layout *layout, struct refusal *why)
{
	const char *workdir = git_repository_workdir(git);
	auto_free char *real = NULL;

	if (!workdir || layout->is_bare)
		return 0;
	if (layout_resolve(workdir, &real) < 0 || !streq(real, layout->dir))
		return refuse(why, "repo_refused",
			"its configuration (core.worktree) puts its files into another directory. "
			"Take that setting away.");

	return 0;
}

static int open_checked(const struct layout *layout, git_repository **ret, struct refusal *why)
{
	unsigned flags = GIT_REPOSITORY_OPEN_NO_SEARCH;
	git_repository *git = NULL;
	int rc, r;

	if (layout->is_bare)
		flags |= GIT_REPOSITORY_OPEN_NO_DOTGIT | GIT_REPOSITORY_OPEN_BARE;
	rc = git_repository_open_ext(&git, layout->dir, flags, NULL);
	if (rc < 0) {
		(void)refuse_git(why, rc, "cannot open the repository");
		why->code = "repo_refused";
		return -ECANCELED;
	}
	r = check_workdir(git, layout, why);
	if (r < 0) {
		git_repository_free(git);
		return r;
	}
	*ret = git;
	return 0;
}

static int open_found(const struct layout *layout, struct repo *repo, struct refusal *why)
{
	auto_close int fd = open(layout->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return refuse_errno(why, -errno, "cannot open the repository's directory");
	r = layout_check(layout, why);
	if (r == 0)
		r = open_checked(layout, &repo->git, why);
	if (r < 0)
		return r;

	repo->dir_fd = TAKE_FD(fd);
	repo->dir = alloc_str(layout->dir);
	repo->root = layout->root;
	repo->is_bare = git_repository_is_bare(repo->git) != 0;
	return 0;
}

int repo_open(const struct git_settings *settings, const char *path, struct repo *ret,
	struct refusal *why)
{
	auto_(place_done) struct place place = { 0 };
	auto_(layout_done) struct layout layout = { 0 };
	auto_free char *real = NULL;
	int r = 0;

	if (!path)
		r = default_path(settings, &path, why);
	if (r == 0)
		r = find_start(path, &place, &real, why);
	if (r == 0)
		r = layout_find(place.root, real, &layout, why);
	if (r == 0)
		r = open_found(&layout, ret, why);
	if (r < 0)
		return r;

	ret->settings = settings;
	ret->relative = place.relative;
	return 0;
}

int repo_need_worktree(const struct repo *repo, struct refusal *why)
{
	return repo->is_bare ? refuse(why, "repo_refused",
				       "this is a bare repository: it has no working tree. "
				       "Use one that has; git_clone makes it.")
			     : 0;
}

bool repo_path_is_inside(const char *path)
{
	auto_free char *at = alloc_str(path);
	auto_free char *real = NULL;
	int r = layout_resolve(at, &real);

	while (r == -ENOENT) {
		char *slash = strrchr(at, '/');

		if (!slash || slash == at)
			return false;
		*slash = '\0';
		r = layout_resolve(at, &real);
	}
	return r == 0;
}

static bool is_writable(const char *path)
{
	auto_free char *real = NULL;

	if (layout_resolve(path, &real) < 0)
		return false;
	for (size_t i = 0; i < roots_count(); i++)
		if (roots_get(i)->writable && root_has(roots_get(i), real))
			return true;

	return false;
}

int repo_need_writable(const struct repo *repo, struct refusal *why)
{
	if (is_writable(repo->dir) && is_writable(git_repository_path(repo->git)) &&
		is_writable(git_repository_commondir(repo->git)))
		return 0;

	return refuse(why, "read_only",
		"the configuration allows this server only to read this repository. "
		"Its operator can change that (roots, access).");
}

int repo_index(const struct repo *repo, git_index **ret, struct refusal *why)
{
	const char *words;
	int r = layout_check_index(git_repository_path(repo->git), why);
	int rc;

	if (r < 0)
		return r;
	rc = git_repository_index(ret, repo->git);
	if (rc == 0)
		return 0;
	words = git_error_last() ? git_error_last()->message : "";
	if (strstr(words, "'link'"))
		return refuse(why, "repo_refused",
			"it uses a split index, which this server cannot read. "
			"Run \"git update-index --no-split-index\" in it.");
	if (strstr(words, "'sdir'"))
		return refuse(why, "repo_refused",
			"it uses a sparse index, which this server cannot read. "
			"Run \"git sparse-checkout reapply --no-sparse-index\" in it.");

	return refuse_git(why, rc, "cannot read the index");
}

/* Paths */

/* Adds the components of `path` to `buf`, resolving "." and ".." by text. False: above the start. */
static bool add_components(struct strbuf *buf, const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && memcmp(path, "..", 2) == 0) {
			char *slash;

			if (buf->len == 0)
				return false;
			slash = strrchr(buf->data, '/');
			strbuf_cut(buf, slash ? (size_t)(slash - buf->data) : 0);
		} else if (len > 0 && !(len == 1 && *path == '.')) {
			if (buf->len > 0)
				strbuf_addc(buf, '/');
			strbuf_add(buf, path, len);
		}
		path += len;
		while (*path == '/')
			path++;
	}
	return true;
}

/* What follows the repository's directory in an absolute path; NULL when it is not below it. */
static const char *below(const char *dir, const char *path)
{
	size_t len = streq(dir, "/") ? 0 : strlen(dir);

	if (strncmp(path, dir, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return NULL;

	return path + len;
}

/* `path` with its directory's links resolved: yours to free, NULL when that cannot be. */
static char *resolve_parent(const char *path)
{
	auto_free char *dir = alloc_str(path);
	auto_free char *real = NULL;
	char *slash = strrchr(dir, '/');

	*slash = '\0';
	if (layout_resolve(slash == dir ? "/" : dir, &real) < 0)
		return NULL;

	return alloc_printf("%s/%s", real, slash + 1);
}

int repo_relative(const struct repo *repo, const char *path, char **ret, struct refusal *why)
{
	auto_strbuf clean = { 0 };
	auto_free char *resolved = NULL;
	const char *rest = path;
	char quoted[QUOTE_SIZE];

	if (*path == '\0' || strlen(path) > MAX_PATH_BYTES)
		return refuse(why, "invalid_argument",
			"a path is empty or longer than %d bytes. "
			"Use . for the whole repository.",
			MAX_PATH_BYTES);
	if (*path == '/') {
		rest = below(repo->dir, path);
		resolved = rest ? NULL : resolve_parent(path);
		rest = resolved ? below(repo->dir, resolved) : rest;
	}
	if (!rest || !add_components(&clean, rest))
		return refuse(why, "outside_roots",
			"the path %s is not inside of the repository. "
			"Name it relative to the repository.",
			quote(quoted, path));

	*ret = strbuf_take(&clean);
	return 0;
}

int repo_open_parent(const struct repo *repo, const char *rel)
{
	auto_free char *parent = alloc_str(rel);
	char *slash = strrchr(parent, '/');

	if (slash)
		*slash = '\0';

	return path_open_beneath(
		repo->dir_fd, slash ? parent : ".", O_PATH | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS);
}

int repo_check_parents(const struct repo *repo, const char *rel, struct refusal *why)
{
	auto_close int fd = repo_open_parent(repo, rel);
	char quoted[QUOTE_SIZE];

	if (fd >= 0 || fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd == -ELOOP || fd == -EXDEV)
		return refuse(why, "outside_roots",
			"a directory in the path %s is a symbolic link. Name the file by its own path.",
			quote(quoted, rel));

	return refuse_errno(why, fd, "cannot look at the path %s", quote(quoted, rel));
}

bool repo_is_git_path(const char *rel)
{
	while (*rel) {
		size_t len = strcspn(rel, "/");

		if (len == 4 && strncasecmp(rel, ".git", 4) == 0)
			return true;
		rel += len;
		while (*rel == '/')
			rel++;
	}
	return false;
}

int repo_paths(
	const struct repo *repo, struct str_list list, struct repo_paths *ret, struct refusal *why)
{
	int r = 0;

	ret->items = alloc_resize(NULL, list.n + 1, sizeof(*ret->items));
	ret->n = 0;
	for (size_t i = 0; i < list.n && r == 0; i++) {
		r = repo_relative(repo, list.items[i], &ret->items[ret->n], why);
		if (r == 0)
			ret->n++;
	}
	return r;
}

void repo_paths_done(struct repo_paths *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		free(paths->items[i]);
	free(paths->items);
	*paths = (struct repo_paths){ 0 };
}

/* Identity, names */

static char *config_text(git_config *config, const char *key)
{
	const char *value = NULL;

	return git_config_get_string(&value, config, key) == 0 && *value ? alloc_str(value) : NULL;
}

bool repo_is_one_line(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;

	return true;
}

int repo_identity(const struct repo *repo, git_signature **ret, struct refusal *why)
{
	auto_git(git_config) config = NULL;
	auto_free char *name = NULL;
	auto_free char *email = NULL;
	int rc = git_repository_config_snapshot(&config, repo->git);

	if (rc < 0)
		return refuse_git(why, rc, "cannot read this repository");
	name = config_text(config, "user.name");
	email = config_text(config, "user.email");
	if (!name && repo->settings->user_name && *repo->settings->user_name)
		name = alloc_str(repo->settings->user_name);
	if (!email && repo->settings->user_email && *repo->settings->user_email)
		email = alloc_str(repo->settings->user_email);
	if (!name || !email)
		return refuse(why, "no_identity",
			"nobody is named as the author: neither user.name and user.email of the "
			"repository nor user_name and user_email of the server's settings are set. Set the former.");

	rc = repo_is_one_line(name) && repo_is_one_line(email)
		     ? git_signature_new(ret, name, email, (git_time_t)time(NULL), 0)
		     : GIT_EINVALIDSPEC;
	return rc < 0 ? refuse(why, "no_identity",
				"the configured name or e-mail is not usable. "
				"Take out control characters and < > (user.name, user.email).")
		      : 0;
}

/* Objects in the pack whose index is `name`: the last entry of its fan-out table. */
static uint64_t count_pack(int dir_fd, const char *name)
{
	enum { FAN_OUT_LAST = 255 * 4, V2_HEAD = 8 };
	static const uint8_t v2_magic[4] = { 0xff, 't', 'O', 'c' };
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t head[4], last[4];

	if (fd < 0 || pread(fd, head, sizeof(head), 0) != sizeof(head))
		return 0;
	if (pread(fd, last, sizeof(last),
		    FAN_OUT_LAST + (memcmp(head, v2_magic, sizeof(head)) == 0 ? V2_HEAD : 0)) !=
		sizeof(last))
		return 0;

	return (uint64_t)last[0] << 24 | (uint64_t)last[1] << 16 | (uint64_t)last[2] << 8 | last[3];
}

static uint64_t count_packed(const struct repo *repo)
{
	auto_free char *path = alloc_printf("%sobjects/pack", git_repository_commondir(repo->git));
	DIR *dir = opendir(path);
	struct dirent *entry;
	uint64_t n = 0;

	while (dir && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (len > 4 && streq(entry->d_name + len - 4, ".idx"))
			n += count_pack(dirfd(dir), entry->d_name);
	}
	if (dir)
		(void)closedir(dir);
	return n;
}

/* As git chooses it: with 2^n objects, collisions are likely below n/2 bits more than n/2, so the
 * number of digits is half of the bits that the number of packed objects needs; at least 7. */
static unsigned choose_abbrev_len(const struct repo *repo)
{
	enum { LEAST = 7, LEAST_SETTING = 4 };
	auto_git(git_config) config = NULL;
	uint64_t n = count_packed(repo);
	unsigned bits = 1;
	int32_t set = 0;

	if (git_repository_config_snapshot(&config, repo->git) == 0 &&
		git_config_get_int32(&set, config, "core.abbrev") == 0 && set >= LEAST_SETTING)
		return set > GIT_OID_HEXSZ ? GIT_OID_HEXSZ : (unsigned)set;
	while (n >>= 1)
		bits++;

	return (bits + 1) / 2 < LEAST ? LEAST : (bits + 1) / 2;
}

unsigned repo_abbrev_len(struct repo *repo)
{
	if (repo->abbrev_len == 0)
		repo->abbrev_len = choose_abbrev_len(repo);

	return repo->abbrev_len;
}

const char *repo_short(struct repo *repo, const git_oid *id, char ret[REPO_SHORT_SIZE])
{
	auto_git(git_odb) odb = NULL;
	unsigned len = repo_abbrev_len(repo);
	git_oid found;

	if (git_repository_odb(&odb, repo->git) == 0)
		while (len < GIT_OID_HEXSZ &&
			git_odb_exists_prefix(&found, odb, id, len) == GIT_EAMBIGUOUS)
			len++;

	return git_oid_tostr(ret, len + 1, id);
}

const char *repo_state(const struct repo *repo)
{
	switch (git_repository_state(repo->git)) {
	case GIT_REPOSITORY_STATE_MERGE:
		return "merge";
	case GIT_REPOSITORY_STATE_REVERT:
	case GIT_REPOSITORY_STATE_REVERT_SEQUENCE:
		return "revert";
	case GIT_REPOSITORY_STATE_CHERRYPICK:
	case GIT_REPOSITORY_STATE_CHERRYPICK_SEQUENCE:
		return "cherry-pick";
	case GIT_REPOSITORY_STATE_BISECT:
		return "bisect";
	case GIT_REPOSITORY_STATE_REBASE:
	case GIT_REPOSITORY_STATE_REBASE_INTERACTIVE:
	case GIT_REPOSITORY_STATE_REBASE_MERGE:
	case GIT_REPOSITORY_STATE_APPLY_MAILBOX:
	case GIT_REPOSITORY_STATE_APPLY_MAILBOX_OR_REBASE:
		return "rebase";
	default:
		return "none";
	}
}
