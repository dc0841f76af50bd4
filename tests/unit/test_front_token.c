/* Tokens: what is let in, and each way of being refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "shared/alloc.h"
#include "shared/base64.h"
#include "supervisor/front/token.h"
#include "tests/unit/token_world.h"

enum { NOW = 1700000000 };

static struct token_world world;
static struct jwks *public_keys; /* RS256 "r", ES256 "e" */
static struct jwks *secret_key;

static char issuer[] = "https://issuer.example";
static char fleet[] = "https://fleet.example.org";
static char other_name[] = "fleet";
static char *audiences[] = { fleet, other_name };
static const struct conf_strs audience = { .items = audiences, .n = 2 };

static int setup(void **unused)
{
	auto_strbuf text = { 0 };

	token_world_init(&world);
	strbuf_adds(&text, "{\"keys\":[");
	token_world_add_jwk(&world, JOSE_RS256, ",\"kid\":\"r\"", &text);
	strbuf_addc(&text, ',');
	token_world_add_jwk(&world, JOSE_ES256, ",\"kid\":\"e\"", &text);
	strbuf_adds(&text, "]}");
	return jwks_parse(text.data, text.len, &public_keys, NULL) ||
	       jwks_from_secret(world.secret, sizeof(world.secret), &secret_key, NULL);
}

static int teardown(void **unused)
{
	jwks_free(public_keys);
	jwks_free(secret_key);
	token_world_done(&world);
	return 0;
}

static enum token_verdict check_len(
	const struct jwks *keys, const char *text, size_t len, struct token_claims *ret)
{
	const struct token_rules rules = {
		.issuer = issuer, .audience = &audience, .keys = keys, .leeway_s = 30
	};
	struct fail fail = { 0 };
	struct token_claims claims = { 0 };
	enum token_verdict verdict = token_check(&rules, text, len, NOW, &claims, &fail);

	if (verdict != TOKEN_OK) {
		assert_null(claims.subject);
		assert_string_not_equal(fail.text, "");
		assert_string_not_equal(token_verdict_words(verdict), "");
		return verdict;
	}
	assert_string_equal(fail.text, "");
	if (ret)
		*ret = claims;
	else
		token_claims_done(&claims);
	return verdict;
}

static enum token_verdict check(const struct jwks *keys, const char *text)
{
	return check_len(keys, text, strlen(text), NULL);
}

#define CLAIMS(more)                                                                                    \
	"{\"iss\":\"https://issuer.example\",\"aud\":\"fleet\",\"sub\":\"ann\",\"exp\":1700000100" more \
	"}"
#define GOOD CLAIMS("")
#define RS256 "{\"alg\":\"RS256\",\"kid\":\"r\"}"
#define ES256 "{\"alg\":\"ES256\",\"kid\":\"e\"}"
#define HS256 "{\"alg\":\"HS256\"}"

static enum token_verdict check_claims(const char *payload)
{
	auto_free char *token = token_world_sign(&world, JOSE_HS256, HS256, payload);

	return check(secret_key, token);
}

/* --- let in -------------------------------------------------------------------------------------- */

static void test_good(void **unused)
{
	auto_free char *rs = token_world_sign(&world, JOSE_RS256, RS256, GOOD);
	auto_free char *es = token_world_sign(&world, JOSE_ES256, ES256, GOOD);
	auto_free char *hs = token_world_sign(&world, JOSE_HS256, HS256, GOOD);
	auto_free char *no_id = token_world_sign(&world, JOSE_ES256, "{\"alg\":\"ES256\"}", GOOD);

	assert_int_equal(check(public_keys, rs), TOKEN_OK);
	assert_int_equal(check(public_keys, es), TOKEN_OK);
	assert_int_equal(check(public_keys, no_id), TOKEN_OK);
	assert_int_equal(check(secret_key, hs), TOKEN_OK);
	assert_true(token_is_jwt(rs, strlen(rs)));
	assert_false(token_is_jwt("mcpf_abc", 8));
	assert_false(token_is_jwt("a.b", 3));
	assert_false(token_is_jwt("..", 2));
	assert_false(token_is_jwt("", 0));
}

static struct token_claims read_claims(const char *payload)
{
	auto_free char *token = token_world_sign(&world, JOSE_HS256, HS256, payload);
	struct token_claims claims = { 0 };

