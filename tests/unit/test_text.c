/* Encodings of text files: what is told from the first bytes, both directions, and lines. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shared/utf8.h"
#include "workers/filesystem/text.h"

#define BYTES(text) (text), sizeof(text) - 1
#define FFFD "\xef\xbf\xbd"

static void test_choose(void **state)
{
	assert_int_equal(text_choose("auto", BYTES("abc")), TEXT_UTF_8);
	assert_int_equal(text_choose("auto", "", 0), TEXT_UTF_8);
	assert_int_equal(text_choose("auto", BYTES("\xef\xbb\xbfx")), TEXT_UTF_8);
	assert_int_equal(text_choose("auto", BYTES("\xff\xfe")), TEXT_UTF_16LE);
	assert_int_equal(text_choose("auto", BYTES("\xff\xfe\0")), TEXT_UTF_16LE);
	assert_int_equal(text_choose("auto", BYTES("\xfe\xff\0a")), TEXT_UTF_16BE);
	assert_int_equal(text_choose("auto", BYTES("\xff\xfe\0\0")), TEXT_UTF_32LE);
	assert_int_equal(text_choose("auto", BYTES("\0\0\xfe\xff")), TEXT_UTF_32BE);
	assert_int_equal(text_choose("auto", BYTES("\0\0\xfe")), TEXT_UTF_8);
	assert_int_equal(text_choose("latin1", BYTES("\xff\xfe")), TEXT_LATIN1);
	for (size_t i = 1; text_read_encodings[i]; i++) {
		enum text_encoding encoding = text_choose(text_read_encodings[i], "", 0);

		assert_string_equal(text_encoding_name(encoding), text_read_encodings[i]);
		assert_string_equal(text_write_encodings[i - 1], text_read_encodings[i]);
	}
}

static void test_binary(void **state)
{
	char bytes[TEXT_LOOK_BYTES + 1];

	memset(bytes, 'a', sizeof(bytes));
	assert_false(text_is_binary(TEXT_UTF_8, bytes, sizeof(bytes)));
	bytes[TEXT_LOOK_BYTES] = '\0';
	assert_false(text_is_binary(TEXT_UTF_8, bytes, sizeof(bytes)));
	bytes[TEXT_LOOK_BYTES - 1] = '\0';
	assert_true(text_is_binary(TEXT_UTF_8, bytes, sizeof(bytes)));
	assert_true(text_is_binary(TEXT_SHIFT_JIS, bytes, sizeof(bytes)));
	assert_false(text_is_binary(TEXT_UTF_16LE, bytes, sizeof(bytes)));
	assert_false(text_is_binary(TEXT_UTF_32BE, bytes, sizeof(bytes)));
	assert_false(text_is_binary(TEXT_UTF_8, NULL, 0));
}

struct sample {
	enum text_encoding encoding;
	const char *bytes;
	size_t len;
	const char *text;
	size_t text_len;
	bool is_lossy;
};

#define SAMPLE(encoding, bytes, text, is_lossy)                                                    \
	{                                                                                          \
		encoding, BYTES(bytes), BYTES(text), is_lossy                                      \
	}

static const struct sample samples[] = {
	SAMPLE(TEXT_UTF_8, "", "", false),
	SAMPLE(TEXT_UTF_8, "\xef\xbb\xbfz\xc3\xa4\r\n\0", "\xef\xbb\xbfz\xc3\xa4\r\n\0", false),
	SAMPLE(TEXT_UTF_8, "a\xff\xe2\x82", "a" FFFD FFFD, true),
	SAMPLE(TEXT_UTF_16LE, "", "", false),
	SAMPLE(TEXT_UTF_16LE,
		"\xff\xfe"
		"a\0\xac\x20",
		"\xef\xbb\xbf"
		"a\xe2\x82\xac",
		false),
	SAMPLE(TEXT_UTF_16BE, "\xd8\x3d\xde\x00\0\0", "\xf0\x9f\x98\x80\0", false),
	/* Surrogates alone: before a character, as low one, at the end; half a unit. */
	SAMPLE(TEXT_UTF_16BE, "\xd8\x3d\0a", FFFD "a", true),
	SAMPLE(TEXT_UTF_16BE, "\xde\0\0a", FFFD "a", true),
	SAMPLE(TEXT_UTF_16BE, "\0a\xd8\x3d", "a" FFFD, true),
	SAMPLE(TEXT_UTF_16LE, "a\0b", "a" FFFD, true),
	SAMPLE(TEXT_UTF_16LE, "a", FFFD, true),
	SAMPLE(TEXT_UTF_32LE, "\xff\xfe\0\0a\0\0\0\0\xf6\1\0",
		"\xef\xbb\xbf"
		"a\xf0\x9f\x98\x80",
		false),
	SAMPLE(TEXT_UTF_32BE, "\0\x11\0\0\0\0\0a", FFFD "a", true),
	SAMPLE(TEXT_UTF_32BE, "\0\0\xd8\0\0\0\0a\0\0\0", FFFD "a" FFFD, true),
	SAMPLE(TEXT_LATIN1, "\x80\xa4\xff\0", "\xc2\x80\xc2\xa4\xc3\xbf\0", false),
	SAMPLE(TEXT_WINDOWS_1252, "\x80\x93\xe4", "\xe2\x82\xac\xe2\x80\x9c\xc3\xa4", false),
	SAMPLE(TEXT_WINDOWS_1252, "a\x81z", "a" FFFD "z", true),
	SAMPLE(TEXT_SHIFT_JIS, "C:\\~\x93\xfa\x96\x7b\xb1\x87\x40",
		"C:\\~\xe6\x97\xa5\xe6\x9c\xac\xef\xbd\xb1\xe2\x91\xa0", false),
	/* 表 has a backslash as its second byte. */
	SAMPLE(TEXT_SHIFT_JIS, "\x95\x5c\n", "\xe8\xa1\xa8\n", false),
	/* The line end behind half a character stays. */
	SAMPLE(TEXT_SHIFT_JIS, "\x93\n\xff\x93", FFFD "\n" FFFD FFFD, true),
};

