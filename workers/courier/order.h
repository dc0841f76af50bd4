/* An order of mcp-fleetd, as it is written on the link: its parameters, checked. */
#pragma once

#include <jansson.h>

#include "shared/fail.h"
#include "shared/jspan.h"

enum {
	ORDER_MAX_BYTES = 4 * 1024 * 1024, /* of a body, in either direction */
	ORDER_MAX_MS = 120000,
};

struct order {
	bool is_post;
	const char *url;
	const char *ca_file;      /* "": the certificates of the system */
	const char *headers_file; /* "", of those that follow: none */
	const char *accept;
	const char *content_type;
	const char *body;
	int64_t max_bytes;
	int64_t timeout_ms;
	json_t *json; /* that the texts lie in */
};

/* `method` is courier/fetch or courier/post. 0, or -EINVAL with words. order_done() in any case. */
int order_read(struct jspan method, struct jspan params, struct order *ret, struct fail *fail)
	must_check;
void order_done(struct order *order);
