/* Key sets: any bytes make a bounded set or words; each key that is kept verifies nothing that it has not signed. */
#include "supervisor/front/jwks.h"
#include "tests/fuzz/fuzz.h"

static void check_key(const struct jwks_key *key)
{
	static const char zeros[256];
	static const size_t sizes[] = { 0, 32, 64, 256 };
	struct span text = { .at = "a.b", .len = 3 };

	for (size_t i = 0; key && i < N_ELEMENTS(sizes); i++)
		CHECK(!jwks_verify(key, text, (struct span){ .at = zeros, .len = sizes[i] }));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = fuzz_copy(data, size);
	auto_(jwks_freep) struct jwks *set = NULL;
	struct fail fail = { 0 };
	const char *why = NULL;

	if (jwks_parse(text, size, &set, &fail) < 0) {
		CHECK(!set && *fail.text);
		return 0;
	}
	CHECK(!*fail.text);
	CHECK(jwks_count(set) <= JWKS_MAX_KEYS);
	CHECK((jwks_get_ignored(set, &why) > 0) == (why != NULL));
	CHECK(!jwks_find(set, JOSE_UNKNOWN, NULL) && !jwks_find(set, JOSE_HS256, NULL));
	if (jwks_count(set) == 0)
		CHECK(!jwks_find(set, JOSE_RS256, NULL) && !jwks_find(set, JOSE_ES256, NULL));
	check_key(jwks_find(set, JOSE_RS256, NULL));
	check_key(jwks_find(set, JOSE_ES256, "a"));
	return 0;
}
