/* Media types and languages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shared/cleanup.h"
#include "workers/filesystem/kind.h"

#define OCTETS "application/octet-stream"

static const struct {
	const char *name;
	const char *first;
	size_t len;
	const char *want;
} files[] = {
#define FILE_IS(name, first, want)                                                                 \
	{                                                                                          \
		name, first, sizeof(first) - 1, want                                               \
	}
	FILE_IS("x", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
	FILE_IS("x.txt", "\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
	FILE_IS("x", "GIF89a\1\0", "image/gif"),
	FILE_IS("x", "GIF87a", "image/gif"),
	FILE_IS("x", "RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
	FILE_IS("x", "RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
	FILE_IS("x", "RIFF\x24\0\0\0AVI LIST", "video/x-msvideo"),
	FILE_IS("x", "RIFF\x24\0\0\0ACON", OCTETS),
	FILE_IS("x", "BM\x3a\0\0\0\0\0\0\0\x36", "image/bmp"),
	FILE_IS("x", "BMW is a car", "text/plain"),
	FILE_IS("x", "II*\0\x08\0\0\0", "image/tiff"),
	FILE_IS("x", "MM\0*\0\0\0\x08", "image/tiff"),
	FILE_IS("x",
		"\0\0\0\x1c"
		"ftypavif",
		"image/avif"),
	FILE_IS("x",
		"\0\0\0\x1c"
		"ftypavis",
		"image/avif"),
	FILE_IS("x",
		"\0\0\0\x18"
		"ftypheic",
		"image/heic"),
	FILE_IS("x", "\0\0\1\0\1\0", "image/x-icon"),
	FILE_IS("x.svg", "<svg xmlns", "image/svg+xml"),
	FILE_IS("x", "OggS\0\2", "audio/ogg"),
	FILE_IS("x", "fLaC\0\0", "audio/flac"),
	FILE_IS("x", "ID3\4\0", "audio/mpeg"),
	FILE_IS("x", "\xff\xfb\x90\x64", "audio/mpeg"),
	FILE_IS("x", "\xff\xf1\x50\x80", "audio/aac"),
	FILE_IS("x",
		"\0\0\0\x20"
		"ftypM4A ",
		"audio/mp4"),
	FILE_IS("x",
		"\0\0\0\x20"
		"ftypisom",
		"video/mp4"),
	FILE_IS("x",
		"\0\0\0\x14"
		"ftypqt  ",
		"video/quicktime"),
	FILE_IS("x", "\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", "video/webm"),
	FILE_IS("x", "\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska", "video/x-matroska"),
	FILE_IS("x", "%PDF-1.4\n", "application/pdf"),
	FILE_IS("x", "PK\3\4\x14\0", "application/zip"),
	FILE_IS("x.jar", "PK\3\4\x14\0", "application/java-archive"),
	FILE_IS("x.png", "PK\5\6\0\0", "application/zip"),
	FILE_IS("x", "\x1f\x8b\x08\0", "application/gzip"),
	FILE_IS("x", "BZh91AY&SY", "application/x-bzip2"),
	FILE_IS("x",
		"\xfd"
		"7zXZ\0",
		"application/x-xz"),
	FILE_IS("x", "\x28\xb5\x2f\xfd\x04", "application/zstd"),
	FILE_IS("x", "wOF2\0\1\0\0", "font/woff2"),
	FILE_IS("x", "wOFF\0\1\0\0", "font/woff"),
	FILE_IS("x", "\0asm\1\0\0\0", "application/wasm"),
	/* By name, where there is no magic number. */
	FILE_IS("dir.png/x.JSON", "{}", "application/json"),
	FILE_IS("x.md", "# x", "text/markdown"),
	FILE_IS("x.html", "", "text/html"),
	FILE_IS("x.mp3", "\0\0\0\0", "audio/mpeg"),
	/* A type that has one is not believed to the name. */
	FILE_IS("x.png", "hello", "text/plain"),
	FILE_IS("x.pdf", "\0hello", OCTETS),
	FILE_IS(".svg", "x", "text/plain"),
	FILE_IS("x.", "x", "text/plain"),
	FILE_IS("", "", "text/plain"),
	FILE_IS("x", "\xff\xfeh\0i\0", "text/plain"),
	FILE_IS("x", "\xfe\xff\0h", "text/plain"),
	FILE_IS("x", "a\0b", OCTETS),
	FILE_IS("x", "\0", OCTETS),
};

static void test_mime_types(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		const char *type = kind_mime_type(files[i].name, files[i].first, files[i].len);

		if (!streq(type, files[i].want))
			fail_msg("%zu: %s is told to be %s, not %s", i, files[i].name, type,
				files[i].want);
	}
}

/* Behind what a file has, nothing is looked at. */
static void test_cut_short(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		for (size_t len = 0; len < files[i].len; len++) {
			char *copy = malloc(len + 1);

			assert_non_null(copy);
			memcpy(copy, files[i].first, len);
			assert_non_null(kind_mime_type("x", copy, len));
			free(copy);
		}
	}
	assert_string_equal(kind_mime_type("x", "\x89PNG\r\n\x1a", 7), "text/plain");
}

static void test_tar(void **state)
{
	char block[KIND_LOOK_BYTES] = "name";

	memcpy(block + 257, "ustar", 6);
	assert_string_equal(kind_mime_type("x", block, sizeof(block)), "application/x-tar");
	assert_string_equal(kind_mime_type("x", block, 261), OCTETS);
}

static void test_languages(void **state)
{
	static const char *const known[][2] = { { "a.c", "C" }, { "a/b.py", "Python" },
		{ "X.RS", "Rust" }, { "Makefile", "Makefile" }, { "src/Dockerfile", "Dockerfile" },
		{ "CMakeLists.txt", "CMake" }, { "a.tar.ts", "TypeScript" } };
	static const char *const unknown[] = { "", "a", "a.", ".c", "a.c/b", "c", "a.unknown",
		"py" };

	for (size_t i = 0; i < N_ELEMENTS(known); i++)
		assert_string_equal(kind_language(known[i][0]), known[i][1]);
	for (size_t i = 0; i < N_ELEMENTS(unknown); i++)
		assert_null(kind_language(unknown[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mime_types),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_tar),
		cmocka_unit_test(test_languages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
