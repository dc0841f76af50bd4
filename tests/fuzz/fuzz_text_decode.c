/* What a file's bytes are taken for: every encoding gives valid UTF-8 whatever the bytes are, what was
 * decoded without loss can be encoded and reads the same, and the lines that are found in the bytes
 * are those of the text. */
#include <errno.h>

#include "shared/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "workers/filesystem/kind.h"
#include "workers/filesystem/text.h"

static size_t count_line_feeds(const struct strbuf *text)
{
	size_t n = 0;

	for (size_t i = 0; i < text->len; i++)
		n += text->data[i] == '\n';
	return n;
}

/* Forwards and backwards the same lines are found. */
static void check_lines(
	enum text_encoding encoding, const char *bytes, size_t len, const struct strbuf *text)
{
	const size_t n_lines = text_count_line_ends(encoding, bytes, len);
	const size_t unit = text_unit(encoding);
	size_t at = 0;
	size_t end = len;

	CHECK(n_lines == count_line_feeds(text));
	for (size_t i = 0; i < n_lines; i++) {
		size_t n = text_after_line(encoding, bytes + at, len - at);

		CHECK(n > 0 && n % unit == 0);
		at += n;
		CHECK(text_last_line(encoding, bytes, at) == at);
	}
	CHECK(text_after_line(encoding, bytes + at, len - at) == 0);
	for (size_t i = 0; i < n_lines; i++) {
		end = text_last_line(encoding, bytes, end);
		CHECK(end > 0 && end % unit == 0);
		end -= unit;
	}
	CHECK(text_last_line(encoding, bytes, end) == 0);
}

static void check_decode(enum text_encoding encoding, const char *bytes, size_t len)
{
	auto_strbuf text = { 0 };
	auto_strbuf again = { 0 };
	auto_strbuf twice = { 0 };
	bool is_lossy = true;
	size_t wrong = 0;

	CHECK(text_decode(encoding, bytes, len, SIZE_MAX, &text, &is_lossy) == 0);
	CHECK(utf8_valid(strbuf_get(&text), text.len));
	CHECK(text.len * text_unit(encoding) >= len);
	check_lines(encoding, bytes, len, &text);
	if (text.len > 0)
		CHECK(text_decode(encoding, bytes, len, text.len - 1, &again, &is_lossy) ==
				-EFBIG &&
			again.len == 0);
	if (is_lossy)
		return;
	/* A character may have two codes (in code page 932), so compare the text. */
	CHECK(text_encode(encoding, strbuf_get(&text), text.len, &again, &wrong) == 0);
	CHECK(text_decode(encoding, strbuf_get(&again), again.len, text.len, &twice, &is_lossy) ==
		0);
	CHECK(!is_lossy && twice.len == text.len);
	CHECK(memcmp(strbuf_get(&twice), strbuf_get(&text), text.len) == 0);
}

static void check_encode(enum text_encoding encoding, const char *text, size_t len)
{
	auto_strbuf bytes = { 0 };
	auto_strbuf again = { 0 };
	bool is_lossy = true;
	size_t wrong = SIZE_MAX;
	int r = text_encode(encoding, text, len, &bytes, &wrong);

	if (r < 0) {
		CHECK(r == -EILSEQ && wrong < len && bytes.len == 0);
		return;
	}
	CHECK(text_decode(encoding, strbuf_get(&bytes), bytes.len, len, &again, &is_lossy) == 0);
	CHECK(!is_lossy && again.len == len && memcmp(strbuf_get(&again), text, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *bytes = fuzz_copy(data, size);
	enum text_encoding found = text_choose("auto", bytes, size);

	CHECK(text_encoding_name(found));
	CHECK(!text_is_binary(found, bytes, size) || memchr(bytes, '\0', size));
	CHECK(kind_mime_type("x.docx", bytes, size));
	for (int encoding = TEXT_UTF_8; encoding <= TEXT_UTF_32BE; encoding++) {
		check_decode((enum text_encoding)encoding, bytes, size);
		check_encode((enum text_encoding)encoding, bytes, size);
	}
	CHECK(text_line_ending(bytes, size));
	return 0;
}