	assert_int_equal(check_len(secret_key, token, strlen(token), &claims), TOKEN_OK);
	return claims;
}

static const char *scope_of(const struct token_claims *claims, size_t i)
{
	return claims->scopes.items && i < claims->scopes.n ? claims->scopes.items[i] : "";
}

static void test_claims(void **unused)
{
	struct token_claims claims = read_claims(
		CLAIMS(",\"client_id\":\"app\",\"azp\":\"other\",\"scope\":\"  read  write read \","
		       "\"scp\":[\"write\",\"more\"],\"realm_access\":{\"roles\":[\"x\"]}"));

	assert_string_equal(claims.subject, "ann");
	assert_string_equal(claims.client, "app");
	assert_int_equal(claims.expires_s, 1700000130);
	assert_int_equal(claims.scopes.n, 3);
	assert_string_equal(scope_of(&claims, 0), "read");
	assert_string_equal(scope_of(&claims, 1), "write");
	assert_string_equal(scope_of(&claims, 2), "more");
	token_claims_done(&claims);
	assert_null(claims.subject);

	claims = read_claims(
		"{\"iss\":\"https://issuer.example\",\"aud\":[\"x\",\"https://fleet."
		"example.org\"],\"azp\":\"app\",\"exp\":1.7000001e9,\"scp\":\"one two\"}");
	assert_null(claims.subject);
	assert_string_equal(claims.client, "app");
	assert_int_equal(claims.expires_s, 1700000130);
	assert_int_equal(claims.scopes.n, 2);
	token_claims_done(&claims);
}

/* --- claims that are refused --------------------------------------------------------------------- */

#define ISS "\"iss\":\"https://issuer.example\""
#define AUD "\"aud\":\"fleet\""
#define SUB "\"sub\":\"ann\""
#define EXP "\"exp\":1700000100"

