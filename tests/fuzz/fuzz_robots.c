/* robots.txt and the headers of answers: any bytes are read, and end. The first line is the path that is
 * asked for. */
#include "tests/fuzz/fuzz.h"
#include "workers/network/response.h"
#include "workers/network/robots.h"

static void check_robots(const char *path, const char *text, size_t len)
{
	struct robots *robots = robots_parse(text, len, "mcp-fleet");

	(void)robots_allow(robots, path);
	robots_free(robots);
}

static void check_response(const char *text, size_t len)
{
	auto_response response = { 0 };
	const char *end = text + len;
	const char *name = NULL;
	const char *value = NULL;
	size_t name_len = 0;
	size_t cursor = 0;

	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t line = stop ? (size_t)(stop + 1 - text) : (size_t)(end - text);

		response_add_line(&response, text, line);
		CHECK(response_line_codings(text, line) <= line);
		text += line;
	}
	while (response_next_header(&response, &cursor, &name, &name_len, &value)) {
		CHECK(name_len > 0 && value > name + name_len);
		CHECK(value <= response.head.data + response.head.len);
		for (const char *at = value; *at; at++)
			CHECK((unsigned char)*at >= ' ' && *at != 0x7f);
	}
	CHECK(strlen(response_reason(&response)) <= response.head.len);
	(void)response_header(&response, "Location");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *bytes = fuzz_copy(data, size);
	const char *stop = memchr(bytes, '\n', size);
	size_t path_len = stop ? (size_t)(stop - bytes) : size;
	auto_free char *path = alloc_mem(bytes, path_len);

	check_robots(path, bytes + path_len, size - path_len);
	check_response(bytes, size);
	return 0;
}
