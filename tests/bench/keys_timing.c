/* keys_timing: what a token costs at the door, and whether the time of a refusal tells how much of a signature, or of a
 * key, was right. `make bench-keys-timing`; not in `make check`, whose machines are noisy.
 *
 * The second part is a statistical test of two classes of wrong signatures, in random order: wrong in the first byte,
 * and wrong in the last byte only. Welch's t of their times, the slowest tenth left out, stays small (below 4.5 at
 * most) when the time does not depend on the class. The same test over a comparison that stops at the first
 * difference shows that it would be seen here.
 *
 * Source: Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?" (2017). */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "shared/alloc.h"
#include "shared/base64.h"
#include "shared/key_text.h"
#include "shared/keys_file.h"
#include "supervisor/front/key_set.h"
#include "supervisor/front/token.h"
#include "supervisor/front/token_cache.h"
#include "tests/unit/token_world.h"

enum {
	NOW = 1700000000,
	SAMPLES = 200000,
	ROUNDS = 2000,
	SIGNATURE = 32,
};

static const double max_t = 4.5;

static char issuer[] = "https://issuer.example";
static char fleet[] = "fleet";
static char *audiences[] = { fleet };
static const struct conf_strs audience = { .items = audiences, .n = 1 };
static struct token_world world;

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* --- costs --------------------------------------------------------------------------------------- */

static struct jwks *make_keys(enum jose_alg alg)
{
	auto_strbuf text = { 0 };
	struct jwks *keys = NULL;
	int r;

	if (alg == JOSE_HS256) {
		r = jwks_from_secret(world.secret, sizeof(world.secret), &keys, NULL);
	} else {
		strbuf_adds(&text, "{\"keys\":[");
		token_world_add_jwk(&world, alg, "", &text);
		strbuf_adds(&text, "]}");
		r = jwks_parse(text.data, text.len, &keys, NULL);
	}
	if (r < 0)
		abort();
	return keys;
}

static char *make_token(enum jose_alg alg)
{
	auto_free char *header =
		alloc_printf("{\"alg\":\"%s\",\"typ\":\"at+jwt\"}", jose_alg_name(alg));

	return token_world_sign(&world, alg, header,
		"{\"iss\":\"https://issuer.example\",\"aud\":\"fleet\",\"sub\":\"248289761001\","
		"\"client_id\":\"s6BhdRkqt3\",\"exp\":1700000100,\"iat\":1699999900,"
		"\"jti\":\"dbe39bf3a3ba4238a513f51d6e1691c4\",\"scope\":\"fleet:git fleet:read\"}");
}

static void measure_check(enum jose_alg alg)
{
	auto_(jwks_freep) struct jwks *keys = make_keys(alg);
	auto_free char *token = make_token(alg);
	const struct token_rules rules = {
		.issuer = issuer, .audience = &audience, .keys = keys, .leeway_s = 30
	};
	int64_t begin = now_ns();

	for (int i = 0; i < ROUNDS; i++) {
		struct token_claims claims = { 0 };

		if (token_check(&rules, token, strlen(token), NOW, &claims, NULL) != TOKEN_OK)
			abort();
		token_claims_done(&claims);
	}
	(void)printf("token_check %s: %.1f us, %zu bytes\n", jose_alg_name(alg),
		(double)(now_ns() - begin) / ROUNDS / 1000, strlen(token));
}

static void measure_cache(void)
{
	static struct token_cache cache;
	auto_free char *token = make_token(JOSE_RS256);
	struct principal *principal = principal_new(PRINCIPAL_TOKEN, "", "");
	unsigned char digest[TOKEN_CACHE_DIGEST];
	int64_t begin;

	token_cache_digest((struct span){ token, strlen(token) }, digest);
	token_cache_add(&cache, digest, principal);
	begin = now_ns();
	for (int i = 0; i < ROUNDS; i++) {
		token_cache_digest((struct span){ token, strlen(token) }, digest);
		if (!token_cache_find(&cache, digest))
			abort();
	}
	(void)printf("the same RS256 token, remembered: %.1f us\n",
		(double)(now_ns() - begin) / ROUNDS / 1000);
	token_cache_clear(&cache);
	principal_unref(principal);
}

/* --- timing -------------------------------------------------------------------------------------- */

typedef bool compare_fn(const void *arg, const unsigned char *signature);

struct secret_case {
	const struct jwks_key *key;
	struct span text;
};

static bool compare_token(const void *arg, const unsigned char *signature)
{
	const struct secret_case *c = arg;

	return jwks_verify(
		c->key, c->text, (struct span){ .at = (const char *)signature, .len = SIGNATURE });
}

struct key_case {
	struct key_set *set;
	char text[KEY_TEXT_SIZE];
};

/* `signature` stands for the end of a key: where it is not the right one, another letter comes. */
static bool compare_key(const void *arg, const unsigned char *signature)
{
	const struct key_case *c = arg;
	struct principal *principal;
	char text[KEY_TEXT_SIZE];
	char *end = text + KEY_TEXT_CHARS - SIGNATURE;

	memcpy(text, c->text, sizeof(text));
	for (int i = 0; i < SIGNATURE; i += SIGNATURE - 1)
		if ((unsigned char)end[i] != signature[i])
			end[i] = end[i] == 'A' ? 'B' : 'A';
	if (key_set_judge(c->set, (struct span){ text, KEY_TEXT_CHARS }, 0, &principal) != KEYS_OK)
		return false;
	principal_unref(principal);
	return true;
}

