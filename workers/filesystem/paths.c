/* See paths.h. */
#include "workers/filesystem/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/quote.h"
#include "shared/utf8.h"

static const struct {
	int err;
	const char *words; /* behind the path */
} known[] = {
	{ ENOENT, "does not exist. List the directory to see what is there." },
	{ EEXIST, "exists already." },
	{ EISDIR, "is a directory." },
	{ ENOTDIR, "is not a directory, or a part of the path is not." },
	{ ENOTEMPTY, "is a directory that is not empty." },
	{ EXDEV, "leads outside of the directories that may be used. code_list_roots names them; "
		 "a symlink must be relative and stay inside." },
	{ ELOOP, "leads through too many symlinks, or through one where none is allowed." },
	{ EACCES, "may not be used by this server: the system refuses it." },
	{ EPERM, "may not be used by this server: the system refuses it." },
	{ EROFS, "lies where this server may only read." },
	{ ENXIO, "is neither a file nor a directory (a FIFO, socket or device)." },
	{ ENAMETOOLONG, "has a name that is too long." },
	{ ENOSPC, "could not be written: the disk is full." },
	{ EDQUOT, "could not be written: the quota is used up." },
	{ EBUSY, "is in use. Try again." },
	{ ETXTBSY, "is in use. Try again." },
	{ EAGAIN, "changed while it was looked at. Try again." },
};

bool paths_find(struct call *call, const char *path, struct place *ret)
{
	struct fail fail = { 0 };
	int r = place_find(path, ret, &fail);

	if (r == 0)
		return true;
	(void)call_fail(call, path_error_code(r), "%s", fail.text);
	return false;
}

int paths_fail(struct call *call, const char *path, int err)
{
	char quoted[QUOTE_SIZE];

	err = err < 0 ? -err : err;
	for (size_t i = 0; i < N_ELEMENTS(known); i++)
		if (known[i].err == err)
			return call_fail(call, path_error_code(err), "%s %s", quote(quoted, path),
				known[i].words);
	return call_fail(call, path_error_code(err), "%s: %s.", quote(quoted, path), strerror(err));
}

int paths_open_file(const struct place *place, struct stat *ret_stat)
{
	auto_close int fd = place_open(place, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -ENXIO;
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
