/* See fail.h. */
#include "shared/fail.h"

#include <stdarg.h>
#include <stdio.h>

#include "shared/alloc.h"

int fail_set(struct fail *fail, int code, const char *fmt, ...)
{
	va_list args;

	if (!fail)
		return code;
	fail->code = code;
	va_start(args, fmt);
	(void)vsnprintf(fail->text, sizeof(fail->text), fmt, args);
	va_end(args);
	return code;
}

int fail_prefix(struct fail *fail, const char *fmt, ...)
{
	auto_free char *old = NULL;
	va_list args;
	int n;

	if (!fail)
		return 0;
	old = alloc_str(fail->text);
	va_start(args, fmt);
	n = vsnprintf(fail->text, sizeof(fail->text), fmt, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof(fail->text))
		(void)snprintf(fail->text + n, sizeof(fail->text) - (size_t)n, "%s", old);
	return fail->code;
}
