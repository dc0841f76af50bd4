/* See store.h. */
#include "supervisor/fleet/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/log.h"

/* The first line of a file, then the fingerprint and a line break, then the offering. */
static const char MAGIC[] = "mcp-fleet offering 1 ";

/* The first line of a note, without its end. */
static const char NOTE_MAGIC[] = "mcp-fleet note 1";

struct place {
	char *folder;
	int fd; /* of it */
};

/* One file's way to the disk; at most one for a file at a time. */
struct writing {
	TAILQ_ENTRY(writing) next;
	struct store *store;
	char *folder; /* absolute, because the child has no descriptor of it */
	char *from;   /* in it */
	char *to;
	char *head;
	char *text;
	struct writing *later; /* what is to be written when this has ended */
};

struct store {
	struct launcher *launcher;
	struct place top;       /* notes */
	struct place offerings; /* in it */
	TAILQ_HEAD(, writing) writings;
};

/* --- where ------------------------------------------------------------------------------------- */

char *store_find_folder(const char *setting)
{
	static const char fallback[] = LOCALSTATEDIR "/lib/mcp-fleet";
	const char *given = getenv("STATE_DIRECTORY");

	if (setting && *setting)
		return alloc_str(setting);
	if (given && *given == '/')
		return alloc_mem(given, strcspn(given, ":"));
	if (geteuid() == 0 || access(fallback, W_OK) == 0)
		return alloc_str(fallback);
	return NULL;
}

/* Opens a folder, made if it is missing. */
static int open_folder(const char *path, int *ret, struct fail *fail)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail_set(fail, -errno, "cannot make the folder '%s'", path);
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail_set(fail, -errno, "cannot open the folder '%s'", path);
	if (fstat(fd, &st) < 0)
		return fail_set(fail, -errno, "cannot look at the folder '%s'", path);
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return fail_set(fail, -EPERM,
			"the folder '%s' must belong to user %u and be open to writing by nobody else",
			path, (unsigned)geteuid());
	*ret = TAKE_FD(fd);
	return 0;
}

int store_open(const char *folder, struct launcher *launcher, struct store **ret, struct fail *fail)
{
	auto_(store_freep) struct store *store = alloc_zero(sizeof(*store));
	int r;

	store->top.fd = store->offerings.fd = -1;
	store->launcher = launcher;
	TAILQ_INIT(&store->writings);
	store->top.folder = alloc_str(folder);
	store->offerings.folder = alloc_printf("%s/offerings", folder);
	r = open_folder(folder, &store->top.fd, fail);
	if (r == 0)
		r = open_folder(store->offerings.folder, &store->offerings.fd, fail);
	if (r < 0)
		return r;
	*ret = TAKE(store);
	return 0;
}

/* --- reading ----------------------------------------------------------------------------------- */

static int refuse(const struct place *place, const char *name, int err, const char *why)
{
	log_warn("%s/%s: %s, ignoring it", place->folder, name, why);
	return err;
}

static int check_file(const struct place *place, const char *name, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return refuse(place, name, -errno, "cannot be looked at");
	if (!S_ISREG(st.st_mode))
		return refuse(place, name, -EINVAL, "not a regular file");
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return refuse(place, name, -EPERM, "not ours alone to write");
	if (st.st_size > STORE_MAX_BYTES)
		return refuse(place, name, -EFBIG, "too large");
	return 0;
}

static int read_file(const struct place *place, const char *name, struct strbuf *ret)
{
	auto_close int fd = openat(place->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0)
		return refuse(place, name, -errno,
			errno == ELOOP ? "a symbolic link" : "cannot be opened");
	r = check_file(place, name, fd);
	if (r < 0)
		return r;
	r = fd_read_all(fd, STORE_MAX_BYTES, ret);
	return r < 0 ? refuse(place, name, r, "cannot be read") : 0;
}

char *store_read(struct store *store, const char *domain, const char *fingerprint)
{
	const struct place *place = &store->offerings;
	auto_free char *name = alloc_printf("%s.json", domain);
	auto_free char *head = alloc_printf("%s%s\n", MAGIC, fingerprint);
	size_t head_len = strlen(head);
	auto_strbuf bytes = { 0 };
	const char *text;

	if (read_file(place, name, &bytes) < 0)
		return NULL;
	text = strbuf_get(&bytes);
	if (bytes.len < strlen(MAGIC) || memcmp(text, MAGIC, strlen(MAGIC)) != 0 ||
		memchr(text, '\0', bytes.len)) {
		(void)refuse(place, name, -EBADMSG, "damaged");
		return NULL;
	}
	if (bytes.len < head_len || memcmp(text, head, head_len) != 0) {
		log_debug("%s/%s: of other settings", place->folder, name);
		return NULL;
	}
	return alloc_mem(text + head_len, bytes.len - head_len);
}

