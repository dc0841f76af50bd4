/* Tool random_token, and random bytes for the other tools of this worker. */
#include "workers/utils/random.h"

#include <errno.h>
#include <sys/random.h>

#include "shared/base64.h"
#include "workers/common/call.h"
#include "workers/utils/encoding.h"
#include "workers/utils/tools.h"

enum { TOKEN_MAX_BYTES = 1024 };

int random_fill(void *ret, size_t len)
{
	unsigned char *at = ret;

	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

struct random_token_args {
	int64_t bytes;
	const char *encoding;
};

static const char *const token_encodings[] = { "base64url", "base64", "hex", NULL };

static const struct param random_token_params[] = {
	PARAM(random_token_args, bytes, RANGE(1, TOKEN_MAX_BYTES), .def_int = 32,
		.doc = "How many random bytes"),
	PARAM(random_token_args, encoding, .choices = token_encodings, .def_str = "base64url",
		.doc = "How to write them"),
	{ 0 },
};

static int random_token(struct call *call, const void *args)
{
	const struct random_token_args *a = args;
	unsigned char bytes[TOKEN_MAX_BYTES];
	auto_strbuf text = { 0 };
	int r = random_fill(bytes, (size_t)a->bytes);

	if (r < 0)
		return r;
	encoding_encode_bytes(a->encoding, bytes, (size_t)a->bytes, &text);
	explicit_bzero(bytes, sizeof(bytes));
	return call_json(call, json_pack("{s:b, s:s}", "success", 1, "result", strbuf_get(&text)));
}

const struct tool random_tools[] = {
	TOOL(random_token, "Random token", .hints = TOOL_READ_ONLY,
		.doc = "Make a random token or key from the kernel's random numbers, fit for secrets.",
		.out = "success boolean, result string"),
	{ 0 },
};
