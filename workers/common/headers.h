/* The headers that an operator gives to requests, from a file of lines "Name: value".
 *
 * They are secrets: they stand in no argument, environment or log, and the file is refused when others
 * may read it. Headers that are part of the protocol cannot be given.
 *
 * Source: RFC 9110 sections 5.1, 5.5 and 5.6.2. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "shared/fail.h"
#include "shared/strbuf.h"

enum {
	HEADERS_MAX_BYTES = 65536, /* of the file */
	HEADERS_MAX = 64,
};

struct headers {
	char **items; /* "Name: value" */
	size_t n;
};

/* Blank lines and those that begin with # are passed over. -EINVAL: the words name the line, and never
 * repeat a value. */
int headers_parse(const char *text, size_t len, struct headers *ret, struct fail *fail) must_check;
void headers_done(struct headers *headers);

/* The key in `text`, blanks around it left out, as one header. -EINVAL with words. */
int headers_parse_key(const char *text, size_t len, struct headers *ret, struct fail *fail)
	must_check;

struct headers_file {
	const char *path; /* NULL or "": none */
	const char *name; /* of the setting, for messages */
	bool is_key;      /* what it holds is a bearer key, and nothing else */
	struct headers headers;
	struct stat was; /* when it was read */
	bool is_read;
};

/* Reads the file when it is another than the one that was read. On an error the headers that were there
 * stay. -EACCES: we may not read it; -EPERM: others may. */
int headers_file_refresh(struct headers_file *file, struct fail *fail) must_check;
void headers_file_done(struct headers_file *file);
