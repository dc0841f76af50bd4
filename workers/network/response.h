/* An HTTP answer: its status, its header, its body. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

#include "shared/strbuf.h"

struct response {
	int status;
	struct strbuf head; /* status line and fields of the final answer, each ended by NUL */
	struct strbuf body; /* decompressed */
	bool truncated;     /* the body has more */
	char address[INET6_ADDRSTRLEN]; /* it came from there */
};

#define auto_response auto_(response_done) struct response

void response_done(struct response *response);

/* Whether Location, if it is there, is where to go: 301, 302, 303, 307, 308. */
bool response_is_redirect(int status);

/* A line as it came, line break and all. A status line begins anew. Control characters become blanks;
 * a line with a NUL is left out. */
void response_add_line(struct response *response, const char *line, size_t len);

/* How many compressions the line says that the body was put through, as Content-Encoding or
 * Transfer-Encoding. */
size_t response_line_codings(const char *line, size_t len);

/* The value of the first field of that name, "" too; NULL: there is none. Borrowed. */
const char *response_header(const struct response *response, const char *name);

/* The words behind the status; "" when there are none. Borrowed. */
const char *response_reason(const struct response *response);

/* Steps through all fields. *cursor starts as 0; false: no more. The name is not ended by NUL. */
bool response_next_header(const struct response *response, size_t *cursor, const char **ret_name,
	size_t *ret_name_len, const char **ret_value);
