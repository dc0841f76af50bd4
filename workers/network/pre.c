/* See pre.h. Source: CommonMark 0.31, section 4.5; HTML Living Standard 4.5.15 (the classes). */
#include "workers/network/pre.h"

#include <strings.h>

#define BLANKS " \t\r\n\f"

void pre_done(struct pre *pre)
{
	strbuf_done(&pre->text);
}

void pre_open(struct pre *pre)
{
	if (pre->depth++ == 0)
		*pre->language = '\0';
}

/* Sets the language from one class. */
static bool read_class(struct pre *pre, const char *class, size_t len)
{
	static const char *const prefixes[] = { "language-", "lang-" };
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789+#._-";

	for (size_t i = 0; i < N_ELEMENTS(prefixes); i++) {
		size_t skip = strlen(prefixes[i]);

		if (len <= skip || len - skip > PRE_MAX_LANGUAGE_BYTES ||
			strncasecmp(class, prefixes[i], skip) != 0 ||
			strspn(class + skip, good) < len - skip)
			continue;
		memcpy(pre->language, class + skip, len - skip);
		pre->language[len - skip] = '\0';
		return true;
	}

	return false;
}

void pre_set_class(struct pre *pre, const char *classes)
{
	while (classes && *classes && !*pre->language) {
		size_t len = strcspn(classes, BLANKS);

		if (read_class(pre, classes, len))
			return;
		classes += len;
		classes += strspn(classes, BLANKS);
	}
}

void pre_add(struct pre *pre, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if ((unsigned char)c >= ' ' ? c != 0x7f : c == '\n' || c == '\t')
			strbuf_addc(&pre->text, c);
	}
}

void pre_begin_line(struct pre *pre)
{
	if (pre->text.len > 0 && pre->text.data[pre->text.len - 1] != '\n')
		strbuf_addc(&pre->text, '\n');
}

/* Longer than any run of backticks in the text. */
static void add_fence(struct strbuf *out, const char *text)
{
	size_t longest = 2;
	size_t run;

	for (; *text; text += run > 0 ? run : 1) {
		run = strspn(text, "`");
		longest = run > longest ? run : longest;
	}
	for (size_t i = 0; i <= longest; i++)
		strbuf_addc(out, '`');
}

static void write_block(struct pre *pre, bool is_plain, struct strbuf *ret)
{
	const char *text = strbuf_get(&pre->text);

	while (pre->text.len > 0 && strchr(BLANKS, text[pre->text.len - 1]))
		strbuf_cut(&pre->text, pre->text.len - 1);
	text += *text == '\n';
	if (!*text)
		return;
	if (is_plain) {
		strbuf_adds(ret, text);
		return;
	}
	add_fence(ret, text);
	strbuf_addf(ret, "%s\n%s\n", pre->language, text);
	add_fence(ret, text);
}

bool pre_close(struct pre *pre, bool is_plain, struct strbuf *ret)
{
	if (pre->depth == 0 || --pre->depth > 0)
		return false;

	write_block(pre, is_plain, ret);
	strbuf_cut(&pre->text, 0);
	return true;
}
