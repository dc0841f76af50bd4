#include "workers/git/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"

enum {
	MAX_LINK_FILE = 8 * KIB,    /* .git, commondir */
	MAX_ALTERNATES = 64 * KIB,  /* objects/info/alternates */
	MAX_CONFIG = 4 * MIB,       /* config, .gitmodules */
	MAX_ALTERNATE_DEPTH = 5,    /* as git */
	MAX_WALK_DEPTH = 12,        /* directories below .git that are looked into */
	MAX_WALK_ENTRIES = 1000000, /* names below .git that are looked at */
	INDEX_HASH_BYTES = 20,
};

void layout_done(struct layout *layout)
{
	free(layout->dir);
	free(layout->git_dir);
	free(layout->common_dir);
	*layout = (struct layout){ 0 };
}

/* Links */

static const struct root *root_of(const char *path)
{
	for (size_t i = 0; i < roots_count(); i++)
		if (root_has(roots_get(i), path))
			return roots_get(i);

	return NULL;
}

int layout_resolve(const char *path, char **ret_real)
{
	auto_close int fd = open(path, O_PATH | O_CLOEXEC);
	auto_free char *real = NULL;
	struct stat st;

	if (fd < 0) {
		if (errno == ENOENT && lstat(path, &st) < 0 && errno == ENOENT)
			return -ENOENT;
		return -EXDEV;
	}
	real = path_of_fd(fd);
	if (!real || !root_of(real))
		return -EXDEV;

	*ret_real = TAKE(real);
	return 0;
}

static int refuse_outside(struct refusal *why, const char *what)
{
	return refuse(why, "repo_refused",
		"%s of this repository leads outside of the allowed directories. "
		"Its parts have to lie inside, or the operator has to allow that directory.",
		what);
}

static char *join(const char *dir, const char *rest)
{
	return *rest == '/' ? alloc_str(rest)
			    : alloc_printf("%s/%s", streq(dir, "/") ? "" : dir, rest);
}

/* The path that stands in a one-line file, without its line end; relative ones start at `dir`. */
static int read_link_file(const char *file, const char *prefix, const char *dir, char **ret)
{
	auto_strbuf text = { 0 };
	int r = fd_read_file(file, MAX_LINK_FILE, &text);

	if (r < 0)
		return r;
	while (text.len > 0 && strchr("\r\n", text.data[text.len - 1]))
		strbuf_cut(&text, text.len - 1);
	if (text.len <= strlen(prefix) || strlen(text.data) != text.len ||
		strncmp(text.data, prefix, strlen(prefix)) != 0)
		return -EBADMSG;

	*ret = join(dir, text.data + strlen(prefix));
	return 0;
}

/* Finding */

static bool has_entry(const char *dir, const char *name)
{
	auto_free char *path = join(dir, name);
	struct stat st;

	return lstat(path, &st) == 0;
}

static bool is_git_dir(const char *dir)
{
	if (!has_entry(dir, "HEAD"))
		return false;

	return has_entry(dir, "commondir") || (has_entry(dir, "objects") && has_entry(dir, "refs"));
}

/* Fills git_dir from the `.git` of layout->dir. 0: found. -ENOENT: none, or one that is no
 * repository, which git passes over as well. */
static int find_dot_git(struct layout *layout, struct refusal *why)
{
	auto_free char *dot_git = join(layout->dir, ".git");
	auto_free char *target = NULL;
	struct stat st;
	int r;

	if (lstat(dot_git, &st) < 0)
		return -ENOENT;
	if (S_ISREG(st.st_mode)) {
		r = read_link_file(dot_git, "gitdir: ", layout->dir, &target);
		if (r < 0)
			return refuse(why, "repo_refused",
				"the file .git of this repository cannot be read");
	} else if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode)) {
		target = alloc_str(dot_git);
	} else {
		return -ENOENT;
	}
	if (layout_resolve(target, &layout->git_dir) < 0)
		return refuse_outside(why, ".git");
	if (is_git_dir(layout->git_dir))
		return 0;

	free(TAKE(layout->git_dir));
	return -ENOENT;
}

static int find_common_dir(struct layout *layout, struct refusal *why)
{
	auto_free char *file = join(layout->git_dir, "commondir");
	auto_free char *target = NULL;
	int r;

	if (!has_entry(layout->git_dir, "commondir")) {
		layout->common_dir = alloc_str(layout->git_dir);
		return 0;
	}
	r = layout_resolve(file, &target);
	if (r < 0)
		return refuse_outside(why, "commondir");
	free(TAKE(target));
	r = read_link_file(file, "", layout->git_dir, &target);
	if (r < 0)
		return refuse(why, "repo_refused",
			"the file commondir of this repository cannot be read. "
			"Its worktree has to be made anew (git_worktree_add).");
	if (layout_resolve(target, &layout->common_dir) < 0)
		return refuse_outside(why, "commondir");

	return 0;
}

