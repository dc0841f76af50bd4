/* Foreign text in a message for a person: quoted and escaped as in JSON, so that it cannot forge a
 * line, and never more than LIMIT_QUOTED_CHARS characters of it. */
#pragma once

#include <stddef.h>

#include "shared/strbuf.h"

enum { QUOTE_SIZE = 640 };

/* Appends `text` (any bytes); what was cut off is shown as … behind the quotes. */
void quote_add(struct strbuf *out, const char *text, size_t len);

/* The same into `ret`, at most QUOTE_SIZE - 1 bytes; returns it. For arguments of printf's kind. */
const char *quote(char ret[QUOTE_SIZE], const char *text);
