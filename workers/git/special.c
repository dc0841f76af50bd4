/* The walk costs one reading of each directory, which libgit2 then does once more; no file is looked
 * at but those two kinds, when they are links. It keeps a list of directories instead of calling
 * itself: how deep they go is not ours to say. Who makes a FIFO after the walk can still stop the
 * call; then the supervisor's limit of time ends it. */
#include "workers/git/special.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/quote.h"
#include "workers/common/call.h"
#include "workers/git/layout.h"

enum {
	STOP_CHECK_EVERY = 256,
	MAX_WAITING = 1000000, /* directories that were seen and not yet read */
	MAX_SPECIAL = 10000,
};

struct search {
	const struct repo *repo;
	struct call *call;
	struct names waiting; /* directories, relative to the working tree */
	struct names *special;
	struct refusal *why;
	size_t n_entries;
};

static void search_done(struct search *search)
{
	names_done(&search->waiting);
}

static bool is_rules_file(const char *name)
{
	return streq(name, ".gitignore") || streq(name, ".gitattributes");
}

static bool is_file_type(unsigned char type)
{
	return type == DT_REG || type == DT_DIR || type == DT_LNK;
}

/* Opening it follows links: what is at their end counts. Nothing there is fine. */
static int check_rules_link(struct search *search, const char *path)
{
	auto_free char *full = alloc_printf("%s/%s", search->repo->dir, path);
	auto_free char *real = NULL;
	struct stat st;
	char quoted[QUOTE_SIZE];
	int r = layout_resolve(full, &real);

	if (r < 0 && stat(full, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (r < 0)
		return refuse(search->why, "repo_refused",
			"%s in it is a link that leads outside of the allowed directories. "
			"Replace it by a file.",
			quote(quoted, path));
	if (stat(real, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return 0;

	return refuse(search->why, "repo_refused",
		"%s in it leads to a special file. "
		"Replace it by a file.",
		quote(quoted, path));
}

static int check_rules(struct search *search, const char *path, unsigned char type)
{
	char quoted[QUOTE_SIZE];

	if (type == DT_LNK)
		return check_rules_link(search, path);

	return is_file_type(type) ? 0
				  : refuse(search->why, "repo_refused",
					    "%s in it is a special file. "
					    "Remove it.",
					    quote(quoted, path));
}

static unsigned char type_of(int dir_fd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;

	return fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0
		       ? DT_REG /* gone already */
		       : (unsigned char)IFTODT(st.st_mode);
}

static int look_at(struct search *search, int dir_fd, const char *dir, const struct dirent *entry)
{
	unsigned char type = type_of(dir_fd, entry);
	bool is_rules = is_rules_file(entry->d_name);
	auto_free char *path = NULL;

	if (++search->n_entries % STOP_CHECK_EVERY == 0 && call_stopped(search->call))
		return refuse_stopped(search->why, "the working tree was being looked through");
	if (!is_rules && (type == DT_REG || type == DT_LNK))
		return 0;

	path = *dir ? alloc_printf("%s/%s", dir, entry->d_name) : alloc_str(entry->d_name);
	if (is_rules && check_rules(search, path, type) < 0)
		return -1;
	if (type == DT_DIR && search->waiting.n >= MAX_WAITING)
		return refuse(search->why, "too_large",
			"the working tree has more than %d directories beside each other. "
			"Use the git program for it.",
			MAX_WAITING);
	if (type == DT_DIR)
		names_add(&search->waiting, path);
	else if (!is_file_type(type) && search->special && search->special->n < MAX_SPECIAL)
		names_add(search->special, path);

	return 0;
}

/* A directory that cannot be read, or that is a link by now, is left to libgit2. */
static DIR *open_directory(const struct search *search, const char *path)
{
	auto_close int fd = path_open_beneath(
		search->repo->dir_fd, path, O_RDONLY | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		(void)TAKE_FD(fd);
	return dir;
}

static int read_directory(struct search *search, const char *path)
{
	DIR *dir = open_directory(search, path);
	struct dirent *entry;
	int r = 0;

	while (dir && r == 0 && (entry = readdir(dir)))
		if (!streq(entry->d_name, ".") && !streq(entry->d_name, "..") &&
			!streq(entry->d_name, ".git"))
			r = look_at(search, dirfd(dir), path, entry);
	if (dir)
		(void)closedir(dir);

	return r;
}

int special_find(const struct repo *repo, struct call *call, struct names *ret, struct refusal *why)
{
	auto_(search_done) struct search search = {
		.repo = repo, .call = call, .special = ret, .why = why
	};

	if (repo->is_bare)
		return 0;

	names_add(&search.waiting, "");
	while (search.waiting.n > 0) {
		auto_free char *path = search.waiting.items[--search.waiting.n];

		if (read_directory(&search, path) < 0)
			return -1;
	}

	if (ret)
		names_sort(ret);
	return 0;
}
