/* See answer.h. */
#include "workers/utils/answer.h"

/* What the asker can do, by the code of the failure. */
static const struct {
	const char *code;
	const char *advice;
} known[] = {
	{ "bad_expression", "Correct the expression." },
	{ "bad_json", "Correct the text." },
	{ "bad_regex", "Correct the pattern." },
	{ "bad_yaml", "Correct the text." },
	{ "division_by_zero", "Choose another divisor." },
	{ "domain_error", "Choose numbers for which it is defined." },
	{ "invalid_argument", "Correct the argument." },
	{ "overflow", "Choose smaller numbers." },
	{ "timeout", "Split it." },
	{ "too_large", "Give a smaller text." },
};

int call_failure(struct call *call, const struct failure *fail)
{
	const size_t len = strlen(fail->text);

	for (size_t i = 0; i < N_ELEMENTS(known); i++)
		if (streq(known[i].code, fail->code) && len > 0 && fail->text[len - 1] != '.')
			return call_fail(call, fail->code, "%s. %s", fail->text, known[i].advice);
	return call_fail(call, fail->code, "%s", fail->text);
}
