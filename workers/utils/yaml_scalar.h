/* What a plain scalar of YAML means: the core schema of YAML 1.2 (chapter 10.3). */
#pragma once

#include <stdbool.h>

#include "shared/strbuf.h"

enum yaml_kind {
	YAML_KIND_STR,
	YAML_KIND_NULL,
	YAML_KIND_BOOL,
	YAML_KIND_INT,
	YAML_KIND_FLOAT,
	YAML_KIND_NOT_FINITE /* .inf, .nan: no JSON */
};

/* The kind of a plain scalar. Unless it is text or not finite, `out` gets it as JSON: numbers keep
 * their digits, hexadecimal and octal ones become decimal (longer than 1024 digits: text). */
enum yaml_kind yaml_resolve(const char *text, size_t len, struct strbuf *out);

/* Whether a text may stand plain, without quotes, and is a text for readers of YAML 1.1 and 1.2. */
bool yaml_is_plain_text(const char *text, size_t len);
