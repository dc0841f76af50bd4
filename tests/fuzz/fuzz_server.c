/* The server of a worker: whatever arrives, it answers with lines of JSON-RPC, as many at most as it
 * got lines, and ends at the end of its input. */
#include <sys/mman.h>

#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "shared/rpc.h"
#include "tests/fuzz/fuzz.h"
#include "workers/common/call.h"
#include "workers/common/server.h"

struct fuzz_echo_args {
	const char *text;
	json_t *items;
};

static const struct param items_params[] = {
	{ .name = "key", .doc = "K.", .type = PARAM_STR, .required = true },
	{ 0 },
};

static const struct param fuzz_echo_params[] = {
	PARAM(fuzz_echo_args, text, .required = true, .doc = "T."),
	PARAM(fuzz_echo_args, items, .items = items_params, .doc = "I."),
	{ 0 },
};

static int fuzz_echo(struct call *call, const void *args)
{
	const struct fuzz_echo_args *a = args;

	if (call_stopped(call))
		return call_fail_stopped(call, a->text);
	if (!a->items)
		return call_fail(call, "not_found", "%s", a->text);
	return call_result(call, json_pack("{s:O}", "items", a->items), a->text, strlen(a->text));
}

static const struct tool tools[] = {
	TOOL(fuzz_echo, "Echo", .doc = "E.", .out = "items object[]"),
	{ 0 },
};

static const struct tool *const tables[] = { tools, NULL };

static const char *const renames[] = { "message", "text", "items[].name", "items[].key", NULL };

static const struct tool_alias aliases[] = {
	{ .name = "say", .tool = "fuzz_echo", .renames = renames },
	{ .name = "fixed", .tool = "fuzz_echo", .fixed = "{\"text\":\"x\"}" },
	{ 0 },
};

static const struct worker_desc desc = { .name = "fuzz", .tools = tables, .aliases = aliases };

static void check_answers(const char *text, size_t len, size_t n_lines)
{
	size_t n = 0;

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		struct rpc rpc;
		const char *why;

		CHECK(end);
		CHECK(rpc_parse(text, (size_t)(end - text), &rpc, &why) == 0);
		CHECK(rpc.kind == RPC_RESULT || rpc.kind == RPC_ERROR);
		len -= (size_t)(end - text) + 1;
		text = end + 1;
		n++;
	}
	CHECK(n <= n_lines);
}

static size_t count_lines(const uint8_t *data, size_t size)
{
	size_t n = 1;

	for (size_t i = 0; i < size; i++)
		n += data[i] == '\n';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct settings settings = { .max_result_bytes = 64 * KIB,
		.call_timeout_ms = 60000,
		.aliases = "listed",
		.federation_prefix = "p" };
	auto_(server_freep) struct server *server = NULL;
	auto_close int in_fd = memfd_create("in", MFD_CLOEXEC);
	auto_close int out_fd = memfd_create("out", MFD_CLOEXEC);
	auto_free char *answers = NULL;
	off_t len;

	log_init("fuzz", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	CHECK(in_fd >= 0 && out_fd >= 0 && fd_write_all(in_fd, data, size) == 0);
	CHECK(lseek(in_fd, 0, SEEK_SET) == 0);
	server = server_new(&desc, &settings, in_fd, out_fd);
	server_run(server);

	len = lseek(out_fd, 0, SEEK_END);
	CHECK(len >= 0);
	answers = alloc_zero((size_t)len);
	CHECK(pread(out_fd, answers, (size_t)len, 0) == len);
	check_answers(answers, (size_t)len, count_lines(data, size));
	return 0;
}
