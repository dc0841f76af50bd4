/* See paths.h. */
#include "workers/filesystem/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/quote.h"
#include "shared/utf8.h"

/* What only somebody else can mend. */
#define OPERATOR "The operator of this server can change that."

static const struct {
	int err;
	const char *words; /* behind the path */
} known[] = {
	{ ENOENT, "does not exist. List the directory to see what is there." },
	{ EEXIST, "exists already. Choose another name." },
	{ EISDIR, "is a directory. Name a file; code_list_directory shows which are in it." },
	{ ENOTDIR,
		"is not a directory, or a part of the path is not. List the directory above it." },
	{ ENOTEMPTY, "is a directory that is not empty. List it to see what is there." },
	{ EXDEV, "leads outside of the directories that may be used. Take a path inside, which "
		 "code_list_roots names; a symlink must be relative and stay there." },
	{ ELOOP, "leads through too many symlinks, or through one where none is allowed. Name what "
		 "they lead to." },
	{ EACCES, "may not be used by this server: the system refuses it. " OPERATOR },
	{ EPERM, "may not be used by this server: the system refuses it. " OPERATOR },
	{ EROFS,
		"lies where this server may only read. Write below what code_list_roots calls writable." },
	{ ENXIO,
		"is neither a file nor a directory (a FIFO, socket or device). Name a regular file." },
	{ ENAMETOOLONG, "has a name that is too long. Use a shorter one." },
	{ ENOSPC, "could not be written: the disk is full. " OPERATOR },
	{ EDQUOT, "could not be written: the quota is used up. " OPERATOR },
	{ EBUSY, "is in use. Try again." },
	{ ETXTBSY, "is in use. Try again." },
	{ EAGAIN, "changed while it was looked at. Try again." },
};

int paths_look(const char *path, struct place *ret, struct failure *why)
{
	struct fail fail = { 0 };
	int r = place_find(path, ret, &fail);

	if (r == 0)
		return 0;
	return failure_set(why, path_error_code(r), "%s. %s", fail.text,
		r == -EXDEV ? "Take a path below one of them." : "Give another path.");
}

bool paths_find(struct call *call, const char *path, struct place *ret)
{
	struct failure why;

	if (paths_look(path, ret, &why) == 0)
		return true;
	(void)call_fail(call, why.code, "%s", why.text);
	return false;
}

int paths_failure(struct failure *fail, const char *path, int err)
{
	char quoted[QUOTE_SIZE];

	err = err < 0 ? -err : err;
	for (size_t i = 0; i < N_ELEMENTS(known); i++)
		if (known[i].err == err)
			return failure_set(fail, path_error_code(err), "%s %s", quote(quoted, path),
				known[i].words);
	return failure_set(fail, path_error_code(err), "%s: %s. Try again.", quote(quoted, path),
		strerror(err));
}

int paths_fail(struct call *call, const char *path, int err)
{
	struct failure fail;

	(void)paths_failure(&fail, path, err);
	return call_fail(call, fail.code, "%s", fail.text);
}

/* 0: a regular file; -errno. */
static int check_regular(int fd, struct stat *ret)
{
	if (fstat(fd, ret) < 0)
		return -errno;
	if (S_ISDIR(ret->st_mode))
		return -EISDIR;
	return S_ISREG(ret->st_mode) ? 0 : -ENXIO;
}

int paths_open_file(const struct place *place, struct stat *ret_stat)
{
	auto_close int looked_at = place_open(place, O_PATH, 0);
	auto_close int fd = -1;
	struct stat st;
	int r = looked_at < 0 ? looked_at : check_regular(looked_at, &st);

	if (r < 0)
		return r;
	/* It may have been replaced meanwhile: hence O_NONBLOCK, and the same check. */
	fd = place_open(place, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	r = fd < 0 ? fd : check_regular(fd, &st);
	if (r < 0)
		return r;
	if (ret_stat)
		*ret_stat = st;
	return TAKE_FD(fd);
}

static bool is_plain(const char *path)
{
	if (*path == '"')
		return false;
	for (; *path; path++)
		if ((unsigned char)*path < 0x20 || *path == 0x7f)
			return false;
	return true;
}

void paths_show(struct strbuf *out, const char *path)
{
	auto_strbuf mended = { 0 };

	utf8_repair(&mended, path, strlen(path));
	if (is_plain(strbuf_get(&mended)))
		strbuf_add(out, strbuf_get(&mended), mended.len);
	else
		strbuf_add_json(out, strbuf_get(&mended), mended.len);
}

json_t *paths_json(const char *path)
{
	auto_strbuf mended = { 0 };

	utf8_repair(&mended, path, strlen(path));
	return json_stringn(strbuf_get(&mended), mended.len);
}
