/* See headers.h. */
#include "workers/common/headers.h"

#include <errno.h>
#include <fcntl.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/header_name.h"
#include "shared/span.h"

static bool is_value(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (((unsigned char)value.at[i] < 0x20 && value.at[i] != '\t') ||
			value.at[i] == 0x7f)
			return false;
	return value.len > 0;
}

static struct span trim(struct span text)
{
	while (text.len > 0 && (*text.at == ' ' || *text.at == '\t'))
		text = (struct span){ text.at + 1, text.len - 1 };
	while (text.len > 0 && strchr(" \t\r", text.at[text.len - 1]) && text.at[text.len - 1])
		text.len--;
	return text;
}

static int refuse(struct fail *fail, int line, const char *why)
{
	int r = fail_set(fail, -EINVAL, "line %d %s", line, why);

	if (fail)
		fail->line = line;
	return r;
}

static int take_line(struct span text, int line, struct headers *ret, struct fail *fail)
{
	const char *colon = memchr(text.at, ':', text.len);
	struct span name = { text.at, colon ? (size_t)(colon - text.at) : text.len };
	struct span value;

	if (!colon)
		return refuse(fail, line, "is not of the form 'Name: value'");
	if (!header_name_is_token(name.at, name.len))
		return refuse(fail, line, "does not begin with the name of a header");
	if (header_name_is_reserved(name))
		return refuse(
			fail, line, "sets a header that belongs to the protocol: leave it out");
	value = trim((struct span){ colon + 1, text.len - name.len - 1 });
	if (!is_value(value))
		return refuse(fail, line, "has no value, or a control character in it");
	if (ret->n == HEADERS_MAX)
		return refuse(fail, line, "is one header too many (at most 64)");
	ret->items = alloc_resize(ret->items, ret->n + 1, sizeof(*ret->items));
	ret->items[ret->n++] =
		alloc_printf("%.*s: %.*s", (int)name.len, name.at, (int)value.len, value.at);
	return 0;
}

static void move(struct headers *to, struct headers *from)
{
	headers_done(to);
	*to = *from;
	*from = (struct headers){ 0 };
}

int headers_parse(const char *text, size_t len, struct headers *ret, struct fail *fail)
{
	struct headers found = { 0 };
	struct span rest = { text, len };
	int r = 0;

	for (int line = 1; rest.len > 0 && r == 0; line++) {
		const char *end = memchr(rest.at, '\n', rest.len);
		size_t n = end ? (size_t)(end - rest.at) : rest.len;
		struct span words = trim((struct span){ rest.at, n });

		if (words.len > 0 && *words.at != '#')
			r = take_line(words, line, &found, fail);
		n += end ? 1 : 0;
		rest = (struct span){ rest.at + n, rest.len - n };
	}
	if (r == 0)
		move(ret, &found);
	headers_done(&found);
	return r;
}

int headers_parse_key(const char *text, size_t len, struct headers *ret, struct fail *fail)
{
	struct span key = { text, len };
	struct headers found = { 0 };
	auto_strbuf line = { 0 };

	while (key.len > 0 && (key.at[key.len - 1] == '\n' || key.at[key.len - 1] == '\r'))
		key.len--;
	key = trim(key);
	if (key.len == 0)
		return fail_set(fail, -EINVAL, "there is no key in it");
	for (size_t i = 0; i < key.len; i++)
		if (key.at[i] <= ' ' || key.at[i] > '~')
			return fail_set(fail, -EINVAL,
				"it must hold the key and nothing else: visible ASCII in one line");
	strbuf_adds(&line, "Authorization: Bearer ");
	strbuf_add(&line, key.at, key.len);
	found.items = alloc_zero(sizeof(*found.items));
	found.items[found.n++] = strbuf_take(&line);
	move(ret, &found);
	return 0;
}

void headers_done(struct headers *headers)
{
	for (size_t i = 0; i < headers->n; i++) {
		explicit_bzero(headers->items[i], strlen(headers->items[i]));
		free(headers->items[i]);
	}
	free(headers->items);
	*headers = (struct headers){ 0 };
}

static int read_file(
	const struct headers_file *file, struct stat *ret, struct strbuf *text, struct fail *fail)
{
	auto_close int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r;

	if (fd < 0 || fstat(fd, ret) < 0)
		return fail_set(fail, -errno, "%s cannot be read: %s", file->name, strerror(errno));
	if (!S_ISREG(ret->st_mode))
		return fail_set(fail, -EINVAL, "%s is not a regular file", file->name);
	if (!fd_is_private(ret))
		return fail_set(fail, -EPERM,
			"%s is open to others: give it mode 0600, or 0640 and root as its owner",
			file->name);
	r = fd_read_all(fd, HEADERS_MAX_BYTES, text);
	if (r < 0)
		return fail_set(fail, r, "%s cannot be read: %s", file->name,
			r == -EFBIG ? "it is over 64 KiB" : strerror(-r));
	return 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mode == b->st_mode && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int headers_file_refresh(struct headers_file *file, struct fail *fail)
{
	auto_strbuf text = { 0 };
	struct stat now;
	int r;

	if (!file->path || !*file->path)
		return 0;
	if (file->is_read && stat(file->path, &now) == 0 && is_same(&now, &file->was))
		return 0;
	r = read_file(file, &now, &text, fail);
	if (r == 0) {
		r = (file->is_key ? headers_parse_key : headers_parse)(
			strbuf_get(&text), text.len, &file->headers, fail);
		if (r < 0)
			(void)fail_prefix(fail, "%s: ", file->name);
	}
	if (text.data)
		explicit_bzero(text.data, text.size);
	if (r < 0)
		return r;
	file->was = now;
	file->is_read = true;
	return 0;
}

void headers_file_done(struct headers_file *file)
{
	headers_done(&file->headers);
	file->is_read = false;
}
