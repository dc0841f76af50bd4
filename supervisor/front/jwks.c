/* See jwks.h. Every failure of OpenSSL leaves entries in the thread's error queue, which whoever uses TLS in this
 * thread would take for its own: it is cleared before anything here returns. */
#include "supervisor/front/jwks.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>

#include "shared/alloc.h"

enum {
	P256_BYTES = 32, /* of a coordinate, and of each half of a signature */
	HASH_BYTES = 32,
	MAX_EXPONENT_BITS = 32,
};

struct jwks_key {
	enum jose_alg alg;
	char *kid;      /* NULL: none */
	EVP_PKEY *pkey; /* NULL: a secret */
	unsigned char *secret;
	size_t secret_len;
};

struct jwks {
	struct jwks_key keys[JWKS_MAX_KEYS];
	size_t n;
	size_t n_ignored;
	char *why_ignored;
};

#define DEFINE_OPENSSL_FREEP(type, fn)                                                             \
	static void fn##p(type **p)                                                                \
	{                                                                                          \
		fn(*p);                                                                            \
	}

DEFINE_OPENSSL_FREEP(BIGNUM, BN_free)
DEFINE_OPENSSL_FREEP(ECDSA_SIG, ECDSA_SIG_free)
DEFINE_OPENSSL_FREEP(EVP_MD_CTX, EVP_MD_CTX_free)
DEFINE_OPENSSL_FREEP(EVP_PKEY, EVP_PKEY_free)
DEFINE_OPENSSL_FREEP(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
DEFINE_OPENSSL_FREEP(OSSL_PARAM, OSSL_PARAM_free)
DEFINE_OPENSSL_FREEP(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)

/* --- keys ---------------------------------------------------------------------------------------- */

/* Makes the key; NULL: the numbers are none. */
static EVP_PKEY *make_pkey(const char *type, OSSL_PARAM_BLD *build)
{
	auto_(OSSL_PARAM_freep) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	auto_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
		EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		return NULL;
	return pkey;
}

static bool is_on_curve(EVP_PKEY *pkey)
{
	auto_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

	return ctx && EVP_PKEY_public_check(ctx) == 1;
}

/* The bytes of a member that is base64url; false: it is missing or something else. */
static bool get_bytes(const json_t *jwk, const char *name, struct strbuf *ret)
{
	const json_t *member = json_object_get(jwk, name);
	struct span text = { .at = json_string_value(member), .len = json_string_length(member) };

	return text.at && jose_decode(text, ret) == 0 && ret->len > 0;
}

static BIGNUM *get_number(const json_t *jwk, const char *name)
{
	auto_strbuf bytes = { 0 };

	if (!get_bytes(jwk, name, &bytes) || bytes.len > JWKS_MAX_RSA_BITS / 8 + 1)
		return NULL;
	return BN_bin2bn((const unsigned char *)bytes.data, (int)bytes.len, NULL);
}

/* NULL, or why the key is not used. */
static const char *read_rsa(const json_t *jwk, EVP_PKEY **ret)
{
	auto_(BN_freep) BIGNUM *n = get_number(jwk, "n");
	auto_(BN_freep) BIGNUM *e = get_number(jwk, "e");
	auto_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();

	if (!n || !e)
		return "its n or e is missing, too big, or not base64url";
	if (BN_num_bits(n) < JWKS_MIN_RSA_BITS || BN_num_bits(n) > JWKS_MAX_RSA_BITS)
		return "RSA keys must have 2048 to 8192 bits";
	if (!BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e) || BN_num_bits(e) > MAX_EXPONENT_BITS)
		return "its n or e cannot be those of an RSA key";
	if (!build || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) != 1)
		return "OpenSSL does not take it";
	*ret = make_pkey("RSA", build);
	return *ret ? NULL : "OpenSSL does not take it";
}

