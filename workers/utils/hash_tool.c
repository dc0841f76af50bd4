/* Tool hash_compute. */
#include "shared/base64.h"
#include "shared/limits.h"
#include "workers/common/call.h"
#include "workers/common/digest.h"
#include "workers/utils/encoding.h"
#include "workers/utils/tools.h"

enum {
	TEXT_MAX_CHARS = 1 * MIB,
	BASE64_MAX_CHARS = 1398104, /* of 1 MiB */
};

struct hash_compute_args {
	const char *text;
	const char *data_base64;
	const char *algorithm;
};

static const struct param hash_compute_params[] = {
	PARAM(hash_compute_args, text, AT_MOST(TEXT_MAX_CHARS), .doc = "Text, hashed as UTF-8"),
	PARAM(hash_compute_args, data_base64, AT_MOST(BASE64_MAX_CHARS),
		.doc = "Bytes instead of text, as base64"),
	PARAM(hash_compute_args, algorithm, .choices = digest_names, .def_str = "sha256",
		.doc = "Algorithm; md5, sha1 and crc32 do not protect from forgery"),
	{ 0 },
};

static int answer_hash(
	struct call *call, const struct hash_compute_args *a, const void *bytes, size_t len)
{
	uint8_t digest[DIGEST_MAX_BYTES];
	auto_strbuf hex = { 0 };
	size_t n = 0;

	if (digest_compute(a->algorithm, bytes, len, digest, &n) < 0)
		return call_fail(call, "invalid_argument",
			"this system's cryptographic policy does not allow %s. Choose sha256.",
			a->algorithm);
	encoding_encode_bytes("hex", digest, n, &hex);
	return call_json(
		call, json_pack("{s:b, s:s, s:s, s:I}", "success", 1, "result", strbuf_get(&hex),
			      "algorithm", a->algorithm, "bytes", (json_int_t)len));
}

static int hash_compute(struct call *call, const void *args)
{
	const struct hash_compute_args *a = args;
	auto_strbuf bytes = { 0 };
	size_t wrong = 0;

	if (!a->text == !a->data_base64)
		return call_fail(call, "invalid_argument",
			"'text' and 'data_base64' are given both, or none of them. Give exactly one.");
	if (a->text)
		return answer_hash(call, a, a->text, strlen(a->text));
	if (base64_decode(BASE64_PLAIN, a->data_base64, strlen(a->data_base64), &bytes, &wrong) < 0)
		return call_fail(call, "invalid_argument",
			"'data_base64' is no base64: character %zu is wrong or missing. Correct it, or give 'text'.",
			encoding_position(a->data_base64, wrong));
	return answer_hash(call, a, strbuf_get(&bytes), bytes.len);
}

const struct tool hash_tools[] = {
	TOOL(hash_compute, "Hash", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Compute the hash of text or bytes, in hexadecimal digits. Exactly one of text "
		       "and data_base64 must be given.",
		.out = "success boolean, result string, algorithm string, bytes integer"),
	{ 0 },
};
