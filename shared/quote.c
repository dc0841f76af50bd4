/* See quote.h. */
#include "shared/quote.h"

#include <stdio.h>

#include "shared/limits.h"
#include "shared/utf8.h"

/* An escaped character takes 6 bytes, and a message has to hold more than the quotation. */
enum { QUOTE_MAX_BYTES = 600 };

void quote_add(struct strbuf *out, const char *text, size_t len)
{
	auto_strbuf fixed = { 0 };
	auto_strbuf escaped = { 0 };
	auto_strbuf one = { 0 };
	size_t used = 0;

	/* Four bytes are the longest character: what lies behind cannot be shown anyway. */
	utf8_repair(
		&fixed, text, len < 4 * LIMIT_QUOTED_CHARS + 4 ? len : 4 * LIMIT_QUOTED_CHARS + 4);
	strbuf_addc(&escaped, '"');
	for (size_t n = 0; n < LIMIT_QUOTED_CHARS && used < fixed.len; n++) {
		size_t bytes = utf8_next(fixed.data + used, fixed.len - used);

		strbuf_cut(&one, 0);
		strbuf_add_json(&one, fixed.data + used, bytes);
		if (escaped.len + one.len > QUOTE_MAX_BYTES)
			break;
		strbuf_add(&escaped, one.data + 1, one.len - 2);
		used += bytes;
	}
	strbuf_adds(&escaped, used < fixed.len ? "\"…" : "\"");
	strbuf_add(out, escaped.data, escaped.len);
}

const char *quote(char ret[QUOTE_SIZE], const char *text)
{
	auto_strbuf out = { 0 };

	quote_add(&out, text, strlen(text));
	(void)snprintf(ret, QUOTE_SIZE, "%s", strbuf_get(&out));
	return ret;
}
