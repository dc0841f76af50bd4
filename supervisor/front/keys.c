/* See keys.h. */
#include "supervisor/front/keys.h"

#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/fd.h"
#include "shared/keys_file.h"
#include "shared/log.h"

enum {
	POLL_MS = 2000, /* while the folder cannot be watched */
	EVENTS_BYTES = 4096,
	CREDENTIAL_BYTES = 8, /* of a hash, to tell the texts of one key apart */
	N_BUCKETS = 4096,     /* a power of two */
	OPEN_MODE = S_IWGRP | S_IRWXO,
};

#define WATCHED                                                                                    \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB |        \
		IN_DELETE_SELF | IN_MOVE_SELF)

/* One text that is taken; a key whose text was changed has two for a while. */
struct entry {
	struct entry *next; /* in its bucket */
	uint8_t hash[KEY_TEXT_HASH_BYTES];
	size_t key; /* its place in the file */
	struct principal *principal;
	int64_t until_s; /* 0: as long as the key */
};

/* One name of a certificate that is taken. */
struct certificate {
	const char *name;
	size_t key;
	struct principal *principal;
};

/* What a file says; replaced whole. */
struct key_set {
	struct keys_file *file;
	struct entry *entries;
	size_t n_entries;
	struct certificate *certificates;
	size_t n_certificates;
	struct entry *buckets[N_BUCKETS];
};

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

/* --- a set --------------------------------------------------------------------------------------- */

static void free_set(struct key_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n_entries; i++)
		principal_unref(set->entries[i].principal);
	for (size_t i = 0; i < set->n_certificates; i++)
		principal_unref(set->certificates[i].principal);
	free(set->certificates);
	free(set->entries);
	keys_file_free(set->file);
	free(set);
}

static void copy_list(struct conf_strs *to, const struct keys_file_list *from)
{
	if (from->n)
		to->items = alloc_zero(from->n * sizeof(char *));
	for (size_t i = 0; i < from->n; i++)
		to->items[to->n++] = alloc_str(from->items[i]);
}

/* By its id, which a rotation keeps: a new key of an old name is somebody else. */
static struct principal *make_principal(
	const struct keys_file_key *key, enum principal_kind kind, const char *credential)
{
	auto_free char *identity = alloc_printf("key:%s", key->id);
	struct principal *principal = principal_new(kind, key->name, identity);

	principal->credential = alloc_str(credential);
	copy_list(&principal->domains, &key->domains);
	copy_list(&principal->tools, &key->tools);
	principal->is_admin = key->is_admin;
	principal->expires_s = key->expires_s;
	principal->quota = (struct conf_quota){
		.rate = key->rate,
		.burst = key->burst,
		.sessions = key->sessions,
		.streams = key->streams,
		.calls = key->calls,
		.bytes_rate = (size_t)key->bytes_rate,
	};
	return principal;
}

/* Of the first bytes of a hash. */
static size_t bucket_of(const uint8_t *hash)
{
	uint32_t first;

	memcpy(&first, hash, sizeof(first));
	return first & (N_BUCKETS - 1);
}

static void add_entry(
	struct key_set *set, size_t key, const uint8_t hash[KEY_TEXT_HASH_BYTES], int64_t until_s)
{
	struct entry **bucket = &set->buckets[bucket_of(hash)];
	struct entry *entry = &set->entries[set->n_entries++];
	char credential[2 * CREDENTIAL_BYTES + 1];

	for (size_t i = 0; i < CREDENTIAL_BYTES; i++)
		(void)snprintf(credential + 2 * i, 3, "%02x", hash[i]);
	*entry = (struct entry){ .next = *bucket,
		.key = key,
		.principal = make_principal(&set->file->keys[key], PRINCIPAL_KEY, credential),
		.until_s = until_s };
	memcpy(entry->hash, hash, sizeof(entry->hash));
	*bucket = entry;
}

static int compare_certificates(const void *a, const void *b)
{
	const struct certificate *left = a;
	const struct certificate *right = b;

	return strcmp(left->name, right->name);
}

static void add_certificate(struct key_set *set, size_t key, const char *name)
{
	set->certificates[set->n_certificates++] = (struct certificate){ .name = name,
		.key = key,
		.principal = make_principal(&set->file->keys[key], PRINCIPAL_CERTIFICATE, name) };
}

static struct key_set *make_set(struct keys_file *file)
{
	struct key_set *set = alloc_zero(sizeof(*set));
	size_t n_certificates = 0;

	set->file = file;
	for (size_t i = 0; i < file->n; i++)
		n_certificates += file->keys[i].certificates.n;
	set->certificates = alloc_zero((n_certificates + 1) * sizeof(*set->certificates));
	set->entries = alloc_zero((2 * file->n + 1) * sizeof(*set->entries));
	for (size_t i = 0; i < file->n; i++) {
		const struct keys_file_key *key = &file->keys[i];

		if (key->has_hash)
			add_entry(set, i, key->hash, 0);
		if (key->has_rotated)
			add_entry(set, i, key->rotated_hash, key->rotated_until_s);
		for (size_t k = 0; k < key->certificates.n; k++)
			add_certificate(set, i, key->certificates.items[k]);
	}
	qsort(set->certificates, set->n_certificates, sizeof(*set->certificates),
		compare_certificates);
	return set;
}

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
		*ret = make_set(file);
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
		return;
	}
	keys->fault = (struct fail){ 0 };
	if (set)
		log_info("keys: %zu in '%s'", set->file->n, keys->path);
	else if (keys->set)
		log_warn("keys: '%s' is gone, and all keys with it", keys->path);
	free_set(keys->set);
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