static void test_decode(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(samples); i++) {
		const struct sample *s = &samples[i];
		auto_strbuf out = { 0 };
		bool is_lossy = !s->is_lossy;

		strbuf_adds(&out, "before");
		assert_int_equal(
			text_decode(s->encoding, s->bytes, s->len, s->text_len, &out, &is_lossy),
			0);
		assert_int_equal(is_lossy, s->is_lossy);
		assert_int_equal(out.len, 6 + s->text_len);
		assert_memory_equal(out.data + 6, s->text, s->text_len);
		if (s->text_len == 0)
			continue;
		assert_int_equal(text_decode(s->encoding, s->bytes, s->len, s->text_len - 1, &out,
					 &is_lossy),
			-EFBIG);
		assert_int_equal(out.len, 6 + s->text_len);
	}
}

static void test_encode(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(samples); i++) {
		const struct sample *s = &samples[i];
		auto_strbuf out = { 0 };
		size_t wrong = SIZE_MAX;

		if (s->is_lossy)
			continue;
		strbuf_adds(&out, "before");
		assert_int_equal(text_encode(s->encoding, s->text, s->text_len, &out, &wrong), 0);
		assert_int_equal(out.len, 6 + s->len);
		assert_memory_equal(out.data + 6, s->bytes, s->len);
		assert_int_equal(wrong, SIZE_MAX);
	}
}

static void test_encode_refuses(void **state)
{
	static const struct {
		enum text_encoding encoding;
		const char *text;
		size_t at;
	} wrong_ones[] = {
		{ TEXT_UTF_8, "ab\xff", 2 },
		{ TEXT_UTF_16LE, "a\xed\xa0\x80", 1 }, /* a surrogate */
		{ TEXT_UTF_16BE, "\xc3", 0 }, { TEXT_LATIN1, "\xc3\xa4\xe2\x82\xac", 2 },
		{ TEXT_WINDOWS_1252, "z\xc2\x81", 1 }, { TEXT_SHIFT_JIS, "\xe2\x82\xac", 0 },
		/* Converters have something for these, but it reads as another character. */
		{ TEXT_SHIFT_JIS, "\xe6\x97\xa5\xc2\xa5", 3 },      /* yen sign, backslash */
		{ TEXT_SHIFT_JIS, "\xe6\x97\xa5\xe3\x80\x9c.", 3 }, /* wave dash, tilde */
	};

	for (size_t i = 0; i < N_ELEMENTS(wrong_ones); i++) {
		auto_strbuf out = { 0 };
		size_t at = SIZE_MAX;

		strbuf_adds(&out, "before");
		assert_int_equal(text_encode(wrong_ones[i].encoding, wrong_ones[i].text,
					 strlen(wrong_ones[i].text), &out, &at),
			-EILSEQ);
		assert_int_equal(at, wrong_ones[i].at);
		assert_string_equal(out.data, "before");
	}
}

