/* See charset.h. UTF-8 and windows-1252, the two that are always needed, are converted here; the rest by
 * iconv(3). */
#include "workers/network/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <strings.h>

#include "shared/ascii.h"
#include "shared/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

enum {
	LOOK_BYTES = 1024, /* for a declaration */
	MAX_LABEL_BYTES = 40,
	OUT_STEP = 64 * 1024,
};

/* Sorted by label. Where browsers read a superset of what the label says, so do we. */
/* clang-format off */
static const struct charset charsets[] = {
	{ "ansi_x3.4-1968", "windows-1252", NULL }, { "ascii", "windows-1252", NULL },
	{ "big5", "big5", "BIG5-HKSCS" }, { "big5-hkscs", "big5", "BIG5-HKSCS" },
	{ "chinese", "gbk", "GB18030" }, { "cp1250", "windows-1250", "CP1250" },
	{ "cp1251", "windows-1251", "CP1251" }, { "cp1252", "windows-1252", NULL },
	{ "cp1253", "windows-1253", "CP1253" }, { "cp1254", "windows-1254", "CP1254" },
	{ "cp1255", "windows-1255", "CP1255" }, { "cp1256", "windows-1256", "CP1256" },
	{ "cp1257", "windows-1257", "CP1257" }, { "cp1258", "windows-1258", "CP1258" },
	{ "cp866", "ibm866", "CP866" }, { "cp936", "gbk", "GB18030" },
	{ "cyrillic", "iso-8859-5", "ISO-8859-5" }, { "euc-jp", "euc-jp", "EUC-JP" },
	{ "euc-kr", "euc-kr", "CP949" }, { "gb18030", "gb18030", "GB18030" },
	{ "gb2312", "gbk", "GB18030" }, { "gb_2312-80", "gbk", "GB18030" },
	{ "gbk", "gbk", "GB18030" }, { "greek", "iso-8859-7", "ISO-8859-7" },
	{ "hebrew", "iso-8859-8", "ISO-8859-8" }, { "ibm866", "ibm866", "CP866" },
	{ "iso-2022-jp", "iso-2022-jp", "ISO-2022-JP" }, { "iso-8859-1", "windows-1252", NULL },
	{ "iso-8859-10", "iso-8859-10", "ISO-8859-10" }, { "iso-8859-11", "windows-874", "CP874" },
	{ "iso-8859-13", "iso-8859-13", "ISO-8859-13" },
	{ "iso-8859-14", "iso-8859-14", "ISO-8859-14" },
	{ "iso-8859-15", "iso-8859-15", "ISO-8859-15" },
	{ "iso-8859-16", "iso-8859-16", "ISO-8859-16" },
	{ "iso-8859-2", "iso-8859-2", "ISO-8859-2" }, { "iso-8859-3", "iso-8859-3", "ISO-8859-3" },
	{ "iso-8859-4", "iso-8859-4", "ISO-8859-4" }, { "iso-8859-5", "iso-8859-5", "ISO-8859-5" },
	{ "iso-8859-6", "iso-8859-6", "ISO-8859-6" }, { "iso-8859-7", "iso-8859-7", "ISO-8859-7" },
	{ "iso-8859-8", "iso-8859-8", "ISO-8859-8" },
	{ "iso-8859-8-i", "iso-8859-8-i", "ISO-8859-8" },
	{ "iso-8859-9", "windows-1254", "CP1254" }, { "iso8859-1", "windows-1252", NULL },
	{ "iso8859-15", "iso-8859-15", "ISO-8859-15" }, { "iso8859-2", "iso-8859-2", "ISO-8859-2" },
	{ "iso_8859-1", "windows-1252", NULL }, { "koi", "koi8-r", "KOI8-R" },
	{ "koi8-r", "koi8-r", "KOI8-R" }, { "koi8-u", "koi8-u", "KOI8-U" },
	{ "koi8_r", "koi8-r", "KOI8-R" }, { "korean", "euc-kr", "CP949" },
	{ "ks_c_5601-1987", "euc-kr", "CP949" }, { "l1", "windows-1252", NULL },
	{ "latin1", "windows-1252", NULL }, { "latin2", "iso-8859-2", "ISO-8859-2" },
	{ "latin5", "windows-1254", "CP1254" }, { "latin9", "iso-8859-15", "ISO-8859-15" },
	{ "mac", "macintosh", "MACINTOSH" }, { "macintosh", "macintosh", "MACINTOSH" },
	{ "ms932", "shift_jis", "CP932" }, { "ms_kanji", "shift_jis", "CP932" },
	{ "shift-jis", "shift_jis", "CP932" }, { "shift_jis", "shift_jis", "CP932" },
	{ "sjis", "shift_jis", "CP932" }, { "tis-620", "windows-874", "CP874" },
	{ "unicode-1-1-utf-8", "utf-8", NULL }, { "us-ascii", "windows-1252", NULL },
	{ "utf-16", "utf-16le", "UTF-16LE" }, { "utf-16be", "utf-16be", "UTF-16BE" },
	{ "utf-16le", "utf-16le", "UTF-16LE" }, { "utf-8", "utf-8", NULL }, { "utf8", "utf-8", NULL },
	{ "windows-1250", "windows-1250", "CP1250" }, { "windows-1251", "windows-1251", "CP1251" },
	{ "windows-1252", "windows-1252", NULL }, { "windows-1253", "windows-1253", "CP1253" },
	{ "windows-1254", "windows-1254", "CP1254" }, { "windows-1255", "windows-1255", "CP1255" },
	{ "windows-1256", "windows-1256", "CP1256" }, { "windows-1257", "windows-1257", "CP1257" },
	{ "windows-1258", "windows-1258", "CP1258" }, { "windows-31j", "shift_jis", "CP932" },
	{ "windows-874", "windows-874", "CP874" }, { "windows-949", "euc-kr", "CP949" },
	{ "x-euc-jp", "euc-jp", "EUC-JP" }, { "x-gbk", "gbk", "GB18030" },
	{ "x-mac-cyrillic", "x-mac-cyrillic", "MAC-CYRILLIC" }, { "x-sjis", "shift_jis", "CP932" },
};

