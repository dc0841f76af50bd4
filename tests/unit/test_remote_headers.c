/* The operator's headers: what may stand in the file, who may read it, when it is read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "workers/common/headers.h"

static void test_good(void **unused)
{
	static const char text[] = "# a comment\n\nAuthorization: Bearer a:b c \r\n"
				   "X-Key:\tone\n  X-Other : no\n";
	struct headers headers = { 0 };
	struct fail fail = { 0 };

	/* The last line has a blank before its colon. */
	assert_int_equal(headers_parse(text, sizeof(text) - 1, &headers, &fail), -EINVAL);
	assert_int_equal(fail.line, 5);
	assert_int_equal(headers.n, 0);
	assert_int_equal(
		headers_parse(text, strlen(text) - strlen("  X-Other : no\n"), &headers, &fail), 0);
	assert_int_equal(headers.n, 2);
	assert_string_equal(headers.items[0], "Authorization: Bearer a:b c");
	assert_string_equal(headers.items[1], "X-Key: one");
	headers_done(&headers);
}

static void test_refused(void **unused)
{
	static const char *const texts[] = { "Authorization", ": x", "A B: x", "A: ", "A:\t\t",
		"A: \001", "A: x\177", "host: x", "Content-Length: 1", "CONTENT-TYPE: x",
		"accept: */*", "Accept-Encoding: gzip", "Mcp-Session-Id: x",
		"MCP-Protocol-Version: x", "Mcp-: x", "Transfer-Encoding: chunked", "TE: x",
		"Trailer: x", "Connection: close", "Keep-Alive: x", "Upgrade: h2c",
		"Expect: 100-continue", "Proxy-Authorization: x", "Last-Event-ID: 1",
		"N\xc3\xa9: x" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct headers headers = { 0 };
		struct fail fail = { 0 };

		if (headers_parse(texts[i], strlen(texts[i]), &headers, &fail) != -EINVAL)
			fail_msg("accepted: %s", texts[i]);
		assert_int_equal(headers.n, 0);
		assert_non_null(strstr(fail.text, "line 1 "));
		headers_done(&headers);
	}
}

/* The words are for a log, where secrets never stand. */
static void test_words_hold_no_secret(void **unused)
{
	static const char text[] = "Mcp-Key: s3cret";
	struct headers headers = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(headers_parse(text, sizeof(text) - 1, &headers, &fail), -EINVAL);
	assert_null(strstr(fail.text, "s3cret"));
}

static void test_nul_and_number(void **unused)
{
	static const char nul[] = "A: x\0y";
	struct headers headers = { 0 };
	auto_strbuf many = { 0 };

	assert_int_equal(headers_parse(nul, sizeof(nul) - 1, &headers, NULL), -EINVAL);
	for (int i = 0; i < HEADERS_MAX; i++)
		strbuf_addf(&many, "A%d: x\n", i);
	assert_int_equal(headers_parse(many.data, many.len, &headers, NULL), 0);
	assert_int_equal(headers.n, HEADERS_MAX);
	strbuf_adds(&many, "B: x\n");
	assert_int_equal(headers_parse(many.data, many.len, &headers, NULL), -EINVAL);
	headers_done(&headers);
}

static void test_keys(void **unused)
{
	static const char *const bad[] = { "", " \n", "two words", "a\nb", "t\xc3\xa9", "a\x7f" };
	struct headers headers = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(headers_parse_key(" a-key \r\n\n", 10, &headers, &fail), 0);
	assert_int_equal(headers.n, 1);
	assert_string_equal(headers.items[0], "Authorization: Bearer a-key");
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		assert_int_equal(
			headers_parse_key(bad[i], strlen(bad[i]), &headers, &fail), -EINVAL);
		assert_null(strstr(fail.text, "two"));
	}
	assert_int_equal(headers_parse_key("a\0b", 3, &headers, &fail), -EINVAL);
	assert_string_equal(headers.items[0], "Authorization: Bearer a-key"); /* it stays */
	headers_done(&headers);
}

struct place {
	char dir[64];
	char *path;
};

static void write_file(const char *path, const char *text, mode_t mode)
{
	auto_free char *temporary = alloc_printf("%s.new", path);
	auto_close int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(rename(temporary, path), 0);
}

static int make_place(void **state)
{
	struct place *place = alloc_zero(sizeof(*place));

	memcpy(place->dir, "/tmp/test_remote_headers.XXXXXX", 32);
	if (!mkdtemp(place->dir))
		return -1;
	place->path = alloc_printf("%s/headers", place->dir);
	*state = place;
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;

	(void)unlink(place->path);
	(void)rmdir(place->dir);
	free(place->path);
	free(place);
	return 0;
}

static void test_modes(void **state)
{
	const struct place *place = *state;
	static const mode_t bad[] = { 0644, 0604, 0620, 0666, 0660, 0601, 0610 };
	struct fail fail = { 0 };

	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		struct headers_file file = { .path = place->path, .name = "headers_file" };

		write_file(place->path, "A: x\n", bad[i]);
		assert_int_equal(headers_file_refresh(&file, &fail), -EPERM);
		assert_false(file.is_read);
		headers_file_done(&file);
	}
	for (mode_t mode = 0400; mode <= 0640; mode += 040) {
		struct headers_file file = { .path = place->path, .name = "headers_file" };
		bool is_good = (mode & 077) == 0 || (geteuid() == 0 && (mode & 037) == 0);

		if (!(mode & 0400))
			continue;
		write_file(place->path, "A: x\n", mode);
		assert_int_equal(headers_file_refresh(&file, NULL), is_good ? 0 : -EPERM);
		headers_file_done(&file);
	}
}

static void test_read_again(void **state)
{
	const struct place *place = *state;
	struct headers_file file = { .path = place->path, .name = "headers_file" };
	struct fail fail = { 0 };

	assert_int_equal(headers_file_refresh(&file, &fail), -ENOENT);
	write_file(place->path, "A: one\n", 0600);
	assert_int_equal(headers_file_refresh(&file, &fail), 0);
	assert_string_equal(file.headers.items[0], "A: one");
	write_file(place->path, "A: two\n", 0600);
	assert_int_equal(headers_file_refresh(&file, &fail), 0);
	assert_string_equal(file.headers.items[0], "A: two");
	write_file(place->path, "nonsense\n", 0600); /* what was there holds on */
	assert_int_equal(headers_file_refresh(&file, &fail), -EINVAL);
	assert_string_equal(file.headers.items[0], "A: two");
	assert_int_equal(unlink(place->path), 0);
	assert_int_equal(headers_file_refresh(&file, &fail), -ENOENT);
	assert_int_equal(file.headers.n, 1);
	headers_file_done(&file);
}

static void test_what_is_no_file(void **state)
{
	const struct place *place = *state;
	struct headers_file none = { .path = "", .name = "headers_file" };
	struct headers_file folder = { .path = place->dir, .name = "headers_file" };

	assert_int_equal(headers_file_refresh(&none, NULL), 0);
	assert_int_equal(headers_file_refresh(&folder, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_words_hold_no_secret),
		cmocka_unit_test(test_nul_and_number),
		cmocka_unit_test(test_keys),
		cmocka_unit_test_setup_teardown(test_modes, make_place, remove_place),
		cmocka_unit_test_setup_teardown(test_read_again, make_place, remove_place),
		cmocka_unit_test_setup_teardown(test_what_is_no_file, make_place, remove_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
