/* libgit2 opens files by their names, one system call after the check of their directories: whoever may
 * write to the working tree can put a symbolic link into a directory's place in between, and a file from
 * outside is stored. Here the kernel resolves the directories once (openat2 without links), and all that
 * follows is done with the descriptors that came out of it. */
#include "workers/git/take.h"

#include <errno.h>
#include <fcntl.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "workers/common/call.h"

enum {
	CHUNK = 64 * KIB,
	MAX_FILTERED = 512 * MIB, /* a file whose line ends are converted is held in memory */
	MAX_LINK = 4096,
};

DEFINE_FREEP(git_filter_list, git_filter_list_free)
DEFINE_FREEP(git_odb_stream, git_odb_stream_free)

static int refuse_changed(struct writer *w, const char *path)
{
	return refuse(&w->why, "busy", "%s changed while it was read. Try again.", QUOTED(path));
}

static int take_link(struct writer *w, int dir_fd, const char *name, git_oid *ret)
{
	char target[MAX_LINK];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target));
	int rc;

	if (n < 0 && (errno == EINVAL || errno == ENOENT))
		return refuse_changed(w, name);
	if (n < 0)
		return refuse_errno(&w->why, -errno, "cannot read the link %s", QUOTED(name));

	rc = git_blob_create_from_buffer(ret, w->repo.git, target, (size_t)n);
	return rc < 0 ? refuse_git(&w->why, rc, "cannot store the link %s", QUOTED(name)) : 0;
}

/* Hands the file to `add` piece by piece; the number of bytes must be `size` in the end. */
static int read_file(struct writer *w, int fd, const char *path, off_t size,
	int (*add)(void *arg, const char *bytes, size_t len), void *arg)
{
	char part[CHUNK];
	off_t left = size;
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		if (call_stopped(w->call))
			return refuse_stopped(&w->why, "a file was being read");
		if (n > left)
			return refuse_changed(w, path);
		left -= n;
		if (add(arg, part, (size_t)n) < 0)
			return refuse_git(&w->why, GIT_ERROR, "cannot store %s", QUOTED(path));
	}
	if (n < 0)
		return refuse_errno(&w->why, -errno, "cannot read %s", QUOTED(path));

	return left == 0 ? 0 : refuse_changed(w, path);
}

static int add_to_stream(void *arg, const char *bytes, size_t len)
{
	return git_odb_stream_write(arg, bytes, len);
}

static int take_plain(struct writer *w, int fd, const char *path, off_t size, git_oid *ret)
{
	auto_git(git_odb) odb = NULL;
	auto_git(git_odb_stream) stream = NULL;
	int rc = git_repository_odb(&odb, w->repo.git);

	if (rc == 0)
		rc = git_odb_open_wstream(&stream, odb, (git_object_size_t)size, GIT_OBJECT_BLOB);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot store %s", QUOTED(path));
	if (read_file(w, fd, path, size, add_to_stream, stream) < 0)
		return -1;

	rc = git_odb_stream_finalize_write(ret, stream);
	return rc < 0 ? refuse_git(&w->why, rc, "cannot store %s", QUOTED(path)) : 0;
}

static int add_to_text(void *arg, const char *bytes, size_t len)
{
	strbuf_add(arg, bytes, len);
	return 0;
}

static int take_filtered(struct writer *w, int fd, const char *path, off_t size,
	git_filter_list *filters, git_oid *ret)
{
	auto_strbuf text = { 0 };
	auto_git_buf out = { 0 };
	int rc;

	if (size > MAX_FILTERED)
		return refuse(&w->why, "too_large",
			"%s has %lld bytes, and its line ends are converted by its attributes, which "
			"this server does up to %lld. Take the attribute away (-text).",
			QUOTED(path), (long long)size, (long long)MAX_FILTERED);
	if (read_file(w, fd, path, size, add_to_text, &text) < 0)
		return -1;

	rc = git_filter_list_apply_to_buffer(&out, filters, strbuf_get(&text), text.len);
	if (rc == 0)
		rc = git_blob_create_from_buffer(ret, w->repo.git, out.ptr, out.size);
	return rc < 0 ? refuse_git(&w->why, rc, "cannot store %s", QUOTED(path)) : 0;
}

static int take_regular(
	struct writer *w, int dir_fd, const char *name, const char *path, git_oid *ret)
{
	auto_(git_filter_list_freep) git_filter_list *filters = NULL;
	auto_close int fd =
		openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int rc;

	if (fd < 0 && (errno == ENOENT || errno == ELOOP))
		return refuse_changed(w, path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse_errno(&w->why, -errno, "cannot read %s", QUOTED(path));
	if (!S_ISREG(st.st_mode))
		return refuse_changed(w, path);

	rc = git_filter_list_load(
		&filters, w->repo.git, NULL, path, GIT_FILTER_TO_ODB, GIT_FILTER_DEFAULT);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read the attributes of %s", QUOTED(path));

	return filters ? take_filtered(w, fd, path, st.st_size, filters, ret)
		       : take_plain(w, fd, path, st.st_size, ret);
}

int take_blob(struct writer *w, const char *path, git_oid *ret_id, struct stat *ret_st)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	auto_close int dir_fd = repo_open_parent(&w->repo, path);
	int r;

	*ret_st = (struct stat){ 0 };
	if (dir_fd == -ENOENT || dir_fd == -ENOTDIR)
		return 0;
	if (dir_fd == -ELOOP || dir_fd == -EXDEV)
		return refuse(&w->why, "outside_roots",
			"a directory in the path %s is a symbolic link. Name the file by its own path.",
			QUOTED(path));
	if (dir_fd < 0)
		return refuse_errno(&w->why, dir_fd, "cannot look at %s", QUOTED(path));
	if (fstatat(dir_fd, name, ret_st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(ret_st->st_mode))
		return 0;
	if (!S_ISREG(ret_st->st_mode) && !S_ISLNK(ret_st->st_mode))
		return refuse(&w->why, "special_file",
			"%s is neither a file nor a directory nor a symbolic link. "
			"Remove it, or leave it out.",
			QUOTED(path));

	r = S_ISLNK(ret_st->st_mode) ? take_link(w, dir_fd, name, ret_id)
				     : take_regular(w, dir_fd, name, path, ret_id);
	return r < 0 ? r : 1;
}

uint16_t take_mode(const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return GIT_FILEMODE_LINK;

	return st->st_mode & S_IXUSR ? GIT_FILEMODE_BLOB_EXECUTABLE : GIT_FILEMODE_BLOB;
}