/* 0x80 to 0x9f; the rest is as in Unicode. */
static const uint16_t windows_1252[32] = {
	0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039,
	0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
};
/* clang-format on */

static int compare_label(const void *key, const void *entry)
{
	return strcmp(key, ((const struct charset *)entry)->label);
}

const struct charset *charset_find(const char *label, size_t len)
{
	char key[MAX_LABEL_BYTES + 1];

	if (len > MAX_LABEL_BYTES)
		return NULL;
	for (size_t i = 0; i < len; i++)
		key[i] = (char)(label[i] >= 'A' && label[i] <= 'Z' ? label[i] + 32 : label[i]);
	key[len] = '\0';

	return bsearch(key, charsets, N_ELEMENTS(charsets), sizeof(charsets[0]), compare_label);
}

static const struct charset *find(const char *label)
{
	return charset_find(label, strlen(label));
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Where `word` (in lower case) begins in the text, in any case; `end`: nowhere. */
static const char *find_word(const char *at, const char *end, const char *word)
{
	size_t len = strlen(word);

	for (; (size_t)(end - at) >= len; at++)
		if (strncasecmp(at, word, len) == 0)
			return at;

	return end;
}

/* The value of the first `name = value` in the text, where value may have quotes. */
static const struct charset *find_value(const char *at, const char *end, const char *name)
{
	const char *from;
	char quote = '\0';

	while ((at = find_word(at, end, name)) < end) {
		at += strlen(name);
		while (at < end && is_blank(*at))
			at++;
		if (at == end || *at != '=')
			continue;
		at++;
		while (at < end && is_blank(*at))
			at++;
		if (at < end && (*at == '"' || *at == '\''))
			quote = *at++;
		for (from = at; at < end && *at != quote && !is_blank(*at) && *at != ';' &&
				*at != '"' && *at != '\'';)
			at++;
		return charset_find(from, (size_t)(at - from));
	}

	return NULL;
}

/* `<meta charset=x>`, `<meta … content="text/html; charset=x">`. */
static const struct charset *find_meta(const char *at, const char *end)
{
	const struct charset *charset = NULL;

	while (!charset && at < end) {
		const char *comment = find_word(at, end, "<!--");
		const char *meta = find_word(at, end, "<meta");
		const char *stop;

		if (comment < meta) {
			at = find_word(comment + 4, end, "-->");
			continue;
		}
		if (meta == end)
			return NULL;
		stop = memchr(meta, '>', (size_t)(end - meta));
		at = stop ? stop : end;
		charset = find_value(meta + 5, at, "charset");
	}

	return charset;
}

static const struct charset *find_declaration(
	const char *content_type, const char *body, size_t len)
{
	const char *end = body + (len < LOOK_BYTES ? len : LOOK_BYTES);
	bool is_html = !content_type || strcasestr(content_type, "html");
	bool is_xml = !content_type || strcasestr(content_type, "xml");
	const struct charset *charset = NULL;

	if (is_xml && len > 5 && memcmp(body, "<?xml", 5) == 0)
		charset = find_value(body + 5, find_word(body, end, "?>"), "encoding");
	if (!charset && is_html)
		charset = find_meta(body, end);

	/* Whoever could read that was not reading UTF-16. */
	return charset && strncmp(charset->name, "utf-16", 6) == 0 ? find("utf-8") : charset;
}

static const struct charset *find_mark(const char *body, size_t len, size_t *ret_skip)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *label;
	} marks[] = {
		{ "\xef\xbb\xbf", 3, "utf-8" },
		{ "\xfe\xff", 2, "utf-16be" },
		{ "\xff\xfe", 2, "utf-16le" },
	};

	for (size_t i = 0; i < N_ELEMENTS(marks); i++) {
		if (len >= marks[i].len && memcmp(body, marks[i].bytes, marks[i].len) == 0) {
			*ret_skip = marks[i].len;
			return find(marks[i].label);
		}
	}

	return NULL;
}

