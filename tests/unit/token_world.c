/* See token_world.h. */
#include "tests/unit/token_world.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "shared/alloc.h"
#include "shared/base64.h"

enum { HALF = 32 };

/* What must not fail in a test, also where asserts are compiled out. */
static void must(bool ok)
{
	if (!ok)
		abort();
}

void token_world_init(struct token_world *world)
{
	world->rsa = EVP_RSA_gen(2048);
	world->ec = EVP_EC_gen("P-256");
	must(world->rsa && world->ec);
	memset(world->secret, 's', sizeof(world->secret));
}

void token_world_done(struct token_world *world)
{
	EVP_PKEY_free(world->rsa);
	EVP_PKEY_free(world->ec);
}

static void add_hmac(struct strbuf *out, const void *secret, size_t len, const struct strbuf *text)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	must(HMAC(EVP_sha256(), secret, (int)len, (const unsigned char *)text->data, text->len, mac,
		&n));
	base64_encode(BASE64_URL, mac, n, out);
}

static size_t sign(EVP_PKEY *key, const struct strbuf *text, unsigned char *ret, size_t size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	must(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
	must(EVP_DigestSign(ctx, ret, &size, (const unsigned char *)text->data, text->len) == 1);
	EVP_MD_CTX_free(ctx);
	return size;
}

static void add_rsa(struct strbuf *out, EVP_PKEY *key, const struct strbuf *text)
{
	unsigned char signature[512];
	size_t n = sign(key, text, signature, sizeof(signature));

	base64_encode(BASE64_URL, signature, n, out);
}

static void add_ecdsa(struct strbuf *out, EVP_PKEY *key, const struct strbuf *text)
{
	unsigned char der[128];
	unsigned char raw[2 * HALF];
	const unsigned char *at = der;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)sign(key, text, der, sizeof(der)));

	must(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, HALF) == HALF &&
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + HALF, HALF) == HALF);
	ECDSA_SIG_free(sig);
	base64_encode(BASE64_URL, raw, sizeof(raw), out);
}

static void begin(struct strbuf *out, const char *header, const char *payload)
{
	base64_encode(BASE64_URL, header, strlen(header), out);
	strbuf_addc(out, '.');
	base64_encode(BASE64_URL, payload, strlen(payload), out);
}

static char *end(struct strbuf *text, struct strbuf *signature)
{
	strbuf_addf(text, ".%s", strbuf_get(signature));
	return strbuf_take(text);
}

char *token_world_sign_with(const void *secret, size_t len, const char *header, const char *payload)
{
	auto_strbuf text = { 0 };
	auto_strbuf signature = { 0 };

	begin(&text, header, payload);
	add_hmac(&signature, secret, len, &text);
	return end(&text, &signature);
}

char *token_world_sign(
	const struct token_world *world, enum jose_alg alg, const char *header, const char *payload)
{
	auto_strbuf text = { 0 };
	auto_strbuf signature = { 0 };

	begin(&text, header, payload);
	if (alg == JOSE_HS256)
		add_hmac(&signature, world->secret, sizeof(world->secret), &text);
	else if (alg == JOSE_RS256)
		add_rsa(&signature, world->rsa, &text);
	else if (alg == JOSE_ES256)
		add_ecdsa(&signature, world->ec, &text);
	return end(&text, &signature);
}

static void add_number(EVP_PKEY *key, const char *param, int min_bytes, struct strbuf *out)
{
	unsigned char bytes[512];
	BIGNUM *number = NULL;
	int n;

	must(EVP_PKEY_get_bn_param(key, param, &number) == 1);
	n = BN_num_bytes(number) > min_bytes ? BN_num_bytes(number) : min_bytes;
	must(BN_bn2binpad(number, bytes, n) == n);
	BN_free(number);
	base64_encode(BASE64_URL, bytes, (size_t)n, out);
}

void token_world_add_jwk(
	const struct token_world *world, enum jose_alg alg, const char *more, struct strbuf *out)
{
	bool is_rsa = alg == JOSE_RS256;
	EVP_PKEY *key = is_rsa ? world->rsa : world->ec;

	strbuf_addf(out, "{\"kty\": \"%s\"%s, \"%s\": \"",
		is_rsa ? "RSA" : "EC\", \"crv\": \"P-256", more, is_rsa ? "n" : "x");
	add_number(key, is_rsa ? OSSL_PKEY_PARAM_RSA_N : OSSL_PKEY_PARAM_EC_PUB_X,
		is_rsa ? 0 : HALF, out);
	strbuf_addf(out, "\", \"%s\": \"", is_rsa ? "e" : "y");
	add_number(key, is_rsa ? OSSL_PKEY_PARAM_RSA_E : OSSL_PKEY_PARAM_EC_PUB_Y,
		is_rsa ? 0 : HALF, out);
	strbuf_adds(out, "\"}");
}
