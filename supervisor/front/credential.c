/* See credential.h. */
#include "supervisor/front/credential.h"

#include "shared/ascii.h"

static struct credential malformed(const char *why)
{
	return (struct credential){ .kind = CREDENTIAL_MALFORMED, .why = why };
}

/* token68 of RFC 9110 11.2, which keys and tokens are both made of. */
static bool is_token68(struct span text)
{
	static const char others[] = "-._~+/";
	size_t len = text.len;

	while (len > 0 && text.at[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++)
		if (!ascii_is_letter(text.at[i]) && !ascii_is_digit(text.at[i]) &&
			!memchr(others, text.at[i], sizeof(others) - 1))
			return false;
	return len > 0;
}

static struct credential read_bearer(struct span value)
{
	static const char scheme[] = "Bearer";
	size_t at = 0;

	while (at < value.len && value.at[at] != ' ' && value.at[at] != '\t')
		at++;
	if (!span_is_nocase((struct span){ .at = value.at, .len = at }, scheme))
		return (struct credential){ .kind = CREDENTIAL_FOREIGN,
			.why = "only Authorization: Bearer and X-API-Key are taken" };
	while (at < value.len && value.at[at] == ' ')
		at++;
	value = (struct span){ .at = value.at + at, .len = value.len - at };
	if (!is_token68(value))
		return malformed("Authorization: Bearer must be followed by one key or token");
	return (struct credential){ .kind = CREDENTIAL_SHOWN, .text = value, .is_bearer = true };
}

static struct credential read_api_key(struct span value)
{
	if (!is_token68(value))
		return malformed("X-API-Key must be one key");
	return (struct credential){ .kind = CREDENTIAL_SHOWN, .text = value };
}

struct credential credential_find(const struct http1_request *req)
{
	size_t n_bearers;
	size_t n_keys;
	struct span authorization = http1_header(req, "authorization", &n_bearers);
	struct span api_key = http1_header(req, "x-api-key", &n_keys);
	struct credential bearer;
	struct credential key;

	if (n_bearers > 1 || n_keys > 1)
		return malformed("Authorization or X-API-Key comes twice");
	if (n_bearers == 0 && n_keys == 0)
		return (struct credential){ .kind = CREDENTIAL_NONE };
	bearer = n_bearers ? read_bearer(authorization) : (struct credential){ 0 };
	key = n_keys ? read_api_key(api_key) : (struct credential){ 0 };
	if (n_keys == 0 || bearer.kind == CREDENTIAL_MALFORMED)
		return bearer;
	if (n_bearers == 0 || key.kind == CREDENTIAL_MALFORMED)
		return key;
	if (bearer.kind == CREDENTIAL_SHOWN && bearer.text.len == key.text.len &&
		memcmp(bearer.text.at, key.text.at, key.text.len) == 0)
		return bearer;
	return malformed("Authorization and X-API-Key are two different credentials: send one");
}