static int find_at(struct layout *layout, struct refusal *why)
{
	int r = find_dot_git(layout, why);

	if (r == -ENOENT && is_git_dir(layout->dir)) {
		layout->is_bare = true;
		layout->git_dir = alloc_str(layout->dir);
		r = 0;
	}
	return r < 0 ? r : find_common_dir(layout, why);
}

/* "/a/b" becomes "/a", "/a" becomes "/". */
static void cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		slash[slash == path ? 1 : 0] = '\0';
}

static bool is_inside_git(const char *path)
{
	for (const char *at = path; (at = strcasestr(at, "/.git")); at++)
		if (at[5] == '/' || at[5] == '\0')
			return true;

	return false;
}

int layout_find(const struct root *root, const char *start, struct layout *ret, struct refusal *why)
{
	size_t root_len = streq(root->path, "/") ? 0 : strlen(root->path);
	int r;

	if (is_inside_git(start + root_len))
		return refuse(why, "repo_refused",
			"the path lies in a .git directory. Name the working tree instead.");

	ret->root = root;
	ret->dir = alloc_str(start);
	for (;;) {
		r = find_at(ret, why);
		if (r != -ENOENT)
			return r;
		if (strlen(ret->dir) <= root_len || streq(ret->dir, "/"))
			break;
		cut_last(ret->dir);
	}
	return refuse(why, "not_a_repository",
		"there is no git repository at this path or above it, up to the allowed directory. "
		"git_list_repos shows those that there are.");
}

/* Checking */

static int check_owner(const struct layout *layout, const char *path, struct refusal *why)
{
	const struct root *root = root_of(path);
	struct stat st, root_st;

	if (!root || lstat(path, &st) < 0 || fstat(root->fd, &root_st) < 0)
		return refuse(why, "repo_refused",
			"the owner of this repository cannot be read. "
			"Look whether it is still there.");
	if (st.st_uid == geteuid() || st.st_uid == root_st.st_uid)
		return 0;

	return refuse(why, "repo_refused",
		"%s belongs to another user than this server and than the allowed directory. "
		"Its owner has to be one of the two (chown).",
		streq(path, layout->dir) ? "its directory" : "its .git");
}

static int check_owners(const struct layout *layout, struct refusal *why)
{
	auto_free char *dot_git = join(layout->dir, ".git");
	const char *const paths[] = { layout->dir, layout->git_dir, layout->common_dir,
		layout->is_bare ? layout->dir : dot_git };
	int r = 0;

	for (size_t i = 0; i < N_ELEMENTS(paths) && r == 0; i++)
		r = check_owner(layout, paths[i], why);

	return r;
}

struct walk {
	struct refusal *why;
	size_t n_entries;
};

/* Directories at the top of .git that hold what libgit2 never uses, or uses only by opening them as
 * repositories of their own. */
static bool is_skipped(int depth, const char *name)
{
	static const char *const names[] = { "hooks", "modules", "lfs", "annex", "branches" };

	for (size_t i = 0; depth == 0 && i < N_ELEMENTS(names); i++)
		if (streq(name, names[i]))
			return true;

	return false;
}

static int walk_links(struct walk *walk, const char *dir, int depth);

static int walk_entry(struct walk *walk, const char *dir, const struct dirent *entry, int depth)
{
	auto_free char *path = join(dir, entry->d_name);
	auto_free char *real = NULL;
	unsigned char type = entry->d_type;
	struct stat st;

	if (type == DT_UNKNOWN) {
		if (lstat(path, &st) < 0)
			return 0;
		type = (unsigned char)IFTODT(st.st_mode);
	}
	/* Opening one of these can wait for ever. */
	if (type == DT_FIFO || type == DT_CHR || type == DT_BLK)
		return refuse(walk->why, "repo_refused", "there is a special file in its .git");
	if (type == DT_LNK) {
		if (layout_resolve(path, &real) < 0)
			return refuse_outside(walk->why, "a link in .git");
		if (stat(real, &st) == 0 && S_ISDIR(st.st_mode))
			type = DT_DIR;
	}
	if (type != DT_DIR || is_skipped(depth, entry->d_name))
		return 0;

	return walk_links(walk, real ? real : path, depth + 1);
}

static DIR *open_directory(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		(void)TAKE_FD(fd);
	return dir;
}