static const char *read_ec(const json_t *jwk, EVP_PKEY **ret)
{
	const char *curve = jose_text(jwk, "crv");
	auto_strbuf x = { 0 };
	auto_strbuf y = { 0 };
	unsigned char point[1 + 2 * P256_BYTES] = { POINT_CONVERSION_UNCOMPRESSED };
	auto_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	auto_(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;

	if (!curve || !streq(curve, "P-256"))
		return "of elliptic curves only P-256 is known";
	if (!get_bytes(jwk, "x", &x) || !get_bytes(jwk, "y", &y) || x.len != P256_BYTES ||
		y.len != P256_BYTES)
		return "its x or y is not 32 bytes of base64url";
	memcpy(point + 1, x.data, P256_BYTES);
	memcpy(point + 1 + P256_BYTES, y.data, P256_BYTES);
	if (!build ||
		OSSL_PARAM_BLD_push_utf8_string(
			build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
		OSSL_PARAM_BLD_push_octet_string(
			build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) != 1)
		return "OpenSSL does not take it";
	pkey = make_pkey("EC", build);
	if (!pkey || !is_on_curve(pkey))
		return "its x and y are no point of P-256";
	*ret = TAKE(pkey);
	return NULL;
}

static const struct {
	const char *kty;
	enum jose_alg alg;
	const char *(*read)(const json_t *jwk, EVP_PKEY **ret);
} kinds[] = {
	{ "RSA", JOSE_RS256, read_rsa },
	{ "EC", JOSE_ES256, read_ec },
};

/* A member that may be missing, but is else this text. */
static bool is_unless_missing(const json_t *jwk, const char *name, const char *text)
{
	const json_t *member = json_object_get(jwk, name);

	return !member || (json_is_string(member) && streq(json_string_value(member), text));
}

static bool may_verify(const json_t *jwk)
{
	const json_t *ops = json_object_get(jwk, "key_ops");
	const json_t *op;
	size_t i;

	json_array_foreach(ops, i, op) {
		if (json_is_string(op) && streq(json_string_value(op), "verify"))
			return true;
	}
	return !ops;
}

/* NULL, or why the key is not used. */
static const char *read_key(const json_t *jwk, struct jwks_key *ret)
{
	const json_t *kid = json_object_get(jwk, "kid");
	const char *kty = jose_text(jwk, "kty");
	size_t i = 0;
	const char *why;

	if (!kty)
		return "it has no kty";
	while (i < N_ELEMENTS(kinds) && !streq(kinds[i].kty, kty))
		i++;
	if (i == N_ELEMENTS(kinds))
		return "of kinds of keys only RSA and EC are known";
	if (!is_unless_missing(jwk, "use", "sig") || !may_verify(jwk))
		return "its use or key_ops is not to check signatures";
	if (!is_unless_missing(jwk, "alg", jose_alg_name(kinds[i].alg)))
		return "its alg is neither RS256 nor ES256";
	if (kid && (!json_is_string(kid) || json_string_length(kid) > JWKS_MAX_KID))
		return "its kid is no text of at most 256 bytes";
	if (json_object_get(jwk, "d"))
		return "it is a private key, which must not be in a set: make a new one";
	why = kinds[i].read(jwk, &ret->pkey);
	ERR_clear_error();
	if (why)
		return why;
	ret->alg = kinds[i].alg;
	ret->kid = alloc_str(json_string_value(kid));
	return NULL;
}

static void key_done(struct jwks_key *key)
{
	EVP_PKEY_free(key->pkey);
	OPENSSL_clear_free(key->secret, key->secret_len);
	free(key->kid);
	*key = (struct jwks_key){ 0 };
}

/* --- sets ---------------------------------------------------------------------------------------- */

static bool has_same(const struct jwks *set, const struct jwks_key *key)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct jwks_key *other = &set->keys[i];

		if (other->alg == key->alg && other->kid && key->kid && streq(other->kid, key->kid))
			return true;
	}
	return false;
}

static void ignore_key(struct jwks *set, const char *why)
{
	if (set->n_ignored++ == 0)
		set->why_ignored = alloc_str(why);
}

static void add_key(struct jwks *set, const json_t *jwk)
{
	struct jwks_key key = { 0 };
	const char *why = read_key(jwk, &key);

	if (!why && has_same(set, &key))
		why = "a key before it has the same kid";
	if (!why && set->n == JWKS_MAX_KEYS)
		why = "there are 32 before it";
	if (why) {
		ignore_key(set, why);
		key_done(&key);
		return;
	}
	set->keys[set->n++] = key;
}

int jwks_parse(const char *text, size_t len, struct jwks **ret, struct fail *fail)
{
	auto_(jwks_freep) struct jwks *set = NULL;
	json_auto_t *object = NULL;
	const json_t *keys;
	const json_t *jwk;
	size_t i;

	if (len > JWKS_MAX_BYTES)
		return fail_set(fail, -EINVAL, "a key set of more than %d bytes is not read",
			JWKS_MAX_BYTES);
	object = jose_object(text, len);
	if (!object)
		return fail_set(fail, -EINVAL, "it is no JSON object, or one with a member twice");
	keys = json_object_get(object, "keys");
	if (!json_is_array(keys))
		return fail_set(fail, -EINVAL, "it is no key set: it has no list \"keys\"");
	if (json_array_size(keys) > JWKS_MAX_LISTED)
		return fail_set(
			fail, -EINVAL, "a set of more than %d keys is not read", JWKS_MAX_LISTED);
	set = alloc_zero(sizeof(*set));
	json_array_foreach(keys, i, jwk)
		add_key(set, jwk);
	*ret = TAKE(set);
	return 0;
}