static const struct {
	const char *payload;
	enum token_verdict verdict;
} claims_table[] = {
	{ CLAIMS(",\"nbf\":1700000030,\"iat\":1700000030"), TOKEN_OK },
	{ CLAIMS(",\"nbf\":1700000031"), TOKEN_NOT_YET },
	{ CLAIMS(",\"iat\":1700000031"), TOKEN_NOT_YET },
	{ CLAIMS(",\"nbf\":\"1699999999\""), TOKEN_MALFORMED },
	{ CLAIMS(",\"iat\":null"), TOKEN_MALFORMED },
	{ CLAIMS(",\"nbf\":-1"), TOKEN_MALFORMED },
	{ "{" ISS "," AUD "," SUB "}", TOKEN_MALFORMED },
	{ "{" ISS "," AUD "," SUB ",\"exp\":\"1700000100\"}", TOKEN_MALFORMED },
	{ "{" ISS "," AUD "," SUB ",\"exp\":null}", TOKEN_MALFORMED },
	{ "{" ISS "," AUD "," SUB ",\"exp\":1e300}", TOKEN_MALFORMED },
	{ "{" ISS "," AUD "," SUB ",\"exp\":9223372036854775807}", TOKEN_MALFORMED },
	{ "{" ISS "," AUD "," SUB ",\"exp\":-1}", TOKEN_MALFORMED },
	{ "{" ISS "," AUD "," SUB ",\"exp\":1699999971}", TOKEN_OK },
	{ "{" ISS "," AUD "," SUB ",\"exp\":1699999970}", TOKEN_EXPIRED },
	{ "{" ISS "," AUD "," SUB ",\"exp\":0}", TOKEN_EXPIRED },
	{ "{" AUD "," SUB "," EXP "}", TOKEN_WRONG_ISSUER },
	{ "{\"iss\":\"https://issuer.example/\"," AUD "," SUB "," EXP "}", TOKEN_WRONG_ISSUER },
	{ "{\"iss\":\"https://Issuer.example\"," AUD "," SUB "," EXP "}", TOKEN_WRONG_ISSUER },
	{ "{\"iss\":[\"https://issuer.example\"]," AUD "," SUB "," EXP "}", TOKEN_WRONG_ISSUER },
	{ "{" ISS "," SUB "," EXP "}", TOKEN_WRONG_AUDIENCE },
	{ "{" ISS ",\"aud\":\"\"," SUB "," EXP "}", TOKEN_WRONG_AUDIENCE },
	{ "{" ISS ",\"aud\":[]," SUB "," EXP "}", TOKEN_WRONG_AUDIENCE },
	{ "{" ISS ",\"aud\":{\"0\":\"fleet\"}," SUB "," EXP "}", TOKEN_WRONG_AUDIENCE },
	{ "{" ISS ",\"aud\":[[\"fleet\"]]," SUB "," EXP "}", TOKEN_WRONG_AUDIENCE },
	{ "{" ISS ",\"aud\":\"fleet2\"," SUB "," EXP "}", TOKEN_WRONG_AUDIENCE },
	{ "{" ISS ",\"aud\":\"flee\"," SUB "," EXP "}", TOKEN_WRONG_AUDIENCE },
	{ "{" ISS ",\"aud\":\"https://fleet.example.org/mcp\"," SUB "," EXP "}",
		TOKEN_WRONG_AUDIENCE },
	{ "{" ISS ",\"aud\":[\"a\",\"FLEET\"]," SUB "," EXP "}", TOKEN_WRONG_AUDIENCE },
	{ "{" ISS "," AUD "," EXP "}", TOKEN_MALFORMED },
	{ "{" ISS "," AUD ",\"sub\":\"\"," EXP "}", TOKEN_MALFORMED },
	{ "{" ISS "," AUD ",\"sub\":7," EXP "}", TOKEN_MALFORMED },
	{ "{" ISS "," AUD ",\"sub\":\"a\\u0000b\"," EXP "}", TOKEN_MALFORMED },
	{ CLAIMS(",\"client_id\":[]"), TOKEN_MALFORMED },
	{ CLAIMS(",\"scope\":7"), TOKEN_MALFORMED },
	{ CLAIMS(",\"scp\":[7]"), TOKEN_MALFORMED },
	{ CLAIMS(",\"sub\":\"root\""), TOKEN_MALFORMED }, /* twice */
	{ CLAIMS(",\"su\\u0062\":\"root\""), TOKEN_MALFORMED },
	{ CLAIMS(",\"x\":{\"a\":1,\"a\":2}"), TOKEN_MALFORMED },
	{ CLAIMS(",\"x\":\"\xff\""), TOKEN_MALFORMED },
	{ GOOD " ", TOKEN_OK },
	{ GOOD "x", TOKEN_MALFORMED },
	{ "[]", TOKEN_MALFORMED },
	{ "\"ann\"", TOKEN_MALFORMED },
	{ "", TOKEN_MALFORMED },
};

static void test_claims_table(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(claims_table); i++) {
		enum token_verdict verdict = check_claims(claims_table[i].payload);

		if (verdict != claims_table[i].verdict)
			fail_msg("%s: %s", claims_table[i].payload, token_verdict_words(verdict));
	}
}

/* Whoever cannot sign does not learn from the answer which claim would have been wrong. */
static void test_signature_first(void **unused)
{
	auto_free char *token = token_world_sign_with("another secret", 14, HS256, "{}");

	assert_int_equal(check(secret_key, token), TOKEN_BAD_SIGNATURE);
}

/* --- bounds -------------------------------------------------------------------------------------- */

static void test_sizes(void **unused)
{
	auto_strbuf claims = { 0 };
	auto_strbuf name = { 0 };
	auto_free char *big = alloc_zero(1000001);

	memset(big, 'a', 1000000);
	big[10] = '.';
	big[20] = '.';
	assert_int_equal(check(secret_key, big), TOKEN_MALFORMED);

	for (int i = 0; i < 1025; i++)
		strbuf_addc(&name, 'n');
	strbuf_addf(&claims, "{" ISS "," AUD "," EXP ",\"sub\":\"%s\"}", name.data);
	assert_int_equal(check_claims(claims.data), TOKEN_MALFORMED);
	strbuf_cut(&claims, 0);
	strbuf_addf(&claims, "{" ISS "," AUD "," EXP ",\"sub\":\"%s\"}", name.data + 1);
	assert_int_equal(check_claims(claims.data), TOKEN_OK);
}

