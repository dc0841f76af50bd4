/* Expressions of the calculator: whatever the text, there is a number that JSON can hold, written with
 * digits that read as the same again; or one of the codes that are promised, with words. And soon. */
#include <ctype.h>
#include <math.h>

#include "shared/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "workers/utils/expression.h"

static void check_failure(const struct failure *fail)
{
	static const char *const codes[] = { "bad_expression", "division_by_zero", "domain_error",
		"overflow", "timeout" };
	size_t i = 0;

	while (i < N_ELEMENTS(codes) && !streq(codes[i], fail->code))
		i++;
	CHECK(i < N_ELEMENTS(codes));
	CHECK(*fail->text);
}

/* An integer has all its digits, a double those that give it again. Both are expressions. */
static void check_text(const struct number *n)
{
	auto_free char *text = number_text(n);
	auto_free char *text_again = NULL;
	auto_(number_done) struct number again = { 0 };
	struct failure fail = { 0 };

	CHECK(isdigit((unsigned char)text[0]) ||
		(text[0] == '-' && isdigit((unsigned char)text[1])));
	CHECK(expression_eval(text, &again, &fail) == 0);
	text_again = number_text(&again);
	CHECK(streq(text, text_again));
}

static void check_json(const struct number *n)
{
	json_auto_t *json = number_json(n);

	CHECK(json_is_number(json) && isfinite(json_number_value(json)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = alloc_mem(data, size);
	auto_(number_done) struct number result = { 0 };
	struct failure fail = { 0 };

	/* As the schema has it. */
	if (!utf8_valid(text, strlen(text)))
		return 0;
	if (expression_eval(text, &result, &fail) < 0) {
		check_failure(&fail);
		return 0;
	}
	check_text(&result);
	check_json(&result);
	return 0;
}
