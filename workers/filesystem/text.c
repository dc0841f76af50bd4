/* See text.h. UTF-8 is read by our own utf8.h, the rest by iconv(3).
 *
 * A line ends with LF. That its byte never is a part of another character holds for all encodings
 * here whose unit is a byte (the second bytes of Shift_JIS begin at 0x40), so lines can be found
 * without decoding. */
#include "workers/filesystem/text.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>

#include "shared/utf8.h"

enum { CONVERT_BYTES = 16384 };

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static const struct {
	const char *name;
	const char *iconv_name;
	size_t unit;
	bool is_big_endian;
} encodings[] = {
	[TEXT_UTF_8] = { "utf-8", "UTF-8", 1, false },
	[TEXT_UTF_16LE] = { "utf-16le", "UTF-16LE", 2, false },
	[TEXT_UTF_16BE] = { "utf-16be", "UTF-16BE", 2, true },
	[TEXT_LATIN1] = { "latin1", "ISO-8859-1", 1, false },
	[TEXT_WINDOWS_1252] = { "windows-1252", "CP1252", 1, false },
	[TEXT_SHIFT_JIS] = { "shift_jis", "CP932", 1, false },
	[TEXT_UTF_32LE] = { "utf-32le", "UTF-32LE", 4, false },
	[TEXT_UTF_32BE] = { "utf-32be", "UTF-32BE", 4, true },
};

const char *const text_write_encodings[] = { "utf-8", "utf-16le", "utf-16be", "latin1",
	"windows-1252", "shift_jis", NULL };
const char *const text_read_encodings[] = { "auto", "utf-8", "utf-16le", "utf-16be", "latin1",
	"windows-1252", "shift_jis", NULL };

/* UTF-32 before UTF-16, whose mark is the beginning of the other. */
static const struct {
	enum text_encoding encoding;
	size_t len;
	char bytes[4];
} marks[] = {
	{ TEXT_UTF_32LE, 4, { '\xff', '\xfe', '\0', '\0' } },
	{ TEXT_UTF_32BE, 4, { '\0', '\0', '\xfe', '\xff' } },
	{ TEXT_UTF_16LE, 2, { '\xff', '\xfe' } },
	{ TEXT_UTF_16BE, 2, { '\xfe', '\xff' } },
};

const char *text_encoding_name(enum text_encoding encoding)
{
	return encodings[encoding].name;
}

size_t text_unit(enum text_encoding encoding)
{
	return encodings[encoding].unit;
}

static enum text_encoding by_mark(const char *first, size_t len)
{
	for (size_t i = 0; i < N_ELEMENTS(marks); i++)
		if (len >= marks[i].len && memcmp(first, marks[i].bytes, marks[i].len) == 0)
			return marks[i].encoding;
	return TEXT_UTF_8;
}

enum text_encoding text_choose(const char *choice, const char *first, size_t len)
{
	for (size_t i = 0; i < N_ELEMENTS(encodings); i++)
		if (streq(encodings[i].name, choice))
			return (enum text_encoding)i;
	return by_mark(first, len);
}

bool text_is_binary(enum text_encoding encoding, const char *first, size_t len)
{
	if (len > TEXT_LOOK_BYTES)
		len = TEXT_LOOK_BYTES;
	return encodings[encoding].unit == 1 && len > 0 && memchr(first, '\0', len) != NULL;
}

/* Decoding and encoding. */

static void close_converter(iconv_t *converter)
{
	if (*converter != (iconv_t)-1)
		(void)iconv_close(*converter);
}

#define auto_iconv auto_(close_converter) iconv_t

/* One step of iconv(), which moves *at and *left on. 0: all is done; -E2BIG: go on; -EILSEQ: it
 * stands before what is no character, or only the beginning of one. */
static int convert_some(iconv_t converter, const char **at, size_t *left, struct strbuf *out)
{
	char *from = (char *)(uintptr_t)*at; /* never written to */
	char *to = strbuf_reserve(out, CONVERT_BYTES);
	size_t room = CONVERT_BYTES;
	size_t r = iconv(converter, &from, left, &to, &room);
	int err = r == (size_t)-1 ? errno : 0;

	*at = from;
	out->len += CONVERT_BYTES - room;
	out->data[out->len] = '\0';
	return err == EINVAL ? -EILSEQ : -err;
}

static int decode_other(iconv_t converter, size_t unit, const char *bytes, size_t len, size_t max,
	struct strbuf *out)
{
	const size_t before = out->len;
	bool is_lossy = false;

	for (;;) {
		int r = convert_some(converter, &bytes, &len, out);

		if (r == -EILSEQ) {
			size_t skip = len < unit ? len : unit;

			strbuf_adds(out, REPLACEMENT);
			bytes += skip;
			len -= skip;
			is_lossy = true;
		}
		if (out->len - before > max)
			return -EFBIG;
		if (r == 0 || len == 0)
			return is_lossy;
	}
}

static int decode_utf8(const char *bytes, size_t len, size_t max, struct strbuf *out)
{
	const size_t before = out->len;

	if (len > max)
		return -EFBIG;
	if (utf8_valid(bytes, len)) {
		strbuf_add(out, bytes, len);
		return false;
	}
	utf8_repair(out, bytes, len);
	return out->len - before > max ? -EFBIG : true;
}

/* As text_decode(); else 1: lossy, 0: not. */
static int decode(
	enum text_encoding encoding, const char *bytes, size_t len, size_t max, struct strbuf *out)
{
	auto_iconv converter = (iconv_t)-1;

	if (encoding == TEXT_UTF_8)
		return decode_utf8(bytes, len, max, out);
	converter = iconv_open("UTF-8", encodings[encoding].iconv_name);
	if (converter == (iconv_t)-1)
		return -ENOTSUP;
	return decode_other(converter, encodings[encoding].unit, bytes, len, max, out);
}

