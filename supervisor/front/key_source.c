/* See key_source.h. One timer: for a file it is when to look whether it has changed, for a URL when to fetch again, or
 * to give up the fetch that is under way. */
#include "supervisor/front/key_source.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/log.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)

static const int64_t min_age_ms = 5 * MINUTE;
static const int64_t max_age_ms = INT64_C(24) * 60 * MINUTE;
static const int64_t default_age_ms = 60 * MINUTE;
static const int64_t file_look_ms = MINUTE;
static const int64_t file_seek_ms = SECOND;     /* between two looks for the sake of tokens */
static const int64_t url_seek_ms = 30 * SECOND; /* between two fetches for the sake of tokens */
static const int64_t fetch_ms = 60 * SECOND;    /* that long a fetch may take */
static const int64_t first_retry_ms = 2 * SECOND;
static const int64_t max_retry_ms = 5 * MINUTE;
static const int64_t urgent_retry_ms = 30 * SECOND; /* the same while there are no keys at all */

/* By which a file's content is told from an older one. */
struct file_mark {
	struct timespec changed;
	off_t size;
	ino_t inode;
};

struct key_source {
	struct loop *loop;
	const struct key_source_hooks *hooks;
	void *arg;
	struct jwks *keys; /* NULL: there are none yet */
	uint64_t n_sets;   /* how often there were others */
	char *file;        /* of a key set; NULL: none */
	struct file_mark mark;
	char *url; /* NULL: none */
	char *ca_file;
	unsigned char digest[SHA256_DIGEST_LENGTH]; /* of the text that was fetched */
	char *shown; /* the file, or the URL without its query, which may be secret */
	struct timer *timer;
	uint64_t number;     /* of the fetch that is under way; 0: none */
	int64_t last_ask_ms; /* when a file was looked at, or a fetch began */
	int64_t retry_ms;    /* after the next failure */
	struct log_limit log;
};

/* Never the same for two sources: an answer for one that is gone must not be taken for another's. */
static uint64_t last_number;

/* --- files --------------------------------------------------------------------------------------- */

/* Blanks and line ends behind a secret are an editor's, not its own. */
static size_t trim(const struct strbuf *text)
{
	size_t len = text->len;

	while (len > 0 && strchr(" \t\r\n", text->data[len - 1]))
		len--;
	return len;
}

static int check_private(int fd, const char *path, struct fail *fail)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail_set(fail, -errno, "cannot look at '%s': %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail_set(fail, -EINVAL, "'%s' is no file", path);
	if (!fd_is_private(&st))
		return fail_set(fail, -EACCES,
			"'%s' is not closed to others: make it ours or root's, and `chmod 600` it (root's may "
			"be 640, with our group)",
			path);
	return 0;
}

static int read_secret(const char *path, struct jwks **ret, struct fail *fail)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	auto_strbuf text = { 0 };
	int r;

	if (fd < 0)
		return fail_set(fail, -errno, "cannot open '%s': %s", path, strerror(errno));
	r = check_private(fd, path, fail);
	if (r < 0)
		return r;
	r = fd_read_all(fd, JWKS_MAX_SECRET, &text);
	if (r < 0)
		(void)fail_set(fail, r, "cannot read '%s': %s", path, strerror(-r));
	else if ((r = jwks_from_secret(strbuf_get(&text), trim(&text), ret, fail)) < 0)
		(void)fail_prefix(fail, "'%s': ", path);
	if (text.data)
		OPENSSL_cleanse(text.data, text.size);
	return r;
}

static struct file_mark mark_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct file_mark){ 0 };
	return (struct file_mark){ .changed = st.st_mtim, .size = st.st_size, .inode = st.st_ino };
}

static bool same_mark(const struct file_mark *a, const struct file_mark *b)
{
	return a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec &&
	       a->size == b->size && a->inode == b->inode;
}

static int read_set(const char *path, struct jwks **ret, struct fail *fail)
{
	auto_strbuf text = { 0 };
	int r = fd_read_file(path, JWKS_MAX_BYTES, &text);

	if (r < 0)
		return fail_set(fail, r, "cannot read '%s': %s", path, strerror(-r));
	r = jwks_parse(strbuf_get(&text), text.len, ret, fail);
	if (r < 0)
		(void)fail_prefix(fail, "'%s': ", path);
	return r;
}

/* --- keys ---------------------------------------------------------------------------------------- */

static void tell_keys(const struct key_source *source)
{
	const char *why;
	size_t n_ignored = jwks_get_ignored(source->keys, &why);

	if (n_ignored > 0)
		log_notice(
			"keys of tokens from %s: %zu of use, %zu not used, the first of them because: %s",
			source->shown, jwks_count(source->keys), n_ignored, why);
	else
		log_info("keys of tokens from %s: %zu", source->shown, jwks_count(source->keys));
	if (jwks_count(source->keys) == 0)
		log_warn("there is no key of use at %s: every token is refused", source->shown);
}

static void set_keys(struct key_source *source, struct jwks *keys)
{
	struct jwks *old = source->keys;

	source->keys = keys;
	source->n_sets++;
	tell_keys(source);
	source->hooks->changed(source->arg);
	jwks_free(old);
}

static void tell_failure(struct key_source *source, const char *why)
{
	if (log_limit_ok(&source->log, 3, "fetching keys of tokens"))
		log_warn("cannot get the keys of tokens: %s; %s", why,
			source->keys ? "the old ones stay" : "until then every token is refused");
}