/* Every symlink below `dir` must end inside of the roots. */
static int walk_links(struct walk *walk, const char *dir, int depth)
{
	DIR *handle = depth > MAX_WALK_DEPTH ? NULL : open_directory(dir);
	struct dirent *entry;
	int r = 0;

	if (!handle)
		return refuse(walk->why, "repo_refused",
			depth > MAX_WALK_DEPTH ? "its .git has too many levels"
					       : "a directory in its .git cannot be read");
	while (r == 0 && (entry = readdir(handle))) {
		if (streq(entry->d_name, ".") || streq(entry->d_name, ".."))
			continue;
		if (++walk->n_entries > MAX_WALK_ENTRIES)
			r = refuse(walk->why, "repo_refused",
				"its .git has more than %d files. Let `git gc` pack them.",
				MAX_WALK_ENTRIES);
		else
			r = walk_entry(walk, dir, entry, depth);
	}
	(void)closedir(handle);
	return r;
}

static int check_links(const struct layout *layout, struct refusal *why)
{
	struct walk walk = { .why = why };
	int r = walk_links(&walk, layout->common_dir, 0);

	if (r == 0 && !streq(layout->git_dir, layout->common_dir))
		r = walk_links(&walk, layout->git_dir, 0);

	return r;
}

static int check_alternates(const char *objects, int depth, struct refusal *why);

static int check_alternate(const char *objects, const char *line, int depth, struct refusal *why)
{
	auto_free char *path = join(objects, line);
	auto_free char *real = NULL;
	struct walk walk = { .why = why };
	int r;

	/* libgit2 knows relative ones only in the first file, and only with a dot in front. */
	if ((*line != '/' && (*line != '.' || depth > 0)) || layout_resolve(path, &real) < 0)
		return refuse_outside(why, "an alternate object directory");
	r = walk_links(&walk, real, 1);

	return r < 0 ? r : check_alternates(real, depth + 1, why);
}

static int check_alternates(const char *objects, int depth, struct refusal *why)
{
	auto_free char *file = join(objects, "info/alternates");
	auto_strbuf text = { 0 };
	char *next = NULL;
	int r = fd_read_file(file, MAX_ALTERNATES, &text);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0 || depth > MAX_ALTERNATE_DEPTH)
		return refuse(why, "repo_refused",
			"its alternate object directories cannot be read. "
			"Let \"git repack -a -d\" make it independent of them.");

	r = 0;
	for (char *line = strtok_r(text.data, "\r\n", &next); line && r == 0;
		line = strtok_r(NULL, "\r\n", &next))
		if (*line != '#')
			r = check_alternate(objects, line, depth, why);

	return r;
}

/* Configuration */

bool layout_has_include(const char *text, size_t len)
{
	static const char word[] = "include";
	const char *end = text + len;

	for (const char *at = text; at < end && (at = memchr(at, '[', (size_t)(end - at))); at++) {
		const char *name = at + 1;

		while (name < end && strchr(" \t\r\n\v\f\\", *name) && *name)
			name++;
		if ((size_t)(end - name) >= strlen(word) &&
			strncasecmp(name, word, strlen(word)) == 0)
			return true;
	}
	return false;
}

static int check_includes(const char *file, struct refusal *why)
{
	auto_strbuf text = { 0 };
	auto_free char *real = NULL;
	int r = layout_resolve(file, &real);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return refuse_outside(why, "a configuration file");
	r = fd_read_file(real, MAX_CONFIG, &text);
	if (r < 0)
		return refuse(why, "repo_refused",
			"a configuration file of this repository cannot be read: %s", strerror(-r));
	if (layout_has_include(strbuf_get(&text), text.len))
		return refuse(why, "repo_refused",
			"its configuration includes another file ([include]), which this server does not "
			"follow. "
			"Write the settings into the configuration itself.");
	return 0;
}

static int refuse_format(struct refusal *why, const char *what)
{
	return refuse(why, "repo_refused",
		"it uses %s, which this server cannot read. "
		"Use the git program for it.",
		what);
}

static bool is_true(const char *value)
{
	int on = 0;

	return !value || (git_config_parse_bool(&on, value) == 0 && on);
}

static bool is_known_version(const char *value)
{
	int32_t version = 0;

	return value && git_config_parse_int32(&version, value) == 0 && version >= 0 &&
	       version <= 1;
}

/* Files outside of the repository whose lines would be taken as patterns. */
static int check_outer_file(
	const struct layout *layout, const char *name, const char *value, struct refusal *why)
{
	auto_free char *path = join(layout->is_bare ? layout->git_dir : layout->dir, value);
	auto_free char *real = NULL;

	if (*value == '\0' || layout_resolve(path, &real) != -EXDEV)
		return *value == '~' ? refuse_outside(why, name) : 0;

	return refuse_outside(why, name);
}

