/* A root as a client tells it, a URI: what is taken for a path is an absolute one and a text, no longer than it
 * came, and whatever is none adds nothing. */
#include "shared/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "workers/filesystem/client_roots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = alloc_mem(data, size);
	auto_strbuf path = { 0 };

	if (!client_roots_read_uri(text, size, &path)) {
		CHECK(path.len == 0);
		return 0;
	}
	CHECK(path.len > 0 && path.data[0] == '/');
	CHECK(path.len <= size);
	CHECK(strlen(path.data) == path.len && utf8_valid(path.data, path.len));
	CHECK(memchr(text, '%', size) || memcmp(text + size - path.len, path.data, path.len) == 0);
	return 0;
}