static void look_at_file(struct key_source *source)
{
	struct file_mark mark = mark_of(source->file);
	struct jwks *keys = NULL;
	struct fail fail = { 0 };

	source->last_ask_ms = loop_now_ms(source->loop);
	timer_start(source->timer, file_look_ms);
	if (same_mark(&mark, &source->mark))
		return;
	source->mark = mark;
	if (read_set(source->file, &keys, &fail) < 0)
		tell_failure(source, fail.text);
	else
		set_keys(source, keys);
}

/* --- the network --------------------------------------------------------------------------------- */

static void fetch(struct key_source *source)
{
	source->number = ++last_number;
	source->last_ask_ms = loop_now_ms(source->loop);
	timer_start(source->timer, fetch_ms);
	source->hooks->fetch(source->arg, source->number, source->url, source->ca_file);
}

static int64_t clamp(int64_t value, int64_t lowest, int64_t highest)
{
	return value < lowest ? lowest : value > highest ? highest : value;
}

static void try_later(struct key_source *source, const char *why)
{
	source->number = 0;
	tell_failure(source, why);
	timer_start(source->timer, source->retry_ms);
	source->retry_ms = clamp(2 * source->retry_ms, first_retry_ms,
		source->keys ? max_retry_ms : urgent_retry_ms);
}

void key_source_take(
	struct key_source *source, uint64_t number, const char *body, size_t len, int64_t max_age_s)
{
	struct jwks *keys = NULL;
	struct fail fail = { 0 };
	int64_t age_ms = default_age_ms;
	unsigned char digest[SHA256_DIGEST_LENGTH];

	if (number == 0 || number != source->number)
		return;
	if (jwks_parse(body, len, &keys, &fail) < 0) {
		(void)fail_prefix(&fail, "what is at %s is no key set: ", source->shown);
		try_later(source, fail.text);
		return;
	}
	if (max_age_s >= 0)
		age_ms = clamp(max_age_s, 0, max_age_ms / SECOND) * SECOND;
	source->number = 0;
	source->retry_ms = first_retry_ms;
	timer_start(source->timer, clamp(age_ms, min_age_ms, max_age_ms));
	(void)SHA256((const unsigned char *)body, len, digest);
	if (source->keys && memcmp(digest, source->digest, sizeof(digest)) == 0) {
		jwks_free(keys);
		return;
	}
	memcpy(source->digest, digest, sizeof(digest));
	set_keys(source, keys);
}

void key_source_miss(struct key_source *source, uint64_t number, const char *why)
{
	if (number != 0 && number == source->number)
		try_later(source, why);
}

static void on_timer(void *arg)
{
	struct key_source *source = arg;

	if (source->file)
		look_at_file(source);
	else if (source->number)
		try_later(source, "there was no answer within a minute");
	else
		fetch(source);
}

/* --- public -------------------------------------------------------------------------------------- */

enum key_source_hope key_source_seek(struct key_source *source)
{
	uint64_t before = source->n_sets;
	int64_t since_ms = loop_now_ms(source->loop) - source->last_ask_ms;

	if (source->file && since_ms >= file_seek_ms)
		look_at_file(source);
	if (source->url && !source->number && since_ms >= url_seek_ms)
		fetch(source);
	if (source->n_sets != before)
		return KEY_SOURCE_NEW;
	return source->number ? KEY_SOURCE_COMING : KEY_SOURCE_NONE;
}

const struct jwks *key_source_get(const struct key_source *source)
{
	return source->keys;
}

static int read_files(struct key_source *source, const struct conf_auth *auth, struct fail *fail)
{
	if (*auth->secret_file)
		return read_secret(auth->secret_file, &source->keys, fail);
	if (!*auth->jwks_file)
		return 0;
	source->mark = mark_of(auth->jwks_file);
	return read_set(auth->jwks_file, &source->keys, fail);
}

struct key_source *key_source_new(struct loop *loop, const struct conf_auth *auth,
	const struct key_source_hooks *hooks, void *arg, struct fail *fail)
{
	auto_(key_source_freep) struct key_source *source = alloc_zero(sizeof(*source));

	source->loop = loop;
	source->hooks = hooks;
	source->arg = arg;
	source->retry_ms = first_retry_ms;
	source->timer = timer_new(loop, on_timer, source);
	if (read_files(source, auth, fail) < 0)
		return NULL;
	if (*auth->jwks_file)
		source->file = alloc_str(auth->jwks_file);
	if (*auth->jwks_url)
		source->url = alloc_str(auth->jwks_url);
	source->ca_file = alloc_str(auth->jwks_ca_file);
	source->shown = source->file ? alloc_str(source->file)
				     : alloc_mem(auth->jwks_url, strcspn(auth->jwks_url, "?"));
	return TAKE(source);
}

void key_source_free(struct key_source *source)
{
	if (!source)
		return;
	timer_free(source->timer);
	jwks_free(source->keys);
	free(source->file);
	free(source->url);
	free(source->ca_file);
	free(source->shown);
	free(source);
}

void key_source_start(struct key_source *source, struct key_source *before)
{
	if (source->file) {
		tell_keys(source);
		timer_start(source->timer, file_look_ms);
	}
	if (!source->url)
		return;
	if (before && before->url && streq(before->url, source->url) &&
		streq(before->ca_file, source->ca_file)) {
		source->keys = TAKE(before->keys);
		memcpy(source->digest, before->digest, sizeof(source->digest));
	}
	fetch(source);
}
