/* See jose.h. */
#include "supervisor/front/jose.h"

#include <errno.h>

#include "shared/base64.h"
#include "shared/jspan.h"

static const char *const names[] = {
	[JOSE_UNKNOWN] = "unknown",
	[JOSE_HS256] = "HS256",
	[JOSE_RS256] = "RS256",
	[JOSE_ES256] = "ES256",
};

enum jose_alg jose_alg_find(const char *name)
{
	for (size_t i = JOSE_HS256; i < N_ELEMENTS(names); i++) {
		if (streq(names[i], name))
			return (enum jose_alg)i;
	}
	return JOSE_UNKNOWN;
}

const char *jose_alg_name(enum jose_alg alg)
{
	return names[alg];
}

int jose_decode(struct span text, struct strbuf *ret)
{
	/* Padding is the one thing that base64_decode() would let pass. */
	if (text.len > 0 && memchr(text.at, '=', text.len))
		return -EBADMSG;
	return base64_decode(BASE64_URL, text.at, text.len, ret, NULL);
}

json_t *jose_object(const char *text, size_t len)
{
	json_auto_t *object = NULL;
	struct jspan checked;

	/* Bounds the nesting before anything is built. */
	if (jspan_check(text, len, &checked, NULL) < 0)
		return NULL;
	object = json_loadb(checked.at, checked.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(object))
		return NULL;
	return TAKE(object);
}

const char *jose_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}
