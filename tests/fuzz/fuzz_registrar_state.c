/* The registrar's state file, and the token of the gateway: what is taken is written as it was read. */
#include "tests/fuzz/fuzz.h"
#include "workers/registrar/keep.h"
#include "workers/registrar/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keep keep = { 0 };
	struct keep again = { 0 };
	struct domains domains = TAILQ_HEAD_INITIALIZER(domains);
	struct domains domains_again = TAILQ_HEAD_INITIALIZER(domains_again);
	json_auto_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	auto_free char *text = alloc_mem(data, size);
	json_auto_t *written = NULL;
	json_auto_t *written_again = NULL;

	CHECK(token_expiry(text) >= 0);
	if (keep_read(json, &keep, &domains) == 0) {
		written = keep_write(&keep, &domains);
		CHECK(written);
		CHECK(keep_read(written, &again, &domains_again) == 0);
		written_again = keep_write(&again, &domains_again);
		CHECK(json_equal(written, written_again));
	}
	keep_done(&keep);
	keep_done(&again);
	domains_done(&domains);
	domains_done(&domains_again);
	return 0;
}
