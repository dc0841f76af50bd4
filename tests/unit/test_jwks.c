/* Key sets: which keys are kept, how one is found, what it verifies. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "supervisor/front/jwks.h"
#include "tests/unit/token_world.h"

static struct token_world world;

static int setup(void **unused)
{
	token_world_init(&world);
	return 0;
}

static int teardown(void **unused)
{
	token_world_done(&world);
	return 0;
}

static struct jwks *parse(const char *text)
{
	struct jwks *set = NULL;
	struct fail fail = { 0 };

	if (jwks_parse(text, strlen(text), &set, &fail) < 0)
		fail_msg("refused: %s: %.200s", fail.text, text);
	return set;
}

/* --- vectors of RFC 7515 ------------------------------------------------------------------------- */

static const char payload[] =
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/* A.1 */
static const char hs256_key[] =
	"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
static const char hs256_header[] = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
static const char hs256_signature[] = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/* A.2 */
#define RFC_RSA                                                                                    \
	"{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddx"      \
	"HmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47s"   \
	"oMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtd"  \
	"VMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kz"  \
	"k2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}"
static const char rs256_header[] = "eyJhbGciOiJSUzI1NiJ9";
static const char rs256_signature[] =
	"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O"
	"8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNP"
	"vkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1p"
	"hCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/* A.3 */
#define RFC_EC                                                                                     \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
static const char es256_header[] = "eyJhbGciOiJFUzI1NiJ9";
static const char es256_signature[] =
	"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/* Whether the vector is right, and wrong with any one bit of its signature changed. */
static void check_vector(const struct jwks_key *key, const char *header, const char *signature)
{
	auto_free char *text = alloc_printf("%s.%s", header, payload);
	struct span signed_text = { .at = text, .len = strlen(text) };
	auto_strbuf bytes = { 0 };

	assert_non_null(key);
	assert_int_equal(jose_decode((struct span){ signature, strlen(signature) }, &bytes), 0);
	assert_true(jwks_verify(key, signed_text, (struct span){ bytes.data, bytes.len }));
	for (size_t i = 0; i < bytes.len; i++) {
		bytes.data[i] = (char)(bytes.data[i] ^ (1 << i % 8));
		assert_false(jwks_verify(key, signed_text, (struct span){ bytes.data, bytes.len }));
		bytes.data[i] = (char)(bytes.data[i] ^ (1 << i % 8));
	}
	assert_false(jwks_verify(key, signed_text, (struct span){ bytes.data, bytes.len - 1 }));
	strbuf_addc(&bytes, '\0');
	assert_false(jwks_verify(key, signed_text, (struct span){ bytes.data, bytes.len }));
	text[0]++;
	assert_false(jwks_verify(key, signed_text, (struct span){ bytes.data, bytes.len - 1 }));
}

static void test_vectors(void **unused)
{
	auto_(jwks_freep) struct jwks *set = parse("{\"keys\":[" RFC_RSA "," RFC_EC "]}");
	auto_(jwks_freep) struct jwks *secret = NULL;
	auto_strbuf bytes = { 0 };

	assert_int_equal(jose_decode((struct span){ hs256_key, strlen(hs256_key) }, &bytes), 0);
	assert_int_equal(jwks_from_secret(bytes.data, bytes.len, &secret, NULL), 0);
	check_vector(jwks_find(secret, JOSE_HS256, NULL), hs256_header, hs256_signature);
	check_vector(jwks_find(set, JOSE_RS256, NULL), rs256_header, rs256_signature);
	check_vector(jwks_find(set, JOSE_ES256, NULL), es256_header, es256_signature);
}