int jwks_from_secret(const void *secret, size_t len, struct jwks **ret, struct fail *fail)
{
	struct jwks *set;

	if (len < JWKS_MIN_SECRET || len > JWKS_MAX_SECRET)
		return fail_set(fail, -EINVAL,
			"a secret for HS256 has %d to %d bytes, this one %zu: make one with `openssl "
			"rand -base64 48`",
			JWKS_MIN_SECRET, JWKS_MAX_SECRET, len);
	set = alloc_zero(sizeof(*set));
	set->n = 1;
	set->keys[0] = (struct jwks_key){
		.alg = JOSE_HS256,
		.secret = OPENSSL_memdup(secret, len),
		.secret_len = len,
	};
	if (!set->keys[0].secret)
		abort();
	*ret = set;
	return 0;
}

void jwks_free(struct jwks *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n; i++)
		key_done(&set->keys[i]);
	free(set->why_ignored);
	free(set);
}

size_t jwks_count(const struct jwks *set)
{
	return set->n;
}

size_t jwks_get_ignored(const struct jwks *set, const char **ret_why)
{
	*ret_why = set->why_ignored;
	return set->n_ignored;
}

const struct jwks_key *jwks_find(const struct jwks *set, enum jose_alg alg, const char *kid)
{
	const struct jwks_key *only = NULL;
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct jwks_key *key = &set->keys[i];

		if (key->alg != alg)
			continue;
		if (kid && key->kid && streq(kid, key->kid))
			return key;
		only = key;
		n++;
	}
	return n == 1 && (!kid || !only->kid) ? only : NULL;
}

/* --- signatures ---------------------------------------------------------------------------------- */

static bool verify_hmac(const struct jwks_key *key, struct span text, struct span signature)
{
	unsigned char expected[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!HMAC(EVP_sha256(), key->secret, (int)key->secret_len, (const unsigned char *)text.at,
		    text.len, expected, &n))
		return false;
	return n == signature.len && n == HASH_BYTES &&
	       CRYPTO_memcmp(expected, signature.at, HASH_BYTES) == 0;
}

static bool verify_evp(const struct jwks_key *key, struct span text, struct span signature)
{
	auto_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	return ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
	       EVP_DigestVerify(ctx, (const unsigned char *)signature.at, signature.len,
		       (const unsigned char *)text.at, text.len) == 1;
}

/* A token has r and s as two numbers of 32 bytes, OpenSSL wants them in DER. (It refuses 0 for either, and what is
 * not below the order of the curve.) */
static bool verify_ecdsa(const struct jwks_key *key, struct span text, struct span signature)
{
	const unsigned char *bytes = (const unsigned char *)signature.at;
	auto_(ECDSA_SIG_freep) ECDSA_SIG *sig = NULL;
	auto_(BN_freep) BIGNUM *r = NULL;
	auto_(BN_freep) BIGNUM *s = NULL;
	unsigned char *der = NULL;
	bool ok;
	int n;

	if (signature.len != (size_t)2 * P256_BYTES)
		return false;
	sig = ECDSA_SIG_new();
	r = BN_bin2bn(bytes, P256_BYTES, NULL);
	s = BN_bin2bn(bytes + P256_BYTES, P256_BYTES, NULL);
	if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1)
		return false;
	r = NULL; /* sig's now */
	s = NULL;
	n = i2d_ECDSA_SIG(sig, &der);
	if (n <= 0)
		return false;
	ok = verify_evp(key, text, (struct span){ .at = (const char *)der, .len = (size_t)n });
	OPENSSL_free(der);
	return ok;
}

bool jwks_verify(const struct jwks_key *key, struct span text, struct span signature)
{
	bool ok = false;

	switch (key->alg) {
	case JOSE_HS256:
		ok = verify_hmac(key, text, signature);
		break;
	case JOSE_RS256:
		ok = verify_evp(key, text, signature);
		break;
	case JOSE_ES256:
		ok = verify_ecdsa(key, text, signature);
		break;
	case JOSE_UNKNOWN:
		break;
	}
	ERR_clear_error();
	return ok;
}
