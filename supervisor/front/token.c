/* See token.h. The order matters: form, key, signature, and only then the claims, so that who cannot sign learns
 * nothing about what is asked of a token. */
#include "supervisor/front/token.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/quote.h"

enum {
	PARTS = 3,
	MAX_NAME_BYTES = 1024, /* of sub, client_id, azp */
};

/* NumericDate beyond this (the year 9999) is nonsense. */
static const int64_t max_date_s = INT64_C(253402300799);

/* A token on its way through the checks. */
struct check {
	const struct token_rules *rules;
	int64_t now_s;
	struct span parts[PARTS]; /* header, payload, signature, as they are written */
	struct span signed_text;
	json_t *header;
	json_t *payload;
	struct token_claims *claims;
	struct fail *fail;
};

/* --- form ---------------------------------------------------------------------------------------- */

/* The parts between the points; false: there are not three. */
static bool split(const char *text, size_t len, struct span ret[PARTS])
{
	const char *end = text + len;

	for (int i = 0; i < PARTS; i++) {
		const char *point = memchr(text, '.', (size_t)(end - text));
		const char *stop = point ? point : end;

		if (!point != (i == PARTS - 1))
			return false;
		ret[i] = (struct span){ .at = text, .len = (size_t)(stop - text) };
		if (point)
			text = point + 1;
	}
	return true;
}

bool token_is_jwt(const char *text, size_t len)
{
	struct span parts[PARTS];

	return len > 0 && split(text, len, parts) && parts[0].len > 0 && parts[1].len > 0;
}

static json_t *read_part(struct span part)
{
	auto_strbuf bytes = { 0 };

	if (jose_decode(part, &bytes) < 0)
		return NULL;
	return jose_object(strbuf_get(&bytes), bytes.len);
}

static enum token_verdict malformed(const struct check *c, const char *why)
{
	(void)fail_set(c->fail, -EINVAL, "%s", why);
	return TOKEN_MALFORMED;
}

static enum token_verdict check_form(struct check *c, const char *text, size_t len)
{
	if (len > TOKEN_MAX_BYTES)
		return malformed(c, "it has more than 8192 bytes");
	if (len == 0 || !split(text, len, c->parts))
		return malformed(c, "it has not three parts with points between them");
	c->header = read_part(c->parts[0]);
	if (!c->header)
		return malformed(
			c, "its header is no base64url of one JSON object without doubles");
	c->signed_text = (struct span){ .at = text, .len = len - c->parts[2].len - 1 };
	return TOKEN_OK;
}

/* --- header -------------------------------------------------------------------------------------- */

/* A JWT, or an access token; and not what is signed with the same keys for another purpose (RFC 8725 3.11, 3.12). */
static bool is_known_type(const json_t *type)
{
	static const char *const types[] = { "JWT", "at+jwt", "application/jwt",
		"application/at+jwt" };

	for (size_t i = 0; json_is_string(type) && i < N_ELEMENTS(types); i++) {
		if (strcasecmp(json_string_value(type), types[i]) == 0)
			return true;
	}
	return !type;
}

static enum token_verdict check_header(struct check *c)
{
	const json_t *kid = json_object_get(c->header, "kid");

	if (json_object_get(c->header, "crit") || json_object_get(c->header, "b64"))
		return malformed(c, "its header has crit or b64, which are not supported");
	if (!jose_text(c->header, "alg"))
		return malformed(c, "its header has no alg");
	if (kid && (!json_is_string(kid) || json_string_length(kid) > JWKS_MAX_KID))
		return malformed(c, "its kid is no text of at most 256 bytes");
	if (!is_known_type(json_object_get(c->header, "typ")))
		return malformed(c, "its typ is neither JWT nor at+jwt");
	return TOKEN_OK;
}

/* --- signature ----------------------------------------------------------------------------------- */

static enum token_verdict fail_key(const struct check *c)
{
	char alg[QUOTE_SIZE];
	char kid[QUOTE_SIZE];
	const char *name = jose_text(c->header, "kid");

	(void)fail_set(c->fail, -ENOKEY, "there is no key for alg %s and %s%s",
		quote(alg, jose_text(c->header, "alg")), name ? "kid " : "no kid",
		name ? quote(kid, name) : "");
	return TOKEN_UNKNOWN_KEY;
}

static enum token_verdict check_signature(struct check *c)
{
	enum jose_alg alg = jose_alg_find(jose_text(c->header, "alg"));
	const struct jwks_key *key;
	auto_strbuf signature = { 0 };

