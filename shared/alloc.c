/* See alloc.h. Running out of memory is not an error a caller could mend: the process ends, and is
 * started again by whoever supervises it. */
#include "shared/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

static void *or_abort(void *mem)
{
	if (!mem)
		abort();
	return mem;
}

void *alloc_zero(size_t size)
{
	return or_abort(calloc(1, size ? size : 1));
}

void *alloc_resize(void *mem, size_t n, size_t size)
{
	return or_abort(reallocarray(mem, n ? n : 1, size));
}

void *alloc_try(size_t size)
{
	return malloc(size ? size : 1);
}

char *alloc_str(const char *text)
{
	return text ? or_abort(strdup(text)) : NULL;
}

char *alloc_mem(const void *bytes, size_t len)
{
	char *copy = or_abort(malloc(len + 1));

	if (len)
		memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

char *alloc_printf(const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	return text;
}
