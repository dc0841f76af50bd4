/* Tools encoding_encode and encoding_decode. See encoding.h. */
#include "workers/utils/encoding.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "shared/ascii.h"
#include "shared/base64.h"
#include "shared/limits.h"
#include "shared/utf8.h"
#include "workers/common/call.h"
#include "workers/utils/html.h"
#include "workers/utils/tools.h"

enum {
	TEXT_MAX_CHARS = 1 * MIB,
	RESULT_MAX_BYTES = 4 * MIB,
};

struct encoding {
	const char *name;
	void (*encode)(const void *bytes, size_t len, struct strbuf *buf);
	/* Appends; the offset of what is wrong, -1: nothing. */
	ssize_t (*decode)(const char *text, size_t len, struct strbuf *buf);
};

static void encode_base64(const void *bytes, size_t len, struct strbuf *buf)
{
	base64_encode(BASE64_PLAIN, bytes, len, buf);
}

static void encode_base64url(const void *bytes, size_t len, struct strbuf *buf)
{
	base64_encode(BASE64_URL, bytes, len, buf);
}

static ssize_t decode_base64_kind(
	enum base64_kind kind, const char *text, size_t len, struct strbuf *buf)
{
	size_t wrong = 0;

	return base64_decode(kind, text, len, buf, &wrong) < 0 ? (ssize_t)wrong : -1;
}

static ssize_t decode_base64(const char *text, size_t len, struct strbuf *buf)
{
	return decode_base64_kind(BASE64_PLAIN, text, len, buf);
}

static ssize_t decode_base64url(const char *text, size_t len, struct strbuf *buf)
{
	return decode_base64_kind(BASE64_URL, text, len, buf);
}

static void encode_hex(const void *bytes, size_t len, struct strbuf *buf)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *in = bytes;

	for (size_t i = 0; i < len; i++) {
		strbuf_addc(buf, digits[in[i] >> 4]);
		strbuf_addc(buf, digits[in[i] & 15]);
	}
}

static ssize_t decode_hex(const char *text, size_t len, struct strbuf *buf)
{
	for (size_t i = 0; i < len; i += 2) {
		int high = ascii_hex_value(text[i]);
		int low = i + 1 < len ? ascii_hex_value(text[i + 1]) : -1;

		if (high < 0)
			return (ssize_t)i;
		if (low < 0)
			return (ssize_t)i + 1;
		strbuf_addc(buf, (char)(high << 4 | low));
	}
	return -1;
}

/* RFC 3986, section 2.3. */
static bool is_unreserved(char c)
{
	return ascii_is_letter(c) || ascii_is_digit(c) || (c != '\0' && strchr("-._~", c));
}

static void encode_url(const void *bytes, size_t len, struct strbuf *buf)
{
	static const char digits[] = "0123456789ABCDEF";
	const unsigned char *in = bytes;

	for (size_t i = 0; i < len; i++) {
		if (is_unreserved((char)in[i]))
			strbuf_addc(buf, (char)in[i]);
		else
			strbuf_add(buf, (char[]){ '%', digits[in[i] >> 4], digits[in[i] & 15] }, 3);
	}
}

static ssize_t decode_url(const char *text, size_t len, struct strbuf *buf)
{
	for (size_t i = 0; i < len; i++) {
		int high = i + 1 < len ? ascii_hex_value(text[i + 1]) : -1;
		int low = i + 2 < len ? ascii_hex_value(text[i + 2]) : -1;

		if (text[i] != '%') {
			strbuf_addc(buf, text[i]);
			continue;
		}
		if (high < 0 || low < 0)
			return (ssize_t)i;
		strbuf_addc(buf, (char)(high << 4 | low));
		i += 2;
	}
	return -1;
}

static ssize_t decode_html(const char *text, size_t len, struct strbuf *buf)
{
	html_decode(text, len, buf);
	return -1;
}

static const struct encoding encodings[] = {
	{ "base64", encode_base64, decode_base64 },
	{ "base64url", encode_base64url, decode_base64url },
	{ "hex", encode_hex, decode_hex },
	{ "url", encode_url, decode_url },
	{ "html", html_encode, decode_html },
};

/* Keep in step with the table above. */
const char *const encoding_names[] = { "base64", "base64url", "hex", "url", "html", NULL };

