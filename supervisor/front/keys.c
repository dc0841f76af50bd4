/* See keys.h. */
#include "supervisor/front/keys.h"

#include <errno.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/keys_file.h"
#include "shared/log.h"

enum {
	POLL_MS = 2000, /* what the watch cannot tell is seen that late */
	EVENTS_BYTES = 4096,
	OPEN_MODE = S_IWGRP | S_IRWXO,
};

#define WATCHED                                                                                    \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB |        \
		IN_DELETE_SELF | IN_MOVE_SELF)

/* What tells one state of a file from another. */
struct signature {
	bool is_there;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct keys {
	struct loop *loop;
	void (*changed)(void *arg);
	void *arg;
	char *path; /* NULL: there are no keys */
	struct key_set *set;
	struct signature signature;
	struct fail fault;
	int fd; /* inotify */
	int watch;
	struct event *readable;
	struct timer *poll;
};

/* --- reading ------------------------------------------------------------------------------------- */

static struct signature look(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct signature){ 0 };
	return (struct signature){ .is_there = true,
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = st.st_size,
		.changed = st.st_ctim };
}

static bool same_signature(const struct signature *a, const struct signature *b)
{
	return a->is_there == b->is_there && a->dev == b->dev && a->ino == b->ino &&
	       a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Who may read it could try hashes of keys that leaked, who may write it could let himself in. */
static int check_mode(const char *path, struct fail *fail)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return fail_set(fail, -errno, "cannot look at '%s'", path);
	if (st.st_mode & OPEN_MODE)
		return fail_set(fail, -EACCES,
			"'%s' is open to others (mode %04o): chmod 0640 '%s', and give it the group of "
			"the daemon",
			path, st.st_mode & 07777U, path);
	return 0;
}

static int load(const char *path, struct key_set **ret, struct fail *fail)
{
	struct keys_file *file = NULL;
	int r = check_mode(path, fail);

	if (r == -ENOENT) {
		*ret = NULL;
		*fail = (struct fail){ 0 };
		return 0;
	}
	if (r == 0)
		r = keys_file_load(path, &file, fail);
	if (r == 0)
		*ret = key_set_new(file);
	return r;
}

static void read_file(struct keys *keys)
{
	struct key_set *set = NULL;
	struct fail fail = { 0 };

	keys->signature = look(keys->path);
	if (load(keys->path, &set, &fail) < 0) {
		keys->fault = fail;
		(void)log_err(0, "keys: %s; the keys stay as they were", fail.text);
		keys->changed(keys->arg);
		return;
	}
	keys->fault = (struct fail){ 0 };
	if (set)
		log_info("keys: %zu in '%s'", key_set_count(set), keys->path);
	else if (keys->set)
		log_warn("keys: '%s' is gone, and all keys with it", keys->path);
	key_set_free(keys->set);
	keys->set = set;
	keys->changed(keys->arg);
}

/* --- watching ------------------------------------------------------------------------------------ */

static void read_if_changed(struct keys *keys)
{
	const struct signature now = look(keys->path);

	if (!same_signature(&now, &keys->signature))
		read_file(keys);
}

/* Whatever is at the folder's path now: another folder may have come in its place, and of the same one the kernel gives
 * the same number. */
static void watch_folder(struct keys *keys)
{
	const char *slash = strrchr(keys->path, '/');
	auto_free char *folder = !slash ? alloc_str(".")
				 : slash == keys->path
					 ? alloc_str("/")
					 : alloc_mem(keys->path, (size_t)(slash - keys->path));
	int watch = keys->fd >= 0 ? inotify_add_watch(keys->fd, folder, WATCHED) : -1;

	if (keys->watch >= 0 && keys->watch != watch)
		(void)inotify_rm_watch(keys->fd, keys->watch);
	keys->watch = watch;
}

/* The file may be a link into a folder that is not watched, or on a file system that others write, too; and a folder
 * above may have been moved away. A revoked key must not live on for that. */
static void on_poll(void *arg)
{
	struct keys *keys = arg;

	timer_start(keys->poll, POLL_MS);
	watch_folder(keys);
	read_if_changed(keys);
}

/* What happened to which file is of no interest. */
static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct keys *keys = arg;
	char buf[EVENTS_BYTES];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
	if (!keys->path)
		return;
	watch_folder(keys);
	read_if_changed(keys);
}

/* --- public -------------------------------------------------------------------------------------- */

struct keys *keys_new(struct loop *loop, void (*changed)(void *arg), void *arg)
{
	struct keys *keys = alloc_zero(sizeof(*keys));

	keys->loop = loop;
	keys->changed = changed;
	keys->arg = arg;
	keys->watch = -1;
	keys->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (keys->fd < 0)
		log_warn("cannot watch the keys file (%s): it is looked at every %d s",
			strerror(errno), POLL_MS / 1000);
	else
		keys->readable = loop_watch(loop, keys->fd, EV_READ | EV_PERSIST, on_event, keys);
	if (keys->readable)
		(void)event_add(keys->readable, NULL);
	keys->poll = timer_new(loop, on_poll, keys);
	return keys;
}

static void forget_path(struct keys *keys)
{
	if (keys->watch >= 0)
		(void)inotify_rm_watch(keys->fd, keys->watch);
	keys->watch = -1;
	timer_stop(keys->poll);
	free(TAKE(keys->path));
	key_set_free(TAKE(keys->set));
	keys->fault = (struct fail){ 0 };
}

void keys_free(struct keys *keys)
{
	if (!keys)
		return;
	forget_path(keys);
	ev_free(keys->readable);
	timer_free(keys->poll);
	(void)fd_close(keys->fd);
	free(keys);
}

void keys_set_path(struct keys *keys, const char *path)
{
	if (path && keys->path && streq(path, keys->path)) {
		keys_reload(keys);
		return;
	}
	forget_path(keys);
	keys->path = alloc_str(path);
	if (!path) {
		keys->changed(keys->arg);
		return;
	}
	watch_folder(keys);
	timer_start(keys->poll, POLL_MS);
	read_file(keys);
}

void keys_reload(struct keys *keys)
{
	if (keys->path)
		read_file(keys);
}

const char *keys_get_fault(const struct keys *keys)
{
	return keys->fault.text;
}

size_t keys_count(const struct keys *keys)
{
	return key_set_count(keys->set);
}

enum keys_verdict keys_judge(
	struct keys *keys, struct span text, int64_t now_s, struct principal **ret)
{
	return key_set_judge(keys->set, text, now_s, ret);
}

enum keys_verdict keys_judge_certificate(
	struct keys *keys, const char *name, int64_t now_s, struct principal **ret)
{
	return key_set_judge_certificate(keys->set, name, now_s, ret);
}

struct principal *keys_renew(
	const struct keys *keys, const struct principal *principal, int64_t now_s)
{
	return key_set_renew(keys->set, principal, now_s);
}