static void test_many_scopes(void **unused)
{
	auto_strbuf text = { 0 };
	auto_strbuf list = { 0 };

	for (int i = 0; i <= TOKEN_MAX_SCOPES; i++) {
		strbuf_addf(&text, "s%d ", i);
		strbuf_addf(&list, "%s\"s%d\"", i ? "," : "", i);
	}
	auto_free char *scope = alloc_printf(CLAIMS(",\"scope\":\"%s\""), text.data);
	auto_free char *scp = alloc_printf(CLAIMS(",\"scp\":[%s]"), list.data);

	assert_int_equal(check_claims(scope), TOKEN_MALFORMED);
	assert_int_equal(check_claims(scp), TOKEN_MALFORMED);
}

static void test_deep(void **unused)
{
	auto_strbuf deep = { 0 };
	auto_strbuf payload = { 0 };

	for (int i = 0; i < 2000; i++)
		strbuf_addc(&deep, '[');
	for (int i = 0; i < 2000; i++)
		strbuf_addc(&deep, ']');
	strbuf_addf(&payload, CLAIMS(",\"x\":%s"), deep.data);
	assert_int_equal(check_claims(payload.data), TOKEN_MALFORMED);
}

static void test_many_audiences(void **unused)
{
	auto_strbuf list = { 0 };

	for (int i = 0; i < TOKEN_MAX_AUDIENCES; i++)
		strbuf_addf(&list, "\"a%d\",", i);
	auto_free char *payload =
		alloc_printf("{" ISS "," SUB "," EXP ",\"aud\":[%s\"fleet\"]}", list.data);

	assert_int_equal(check_claims(payload), TOKEN_MALFORMED);
}

/* --- headers ------------------------------------------------------------------------------------- */

static const struct {
	const char *header;
	enum token_verdict verdict;
} headers_table[] = {
	{ "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", TOKEN_OK },
	{ "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", TOKEN_OK },
	{ "{\"alg\":\"HS256\",\"typ\":\"application/AT+JWT\"}", TOKEN_OK },
	{ "{\"alg\":\"HS256\",\"kid\":\"any\"}", TOKEN_OK },
	/* Where a key could be found is not looked at. */
	{ "{\"alg\":\"HS256\",\"jku\":\"http://127.0.0.1:1/\",\"x5u\":\"http://127.0.0.1:1/\","
	  "\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"},\"x5c\":[]}",
		TOKEN_OK },
	{ "{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}", TOKEN_MALFORMED },
	{ "{\"alg\":\"HS256\",\"typ\":\"secevent+jwt\"}", TOKEN_MALFORMED },
	{ "{\"alg\":\"HS256\",\"typ\":7}", TOKEN_MALFORMED },
	{ "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", TOKEN_MALFORMED },
	{ "{\"alg\":\"HS256\",\"crit\":[]}", TOKEN_MALFORMED },
	{ "{\"alg\":\"HS256\",\"crit\":null}", TOKEN_MALFORMED },
	{ "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", TOKEN_MALFORMED },
	{ "{\"alg\":\"HS256\",\"b64\":false}", TOKEN_MALFORMED },
	{ "{\"alg\":\"HS256\",\"kid\":7}", TOKEN_MALFORMED },
	{ "{\"alg\":\"HS256\",\"kid\":\"a\\u0000\"}", TOKEN_MALFORMED },
	{ "{\"alg\":\"none\"}", TOKEN_MALFORMED },
	{ "{\"alg\":\"None\"}", TOKEN_MALFORMED },
	{ "{\"alg\":\"\"}", TOKEN_MALFORMED },
	{ "{\"alg\":\"unknown\"}", TOKEN_MALFORMED },
	{ "{\"alg\":\"hs256\"}", TOKEN_MALFORMED },
	{ "{\"alg\":\"HS512\"}", TOKEN_MALFORMED },
	{ "{\"alg\":[\"HS256\"]}", TOKEN_MALFORMED },
	{ "{\"alg\":\"none\",\"alg\":\"HS256\"}", TOKEN_MALFORMED },
	{ "{}", TOKEN_MALFORMED },
	{ "[\"HS256\"]", TOKEN_MALFORMED },
	{ "", TOKEN_MALFORMED },
	{ "{\"alg\":\"RS256\"}", TOKEN_UNKNOWN_KEY },
	{ "{\"alg\":\"ES256\"}", TOKEN_UNKNOWN_KEY },
};