/* The name is one of encoding_names: the caller has checked it. */
static const struct encoding *find_encoding(const char *name)
{
	size_t i = 0;

	while (i < N_ELEMENTS(encodings) && !streq(encodings[i].name, name))
		i++;
	assert(i < N_ELEMENTS(encodings));
	return &encodings[i];
}

void encoding_encode_bytes(const char *encoding, const void *bytes, size_t len, struct strbuf *buf)
{
	find_encoding(encoding)->encode(bytes, len, buf);
}

int encoding_decode_text(const char *encoding, const char *text, size_t len, struct strbuf *buf,
	size_t *ret_error_at)
{
	size_t before = buf->len;
	ssize_t wrong = find_encoding(encoding)->decode(text, len, buf);

	if (wrong < 0)
		return 0;
	strbuf_cut(buf, before);
	*ret_error_at = (size_t)wrong;
	return -EBADMSG;
}

size_t encoding_position(const char *text, size_t at)
{
	return utf8_count(text, at) + 1;
}

struct encoding_encode_args {
	const char *text;
	const char *encoding;
};

static const struct param encoding_encode_params[] = {
	PARAM(encoding_encode_args, text, .required = true, AT_MOST(TEXT_MAX_CHARS),
		.doc = "Text to encode, as UTF-8"),
	PARAM(encoding_encode_args, encoding, .required = true, .choices = encoding_names,
		.doc = "Encoding to write"),
	{ 0 },
};

static int encoding_encode(struct call *call, const void *args)
{
	const struct encoding_encode_args *a = args;
	auto_strbuf result = { 0 };

	encoding_encode_bytes(a->encoding, a->text, strlen(a->text), &result);
	if (result.len > RESULT_MAX_BYTES)
		return call_fail(call, "too_large",
			"the result has %zu bytes; at most %d are given. Encode it in parts.",
			result.len, RESULT_MAX_BYTES);
	return call_json(
		call, json_pack("{s:b, s:s}", "success", 1, "result", strbuf_get(&result)));
}

struct encoding_decode_args {
	const char *text;
	const char *encoding;
};

static const struct param encoding_decode_params[] = {
	PARAM(encoding_decode_args, text, .required = true, AT_MOST(TEXT_MAX_CHARS),
		.doc = "Encoded text"),
	PARAM(encoding_decode_args, encoding, .required = true, .choices = encoding_names,
		.doc = "Encoding of the text"),
	{ 0 },
};

/* The bytes as text when they are UTF-8, else as base64. */
static json_t *decoded_result(const struct strbuf *bytes)
{
	json_t *text = json_stringn(strbuf_get(bytes), bytes->len);
	auto_strbuf base64 = { 0 };

	if (text)
		return json_pack("{s:b, s:o, s:I}", "success", 1, "result", text, "bytes",
			(json_int_t)bytes->len);
	base64_encode(BASE64_PLAIN, strbuf_get(bytes), bytes->len, &base64);
	return json_pack("{s:b, s:s, s:I}", "success", 1, "result_base64", strbuf_get(&base64),
		"bytes", (json_int_t)bytes->len);
}

static int encoding_decode(struct call *call, const void *args)
{
	const struct encoding_decode_args *a = args;
	size_t len = strlen(a->text);
	auto_strbuf bytes = { 0 };
	size_t wrong = 0;

	if (encoding_decode_text(a->encoding, a->text, len, &bytes, &wrong) == 0)
		return call_json(call, decoded_result(&bytes));
	if (wrong >= len)
		return call_fail(call, "invalid_argument",
			"'text' is no %s: it ends too early, behind character %zu. Give all of it.",
			a->encoding, encoding_position(a->text, wrong) - 1);
	return call_fail(call, "invalid_argument",
		"'text' is no %s: character %zu is wrong. Correct it, or name another encoding.",
		a->encoding, encoding_position(a->text, wrong));
}

const struct tool encoding_tools[] = {
	TOOL(encoding_encode, "Encode text", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Encode text as base64, base64url (no padding), hex, url (percent signs, also "
		       "for blanks and slashes) or html.",
		.out = "success boolean, result string"),
	TOOL(encoding_decode, "Decode text", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Decode base64, base64url, hex, url (percent signs; a plus stays a plus) or html. "
		       "Strict. Bytes that are not UTF-8 come back as result_base64.",
		.out = "success boolean, result? string, result_base64? string, bytes integer"),
	{ 0 },
};
