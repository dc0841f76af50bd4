/* See kind.h. The magic numbers are those of the formats' own specifications. */
#include "workers/filesystem/kind.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "shared/cleanup.h"

struct pattern {
	size_t at;
	const char *bytes;
	size_t len;
};

#define BYTES(offset, text)                                                                        \
	{                                                                                          \
		(offset), (text), sizeof(text) - 1                                                 \
	}

/* Both patterns must fit; the first row that fits counts. */
static const struct {
	struct pattern first;
	struct pattern second;
	const char *mime_type;
} magics[] = {
	{ BYTES(0, "\x89PNG\r\n\x1a\n"), { 0 }, "image/png" },
	{ BYTES(0, "\xff\xd8\xff"), { 0 }, "image/jpeg" },
	{ BYTES(0, "GIF87a"), { 0 }, "image/gif" },
	{ BYTES(0, "GIF89a"), { 0 }, "image/gif" },
	{ BYTES(0, "RIFF"), BYTES(8, "WEBP"), "image/webp" },
	{ BYTES(0, "BM"), BYTES(6, "\0\0\0\0"), "image/bmp" },
	{ BYTES(0, "II*\0"), { 0 }, "image/tiff" },
	{ BYTES(0, "MM\0*"), { 0 }, "image/tiff" },
	{ BYTES(4, "ftypavi"), { 0 }, "image/avif" }, /* avif, avis */
	{ BYTES(4, "ftyphei"), { 0 }, "image/heic" }, /* heic, heix */
	{ BYTES(4, "ftypmif1"), { 0 }, "image/heif" },
	{ BYTES(0, "\0\0\1\0"), { 0 }, "image/x-icon" },
	{ BYTES(0, "\0\0\0\x0cJXL \r\n\x87\n"), { 0 }, "image/jxl" },
	{ BYTES(0, "\xff\x0a"), { 0 }, "image/jxl" },

	{ BYTES(0, "RIFF"), BYTES(8, "WAVE"), "audio/wav" },
	{ BYTES(0, "FORM"), BYTES(8, "AIFF"), "audio/aiff" },
	{ BYTES(0, "OggS"), { 0 }, "audio/ogg" },
	{ BYTES(0, "fLaC"), { 0 }, "audio/flac" },
	{ BYTES(0, "ID3"), { 0 }, "audio/mpeg" },
	{ BYTES(0, "\xff\xfb"), { 0 }, "audio/mpeg" },
	{ BYTES(0, "\xff\xfa"), { 0 }, "audio/mpeg" },
	{ BYTES(0, "\xff\xf3"), { 0 }, "audio/mpeg" },
	{ BYTES(0, "\xff\xf2"), { 0 }, "audio/mpeg" },
	{ BYTES(0, "\xff\xf1"), { 0 }, "audio/aac" },
	{ BYTES(0, "\xff\xf9"), { 0 }, "audio/aac" },
	{ BYTES(0, "MThd\0\0\0\6"), { 0 }, "audio/midi" },
	{ BYTES(4, "ftypM4A"), { 0 }, "audio/mp4" },

	{ BYTES(4, "ftypqt  "), { 0 }, "video/quicktime" },
	{ BYTES(4, "ftyp"), { 0 }, "video/mp4" },
	{ BYTES(0, "RIFF"), BYTES(8, "AVI "), "video/x-msvideo" },

	{ BYTES(0, "%PDF-"), { 0 }, "application/pdf" },
	{ BYTES(0, "\x1f\x8b\x08"), { 0 }, "application/gzip" },
	{ BYTES(0, "BZh"), BYTES(4, "1AY&SY"), "application/x-bzip2" },
	{ BYTES(0, "\xfd"
		   "7zXZ\0"),
		{ 0 }, "application/x-xz" },
	{ BYTES(0, "\x28\xb5\x2f\xfd"), { 0 }, "application/zstd" },
	{ BYTES(0, "7z\xbc\xaf\x27\x1c"), { 0 }, "application/x-7z-compressed" },
	{ BYTES(257, "ustar"), { 0 }, "application/x-tar" },
	{ BYTES(0, "wOFF"), { 0 }, "font/woff" },
	{ BYTES(0, "wOF2"), { 0 }, "font/woff2" },
	{ BYTES(0, "OTTO\0"), { 0 }, "font/otf" },
	{ BYTES(0, "\0\1\0\0\0"), { 0 }, "font/ttf" },
	{ BYTES(0, "\0asm"), { 0 }, "application/wasm" },
	{ BYTES(0, "\x7f"
		   "ELF"),
		{ 0 }, "application/x-elf" },
	{ BYTES(0, "SQLite format 3\0"), { 0 }, "application/vnd.sqlite3" },
	{ BYTES(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), { 0 }, "application/x-ole-storage" },
};

/* Containers: the same first bytes for several types, which the name tells apart. */
static const char zip_magic[] = "PK\3\4";
static const char zip_empty_magic[] = "PK\5\6";
static const char matroska_magic[] = "\x1a\x45\xdf\xa3";

struct by_name {
	const char *extension; /* or a whole name */
	const char *is;
};