static void test_headers_table(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(headers_table); i++) {
		auto_free char *token =
			token_world_sign(&world, JOSE_HS256, headers_table[i].header, GOOD);
		enum token_verdict verdict = check(secret_key, token);

		if (verdict != headers_table[i].verdict)
			fail_msg("%s: %s", headers_table[i].header, token_verdict_words(verdict));
	}
}

static void test_no_algorithm(void **unused)
{
	static const char *const names[] = { "none", "None", "NONE", "nOnE" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		auto_free char *header = alloc_printf("{\"alg\":\"%s\"}", names[i]);
		auto_free char *token = token_world_sign(&world, JOSE_UNKNOWN, header, GOOD);

		assert_int_equal(check(public_keys, token), TOKEN_MALFORMED);
		assert_int_equal(check(secret_key, token), TOKEN_MALFORMED);
	}
	auto_free char *token = token_world_sign(&world, JOSE_UNKNOWN, RS256, GOOD);

	assert_int_equal(check(public_keys, token), TOKEN_MALFORMED);
}

static void test_long_kid(void **unused)
{
	auto_strbuf header = { 0 };
	auto_free char *token = NULL;

	strbuf_adds(&header, "{\"alg\":\"RS256\",\"kid\":\"");
	for (int i = 0; i < JWKS_MAX_KID; i++)
		strbuf_addc(&header, 'k');
	strbuf_adds(&header, "k\"}");
	token = token_world_sign(&world, JOSE_RS256, header.data, GOOD);
	assert_int_equal(check(public_keys, token), TOKEN_MALFORMED);
}

static void test_kid_games(void **unused)
{
	static const char *const ids[] = { "../../../../dev/null", "/dev/null", "r' OR '1'='1", "R",
		"r ", "", "http://127.0.0.1/", "r\\n" };

	for (size_t i = 0; i < N_ELEMENTS(ids); i++) {
		auto_free char *header = alloc_printf("{\"alg\":\"RS256\",\"kid\":\"%s\"}", ids[i]);
		auto_free char *token = token_world_sign(&world, JOSE_RS256, header, GOOD);

		assert_int_equal(check(public_keys, token), TOKEN_UNKNOWN_KEY);
	}
	/* The id of a key of another kind. */
	auto_free char *crossed =
		token_world_sign(&world, JOSE_RS256, "{\"alg\":\"RS256\",\"kid\":\"e\"}", GOOD);

	assert_int_equal(check(public_keys, crossed), TOKEN_UNKNOWN_KEY);
}

/* --- confusion of keys --------------------------------------------------------------------------- */

static char *get_pem(void)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	char *pem;
	long n;

	assert_int_equal(PEM_write_bio_PUBKEY(bio, world.rsa), 1);
	n = BIO_get_mem_data(bio, &bytes);
	pem = alloc_mem(bytes, (size_t)n);
	BIO_free(bio);
	return pem;
}

/* A public key is no secret: HS256 with its PEM, its modulus or nothing must not be right. */
static void test_public_key_as_secret(void **unused)
{
	auto_free char *pem = get_pem();
	BIGNUM *modulus = NULL;
	char bytes[256];

	assert_int_equal(EVP_PKEY_get_bn_param(world.rsa, OSSL_PKEY_PARAM_RSA_N, &modulus), 1);
	assert_int_equal(BN_bn2binpad(modulus, (unsigned char *)bytes, 256), 256);
	BN_free(modulus);
	const struct {
		const char *bytes;
		size_t len;
	} secrets[] = { { pem, strlen(pem) }, { pem, strlen(pem) - 1 }, { bytes, 256 }, { "", 0 } };

	for (size_t i = 0; i < N_ELEMENTS(secrets); i++) {
		static const char *const headers[] = { "{\"alg\":\"HS256\",\"kid\":\"r\"}", HS256 };
		auto_free char *named =
			token_world_sign_with(secrets[i].bytes, secrets[i].len, headers[0], GOOD);
		auto_free char *plain =
			token_world_sign_with(secrets[i].bytes, secrets[i].len, headers[1], GOOD);
		auto_free char *as_rsa =
			token_world_sign_with(secrets[i].bytes, secrets[i].len, RS256, GOOD);

		assert_int_equal(check(public_keys, named), TOKEN_UNKNOWN_KEY);
		assert_int_equal(check(public_keys, plain), TOKEN_UNKNOWN_KEY);
		assert_int_equal(check(public_keys, as_rsa), TOKEN_BAD_SIGNATURE);
		assert_int_equal(check(secret_key, plain), TOKEN_BAD_SIGNATURE);
	}
}