/* r = s = 0 was right for any text once, in a library of somebody else; r and s at the order of the curve. */
static void test_psychic_signature(void **unused)
{
	static const unsigned char order[32] = { 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
		0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };
	auto_(jwks_freep) struct jwks *set = parse("{\"keys\":[" RFC_EC "]}");
	const struct jwks_key *key = jwks_find(set, JOSE_ES256, NULL);
	struct span text = { .at = "a.b", .len = 3 };
	char signature[64] = { 0 };

	assert_false(jwks_verify(key, text, (struct span){ signature, sizeof(signature) }));
	memcpy(signature, order, sizeof(order));
	memcpy(signature + sizeof(order), order, sizeof(order));
	assert_false(jwks_verify(key, text, (struct span){ signature, sizeof(signature) }));
	assert_false(jwks_verify(key, text, (struct span){ signature, 0 }));
}

/* --- what is kept -------------------------------------------------------------------------------- */

#define RSA_BODY "\"n\":\"ofgWCuLjybRlzo0tZWJjNg\",\"e\":\"AQAB\""
#define EC_BODY                                                                                    \
	"\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                 \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""

static const struct {
	const char *key;
	const char *why; /* part of it; NULL: it is kept */
} single_keys[] = {
	{ RFC_RSA, NULL },
	{ RFC_EC, NULL },
	{ "{\"kty\":\"EC\",\"use\":\"sig\",\"alg\":\"ES256\",\"x5c\":[\"?\"]," EC_BODY "}", NULL },
	{ "{\"kty\":\"EC\",\"key_ops\":[\"sign\",\"verify\"]," EC_BODY "}", NULL },
	{ "{\"kty\":\"EC\",\"use\":\"enc\"," EC_BODY "}", "use" },
	{ "{\"kty\":\"EC\",\"use\":1," EC_BODY "}", "use" },
	{ "{\"kty\":\"EC\",\"key_ops\":[\"sign\"]," EC_BODY "}", "key_ops" },
	{ "{\"kty\":\"EC\",\"key_ops\":[]," EC_BODY "}", "key_ops" },
	{ "{\"kty\":\"EC\",\"key_ops\":\"verify\"," EC_BODY "}", "key_ops" },
	{ "{\"kty\":\"EC\",\"alg\":\"ES384\"," EC_BODY "}", "alg" },
	{ "{\"kty\":\"EC\",\"alg\":\"RS256\"," EC_BODY "}", "alg" },
	{ "{\"kty\":\"EC\",\"alg\":\"HS256\"," EC_BODY "}", "alg" },
	{ "{\"kty\":\"EC\",\"d\":\"AQAB\"," EC_BODY "}", "private" },
	{ "{\"kty\":\"EC\",\"kid\":7," EC_BODY "}", "kid" },
	{ "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}", "P-256" },
	{ "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}", "32 bytes" },
	{ "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
		"x or y" },
	{ "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	  "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\"}",
		"x or y" }, /* a stray bit at the end */
	{ "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	  "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"}",
		"no point" },
	{ "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	  "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
		"no point" },
	{ "{\"kty\":\"RSA\"," RSA_BODY "}", "2048" },
	{ "{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}", "n or e" },
	{ "{\"kty\":\"RSA\",\"e\":\"AQAB\"}", "n or e" },
	{ "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ\"}", "RSA and EC" },
	{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}", "RSA and EC" },
	{ "{}", "kty" },
	{ "[]", "kty" },
	{ "7", "kty" },
};

static void test_single_keys(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(single_keys); i++) {
		auto_free char *text = alloc_printf("{\"keys\":[%s]}", single_keys[i].key);
		auto_(jwks_freep) struct jwks *set = parse(text);
		const char *why = NULL;
		size_t n = jwks_get_ignored(set, &why);

		if (!single_keys[i].why) {
			assert_int_equal(n, 0);
			assert_null(why);
			assert_int_equal(jwks_count(set), 1);
			continue;
		}
		assert_int_equal(n, 1);
		assert_int_equal(jwks_count(set), 0);
		if (!strstr(why, single_keys[i].why))
			fail_msg("%s: %s", text, why);
	}
}