static const struct by_name zip_types[] = {
	{ "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
	{ "epub", "application/epub+zip" },
	{ "jar", "application/java-archive" },
	{ "odp", "application/vnd.oasis.opendocument.presentation" },
	{ "ods", "application/vnd.oasis.opendocument.spreadsheet" },
	{ "odt", "application/vnd.oasis.opendocument.text" },
	{ "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation" },
	{ "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" },
	{ NULL, "application/zip" },
};

/* Only of types that have no magic number, or not always one. */
static const struct by_name types[] = {
	{ "aac", "audio/aac" },
	{ "css", "text/css" },
	{ "csv", "text/csv" },
	{ "htm", "text/html" },
	{ "html", "text/html" },
	{ "js", "text/javascript" },
	{ "json", "application/json" },
	{ "md", "text/markdown" },
	{ "mjs", "text/javascript" },
	{ "mp3", "audio/mpeg" },
	{ "mpeg", "video/mpeg" },
	{ "mpg", "video/mpeg" },
	{ "svg", "image/svg+xml" },
	{ "toml", "application/toml" },
	{ "txt", "text/plain" },
	{ "xhtml", "application/xhtml+xml" },
	{ "xml", "application/xml" },
	{ "yaml", "application/yaml" },
	{ "yml", "application/yaml" },
	{ NULL, NULL },
};

static const struct by_name languages[] = {
	{ "asm", "Assembly" },
	{ "bash", "Shell" },
	{ "bat", "Batch" },
	{ "c", "C" },
	{ "cc", "C++" },
	{ "clj", "Clojure" },
	{ "CMakeLists.txt", "CMake" },
	{ "cmake", "CMake" },
	{ "cpp", "C++" },
	{ "cs", "C#" },
	{ "css", "CSS" },
	{ "cxx", "C++" },
	{ "dart", "Dart" },
	{ "Dockerfile", "Dockerfile" },
	{ "erl", "Erlang" },
	{ "ex", "Elixir" },
	{ "exs", "Elixir" },
	{ "f90", "Fortran" },
	{ "fs", "F#" },
	{ "go", "Go" },
	{ "h", "C" },
	{ "hh", "C++" },
	{ "hpp", "C++" },
	{ "hs", "Haskell" },
	{ "htm", "HTML" },
	{ "html", "HTML" },
	{ "ini", "INI" },
	{ "java", "Java" },
	{ "jl", "Julia" },
	{ "js", "JavaScript" },
	{ "json", "JSON" },
	{ "jsx", "JavaScript" },
	{ "kt", "Kotlin" },
	{ "lisp", "Lisp" },
	{ "lua", "Lua" },
	{ "m", "Objective-C" },
	{ "Makefile", "Makefile" },
	{ "md", "Markdown" },
	{ "mjs", "JavaScript" },
	{ "mk", "Makefile" },
	{ "ml", "OCaml" },
	{ "nim", "Nim" },
	{ "php", "PHP" },
	{ "pl", "Perl" },
	{ "pm", "Perl" },
	{ "proto", "Protocol Buffers" },
	{ "ps1", "PowerShell" },
	{ "py", "Python" },
	{ "pyi", "Python" },
	{ "r", "R" },
	{ "rb", "Ruby" },
	{ "rs", "Rust" },
	{ "rst", "reStructuredText" },
	{ "s", "Assembly" },
	{ "scala", "Scala" },
	{ "sh", "Shell" },
	{ "sql", "SQL" },
	{ "swift", "Swift" },
	{ "tex", "TeX" },
	{ "toml", "TOML" },
	{ "ts", "TypeScript" },
	{ "tsx", "TypeScript" },
	{ "vb", "Visual Basic" },
	{ "vue", "Vue" },
	{ "xml", "XML" },
	{ "yaml", "YAML" },
	{ "yml", "YAML" },
	{ "zig", "Zig" },
	{ "zsh", "Shell" },
	{ NULL, NULL },
};

static bool begins(struct pattern pattern, const char *first, size_t len)
{
	return len >= pattern.at && pattern.len <= len - pattern.at &&
	       (pattern.len == 0 || memcmp(first + pattern.at, pattern.bytes, pattern.len) == 0);
}

/* The row of the table for this name; the last one when there is none. */
static const char *look_up(const struct by_name *table, const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	const char *dot = strrchr(base, '.');
	/* ".c" is a hidden file called c. */
	const char *extension = dot && dot > base ? dot + 1 : "";

	for (; table->extension; table++)
		if (streq(table->extension, base) || strcasecmp(table->extension, extension) == 0)
			break;
	return table->is;
}

/* A WebM file names its kind in its header. */
static const char *matroska_type(const char *first, size_t len)
{
	return memmem(first, len < 64 ? len : 64, "webm", 4) ? "video/webm" : "video/x-matroska";
}

static const char *by_magic(const char *name, const char *first, size_t len)
{
	for (size_t i = 0; i < N_ELEMENTS(magics); i++)
		if (begins(magics[i].first, first, len) && begins(magics[i].second, first, len))
			return magics[i].mime_type;
	if (begins((struct pattern)BYTES(0, zip_magic), first, len) ||
		begins((struct pattern)BYTES(0, zip_empty_magic), first, len))
		return look_up(zip_types, name);
	if (begins((struct pattern)BYTES(0, matroska_magic), first, len))
		return matroska_type(first, len);
	return NULL;
}

const char *kind_mime_type(const char *name, const void *first, size_t len)
{
	static const char utf16_marks[2][2] = { { '\xff', '\xfe' }, { '\xfe', '\xff' } };
	const char *type = by_magic(name, first, len);

	if (!type)
		type = look_up(types, name);
	if (type)
		return type;
	if (len >= 2 &&
		(memcmp(first, utf16_marks[0], 2) == 0 || memcmp(first, utf16_marks[1], 2) == 0))
		return "text/plain";
	return len == 0 || !memchr(first, '\0', len) ? "text/plain" : "application/octet-stream";
}

const char *kind_language(const char *name)
{
	return look_up(languages, name);
}
