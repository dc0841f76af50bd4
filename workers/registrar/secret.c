/* See secret.h. */
#include "workers/registrar/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/utf8.h"
#include "workers/common/digest.h"

enum { MIN_SECRET = 4 }; /* a shorter one would blot out innocent text */

void secret_free(char *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret, strlen(secret));
	free(secret);
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int take_text(struct strbuf *text, bool one_line, char **ret, struct fail *fail)
{
	const char *at = strbuf_get(text);
	size_t len = strlen(at);
	auto_(secret_freep) char *copy = NULL;

	if (len != text->len)
		return fail_set(fail, -EINVAL, "it holds a zero byte");
	while (len > 0 && is_blank(at[len - 1]))
		len--;
	while (len > 0 && is_blank(*at)) {
		at++;
		len--;
	}
	if (len == 0)
		return fail_set(fail, -EINVAL, "it is empty");
	copy = alloc_mem(at, len);
	if (one_line && has_control(copy))
		return fail_set(fail, -EINVAL, "it holds more than one line");
	*ret = TAKE(copy);
	return 0;
}

int secret_read(const char *path, bool one_line, char **ret, bool *ret_is_open, struct fail *fail)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	auto_strbuf text = { 0 };
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_set(fail, -errno, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail_set(fail, -EINVAL, "it is not a regular file");
	r = fd_read_all(fd, SECRET_MAX_BYTES, &text);
	if (r == 0)
		r = take_text(&text, one_line, ret, fail);
	else
		(void)fail_set(fail, r, "%s", r == -EFBIG ? "it is over 64 KiB" : strerror(-r));
	if (text.data)
		explicit_bzero(text.data, text.size);
	*ret_is_open = (st.st_mode & 027) != 0;
	return r;
}

void secret_mark(const char *salt, const char *text, char ret[SECRET_MARK_SIZE])
{
	auto_(digest_freep) struct digest *digest = digest_new("sha256");
	char hex[DIGEST_HEX_SIZE];

	if (!digest)
		abort(); /* no policy refuses SHA-256 */
	digest_add(digest, salt, strlen(salt) + 1);
	digest_add(digest, text, strlen(text));
	digest_finish_hex(digest, hex);
	memcpy(ret, hex, SECRET_MARK_SIZE - 1);
	ret[SECRET_MARK_SIZE - 1] = '\0';
}

static const char *find_secret(
	const char *text, const char *const *secrets, size_t n, size_t *ret_len)
{
	const char *first = NULL;

	for (size_t i = 0; i < n; i++) {
		const char *at = NULL;

		if (secrets[i] && strlen(secrets[i]) >= MIN_SECRET)
			at = strstr(text, secrets[i]);
		if (at && (!first || at < first)) {
			first = at;
			*ret_len = strlen(secrets[i]);
		}
	}
	return first;
}

static void flatten(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
}

char *secret_clean(const char *text, size_t max_chars, const char *const *secrets, size_t n)
{
	auto_strbuf kept = { 0 };
	auto_strbuf clean = { 0 };
	size_t len = 0;
	const char *at;

	while ((at = find_secret(text, secrets, n, &len))) {
		strbuf_add(&kept, text, (size_t)(at - text));
		strbuf_adds(&kept, "[hidden]");
		text = at + len;
	}
	strbuf_adds(&kept, text);
	utf8_repair(&clean, strbuf_get(&kept), kept.len);
	len = utf8_cut(strbuf_get(&clean), clean.len, max_chars);
	if (len < clean.len) {
		strbuf_cut(&clean, len);
		strbuf_adds(&clean, "…");
	}
	if (clean.data)
		flatten(clean.data);
	return strbuf_take(&clean);
}
