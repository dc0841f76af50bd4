/* Tokens: any bytes are judged without trouble, and none is valid that was not signed. The second half signs what
 * comes, so that claims are reached: the first line of the input is the header, the rest the payload. What is valid
 * then is what the rules ask for. */
#include <openssl/hmac.h>

#include "shared/base64.h"
#include "supervisor/front/token.h"
#include "tests/fuzz/fuzz.h"

enum { NOW = 1700000000 };

static char secret[] = "a secret of thirty-two bytes....";
static char issuer[] = "https://i";
static char fleet[] = "fleet";
static char *audiences[] = { fleet };
static const struct conf_strs audience = { .items = audiences, .n = 1 };
static struct jwks *keys;

static enum token_verdict judge(const char *text, size_t len, struct token_claims *ret)
{
	const struct token_rules rules = {
		.issuer = issuer, .audience = &audience, .keys = keys, .leeway_s = 30
	};
	struct fail fail = { 0 };
	enum token_verdict verdict = token_check(&rules, text, len, NOW, ret, &fail);

	CHECK((verdict == TOKEN_OK) == !*fail.text);
	CHECK(*token_verdict_words(verdict));
	return verdict;
}

static void check_claims(struct token_claims *claims)
{
	CHECK(claims->subject || claims->client);
	CHECK(claims->expires_s > NOW);
	CHECK(claims->scopes.n <= TOKEN_MAX_SCOPES);
	for (size_t i = 0; i < claims->scopes.n; i++) {
		CHECK(*claims->scopes.items[i]);
		for (size_t k = 0; k < i; k++)
			CHECK(!streq(claims->scopes.items[i], claims->scopes.items[k]));
	}
	token_claims_done(claims);
}

static void judge_raw(const char *text, size_t len)
{
	struct token_claims claims = { 0 };
	enum token_verdict verdict = judge(text, len, &claims);

	/* Nobody guesses a signature; the seeds have none that is right for this secret. */
	CHECK(verdict == TOKEN_MALFORMED || verdict == TOKEN_UNKNOWN_KEY ||
		verdict == TOKEN_BAD_SIGNATURE);
	CHECK(!claims.subject && !claims.scopes.items);
}

static void judge_signed(const char *text, size_t len)
{
	const char *line = memchr(text, '\n', len);
	size_t header_len = line ? (size_t)(line - text) : len;
	auto_strbuf token = { 0 };
	struct token_claims claims = { 0 };
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	enum token_verdict verdict;

	base64_encode(BASE64_URL, text, header_len, &token);
	strbuf_addc(&token, '.');
	if (line)
		base64_encode(BASE64_URL, line + 1, len - header_len - 1, &token);
	CHECK(HMAC(
		EVP_sha256(), secret, 32, (const unsigned char *)token.data, token.len, mac, &n));
	strbuf_addc(&token, '.');
	base64_encode(BASE64_URL, mac, n, &token);
	verdict = judge(token.data, token.len, &claims);
	CHECK(verdict != TOKEN_BAD_SIGNATURE && verdict != TOKEN_NO_KEYS);
	if (verdict != TOKEN_OK)
		return;
	CHECK(token.len <= TOKEN_MAX_BYTES && token_is_jwt(token.data, token.len));
	check_claims(&claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = fuzz_copy(data, size);

	if (!keys)
		CHECK(jwks_from_secret(secret, 32, &keys, NULL) == 0);
	judge_raw(text, size);
	judge_signed(text, size);
	return 0;
}