/* What must be seen: a comparison that stops where the two differ. */
static bool compare_leaking(const void *arg, const unsigned char *signature)
{
	const volatile unsigned char *right = arg;

	for (int i = 0; i < SIGNATURE; i++) {
		if (right[i] != signature[i])
			return false;
	}
	return true;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

struct moments {
	double mean;
	double variance;
	size_t n;
};

/* Of all but the slowest tenth, which other things on the machine have made. */
static struct moments moments_of(double *times, size_t n)
{
	struct moments m = { .n = n - n / 10 };

	qsort(times, n, sizeof(*times), by_value);
	for (size_t i = 0; i < m.n; i++)
		m.mean += times[i] / (double)m.n;
	for (size_t i = 0; i < m.n; i++)
		m.variance += (times[i] - m.mean) * (times[i] - m.mean) / (double)(m.n - 1);
	return m;
}

/* 0 or 1, in an order that nothing in the machine can have learned: xorshift64. */
static int next_class(void)
{
	static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (int)(state >> 63);
}

/* Welch's t of the times of the two classes. */
static double measure_t(compare_fn *compare, const void *arg, const unsigned char *right)
{
	static double times[2][SAMPLES];
	size_t n[2] = { 0 };
	struct moments m[2];

	for (int i = 0; i < SAMPLES; i++) {
		unsigned char signature[SIGNATURE];
		int class = next_class();
		int64_t begin;

		memcpy(signature, right, SIGNATURE);
		signature[class ? SIGNATURE - 1 : 0] ^= 0x55;
		begin = now_ns();
		if (compare(arg, signature))
			abort();
		times[class][n[class]++] = (double)(now_ns() - begin);
	}
	for (int i = 0; i < 2; i++)
		m[i] = moments_of(times[i], n[i]);
	(void)printf("  wrong at once: mean %.2f ns, wrong at the end: mean %.2f ns\n", m[0].mean,
		m[1].mean);
	return (m[0].mean - m[1].mean) /
	       sqrt(m[0].variance / (double)m[0].n + m[1].variance / (double)m[1].n);
}

static double measure_key(void)
{
	struct key_case c = { 0 };
	struct keys_file *file = NULL;
	struct fail fail = { 0 };
	uint8_t hash[KEY_TEXT_HASH_BYTES];
	const unsigned char *right;
	auto_strbuf json = { 0 };
	double t;

	key_text_make("k3vq7m2a", c.text);
	if (key_text_hash(c.text, KEY_TEXT_CHARS, hash) < 0)
		abort();
	strbuf_adds(&json, "{\"version\":1,\"keys\":[{\"name\":\"ci\",\"id\":\"k3vq7m2a\","
			   "\"created\":\"2026-01-31T12:00:00Z\",\"hash\":\"sha256:");
	for (size_t i = 0; i < sizeof(hash); i++)
		strbuf_addf(&json, "%02x", hash[i]);
	strbuf_adds(&json, "\"}]}");
	if (keys_file_parse(json.data, json.len, &file, &fail) < 0)
		abort();
	c.set = key_set_new(file);
	right = (const unsigned char *)c.text + KEY_TEXT_CHARS - SIGNATURE;
	if (!compare_key(&c, right))
		abort();
	t = measure_t(compare_key, &c, right);
	key_set_free(c.set);
	return t;
}

static int test_timing(void)
{
	auto_(jwks_freep) struct jwks *keys = make_keys(JOSE_HS256);
	auto_free char *token = make_token(JOSE_HS256);
	const char *point = strrchr(token, '.');
	auto_strbuf right = { 0 };
	const struct secret_case c = {
		.key = jwks_find(keys, JOSE_HS256, NULL),
		.text = { .at = token, .len = (size_t)(point - token) },
	};
	double leaking;
	double ours;
	double key;

	if (jose_decode((struct span){ point + 1, strlen(point + 1) }, &right) < 0)
		abort();
	leaking = measure_t(compare_leaking, right.data, (const unsigned char *)right.data);
	(void)printf("a comparison that stops early: t = %.1f\n", leaking);
	ours = measure_t(compare_token, &c, (const unsigned char *)right.data);
	(void)printf("HS256 at the door: t = %.1f\n", ours);
	key = measure_key();
	(void)printf("a key at the door: t = %.1f\n", key);
	if (fabs(leaking) < max_t) {
		(void)printf("this machine is too noisy: a leak would not be seen\n");
		return EXIT_FAILURE;
	}
	return fabs(ours) < max_t && fabs(key) < max_t ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(void)
{
	int r;

	token_world_init(&world);
	measure_check(JOSE_HS256);
	measure_check(JOSE_RS256);
	measure_check(JOSE_ES256);
	measure_cache();
	r = test_timing();
	token_world_done(&world);
	return r;
}
