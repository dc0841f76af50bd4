/* See failure.h. */
#include "workers/common/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int failure_set(struct failure *fail, const char *code, const char *fmt, ...)
{
	va_list args;

	fail->code = code;
	va_start(args, fmt);
	(void)vsnprintf(fail->text, sizeof(fail->text), fmt, args);
	va_end(args);
	return -EINVAL;
}

int failure_prefix(struct failure *fail, const char *fmt, ...)
{
	char old[sizeof(fail->text)];
	va_list args;
	int n;

	memcpy(old, fail->text, sizeof(old));
	va_start(args, fmt);
	n = vsnprintf(fail->text, sizeof(fail->text), fmt, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof(fail->text))
		(void)snprintf(fail->text + n, sizeof(fail->text) - (size_t)n, "%s", old);
	return -EINVAL;
}