char *store_read_note(struct store *store, const char *name)
{
	const struct place *place = &store->top;
	auto_strbuf bytes = { 0 };
	const char *text;
	size_t start = strlen(NOTE_MAGIC) + 1;

	if (read_file(place, name, &bytes) < 0)
		return NULL;
	text = strbuf_get(&bytes);
	if (bytes.len < start || memcmp(text, NOTE_MAGIC, start - 1) != 0 ||
		text[start - 1] != '\n' || memchr(text, '\0', bytes.len)) {
		(void)refuse(place, name, -EBADMSG, "damaged");
		return NULL;
	}
	return alloc_mem(text + start, bytes.len - start);
}

/* --- writing ----------------------------------------------------------------------------------- */

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* In a fork of ours: async-signal-safe calls only. The exit status is an errno value. */
static int write_file(const void *data)
{
	const struct writing *writing = data;
	int dir = open(writing->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd;
	int r;

	if (dir < 0)
		return errno;
	(void)unlinkat(dir, writing->from, 0);
	fd = openat(dir, writing->from, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	r = write_all(fd, writing->head, strlen(writing->head));
	if (r == 0)
		r = write_all(fd, writing->text, strlen(writing->text));
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dir, writing->from, dir, writing->to) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, writing->from, 0);
	else
		(void)fsync(dir);
	return -r;
}

static void free_writing(struct writing *writing)
{
	if (!writing)
		return;
	free_writing(writing->later);
	free(writing->folder);
	free(writing->from);
	free(writing->to);
	free(writing->head);
	free(writing->text);
	free(writing);
}

static void begin(struct writing *writing);

static void on_written(void *arg, const struct process_end *end)
{
	struct writing *writing = arg;
	struct writing *later = TAKE(writing->later);
	int status = end->wait_status;

	TAILQ_REMOVE(&writing->store->writings, writing, next);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		(void)log_err(WIFEXITED(status) ? -WEXITSTATUS(status) : 0,
			"%s/%s: cannot be written", writing->folder, writing->to);
	if (later)
		begin(later);
	free_writing(writing);
}

static void begin(struct writing *writing)
{
	int r = process_fork(writing->store->launcher, write_file, writing, on_written, writing);

	if (r < 0) {
		(void)log_err(r, "%s/%s: cannot be written", writing->folder, writing->to);
		free_writing(writing);
		return;
	}
	TAILQ_INSERT_TAIL(&writing->store->writings, writing, next);
}

/* Behind the one that is under way, in the place of what waited there. Takes over `file`, whose name is
 * `name` with an ending or without, and `head`. */
static void write_later(struct store *store, const struct place *place, const char *name,
	char *file, char *head, const char *text)
{
	struct writing *writing = alloc_zero(sizeof(*writing));
	struct writing *first;

	writing->store = store;
	writing->folder = alloc_str(place->folder);
	writing->from = alloc_printf(".%s.new", name);
	writing->to = file;
	writing->head = head;
	writing->text = alloc_str(text);
	TAILQ_FOREACH(first, &store->writings, next)
		if (streq(first->folder, writing->folder) && streq(first->to, writing->to))
			break;
	if (first) {
		free_writing(first->later);
		first->later = writing;
		return;
	}
	begin(writing);
}

void store_write(struct store *store, const char *domain, const char *fingerprint, const char *text)
{
	if (!store->launcher)
		return;
	if (strlen(text) > STORE_MAX_BYTES - 1024) {
		log_warn("%s/%s.json: would be larger than %d MiB, not kept",
			store->offerings.folder, domain, STORE_MAX_BYTES / (1024 * 1024));
		return;
	}
	write_later(store, &store->offerings, domain, alloc_printf("%s.json", domain),
		alloc_printf("%s%s\n", MAGIC, fingerprint), text);
}

void store_write_note(struct store *store, const char *name, const char *text)
{
	if (store->launcher)
		write_later(store, &store->top, name, alloc_str(name),
			alloc_printf("%s\n", NOTE_MAGIC), text);
}

static void close_place(struct place *place)
{
	place->fd = fd_close(place->fd);
	free(place->folder);
}

/* What an operator ordered was said to be kept, so it is, also when its writing was ended with all other
 * processes of ours. What domains offered is learned again. */
static void write_rest(const struct store *store, const struct writing *writing)
{
	const struct writing *last = writing->later ? writing->later : writing;
	int r;

	if (!streq(last->folder, store->top.folder))
		return;
	r = write_file(last);
	if (r > 0)
		(void)log_err(-r, "%s/%s: cannot be written", last->folder, last->to);
}

void store_free(struct store *store)
{
	struct writing *writing;

	if (!store)
		return;
	while ((writing = TAILQ_FIRST(&store->writings))) {
		TAILQ_REMOVE(&store->writings, writing, next);
		write_rest(store, writing);
		free_writing(writing);
	}
	close_place(&store->top);
	close_place(&store->offerings);
	free(store);
}

uint64_t store_fingerprint(uint64_t hash, const char *text)
{
	const uint64_t prime = UINT64_C(0x100000001b3);

	do
		hash = (hash ^ (unsigned char)*text) * prime;
	while (*text++);
	return hash;
}
