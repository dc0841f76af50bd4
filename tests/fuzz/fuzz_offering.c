/* A kept offering: any text is refused, or comes back the same after it was written again. */
#include "supervisor/fleet/offering.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = alloc_mem(size ? (const char *)data : "", size);
	auto_free char *first = NULL;
	auto_free char *second = NULL;
	struct offering offering;

	if (offering_from_text(text, &offering) < 0) {
		CHECK(!offering.info && !offering.tools);
		return 0;
	}
	CHECK(json_is_object(offering.info));
	first = offering_to_text(&offering);
	offering_done(&offering);
	CHECK(first);
	CHECK(offering_from_text(first, &offering) == 0);
	second = offering_to_text(&offering);
	offering_done(&offering);
	CHECK(second && streq(first, second));
	return 0;
}
