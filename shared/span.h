/* A run of bytes that belongs to somebody else. Not ended by a NUL. */
#pragma once

#include <stdbool.h>
#include <strings.h>

#include "shared/cleanup.h"

struct span {
	const char *at; /* NULL: absent */
	size_t len;
};

static inline bool span_is(struct span span, const char *text)
{
	return span.at && strlen(text) == span.len && memcmp(span.at, text, span.len) == 0;
}

/* The same without regard to the case of ASCII letters. */
static inline bool span_is_nocase(struct span span, const char *text)
{
	return span.at && strlen(text) == span.len && strncasecmp(span.at, text, span.len) == 0;
}
