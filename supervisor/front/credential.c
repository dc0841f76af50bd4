/* See credential.h. */
#include "supervisor/front/credential.h"

#include "shared/ascii.h"
#include "shared/base64.h"

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
	if (!is_token68(value))
		return malformed("Authorization: Bearer must be followed by one key or token");
	return (struct credential){ .kind = CREDENTIAL_SHOWN, .text = value, .is_bearer = true };
}

static struct credential read_authorization(struct span value)
{
	struct credential other = { .kind = CREDENTIAL_FOREIGN,
		.why = "only Authorization: Bearer and X-API-Key are taken" };
	struct span scheme = { .at = value.at };

	while (scheme.len < value.len && value.at[scheme.len] != ' ' &&
		value.at[scheme.len] != '\t')
		scheme.len++;
	value = (struct span){ .at = value.at + scheme.len, .len = value.len - scheme.len };
	while (value.len > 0 && *value.at == ' ')
		value = (struct span){ .at = value.at + 1, .len = value.len - 1 };
	if (span_is_nocase(scheme, "Bearer"))
		return read_bearer(value);
	if (span_is_nocase(scheme, "Basic")) {
		other.kind = CREDENTIAL_LOGIN;
		other.text = value;
	}
	return other;
}

static struct credential read_api_key(struct span value)
{
	if (!is_token68(value))
		return malformed("X-API-Key must be one key");
	return (struct credential){ .kind = CREDENTIAL_SHOWN, .text = value };
}

struct credential credential_find(const struct http1_request *req)
{
	size_t n_shown;
	size_t n_keys;
	struct span authorization = http1_header(req, "authorization", &n_shown);
	struct span api_key = http1_header(req, "x-api-key", &n_keys);
	struct credential shown;
	struct credential key;

	if (n_shown > 1 || n_keys > 1)
		return malformed("Authorization or X-API-Key comes twice");
	if (n_shown == 0 && n_keys == 0)
		return (struct credential){ .kind = CREDENTIAL_NONE };
	shown = n_shown ? read_authorization(authorization) : (struct credential){ 0 };
	key = n_keys ? read_api_key(api_key) : (struct credential){ 0 };
	if (n_keys == 0 || shown.kind == CREDENTIAL_MALFORMED)
		return shown;
	if (n_shown == 0 || key.kind == CREDENTIAL_MALFORMED)
		return key;
	if (shown.kind == CREDENTIAL_SHOWN && shown.text.len == key.text.len &&
		memcmp(shown.text.at, key.text.at, key.text.len) == 0)
		return shown;
	return malformed("Authorization and X-API-Key are two different credentials: send one");
}

bool credential_read_login(struct span text, struct strbuf *buf, struct span *ret)
{
	const char *colon;

	if (base64_decode(BASE64_PLAIN, text.at, text.len, buf, NULL) < 0 || buf->len == 0)
		return false;
	colon = memchr(buf->data, ':', buf->len);
	if (!colon)
		return false;
	*ret = (struct span){ .at = colon + 1, .len = buf->len - (size_t)(colon + 1 - buf->data) };
	return true;
}