static void test_exponents(void **unused)
{
	static const char *const exponents[] = { "AQ", "Ag", "AQAAAAE", "AA" };

	for (size_t i = 0; i < N_ELEMENTS(exponents); i++) {
		auto_strbuf text = { 0 };
		auto_free char *old = NULL;
		auto_(jwks_freep) struct jwks *set = NULL;
		char *e;

		token_world_add_jwk(&world, JOSE_RS256, "", &text);
		e = strstr(text.data, "\"AQAB\"");
		assert_non_null(e);
		*e = '\0';
		old = alloc_printf("{\"keys\":[%s\"%s\"}]}", text.data, exponents[i]);
		set = parse(old);
		assert_int_equal(jwks_count(set), 0);
	}
}

/* Numbers that are too big must not cost time: they are not even looked at. */
static void test_big_numbers(void **unused)
{
	auto_free char *digits = alloc_zero(20001);
	auto_free char *text = NULL;
	auto_(jwks_freep) struct jwks *set = NULL;

	memset(digits, 'z', 20000);
	text = alloc_printf("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"}]}", digits);
	set = parse(text);
	assert_int_equal(jwks_count(set), 0);
}

static void test_no_sets(void **unused)
{
	static const char *const texts[] = { "", "[]", "{}", "{\"keys\":{}}", "{\"keys\":7}",
		"nope", "{\"keys\":[]} x", "{\"keys\":[],\"keys\":[]}",
		"{\"keys\":[{\"kty\":\"EC\",\"kty\":1}]}", "{\"keys\":[\"\xff\"]}" };
	struct jwks *set = NULL;
	struct fail fail = { 0 };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		if (jwks_parse(texts[i], strlen(texts[i]), &set, &fail) != -EINVAL)
			fail_msg("taken: %s", texts[i]);
		assert_null(set);
		assert_string_not_equal(fail.text, "");
	}
	/* Nothing of use is no error: keys may be for others, or all be revoked. */
	set = parse("{\"keys\":[],\"more\":{}}");
	assert_int_equal(jwks_count(set), 0);
	jwks_free(set);
}

static void test_bounds(void **unused)
{
	auto_strbuf many = { 0 };
	auto_strbuf big = { 0 };
	auto_(jwks_freep) struct jwks *set = NULL;
	struct jwks *none = NULL;
	const char *why;

	strbuf_adds(&many, "{\"keys\":[");
	for (int i = 0; i < 40; i++)
		strbuf_addf(
			&many, "%s{\"kty\":\"EC\",\"kid\":\"k%d\"," EC_BODY "}", i ? "," : "", i);
	strbuf_adds(&many, "]}");
	set = parse(many.data);
	assert_int_equal(jwks_count(set), JWKS_MAX_KEYS);
	assert_int_equal(jwks_get_ignored(set, &why), 40 - JWKS_MAX_KEYS);
	assert_non_null(strstr(why, "32"));
	assert_non_null(jwks_find(set, JOSE_ES256, "k31"));
	assert_null(jwks_find(set, JOSE_ES256, "k32"));

	strbuf_adds(&big, "{\"keys\":[0");
	for (int i = 0; i < JWKS_MAX_LISTED; i++)
		strbuf_adds(&big, ",0");
	strbuf_adds(&big, "]}");
	assert_int_equal(jwks_parse(big.data, big.len, &none, NULL), -EINVAL);
	strbuf_cut(&big, 0);
	strbuf_adds(&big, "{\"keys\":[]}");
	while (big.len <= JWKS_MAX_BYTES)
		strbuf_addc(&big, ' ');
	assert_int_equal(jwks_parse(big.data, big.len, &none, NULL), -EINVAL);
	strbuf_cut(&big, 0);
	for (int i = 0; i < 100000; i++)
		strbuf_adds(&big, "[");
	assert_int_equal(jwks_parse(big.data, big.len, &none, NULL), -EINVAL);
}