/* Across the blocks in which the converter works. */
static void test_long(void **state)
{
	auto_strbuf text = { 0 };

	for (int i = 0; i < 20000; i++)
		strbuf_addf(&text, "%d \xe6\x97\xa5\xe6\x9c\xac\r\n", i);
	for (size_t i = 0; i < N_ELEMENTS(samples); i++) {
		const enum text_encoding encoding = samples[i].encoding;
		auto_strbuf bytes = { 0 };
		auto_strbuf again = { 0 };
		bool is_lossy = true;
		size_t wrong;

		if (encoding == TEXT_LATIN1 || encoding == TEXT_WINDOWS_1252)
			continue;
		assert_int_equal(text_encode(encoding, text.data, text.len, &bytes, &wrong), 0);
		assert_int_equal(
			text_decode(encoding, bytes.data, bytes.len, text.len, &again, &is_lossy),
			0);
		assert_false(is_lossy);
		assert_string_equal(again.data, text.data);
		assert_int_equal(text_count_line_ends(encoding, bytes.data, bytes.len), 20000);
	}
}

static void test_lines(void **state)
{
	static const char plain[] = "one\ntwo\r\n\nlast";

	assert_int_equal(text_count_line_ends(TEXT_UTF_8, BYTES(plain)), 3);
	assert_int_equal(text_after_line(TEXT_UTF_8, BYTES(plain)), 4);
	assert_int_equal(text_last_line(TEXT_UTF_8, BYTES(plain)), 10);
	assert_int_equal(text_last_line(TEXT_UTF_8, plain, 9), 9);
	assert_int_equal(text_last_line(TEXT_UTF_8, plain, 3), 0);
	assert_int_equal(text_after_line(TEXT_UTF_8, plain, 3), 0);
	assert_int_equal(text_count_line_ends(TEXT_UTF_8, plain, 0), 0);
}

/* U+0A0A and U+010A and U+0A00 have LF's byte, and a line end may seem to lie between two units. */
static void test_wide_lines(void **state)
{
	static const char le[] = "\x0a\x0a\x0a\x01\x00\x0a\x00\x0a\x0a\x00z\0";
	static const char be[] = "\x0a\x0a\x01\x0a\x0a\x00\x0a\x00\x00\x0a\0z";
	static const char le4[] = "\x0a\x0a\0\0\0\x0a\0\0\x0a\0\0\0";
	static const char be4[] = "\0\0\x0a\x0a\0\0\x0a\0\0\0\0\x0a";

	assert_int_equal(text_count_line_ends(TEXT_UTF_16LE, BYTES(le)), 1);
	assert_int_equal(text_after_line(TEXT_UTF_16LE, BYTES(le)), 10);
	assert_int_equal(text_last_line(TEXT_UTF_16LE, BYTES(le)), 10);
	assert_int_equal(text_last_line(TEXT_UTF_16LE, le, 9), 0);
	assert_int_equal(text_count_line_ends(TEXT_UTF_16BE, BYTES(be)), 1);
	assert_int_equal(text_after_line(TEXT_UTF_16BE, BYTES(be)), 10);
	assert_int_equal(text_last_line(TEXT_UTF_16BE, BYTES(be)), 10);
	assert_int_equal(text_last_line(TEXT_UTF_16BE, be, 9), 0);
	assert_int_equal(text_after_line(TEXT_UTF_32LE, BYTES(le4)), 12);
	assert_int_equal(text_after_line(TEXT_UTF_32LE, le4, 11), 0);
	assert_int_equal(text_last_line(TEXT_UTF_32BE, BYTES(be4)), 12);
	assert_int_equal(text_count_line_ends(TEXT_UTF_32BE, BYTES(be4)), 1);
}

static void test_line_ending(void **state)
{
	assert_string_equal(text_line_ending(NULL, 0), "none");
	assert_string_equal(text_line_ending(BYTES("a\rb")), "none");
	assert_string_equal(text_line_ending(BYTES("\n")), "lf");
	assert_string_equal(text_line_ending(BYTES("\r\n\r\n")), "crlf");
	assert_string_equal(text_line_ending(BYTES("\r\n\n")), "mixed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_encode_refuses),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_wide_lines),
		cmocka_unit_test(test_line_ending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