	if (alg == JOSE_UNKNOWN)
		return malformed(c, "its alg is none of HS256, RS256, ES256");
	if (jose_decode(c->parts[2], &signature) < 0 || signature.len == 0)
		return malformed(c, "its signature is missing or no base64url");
	key = jwks_find(c->rules->keys, alg, jose_text(c->header, "kid"));
	if (!key)
		return fail_key(c);
	if (!jwks_verify(key, c->signed_text,
		    (struct span){ .at = signature.data, .len = signature.len })) {
		(void)fail_set(c->fail, -EKEYREJECTED, "its signature is wrong");
		return TOKEN_BAD_SIGNATURE;
	}
	c->payload = read_part(c->parts[1]);
	if (!c->payload)
		return malformed(
			c, "its payload is no base64url of one JSON object without doubles");
	return TOKEN_OK;
}

/* --- claims -------------------------------------------------------------------------------------- */

/* A NumericDate: seconds, which may have a fraction. False: it is something else. */
static bool get_date(const json_t *value, int64_t *ret)
{
	double number = json_number_value(value);

	if (!json_is_number(value) || !(number >= 0) || number > (double)max_date_s)
		return false;
	*ret = (int64_t)number;
	return true;
}

/* A date that may be missing, and is then 0. */
static bool get_past_date(const struct check *c, const char *name, int64_t *ret)
{
	const json_t *value = json_object_get(c->payload, name);

	*ret = 0;
	return !value || get_date(value, ret);
}

static enum token_verdict check_times(struct check *c)
{
	int64_t leeway_s = c->rules->leeway_s;
	int64_t expires_s;
	int64_t not_before_s;
	int64_t issued_s;

	if (!get_date(json_object_get(c->payload, "exp"), &expires_s))
		return malformed(c, "it has no exp, or one that is no time");
	if (!get_past_date(c, "nbf", &not_before_s) || !get_past_date(c, "iat", &issued_s))
		return malformed(c, "its nbf or iat is no time");
	if (c->now_s >= expires_s + leeway_s) {
		(void)fail_set(c->fail, -EKEYEXPIRED, "it expired %lld s ago",
			(long long)(c->now_s - expires_s));
		return TOKEN_EXPIRED;
	}
	if (c->now_s < not_before_s - leeway_s || c->now_s < issued_s - leeway_s) {
		(void)fail_set(c->fail, -EKEYREJECTED, "its nbf or iat lies %lld s ahead",
			(long long)((not_before_s > issued_s ? not_before_s : issued_s) -
				    c->now_s));
		return TOKEN_NOT_YET;
	}
	c->claims->expires_s = expires_s + leeway_s;
	return TOKEN_OK;
}

static enum token_verdict check_issuer(struct check *c)
{
	const char *issuer = jose_text(c->payload, "iss");
	char quoted[QUOTE_SIZE];

	if (issuer && streq(issuer, c->rules->issuer))
		return TOKEN_OK;
	(void)fail_set(c->fail, -EKEYREJECTED, "its iss is %s, not auth.issuer",
		issuer ? quote(quoted, issuer) : "missing");
	return TOKEN_WRONG_ISSUER;
}

static bool is_audience(const struct check *c, const json_t *value)
{
	const struct conf_strs *list = c->rules->audience;

	for (size_t i = 0; json_is_string(value) && i < list->n; i++) {
		if (streq(json_string_value(value), list->items[i]))
			return true;
	}
	return false;
}

static enum token_verdict check_audience(struct check *c)
{
	const json_t *audience = json_object_get(c->payload, "aud");
	const json_t *one;
	size_t i;
	char quoted[QUOTE_SIZE];

	if (json_array_size(audience) > TOKEN_MAX_AUDIENCES)
		return malformed(c, "its aud has more than 64 entries");
	if (is_audience(c, audience))
		return TOKEN_OK;
	json_array_foreach(audience, i, one) {
		if (is_audience(c, one))
			return TOKEN_OK;
	}
	one = json_is_array(audience) ? json_array_get(audience, 0) : audience;
	(void)fail_set(c->fail, -EKEYREJECTED, "its aud, %s, is not in auth.audience",
		json_is_string(one) ? quote(quoted, json_string_value(one)) : "missing");
	return TOKEN_WRONG_AUDIENCE;
}

static bool has_scope(const struct conf_strs *scopes, const char *text, size_t len)
{
	for (size_t i = 0; i < scopes->n; i++) {
		if (strlen(scopes->items[i]) == len && memcmp(scopes->items[i], text, len) == 0)
			return true;
	}
	return false;
}