static void watch_folder(struct keys *keys)
{
	const char *slash = strrchr(keys->path, '/');
	auto_free char *folder = !slash ? alloc_str(".")
				 : slash == keys->path
					 ? alloc_str("/")
					 : alloc_mem(keys->path, (size_t)(slash - keys->path));

	if (keys->fd >= 0 && keys->watch < 0)
		keys->watch = inotify_add_watch(keys->fd, folder, WATCHED);
	if (keys->watch < 0)
		timer_start(keys->poll, POLL_MS);
}

static void on_poll(void *arg)
{
	struct keys *keys = arg;

	watch_folder(keys);
	read_if_changed(keys);
}

/* What happened to which file is of no interest: a symbolic link may lead elsewhere. */
static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct keys *keys = arg;
	char buf[EVENTS_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (char *at = buf; at < buf + n;) {
			const struct inotify_event *event = (const void *)at;

			if (event->mask & IN_IGNORED)
				keys->watch = -1; /* the folder is gone */
			at += sizeof(*event) + event->len;
		}
	}
	if (!keys->path)
		return;
	if (keys->watch < 0)
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
	free_set(TAKE(keys->set));
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
	return keys->set ? keys->set->file->n : 0;
}

static bool has_expired(const struct keys_file_key *key, int64_t now_s)
{
	return key->expires_s != 0 && now_s >= key->expires_s;
}

static enum keys_verdict judge_key(const struct key_set *set, size_t i, struct principal *principal,
	int64_t now_s, struct principal **ret)
{
	*ret = principal_ref(principal);
	return has_expired(&set->file->keys[i], now_s) ? KEYS_EXPIRED : KEYS_OK;
}

/* As many comparisons as the bucket has entries, each of them whole, and one where it has none. */
static const struct entry *find(
	struct key_set *set, const uint8_t hash[KEY_TEXT_HASH_BYTES], int64_t now_s)
{
	static const struct entry nobody;
	const struct entry *entry = set->buckets[bucket_of(hash)];
	const struct entry *found = NULL;

	if (!entry)
		entry = &nobody;
	for (; entry; entry = entry->next)
		if (key_text_hash_equal(entry->hash, hash) && entry != &nobody &&
			(entry->until_s == 0 || now_s < entry->until_s))
			found = entry;
	return found;
}

enum keys_verdict keys_judge(
	struct keys *keys, struct span text, int64_t now_s, struct principal **ret)
{
	uint8_t hash[KEY_TEXT_HASH_BYTES];
	const struct entry *entry = NULL;

	*ret = NULL;
	if (text.len == KEY_TEXT_CHARS && keys->set && key_text_hash(text.at, text.len, hash) == 0)
		entry = find(keys->set, hash, now_s);
	if (!entry)
		return KEYS_UNKNOWN;
	return judge_key(keys->set, entry->key, entry->principal, now_s, ret);
}

static const struct certificate *find_certificate(const struct key_set *set, const char *name)
{
	const struct certificate wanted = { .name = name };

	return bsearch(&wanted, set->certificates, set->n_certificates, sizeof(*set->certificates),
		compare_certificates);
}

enum keys_verdict keys_judge_certificate(
	struct keys *keys, const char *name, int64_t now_s, struct principal **ret)
{
	const struct certificate *certificate =
		keys->set ? find_certificate(keys->set, name) : NULL;

	*ret = NULL;
	if (!certificate)
		return KEYS_UNKNOWN;
	return judge_key(keys->set, certificate->key, certificate->principal, now_s, ret);
}

/* Of the same key, for the same text: one that was replaced because it leaked must not live on in what was opened
 * with it. */
static bool is_same_credential(const struct principal *a, const struct principal *b)
{
	return principal_same(a, b) && streq(a->credential, b->credential);
}

static struct principal *renew_key(
	const struct key_set *set, const struct principal *principal, int64_t now_s)
{
	uint8_t start[CREDENTIAL_BYTES];

	for (size_t i = 0; i < CREDENTIAL_BYTES; i++)
		start[i] = (uint8_t)(ascii_hex_value(principal->credential[2 * i]) << 4 |
				     ascii_hex_value(principal->credential[2 * i + 1]));
	for (const struct entry *entry = set->buckets[bucket_of(start)]; entry; entry = entry->next)
		if (is_same_credential(entry->principal, principal) &&
			!has_expired(&set->file->keys[entry->key], now_s) &&
			(entry->until_s == 0 || now_s < entry->until_s))
			return entry->principal;
	return NULL;
}

static struct principal *renew_certificate(
	const struct key_set *set, const struct principal *principal, int64_t now_s)
{
	const struct certificate *certificate = find_certificate(set, principal->credential);

	return certificate && principal_same(certificate->principal, principal) &&
			       !has_expired(&set->file->keys[certificate->key], now_s)
		       ? certificate->principal
		       : NULL;
}

struct principal *keys_renew(
	const struct keys *keys, const struct principal *principal, int64_t now_s)
{
	if (!keys->set)
		return NULL;
	return principal->kind == PRINCIPAL_CERTIFICATE
		       ? renew_certificate(keys->set, principal, now_s)
		       : renew_key(keys->set, principal, now_s);
}