static int check_entry(
	const struct layout *layout, const char *name, const char *value, struct refusal *why)
{
	const char *dot = strrchr(name, '.');

	if (strncmp(name, "extensions.", 11) == 0 && !streq(name, "extensions.noop"))
		return refuse_format(why, name);
	if (streq(name, "core.repositoryformatversion") && !is_known_version(value))
		return refuse_format(why, "a repository format newer than 1");
	if (strncmp(name, "remote.", 7) == 0 && streq(dot, ".promisor") && is_true(value))
		return refuse_format(why, "a partial clone");
	if (streq(name, "core.excludesfile") || streq(name, "core.attributesfile"))
		return check_outer_file(layout, name, value ? value : "", why);

	return 0;
}

static int check_entries(const struct layout *layout, git_config *config, struct refusal *why)
{
	git_config_iterator *it = NULL;
	git_config_entry *entry;
	int r = 0;
	int rc = git_config_iterator_new(&it, config);

	if (rc < 0)
		return refuse_git(why, rc, "cannot read this repository");
	while (r == 0 && (rc = git_config_next(&entry, it)) == 0)
		r = check_entry(layout, entry->name, entry->value, why);
	git_config_iterator_free(it);

	return r == 0 && rc != GIT_ITEROVER ? refuse_git(why, rc, "cannot read this repository")
					    : r;
}

static int check_config(const struct layout *layout, struct refusal *why)
{
	auto_free char *file = join(layout->common_dir, "config");
	auto_free char *modules = join(layout->dir, ".gitmodules");
	git_config *config = NULL;
	int r = check_includes(file, why);
	int rc;

	if (r == 0 && !layout->is_bare)
		r = check_includes(modules, why);
	if (r < 0 || !has_entry(layout->common_dir, "config"))
		return r;

	rc = git_config_open_ondisk(&config, file);
	r = rc < 0 ? refuse_git(why, rc, "cannot read this repository")
		   : check_entries(layout, config, why);
	git_config_free(config);
	return r;
}

/* libgit2 opens these without a look at what they are, and opening a FIFO can wait for ever. Those in
 * deeper directories are special.h's, for the tools that read them. */
static int check_special(const struct layout *layout, struct refusal *why)
{
	static const char *const names[] = { ".gitignore", ".gitattributes", ".gitmodules",
		".mailmap" };
	struct stat st;

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		auto_free char *file = join(layout->dir, names[i]);

		if (stat(file, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
			return refuse(why, "repo_refused",
				"%s in it is a special file. "
				"Remove it.",
				names[i]);
	}
	return 0;
}

static int check_shallow(const struct layout *layout, struct refusal *why)
{
	auto_free char *file = join(layout->common_dir, "shallow");
	struct stat st;

	return stat(file, &st) == 0 && st.st_size > 0
		       ? refuse(why, "repo_refused",
				 "it is a shallow clone, which this server cannot read. Fetch the rest of the "
				 "history (git fetch --unshallow).")
		       : 0;
}

int layout_check(const struct layout *layout, struct refusal *why)
{
	auto_free char *objects = join(layout->common_dir, "objects");
	int r = check_owners(layout, why);

	if (r == 0)
		r = check_links(layout, why);
	if (r == 0)
		r = check_special(layout, why);
	if (r == 0)
		r = check_config(layout, why);
	if (r == 0)
		r = check_alternates(objects, 0, why);
	if (r == 0)
		r = check_shallow(layout, why);

	return r;
}

/* Index */

int layout_check_index(const char *git_dir, struct refusal *why)
{
	static const uint8_t zeros[INDEX_HASH_BYTES];
	auto_free char *file = join(git_dir, "index");
	auto_close int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t head[8], hash[INDEX_HASH_BYTES];
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : refuse_errno(why, -errno, "cannot read the index");
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return refuse(why, "repo_refused",
			"its index is not a file. "
			"Remove it; git_reset makes it anew.");
	if (pread(fd, head, sizeof(head), 0) != sizeof(head) || memcmp(head, "DIRC", 4) != 0 ||
		pread(fd, hash, sizeof(hash), st.st_size - INDEX_HASH_BYTES) != sizeof(hash))
		return refuse(why, "repo_refused",
			"its index is damaged. "
			"Remove the file \"index\" in .git; git_reset makes it anew.");
	if (head[4] || head[5] || head[6] || head[7] < 2 || head[7] > 4)
		return refuse_format(why, "an index newer than version 4");
	if (memcmp(hash, zeros, sizeof(hash)) == 0)
		return refuse_format(why, "an index without a checksum (index.skipHash)");

	return 0;
}