/* False: there are too many. */
static bool add_scope(struct conf_strs *scopes, const char *text, size_t len)
{
	if (len == 0 || has_scope(scopes, text, len))
		return true;
	if (scopes->n == TOKEN_MAX_SCOPES)
		return false;
	scopes->items = alloc_resize(scopes->items, scopes->n + 1, sizeof(*scopes->items));
	scopes->items[scopes->n++] = alloc_mem(text, len);
	return true;
}

/* Texts with blanks between them; false: too many. */
static bool add_scopes(struct conf_strs *scopes, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (!add_scope(scopes, text, len))
			return false;
		text += len;
		text += strspn(text, " ");
	}
	return true;
}

/* A text with blanks, or a list of texts; false: something else, or too many. */
static bool read_scopes(struct conf_strs *scopes, const json_t *value)
{
	const json_t *one;
	size_t i;

	if (json_is_string(value))
		return add_scopes(scopes, json_string_value(value));
	json_array_foreach(value, i, one) {
		if (!json_is_string(one) ||
			!add_scope(scopes, json_string_value(one), json_string_length(one)))
			return false;
	}
	return !value || json_is_array(value);
}

/* Both names are in use: scope of RFC 8693 and RFC 9068, scp of several makers of authorization servers. */
static enum token_verdict take_scopes(struct check *c)
{
	if (!read_scopes(&c->claims->scopes, json_object_get(c->payload, "scope")) ||
		!read_scopes(&c->claims->scopes, json_object_get(c->payload, "scp")))
		return malformed(c,
			"its scope or scp is no text, no list of texts, or has more than "
			"256 entries");
	return TOKEN_OK;
}

/* A text that may be missing, and is then NULL; false: something else. */
static bool get_name(const struct check *c, const char *name, const char **ret)
{
	const json_t *value = json_object_get(c->payload, name);

	*ret = json_string_value(value);
	return !value || (*ret && **ret && json_string_length(value) <= MAX_NAME_BYTES);
}

static enum token_verdict take_names(struct check *c)
{
	const char *subject;
	const char *client;
	const char *party;

	if (!get_name(c, "sub", &subject) || !get_name(c, "client_id", &client) ||
		!get_name(c, "azp", &party))
		return malformed(c, "its sub, client_id or azp is no text of 1 to 1024 bytes");
	if (!subject && !client && !party)
		return malformed(c, "it does not say whose it is: no sub, client_id or azp");
	c->claims->subject = alloc_str(subject);
	c->claims->client = alloc_str(client ? client : party);
	return TOKEN_OK;
}

/* --- public -------------------------------------------------------------------------------------- */

enum token_verdict token_check(const struct token_rules *rules, const char *text, size_t len,
	int64_t now_s, struct token_claims *ret, struct fail *fail)
{
	static enum token_verdict (*const steps[])(struct check * c) = { check_header,
		check_signature, check_issuer, check_audience, check_times, take_names,
		take_scopes };
	struct token_claims claims = { 0 };
	struct check c = { .rules = rules, .now_s = now_s, .claims = &claims, .fail = fail };
	enum token_verdict verdict = check_form(&c, text, len);

	for (size_t i = 0; verdict == TOKEN_OK && i < N_ELEMENTS(steps); i++)
		verdict = steps[i](&c);
	json_decref(c.header);
	json_decref(c.payload);
	if (verdict == TOKEN_OK)
		*ret = claims;
	else
		token_claims_done(&claims);
	return verdict;
}

void token_claims_done(struct token_claims *claims)
{
	free(claims->subject);
	free(claims->client);
	for (size_t i = 0; i < claims->scopes.n; i++)
		free(claims->scopes.items[i]);
	free(claims->scopes.items);
	*claims = (struct token_claims){ 0 };
}

const char *token_verdict_words(enum token_verdict verdict)
{
	switch (verdict) {
	case TOKEN_OK:
		return "the token is valid";
	case TOKEN_MALFORMED:
		return "this is no token that is understood here";
	case TOKEN_UNKNOWN_KEY:
	case TOKEN_BAD_SIGNATURE:
	case TOKEN_WRONG_ISSUER:
		return "the token was not made by the issuer that is trusted here";
	case TOKEN_WRONG_AUDIENCE:
		return "the token was made for another audience";
	case TOKEN_EXPIRED:
		return "the token has expired";
	case TOKEN_NOT_YET:
		return "the token is not valid yet";
	case TOKEN_NO_KEYS:
		return "the keys of the issuer are being fetched, show the token again";
	}
	return "";
}