static void test_secrets(void **unused)
{
	char bytes[JWKS_MAX_SECRET + 1] = "short";
	struct jwks *set = NULL;
	struct fail fail = { 0 };

	assert_int_equal(jwks_from_secret(bytes, JWKS_MIN_SECRET - 1, &set, &fail), -EINVAL);
	assert_non_null(strstr(fail.text, "openssl rand"));
	assert_int_equal(jwks_from_secret(bytes, sizeof(bytes), &set, &fail), -EINVAL);
	assert_null(set);
	assert_int_equal(jwks_from_secret(bytes, JWKS_MIN_SECRET, &set, &fail), 0);
	assert_non_null(jwks_find(set, JOSE_HS256, "any"));
	assert_null(jwks_find(set, JOSE_RS256, NULL));
	assert_null(jwks_find(set, JOSE_UNKNOWN, NULL));
	jwks_free(set);
}

/* --- how a key is found -------------------------------------------------------------------------- */

static struct jwks *parse_two(const char *first, const char *second)
{
	auto_strbuf text = { 0 };

	strbuf_adds(&text, "{\"keys\":[");
	token_world_add_jwk(&world, JOSE_ES256, first, &text);
	strbuf_addc(&text, ',');
	token_world_add_jwk(&world, JOSE_RS256, second, &text);
	strbuf_adds(&text, "," RFC_EC "]}");
	return parse(text.data);
}

static void test_find(void **unused)
{
	auto_(jwks_freep) struct jwks *set = parse_two(",\"kid\":\"a\"", ",\"kid\":\"a\"");

	/* The same id for two kinds of keys: the algorithm tells. */
	assert_non_null(jwks_find(set, JOSE_RS256, "a"));
	assert_non_null(jwks_find(set, JOSE_ES256, "a"));
	assert_ptr_not_equal(jwks_find(set, JOSE_RS256, "a"), jwks_find(set, JOSE_ES256, "a"));
	/* No id in the token: only where there is no choice. */
	assert_non_null(jwks_find(set, JOSE_RS256, NULL));
	assert_null(jwks_find(set, JOSE_ES256, NULL));
	/* Another id is another key; so it is beside a key without one, when there are two. */
	assert_null(jwks_find(set, JOSE_RS256, "b"));
	assert_null(jwks_find(set, JOSE_RS256, "A"));
	assert_null(jwks_find(set, JOSE_RS256, ""));
	assert_null(jwks_find(set, JOSE_ES256, "b"));
	assert_null(jwks_find(set, JOSE_HS256, NULL));
	assert_null(jwks_find(set, JOSE_HS256, "a"));
	assert_null(jwks_find(set, JOSE_UNKNOWN, "a"));
}

static void test_find_without_id(void **unused)
{
	auto_(jwks_freep) struct jwks *set = parse("{\"keys\":[" RFC_RSA "," RFC_EC "]}");

	assert_non_null(jwks_find(set, JOSE_RS256, "whatever"));
	assert_non_null(jwks_find(set, JOSE_ES256, NULL));
}

static void test_same_id_twice(void **unused)
{
	auto_strbuf text = { 0 };
	auto_(jwks_freep) struct jwks *set = NULL;
	const char *why;

	strbuf_adds(&text, "{\"keys\":[");
	token_world_add_jwk(&world, JOSE_ES256, ",\"kid\":\"a\"", &text);
	strbuf_adds(&text, ",{\"kty\":\"EC\",\"kid\":\"a\"," EC_BODY "}]}");
	set = parse(text.data);
	assert_int_equal(jwks_count(set), 1);
	assert_int_equal(jwks_get_ignored(set, &why), 1);
	assert_non_null(strstr(why, "same kid"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_psychic_signature),
		cmocka_unit_test(test_single_keys),
		cmocka_unit_test(test_exponents),
		cmocka_unit_test(test_big_numbers),
		cmocka_unit_test(test_no_sets),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_without_id),
		cmocka_unit_test(test_same_id_twice),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
