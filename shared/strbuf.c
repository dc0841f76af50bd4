/* See strbuf.h. Growth doubles, so adding a byte at a time stays linear. */
#include "shared/strbuf.h"

#include <stdint.h>
#include <stdio.h>

#include "shared/alloc.h"

enum { STRBUF_FIRST_SIZE = 128 };

void strbuf_done(struct strbuf *buf)
{
	free(buf->data);
	*buf = (struct strbuf){ 0 };
}

char *strbuf_reserve(struct strbuf *buf, size_t more)
{
	size_t size = buf->size ? buf->size : STRBUF_FIRST_SIZE;

	if (more >= SIZE_MAX / 4 - buf->len)
		abort();
	while (size - buf->len <= more || size <= buf->len)
		size *= 2;
	if (size != buf->size || !buf->data) {
		bool is_first = !buf->data;

		buf->data = alloc_resize(buf->data, size, 1);
		buf->size = size;
		/* Whoever reads into the room and gets nothing still leaves a text. */
		if (is_first)
			buf->data[0] = '\0';
	}
	return buf->data + buf->len;
}

void strbuf_add(struct strbuf *buf, const void *bytes, size_t len)
{
	char *at = strbuf_reserve(buf, len);

	if (len)
		memcpy(at, bytes, len);
	at[len] = '\0';
	buf->len += len;
}

void strbuf_adds(struct strbuf *buf, const char *text)
{
	strbuf_add(buf, text, strlen(text));
}

void strbuf_addc(struct strbuf *buf, char c)
{
	strbuf_add(buf, &c, 1);
}

void strbuf_addv(struct strbuf *buf, const char *fmt, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, args);
	if (n < 0)
		abort();
	(void)vsnprintf(strbuf_reserve(buf, (size_t)n), (size_t)n + 1, fmt, again);
	va_end(again);
	buf->len += (size_t)n;
}

void strbuf_addf(struct strbuf *buf, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	strbuf_addv(buf, fmt, args);
	va_end(args);
}

static void add_escaped(struct strbuf *buf, unsigned char c)
{
	static const char letters[] = { ['\b'] = 'b',
		['\t'] = 't',
		['\n'] = 'n',
		['\f'] = 'f',
		['\r'] = 'r',
		['"'] = '"',
		['\\'] = '\\' };

	if (c < sizeof(letters) && letters[c])
		strbuf_addf(buf, "\\%c", letters[c]);
	else
		strbuf_addf(buf, "\\u%04x", c);
}

void strbuf_add_json(struct strbuf *buf, const char *text, size_t len)
{
	size_t from = 0;

	strbuf_addc(buf, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		strbuf_add(buf, text + from, i - from);
		add_escaped(buf, c);
		from = i + 1;
	}
	strbuf_add(buf, text + from, len - from);
	strbuf_addc(buf, '"');
}

void strbuf_cut(struct strbuf *buf, size_t len)
{
	if (len >= buf->len)
		return;
	buf->len = len;
	buf->data[len] = '\0';
}

const char *strbuf_get(const struct strbuf *buf)
{
	return buf->data ? buf->data : "";
}

char *strbuf_take(struct strbuf *buf)
{
	char *text = buf->data ? buf->data : alloc_str("");

	*buf = (struct strbuf){ 0 };
	return text;
}