int text_decode(enum text_encoding encoding, const char *bytes, size_t len, size_t max,
	struct strbuf *out, bool *ret_lossy)
{
	const size_t before = out->len;
	int r = decode(encoding, bytes, len, max, out);

	if (r < 0) {
		strbuf_cut(out, before);
		return r;
	}
	*ret_lossy = r > 0;
	return 0;
}

/* Where two texts begin to differ: the beginning of a character of `a`; len_a when they do not. */
static size_t first_difference(const char *a, size_t len_a, const char *b, size_t len_b)
{
	size_t i = 0;

	while (i < len_a && i < len_b && a[i] == b[i])
		i++;
	while (i > 0 && i < len_a && ((unsigned char)a[i] & 0xc0) == 0x80)
		i--;
	return i;
}

/* Converters map some characters to what others have already (in code page 932 the yen sign becomes
 * a backslash). What cannot come back is refused. */
static int check_encoded(enum text_encoding encoding, const char *bytes, size_t n, const char *text,
	size_t len, size_t *ret_error_at)
{
	auto_strbuf again = { 0 };
	int r = decode(encoding, bytes, n, SIZE_MAX, &again);
	size_t same;

	if (r < 0)
		return r;
	same = first_difference(text, len, strbuf_get(&again), again.len);
	if (same == len && again.len == len)
		return 0;
	*ret_error_at = same;
	return -EILSEQ;
}

static int encode_other(enum text_encoding encoding, const char *text, size_t len,
	struct strbuf *out, size_t *ret_error_at)
{
	auto_iconv converter = iconv_open(encodings[encoding].iconv_name, "UTF-8");
	const size_t before = out->len;
	const char *at = text;
	size_t left = len;
	int r;

	if (converter == (iconv_t)-1)
		return -ENOTSUP;
	do
		r = convert_some(converter, &at, &left, out);
	while (r == -E2BIG);
	if (r < 0) {
		*ret_error_at = (size_t)(at - text);
		return r;
	}
	return check_encoded(
		encoding, out->data + before, out->len - before, text, len, ret_error_at);
}

static int encode_utf8(const char *text, size_t len, struct strbuf *out, size_t *ret_error_at)
{
	size_t i = 0;
	size_t n;

	if (utf8_valid(text, len)) {
		strbuf_add(out, text, len);
		return 0;
	}
	while ((n = utf8_next(text + i, len - i)) > 0)
		i += n;
	*ret_error_at = i;
	return -EILSEQ;
}

int text_encode(enum text_encoding encoding, const char *text, size_t len, struct strbuf *out,
	size_t *ret_error_at)
{
	const size_t before = out->len;
	int r;

	if (encoding == TEXT_UTF_8)
		return encode_utf8(text, len, out, ret_error_at);
	r = encode_other(encoding, text, len, out, ret_error_at);
	if (r < 0)
		strbuf_cut(out, before);
	return r;
}

/* Lines. */

/* Whether the unit whose last byte (big endian) or first byte is at `i` is LF. */
static bool is_line_feed(enum text_encoding encoding, const char *bytes, size_t i)
{
	static const char zeros[3];
	const size_t unit = encodings[encoding].unit;
	const char *others =
		encodings[encoding].is_big_endian ? bytes + i - (unit - 1) : bytes + i + 1;

	return unit == 1 || memcmp(others, zeros, unit - 1) == 0;
}

/* Behind the next line end; NULL: there is none. `len` is cut to whole units. */
static const char *next_line(
	enum text_encoding encoding, const char *bytes, size_t from, size_t len)
{
	const size_t unit = encodings[encoding].unit;
	const size_t in_unit = encodings[encoding].is_big_endian ? unit - 1 : 0;

	len -= len % unit;
	while (from < len) {
		const char *at = memchr(bytes + from, '\n', len - from);
		size_t i;

		if (!at)
			return NULL;
		i = (size_t)(at - bytes);
		if (i % unit == in_unit && is_line_feed(encoding, bytes, i))
			return at + (unit - in_unit);
		from = i + 1;
	}
	return NULL;
}

size_t text_after_line(enum text_encoding encoding, const char *bytes, size_t len)
{
	const char *next = next_line(encoding, bytes, 0, len);

	return next ? (size_t)(next - bytes) : 0;
}

size_t text_count_line_ends(enum text_encoding encoding, const char *bytes, size_t len)
{
	const char *next = bytes;
	size_t n = 0;

	while ((next = next_line(encoding, bytes, (size_t)(next - bytes), len)))
		n++;
	return n;
}

size_t text_last_line(enum text_encoding encoding, const char *bytes, size_t len)
{
	const size_t unit = encodings[encoding].unit;
	const size_t in_unit = encodings[encoding].is_big_endian ? unit - 1 : 0;

	len -= len % unit;
	while (len > 0) {
		const char *at = memrchr(bytes, '\n', len);
		size_t i;

		if (!at)
			return 0;
		i = (size_t)(at - bytes);
		if (i % unit == in_unit && is_line_feed(encoding, bytes, i))
			return i - in_unit + unit;
		len = i;
	}
	return 0;
}

const char *text_line_ending(const char *text, size_t len)
{
	size_t n_crlf = 0;
	size_t n_lf = 0;

	for (const char *at = text; len > 0 && (at = memchr(at, '\n', len - (size_t)(at - text)));
		at++) {
		if (at > text && at[-1] == '\r')
			n_crlf++;
		else
			n_lf++;
	}
	if (n_crlf > 0 && n_lf > 0)
		return "mixed";
	return n_crlf > 0 ? "crlf" : n_lf > 0 ? "lf" : "none";
}