static void test_crossed_algorithms(void **unused)
{
	auto_free char *es_as_rs = token_world_sign(&world, JOSE_ES256, RS256, GOOD);
	auto_free char *rs_as_es = token_world_sign(&world, JOSE_RS256, ES256, GOOD);
	auto_free char *rs_as_hs = token_world_sign(&world, JOSE_RS256, HS256, GOOD);

	assert_int_equal(check(public_keys, es_as_rs), TOKEN_BAD_SIGNATURE);
	assert_int_equal(check(public_keys, rs_as_es), TOKEN_BAD_SIGNATURE);
	assert_int_equal(check(secret_key, rs_as_hs), TOKEN_BAD_SIGNATURE);
}

/* r = s = 0, CVE-2022-21449 of another library. */
static void test_psychic_signature(void **unused)
{
	auto_free char *token = token_world_sign(&world, JOSE_UNKNOWN, ES256, GOOD);
	auto_strbuf text = { 0 };
	static const char zeros[64];

	strbuf_adds(&text, token);
	base64_encode(BASE64_URL, zeros, sizeof(zeros), &text);
	assert_int_equal(check(public_keys, text.data), TOKEN_BAD_SIGNATURE);
}

/* --- one text ------------------------------------------------------------------------------------ */

/* Whatever is changed in a token, it is not valid any more: no byte of it may be read in two ways. */
static void test_any_byte(void **unused)
{
	auto_free char *token = token_world_sign(&world, JOSE_HS256, HS256, GOOD);
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \n";

	for (size_t i = 0; token[i]; i++) {
		char right = token[i];

		for (const char *c = alphabet; *c; c++) {
			if (*c == right)
				continue;
			token[i] = *c;
			if (check(secret_key, token) == TOKEN_OK)
				fail_msg("taken with '%c' at %zu", *c, i);
		}
		token[i] = right;
	}
	assert_int_equal(check(secret_key, token), TOKEN_OK);
	for (size_t len = 0; len < strlen(token); len++)
		assert_int_not_equal(check_len(secret_key, token, len, NULL), TOKEN_OK);
}

static void test_more_text(void **unused)
{
	static const char *const tails[] = { "=", "==", ".", ".a", " ", "\n", "\t", "A", "%00" };
	auto_free char *token = token_world_sign(&world, JOSE_HS256, HS256, GOOD);

	for (size_t i = 0; i < N_ELEMENTS(tails); i++) {
		auto_free char *behind = alloc_printf("%s%s", token, tails[i]);
		auto_free char *before = alloc_printf("%s%s", tails[i], token);

		assert_int_not_equal(check(secret_key, behind), TOKEN_OK);
		assert_int_not_equal(check(secret_key, before), TOKEN_OK);
	}
	/* A NUL behind it is a byte as any other. */
	assert_int_not_equal(check_len(secret_key, token, strlen(token) + 1, NULL), TOKEN_OK);
}

static void test_no_token(void **unused)
{
	static const char *const texts[] = { "", ".", "..", "...", "a", "a.b", "a.b.c", "a.b.c.d.e",
		"e30.e30.", "e30.e30.AA", "Bearer a.b.c" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		assert_int_equal(check(secret_key, texts[i]), TOKEN_MALFORMED);
		assert_int_equal(check(public_keys, texts[i]), TOKEN_MALFORMED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_claims_table),
		cmocka_unit_test(test_signature_first),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_many_scopes),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_many_audiences),
		cmocka_unit_test(test_headers_table),
		cmocka_unit_test(test_no_algorithm),
		cmocka_unit_test(test_long_kid),
		cmocka_unit_test(test_kid_games),
		cmocka_unit_test(test_public_key_as_secret),
		cmocka_unit_test(test_crossed_algorithms),
		cmocka_unit_test(test_psychic_signature),
		cmocka_unit_test(test_any_byte),
		cmocka_unit_test(test_more_text),
		cmocka_unit_test(test_no_token),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
