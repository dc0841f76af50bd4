/* See key_store.h. */
#include "ctl/key_store.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/put.h"
#include "ctl/settings.h"
#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fd.h"

enum {
	ASK_TIMEOUT_MS = 2000, /* the daemon, for its file: without it there is the default */
	LOCK_STEP_MS = 10,
};

static const char default_path[] = SYSCONFDIR "/mcp-fleet/keys.json";

/* --- where it is ------------------------------------------------------------------------------- */

static gid_t group_of(uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	return user ? user->pw_gid : (gid_t)-1;
}

static int ask_daemon(const struct ctl *ctl, struct key_store *store, struct fail *fail)
{
	auto_(client_freep) struct client *client = NULL;
	struct ctl quick = *ctl;
	int r;

	if (quick.timeout_ms > ASK_TIMEOUT_MS)
		quick.timeout_ms = ASK_TIMEOUT_MS;
	r = client_open(&quick, &client, fail);
	if (r == -ECONNREFUSED) {
		store->path = alloc_str(default_path);
		return 0;
	}
	if (r < 0)
		return fail_prefix(
			fail, "which keys file is in use is not known (--file names it): ");
	if (!client_get_keys(client))
		return fail_set(fail, -ENOENT,
			"the running daemon reads no keys: set auth.keys_file, or name a file with --file");
	store->path = settings_resolve(client_get_keys(client), client_get_daemon(client));
	store->is_of_daemon = true;
	store->daemon_gid = group_of(client_get_uid(client));
	return 0;
}

/* A link is no place for a rename. */
static void follow_links(struct key_store *store)
{
	char *real = realpath(store->path, NULL);

	if (!real)
		return;
	free(store->path);
	store->path = real;
}

/* --- the lock ---------------------------------------------------------------------------------- */

static const char *remedy_for(int r)
{
	switch (r) {
	case -EACCES:
	case -EPERM:
		return ": run this as root, or as the user whose the folder is";
	case -ENOENT:
		return ": make the folder, where the daemon may read and only its administrator may write";
	case -EROFS:
		return ": keep the keys elsewhere, and name the file in auth.keys_file";
	default:
		return "";
	}
}

static int fail_to_write(const struct key_store *store, int r, struct fail *fail)
{
	return fail_set(
		fail, r, "%s: cannot be changed: %s%s", store->path, strerror(-r), remedy_for(r));
}

/* A new lock belongs to whoever the folder belongs to, so that one made by root keeps nobody out. One that is there
 * is taken as it is: it could be another's file under this name. */
static int open_lock(const char *path)
{
	auto_free char *dir = put_dir_of(path);
	auto_close int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 && errno == EEXIST)
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	else if (fd >= 0 && geteuid() == 0 &&
		 (stat(dir, &st) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0))
		return -errno;
	return fd < 0 ? -errno : TAKE_FD(fd);
}

static int take_lock(const struct ctl *ctl, struct key_store *store, struct fail *fail)
{
	auto_free char *path = alloc_printf("%s.lock", store->path);
	const struct timespec step = { .tv_nsec = LOCK_STEP_MS * 1000000L };
	int64_t until_ms = clock_now_ms() + ctl->timeout_ms;

	store->lock = open_lock(path);
	if (store->lock < 0)
		return fail_to_write(store, store->lock, fail);
	while (flock(store->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail_to_write(store, -errno, fail);
		if (clock_now_ms() >= until_ms)
			return fail_set(fail, -EBUSY,
				"%s: another process is changing it and does not end: it holds %s",
				store->path, path);
		(void)nanosleep(&step, NULL);
	}
	return 0;
}

/* --- public ------------------------------------------------------------------------------------ */

static int load(struct key_store *store, struct fail *fail)
{
	int r = keys_file_load(store->path, &store->file, fail);

	if (r == -ENOENT) {
		store->file = keys_file_new();
		store->is_new = true;
		return 0;
	}
	return r;
}

int key_store_open(const struct ctl *ctl, const char *path, bool for_change, struct key_store *ret,
	struct fail *fail)
{
	int r = 0;

	*ret = (struct key_store){ .lock = -1, .daemon_gid = (gid_t)-1 };
	if (path)
		ret->path = alloc_str(path);
	else
		r = ask_daemon(ctl, ret, fail);
	if (r == 0)
		follow_links(ret);
	if (r == 0 && for_change)
		r = take_lock(ctl, ret, fail);
	return r == 0 ? load(ret, fail) : r;
}

/* 0640, or less where it is less: who may read it learns which keys there are, and no key. */
static struct put_owner owner_of(const struct key_store *store)
{
	struct put_owner owner = { .mode = 0640, .uid = geteuid(), .gid = getegid() };
	auto_free char *dir = put_dir_of(store->path);
	struct stat st;

	if (stat(store->path, &st) == 0) {
		owner.mode &= st.st_mode;
		owner.uid = st.st_uid;
		owner.gid = st.st_gid;
	} else if (geteuid() == 0 && store->daemon_gid != (gid_t)-1) {
		owner.gid = store->daemon_gid;
	} else if (stat(dir, &st) == 0) {
		owner.gid = st.st_gid;
	}
	return owner;
}

int key_store_save(const struct key_store *store, struct fail *fail)
{
	struct put_owner owner = owner_of(store);
	auto_(keys_file_freep) struct keys_file *again = NULL;
	auto_strbuf text = { 0 };
	int r;

	keys_file_print(store->file, &text);
	r = keys_file_parse(strbuf_get(&text), text.len, &again, fail);
	if (r < 0)
		return fail_prefix(fail, "this the daemon would not take: ");
	r = put_file(store->path, strbuf_get(&text), text.len, &owner, fail);
	return r == -EACCES || r == -EPERM || r == -EROFS ? fail_to_write(store, r, fail) : r;
}

void key_store_done(struct key_store *store)
{
	free(store->path);
	keys_file_free(store->file);
	store->lock = fd_close(store->lock);
}
