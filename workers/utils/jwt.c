/* Tool jwt_decode. See jwt.h. */
#include "workers/utils/jwt.h"

#include <errno.h>

#include "shared/base64.h"
#include "workers/common/call.h"
#include "workers/utils/tools.h"

enum {
	TOKEN_MAX_CHARS = 65536,
	MAX_DEPTH =
		100, /* claims are flat; what follows is passed on inside a message of our own */
};

/* Whether arrays and objects in `value` are nested more than `levels` deep. */
static bool is_deeper(json_t *value, int levels)
{
	json_t *member;
	const char *name;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value))
		return false;
	if (levels == 0)
		return true;
	json_array_foreach(value, i, member) {
		if (is_deeper(member, levels - 1))
			return true;
	}
	json_object_foreach(value, name, member) {
		if (is_deeper(member, levels - 1))
			return true;
	}
	return false;
}

/* Decodes one part. `name` is for the words of a failure. */
static int read_part(
	const char *part, size_t len, const char *name, json_t **ret, struct fail *fail)
{
	auto_strbuf text = { 0 };
	json_auto_t *json = NULL;
	json_error_t error;
	size_t wrong = 0;

	if (base64_decode(BASE64_URL, part, len, &text, &wrong) < 0)
		return fail_set(fail, -EINVAL,
			"the %s is no base64url: its character %zu is wrong or missing", name,
			wrong + 1);
	json = json_loadb(strbuf_get(&text), text.len, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		return fail_set(fail, -EINVAL, "the %s is no JSON object: %s, at its byte %d", name,
			error.text, error.position);
	if (is_deeper(json, MAX_DEPTH))
		return fail_set(fail, -EINVAL, "the %s has more than %d levels", name, MAX_DEPTH);
	if (!json_is_object(json))
		return fail_set(fail, -EINVAL, "the %s is JSON, but no object", name);
	*ret = TAKE(json);
	return 0;
}

int jwt_read(const char *token, json_t **ret_header, json_t **ret_payload, struct fail *fail)
{
	const char *first = strchr(token, '.');
	const char *second = first ? strchr(first + 1, '.') : NULL;
	json_auto_t *header = NULL;
	json_auto_t *payload = NULL;
	auto_strbuf signature = { 0 };
	int r;

	if (!second || strchr(second + 1, '.'))
		return fail_set(fail, -EINVAL,
			"a token has three parts with points between them: header, payload, "
			"signature");
	r = read_part(token, (size_t)(first - token), "header", &header, fail);
	if (r < 0)
		return r;
	r = read_part(first + 1, (size_t)(second - first - 1), "payload", &payload, fail);
	if (r < 0)
		return r;
	if (base64_decode(BASE64_URL, second + 1, strlen(second + 1), &signature, NULL) < 0)
		return fail_set(fail, -EINVAL, "the signature is no base64url");
	*ret_header = TAKE(header);
	*ret_payload = TAKE(payload);
	return 0;
}

struct jwt_decode_args {
	const char *token;
};

static const struct param jwt_decode_params[] = {
	PARAM(jwt_decode_args, token, .required = true, RANGE(3, TOKEN_MAX_CHARS),
		.doc = "Token: three parts with points between them"),
	{ 0 },
};

static int jwt_decode(struct call *call, const void *args)
{
	const struct jwt_decode_args *a = args;
	json_t *header = NULL;
	json_t *payload = NULL;
	struct fail fail = { 0 };

	if (jwt_read(a->token, &header, &payload, &fail) < 0)
		return call_fail(call, "invalid_argument",
			"%s. Give the whole token, without Bearer in front.", fail.text);
	return call_json(call, json_pack("{s:b, s:o, s:o, s:b}", "success", 1, "header", header,
				       "payload", payload, "signature_checked", 0));
}

const struct tool jwt_tools[] = {
	TOOL(jwt_decode, "Parts of a JWT", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Show header and payload of a JSON Web Token. The signature is not checked, so "
		       "do not trust what it says.",
		.out = "success boolean, header object, payload object, signature_checked boolean"),
	{ 0 },
};
