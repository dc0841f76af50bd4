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

/* One file's way to the disk; at most one for a domain at a time. */
struct writing {
	TAILQ_ENTRY(writing) next;
	struct store *store;
	char *domain;
	char *folder; /* absolute, because the child has no descriptor of it */
	char *from;   /* in it */
	char *to;
	char *head;
	char *text;
	struct writing *later; /* what is to be written when this has ended */
};

struct store {
	struct launcher *launcher;
	char *folder; /* …/offerings */
	int fd;       /* of it */
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
	auto_close int outer = -1;
	int r;

	store->fd = -1;
	store->launcher = launcher;
	TAILQ_INIT(&store->writings);
	store->folder = alloc_printf("%s/offerings", folder);
	r = open_folder(folder, &outer, fail);
	if (r == 0)
		r = open_folder(store->folder, &store->fd, fail);
	if (r < 0)
		return r;
	*ret = TAKE(store);
	return 0;
}

/* --- reading ----------------------------------------------------------------------------------- */

static int refuse(const struct store *store, const char *name, int err, const char *why)
{
	log_warn("%s/%s: %s, ignoring it", store->folder, name, why);
	return err;
}

static int check_file(const struct store *store, const char *name, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return refuse(store, name, -errno, "cannot be looked at");
	if (!S_ISREG(st.st_mode))
		return refuse(store, name, -EINVAL, "not a regular file");
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return refuse(store, name, -EPERM, "not ours alone to write");
	if (st.st_size > STORE_MAX_BYTES)
		return refuse(store, name, -EFBIG, "too large");
	return 0;
}

static int read_file(const struct store *store, const char *name, struct strbuf *ret)
{
	auto_close int fd = openat(store->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0)
		return refuse(store, name, -errno,
			errno == ELOOP ? "a symbolic link" : "cannot be opened");
	r = check_file(store, name, fd);
	if (r < 0)
		return r;
	r = fd_read_all(fd, STORE_MAX_BYTES, ret);
	return r < 0 ? refuse(store, name, r, "cannot be read") : 0;
}

char *store_read(struct store *store, const char *domain, const char *fingerprint)
{
	auto_free char *name = alloc_printf("%s.json", domain);
	auto_free char *head = alloc_printf("%s%s\n", MAGIC, fingerprint);
	size_t head_len = strlen(head);
	auto_strbuf bytes = { 0 };
	const char *text;

	if (read_file(store, name, &bytes) < 0)
		return NULL;
	text = strbuf_get(&bytes);
	if (bytes.len < strlen(MAGIC) || memcmp(text, MAGIC, strlen(MAGIC)) != 0 ||
		memchr(text, '\0', bytes.len)) {
		(void)refuse(store, name, -EBADMSG, "damaged");
		return NULL;
	}
	if (bytes.len < head_len || memcmp(text, head, head_len) != 0) {
		log_debug("%s/%s: of other settings", store->folder, name);
		return NULL;
	}
	return alloc_mem(text + head_len, bytes.len - head_len);
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
	free(writing->domain);
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

static struct writing *new_writing(
	struct store *store, const char *domain, const char *fingerprint, const char *text)
{
	struct writing *writing = alloc_zero(sizeof(*writing));

	writing->store = store;
	writing->domain = alloc_str(domain);
	writing->folder = alloc_str(store->folder);
	writing->from = alloc_printf(".%s.new", domain);
	writing->to = alloc_printf("%s.json", domain);
	writing->head = alloc_printf("%s%s\n", MAGIC, fingerprint);
	writing->text = alloc_str(text);
	return writing;
}

void store_write(struct store *store, const char *domain, const char *fingerprint, const char *text)
{
	struct writing *writing;

	if (!store->launcher)
		return;
	if (strlen(text) > STORE_MAX_BYTES - 1024) {
		log_warn("%s/%s.json: would be larger than %d MiB, not kept", store->folder, domain,
			STORE_MAX_BYTES / (1024 * 1024));
		return;
	}
	TAILQ_FOREACH(writing, &store->writings, next)
		if (streq(writing->domain, domain))
			break;
	if (writing) {
		free_writing(writing->later);
		writing->later = new_writing(store, domain, fingerprint, text);
		return;
	}
	begin(new_writing(store, domain, fingerprint, text));
}

void store_free(struct store *store)
{
	struct writing *writing;

	if (!store)
		return;
	while ((writing = TAILQ_FIRST(&store->writings))) {
		TAILQ_REMOVE(&store->writings, writing, next);
		free_writing(writing);
	}
	(void)fd_close(store->fd);
	free(store->folder);
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
