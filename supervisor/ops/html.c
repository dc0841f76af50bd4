/* See html.h. */
#include "supervisor/ops/html.h"

#include <assert.h>

#include "shared/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* NULL: the byte stands for itself. */
static const char *entity_of(unsigned char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	case '\n':
	case '\t':
		return NULL;
	default:
		return c < 0x20 || c == 0x7f ? REPLACEMENT : NULL;
	}
}

void html_add(struct strbuf *out, const char *text)
{
	auto_strbuf whole = { 0 };
	const char *from;
	const char *at;

	if (!text)
		return;
	utf8_repair(&whole, text, strlen(text));
	from = strbuf_get(&whole);
	for (at = from; *at; at++) {
		const char *entity = entity_of((unsigned char)*at);

		if (!entity)
			continue;
		strbuf_add(out, from, (size_t)(at - from));
		strbuf_adds(out, entity);
		from = at + 1;
	}
	strbuf_add(out, from, (size_t)(at - from));
}

/* One conversion; returns what follows it. */
static const char *add_conversion(struct strbuf *out, const char *fmt, va_list *args)
{
	if (strncmp(fmt, "lld", 3) == 0) {
		strbuf_addf(out, "%lld", va_arg(*args, long long));
		return fmt + 3;
	}
	switch (*fmt) {
	case 's':
		html_add(out, va_arg(*args, const char *));
		break;
	case 'd':
		strbuf_addf(out, "%d", va_arg(*args, int));
		break;
	case 'c':
		strbuf_addc(out, (char)va_arg(*args, int));
		break;
	default:
		assert(*fmt == '%');
		strbuf_addc(out, '%');
	}
	return fmt + 1;
}

void html_addf(struct strbuf *out, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	while (*fmt) {
		size_t len = strcspn(fmt, "%");

		strbuf_add(out, fmt, len);
		fmt += len;
		if (*fmt == '%')
			fmt = add_conversion(out, fmt + 1, &args);
	}
	va_end(args);
}