const struct charset *charset_detect(
	const char *content_type, const char *body, size_t len, size_t *ret_skip)
{
	const struct charset *charset;

	*ret_skip = 0;
	charset = find_mark(body, len, ret_skip);
	if (!charset && content_type)
		charset = find_value(content_type, content_type + strlen(content_type), "charset");
	if (!charset)
		charset = find_declaration(content_type, body, len);
	if (!charset)
		charset = find(utf8_valid(body, len) ? "utf-8" : "windows-1252");

	return charset;
}

static void add_code(struct strbuf *out, unsigned code)
{
	if (code < 0x80) {
		strbuf_addc(out, (char)code);
	} else if (code < 0x800) {
		strbuf_addc(out, (char)(0xc0 | code >> 6));
		strbuf_addc(out, (char)(0x80 | (code & 0x3f)));
	} else {
		strbuf_addc(out, (char)(0xe0 | code >> 12));
		strbuf_addc(out, (char)(0x80 | (code >> 6 & 0x3f)));
		strbuf_addc(out, (char)(0x80 | (code & 0x3f)));
	}
}

static void convert_1252(const char *bytes, size_t len, struct strbuf *out)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		add_code(out, c >= 0x80 && c < 0xa0 ? windows_1252[c - 0x80] : c);
	}
}

/* One round of iconv(3) into `out`; NULL: what it still holds back. */
static size_t convert_some(iconv_t conversion, char **in, size_t *len, struct strbuf *out)
{
	char *at = strbuf_reserve(out, OUT_STEP);
	size_t room = OUT_STEP;
	size_t rc = iconv(conversion, in, len, &at, &room);

	out->len += OUT_STEP - room;
	out->data[out->len] = '\0';
	return rc;
}

/* gcc's analyzer takes (iconv_t)-1, the sign of failure, for something that has to be closed. */
#if defined(__GNUC__) && !defined(__clang__)
#	pragma GCC diagnostic push
#	pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
static bool convert_iconv(const char *name, const char *bytes, size_t len, struct strbuf *out)
{
	iconv_t conversion = iconv_open("UTF-8", name);
	char *in;

	if (conversion == (iconv_t)-1)
		return false;

	memcpy(&in, &bytes, sizeof(in)); /* iconv() does not write there */
	while (len > 0) {
		if (convert_some(conversion, &in, &len, out) != (size_t)-1 || errno == E2BIG)
			continue;
		strbuf_adds(out, REPLACEMENT);
		in++;
		len--;
	}
	(void)convert_some(conversion, NULL, NULL, out);
	(void)iconv_close(conversion);
	return true;
}
#if defined(__GNUC__) && !defined(__clang__)
#	pragma GCC diagnostic pop
#endif

/* A NUL has no place in a text. Other encodings than UTF-16 seldom have one. */
static void replace_nuls(struct strbuf *out, size_t from)
{
	auto_strbuf rest = { 0 };
	const char *at;
	const char *end = strbuf_get(out) + out->len;
	const char *nul = memchr(strbuf_get(out) + from, '\0', out->len - from);

	if (!nul)
		return;
	for (at = strbuf_get(out) + from; at < end; at = nul + 1) {
		nul = memchr(at, '\0', (size_t)(end - at));
		if (!nul) {
			strbuf_add(&rest, at, (size_t)(end - at));
			break;
		}
		strbuf_add(&rest, at, (size_t)(nul - at));
		strbuf_adds(&rest, REPLACEMENT);
	}
	strbuf_cut(out, from);
	strbuf_add(out, strbuf_get(&rest), rest.len);
}

bool charset_convert(
	const struct charset *charset, const char *bytes, size_t len, struct strbuf *out)
{
	size_t from = out->len;

	if (charset->iconv) {
		if (!convert_iconv(charset->iconv, bytes, len, out))
			return false;
	} else if (streq(charset->name, "utf-8")) {
		utf8_repair(out, bytes, len);
	} else {
		convert_1252(bytes, len, out);
	}
	replace_nuls(out, from);
	return true;
}
