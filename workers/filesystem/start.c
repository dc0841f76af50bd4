/* See start.h. */
#include "workers/filesystem/start.h"

#include <errno.h>
#include <fcntl.h>

#include "shared/fd.h"

static void set_shown(struct start *start)
{
	const struct place *place = &start->place;
	const char *shown = place->relative ? place->rest : place->full;

	if (!streq(shown, "."))
		strbuf_adds(&start->shown, shown);
	start->shown_len = start->shown.len;
}

/* A descriptor or -errno. */
static int open_directory(const struct place *place)
{
	return place_open(place, O_RDONLY | O_DIRECTORY | O_NOCTTY, 0);
}

bool start_open(struct call *call, const char *path, bool may_be_file, struct start *ret)
{
	int fd;

	*ret = (struct start){ .fd = -1 };
	if (!paths_find(call, path, &ret->place))
		return false;
	fd = open_directory(&ret->place);
	if (fd == -ENOTDIR && may_be_file) {
		fd = paths_open_file(&ret->place, NULL);
		ret->is_file = true;
	}
	if (fd < 0) {
		(void)paths_fail(call, path, fd);
		return false;
	}
	ret->fd = fd;
	set_shown(ret);
	return true;
}

void start_done(struct start *start)
{
	/* Before start_open() the descriptor is not -1, but then there is no place either. */
	if (start->place.root)
		(void)fd_close(start->fd);
	place_done(&start->place);
	strbuf_done(&start->shown);
}

const char *start_path(struct start *start, const char *below)
{
	struct strbuf *shown = &start->shown;

	strbuf_cut(shown, start->shown_len);
	if (*below && shown->len > 0 && shown->data[shown->len - 1] != '/')
		strbuf_addc(shown, '/');
	strbuf_adds(shown, below);
	return shown->len > 0 ? strbuf_get(shown) : ".";
}

bool start_failed(struct call *call, const char *path, int event, const struct walk_entry *entry)
{
	if (event != WALK_UNREADABLE || entry->depth > 0)
		return false;
	(void)paths_fail(call, path, entry->error);
	return true;
}

void start_tell_refused(struct strbuf *text, size_t n)
{
	if (n > 0)
		strbuf_addf(text, "%s(%zu files or directories may not be read by this server.)",
			text->len > 0 ? "\n" : "", n);
}
